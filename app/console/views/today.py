"""The day of all rooms: what a technician looks at, or a screen on the wall."""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from urllib.parse import urlencode

from fastapi import Request
from sqlalchemy import select
from sqlmodel import Session, col

from app.access.keys import Client
from app.console.people import Person
from app.console.views.axis import Axis, Bar, Seen, axis_for, lanes, sessions, zone_of
from app.database.types import utc_now
from app.findings.encoders import SILENT
from app.findings.finding import Finding
from app.findings.schemas import Severity
from app.recordings.models import Recording
from app.resources.encoders import states
from app.resources.encoders.signs import Signs
from app.resources.lookup import is_id
from app.resources.models import Encoder, EncoderState, Mirror, Resource
from app.resources.schemas import EncoderView

MOST_FINDINGS = 12  # on the page; the others are counted
MOST_LOOKS = 60  # rooms that one look at the page has read from Kaltura; the others wait for the next
OLD = timedelta(minutes=10)  # what was read so long ago is read again
LATELY = timedelta(minutes=15)  # `lectern watch` says how it is every ten


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page's address says.

    `room`: a part of the names that are looked for. `only`: `trouble`, or empty. `wall`: for a screen that nobody
    scrolls.
    """

    day: date | None
    room: str
    only: str
    wall: bool

    def address(self, **other: object) -> str:
        """Of this page, with something else instead of what it says."""
        said = {"day": self.day, "room": self.room, "only": self.only} | other
        query = urlencode({name: value for name, value in said.items() if value})
        return f"/console?{query}" if query else "/console"


@dataclass(frozen=True, slots=True)
class Room:
    """One row. `encoder` is one of `words.STATES`, `heard` when it was last heard, in words, by the clocks of the axis.
    `unread`: what others have booked in it was never read from Kaltura."""

    id: int
    name: str
    encoder: str
    heard: str
    bars: list[Bar]
    lanes: int
    in_trouble: bool
    unread: bool

    @property
    def classes(self) -> str:
        tall = f"k{self.lanes}" if self.lanes > 1 else ""
        return " ".join(name for name in (tall, "in-trouble" if self.in_trouble else "") if name)


@dataclass(frozen=True, slots=True)
class Today:
    """`now` is the place of the line, or None on another day. `rooms` are those that were asked for, `every` is how
    many there are, `in_trouble` and `unread` how many of them are. `is_empty`: nothing was ever scheduled here by
    them."""

    day: date
    axis: Axis
    now: int | None
    rooms: list[Room]
    every: int
    in_trouble: int
    unread: int
    findings: list[Finding]
    more_findings: int
    sessions: int
    is_empty: bool


def today(request: Request, person: Person, asked: Asked) -> Today:
    state, now = request.app.state, utc_now()
    client = person.client
    with state.database.read() as session:
        found = sorted(state.findings.of(session, client), key=_widest_first)
        zone = zone_of(session, client, *_around(asked.day, now), state.settings.time_zone)
        day = asked.day or now.astimezone(zone).date()
        midnight, next_midnight = (datetime.combine(day + timedelta(days=more), time(), zone) for more in (0, 1))
        seen = sessions(session, client, midnight, next_midnight, now)
        rooms = visible(session, client) if person.sees_rooms else _of_their_own(session, seen)
        there = {row.id for row in rooms}
        seen = [one for one in seen if one.resource_id in there]
        encoders = {row.resource_id: row for row in session.execute(select(Encoder)).scalars()}
        unread, old = _not_fresh(session, there, now)
        is_empty = person.reads and not _has_any(session, client)
    axis = axis_for(seen, zone)
    state.refreshers.look([*sorted(unread), *old][:MOST_LOOKS])
    rows = _Rows(axis, midnight, now, encoders, state.signs, _named(found), unread).of(rooms, seen)
    is_today = day == now.astimezone(zone).date()
    return Today(
        day,
        axis,
        axis.line(now, midnight) if is_today else None,
        _asked_for(rows, asked),
        len(rows),
        sum(row.in_trouble for row in rows),
        len(unread),
        found[:MOST_FINDINGS],
        max(len(found) - MOST_FINDINGS, 0),
        len(seen),
        is_empty,
    )


def _widest_first(one: Finding) -> tuple[object, ...]:
    """Within what is as urgent, first what is about no room and no recording alone: that Kaltura is away, say."""
    rank, *order = one.order
    return rank, one.subject.resource is not None or one.subject.recording_id is not None, *order


def _around(day: date | None, now: datetime) -> tuple[datetime, datetime]:
    """What may lie on the day, whatever the zone."""
    noon = now if day is None else datetime.combine(day, time(12), now.tzinfo)
    return noon - timedelta(hours=27), noon + timedelta(hours=27)


def visible(session: Session, client: Client) -> list[Resource]:
    """The rooms whose schedule this client may read, by name."""
    rows = session.execute(select(Resource).where(col(Resource.gone_since).is_(None))).scalars().all()
    known = partial(is_id, session)
    seen = (row for row in rows if client.may_see(row.id, row.system_name, known))
    return sorted(seen, key=lambda row: (row.name.casefold(), row.id))


def _of_their_own(session: Session, seen: Sequence[Seen]) -> list[Resource]:
    ids = {one.resource_id for one in seen}
    rows = session.execute(select(Resource).where(col(Resource.id).in_(ids))).scalars()
    return sorted(rows, key=lambda row: (row.name.casefold(), row.id))


def _not_fresh(session: Session, rooms: Set[int], now: datetime) -> tuple[set[int], list[int]]:
    """The rooms that were never read from Kaltura; and those that nobody keeps fresh, the oldest first."""
    known = session.execute(select(col(Mirror.resource_id), col(Mirror.as_of), col(Mirror.due_at)))
    rows = [(row.as_of, row.resource_id, row.due_at) for row in known if row.resource_id in rooms]
    old = sorted((as_of, number) for as_of, number, due in rows if as_of and due is None and as_of < now - OLD)
    return {number for as_of, number, _ in rows if as_of is None}, [number for _, number in old]


def _has_any(session: Session, client: Client) -> bool:
    mine = select(col(Recording.id)).limit(1)
    return (
        session.execute(mine if client.sees_all else mine.where(col(Recording.client) == client.name)).first()
        is not None
    )


def _named(found: Sequence[Finding]) -> frozenset[int]:
    """The rooms that a person should see to."""
    urgent = (one.subject.resource for one in found if one.severity != Severity.NOTICE)
    return frozenset(room.id for room in urgent if room is not None)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What all rows are made with. `named`: rooms that findings are about. `unread`: those never read."""

    axis: Axis
    midnight: datetime
    now: datetime
    encoders: Mapping[int, Encoder]
    signs: Signs
    named: frozenset[int]
    unread: Set[int]

    def of(self, rooms: Sequence[Resource], seen: Sequence[Seen]) -> list[Room]:
        on = defaultdict(list)
        for one in seen:
            on[one.resource_id].append(one)
        return [self._row(row, on[row.id]) for row in rooms]

    def _row(self, row: Resource, seen: Sequence[Seen]) -> Room:
        bars = self.axis.bars(seen, self.midnight)
        encoder = states.shown(self.encoders.get(row.id) or Encoder(resource_id=row.id), self.signs)
        state, heard = how_it_is(encoder, self.axis, self.now)
        missed = state == "silent" and any(one.end > self.now for one in seen)
        in_trouble = missed or state == "error" or row.id in self.named or any(one.state == "trouble" for one in seen)
        return Room(row.id, row.name, state, heard, bars, lanes(bars), in_trouble, row.id in self.unread)


def _asked_for(rows: Sequence[Room], asked: Asked) -> list[Room]:
    """On a wall those in trouble come first: what is below the screen's edge is seen by nobody."""
    part = asked.room.casefold().strip()
    found = [row for row in rows if part in row.name.casefold() and (row.in_trouble or not asked.only)]
    return sorted(found, key=lambda row: not row.in_trouble) if asked.wall else found


def how_it_is(encoder: EncoderView, axis: Axis, now: datetime) -> tuple[str, str]:
    """An encoder's state, one of `words.STATES`, and when it was last heard, if that was long ago: `since 08:52`.

    Whose key is for all rooms is seen by what it says of itself alone: who polls with it is not known.
    """
    if encoder.state in (EncoderState.ERROR, EncoderState.OFFLINE):
        return encoder.state, ""
    if encoder.last_poll_at is None:
        if encoder.said_at is None:
            return "never", ""
        return ("in_touch", "") if encoder.said_at > now - LATELY else ("said", _when(encoder.said_at, axis, now))
    if encoder.last_poll_at > now - SILENT:
        return "in_touch", ""
    return "silent", f"since {_when(encoder.last_poll_at, axis, now)}"


def _when(moment: datetime, axis: Axis, now: datetime) -> str:
    """By the clocks of the axis: `08:52`, or the date if it was not today."""
    local = moment.astimezone(axis.zone)
    return f"{local:%H:%M}" if local.date() == now.astimezone(axis.zone).date() else f"{local.day} {local:%b}"
