"""What each receiver is to be sent next, and what became of it: claims, leases and fences, as chains have them.

    notices ── up to `seen` ──┬─ taken                                             nothing is kept of it
                              ├─ not taken ─────────▶ undelivered, tried again ──▶ taken, or given up on
                              └─ about the same subject as one that waits ──▶ undelivered, behind that one

So a notice that its receiver refuses holds up those about the same subject alone. `TROUBLE` tries in a row that came to
nothing are the receiver's trouble, not a notice's: it is left alone for a while, and then one try shows how it is.

A receiver is one process's at a time, for as long as its lease; what was sent and not yet noted when the process died
is sent again. No transaction is open while something is sent.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Row,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    true,
    update,
)
from sqlmodel import SQLModel

from app.database.counters import last
from app.database.database import Database
from app.database.types import database_now
from app.notices.telling import NOTICES

log = structlog.get_logger(__name__)

PATIENCE = 3 * 86_400.0  # seconds that a notice is tried for
PAUSES = (5.0, 30.0, 120.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0)  # between tries; the last one goes on
LONGEST_REST = 3600.0  # of a receiver in trouble: so soon it is noticed that it is well again
TROUBLE = 3  # tries in a row that came to nothing
MOST_AT_ONCE = 200  # notices that are put behind others in one transaction

_WEBHOOK, _UNDELIVERED, _NOTICE = (SQLModel.metadata.tables[name] for name in ("webhook", "undelivered", "notice"))
_EARLIER = _UNDELIVERED.alias("earlier")


def wanted(client: str | None, patterns: Sequence[str]) -> ColumnElement[bool]:
    """The notices of a client (None: everybody's) that one of the patterns names: `recording.*`, `finding.raised`."""
    kind = _NOTICE.c.kind
    named = [kind.startswith(each[:-1]) if each.endswith("*") else kind == each for each in patterns]
    return and_(or_(*named), true() if client is None else _NOTICE.c.client == client)


def _waiting(rows: Any) -> ColumnElement[bool]:
    found: ColumnElement[bool] = rows.c.next_attempt_at.is_not(None)
    return found


# Built once: building a statement costs more than running it.
_BEHIND = (
    exists()
    .where(
        _EARLIER.c.webhook_id == _UNDELIVERED.c.webhook_id,
        _EARLIER.c.subject == _UNDELIVERED.c.subject,
        _EARLIER.c.number < _UNDELIVERED.c.number,
        _waiting(_EARLIER),
    )
    .correlate(_UNDELIVERED)
)
_OPEN = and_(_UNDELIVERED.c.next_attempt_at <= database_now(), ~_BEHIND)
_HAS_OPEN = exists().where(_UNDELIVERED.c.webhook_id == _WEBHOOK.c.id, _OPEN).correlate(_WEBHOOK)
_DUE = (
    select(_WEBHOOK.c.id)
    .where(
        _WEBHOOK.c.revoked_at.is_(None),
        _WEBHOOK.c.lease_until <= database_now(),
        _WEBHOOK.c.next_attempt_at <= database_now(),
        or_(_WEBHOOK.c.seen < bindparam("last"), _HAS_OPEN),
    )
    .order_by(_WEBHOOK.c.next_attempt_at, _WEBHOOK.c.id)
    .limit(1)
)
_CLAIM = (
    update(_WEBHOOK)
    # A CTE: a plain IN (SELECT … LIMIT 1) may be evaluated again and claim more than one.
    .where(_WEBHOOK.c.id.in_(select(_DUE.with_for_update(skip_locked=True).cte("due").c.id)))
    .values(owner=bindparam("by"), fence=_WEBHOOK.c.fence + 1, lease_until=database_now() + bindparam("lease"))
    .returning(_WEBHOOK.c.id, _WEBHOOK.c.fence)
)
_MINE = (
    _WEBHOOK.c.id == bindparam("of"),
    _WEBHOOK.c.fence == bindparam("held"),
    _WEBHOOK.c.owner.is_not(None),
    _WEBHOOK.c.revoked_at.is_(None),
)
_RENEW = (
    update(_WEBHOOK)
    .where(*_MINE)
    .values(lease_until=database_now() + bindparam("lease", type_=Float(53)))
    .returning(*_WEBHOOK.c)
)
_COLUMNS = [_NOTICE.c[name] for name in ("number", "id", "kind", "client", "subject", "data", "told_at")]
_LATE = (
    select(*_COLUMNS, _UNDELIVERED.c.attempts)
    .select_from(_UNDELIVERED.join(_NOTICE, _NOTICE.c.number == _UNDELIVERED.c.number))
    .where(_UNDELIVERED.c.webhook_id == bindparam("of"), _OPEN)
    .order_by(_UNDELIVERED.c.number)
    .limit(1)
)
_BLOCKED = select(_UNDELIVERED.c.number).where(
    _UNDELIVERED.c.webhook_id == bindparam("of"), _UNDELIVERED.c.subject == bindparam("about"), _waiting(_UNDELIVERED)
)


@dataclass(slots=True)
class Claim:
    """A receiver that this process works for until `valid_until` (monotonic seconds)."""

    webhook_id: str
    fence: int
    valid_until: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be sent now. `attempts`: how often this was tried before; None: it never was."""

    webhook_id: str
    url: str
    secret: str
    notice: Mapping[str, Any]  # its row
    attempts: int | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of a delivery; `error`: why it was not taken."""

    delivery: Delivery
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    database: Database
    owner: str
    lease: float  # seconds; longer than one exchange takes
    patience: float = PATIENCE
    pauses: Sequence[float] = PAUSES

    def claim(self) -> Claim | None:
        """Begins to work for a receiver that there is something for, if there is one."""
        begun = time.monotonic()
        with self.database.read() as session:
            known = {"last": last(session, NOTICES)}
            if session.connection().execute(_DUE, known).first() is None:
                return None
        with self.database.transaction() as connection:
            row = connection.execute(_CLAIM, {**known, "by": self.owner, "lease": self.lease}).one_or_none()
        return Claim(row.id, row.fence, begun + self.lease) if row else None

    def go_on(self, claim: Claim, tried: Tried | None, *, stopping: bool = False) -> Delivery | None:
        """Notes what became of the last delivery. The next one; None: the receiver is given back, or lost."""
        begun = time.monotonic()
        with self.database.write() as session:
            connection = session.connection()
            held = {"of": claim.webhook_id, "held": claim.fence, "lease": self.lease}
            webhook = connection.execute(_RENEW, held).one_or_none()
            if webhook is None:
                return None
            seen, rest = webhook.seen, 0.0
            if tried is not None:
                seen = max(seen, tried.delivery.notice["number"])
                rest = self._note(connection, webhook, tried, seen)
            found = None
            if not rest and not stopping:
                failed = webhook.failures > 0 if tried is None else tried.error is not None
                found = self._next(connection, webhook, seen, last(session, NOTICES), new_first=failed)
            if found is None:
                back = {"owner": None, "lease_until": 0.0, "next_attempt_at": database_now() + rest}
                connection.execute(update(_WEBHOOK).where(_WEBHOOK.c.id == webhook.id).values(**back))
        claim.valid_until = begun + self.lease
        return found

    # What became of it

    def _note(self, connection: Connection, webhook: Row[Any], tried: Tried, seen: int) -> float:
        """For how many seconds the receiver is to be left alone."""
        this = update(_WEBHOOK).where(_WEBHOOK.c.id == webhook.id)
        if tried.error is None:
            self._taken(connection, webhook, tried.delivery)
            connection.execute(this.values(seen=seen, failures=0, failing_since=None, error=None))
            return 0.0
        self._not_taken(connection, webhook.id, tried.delivery, tried.error)
        failures = webhook.failures + 1
        if failures >= TROUBLE:
            seen = self._give_up(connection, webhook, seen)
        since = func.coalesce(_WEBHOOK.c.failing_since, database_now())
        connection.execute(this.values(seen=seen, failures=failures, failing_since=since, error=tried.error))
        return min(self._pause(failures - TROUBLE + 1), LONGEST_REST) if failures >= TROUBLE else 0.0

    def _taken(self, connection: Connection, webhook: Row[Any], delivery: Delivery) -> None:
        mine = _UNDELIVERED.c.webhook_id == webhook.id
        if delivery.attempts is not None:
            connection.execute(delete(_UNDELIVERED).where(mine, _UNDELIVERED.c.number == delivery.notice["number"]))
        if webhook.failures >= TROUBLE:  # it is well again: all that it was given in vain is due at once
            waiting = update(_UNDELIVERED).where(mine, _waiting(_UNDELIVERED))
            connection.execute(waiting.values(next_attempt_at=database_now()))

    def _not_taken(self, connection: Connection, webhook_id: str, delivery: Delivery, error: str) -> None:
        if delivery.attempts is None:
            self._put_off(connection, webhook_id, delivery.notice, 1, error)
            return
        attempts, since = delivery.attempts + 1, _UNDELIVERED.c.since
        due = case((since <= self._too_old, null()), else_=database_now() + self._pause(attempts))
        this = (_UNDELIVERED.c.webhook_id == webhook_id, _UNDELIVERED.c.number == delivery.notice["number"])
        again = update(_UNDELIVERED).where(*this).values(attempts=attempts, error=error, next_attempt_at=due)
        connection.execute(again)

    def _put_off(
        self, connection: Connection, webhook_id: str, notice: Mapping[str, Any], attempts: int, error: str | None
    ) -> None:
        """A notice that was not taken, or (0 `attempts`) waits behind another one."""
        row = {"webhook_id": webhook_id, "number": notice["number"], "subject": notice["subject"]}
        times = {"since": database_now(), "next_attempt_at": database_now() + self._pause(attempts)}
        connection.execute(insert(_UNDELIVERED).values(**row, **times, attempts=attempts, error=error))

    def _pause(self, attempts: int) -> float:
        return self.pauses[min(attempts, len(self.pauses)) - 1] if attempts else 0.0

    @property
    def _too_old(self) -> ColumnElement[float]:
        """What was begun by then was tried for long enough."""
        return database_now() - self.patience

    def _give_up(self, connection: Connection, webhook: Row[Any], seen: int) -> int:
        """What has waited for too long for a receiver that takes nothing is not tried any more. What it has `seen`.

        That it was told long ago is not enough: this service may have been off meanwhile.
        """
        late = (_UNDELIVERED.c.webhook_id == webhook.id, _waiting(_UNDELIVERED), _UNDELIVERED.c.since <= self._too_old)
        connection.execute(update(_UNDELIVERED).where(*late).values(next_attempt_at=None))
        failing = literal(webhook.failing_since, Float(53)) <= self._too_old
        old = select(func.max(_NOTICE.c.number)).where(
            _NOTICE.c.number > seen, _NOTICE.c.told_at <= self._too_old, failing
        )
        until = connection.execute(old).scalar_one()
        if until is None:
            return seen
        columns = ("webhook_id", "number", "subject", "attempts", "since")
        missed = select(literal(webhook.id), _NOTICE.c.number, _NOTICE.c.subject, literal(0), _NOTICE.c.told_at).where(
            _NOTICE.c.number > seen, _NOTICE.c.number <= until, wanted(webhook.client, webhook.notices)
        )
        connection.execute(insert(_UNDELIVERED).from_select(columns, missed))
        log.warning("webhook_gave_up", webhook=webhook.id, detail="`lectern webhooks list --undelivered` shows what.")
        return int(until)

    # What comes next

    def _next(
        self, connection: Connection, webhook: Row[Any], seen: int, latest: int, *, new_first: bool
    ) -> Delivery | None:
        """`new_first`: the last try was in vain. What was refused once may be refused for ever, and hold up others."""
        if new_first:
            return self._new(connection, webhook, seen, latest) or self._late(connection, webhook)
        return self._late(connection, webhook) or self._new(connection, webhook, seen, latest)

    def _late(self, connection: Connection, webhook: Row[Any]) -> Delivery | None:
        late = connection.execute(_LATE, {"of": webhook.id}).one_or_none()
        return late and Delivery(webhook.id, webhook.url, webhook.secret, late._asdict(), late.attempts)

    def _new(self, connection: Connection, webhook: Row[Any], seen: int, latest: int) -> Delivery | None:
        mine = (_NOTICE.c.number <= latest, wanted(webhook.client, webhook.notices))
        found = None
        for _ in range(MOST_AT_ONCE):
            new = select(*_COLUMNS).where(_NOTICE.c.number > seen, *mine).order_by(_NOTICE.c.number).limit(1)
            row = connection.execute(new).one_or_none()
            if row is None:
                seen = max(seen, latest)
                break
            if connection.execute(_BLOCKED, {"of": webhook.id, "about": row.subject}).first() is None:
                found = Delivery(webhook.id, webhook.url, webhook.secret, row._asdict(), None)
                break
            self._put_off(connection, webhook.id, row._asdict(), 0, None)
            seen = row.number
        connection.execute(update(_WEBHOOK).where(_WEBHOOK.c.id == webhook.id).values(seen=seen))
        return found
