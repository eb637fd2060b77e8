"""`/calendars`: parse, call one function, answer."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import AfterValidator

from app.access.door import REFUSALS, CalendarWriter, Reader
from app.calendars import keeping
from app.calendars.accepting import Calendars
from app.calendars.reading import Body
from app.calendars.schemas import CalendarAnswer, CalendarDocument, CalendarPage, CalendarPreview, CalendarView
from app.http.errors import (
    CalendarInUse,
    DatabaseUnavailable,
    InvalidDocument,
    NotFound,
    PayloadTooLarge,
    UnsupportedMediaType,
    responses,
)
from app.http.threads import Reading, Writing
from app.recordings.document.fields import read_calendar
from app.recordings.parameters import RETRY, Prefer, wait_of

router = APIRouter(prefix="/calendars", tags=["calendars"])

Name = Annotated[
    str,
    AfterValidator(read_calendar),
    Path(
        description="What documents say in `calendars`: a to z, 0 to 9, dot, underscore, hyphen; at most 64.",
        examples=["campus-2027"],
    ),
]
Categories = Annotated[
    str | None,
    Query(
        description="Of text/calendar: which CATEGORIES count, with commas between them. All, if none is named.",
        examples=["Holiday,Break"],
        max_length=1000,
    ),
]
_SCHEMA = CalendarDocument.model_json_schema(ref_template="#/components/schemas/{model}")
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _SCHEMA, "example": _SCHEMA["examples"][0]},
            "text/calendar": {
                "schema": {"type": "string", "description": "An iCalendar file (RFC 5545): its all-day events."}
            },
        },
    }
}
_READING = (*REFUSALS, InvalidDocument, DatabaseUnavailable)
_WRITING = (*_READING, PayloadTooLarge, UnsupportedMediaType)


async def _calendars(request: Request) -> Calendars:
    found: Calendars = request.app.state.calendars
    return found


async def _body(request: Request, categories: Categories = None) -> Body:
    said = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Body(await request.body(), said, categories)


Keeping = Annotated[Calendars, Depends(_calendars)]
Sent = Annotated[Body, Depends(_body)]


@router.put(
    "/{name}",
    response_model=CalendarAnswer,
    summary="Say a calendar's days",
    response_description="Said; every recording that names it follows it.",
    openapi_extra=_BODY,
    responses={
        202: {"model": CalendarAnswer, "description": "Said; recordings are still being changed.", "headers": RETRY},
        **responses(*_WRITING),
    },
)
async def put_calendar(
    name: Name, client: CalendarWriter, body: Sent, calendars: Keeping, prefer: Prefer = None
) -> Response:
    """The whole calendar, as JSON or as text/calendar: what it does not say any more holds no more.

    Every recording that names it, and of which a coming session is touched, is changed, by a chain of its own: a snow
    day is one call. Sessions that are over stay as they are, and so do those that were cancelled, moved or restored by
    hand. The same once more changes nothing, and tries again what failed.
    """
    return await calendars.put(client, name, body, wait_of(prefer))


@router.post(
    "/{name}/preview",
    summary="Preview a calendar",
    response_description="What it would come to.",
    openapi_extra=_BODY,
    responses=responses(*_WRITING),
)
async def preview_calendar(name: Name, client: CalendarWriter, body: Sent, calendars: Keeping) -> CalendarPreview:
    """What the same body would drop and restore, recording by recording. Changes nothing."""
    return await calendars.preview(client, name, body)


@router.get(
    "",
    summary="List calendars",
    response_description="All calendars.",
    responses=responses(*_READING),
)
def list_calendars(_client: Reader, database: Reading) -> CalendarPage:
    """Every calendar by name, and how far each has come to the recordings that name it. They belong to the campus."""
    with database.read() as session:
        return keeping.page(session)


@router.get(
    "/{name}",
    summary="Show a calendar",
    response_description="The calendar.",
    responses=responses(*_READING, NotFound),
)
def show_calendar(name: Name, _client: Reader, database: Reading) -> CalendarView:
    """Its days, and how far it has come: `done` and `failed` of the `recordings` that name it."""
    with database.read() as session:
        return keeping.view(session, name)


@router.delete(
    "/{name}",
    status_code=204,
    response_class=Response,
    summary="Take a calendar away",
    response_description="It is no more.",
    responses=responses(*_READING, NotFound, CalendarInUse),
)
def delete_calendar(name: Name, _client: CalendarWriter, calendars: Keeping, _database: Writing) -> None:
    """Only one that no recording names, but for those that failed or were cancelled, and no term that is not over."""
    calendars.remove(name)
