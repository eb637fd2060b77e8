"""Chains in SQL: claims, leases, fences, lanes and checkpoints. The only code that commits in the middle of something.

A chain belongs to whoever's fencing number stands in its row. Claiming raises the number; each checkpoint names
it, so a checkpoint by an old owner changes no row and ends its run (`LeaseLost`).

A chain's patience is for time under trial alone. Each sign of life of its owner adds the time since the one before,
a lease's worth at most, and each pause what was asked for: so neither a night in which the service was off, nor one
in which the machine slept, nor a lane that others had, makes a chain stuck.

Statements that run for every chain are built once: building one costs more than running it.
"""

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Row,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlmodel import Session, SQLModel, col

from app.chains import lanes
from app.chains.models import Chain, ChainState, ChainStatus, StepState
from app.chains.parties import may_stop
from app.database.database import Database
from app.database.many_rows import insert_rows, update_rows
from app.database.types import database_now, new_id, utc_now

_CHAIN, _STEP = (SQLModel.metadata.tables[name] for name in ("chain", "chain_step"))

_DUE = (
    select(_CHAIN.c.id)
    .where(
        _CHAIN.c.next_attempt_at <= database_now(),
        _CHAIN.c.lease_until <= database_now(),
        or_(_CHAIN.c.waiting_for.is_(None), ~lanes.MUST_WAIT),
    )
    .order_by(_CHAIN.c.next_attempt_at, _CHAIN.c.id)
    .limit(1)
)
_CLAIM = (
    update(_CHAIN)
    # A CTE: a plain IN (SELECT … LIMIT 1) may be evaluated again and claim more than one.
    .where(_CHAIN.c.id.in_(select(_DUE.with_for_update(skip_locked=True).cte("due").c.id)))
    .values(
        owner=bindparam("by"),
        fence=_CHAIN.c.fence + 1,
        lease_until=database_now() + bindparam("lease"),
        waiting_for=None,
    )
    .returning(_CHAIN.c.id, _CHAIN.c.fence, _CHAIN.c.subject, _CHAIN.c.party)
)
AT_WORK: ColumnElement[bool] = and_(_CHAIN.c.waiting_for.is_(None), _CHAIN.c.next_attempt_at <= database_now())
"""Of a chain: it is due, or in somebody's hands. One that waits for Kaltura, or in line for a lane, is neither."""
_LEASE = bindparam("lease", type_=Float(53))
_SILENT = database_now() - (_CHAIN.c.lease_until - _LEASE)  # seconds since its owner's last sign of life
_RENEW = (
    update(_CHAIN)
    .where(_CHAIN.c.id == bindparam("of"), _CHAIN.c.fence == bindparam("my_fence"), _CHAIN.c.owner.is_not(None))
    .values(
        lease_until=database_now() + _LEASE,
        tried=_CHAIN.c.tried + case((_SILENT > _LEASE, _LEASE), (_SILENT > 0.0, _SILENT), else_=0.0),
        updated_at=bindparam("at"),
    )
    .returning(_CHAIN.c.stop, _CHAIN.c.tried, _CHAIN.c.verdict)
)
_PLANNED = ("chain_id", "position", "name", "status")
_GIVEN = ("id", "subject", "operation", "status", "input", "created_at")
_SAVED = (
    *("chain_id", "position", "status", "attempts", "failures", "calls", "error"),
    *("started_at", "finished_at", "next_attempt_at"),
)
_BEFORE = _CHAIN.alias("before")
_CREATE = insert(_CHAIN).values(
    # Counted here, not beforehand: what comes next is the database's to say, and the caller holds the subject.
    number=select(func.coalesce(func.max(_BEFORE.c.number), 0) + 1)
    .where(_BEFORE.c.subject == bindparam("of"))
    .scalar_subquery(),
    tried=0.0,
    lease_until=database_now() + bindparam("lease"),
    next_attempt_at=database_now() + bindparam("delay"),
)
_LOAD = select(*(_CHAIN.c[field.name] for field in fields(ChainState))).where(_CHAIN.c.id == bindparam("of"))
_STEPS = (
    select(*(_STEP.c[field.name] for field in fields(StepState)))
    .where(_STEP.c.chain_id.in_(bindparam("of", expanding=True)))
    .order_by(_STEP.c.chain_id, _STEP.c.position)
)
_LATEST = select(Chain).where(
    tuple_(col(Chain.subject), col(Chain.number)).in_(
        select(col(Chain.subject), func.max(col(Chain.number)))
        .where(col(Chain.subject).in_(bindparam("of", expanding=True)))
        .group_by(col(Chain.subject))
    )
)
_UNFINISHED = select(_CHAIN.c.subject).where(
    _CHAIN.c.subject.in_(bindparam("of", expanding=True)),
    _CHAIN.c.status.not_in((ChainStatus.SUCCEEDED, ChainStatus.FAILED)),
)
_UNLOCKED = (
    select(_CHAIN.c.id).where(_CHAIN.c.id.in_(bindparam("of", expanding=True))).with_for_update(skip_locked=True)
)
_HOLD = select(_CHAIN.c.id).where(_CHAIN.c.subject == bindparam("of")).order_by(_CHAIN.c.number).with_for_update()


class LeaseLost(Exception):  # noqa: N818
    """Another owner has the chain now. Whoever meets this stops at once and changes nothing more."""


Loaded = tuple[ChainState, list[StepState]]


@dataclass(slots=True)
class Claim:
    """A chain that this process owns until `valid_until` (monotonic seconds), longer each time it is renewed."""

    chain_id: str
    fence: int
    valid_until: float
    saved_at: float = 0.0  # when its last checkpoint was (monotonic seconds)
    stop: bool = False  # whether the chain is asked to stop, as of the last renewal
    tried: float = 0.0  # seconds under trial, as of the last renewal
    subject: str = ""  # for the log
    party: str | None = None
    others_due: bool = False  # whether others were due when it was claimed
    verdict: Mapping[str, Any] | None = None  # on its party, as of the last renewal
    look_again: bool = False  # whether one may be due now: another that it has freed, or itself, as `take_lanes` says
    loaded: Loaded | None = None  # as it is in the database, if that is known

    def guard(self) -> None:
        """To be called right before anything is sent. Raises LeaseLost when the lease has run out on this host's clock:
        a process that was stopped for so long sends nothing."""
        if time.monotonic() >= self.valid_until:
            raise LeaseLost

    def since_checkpoint(self) -> float:
        """Seconds since its last checkpoint."""
        return time.monotonic() - self.saved_at


class Store:
    """The chains of one database, for one process. Threads may share it.

    `owner` names this process in the rows it holds. `lease` (seconds): how long it may be silent before another process
    takes its chains over. A chain that has been under trial for `patience` seconds without coming to an end is stuck.
    """

    def __init__(self, database: Database, owner: str, lease: float, patience: float = 24 * 3600.0) -> None:
        self.database = database
        self.owner = owner
        self.lease = lease
        self.patience = patience

    # Making and reading

    def create(
        self,
        session: Session,
        subject: str,
        operation: str,
        steps: Sequence[str],
        given: Mapping[str, Any],
        delay: float = 0.0,
        party: str | None = None,
    ) -> str:
        """A new chain in the caller's transaction, to be claimed `delay` seconds after that commits. Returns its id.

        All chains of a `party` are to be created in one transaction.
        """
        chain, rows = _new(subject, operation, steps, given, ChainStatus.QUEUED)
        self._insert(session, chain, rows, owner=None, fence=0, lease=0.0, delay=delay, party=party)
        return chain.id

    def create_claimed(
        self, session: Session, subject: str, operation: str, steps: Sequence[str], given: Mapping[str, Any]
    ) -> Claim:
        """A new chain in the caller's transaction that is claimed from the start, to be run when that has committed."""
        begun = time.monotonic()
        chain, rows = _new(subject, operation, steps, given, ChainStatus.RUNNING)
        self._insert(session, chain, rows, owner=self.owner, fence=1, lease=self.lease, delay=0.0, party=None)
        return Claim(chain.id, 1, begun + self.lease, saved_at=begun, subject=subject, loaded=(chain, rows))

    def _insert(self, session: Session, chain: ChainState, rows: Sequence[StepState], **owned: Any) -> None:
        connection, since = session.connection(), {"updated_at": chain.created_at, "of": chain.subject}
        connection.execute(_CREATE, {**{name: getattr(chain, name) for name in _GIVEN}, **since, **owned})
        insert_rows(connection, _STEP, [_values(row, _PLANNED) for row in rows])

    def load(self, claim: Claim) -> Loaded:
        """The chain and its steps as they are in the database; without a query right after `create_claimed`."""
        loaded, claim.loaded = claim.loaded, None
        if loaded is not None:
            return loaded
        with self.database.read() as session:
            chain = ChainState(*session.connection().execute(_LOAD, {"of": claim.chain_id}).one())
            chain.stop = may_stop(chain.stop, chain.verdict)
            return chain, steps_of(session, [chain.id])[chain.id]

    # Owning

    def claim(self) -> Claim | None:
        """Takes over the chain that has been due longest, if there is one."""
        begun = time.monotonic()
        with self.database.transaction() as connection:
            row = connection.execute(_CLAIM, {"by": self.owner, "lease": self.lease}).one_or_none()
            others_due = row is not None and connection.execute(_DUE).first() is not None
        if row is None:
            return None
        return Claim(row.id, row.fence, begun + self.lease, subject=row.subject, party=row.party, others_due=others_due)

    def renew(self, claims: Iterable[Claim]) -> None:
        """Extends the leases of these claims. One that was lost meanwhile is met by LeaseLost at its next checkpoint.

        It waits for none of their rows: who has one renews it itself, or has given it back long before a lease is over.
        """
        mine = {claim.chain_id: claim for claim in claims}
        if not mine:
            return
        begun = time.monotonic()
        with self.database.transaction() as connection:
            free = connection.execute(_UNLOCKED, {"of": list(mine)}).scalars().all()
            renewed = [mine[each] for each in free if self._renew(connection, mine[each])]
        for claim in renewed:
            claim.valid_until = begun + self.lease

    def _renew(self, connection: Connection, claim: Claim) -> bool:
        values = {"of": claim.chain_id, "my_fence": claim.fence, "lease": self.lease, "at": utc_now()}
        row = connection.execute(_RENEW, values).one_or_none()
        if row is None:
            claim.stop = False
        else:
            claim.stop, claim.tried, claim.verdict = may_stop(row.stop, row.verdict), row.tried, row.verdict
        return row is not None

    # Checkpoints

    @contextmanager
    def checkpoint(self, claim: Claim, rows: Collection[StepState] = (), **changes: Any) -> Iterator[Session]:
        """One transaction: `changes` in the chain's own row, what the caller writes, then the steps in `rows`.

        The rows are written as they are when the caller's block ends; it may add to them until then. The lease is
        renewed. Raises LeaseLost, and writes nothing, if the chain has another owner.
        """
        begun = time.monotonic()
        with self.database.write() as session:
            if not self._renew(session.connection(), claim):
                raise LeaseLost
            if changes:
                self.change(session, claim, **changes)
            yield session
            saved = [_values(row, _SAVED) for row in rows]
            update_rows(session.connection(), _STEP, saved, chain_id=claim.chain_id)
        claim.saved_at = time.monotonic()
        claim.valid_until = begun + self.lease

    def change(self, session: Session, claim: Claim, **changes: Any) -> None:
        """Within a checkpoint: sets columns of the chain's own row."""
        given = {f"new_{name}": value for name, value in changes.items()}
        session.connection().execute(_change(tuple(changes)), {"of": claim.chain_id, **given})

    def release(self, session: Session, claim: Claim, delay: float | None, **changes: Any) -> None:
        """Within a checkpoint: gives the chain back, to be claimed in `delay` seconds, or not by itself (None)."""
        given = {f"new_{name}": value for name, value in changes.items()}
        session.connection().execute(_release(tuple(changes)), {"of": claim.chain_id, "delay": delay, **given})

    def end(self, session: Session, claim: Claim, status: ChainStatus, error: Mapping[str, Any] | None) -> None:
        """Within a checkpoint: the chain has ended, or (stuck) waits for `make_due`. It leaves its lanes."""
        finished = None if status == ChainStatus.STUCK else utc_now()
        self.release(session, claim, None, status=status, error=error, finished_at=finished)
        claim.look_again |= lanes.leave(session.connection(), claim.chain_id)

    def make_due(self, session: Session, chain_id: str) -> bool:
        """Makes a stuck or waiting chain due at once, with new patience. False if it is neither, or runs just now."""
        due = update(_CHAIN).where(
            _CHAIN.c.id == chain_id,
            _CHAIN.c.status.in_((ChainStatus.STUCK, ChainStatus.WAITING, ChainStatus.UNDOING)),
            _CHAIN.c.lease_until <= database_now(),
        )
        changes = {"status": ChainStatus.QUEUED, "next_attempt_at": database_now(), "tried": 0.0}
        if session.connection().execute(due.values(**changes)).rowcount == 0:
            return False
        session.execute(update(_STEP).where(_STEP.c.chain_id == chain_id).values(failures=0))
        return True

    def lock_chains(self, session: Session, subject: str) -> None:
        """Locks all chains of the subject: until the end of this transaction none of them comes to a checkpoint.

        To be called before anything else of the subject is read or written: checkpoints lock their chain first, too.
        """
        session.connection().execute(_HOLD, {"of": subject})

    def ask_to_stop(self, session: Session, chain_id: str) -> None:
        """Makes an unfinished chain end soon: undone, or, past its point of no return, finished."""
        unfinished = (_CHAIN.c.id == chain_id, _CHAIN.c.finished_at.is_(None))
        session.execute(update(_CHAIN).where(*unfinished).values(stop=True, waiting_for=None))
        self.make_due(session, chain_id)

    # Lanes

    def take_lanes(
        self, session: Session, claim: Claim, keys: Iterable[str], passing: Iterable[str] = ()
    ) -> str | None:
        """Within a checkpoint: takes the chain's place in the lanes `keys`, and in those of `passing` without waiting.

        Returns the first lane that it has to wait for; None when it has all of `keys`. Whoever has that lane may leave
        it before this is committed, and sees nobody wait: so it is looked for once more.
        """
        waits_for = lanes.take(session.connection(), claim.chain_id, keys, passing)
        claim.look_again |= waits_for is not None
        return waits_for

    def step_aside(self, session: Session, claim: Claim) -> None:
        """Within a checkpoint: leaves all lanes but that of its own subject, so that others may go first."""
        own = lanes.subject_lane(claim.subject)
        claim.look_again |= lanes.leave(session.connection(), claim.chain_id, but=own)


def _new(subject: str, operation: str, steps: Sequence[str], given: Mapping[str, Any], status: ChainStatus) -> Loaded:
    chain = ChainState(new_id("chn"), subject, operation, status, given, utc_now())
    return chain, [StepState(chain.id, position, name) for position, name in enumerate(steps)]


@cache
def _change(names: tuple[str, ...]) -> Update:
    """The statement that sets these columns, each to its `new_<name>`, of the chain `of`."""
    given = {name: bindparam(f"new_{name}", type_=_CHAIN.c[name].type) for name in names}
    return update(_CHAIN).where(_CHAIN.c.id == bindparam("of")).values(given)


@cache
def _release(names: tuple[str, ...]) -> Update:
    """The same, and the chain is nobody's: due in `delay` seconds, which count as tried; without any, not by itself."""
    delay = bindparam("delay", type_=Float(53))
    return _change(names).values(
        owner=None,
        lease_until=0.0,
        next_attempt_at=database_now() + delay,
        tried=_CHAIN.c.tried + func.coalesce(delay, 0.0),
    )


def _values(row: StepState, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def steps_of(session: Session, chain_ids: Iterable[str]) -> Mapping[str, list[StepState]]:
    """The steps of each of these chains, by chain id, in order."""
    found = defaultdict(list)
    for row in session.connection().execute(_STEPS, {"of": list(chain_ids)}):
        found[row.chain_id].append(StepState(*row))
    return found


def latest_chains(session: Session, subjects: Iterable[str]) -> dict[str, Chain]:
    """Each subject's latest chain, by subject; subjects without one are left out."""
    return {chain.subject: chain for chain in session.execute(_LATEST, {"of": list(subjects)}).scalars()}


def unfinished(session: Session, subjects: Iterable[str]) -> set[str]:
    """Those of the subjects that have a chain which has not ended; a stuck one has not."""
    return set(session.connection().execute(_UNFINISHED, {"of": list(subjects)}).scalars())


def stuck_chains(session: Session, most: int) -> tuple[int, Sequence[Row[str, str, str, Any]]]:
    """How many were given up on and wait for a person, and `most` of them, the oldest first, each with its `id`,
    `subject`, `operation` and `error`. What they were given is not read: it is much, and they may be thousands.
    """
    stuck = _CHAIN.c.status == ChainStatus.STUCK
    what = _CHAIN.c.id, _CHAIN.c.subject, _CHAIN.c.operation, _CHAIN.c.error
    found = select(*what).where(stuck).order_by(_CHAIN.c.id).limit(most)
    connection = session.connection()
    count = connection.execute(select(func.count()).select_from(_CHAIN).where(stuck)).scalar_one()
    return count, connection.execute(found).all()
