"""`/recordings/by-reference`: what the same verbs do by id, for a client that knows its own references alone.

A reference may hold any character, percent-encoded.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.access.door import Reader, Writer
from app.http.errors import PreconditionFailed, responses
from app.http.fields import Words
from app.http.threads import Reading
from app.recordings import whose
from app.recordings.changing import requests
from app.recordings.parameters import (
    CHANGING,
    ETAG,
    GOES_ON,
    LOCATION,
    MAKING,
    READING,
    Accepting,
    Document,
    IfMatch,
    MergePatch,
    Prefer,
    wait_of,
)
from app.recordings.reading import queries
from app.recordings.reading.views import RecordingView
from app.recordings.whose import Reference

router = APIRouter(prefix="/recordings/by-reference", tags=["recordings"])

ReferenceId = Annotated[
    str,
    Words(255),
    Path(
        description="Your `reference_id`, percent-encoded.",
        examples=["SIS-2026F-MATH123-01"],
        openapi_examples={"of the example": {"value": "SIS-2026F-MATH123-01"}},  # Swagger UI fills it in
    ),
]


@router.get(
    "/{reference_id:path}",
    summary="Show the recording with your id",
    response_description="The recording.",
    responses={200: {"headers": ETAG}, **responses(*READING)},
)
def get_recording_by_reference(
    reference_id: ReferenceId, response: Response, client: Reader, database: Reading, accepting: Accepting
) -> RecordingView:
    """The one that has it now; if there is none, the latest that had it until it failed or was cancelled."""
    with database.read() as session:
        recording = whose.find(session, client, Reference(reference_id))
        response.headers["ETag"] = requests.etag(recording)
        return queries.view(session, recording, accepting.server_zone)


@router.put(
    "/{reference_id:path}",
    response_model=RecordingView,
    summary="Make or change the recording with your id",
    response_description="It was there, and is changed.",
    responses={
        201: {"model": RecordingView, "description": "It was not there, and is scheduled.", "headers": LOCATION},
        **GOES_ON,
        204: {"description": "It is what the document says already; Kaltura was not asked.", "headers": LOCATION},
        **responses(*MAKING, *CHANGING),
    },
)
async def put_recording(
    reference_id: ReferenceId,
    document: Document,
    client: Writer,
    accepting: Accepting,
    prefer: Prefer = None,
    if_match: IfMatch = None,
) -> Response:
    """For a sync that sends everything every night: what is new is scheduled, what differs is changed."""
    return await accepting.put(client, document.referring_to(reference_id), if_match, wait_of(prefer))


@router.patch(
    "/{reference_id:path}",
    response_model=RecordingView,
    summary="Change the recording with your id",
    response_description="Changed.",
    responses={
        **GOES_ON,
        **responses(*MAKING, *CHANGING),
    },
)
async def change_recording_by_reference(
    reference_id: ReferenceId,
    patch: MergePatch,
    client: Writer,
    accepting: Accepting,
    prefer: Prefer = None,
    if_match: IfMatch = None,
) -> Response:
    """A merge patch (RFC 7396) of the document, as `PATCH /recordings/{id}` takes it."""
    return await accepting.change(client, Reference(reference_id), patch, if_match, wait_of(prefer))


@router.delete(
    "/{reference_id:path}",
    response_model=RecordingView,
    summary="Cancel the recording with your id",
    response_description="Cancelled.",
    responses={
        **GOES_ON,
        **responses(*READING, PreconditionFailed),
    },
)
async def cancel_recording_by_reference(
    reference_id: ReferenceId, client: Writer, accepting: Accepting, prefer: Prefer = None, if_match: IfMatch = None
) -> Response:
    """Cancels what lies ahead, as `DELETE /recordings/{id}` does. Harmless to repeat. Frees the reference."""
    return await accepting.cancel(client, Reference(reference_id), if_match, wait_of(prefer))
