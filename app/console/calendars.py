"""The pages of campus days: each calendar on its year, and forms that first say what a day more or less would do."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError

from app.calendars.accepting import Calendars
from app.calendars.router import Name
from app.calendars.schemas import CalendarPreview, CalendarSummary
from app.console.frame import PageRoute, go, page, page_or_not_modified
from app.console.people import CalendarWriter, Form, Person, Posted, Reader, read_as
from app.console.views import calendars as view
from app.console.words import Asked
from app.database.database import Database
from app.http.errors import PreconditionFailed, Problem
from app.http.problems import from_validation
from app.http.threads import Reading, Writing

WAIT = 5.0  # seconds that a page takes; what takes longer goes on without it

Number = Annotated[int, Path(ge=0)]  # of a day, in the calendar's order

calendars = APIRouter(prefix="/console/calendars", route_class=PageRoute, include_in_schema=False)


@calendars.get("")
def show_calendars(request: Request, _person: Reader, database: Reading, said: str = "") -> Response:
    return _list(request, view.listed(database), said=said)


@calendars.post("")
async def make_calendar(request: Request, person: CalendarWriter, form: Posted) -> Response:
    """One without days, which changes no recording."""
    return await _made(request, person, form)


@calendars.get("/{name}")
def show_calendar(
    request: Request,
    person: Reader,
    database: Reading,
    name: Name,
    said: str = "",
    year: Annotated[int | None, Query(ge=2000, le=2099)] = None,
    number: Annotated[int, Query(alias="page", ge=1, le=1000)] = 1,
) -> Response:
    seen = _shown(request, person, database, name, number)
    return _show(request, seen, said=said, year=year)


@calendars.get("/{name}/add")
async def ask_add(request: Request, person: CalendarWriter, name: Name, day: Annotated[view.Day, Query()]) -> Response:
    return await _asked_to_add(request, person, name, day)


@calendars.post("/{name}/add")
async def add(request: Request, person: CalendarWriter, form: Posted, name: Name) -> Response:
    seen = await _as_seen(request, person, form, name)
    body, _ = view.body_with(seen, view.Day.model_validate({field: form.one(field) for field in view.Day.model_fields}))
    answer = await _keeping(request).put(person.client, name, body, WAIT, seen.view.version)
    return _done(seen, answer, "added")


@calendars.get("/{name}/days/{number}/remove")
async def ask_remove(request: Request, person: CalendarWriter, name: Name, number: Number) -> Response:
    seen = await _look(request, person, name)
    body, day = view.body_without(seen, number)
    preview = await _keeping(request).preview(person.client, name, body)
    return await _ask_with(request, seen, view.what_removing_does(day, preview), preview)


@calendars.post("/{name}/days/{number}/remove")
async def remove(request: Request, person: CalendarWriter, form: Posted, name: Name, number: Number) -> Response:
    seen = await _as_seen(request, person, form, name)
    body, _ = view.body_without(seen, number)
    answer = await _keeping(request).put(person.client, name, body, WAIT, seen.view.version)
    return _done(seen, answer, "removed")


@calendars.get("/{name}/again")
def ask_again(request: Request, person: CalendarWriter, database: Reading, name: Name) -> Response:
    seen = _shown(request, person, database, name)
    return _ask(request, seen, view.what_again_does(seen))


@calendars.post("/{name}/again")
async def try_again(request: Request, person: CalendarWriter, form: Posted, name: Name) -> Response:
    seen = await _as_seen(request, person, form, name)
    answer = await _keeping(request).put(person.client, name, view.body_again(seen), WAIT, seen.view.version)
    return _done(seen, answer, "again")


@calendars.get("/{name}/delete")
def ask_delete(request: Request, person: CalendarWriter, database: Reading, name: Name) -> Response:
    seen = _shown(request, person, database, name)
    return _ask(request, seen, view.what_deleting_does(seen))


@calendars.post("/{name}/delete")
def delete(request: Request, person: CalendarWriter, form: Posted, database: Writing, name: Name) -> Response:
    seen = _shown(request, person, database, name)
    form.ensure_made_for(seen.version)
    _keeping(request).remove(name)
    return go("/console/calendars?said=deleted")


def _keeping(request: Request) -> Calendars:
    found: Calendars = request.app.state.calendars
    return found


def _shown(request: Request, person: Person, database: Database, name: str, number: int = 1) -> view.Shown:
    """The calendar, to whose page a problem leads back. Raises NotFound."""
    seen = view.shown(database, person.client, name, request.app.state.settings.time_zone, number)
    request.state.back = seen.address
    return seen


async def _look(request: Request, person: Person, name: str) -> view.Shown:
    """The same, for who waits for something else as well."""
    state = request.app.state
    seen: view.Shown = await state.threads.reading.run(_shown, request, person, state.database, name)
    return seen


async def _as_seen(request: Request, person: Person, form: Form, name: str) -> view.Shown:
    """Raises PreconditionFailed."""
    seen = await _look(request, person, name)
    form.ensure_made_for(seen.version)
    return seen


async def _made(request: Request, person: Person, form: Form) -> Response:
    """On to the new calendar, or to the one that has its name; what is wrong stands in the page."""
    request.state.back = "/console/calendars"
    try:
        wanted = read_as(view.New, {"name": form.one("name").lower(), "title": form.one("title")})
        await _keeping(request).put(person.client, wanted.name, wanted.body, 0, 0)
    except PreconditionFailed:
        return go(f"/console/calendars/{wanted.name}?said=there")
    except RequestValidationError as error:
        found = await request.app.state.threads.reading.run(view.listed, request.app.state.database)
        return _list(request, found, form=form, problem=from_validation(error))
    return go(f"/console/calendars/{wanted.name}?said=made")


async def _asked_to_add(request: Request, person: Person, name: str, day: view.Day) -> Response:
    """The question, or the calendar's page again with what is wrong with the day."""
    seen = await _look(request, person, name)
    day = day.by(seen.today)
    try:
        body, read = view.body_with(seen, day)
        preview = await _keeping(request).preview(person.client, name, body)
    except RequestValidationError as error:
        return _show(request, seen, day=day, problem=from_validation(error))
    if preview.days == seen.view.days:
        return go(f"{seen.address}?said=already")
    return await _ask_with(request, seen, view.what_adding_does(read, preview), preview, kept=day.model_dump())


async def _ask_with(
    request: Request, seen: view.Shown, asked: Asked, preview: CalendarPreview, **more: Any
) -> Response:
    state = request.app.state
    zones = await state.threads.reading.run(view.zones_of, state.database, preview)
    return _ask(request, seen, asked, preview=preview, zones=zones, **more)


def _ask(request: Request, seen: view.Shown, asked: Asked, **more: Any) -> Response:
    said = {"of": seen.called, "back": seen.address, "version": seen.version, "kept": {}, "preview": None, **more}
    return page(request, "calendar_change.html", asked=asked, zone=seen.zone, most=view.MOST_TOUCHED, **said)


def _list(request: Request, found: Sequence[CalendarSummary], **more: Any) -> Response:
    problem: Problem | None = more.get("problem")
    return page(
        request,
        "calendars.html",
        problem.status if problem else 200,
        found=found,
        state=view.progress_state,
        form=more.get("form", Form()),
        problem=problem and problem.document(),
        said=view.SAID.get(more.get("said", "")),
        base=str(request.base_url),
    )


def _show(request: Request, seen: view.Shown, **more: Any) -> Response:
    problem: Problem | None = more.get("problem")
    return page_or_not_modified(
        request,
        "calendar.html",
        problem.status if problem else 200,
        seen=seen,
        year=seen.year(more.get("year")),
        state=view.progress_state(seen.view),
        day=more.get("day", view.Day()),
        problem=problem and problem.document(),
        said=view.SAID.get(more.get("said", "")),
        base=str(request.base_url),
        most_sent=view.MOST_SENT,
    )


def _done(seen: view.Shown, answer: Response, said: str) -> Response:
    return go(f"{seen.address}?said={'going' if answer.status_code == 202 else said}")
