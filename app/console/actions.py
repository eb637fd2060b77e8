"""What pages do to a recording: each is a page that says what will happen, and a form that does it once."""

from functools import partial

from fastapi import APIRouter, Request, Response

from app.console import moving
from app.console.frame import PageRoute, go, page
from app.console.people import Form, Person, Posted, Writer
from app.console.views import one
from app.console.words import Asked
from app.http.threads import Reading
from app.recordings.changing import one_occurrence

WAIT = 5.0  # seconds that a page takes; what takes longer goes on without it

actions = APIRouter(prefix="/console/recordings", route_class=PageRoute, include_in_schema=False)


@actions.get("/{id}/cancel")
def ask_cancel(request: Request, person: Writer, database: Reading, id: str) -> Response:
    seen = one.shown(database, person.client, id, request.app.state.acceptance.server_zone)
    return _ask(request, seen, one.what_cancel_does(seen))


@actions.post("/{id}/cancel")
async def cancel(request: Request, person: Writer, form: Posted, id: str) -> Response:
    await _ensure_as_seen(request, person, form, id)
    answer = await request.app.state.acceptance.cancel(person.client, id, form.one("version"), WAIT)
    return _done(id, answer, "cancelled", "cancelling")


@actions.get("/{id}/resume")
def ask_resume(request: Request, person: Writer, database: Reading, id: str) -> Response:
    seen = one.shown(database, person.client, id, request.app.state.acceptance.server_zone)
    return _ask(request, seen, one.what_resume_does(seen))


@actions.post("/{id}/resume")
async def resume(request: Request, person: Writer, form: Posted, id: str) -> Response:
    await _ensure_as_seen(request, person, form, id)
    answer = await request.app.state.acceptance.resume(person.client, id, WAIT)
    return _done(id, answer, "resumed", "resuming")


@actions.get("/{id}/sessions/{occurrence_id}/cancel")
def ask_cancel_session(request: Request, person: Writer, database: Reading, id: str, occurrence_id: str) -> Response:
    seen = one.shown(database, person.client, id, request.app.state.acceptance.server_zone)
    return _ask(request, seen, one.what_cancelling_one_does(seen, one.occurrence_of(seen, occurrence_id)))


@actions.post("/{id}/sessions/{occurrence_id}/cancel")
async def cancel_session(request: Request, person: Writer, form: Posted, id: str, occurrence_id: str) -> Response:
    await _ensure_as_seen(request, person, form, id)
    accepting = request.app.state.acceptance
    answer = await accepting.change_occurrence(person.client, id, occurrence_id, one_occurrence.cancel_one, WAIT)
    return _done(id, answer, "session-cancelled", "going")


@actions.get("/{id}/sessions/{occurrence_id}/restore")
def ask_restore_session(request: Request, person: Writer, database: Reading, id: str, occurrence_id: str) -> Response:
    seen = one.shown(database, person.client, id, request.app.state.acceptance.server_zone)
    return _ask(request, seen, one.what_restoring_does(seen, one.occurrence_of(seen, occurrence_id)))


@actions.post("/{id}/sessions/{occurrence_id}/restore")
async def restore_session(request: Request, person: Writer, form: Posted, id: str, occurrence_id: str) -> Response:
    await _ensure_as_seen(request, person, form, id)
    accepting = request.app.state.acceptance
    answer = await accepting.change_occurrence(person.client, id, occurrence_id, one_occurrence.restore, WAIT)
    return _done(id, answer, "session-restored", "going")


@actions.get("/{id}/sessions/{occurrence_id}/move")
def ask_where_to(request: Request, person: Writer, database: Reading, id: str, occurrence_id: str) -> Response:
    seen = one.shown(database, person.client, id, request.app.state.acceptance.server_zone)
    return page(request, "move.html", seen=seen, it=one.occurrence_of(seen, occurrence_id))


@actions.post("/{id}/sessions/{occurrence_id}/move")
async def move_session(request: Request, person: Writer, form: Posted, id: str, occurrence_id: str) -> Response:
    """First says what would happen, then, with `sure`, does it."""
    await _ensure_as_seen(request, person, form, id)
    wanted = moving.read(form)
    if not form.one("sure"):
        seen = await _look(request, person, id)
        return _ask(request, seen, moving.what_it_does(seen, one.occurrence_of(seen, occurrence_id), wanted), form)
    move = partial(one_occurrence.change_one, wanted=wanted)
    answer = await request.app.state.acceptance.change_occurrence(person.client, id, occurrence_id, move, WAIT)
    return _done(id, answer, "session-moved", "going")


async def _look(request: Request, person: Person, recording_id: str) -> one.Shown:
    state = request.app.state
    given = state.database, person.client, recording_id, state.acceptance.server_zone
    seen: one.Shown = await state.threads.reading.run(one.shown, *given)
    return seen


async def _ensure_as_seen(request: Request, person: Person, form: Form, recording_id: str) -> None:
    """Raises PreconditionFailed."""
    request.state.back = _address(recording_id)
    form.ensure_made_for((await _look(request, person, recording_id)).version)


def _ask(request: Request, seen: one.Shown, asked: Asked, form: Form | None = None) -> Response:
    kept = {name: form.one(name) for name in moving.FIELDS} if form else {}
    of, back = seen.recording.title, _address(seen.recording.id)
    return page(request, "confirm.html", asked=asked, of=of, back=back, version=seen.version, kept=kept)


def _address(recording_id: str) -> str:
    return f"/console/recordings/{recording_id}"


def _done(recording_id: str, answer: Response, said: str, goes_on: str) -> Response:
    """Back to the recording, which says first what was done."""
    return go(f"{_address(recording_id)}?said={goes_on if answer.status_code == 202 else said}")
