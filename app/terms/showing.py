"""How plans, their items, applies and sections are shown."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.chains.models import ChainStep, StepStatus
from app.database.database import Database
from app.database.types import utc_now
from app.http.errors import WAITING, Internal, NotFound
from app.recordings.models import Recording
from app.terms.applying.applier import counts
from app.terms.applying.asking import apply_of, find_apply, find_plan
from app.terms.keeping import find_term
from app.terms.models import LONGEST_MAKING, Apply, Outcome, Plan, PlanItem, PlanStatus, Term, TermMeeting
from app.terms.schemas import ApplyView, ItemPage, ItemView, NotDoneView, PlanView, SectionRecording, SectionView

MOST_NOT_DONE = 100
PORTION = 500
COLUMNS = (
    *("n", "kind", "section", "meeting", "title", "room", "lines", "first", "last", "sessions"),
    *("reason", "because", "warnings", "group", "recording_id", "outcome"),
)


@dataclass(frozen=True, slots=True)
class Filter:
    kind: str | None = None
    reason: str | None = None
    section: str | None = None


def plan_view(session: Session, client: str, term: str, plan_id: str) -> PlanView:
    """Raises NotFound."""
    return shown_plan(session, find_plan(session, client, term, plan_id))


def shown_plan(session: Session, plan: Plan) -> PlanView:
    now, apply = utc_now(), apply_of(session, plan.id)
    status, problem = plan.status, plan.problem
    if status == PlanStatus.MAKING and plan.created_at < now - LONGEST_MAKING:
        status, problem = PlanStatus.FAILED, Internal().document()
    term = session.get_one(Term, (plan.client, plan.term))
    made = status not in (PlanStatus.MAKING, PlanStatus.FAILED)
    return PlanView.model_validate(
        {
            "declared": None,
            "known": None,
            "sessions": None,
            "summary": None,
            "counts": {},
            "guards": [],
            "warnings": {},
            **plan.shown,
            "id": plan.id,
            "term": plan.term,
            "status": status,
            "created_at": plan.created_at,
            "expires_at": plan.expires_at,
            "expired": made and apply is None and plan.expires_at <= now,
            "superseded": made and term.applied > plan.number,
            "apply_id": apply.id if apply else None,
            "sha256": plan.sha256,
            "problem": problem,
        }
    )


def items_page(
    session: Session, client: str, term: str, plan_id: str, wanted: Filter, after: int, limit: int
) -> ItemPage:
    """Raises NotFound."""
    plan = find_plan(session, client, term, plan_id)
    found = _items(session, plan.id, wanted, after, limit + 1)
    more = str(found[limit - 1].n) if len(found) > limit else None
    return ItemPage(items=[_shown(one) for one in found[:limit]], next_cursor=more)


def _items(session: Session, plan_id: str, wanted: Filter, after: int, limit: int) -> list[PlanItem]:
    in_part = col(Plan.status).in_((PlanStatus.MAKING, PlanStatus.FAILED))
    parts = select(col(Plan.id)).where(col(Plan.id) == plan_id, in_part)
    statement = select(PlanItem).where(col(PlanItem.plan_id) == plan_id, col(PlanItem.n) > after, ~parts.exists())
    for column, value in (("kind", wanted.kind), ("reason", wanted.reason), ("section", wanted.section)):
        if value is not None:
            statement = statement.where(col(getattr(PlanItem, column)) == value)
    return list(session.execute(statement.order_by(col(PlanItem.n)).limit(limit)).scalars())


def _shown(item: PlanItem) -> ItemView:
    return ItemView.model_validate(
        {**item.shown, "recording_id": item.recording_id, "outcome": item.outcome, "problem": item.problem}
    )


def lines(database: Database, plan_id: str, wanted: Filter, form: str) -> Iterator[str]:
    """All items, as JSON or CSV, one a line."""
    if form == "csv":
        yield _csv([COLUMNS])
    after = 0
    while True:
        with database.read() as session:
            found = _items(session, plan_id, wanted, after, PORTION)
        if form == "csv":
            yield _csv([_cells(_shown(one).model_dump(mode="json")) for one in found])
        else:
            yield "".join(_shown(one).model_dump_json(by_alias=True) + "\n" for one in found)
        if len(found) < PORTION:
            return
        after = found[-1].n


def _cells(shown: dict[str, Any]) -> list[object]:
    held = shown["sessions"] or {}
    values = {
        **shown,
        "lines": "|".join(map(str, shown["lines"])),
        "first": held.get("first"),
        "last": held.get("last"),
        "sessions": held.get("count"),
        "warnings": "|".join(one["code"] for one in shown["warnings"]),
    }
    return ["" if values[name] is None else values[name] for name in COLUMNS]


def _csv(rows: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def apply_view(session: Session, client: str, term: str, apply_id: str) -> ApplyView:
    """Raises NotFound."""
    return shown_apply(session, find_apply(session, client, term, apply_id))


def shown_apply(session: Session, apply: Apply) -> ApplyView:
    done = (Outcome.DONE, Outcome.PENDING)
    others = (
        select(PlanItem)
        .where(
            col(PlanItem.plan_id) == apply.plan_id,
            col(PlanItem.outcome).is_not(None),
            col(PlanItem.outcome).not_in(done),
        )
        .order_by(col(PlanItem.n))
        .limit(MOST_NOT_DONE)
    )
    items = list(session.execute(others).scalars())
    waits = _waits(session, [one.chain_id for one in items if one.outcome == Outcome.WAITING])
    return ApplyView(
        id=apply.id,
        plan_id=apply.plan_id,
        term=apply.term,
        status=apply.status,
        counts=counts(session, apply.plan_id),
        items=[
            NotDoneView.model_validate(
                {
                    **{name: one.shown[name] for name in ("n", "kind", "section", "meeting", "title")},
                    "recording_id": one.recording_id,
                    "outcome": one.outcome,
                    "problem": one.problem or waits.get(one.chain_id),
                }
            )
            for one in items
        ],
        created_at=apply.created_at,
        finished_at=apply.finished_at,
    )


def _waits(session: Session, chain_ids: Sequence[str | None]) -> Mapping[str | None, Mapping[str, Any]]:
    """What each of these chains waits for, if it does."""
    step = (col(ChainStep.chain_id).in_(chain_ids), col(ChainStep.status) == StepStatus.WAITING)
    rows = session.execute(select(col(ChainStep.chain_id), col(ChainStep.error)).where(*step))
    return {chain_id: {"code": WAITING, **error} for chain_id, error in rows if error}


def section_view(session: Session, client: str, name: str, section: str) -> SectionView:
    """What the term keeps of a section, and what the latest plan says of it. Raises NotFound."""
    term = find_term(session, client, name)
    rows = session.execute(
        select(TermMeeting, Recording)
        .join(Recording, col(Recording.id) == col(TermMeeting.recording_id))
        .where(
            col(TermMeeting.client) == client,
            col(TermMeeting.term) == name,
            col(TermMeeting.ended_at).is_(None),
        )
        .order_by(col(TermMeeting.id))
    )
    kept = [(meeting, recording) for meeting, recording in rows if section in meeting.sections]
    latest = (
        select(Plan)
        .where(
            col(Plan.client) == client,
            col(Plan.term) == term.name,
            col(Plan.status).not_in((PlanStatus.MAKING, PlanStatus.FAILED)),
        )
        .order_by(col(Plan.number).desc())
        .limit(1)
    )
    plan = session.execute(latest).scalar_one_or_none()
    items = []
    if plan is not None:
        said = select(PlanItem).where(col(PlanItem.plan_id) == plan.id).order_by(col(PlanItem.n))
        items = [_shown(one) for one in session.execute(said).scalars() if section in one.shown["sections"]]
    if not kept and not items:
        raise NotFound("The term knows no such section.")
    return SectionView(
        section=section,
        term=term.name,
        recordings=[
            SectionRecording(
                recording_id=recording.id,
                status=recording.status,
                title=recording.document["title"],
                sections=meeting.sections,
                meeting=meeting.meeting,
                adopted=meeting.adopted,
                last_seen_at=meeting.last_seen_at,
                missing_since=meeting.missing_since,
            )
            for meeting, recording in kept
        ],
        plan_id=plan.id if plan else None,
        items=items,
    )
