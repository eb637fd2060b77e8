"""`/resources`: what Kaltura can record with, and what each has to record next."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator

from app.access.door import REFUSALS, Encoder
from app.access.keys import Client
from app.http.errors import (
    AmbiguousResource,
    DatabaseUnavailable,
    InvalidDocument,
    KalturaUnavailable,
    NotFound,
    PayloadTooLarge,
    RefusedByKaltura,
    ScheduleUnknown,
    UnsupportedMediaType,
    responses,
)
from app.http.fields import Line
from app.http.times import Moment
from app.resources import lookup
from app.resources.encoders import showing, states
from app.resources.feed import ics, page
from app.resources.feed.etags import HEADER, NOT_MODIFIED, IfNoneMatch
from app.resources.feed.memory import Form
from app.resources.feed.polling import Feed
from app.resources.models import Resource
from app.resources.schemas import EncoderSaid, EncoderView, ResourcePage, ResourceView, UpcomingView

router = APIRouter(prefix="/resources", tags=["resources"])

ResourceId = Annotated[
    Line,
    BeforeValidator(unquote),  # app/resources/paths.py leaves it as it came
    Path(
        description="Kaltura id or system name, percent-encoded.",
        examples=["EXTRON-100-ABC"],
        openapi_examples={
            "by name": {"value": "EXTRON-100-ABC"},
            "by id": {"value": "562931"},
        },  # Swagger UI fills in the first
    ),
]
_LINK = {"Link": {"description": '`rel="next"`: where the next page is.', "schema": {"type": "string"}}}
LOOKING_UP = (
    *(*REFUSALS, NotFound, AmbiguousResource, InvalidDocument, RefusedByKaltura),
    *(KalturaUnavailable, DatabaseUnavailable),
)


@router.get(
    "",
    summary="List resources",
    response_description="The resources.",
    responses=responses(*REFUSALS, RefusedByKaltura, KalturaUnavailable, DatabaseUnavailable),
)
async def list_resources(request: Request, client: Encoder) -> ResourcePage:
    """Every schedule resource that Kaltura knows and that your key may see, by id. All on one page."""
    state = request.app.state
    found = await state.threads.ask(client.key, lookup.all_resources, state.database, state.kaltura, client)
    return ResourcePage(items=await _views(request, client, found))


@router.get("/{id}", summary="Show a resource", response_description="The resource.", responses=responses(*LOOKING_UP))
async def get_resource(request: Request, client: Encoder, id: ResourceId) -> ResourceView:
    """One resource, by its Kaltura id or its system name: how its encoder is, and what it has to record."""
    request.app.state.refreshers.ask()  # what it means is to be true
    found: Resource = await request.app.state.finder.one(id, client)
    (shown,) = await _views(request, client, [found])
    return shown


async def _views(request: Request, client: Client, rows: Sequence[Resource]) -> list[ResourceView]:
    state = request.app.state
    views: list[ResourceView] = await state.threads.reading.run(
        showing.views, state.database, state.signs, state.findings.counted, client, rows
    )
    return views


@router.put(
    "/{id}/state",
    summary="Say how an encoder is",
    response_description="Noted.",
    responses=responses(*LOOKING_UP, PayloadTooLarge, UnsupportedMediaType),
)
async def put_encoder_state(request: Request, client: Encoder, id: ResourceId, said: EncoderSaid) -> EncoderView:
    """For encoders: what yours does, with the key that it polls with. `error` becomes a finding until it says another
    state. It takes the place of what was said before.
    """
    state = request.app.state
    found: Resource = await state.finder.one(id, client)
    view: EncoderView = await state.threads.writing.run(states.say, state.database, state.signs, found.id, said)
    return view


After = Annotated[
    Moment | None, Query(alias="from", description="Now, if not said.", examples=["2027-01-13T00:00:00Z"])
]
Before = Annotated[
    Moment | None,
    Query(alias="to", description="14 days after `from`, if not said.", examples=["2027-06-01T00:00:00Z"]),
]
Cutoff = Annotated[
    int | None,
    Query(
        ge=0,
        lt=4_102_444_800_000,
        description="Another spelling of `to`, as capture agents send it: milliseconds since 1970.",
        examples=[1_812_240_000_000],
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many occurrences at most.", examples=[100])]
Tagged = Annotated[
    list[Line] | None,
    Query(
        alias="tag",
        max_length=100,
        description="Only those with this tag, in whatever case. May be repeated: those with any of them.",
        examples=[["mathematics"]],
    ),
]


def _window(
    after: datetime | None, before: datetime | None, cutoff: int | None, limit: int, tags: list[str] | None
) -> page.Window:
    """Raises RequestValidationError if the end is said twice."""
    if before is not None and cutoff is not None:
        rule = "must be left out where to is given"
        raise RequestValidationError([{"type": "rule", "loc": ("query", "cutoff"), "ctx": {"rule": rule}}])
    end = before if cutoff is None else datetime.fromtimestamp(cutoff / 1000, UTC)
    named = "to" if cutoff is None else "cutoff"
    return page.Window(after, end, limit, tags=tuple(tags or ()), end_named=named)


async def _page(
    after: After = None,
    before: Before = None,
    cutoff: Cutoff = None,
    limit: Limit = 100,
    tags: Tagged = None,
    cursor: Annotated[
        str | None, Query(max_length=200, description="From `Link`, for the next page.", examples=["MTc5OTg0ODgwMCBv"])
    ] = None,
) -> page.Window:
    asked = _window(after, before, cutoff, limit, tags)
    return replace(asked, cursor=page.read_cursor(cursor)) if cursor else asked


async def _span(
    after: After = None, before: Before = None, cutoff: Cutoff = None, limit: Limit = 1000, tags: Tagged = None
) -> page.Window:
    return _window(after, before, cutoff, limit, tags)


async def _answer(request: Request, client: Encoder, reference: str, window: page.Window, form: Form) -> Response:
    given = request.headers.getlist("If-None-Match")
    state = request.app.state
    found: Feed = state.feed
    return await found.answer(
        (request.scope["raw_path"], request.scope["query_string"]),
        reference,
        window,
        form,
        ", ".join(given) if given else None,
        lambda named: state.finder.all(named, client),
        lambda number, name: client.may_see(number, name, found.versions.is_id),
        lambda number: state.signs.poll(client, number),
    )


@router.get(
    "/{id}/upcoming",
    response_model=UpcomingView,
    summary="What a resource has to record next",
    response_description="Its schedule.",
    responses={
        200: {"headers": HEADER | _LINK},
        304: NOT_MODIFIED,
        **responses(*LOOKING_UP, ScheduleUnknown),
    },
)
async def get_upcoming(
    request: Request,
    client: Encoder,
    id: ResourceId,
    window: Annotated[page.Window, Depends(_page)],
    _if_none_match: IfNoneMatch = None,
) -> Response:
    """The expanded schedule for an encoder, by start: running occurrences too, ended and cancelled ones not.

    Everything that Kaltura has on the resource, whoever booked it. Answered from Lectern's own copy, whether Kaltura
    is up or not; `as_of` says how old that is. Poll it with `If-None-Match`.
    """
    return await _answer(request, client, id, window, "json")


@router.get(
    "/{id}/upcoming.ics",
    response_class=Response,
    summary="What a resource has to record next, as a calendar",
    response_description="Its schedule: one VEVENT for each occurrence, all times in UTC.",
    responses=ics.ANSWERS | responses(*LOOKING_UP, ScheduleUnknown),
)
async def get_upcoming_calendar(
    request: Request,
    client: Encoder,
    id: ResourceId,
    window: Annotated[page.Window, Depends(_span)],
    _if_none_match: IfNoneMatch = None,
) -> Response:
    """The same for capture agents that read iCalendar (RFC 5545). There are no recurrence rules and no zones in it.

    If there are more sessions than `limit`, the calendar has `X-LECTERN-TRUNCATED:TRUE`.
    """
    return await _answer(request, client, id, window, "ics")
