"""Terms as pages show them: each with its latest plan and apply, its settings, and who has opted out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlmodel import Session, col

from app.console.views import plan as plans
from app.console.words import Asked, isolated
from app.database.database import Database
from app.http.errors import NotFound
from app.terms import keeping, showing
from app.terms.answering import term_view
from app.terms.models import Apply, Plan, PlanStatus
from app.terms.schemas import ApplyView, PlanView, SectionView, TermView

OTHERS = 10  # plans that are listed below the one that is shown
LONGEST_SETTINGS = 20_000  # characters
MOST_OPTED_OUT = 100  # ids of each kind on the page; the others are counted


class Query(BaseModel):
    """What an address says. An empty field says nothing."""

    kind: str = ""
    reason: str = ""
    cursor: int = Field(0, ge=0, le=10**9)
    section: str = ""
    said: str = ""


class PlanHead(NamedTuple):
    """`told` is its summary, or why nothing came of it."""

    id: str
    created_at: datetime
    state: str
    told: str


class Listed(NamedTuple):
    """A term. The states are of `words.STATES`. `refused`: what was sent last, if nothing came of it."""

    term: TermView
    plan: PlanView | None
    plan_state: str
    apply: ApplyView | None
    apply_state: str
    refused: PlanHead | None


@dataclass(frozen=True, slots=True)
class Shown:
    """`busy`: another plan than the shown one, whose apply is not over yet. `refused`: what was sent last, if nothing
    came of it.
    """

    term: TermView
    zone: str
    plan: plans.Shown | None
    busy: ApplyView | None
    refused: PlanHead | None
    others: Sequence[PlanHead]
    section: SectionView | None
    asked: str

    @property
    def address(self) -> str:
        return f"/console/terms/{self.term.term}"

    @property
    def version(self) -> str:
        return version_of(self.term)

    @property
    def section_rows(self) -> list[plans.Row]:
        """What the latest plan says of the section that was asked for."""
        grace = self.term.settings.missing_grace_hours
        return [plans.Row(one, plans.told(one, grace)) for one in self.section.items] if self.section else []

    @property
    def moves_on(self) -> bool:
        return self.plan is not None and self.plan.moves_on

    @property
    def settings(self) -> str:
        """As they were sent, without opt-outs; empty if they are too long for a page."""
        said = self.term.settings.model_dump(mode="json", exclude_unset=True, exclude={"opt_outs"})
        written = json.dumps(said, indent=2, ensure_ascii=False)
        return written if len(written) <= LONGEST_SETTINGS else ""


def listed(database: Database, client: str) -> list[Listed]:
    """The client's terms, the latest first."""
    with database.read() as session:
        return [_listed(session, client, one.name) for one in keeping.of_client(session, client)]


def _listed(session: Session, client: str, name: str) -> Listed:
    term = term_view(session, client, name)
    plan = showing.plan_view(session, client, name, term.plan_id) if term.plan_id else None
    own = showing.apply_view(session, client, name, plan.apply_id) if plan and plan.apply_id else None
    apply = own or _last_apply(session, client, name)
    state = plans.state_of(plan, own) if plan else ""
    refused = _refused(_latest(session, client, name, 1))
    return Listed(term, plan, state, apply, plans.apply_state(apply) if apply else "", refused)


def _last_apply(session: Session, client: str, name: str) -> ApplyView | None:
    latest = (
        select(Apply)
        .join(Plan, col(Plan.id) == col(Apply.plan_id))
        .where(col(Apply.client) == client, col(Apply.term) == name)
        .order_by(col(Plan.number).desc())
        .limit(1)
    )
    found = session.execute(latest).scalar_one_or_none()
    return showing.shown_apply(session, found) if found else None


def shown(database: Database, client: str, name: str, plan_id: str | None, asked: Query, default_zone: str) -> Shown:
    """With that plan, or the latest. Raises NotFound."""
    with database.read() as session:
        term = term_view(session, client, name)
        wanted = plans.Wanted(asked.kind, asked.reason, asked.cursor)
        plan_id, grace = plan_id or term.plan_id, term.settings.missing_grace_hours
        plan = plans.shown(session, client, name, plan_id, wanted, grace) if plan_id else None
        busy = _last_apply(session, client, name)
        latest = _latest(session, client, name, OTHERS + 1)
        refused = _refused(latest)
        section = asked.section.strip()
        return Shown(
            term,
            term.settings.time_zone or default_zone,
            plan,
            busy if busy and busy.status != "done" and busy.plan_id != plan_id else None,
            refused if refused and refused.id != plan_id else None,
            [one for one in latest if one.id != plan_id][:OTHERS],
            _section(session, client, name, section) if section else None,
            section,
        )


def _section(session: Session, client: str, name: str, section: str) -> SectionView | None:
    try:
        return showing.section_view(session, client, name, section)
    except NotFound:
        return None


def _latest(session: Session, client: str, name: str, number: int) -> list[PlanHead]:
    latest = (
        select(Plan)
        .where(col(Plan.client) == client, col(Plan.term) == name)
        .order_by(col(Plan.number).desc())
        .limit(number)
    )
    found = []
    for row in session.execute(latest).scalars():
        view = showing.shown_plan(session, row)
        apply = showing.apply_view(session, client, name, view.apply_id) if view.apply_id else None
        told = view.problem.detail if view.problem else view.summary
        found.append(PlanHead(view.id, view.created_at, plans.state_of(view, apply), told or ""))
    return found


def _refused(latest: Sequence[PlanHead]) -> PlanHead | None:
    return latest[0] if latest and latest[0].state == PlanStatus.FAILED else None


# What would happen


class OptOut(BaseModel):
    """Who, or which section: the form, and the address that asks."""

    who: keeping.Who
    id: str = Field(min_length=1, max_length=256)


def version_of(term: TermView) -> str:
    return term.updated_at.isoformat()


def what_opting_does(wanted: OptOut, *, out: bool) -> Asked:
    of = f"section {isolated(wanted.id)}" if wanted.who == "sections" else isolated(wanted.id)
    if out:
        what = f"From the next plan on, nothing of {of} is recorded. What was recorded stays."
        return Asked(f"Opt {of} out?", what, "Opt out", dangerous=True)
    what = f"From the next plan on, {of} is recorded again, where the timetable says so."
    return Asked(f"Opt {of} back in?", what, "Opt back in")


SAID = {
    "applying": "It is being applied.",
    "there": "It was applied already, or is being applied. Nothing was begun twice.",
    "stopped": "It is stopped. What has begun goes on to its end.",
    "resumed": "It goes on.",
    "opted-out": "That is opted out, from the next plan on.",
    "opted-in": "That is opted in again, from the next plan on.",
}
"""What a page says first, after a form has done what it says. An address names one of these, and no text."""
