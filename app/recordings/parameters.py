"""What requests about recordings bring besides a body, and what their answers have: said once for all routers."""

from typing import Annotated, Any

from fastapi import Body, Depends, Header, Path, Request

from app.access.door import REFUSALS
from app.http.errors import (
    AmbiguousResource,
    CategoryNotFound,
    ChainRunning,
    DatabaseUnavailable,
    IdempotencyKeyReused,
    InvalidDocument,
    NotChangeable,
    NotFound,
    NothingAhead,
    NotOurs,
    OccurrenceOver,
    PayloadTooLarge,
    PreconditionFailed,
    ReferenceInUse,
    RefusedByKaltura,
    ResourceNotFound,
    ScheduleConflict,
    ScheduleDiffers,
    UnsupportedMediaType,
)
from app.http.fields import Line
from app.http.parameters import wait_of as preferred_wait
from app.recordings.accepting import Acceptance
from app.recordings.document.document import EXAMPLES, RecordingDocument
from app.recordings.reading.views import OccurrenceView, RecordingView

DEFAULT_WAIT = 10.0  # seconds
READING = (*REFUSALS, NotFound, InvalidDocument, DatabaseUnavailable)
MAKING = (
    *(*REFUSALS, ReferenceInUse, ChainRunning, NotChangeable, ScheduleConflict, AmbiguousResource),
    *(PayloadTooLarge, UnsupportedMediaType),
    *(InvalidDocument, IdempotencyKeyReused, NothingAhead, RefusedByKaltura, CategoryNotFound, ResourceNotFound),
    *(ScheduleDiffers, DatabaseUnavailable),
)

CHANGING = (NotFound, ChainRunning, NotChangeable, NotOurs, PreconditionFailed)
RecordingId = Annotated[
    str,
    Path(
        description="The recording's id: `id` in the answer of `POST /recordings`.",
        examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"],
    ),
]
Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="RFC 7240. `wait=N`: how many seconds to wait for the end, at most 30 (10 if not said). "
        "`respond-async`: answer at once.",
        examples=["wait=20"],
    ),
]
IdempotencyKey = Annotated[
    Line | None,
    Header(
        alias="Idempotency-Key",
        description="Makes it safe to send the same request again: the same key with the same document answers "
        "what the first request ended with.",
        examples=["5f0c3a52-4a08-4c52-9b60-2d7d5a3f2f1e"],
    ),
]
OccurrenceId = Annotated[
    str, Path(description="The session's id: `id` in `GET …/occurrences`.", examples=["occ_01kantf3wqz6t4s8w2v1x0y9ab"])
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The `ETag` that the recording had when you read it; 412 if it has another now.",
        examples=['"5f2c9a1b7e3d4c60"'],
    ),
]
Document = Annotated[RecordingDocument, Body(openapi_examples=EXAMPLES)]
MergePatch = Annotated[
    dict[str, Any],
    Body(
        media_type="application/merge-patch+json",
        description="Fields of the document; null takes one out.",
        examples=[{"title": "MATH-123 Linear Algebra I", "location": "Room 704", "resource": "EXTRON-200-DEF"}],
    ),
]
LOCATION = {"Location": {"description": "The recording's address.", "schema": {"type": "string"}}}
ETAG = {"ETag": {"description": "For `If-Match` of a later change.", "schema": {"type": "string"}}}
LINK = {"Link": {"description": "The next page (`rel=next`), if there is one.", "schema": {"type": "string"}}}
RETRY = {"Retry-After": {"description": "Seconds until it is worth looking.", "schema": {"type": "integer"}}}
CHANGING_ONE = (*READING, *CHANGING, OccurrenceOver, ScheduleConflict, RefusedByKaltura, ScheduleDiffers)
GOES_ON: dict[int | str, dict[str, Any]] = {
    202: {"model": RecordingView, "description": "Accepted; it goes on.", "headers": LOCATION | RETRY}
}
ONE_GOES_ON: dict[int | str, dict[str, Any]] = {
    202: {"model": OccurrenceView, "description": "Accepted; it goes on.", "headers": LOCATION | RETRY}
}


async def _acceptance(request: Request) -> Acceptance:
    found: Acceptance = request.app.state.acceptance
    return found


Accepting = Annotated[Acceptance, Depends(_acceptance)]


def wait_of(prefer: str | None) -> float:
    """How long an answer may wait for the end of a chain, in seconds, by `Prefer`."""
    return preferred_wait(prefer, DEFAULT_WAIT)
