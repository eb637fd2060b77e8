"""The thread of a process that carries out applies: one process of several has each, by a lease.

    pending ──▶ begun, with its chain, a few at once ──▶ done · stale · conflict · failed
       └── in order: what makes room for others, changes, what is new, the other cancellations

Whatever happens to the process, the next one finds what has begun by its chain, and begins what has not.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from fastapi.exceptions import RequestValidationError
from sqlalchemy import Float, and_, bindparam, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, SQLModel, col

from app.chains.models import Chain, ChainStatus
from app.chains.store import AT_WORK, Claim, Store
from app.chains.worker import Workers
from app.database.background import Background
from app.database.database import Database
from app.database.deadlocks import again_if_crossed
from app.database.types import database_now, utc_now
from app.http.errors import Internal, InvalidDocument, Problem, Stale
from app.notices.models import NoticeKind
from app.notices.telling import tell
from app.terms.applying import carrying, refusing, together
from app.terms.comparing.items import Kind
from app.terms.models import Apply, ApplyStatus, Outcome, Plan, PlanItem

log = structlog.get_logger(__name__)

POLL = 1.0  # seconds between two looks for an apply
PAUSE = 0.2  # seconds between two looks at its chains: other processes run some of them, and those here tell their end
LATELY = 1.0  # seconds for which what others were seen to do counts
ASK_AGAIN = 5.0  # seconds between two requests for the list of all resources, while it is too old
BESIDE = 0.25  # seconds between two beginnings beside others
WAITERS = 8  # times as many chains as run at once may wait for Kaltura, or for a room
SWEEP = "sweep"  # the chain that looks once more: app/recordings/scheduling/sweep.py

_APPLY = SQLModel.metadata.tables["term_apply"]
_ITEM = SQLModel.metadata.tables["term_item"]
_WAITS = select(_ITEM.c.n).where(_ITEM.c.plan_id == _APPLY.c.plan_id, _ITEM.c.outcome == Outcome.WAITING).exists()
_OPEN = or_(_APPLY.c.status == ApplyStatus.RUNNING, and_(_APPLY.c.status == ApplyStatus.STOPPED, _WAITS))
_CLAIM = (
    update(_APPLY)
    .where(
        _APPLY.c.id.in_(
            select(_APPLY.c.id)
            .where(_OPEN, or_(_APPLY.c.lease_until <= database_now(), _APPLY.c.owner == bindparam("by")))
            .with_for_update(skip_locked=True)
            .cte("open")
            .select()
        )
    )
    .values(owner=bindparam("by"), lease_until=database_now() + bindparam("lease", type_=Float(53)))
    .returning(_APPLY.c.id)
)
_UNDER_WAY = (ChainStatus.QUEUED, ChainStatus.RUNNING, ChainStatus.UNDOING, ChainStatus.WAITING)
_OWN = (
    select(col(PlanItem.chain_id))
    .join(Apply, col(Apply.plan_id) == col(PlanItem.plan_id))
    .where(
        col(Apply.status) != ApplyStatus.DONE,
        col(PlanItem.outcome) == Outcome.WAITING,
        col(PlanItem.chain_id).is_not(None),
    )
)
_OTHERS = select(col(Chain.id)).where(AT_WORK, col(Chain.operation) != SWEEP, col(Chain.id).not_in(_OWN)).limit(1)
_IN_PLAN = and_(col(Apply.id) == bindparam("apply"), col(Apply.plan_id) == col(PlanItem.plan_id))
_BEGUN = (
    select(col(PlanItem.n), col(Chain.status), AT_WORK)
    .join(Apply, _IN_PLAN)
    .join(Chain, col(Chain.id) == col(PlanItem.chain_id))
    .where(col(PlanItem.outcome) == Outcome.WAITING)
)
_ENDED = (
    select(PlanItem, Chain)
    .join(Apply, _IN_PLAN)
    .join(Chain, col(Chain.id) == col(PlanItem.chain_id))
    .where(col(PlanItem.outcome) == Outcome.WAITING, col(PlanItem.n).in_(bindparam("which", expanding=True)))
)
_IN_TURN = (
    select(PlanItem)
    .join(Apply, _IN_PLAN)
    .where(col(PlanItem.outcome) == Outcome.PENDING)
    .order_by(col(PlanItem.rank), col(PlanItem.n))
)
LOOKED_AT = _IN_TURN.limit(4), _IN_TURN.limit(200)  # to find an item that may begin: mostly it is the first
_PARTY = (
    select(PlanItem)
    .join(Apply, _IN_PLAN)
    .where(col(PlanItem.outcome) == Outcome.PENDING, col(PlanItem.party) == bindparam("party"))
    .order_by(col(PlanItem.n))
)
_NEEDED = (
    select(PlanItem)
    .join(Apply, _IN_PLAN)
    .where(col(PlanItem.n).in_(bindparam("which", expanding=True)))
    .order_by(col(PlanItem.n))
)
_STILL = (
    select(PlanItem)
    .join(Apply, _IN_PLAN)
    .where(
        *(col(Apply.status) == ApplyStatus.RUNNING, col(PlanItem.outcome) == Outcome.PENDING),
        col(PlanItem.n).in_(bindparam("which", expanding=True)),
    )
    .order_by(col(PlanItem.n))
)
_LEFT = select(_ITEM.c.n).where(
    _ITEM.c.plan_id == _APPLY.c.plan_id, _ITEM.c.outcome.in_((Outcome.PENDING, Outcome.WAITING))
)
_IS_OVER = and_(_APPLY.c.id == bindparam("apply"), _APPLY.c.status == ApplyStatus.RUNNING, ~_LEFT.exists())
_OVER = select(_APPLY.c.id).where(_IS_OVER)
_FINISH = update(_APPLY).where(_IS_OVER).values(status=ApplyStatus.DONE, finished_at=bindparam("now"), owner=None)
_NOT_DONE = (Outcome.STALE, Outcome.CONFLICT, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Means:
    """What items are carried out with. `at_once`: chains of all applies together.

    `ask` notes that the list of all resources is wanted; nobody waits for it.
    """

    database: Database
    store: Store
    owner: str
    at_once: int
    workers: Workers[Any]
    ask: Callable[[], None]
    default_zone: str
    server_zone: ZoneInfo


class Applier:
    def __init__(self, means: Means) -> None:
        self._means = means
        self._database = means.database
        self._begun_at = self._others_at = self._claim_at = self._asked_at = float("-inf")  # by `time.monotonic`
        self._mine, self._seen = set[str](), set[str]()  # applies, when they were claimed last
        self.thread = Background("terms", self._turn)

    def chain_ended(self) -> None:
        """A chain has ended here: it may have been one of a term, whose next one may begin."""
        if self._mine:
            self.thread.wake()

    def _turn(self) -> float:
        """Looks at what has begun, and begins more."""
        mine = self._claim()
        for apply_id in mine:
            if self.thread.stopping:
                break
            under_way = self._settle(apply_id)
            if not self._begin_some(apply_id) and not under_way:
                self._finish(apply_id)
        return PAUSE if mine else POLL

    def _claim(self) -> list[str]:
        """The open applies that are this process's. It claims what is new, and all of them again from time to time."""
        with self._database.read() as session:
            there = set(session.execute(select(_APPLY.c.id).where(_OPEN)).scalars())
        if there - self._seen or (there and time.monotonic() >= self._claim_at):
            by = {"by": self._means.owner, "lease": self._means.store.lease}
            with self._database.write() as session:
                self._mine = set(session.connection().execute(_CLAIM, by).scalars())
            self._claim_at = time.monotonic() + min(POLL, self._means.store.lease / 3)
        self._seen = there
        self._mine &= there
        return sorted(self._mine)

    # --- what has begun -------------------------------------------------------------------------------------

    def _settle(self, apply_id: str) -> bool:
        """Notes what has ended. Returns whether something is still under way."""
        with self._database.read() as session:
            begun = self._begun(session, apply_id)
        ended = [n for n, status, _ in begun if status not in _UNDER_WAY]
        if ended:
            again_if_crossed(lambda: self._end(apply_id, ended))
        return len(ended) < len(begun)

    def _begun(self, session: Session, apply_id: str) -> list[tuple[int, ChainStatus, bool]]:
        """Their numbers, how their chains are, and whether these are at work."""
        rows = session.execute(_BEGUN, {"apply": apply_id})
        return [(n, status, bool(at_work)) for n, status, at_work in rows]

    def _end(self, apply_id: str, ended: Sequence[int]) -> None:
        with self._database.write() as session:
            for item, chain in session.execute(_ENDED, {"apply": apply_id, "which": ended}).all():
                carrying.end(session, item, chain)

    # --- what is to begin -----------------------------------------------------------------------------------

    def _begin_some(self, apply_id: str) -> bool:
        """As many as may be at work. Returns whether there was any to begin, or to refuse."""
        some, places = False, 1
        while places and not self.thread.stopping:
            with self._database.read() as session:
                apply = session.get_one(Apply, apply_id)
                places = self._places(session, apply_id) if apply.status == ApplyStatus.RUNNING else 0
                found = self._next(session, apply) if places else None
            if not found:
                break
            some = True
            items, refused = found
            if refused is not None:
                self._refuse(apply, items, refused)
                continue
            with self._refusals(apply, items):
                if items[0].party is not None:
                    self._begin_party(apply, items)
                else:
                    self._begin_one(apply, items[0])
                places -= 1
        return some

    def _places(self, session: Session, apply_id: str) -> int:
        """How many more may be at work.

        A chain that waits for Kaltura, or for its room, keeps nobody from work, unless there are many of them.
        Beside what others have asked for, one chain of a term is at work at a time, and not all the time.
        """
        begun = [at_work for *_, at_work in self._begun(session, apply_id)]
        if len(begun) >= WAITERS * self._means.at_once:
            return 0
        if self._others_are_at_work(session):
            return 0 if any(begun) or time.monotonic() < self._begun_at + BESIDE else 1
        return max(0, self._means.at_once - sum(begun))

    def _others_are_at_work(self, session: Session) -> bool:
        if session.execute(_OTHERS).first() is not None:
            self._others_at = time.monotonic()
        return time.monotonic() < self._others_at + LATELY

    def _next(self, session: Session, apply: Apply) -> tuple[list[PlanItem], Problem | None] | None:
        """The items that begin next, one or a whole party; or those that cannot, with why."""
        of, waiting = {"apply": apply.id}, set[str]()
        for item in itertools.chain.from_iterable(session.execute(some, of).scalars() for some in LOOKED_AT):
            if item.party in waiting:
                continue
            items = [item]
            if item.party is not None:
                items = list(session.execute(_PARTY, {**of, "party": item.party}).scalars())
            needed = self._needed(session, apply, items)
            if undone := [one for one in needed if one.outcome in _NOT_DONE]:
                return items, refusing.room_not_left(undone[0], items)
            if all(one.outcome == Outcome.DONE for one in needed) and self._knows_resources(session, item):
                return items, None
            if item.party is not None:
                waiting.add(item.party)
        return None

    def _needed(self, session: Session, apply: Apply, items: Sequence[PlanItem]) -> list[PlanItem]:
        """What must be done before any of the items begins."""
        after = {n for item in items for n in (item.work or {})["after"]}
        if not after:
            return []
        return list(session.execute(_NEEDED, {"apply": apply.id, "which": sorted(after)}).scalars())

    def _knows_resources(self, session: Session, item: PlanItem) -> bool:
        """Whether what SQL says of resources is new enough for the item to begin.

        A chain by itself looks its resource up, and waits for Kaltura. A party is begun by what SQL says, and this
        thread waits for nobody: if that is too old, it is asked for, and the party begins when it is there.
        """
        if item.party is None or together.knows_resources(session):
            return True
        if time.monotonic() >= self._asked_at + ASK_AGAIN:
            self._asked_at = time.monotonic()
            self._means.ask()
        return False

    def _begin_one(self, apply: Apply, item: PlanItem) -> None:
        means = self._means
        zones = means.default_zone, means.server_zone
        draft = carrying.draft_of(means.database, item, apply.client, *zones) if item.kind == Kind.CREATE else None
        claim = means.workers.spare

        def act(session: Session, there: Sequence[PlanItem]) -> Claim | None:
            if draft is not None:
                return carrying.create(session, means.store, apply, there[0], draft, claim=claim)
            carrying.begin(session, means.store, apply, there[0], means.default_zone)
            return None

        self._write(apply, [item], act)

    def _begin_party(self, apply: Apply, items: Sequence[PlanItem]) -> None:
        means = self._means
        changes = together.planned(means.database, apply, items, means.default_zone, means.server_zone)

        def act(session: Session, there: Sequence[PlanItem]) -> None:
            together.begin(session, means.store, apply, there, changes, means.default_zone)

        self._write(apply, items, act)

    def _write(
        self, apply: Apply, items: Sequence[PlanItem], act: Callable[[Session, Sequence[PlanItem]], Claim | None]
    ) -> None:
        """Begins the items in one transaction, and then a chain that is claimed already, or any worker."""

        def once() -> Claim | None:
            with self._database.write(apply.client) as session:
                there = self._still(session, apply, items)
                return act(session, there) if there else None

        claim = again_if_crossed(once)
        self._begun_at = time.monotonic()
        if claim is not None:
            self._means.workers.run_claimed(claim)
        else:
            self._means.workers.nudge()

    @contextmanager
    def _refusals(self, apply: Apply, items: Sequence[PlanItem]) -> Iterator[None]:
        """What is wrong with items is kept with them, and stops no other."""
        try:
            yield
        except Stale as stale:
            self._refuse(apply, items, stale)
        except RequestValidationError as error:
            self._refuse(apply, items, _invalid(error))
        except Problem as refusal:
            self._refuse(apply, items, refusal)
        except SQLAlchemyError:
            raise
        except Exception:
            log.exception("cannot_begin", plan_id=items[0].plan_id, n=items[0].n)
            self._refuse(apply, items, Internal())

    def _still(self, session: Session, apply: Apply, items: Sequence[PlanItem]) -> list[PlanItem]:
        """The items as they are now, if all are still to be begun: another process may have thought it is its turn."""
        there = session.execute(_STILL, {"apply": apply.id, "which": [one.n for one in items]}).scalars().all()
        return list(there) if len(there) == len(items) else []

    def _refuse(self, apply: Apply, items: Sequence[PlanItem], why: Problem) -> None:
        """In the same turn as whoever may begin them just now."""
        error = why.document()
        with self._database.write(apply.client) as session:
            for item in self._still(session, apply, items):
                refusing.refuse(session, item, error)

    # --- the end --------------------------------------------------------------------------------------------

    def _finish(self, apply_id: str) -> None:
        """Once, whoever else ends or stops it in the same moment."""
        with self._database.read() as session:
            if session.connection().execute(_OVER, {"apply": apply_id}).first() is None:
                return
        with self._database.write() as session:
            if not session.connection().execute(_FINISH, {"apply": apply_id, "now": utc_now()}).rowcount:
                return
            apply = session.get_one(Apply, apply_id)
            plan = session.get_one(Plan, apply.plan_id)
            data = {"term": apply.term, "plan_id": plan.id, "apply_id": apply.id, "counts": counts(session, plan.id)}
            tell(session, NoticeKind.TERM_APPLIED, apply.client, f"term:{apply.term}", data)
        log.info("applied", apply_id=apply_id)


def counts(session: Session, plan_id: str) -> dict[str, int]:
    """What became of the plan's items, by outcome."""
    rows = session.execute(
        select(col(PlanItem.outcome), func.count())
        .where(col(PlanItem.plan_id) == plan_id, col(PlanItem.outcome).is_not(None))
        .group_by(col(PlanItem.outcome))
    )
    found = {row[0]: row[1] for row in rows}
    return {str(outcome): found.get(outcome, 0) for outcome in Outcome}


def _invalid(error: RequestValidationError) -> InvalidDocument:
    first = error.errors()[0]
    detail = first.get("ctx", {}).get("rule") or first.get("msg") or InvalidDocument.advice
    return InvalidDocument(str(detail))
