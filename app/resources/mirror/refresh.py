"""The mirror: Lectern's copy, in SQL, of what Kaltura has scheduled on each resource, whoever scheduled it.

                 asked for, or its occurrences changed
    asleep ──────────────────────────────────────────────▶ due ◀───────────────┐
       ▲                                                     │ claimed           │ 60 s later
       │ nobody has asked for an hour                        ▼                   │
       └──────────────────────────────────────────────── refreshing ────────────┘
                                                             │ fails: the old state stays
                                                             │ looks odd: app/resources/mirror/doubts.py
                                                             └──▶ due again, within seconds at first; asleep
                                                                  after an hour of it in which nobody asked

Every process refreshes. A resource is claimed by one conditional UPDATE in the database's time, so that one process
at a time has it; the same statement keeps all of them together within so many refreshes per second. The longest
waiting comes first; what is wanted at once counts as having waited for an hour already. A first look comes before
all else, and has a budget of its own: until then, whoever asks gets no schedule at all.

A refresh reads Kaltura outside of any transaction and writes in one, if the resource's version is still the one that
was claimed: if it is not, a chain has changed something meanwhile, and all that was read may be older than that.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Executable, and_, bindparam, case, delete, func, or_, select, update
from sqlmodel import Session, SQLModel, col
from structlog.contextvars import bound_contextvars

from app.database.database import Database, is_away
from app.database.many_rows import portions
from app.database.types import database_now, insert, utc_now
from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError
from app.kaltura.trips import Trips
from app.kaltura.types import Event
from app.recurrence.occurrences import zone
from app.recurrence.server import LONGEST_REPEAT
from app.resources.mirror import compare, doubts, drift
from app.resources.mirror.doubts import Seen
from app.resources.models import URGENT, Booking, Occurrence
from app.resources.references import recording_of
from app.resources.rounds import Busy
from app.resources.whole_list import everything

log = structlog.get_logger(__name__)

EVERY = 60.0  # seconds between two refreshes of a resource that is being asked for
AGAIN = 2.0  # seconds until the next look after one that could not be believed, or that failed while somebody waits
INTEREST = 3600.0  # seconds for which a resource stays of interest after it was asked for
TRIES = int(INTEREST / EVERY)  # failed looks in a row, after which one that nobody asks for is left alone
LEASE = 60.0  # seconds after which another process takes over
FIRST = 10 * URGENT  # seconds that a resource which was never looked at has waited already
FIRST_PER_SECOND = 20.0  # first looks of all processes together, where fewer refreshes are allowed
TOGETHER = 10  # resources whose lists are read in one request
AT_ONCE = 500  # ids in one statement
BEFORE = timedelta(minutes=5)  # clocks differ
HORIZON = datetime(2100, 1, 1, tzinfo=UTC)  # no document and no window goes further

_MIRROR, _BOOKING = (SQLModel.metadata.tables[name] for name in ("mirror", "booking"))
_DUE = (
    # A CTE: a plain IN (SELECT … LIMIT 1) may be evaluated again and claim more than one.
    select(_MIRROR.c.resource_id)
    .where(
        _MIRROR.c.due_at <= database_now(),
        _MIRROR.c.lease_until <= database_now(),
        _MIRROR.c.claimed_at <= database_now() - bindparam("span"),  # each is counted once
    )
    .order_by(_MIRROR.c.due_at, _MIRROR.c.resource_id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .cte("due")
)
_IS_FIRST = and_(_MIRROR.c.as_of.is_(None), _MIRROR.c.failures == 0)
_ALLOWED = case((_IS_FIRST, bindparam("first")), else_=bindparam("allowed"))
_SPENT = select(func.count()).where(_MIRROR.c.claimed_at > database_now() - bindparam("span")).scalar_subquery()
_CLAIM = (
    update(_MIRROR)
    .where(_MIRROR.c.resource_id.in_(select(_DUE.c.resource_id)), _ALLOWED > _SPENT)
    .values(
        owner=bindparam("by"),
        fence=_MIRROR.c.fence + 1,
        claimed_at=database_now(),
        lease_until=database_now() + LEASE,
    )
    .returning(
        *(_MIRROR.c[name] for name in ("resource_id", "fence", "version", "as_of", "failures", "doubts")),
        func.coalesce(database_now() - _MIRROR.c.doubted_at, 0.0),
        _MIRROR.c.odd,
    )
)
# Waits for nobody: one that is locked is being claimed, or changed, which makes it due too.
_FIRST_OF_ALL = database_now() - FIRST
_ITS_ROW = select(_MIRROR.c.resource_id).where(_MIRROR.c.resource_id == bindparam("of"))
_IS_UNLOCKED = _MIRROR.c.resource_id.in_(_ITS_ROW.with_for_update(skip_locked=True))
_ASK = (
    update(_MIRROR)
    .where(_IS_UNLOCKED)
    .values(
        asked_at=database_now(),
        due_at=case(
            # One that is first already keeps its place.
            (and_(_IS_FIRST, func.coalesce(_MIRROR.c.due_at, database_now()) > database_now() - FIRST), _FIRST_OF_ALL),
            else_=func.coalesce(_MIRROR.c.due_at, database_now() - URGENT),
        ),
    )
)
_LOOK = update(_MIRROR).where(_IS_UNLOCKED, _MIRROR.c.due_at.is_(None)).values(due_at=database_now())
_LOCK = (
    select(_MIRROR.c.version)
    .where(_MIRROR.c.resource_id == bindparam("of"), _MIRROR.c.fence == bindparam("held"))
    .with_for_update()
)
_BOOKED = (
    select(
        col(Booking.source), col(Booking.time_zone), *(col(getattr(Occurrence, name)) for name in compare.Row._fields)
    )
    .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
    .where(
        col(Occurrence.resource_id) == bindparam("of"),
        or_(col(Occurrence.end) > bindparam("since"), col(Booking.source) != "lectern"),
    )
)


class LeaseLost(Exception):  # noqa: N818
    """Another process refreshes this resource now: what this one has read is not written."""


@dataclass(frozen=True, slots=True)
class MirrorClaim:
    """A resource's mirror as it was when it was claimed.

    For `doubted_for` seconds, and `doubts` times, its list was odd; by `odd` when it was believed last.
    """

    resource_id: int
    fence: int
    version: int
    as_of: datetime | None = None
    failures: int = 0
    doubts: int = 0
    doubted_for: float = 0.0
    odd: int = 0

    def believes(self, seen: Seen) -> bool:
        """Whether a list is as odd as lists of this resource are. Nothing is lost of one that was never read."""
        usual = seen.odd <= self.odd or (self.doubts >= doubts.LOOKS and self.doubted_for >= doubts.LONG)
        return usual or (self.as_of is None and not seen.short)

    @property
    def pause(self) -> float:
        """Seconds until the next look, if this one is not believed."""
        return min(EVERY, AGAIN * 2.0 ** min(self.failures, 10))


@dataclass(frozen=True, slots=True)
class Budget:
    """How many refreshes per second there may be, of all processes together: `allowed` in any `span` of seconds."""

    per_second: float

    @property
    def span(self) -> float:
        return max(1.0, 1.0 / self.per_second)

    @property
    def allowed(self) -> int:
        return max(1, int(self.per_second * self.span))

    @property
    def first(self) -> int:
        """The same for first looks."""
        return max(self.allowed, int(FIRST_PER_SECOND * self.span))

    @property
    def rate(self) -> float:
        return self.allowed / self.span


class Mirror:
    """What one process needs to keep mirrors fresh. Threads may share it; each brings its own client."""

    def __init__(
        self,
        database: Database,
        owner: str,
        *,
        per_second: float,
        default_zone: str = "UTC",
        server_zone: str = "UTC",
        busy: Busy = lambda _session, _recordings: (),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`per_second`: refreshes of all processes together, at most. `default_zone`: of events that name none.

        `server_zone`: of Kaltura's server.
        """
        self._database = database
        self._owner = owner
        self._budget = Budget(per_second)
        self._default_zone = zone(default_zone)
        self._server_zone = zone(server_zone)
        self._busy = busy
        self.clock = clock

    def ask(self, resource_ids: Collection[int]) -> None:
        """Keeps these resources fresh for an hour from now. Those that nobody had asked for are due at once."""
        with self._database.write() as session:
            session.connection().execute(_ASK, [{"of": resource_id} for resource_id in sorted(resource_ids)])

    def look(self, resource_ids: Collection[int]) -> None:
        """Makes those of these resources due that nobody keeps fresh: for one look, behind all that wait already."""
        with self._database.write() as session:
            session.connection().execute(_LOOK, [{"of": resource_id} for resource_id in sorted(resource_ids)])

    def claim(self) -> MirrorClaim | None:
        """Claims the resource that has waited longest; None if none is due, or the budget is spent."""
        budget = self._budget
        values = {"by": self._owner, "span": budget.span, "allowed": budget.allowed, "first": budget.first}
        with self._database.write() as session:
            row = session.connection().execute(_CLAIM, values).one_or_none()
        return MirrorClaim(*row) if row else None

    def give_back(self, claim: MirrorClaim) -> None:
        """Gives up a claim of which nothing came: the resource is soon due again."""
        with self._database.write() as session:
            session.connection().execute(
                update(_MIRROR)
                .where(_MIRROR.c.resource_id == claim.resource_id, _MIRROR.c.fence == claim.fence)
                .values(owner=None, lease_until=0.0, due_at=database_now() + AGAIN)
            )

    def claim_some(self) -> list[MirrorClaim]:
        """Claims up to TOGETHER resources that are due, within the budget."""
        found = list[MirrorClaim]()
        while len(found) < TOGETHER and (claim := self.claim()) is not None:
            found.append(claim)
        return found

    def refresh_together(self, client: KalturaClient, claims: Sequence[MirrorClaim]) -> None:
        """`refresh` for each of them; what they ask of Kaltura goes in one request.

        Those that failed last time go alone: Kaltura may die of one of them, and then all that go with it are lost.
        """
        well = [claim for claim in claims if not claim.failures]
        for group in (well, *([claim] for claim in claims if claim.failures)):
            Trips(client)([partial(self._refresh_one, client, claim) for claim in group])

    def _refresh_one(self, client: KalturaClient, claim: MirrorClaim) -> None:
        with bound_contextvars(resource_id=claim.resource_id):  # on every line of the log
            self.refresh(client, claim)

    def refresh(self, client: KalturaClient, claim: MirrorClaim) -> None:
        """Brings SQL to what Kaltura has on the resource now, or leaves it as it is and notes why.

        Raises SQLAlchemyError when the database is away.
        """
        try:
            self._refresh(client, claim)
        except LeaseLost:
            log.warning("mirror_lease_lost", resource_id=claim.resource_id)
        except Exception as error:
            if is_away(error):
                raise
            self._stumble(claim, error)

    def _refresh(self, client: KalturaClient, claim: MirrorClaim) -> None:
        began = self.clock()
        with self._database.read() as session:
            own, others, zones = _rows(session, claim.resource_id, began)
        try:
            listed = everything(client.list_events_on_resource, claim.resource_id, began - BEFORE, HORIZON)
            with self._database.read() as session:
                busy = self._busy(session, {row.booking_id for row in own} | _recordings(listed))
            rows = [row for row in (*own, *others) if row.booking_id not in busy]
            seen = doubts.look_closer(client, claim.resource_id, rows, listed, began, claim.as_of)
        except KalturaError as error:
            self._fail(claim, str(error))
            return
        ours, theirs = compare.split(seen.events, own, busy)
        settled = [row for row in own if row.booking_id not in busy and row.id not in seen.unsure]
        if seen.unread:
            log.warning("mirror_unreadable", resource_id=claim.resource_id, reason=seen.unread)
        differences = compare.differences(settled, ours, zones, self._server_zone, began, seen.unlisted)
        plan = compare.follow(claim.resource_id, others, theirs, self._default_zone, seen.unsure)
        with self._database.write() as session:
            if self._locked_version(session, claim) != claim.version:
                self._settle(session, claim, due_at=database_now() - URGENT)
                return
            _write(session, plan)
            drift.write(session, claim.resource_id, differences, began, busy, lasting=claim.believes(seen))
            if claim.believes(seen):
                believed = {"failure": None, "failures": 0, "doubts": 0, "doubted_at": None, "odd": seen.odd}
                self._settle(session, claim, as_of=began, due_at=_next(), trouble=seen.unread, **believed)
            else:
                doubted = {
                    "doubts": claim.doubts + 1,
                    "doubted_at": func.coalesce(_MIRROR.c.doubted_at, database_now()),
                }
                self._look_again(session, claim, str(seen.why), claim.pause, trouble=seen.unread, **doubted)

    def _fail(self, claim: MirrorClaim, failure: str) -> None:
        with self._database.write() as session:
            self._locked_version(session, claim)
            self._look_again(session, claim, failure, EVERY if claim.as_of else claim.pause)

    def _stumble(self, claim: MirrorClaim, error: Exception) -> None:
        """A reason of ours: it is told, what may be in the way is cleared, and the old state stays."""
        log.error("mirror_mistake", resource_id=claim.resource_id, exc_info=error)
        why = f"a mistake of ours ({type(error).__name__}); the log has it"
        with self._database.write() as session:
            self._locked_version(session, claim)
            session.execute(_clear(claim.resource_id))
            self._look_again(session, claim, why, claim.pause, trouble=why)

    def _look_again(self, session: Session, claim: MirrorClaim, failure: str, pause: float, **changes: object) -> None:
        log.warning("mirror_not_refreshed", resource_id=claim.resource_id, reason=failure)
        failures = claim.failures + 1
        due_at = database_now() + pause if failures < TRIES else _next(pause)
        self._settle(session, claim, failure=failure, failures=failures, due_at=due_at, **changes)

    def _locked_version(self, session: Session, claim: MirrorClaim) -> int:
        """The resource's version, which nobody changes until the end of this transaction. Raises LeaseLost."""
        mine = {"of": claim.resource_id, "held": claim.fence}
        version: int | None = session.connection().execute(_LOCK, mine).scalar_one_or_none()
        if version is None:
            raise LeaseLost
        return version

    def _settle(self, session: Session, claim: MirrorClaim, **changes: object) -> None:
        """The last statement of a refresh: triggers have made the resource due if it changed anything."""
        session.flush()
        session.connection().execute(
            update(_MIRROR)
            .where(_MIRROR.c.resource_id == claim.resource_id)
            .values(owner=None, lease_until=0.0, changed_at=database_now(), **changes)
        )


def _next(pause: float = EVERY) -> object:
    """When the next refresh is due: never, if nobody asks."""
    interesting = _MIRROR.c.asked_at > database_now() - INTEREST
    return case((interesting, database_now() + pause), else_=None)


def _recordings(events: Iterable[Event]) -> set[str]:
    return {found for event in events if (found := recording_of(event.reference_id))}


# SQL


def _rows(
    session: Session, resource_id: int, now: datetime
) -> tuple[list[compare.Row], list[compare.Row], dict[str, ZoneInfo]]:
    """The resource's occurrences: Lectern's own that may not be over in Kaltura, in any state; those of others;
    bookings' zones.
    """
    own, others, zones = list[compare.Row](), list[compare.Row](), dict[str, ZoneInfo]()
    for source, zone_name, *values in session.execute(
        _BOOKED, {"of": resource_id, "since": now - BEFORE - LONGEST_REPEAT}
    ):
        row = compare.Row(*values)
        (own if source == "lectern" else others).append(row)
        if row.booking_id not in zones:
            zones[row.booking_id] = zone(zone_name)
    return own, others, zones


def _write(session: Session, plan: compare.Plan) -> None:
    if plan.bookings:  # one that stands there unused is the same: its id says all of its words
        new = insert(session.get_bind().dialect.name, _BOOKING).on_conflict_do_nothing()
        session.connection().execute(new, [booking.model_dump() for booking in plan.bookings])
    session.add_all(plan.added)
    for row in plan.changed:
        values = {"booking_id": row.booking_id, "start": row.start, "end": row.end, "event_id": row.event_id}
        session.execute(
            update(Occurrence).where(col(Occurrence.id) == row.id).values(**values, series_id=row.series_id)
        )
    session.flush()
    for some in portions(plan.gone, AT_ONCE):
        session.execute(delete(Occurrence).where(col(Occurrence.id).in_(some)))
    for some in portions(plan.unused_bookings, AT_ONCE):
        session.execute(delete(Booking).where(col(Booking.id).in_(some)))


def _clear(resource_id: int) -> Executable:
    """Removes bookings of others on the resource that nothing refers to any more."""
    used = select(col(Occurrence.id)).where(col(Occurrence.booking_id) == col(Booking.id))
    own = col(Booking.id).startswith(f"kal_{resource_id}_", autoescape=True)
    return delete(Booking).where(col(Booking.source) == "kaltura", own, ~used.exists())
