"""A plan is to be applied, stopped, resumed: whether it may be, and what that writes."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from app.database.types import new_id
from app.http.errors import ApplyRunning, NotFound, PlanBlocked, PlanExpired, PlanNotReady, PlanSuperseded
from app.terms.comparing.items import SEEN, Kind
from app.terms.keeping import find_term
from app.terms.models import Apply, ApplyStatus, Outcome, Plan, PlanItem, PlanStatus, Term, TermMeeting


def find_plan(session: Session, client: str, term: str, plan_id: str) -> Plan:
    """Raises NotFound."""
    found = session.get(Plan, plan_id) if plan_id.isascii() and plan_id.isprintable() else None
    if found is None or (found.client, found.term) != (client, term):
        raise NotFound("There is no such plan of this term.")
    return found


def find_apply(session: Session, client: str, term: str, apply_id: str) -> Apply:
    """Raises NotFound."""
    found = session.get(Apply, apply_id) if apply_id.isascii() and apply_id.isprintable() else None
    if found is None or (found.client, found.term) != (client, term):
        raise NotFound("There is no such apply of this term.")
    return found


def apply_of(session: Session, plan_id: str) -> Apply | None:
    return session.execute(select(Apply).where(col(Apply.plan_id) == plan_id)).scalar_one_or_none()


def begin(
    session: Session, client: str, name: str, plan_id: str, allow: Collection[str], now: datetime
) -> tuple[Apply, bool]:
    """The plan's apply, and whether it is new. To be called one after another for each term.

    Raises NotFound, PlanNotReady, PlanExpired, PlanSuperseded, PlanBlocked, ApplyRunning.
    """
    term, plan = find_term(session, client, name), find_plan(session, client, name, plan_id)
    if there := apply_of(session, plan_id):
        return there, False
    _ensure_applicable(session, term, plan, allow, now)
    apply = Apply(id=new_id("apl"), plan_id=plan.id, client=client, term=name, allowed=sorted(allow), created_at=now)
    session.add(apply)
    term.applied = plan.number
    if plan.head["complete"]:
        term.sections = plan.head["sections"]
    if plan.head["generated_at"]:
        term.generated_at = datetime.fromisoformat(plan.head["generated_at"])
    session.add(term)
    _see(session, plan, now)
    to_do = (col(PlanItem.plan_id) == plan.id, col(PlanItem.work).is_not(None))
    session.execute(update(PlanItem).where(*to_do).values(outcome=Outcome.PENDING))
    return apply, True


def _ensure_applicable(session: Session, term: Term, plan: Plan, allow: Collection[str], now: datetime) -> None:
    if plan.status in (PlanStatus.MAKING, PlanStatus.FAILED):
        raise PlanNotReady
    if plan.expires_at <= now:
        raise PlanExpired
    ensure_latest(term, plan)
    guards = [one for one in plan.shown["guards"] if one["guard"] not in allow]
    if guards:
        names = ", ".join(one["guard"] for one in guards)
        raise PlanBlocked(f"Blocked by {names}. Nothing was changed. {guards[0]['what_to_do']}", guards=guards)
    busy = (col(Apply.client) == term.client, col(Apply.term) == term.name, col(Apply.status) == ApplyStatus.RUNNING)
    if session.execute(select(func.count()).select_from(Apply).where(*busy)).scalar_one():
        raise ApplyRunning


def ensure_latest(term: Term, plan: Plan) -> None:
    if term.applied > plan.number:
        raise PlanSuperseded


def _see(session: Session, plan: Plan, now: datetime) -> None:
    """What was declared was seen, and is not missing any more; for what is missing the clock starts, once."""
    of = (col(PlanItem.plan_id) == plan.id, col(PlanItem.recording_id).is_not(None))
    mine = (col(TermMeeting.client) == plan.client, col(TermMeeting.term) == plan.term)
    missing = select(col(PlanItem.recording_id)).where(*of, col(PlanItem.kind) == Kind.MISSING)
    absent = col(TermMeeting.recording_id).in_(missing)
    first = func.coalesce(col(TermMeeting.missing_since), now)
    session.execute(update(TermMeeting).where(*mine, absent).values(missing_since=first))
    seen = select(col(PlanItem.recording_id)).where(*of, col(PlanItem.kind).in_(SEEN))
    present = col(TermMeeting.recording_id).in_(seen)
    session.execute(update(TermMeeting).where(*mine, present).values(missing_since=None, last_seen_at=now))


def stop(session: Session, apply: Apply) -> None:
    """What has begun goes on; nothing more is begun until it is resumed."""
    _turn(session, apply, ApplyStatus.RUNNING, ApplyStatus.STOPPED)


def resume(session: Session, apply: Apply) -> None:
    """Raises PlanSuperseded, ApplyRunning."""
    if apply.status != ApplyStatus.STOPPED:
        return
    term = find_term(session, apply.client, apply.term)
    ensure_latest(term, session.get_one(Plan, apply.plan_id))
    busy = (col(Apply.client) == apply.client, col(Apply.term) == apply.term)
    if session.execute(select(Apply).where(*busy, col(Apply.status) == ApplyStatus.RUNNING)).first():
        raise ApplyRunning
    _turn(session, apply, ApplyStatus.STOPPED, ApplyStatus.RUNNING)


def _turn(session: Session, apply: Apply, before: ApplyStatus, after: ApplyStatus) -> None:
    """Its status, if it is `before`, in the very moment: it may just have come to its end."""
    still = (col(Apply.id) == apply.id, col(Apply.status) == before)
    session.execute(update(Apply).where(*still).values(status=after))
    session.refresh(apply)
