"""`/recordings`: parse, call one function, answer."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.access.door import REFUSALS, Reader, Writer
from app.http.errors import (
    AmbiguousResource,
    CategoryNotFound,
    DatabaseUnavailable,
    InvalidDocument,
    NothingAhead,
    NothingToResume,
    NotOurs,
    PayloadTooLarge,
    PreconditionFailed,
    RefusedByKaltura,
    ResourceNotFound,
    ScheduleConflict,
    ScheduleDiffers,
    UnsupportedMediaType,
    responses,
)
from app.http.fields import CURSOR
from app.http.threads import Reading
from app.recordings import whose
from app.recordings.changing import requests
from app.recordings.changing.batch_schemas import Batch, BatchView
from app.recordings.document.preview import Preview
from app.recordings.parameters import (
    CHANGING,
    ETAG,
    GOES_ON,
    LINK,
    LOCATION,
    MAKING,
    READING,
    RETRY,
    Accepting,
    Document,
    IdempotencyKey,
    IfMatch,
    MergePatch,
    Prefer,
    RecordingId,
    wait_of,
)
from app.recordings.reading import listing, queries
from app.recordings.reading.views import HistoryPage, OccurrencePage, RecordingPage, RecordingView

router = APIRouter(prefix="/recordings", tags=["recordings"])


@router.post(
    "",
    status_code=201,
    response_model=RecordingView,
    summary="Schedule a recording",
    response_description="Scheduled.",
    responses={
        201: {"headers": LOCATION},
        200: {
            "model": RecordingView,
            "description": "It was there already, made by the same document.",
            "headers": LOCATION,
        },
        202: {
            "model": RecordingView,
            "description": "Accepted. It goes on in the background, also when Kaltura is away.",
            "headers": LOCATION | RETRY,
        },
        **responses(*MAKING),
    },
)
async def create_recording(
    document: Document,
    client: Writer,
    accepting: Accepting,
    prefer: Prefer = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Makes everything that Kaltura needs of one document: a template entry, schedule events, the resource, the links.

    The same `reference_id` (or `Idempotency-Key`) with the same document makes nothing twice. What Kaltura refuses
    for good is undone and answered as a problem. What goes wrong after a 202 stands in the recording's `problem`.
    """
    return await accepting.schedule(client, document, idempotency_key, wait_of(prefer))


@router.post(
    "/preview",
    summary="Preview a recording",
    response_description="What it would come to.",
    responses=responses(
        *(*REFUSALS, AmbiguousResource, PayloadTooLarge, UnsupportedMediaType, InvalidDocument, NothingAhead),
        *(RefusedByKaltura, CategoryNotFound, ResourceNotFound, DatabaseUnavailable),
    ),
)
async def preview_recording(request: Request, document: Document, client: Writer, accepting: Accepting) -> Preview:
    """What the same document would come to: every session, the plan in words, warnings, known conflicts.

    Makes nothing and reserves nothing. Asks Kaltura for the resource and the categories alone, and for what is booked
    on a resource that Lectern has not read yet: it waits for that for two seconds at most.
    """
    return await accepting.preview(client, request.app.state.kaltura, document)


@router.post(
    "/batch",
    response_model=BatchView,
    summary="Change several recordings at once",
    response_description="All of them are changed.",
    responses={
        207: {"model": BatchView, "description": "Not all are changed; `outcome` of each says what became of it."},
        202: {"model": BatchView, "description": "Accepted; not all of them are done.", "headers": RETRY},
        **responses(*MAKING, *CHANGING),
    },
)
async def change_recordings(
    request: Request, batch: Batch, client: Writer, accepting: Accepting, prefer: Prefer = None
) -> Response:
    """Up to 100 patches and documents, checked for conflicts on the final state of all: so rooms can be swapped.

    A patch names its recording by `id` or by `reference_id`; a document makes the recording with its `reference_id`, or
    changes it.

    One conflict refuses the batch, and nothing is changed. Otherwise each is applied by a chain of its own. A change
    that Kaltura refuses leaves its recording as it was, and with it those that depend on each other's leaving a room
    or a time; the others are done. `outcome` says it of each, and only when all are applied is it a 200. Who does not
    wait is answered without a question to Kaltura: what somebody booked there is then such a refusal, too.
    """
    return await accepting.batch(client, request.app.state.kaltura, batch, wait_of(prefer))


@router.get(
    "",
    summary="List recordings",
    response_description="A page of recordings.",
    responses={200: {"headers": LINK}, **responses(*REFUSALS, InvalidDocument, DatabaseUnavailable)},
)
def list_recordings(
    request: Request,
    response: Response,
    client: Reader,
    database: Reading,
    accepting: Accepting,
    filters: Annotated[listing.Filters, Depends(listing.filters)],
    sort: Annotated[
        listing.Sort | None,
        Query(
            description="By `start`, or by when it was `updated`, the earliest first. Else by id, the latest first.",
            examples=["start"],
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.", examples=[50])] = 50,
    cursor: Annotated[
        str | None, Query(max_length=200, description="`next_cursor` of the page before.", examples=[CURSOR])
    ] = None,
) -> RecordingPage:
    """Your recordings, the latest first, failed and cancelled ones too. With `admin`, everybody's.

    Send a `cursor` with the same filters and the same `sort`. For a sync: `sort=updated` with `updated_since`.
    """
    if filters.resource is not None:
        request.app.state.refreshers.ask()  # what it means is to be true
    with database.read() as session:
        items, more = listing.page(session, client, filters, sort, limit, cursor, accepting.server_zone)
    if more:
        following = request.url.include_query_params(cursor=more)
        response.headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    return RecordingPage(items=items, next_cursor=more)


@router.get(
    "/{id}",
    summary="Show a recording",
    response_description="The recording.",
    responses={200: {"headers": ETAG}, **responses(*READING)},
)
def get_recording(
    id: RecordingId, response: Response, client: Reader, database: Reading, accepting: Accepting
) -> RecordingView:
    """The document that was sent, what became of it, and what stands in Kaltura for it."""
    with database.read() as session:
        recording = whose.find(session, client, id)
        response.headers["ETag"] = requests.etag(recording)
        return queries.view(session, recording, accepting.server_zone)


@router.get(
    "/{id}/occurrences",
    summary="List a recording's occurrences",
    response_description="Its occurrences.",
    responses=responses(*READING),
)
def list_occurrences(id: RecordingId, client: Reader, database: Reading) -> OccurrencePage:
    """Every session in order of time, excluded and cancelled ones too. All on one page."""
    with database.read() as session:
        return OccurrencePage(items=queries.occurrences(session, whose.find(session, client, id)))


@router.get(
    "/{id}/history",
    summary="Show a recording's history",
    response_description="Its chains.",
    responses=responses(*READING),
)
def get_history(id: RecordingId, client: Reader, database: Reading) -> HistoryPage:
    """Every chain that the recording ever had, with each of its steps, the latest first. All on one page."""
    with database.read() as session:
        return HistoryPage(items=queries.history(session, whose.find(session, client, id)))


@router.post(
    "/{id}/resume",
    response_model=RecordingView,
    summary="Resume a recording",
    response_description="Scheduled.",
    responses={
        200: {"headers": LOCATION},
        202: {"model": RecordingView, "description": "Taken up; it goes on.", "headers": LOCATION | RETRY},
        **responses(*READING, NothingToResume, NotOurs, ScheduleConflict, RefusedByKaltura, ScheduleDiffers),
    },
)
async def resume_recording(
    id: RecordingId,
    client: Writer,
    accepting: Accepting,
    prefer: Prefer = None,
) -> Response:
    """Takes a chain that is stuck, or waits for its next attempt, up again at once, from its open step.

    Of a scheduled recording, mends its `drift`: what is missing in Kaltura is made again, a template entry too, what is
    unlisted is linked again, what is extra is cancelled, and what lies ahead moves to the resource that has the
    document's name now, if the one it was on is gone. Of a cancelled or failed recording, cancels
    what Kaltura still has of it.
    """
    return await accepting.resume(client, id, wait_of(prefer))


@router.patch(
    "/{id}",
    response_model=RecordingView,
    summary="Change a recording",
    response_description="Changed.",
    responses={
        **GOES_ON,
        **responses(*MAKING, *CHANGING),
    },
)
async def change_recording(
    id: RecordingId,
    patch: MergePatch,
    client: Writer,
    accepting: Accepting,
    prefer: Prefer = None,
    if_match: IfMatch = None,
) -> Response:
    """A merge patch (RFC 7396) of the document: words, people, room, time, recurrence, exclusions.

    Sessions that have begun keep their time and room; a new title shows on them too, since Kaltura inherits it.
    Single sessions that were cancelled, moved or restored stay so. What Kaltura refuses leaves the recording as it was.
    """
    return await accepting.change(client, id, patch, if_match, wait_of(prefer))


@router.delete(
    "/{id}",
    response_model=RecordingView,
    summary="Cancel a recording",
    response_description="Cancelled.",
    responses={
        **GOES_ON,
        **responses(*READING, PreconditionFailed),
    },
)
async def cancel_recording(
    id: RecordingId, client: Writer, accepting: Accepting, prefer: Prefer = None, if_match: IfMatch = None
) -> Response:
    """Cancels what lies ahead; what was recorded stays. Harmless to repeat. Frees its `reference_id`."""
    return await accepting.cancel(client, id, if_match, wait_of(prefer))
