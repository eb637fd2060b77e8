"""The pages of terms: a plan to review, to apply, to stop and resume, and who has opted out."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.console.frame import PageRoute, go, page, page_or_not_modified
from app.console.people import Form, Person, Posted, Reader, Writer, read_as
from app.console.views import plan as plans
from app.console.views import terms as view
from app.console.words import Asked
from app.database.database import Database
from app.http.threads import Reading, Writing
from app.terms import showing
from app.terms.answering import term_view
from app.terms.router import ApplyId, PlanId, TermName
from app.terms.schemas import ApplyIn, ApplyView, TermView

terms = APIRouter(prefix="/console/terms", route_class=PageRoute, include_in_schema=False)
Asks = Annotated[view.Query, Query()]


@terms.get("")
def show_terms(request: Request, person: Reader, database: Reading) -> Response:
    found, zone = view.listed(database, person.client.name), request.app.state.settings.time_zone
    return page(request, "terms.html", found=found, default_zone=zone, base=str(request.base_url))


@terms.get("/{term}")
def show_term(request: Request, person: Reader, database: Reading, term: TermName, asked: Asks) -> Response:
    """With its latest plan."""
    return _show(request, person, database, term, None, asked)


@terms.get("/{term}/plans/{plan_id}")
def show_plan(
    request: Request, person: Reader, database: Reading, term: TermName, plan_id: PlanId, asked: Asks
) -> Response:
    return _show(request, person, database, term, plan_id, asked)


@terms.get("/{term}/plans/{plan_id}/apply")
def ask_apply(request: Request, person: Writer, database: Reading, term: TermName, plan_id: PlanId) -> Response:
    with database.read() as session:
        seen = plans.shown(session, person.client.name, term, plan_id, plans.Wanted(), 0)
    asked = plans.what_applying_does(seen)
    return _ask(request, term, seen.address, asked, seen=seen, look_at=plans.what_to_look_at)


@terms.post("/{term}/plans/{plan_id}/apply")
def apply(
    request: Request, person: Writer, form: Posted, _database: Writing, term: TermName, plan_id: PlanId
) -> Response:
    """A plan is applied once, however often its form is sent."""
    request.state.back = _plan(term, plan_id)
    wanted = read_as(ApplyIn, {"allow": form.get("allow", [])})
    answer = request.app.state.terms.apply(person.client.name, term, plan_id, list(wanted.allow))
    return go(f"{_plan(term, plan_id)}?said={'applying' if answer.status_code == 202 else 'there'}")


@terms.get("/{term}/applies/{apply_id}/stop")
def ask_stop(request: Request, person: Writer, database: Reading, term: TermName, apply_id: ApplyId) -> Response:
    seen = _apply(database, person, term, apply_id)
    return _ask(request, term, _plan(term, seen.plan_id), plans.what_stopping_does(seen), version=seen.status)


@terms.post("/{term}/applies/{apply_id}/stop")
def stop(
    request: Request, person: Writer, form: Posted, database: Writing, term: TermName, apply_id: ApplyId
) -> Response:
    seen = _apply_as_seen(request, person, form, database, term, apply_id)
    request.app.state.terms.stop(person.client.name, term, apply_id)
    return go(f"{_plan(term, seen.plan_id)}?said=stopped")


@terms.get("/{term}/applies/{apply_id}/resume")
def ask_resume(request: Request, person: Writer, database: Reading, term: TermName, apply_id: ApplyId) -> Response:
    seen = _apply(database, person, term, apply_id)
    return _ask(request, term, _plan(term, seen.plan_id), plans.what_resuming_does(seen), version=seen.status)


@terms.post("/{term}/applies/{apply_id}/resume")
def resume(
    request: Request, person: Writer, form: Posted, database: Writing, term: TermName, apply_id: ApplyId
) -> Response:
    seen = _apply_as_seen(request, person, form, database, term, apply_id)
    request.app.state.terms.resume(person.client.name, term, apply_id)
    return go(f"{_plan(term, seen.plan_id)}?said=resumed")


@terms.get("/{term}/opt-out")
def ask_opt_out(
    request: Request, person: Writer, database: Reading, term: TermName, wanted: Annotated[view.OptOut, Query()]
) -> Response:
    return _ask_opt(request, _term(database, person, term), wanted, out=True)


@terms.post("/{term}/opt-out")
def opt_out(request: Request, person: Writer, form: Posted, database: Writing, term: TermName) -> Response:
    return _opt(request, person, form, _term(database, person, term), out=True)


@terms.get("/{term}/opt-in")
def ask_opt_in(
    request: Request, person: Writer, database: Reading, term: TermName, wanted: Annotated[view.OptOut, Query()]
) -> Response:
    return _ask_opt(request, _term(database, person, term), wanted, out=False)


@terms.post("/{term}/opt-in")
def opt_in(request: Request, person: Writer, form: Posted, database: Writing, term: TermName) -> Response:
    return _opt(request, person, form, _term(database, person, term), out=False)


def _show(
    request: Request, person: Person, database: Database, term: str, plan_id: str | None, asked: view.Query
) -> Response:
    zone = request.app.state.settings.time_zone
    seen = view.shown(database, person.client.name, term, plan_id, asked, zone)
    said = view.SAID.get(asked.said)
    return page_or_not_modified(
        request, "term.html", seen=seen, said=said, most_opted_out=view.MOST_OPTED_OUT, look_at=plans.what_to_look_at
    )


def _ask(request: Request, term: str, back: str, asked: Asked, **more: Any) -> Response:
    said = {"of": term, "back": back, "version": "", "kept": {}, "seen": None, **more}
    return page(request, "term_change.html", asked=asked, **said)


def _plan(term: str, plan_id: str) -> str:
    return f"/console/terms/{term}/plans/{plan_id}"


def _apply(database: Database, person: Person, term: str, apply_id: str) -> ApplyView:
    with database.read() as session:
        return showing.apply_view(session, person.client.name, term, apply_id)


def _apply_as_seen(
    request: Request, person: Person, form: Form, database: Database, term: str, apply_id: str
) -> ApplyView:
    """Raises PreconditionFailed."""
    seen = _apply(database, person, term, apply_id)
    request.state.back = _plan(term, seen.plan_id)
    form.ensure_made_for(seen.status)
    return seen


def _term(database: Database, person: Person, term: str) -> TermView:
    with database.read() as session:
        return term_view(session, person.client.name, term)


def _ask_opt(request: Request, term: TermView, wanted: view.OptOut, *, out: bool) -> Response:
    kept = wanted.model_dump()
    asked = view.what_opting_does(wanted, out=out)
    return _ask(request, term.term, f"/console/terms/{term.term}", asked, version=view.version_of(term), kept=kept)


def _opt(request: Request, person: Person, form: Form, term: TermView, *, out: bool) -> Response:
    request.state.back = address = f"/console/terms/{term.term}"
    form.ensure_made_for(view.version_of(term))
    wanted = read_as(view.OptOut, {"who": form.one("who"), "id": form.one("id")})
    request.app.state.terms.opt(person.client.name, term.term, wanted.who, wanted.id, out=out)
    return go(f"{address}?said={'opted-out' if out else 'opted-in'}#opt-outs")
