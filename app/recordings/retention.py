"""Deletes what nobody needs any more: old recordings with their chains, old idempotency keys and old notices. What else
is to be deleted with them is handed in.

A recording is old when it has been over, failed or cancelled for so many days. It stays as long as a chain may still
need it: its own, a sweep, or one that is done together with it; or an idempotency key, which answers with it.

Portions are small, so that they hold nobody up, and one process of several sees to it.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, and_, bindparam, delete, literal, or_, select, tuple_, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col

from app.chains.models import Chain, ChainStep, Lane
from app.database.background import Background
from app.database.database import Database
from app.database.types import utc_now
from app.notices.reading import forget as forget_notices
from app.recordings.models import (
    IdempotencyKey,
    Recording,
    RecordingCalendar,
    RecordingStatus,
    RecordingTag,
    ScheduleEvent,
)
from app.recordings.upkeep import claim
from app.resources.feed.links import CalendarLink
from app.resources.models import Booking, Drift, Occurrence

log = structlog.get_logger(__name__)

KEYS = timedelta(days=30)  # that an idempotency key is kept
PORTION = 20  # recordings of one transaction: each may have a thousand occurrences
MANY = 500  # idempotency keys, or notices, of one transaction
EVERY = 3600.0  # seconds between two looks for what is old
POLL = 60.0  # seconds between two looks whether it is time
PAUSE = 0.5  # seconds between two portions

_HOLD = (
    select(col(Chain.id))
    .where(col(Chain.subject).in_(bindparam("of", expanding=True)))
    .order_by(col(Chain.subject), col(Chain.number))
    .with_for_update()
)
_MINE, _OTHER = aliased(Chain), aliased(Chain)
_IS_SUBJECT = or_(col(_MINE.subject) == col(Recording.id), col(_MINE.subject) == literal("sweep:") + col(Recording.id))
_AT_WORK = select(col(_MINE.id)).where(_IS_SUBJECT, col(_MINE.finished_at).is_(None))
_PARTY_AT_WORK = (
    select(col(_MINE.id))
    .join(_OTHER, col(_OTHER.party) == col(_MINE.party))
    .where(_IS_SUBJECT, col(_OTHER.finished_at).is_(None))
)
_ANSWERED = select(col(IdempotencyKey.key)).where(col(IdempotencyKey.recording_id) == col(Recording.id))
_NEEDED = or_(*(one.correlate(Recording).exists() for one in (_AT_WORK, _PARTY_AT_WORK, _ANSWERED)))

# Asked for each document that is sent: built once.
_FAILED = select(col(Recording.id)).where(
    col(Recording.client) == bindparam("of"),
    col(Recording.reference_id) == bindparam("reference"),
    col(Recording.status) == RecordingStatus.FAILED,
)


def forget_failed(session: Session, client: str, reference_id: str | None) -> None:
    """Deletes failed recordings of a document that is sent once more. One that is still needed is listed no more."""
    if reference_id is None:
        return
    found = list(session.execute(_FAILED, {"of": client, "reference": reference_id}).scalars())
    if not found:
        return
    failed = (col(Recording.id).in_(found), col(Recording.status) == RecordingStatus.FAILED)
    _forget(session, found, *failed)
    session.execute(update(Recording).where(*failed, col(Recording.listed)).values(listed=False))


def forget_old(session: Session, before: datetime) -> int:
    """Deletes at most PORTION recordings that were over, failed or cancelled before then. Returns how many it did."""
    over = and_(col(Recording.status) == RecordingStatus.SCHEDULED, col(Recording.last_end) < before)
    given_up = col(Recording.status).in_((RecordingStatus.FAILED, RecordingStatus.CANCELLED))
    old = or_(over, and_(given_up, col(Recording.updated_at) < before))
    found = select(col(Recording.id)).where(old, ~_NEEDED).order_by(col(Recording.id)).limit(PORTION)
    return _forget(session, list(session.execute(found).scalars()), old)


def forget_keys(session: Session, before: datetime) -> int:
    """Deletes at most MANY idempotency keys that were used before then. Returns how many it did."""
    columns = (col(IdempotencyKey.client), col(IdempotencyKey.key))
    rows = session.execute(select(*columns).where(col(IdempotencyKey.created_at) < before).limit(MANY)).all()
    session.execute(delete(IdempotencyKey).where(tuple_(*columns).in_(rows)))
    return len(rows)


def _forget(session: Session, ids: Sequence[str], *still: ColumnElement[bool]) -> int:
    """Deletes those of the recordings that nobody needs, and of which this is `still` true once they are locked."""
    if not ids:
        return 0
    session.execute(_HOLD, {"of": [*ids, *(f"sweep:{one}" for one in ids)]})  # first of all, as whoever changes one
    statement = (
        select(col(Recording.id)).where(col(Recording.id).in_(ids), *still, ~_NEEDED).order_by(col(Recording.id))
    )
    gone = list(session.execute(statement.with_for_update()).scalars())
    subjects = [*gone, *(f"sweep:{one}" for one in gone)]
    chains = select(col(Chain.id)).where(col(Chain.subject).in_(subjects))
    rows: tuple[tuple[type[SQLModel], ColumnElement[bool]], ...] = (
        (Lane, col(Lane.chain_id).in_(chains)),
        (ChainStep, col(ChainStep.chain_id).in_(chains)),
        (Chain, col(Chain.subject).in_(subjects)),
        (RecordingTag, col(RecordingTag.recording_id).in_(gone)),
        (RecordingCalendar, col(RecordingCalendar.recording_id).in_(gone)),
        (ScheduleEvent, col(ScheduleEvent.recording_id).in_(gone)),
        (CalendarLink, col(CalendarLink.recording_id).in_(gone)),
        (Drift, col(Drift.booking_id).in_(gone)),
        (Occurrence, col(Occurrence.booking_id).in_(gone)),
        (Recording, col(Recording.id).in_(gone)),
        (Booking, col(Booking.id).in_(gone)),
    )
    for table, which in rows:
        session.execute(delete(table).where(which))
    return len(gone)


class Retention:
    """The thread of a process that deletes what is old, while it serves."""

    def __init__(
        self, database: Database, keep_days: int, also: Callable[[Session, datetime], int] = lambda *_: 0
    ) -> None:
        """`also` deletes a portion of what else was over before then, and returns how much it was."""
        self._database = database
        self._also = also
        self._keep = timedelta(days=keep_days)
        self._claim = claim(database, "retention", EVERY)
        self.thread = Background("retention", self._work, POLL)

    def run(self) -> int:
        """Deletes what is old, if it is time and no other process does. Returns how many recordings it deleted."""
        with self._database.write() as session:
            if session.connection().execute(self._claim).first() is None:
                return 0
        now, count = utc_now(), 0
        while self._portion(lambda session: forget_keys(session, now - KEYS)) == MANY:
            pass
        while self._portion(lambda session: forget_notices(session, MANY)) == MANY:
            pass
        while (gone := self._portion(lambda session: forget_old(session, now - self._keep))) > 0:
            count += gone
        while self._portion(lambda session: self._also(session, now - self._keep)) > 0:
            pass
        if count:
            log.info("forgotten", recordings=count)
        return count

    def _portion(self, act: Callable[[Session], int]) -> int:
        if self.thread.stopping:
            return 0
        with self._database.write() as session:
            done = act(session)
        if done:
            self.thread.sleep(PAUSE)
        return done

    def _work(self) -> float:
        self.run()
        return POLL
