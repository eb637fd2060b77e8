"""A term's plan as a page shows it: its state, its items in sentences, and what applying it would do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlmodel import Session, col

from app.console.words import REASONS, Asked, count, cut, isolated
from app.terms import showing
from app.terms.comparing.guards import allowing
from app.terms.comparing.items import APPLIED, Kind
from app.terms.models import ApplyStatus, PlanItem, PlanStatus
from app.terms.schemas import ApplyView, GuardView, ItemSessions, ItemView, PlanView

EACH = 100  # items on a page
LONGEST_VALUE = 160  # characters of what a field was and becomes
ORDER = (
    *(Kind.CANCEL, Kind.REJECTED, Kind.CONFLICT, Kind.CHANGE, Kind.REKEY, Kind.CREATE, Kind.ADOPT, Kind.MISSING),
    *(Kind.HELD, Kind.SKIPPED, Kind.UNCHANGED),
)
"""What a person should see first comes first."""
ALL = "all"
_NOT_DONE = ("stale", "conflict", "failed")


class Wanted(NamedTuple):
    """Which items: of a kind, or `ALL`; empty for those that come first in `ORDER`."""

    kind: str = ""
    reason: str = ""
    cursor: int = 0


class Row(NamedTuple):
    """An item, with what is said of it, line by line."""

    item: ItemView
    told: list[str]


class Tab(NamedTuple):
    name: str
    amount: int
    address: str


@dataclass(frozen=True, slots=True)
class Shown:
    """`reasons`: of the items of this kind. `following` is the address of the next page, `first` that of the first."""

    view: PlanView
    apply: ApplyView | None
    kind: str
    tabs: Sequence[Tab]
    reasons: Sequence[Tab]
    reason: str
    rows: Sequence[Row]
    following: str | None
    first: str | None

    @property
    def address(self) -> str:
        return f"/console/terms/{self.view.term}/plans/{self.view.id}"

    @property
    def state(self) -> str:
        return state_of(self.view, self.apply)

    @property
    def may_apply(self) -> bool:
        """Whether applying would be taken, and would do something: what is missing has a clock that it starts."""
        counts = self.view.counts
        does = any(counts.get(kind) for kind in (*APPLIED, Kind.MISSING))
        return does and self.state in (PlanStatus.READY, PlanStatus.BLOCKED, PlanStatus.NOTHING_TO_DO)

    @property
    def moves_on(self) -> bool:
        return self.state in ("making", "applying") or bool(self.apply and self.apply.counts.get("waiting"))

    @property
    def done(self) -> int:
        """Items of which nothing more comes by itself."""
        counts = self.apply.counts if self.apply else {}
        return sum(number for outcome, number in counts.items() if outcome not in ("pending", "waiting"))

    @property
    def to_do(self) -> int:
        return sum(self.apply.counts.values()) if self.apply else 0


def state_of(plan: PlanView, apply: ApplyView | None) -> str:
    """One of `words.STATES`."""
    if apply is not None:
        return apply_state(apply)
    if plan.status in (PlanStatus.MAKING, PlanStatus.FAILED):
        return plan.status
    return "superseded" if plan.superseded else "expired" if plan.expired else plan.status


def apply_state(apply: ApplyView) -> str:
    """One of `words.STATES`."""
    if apply.status != ApplyStatus.DONE:
        return "applying" if apply.status == ApplyStatus.RUNNING else "stopped"
    return "partly" if any(apply.counts.get(outcome) for outcome in _NOT_DONE) else "applied"


def shown(session: Session, client: str, term: str, plan_id: str, wanted: Wanted, grace: int) -> Shown:
    """One page of a plan's items, with all that is said of the plan. Raises NotFound."""
    view = showing.plan_view(session, client, term, plan_id)
    apply = showing.apply_view(session, client, term, view.apply_id) if view.apply_id else None
    kinds = [kind for kind in ORDER if view.counts.get(kind)]
    kind = wanted.kind if wanted.kind == ALL or wanted.kind in kinds else next(iter(kinds), ALL)
    address = f"/console/terms/{term}/plans/{plan_id}"
    reasons = _reasons(session, plan_id, kind)
    reason = wanted.reason if wanted.reason in reasons else ""
    asked = showing.Filter(None if kind == ALL else kind, reason or None)
    found = showing.items_page(session, client, term, plan_id, asked, wanted.cursor, EACH)
    here = {"kind": kind} | ({"reason": reason} if reason else {})
    tabs = [Tab(one, view.counts[one], _address(address, kind=one)) for one in kinds]
    return Shown(
        view,
        apply,
        kind,
        [*tabs, Tab(ALL, sum(view.counts.values()), _address(address, kind=ALL))] if len(tabs) > 1 else tabs,
        [Tab(one, number, _address(address, kind=kind, reason=one)) for one, number in reasons.items()],
        reason,
        [Row(one, told(one, grace)) for one in found.items],
        _address(address, **here, cursor=found.next_cursor) if found.next_cursor else None,
        _address(address, **here) if wanted.cursor else None,
    )


def _address(plan: str, **said: Any) -> str:
    return f"{plan}?{urlencode(said)}#items"


def _reasons(session: Session, plan_id: str, kind: str) -> dict[str, int]:
    """How many items of this kind are so for which reason, where there are several."""
    of = (col(PlanItem.plan_id) == plan_id, col(PlanItem.kind) == kind, col(PlanItem.reason).is_not(None))
    number = func.count()
    rows = session.execute(
        select(col(PlanItem.reason), number).where(*of).group_by(col(PlanItem.reason)).order_by(number.desc())
    )
    found = {str(reason): amount for reason, amount in rows}
    return found if len(found) > 1 else {}


# Items in sentences


def told(item: ItemView, grace: int) -> list[str]:
    """`grace`: hours that a section may be missing."""
    return [*_why(item, grace), *map(_changed, item.changes), *filter(None, [_touched(item)])]


def _why(item: ItemView, grace: int) -> list[str]:
    because = item.because or ""
    match item.kind:
        case Kind.CREATE:
            return [_sessions(item.sessions)] if item.sessions else []
        case Kind.REKEY:
            return ["The same meeting under another number: its recording stays."]
        case Kind.ADOPT:
            return ["You had made it yourself. The term keeps it from now on; in Kaltura nothing changes."]
        case Kind.HELD:
            return ["Somebody cancelled it by hand. It stays so until it is restored."]
        case Kind.MISSING:
            then = f"It is cancelled once it has been missing for {count(grace, 'hour')}."
            return [f"{_reason(item)} {_upper(because)}." if because else _reason(item), then]
        case Kind.REJECTED | Kind.CONFLICT:
            return [because or _reason(item)]
        case Kind.CANCEL | Kind.SKIPPED:
            also = f" {_upper(because)}." if because and item.reason != "opted_out" else ""
            return [_reason(item) + also]
    return []


def _reason(item: ItemView) -> str:
    if item.reason == "opted_out":
        return f"{isolated(item.because or '') if item.because != item.section else 'The section'} has opted out."
    return REASONS.get(item.reason or "", f"{_upper((item.reason or '').replace('_', ' '))}.")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _sessions(held: ItemSessions) -> str:
    """`43 sessions, 11 Jan 2027 to 30 Apr 2027; 3 dates left out`."""
    if not held.count or not held.first or not held.last:
        return "No sessions."
    first, last = datetime.fromisoformat(held.first), datetime.fromisoformat(held.last)
    span = _day(first) if held.count == 1 else f"{_day(first)} to {_day(last)}"
    gaps = f"; {count(len(held.excluded), 'date')} left out" if held.excluded else ""
    extra = f"; {count(len(held.extra), 'make-up day')}" if held.extra else ""
    return f"{count(held.count, 'session')}, {span}{gaps}{extra}."


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"


def _changed(change: Any) -> str:
    """`room: EXTRON-SCI-101 → EXTRON-SCI-210`."""
    return f"{change.field.replace('_', ' ')}: {_value(change.from_)} → {_value(change.to)}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return isolated(cut(str(value), LONGEST_VALUE)) if value not in (None, "") else "nothing"


def _touched(item: ItemView) -> str:
    """What becomes of sessions that have not begun. What a new recording has is said already."""
    if item.sessions is None or item.kind not in (Kind.CHANGE, Kind.REKEY, Kind.CANCEL):
        return ""
    return _becomes(item.sessions.added, item.sessions.moved, item.sessions.cancelled)


def _becomes(added: int, moved: int, cancelled: int) -> str:
    parts = [(added, "added"), (moved, "moved"), (cancelled, "cancelled")]
    said = [f"{number:,} {verb}" for number, verb in parts if number]
    return f"Sessions: {', '.join(said)}." if said else ""


# What would happen


def what_to_look_at(guard: GuardView) -> str:
    """What a guard tells people to do, without what it tells programs."""
    return guard.what_to_do.removesuffix(allowing(guard.guard))


def what_applying_does(seen: Shown) -> Asked:
    counts, sessions = seen.view.counts, seen.view.sessions
    verbs = (
        (Kind.CREATE, "creates {}"),
        (Kind.CHANGE, "changes {}"),
        (Kind.REKEY, "gives {} a new key"),
        (Kind.ADOPT, "adopts {}"),
        (Kind.CANCEL, "cancels {}"),
    )
    does = [verb.format(count(counts[kind], "recording")) for kind, verb in verbs if counts.get(kind)]
    said = [f"This {_list(does)}." if does else "This changes no recording."]
    if sessions is not None:
        said += filter(None, [_becomes(sessions.added, sessions.moved, sessions.cancelled)])
        if sessions.soon:
            said.append(f"{count(sessions.soon, 'of these begins', 'of these begin')} soon.")
    if missing := counts.get(Kind.MISSING):
        said.append(f"{count(missing, 'recording is', 'recordings are')} missing: the clock of their grace starts.")
    said.append("What was recorded stays, and so does what somebody has changed since the plan was made.")
    return Asked("Apply this plan?", " ".join(said), "Apply it", dangerous=bool(counts.get(Kind.CANCEL)))


def what_stopping_does(apply: ApplyView) -> Asked:
    left = count(apply.counts.get("pending", 0), "item")
    what = f"Nothing more is begun: {left} stay as they are until it is resumed. What has begun goes on to its end."
    return Asked("Stop?", what, "Stop", dangerous=True)


def what_resuming_does(apply: ApplyView) -> Asked:
    left = count(apply.counts.get("pending", 0), "item")
    return Asked("Go on?", f"It goes on with {left} that had not begun.", "Go on")


def _list(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
