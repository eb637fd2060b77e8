"""The pages that read: parse, call one function, show."""

import json
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from app.console import words
from app.console.frame import HEADERS, PageRoute, go, page, page_or_not_modified
from app.console.people import Anyone, Reader, Viewer
from app.console.views import one, search
from app.console.views.axis import style_sheet
from app.console.views.room import week_of
from app.console.views.today import Asked, today
from app.http.fields import Line
from app.http.threads import Reading
from app.recordings.document.document import EXAMPLE

pages = APIRouter(prefix="/console", route_class=PageRoute, include_in_schema=False)
Day = Annotated[date | None, Query(ge=date(2000, 1, 1), le=date(2099, 12, 31))]


@pages.get("")
def show_today(
    request: Request,
    person: Anyone,
    _database: Reading,
    day: Day = None,
    room: Annotated[str, Query(max_length=256)] = "",
    only: Literal["", "trouble"] = "",
    wall: str | None = None,
) -> Response:
    """The day, room by room; what has to be seen to on top."""
    request.app.state.refreshers.ask()  # rooms and encoders are to be true
    asked = Asked(day, room, only, wall is not None)
    seen = today(request, person, asked)
    return page_or_not_modified(
        request,
        "today.html",
        seen=seen,
        asked=asked,
        before=seen.day - timedelta(days=1),
        after=seen.day + timedelta(days=1),
        labels={name: state.word for name, state in words.STATES.items()},
        example=json.dumps(EXAMPLE, indent=2),
        key=f"quick-start-{person.form_token[:32]}",
    )


@pages.get("/axis.css")
async def show_axis() -> Response:
    return Response(style_sheet(), headers=HEADERS | {"Cache-Control": "public, max-age=3600"}, media_type="text/css")


@pages.get("/recordings")
def show_recordings(
    request: Request, person: Reader, database: Reading, asked: Annotated[search.Asked, Query()]
) -> Response:
    found = search.found(database, person.client, asked, request.app.state.acceptance.server_zone)
    return page(request, "recordings.html", asked=asked, found=found, statuses=search.STATUSES)


@pages.get("/s/{short}")
def lead_to_recording(person: Reader, database: Reading, short: Annotated[str, Field(max_length=26)]) -> Response:
    """The short address that a bar has."""
    return go(f"/console/recordings/{one.find_short(database, person.client, short)}")


@pages.get("/recordings/{id}")
def show_recording(
    request: Request,
    person: Reader,
    database: Reading,
    id: str,
    said: str = "",
    number: Annotated[int | None, Query(alias="page", ge=1, le=1000)] = None,
) -> Response:
    seen = one.shown(database, person.client, id, request.app.state.acceptance.server_zone)
    return page_or_not_modified(
        request,
        "recording.html",
        seen=seen,
        number=min(number or seen.first_page, seen.pages),
        said=one.SAID.get(said),
        document=json.dumps(seen.document, indent=2, ensure_ascii=False),
    )


@pages.get("/rooms/{id:path}")
def show_room(request: Request, person: Viewer, database: Reading, id: Line, day: Day = None) -> Response:
    request.app.state.refreshers.ask()  # also for a name that is not known yet
    seen = week_of(request, database, person, id, day)
    return page(request, "room.html", seen=seen, labels={name: state.word for name, state in words.STATES.items()})
