"""`/recordings/{id}/occurrences`: one occurrence of a recording."""

from functools import partial

from fastapi import APIRouter, Response

from app.access.door import Writer
from app.http.errors import AmbiguousResource, PayloadTooLarge, ResourceNotFound, UnsupportedMediaType, responses
from app.recordings.changing import one_occurrence
from app.recordings.parameters import (
    CHANGING_ONE,
    ONE_GOES_ON,
    Accepting,
    IfMatch,
    OccurrenceId,
    Prefer,
    RecordingId,
    wait_of,
)
from app.recordings.reading.views import OccurrenceView

MOVING = (AmbiguousResource, ResourceNotFound, PayloadTooLarge, UnsupportedMediaType)

router = APIRouter(prefix="/recordings", tags=["recordings"])


@router.patch(
    "/{id}/occurrences/{occurrence_id}",
    response_model=OccurrenceView,
    summary="Move, name or extend one session",
    response_description="Changed.",
    responses={**ONE_GOES_ON, **responses(*CHANGING_ONE, *MOVING)},
)
async def move_occurrence(
    id: RecordingId,
    occurrence_id: OccurrenceId,
    wanted: one_occurrence.OccurrenceChange,
    client: Writer,
    accepting: Accepting,
    prefer: Prefer = None,
    if_match: IfMatch = None,
) -> Response:
    """Gives one session another time or length, also where the recurrence has none, another resource, or a title.

    It keeps its id. What it was given by hand it keeps, too, whatever becomes of the recording. One that runs can be
    stopped or extended by `duration_minutes`: encoders see that at once. It is not extended into what is booked there.
    """
    change = partial(one_occurrence.change_one, wanted=wanted)
    return await accepting.change_occurrence(client, id, occurrence_id, change, wait_of(prefer), if_match)


@router.delete(
    "/{id}/occurrences/{occurrence_id}",
    response_model=OccurrenceView,
    summary="Cancel one session",
    response_description="Cancelled.",
    responses={**ONE_GOES_ON, **responses(*CHANGING_ONE)},
)
async def cancel_occurrence(
    id: RecordingId,
    occurrence_id: OccurrenceId,
    client: Writer,
    accepting: Accepting,
    prefer: Prefer = None,
    if_match: IfMatch = None,
) -> Response:
    """Cancels one session; stops one that runs. Harmless to repeat; `restore` takes a cancellation back."""
    act = one_occurrence.cancel_one
    return await accepting.change_occurrence(client, id, occurrence_id, act, wait_of(prefer), if_match)


@router.post(
    "/{id}/occurrences/{occurrence_id}/restore",
    response_model=OccurrenceView,
    summary="Restore one session",
    response_description="Scheduled again.",
    responses={**ONE_GOES_ON, **responses(*CHANGING_ONE)},
)
async def restore_occurrence(
    id: RecordingId,
    occurrence_id: OccurrenceId,
    client: Writer,
    accepting: Accepting,
    prefer: Prefer = None,
    if_match: IfMatch = None,
) -> Response:
    """Schedules a session again that was cancelled or excluded, at the time that it had."""
    act = one_occurrence.restore
    return await accepting.change_occurrence(client, id, occurrence_id, act, wait_of(prefer), if_match)
