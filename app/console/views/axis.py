"""Sessions as bars on a time axis: what is there on it, for whom, and where each bar stands.

A place on the axis is a class of the style sheet, `p0` on, in units of five minutes after the axis begins; `w1` on is a
width, `n12` how many units the axis has. So a page needs no style of its own, which its policy would refuse.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Row, Select, bindparam, false, func, or_, select
from sqlmodel import Session, SQLModel, col

from app.access.keys import Client
from app.access.scopes import Scope
from app.console.words import cut
from app.recordings.models import Recording, RecordingStatus
from app.resources.conflicts import LONGEST
from app.resources.mirror import drift
from app.resources.models import OccurrenceStatus

UNIT = 5  # minutes
HOUR = 60 // UNIT
DAY = 24 * HOUR
USUAL = 10  # units: the width of a bar that says none
EARLIEST, LATEST = 8, 18  # hours that an axis has at least
LONGEST_TITLE = 24  # characters in a bar; the style sheet cuts what is too long for it, this keeps the page light
SHORT = 16  # characters of a recording's id in a bar's address: 48 bits of time, and 30 random ones

_OCCURRENCE, _BOOKING = (SQLModel.metadata.tables[name] for name in ("occurrence", "booking"))
_SEEN = (
    select(
        *(_OCCURRENCE.c[name] for name in ("id", "resource_id", "start", "end", "status", "withdrawn")),
        _OCCURRENCE.c.title.label("own_title"),
        *(_BOOKING.c[name] for name in ("title", "source", "kind", "time_zone")),
        _BOOKING.c.id.label("booking_id"),
        col(Recording.client).label("client"),
        col(Recording.status).label("recording_status"),
    )
    .join(_BOOKING, _BOOKING.c.id == _OCCURRENCE.c.booking_id)
    .outerjoin(Recording, col(Recording.id) == _BOOKING.c.id)
    .where(
        _OCCURRENCE.c.start > bindparam("from") - LONGEST,
        _OCCURRENCE.c.end > bindparam("from"),
        _OCCURRENCE.c.start < bindparam("to"),
        _OCCURRENCE.c.resource_id.is_not(None),
        _OCCURRENCE.c.status != OccurrenceStatus.EXCLUDED,
    )
    .order_by(_OCCURRENCE.c.start, _OCCURRENCE.c.id)
)
_ZONES = (
    _SEEN.with_only_columns(_BOOKING.c.time_zone, maintain_column_froms=True)
    .group_by(_BOOKING.c.time_zone)
    .order_by(None)
    .order_by(func.count().desc(), _BOOKING.c.time_zone)
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One session as this client may see it. `recording_id` is None for what is not its own.

    `state` is one of `words.STATES`.
    """

    resource_id: int
    start: datetime
    end: datetime
    title: str
    state: str
    time_zone: str
    recording_id: str | None

    @property
    def short(self) -> str | None:
        return self.recording_id and self.recording_id[4 : 4 + SHORT]


def sessions(
    session: Session, client: Client, after: datetime, before: datetime, now: datetime, resource_id: int | None = None
) -> list[Seen]:
    """What lies in the span, by start. Another client's is somebody else's, without its title."""
    rows = session.execute(_for(_SEEN, client, resource_id), {"from": after, "to": before}).all()
    differing = {one.occurrence_id for one in drift.every(session, now)}
    return [_seen(row, client, now, differing) for row in rows]


def zone_of(
    session: Session,
    client: Client,
    after: datetime,
    before: datetime,
    default_zone: str,
    resource_id: int | None = None,
) -> ZoneInfo:
    """The zone that most of what lies in the span is kept in."""
    found = session.execute(_for(_ZONES, client, resource_id), {"from": after, "to": before}).first()
    return ZoneInfo(found.time_zone if found else default_zone)


def _for(wanted: Select[Any], client: Client, resource_id: int | None) -> Select[Any]:
    mine = wanted.where(_own(client))
    return mine if resource_id is None else mine.where(_OCCURRENCE.c.resource_id == resource_id)


def _own(client: Client) -> ColumnElement[bool]:
    if Scope.SCHEDULE_READ in client.scopes or client.sees_all:
        return or_(_OCCURRENCE.c.status != OccurrenceStatus.CANCELLED, _mine(client))
    return _mine(client)


def _mine(client: Client) -> ColumnElement[bool]:
    if Scope.RECORDINGS_READ not in client.scopes:
        return false()
    return col(Recording.id).is_not(None) if client.sees_all else col(Recording.client) == client.name


def _seen(row: Row[Any], client: Client, now: datetime, differing: Collection[str | None]) -> Seen:
    own = row.client is not None and client.owns(row.client) and Scope.RECORDINGS_READ in client.scopes
    shown = own or row.source != "lectern"
    return Seen(
        row.resource_id,
        row.start,
        row.end,
        (row.own_title or row.title) if shown else "",
        _state(row, own, now, differing),
        row.time_zone,
        row.booking_id if own else None,
    )


def _state(row: Row[Any], own: bool, now: datetime, differing: Collection[str | None]) -> str:
    if not own:
        return "other"
    if row.status == OccurrenceStatus.CANCELLED or row.withdrawn:
        return "cancelled"
    if row.end <= now:
        return "over"
    if row.id in differing or row.recording_status in (RecordingStatus.STUCK, RecordingStatus.FAILED):
        return "trouble"
    if row.status == OccurrenceStatus.PLANNED:
        return "planned"
    return "recording" if row.start <= now else "ahead"


# On the axis

CLASSES = {"over": "v", "recording": "r", "cancelled": "c", "other": "o", "trouble": "t", "planned": "g", "ahead": ""}


class Bar(NamedTuple):
    """`classes` are its place, its width and its state."""

    classes: str
    text: str
    short: str | None
    lane: int
    until: int


@dataclass(frozen=True, slots=True)
class Axis:
    """One day by the clocks of `zone`, from hour to hour."""

    zone: ZoneInfo
    first: int
    last: int

    @property
    def units(self) -> int:
        return (self.last - self.first) * HOUR

    @property
    def hours(self) -> list[tuple[int, str]]:
        return [((hour - self.first) * HOUR, f"{hour}:00") for hour in range(self.first, self.last)]

    def line(self, now: datetime, midnight: datetime) -> int | None:
        """The place of the line that says how late it is; None where the axis does not reach."""
        place = self.place(now, midnight)
        return place if 0 < place < self.units else None

    def place(self, moment: datetime, day: datetime) -> int:
        """Units after the axis begins, on that local day; kept on the axis."""
        return min(max(_units(moment, day, self.zone) - self.first * HOUR, 0), self.units)

    def bars(self, seen: Iterable[Seen], day: datetime) -> list[Bar]:
        """One row. What overlaps stands below each other, in lanes."""
        made: list[Bar] = []
        for one in seen:
            at = self.place(one.start, day)
            end = max(self.place(one.end - timedelta(minutes=UNIT, microseconds=-1), day) + 1, at + 1)
            taken = {bar.lane for bar in made if bar.until > at}
            lane = next(number for number in range(len(taken) + 1) if number not in taken)
            width = f"w{end - at}" if end - at != USUAL else ""
            names = [f"p{at}", width, CLASSES[one.state], f"l{min(lane, MOST_LANES)}" if lane else ""]
            title = cut(one.title, LONGEST_TITLE) or "somebody else’s"
            text = f"{_clock(one.start, self.zone)} {title}"
            made.append(Bar(" ".join(name for name in names if name), text, one.short, lane, end))
        return made


# Most sessions of a campus begin and end at the same few moments.


@lru_cache(4096)
def _units(moment: datetime, day: datetime, zone: ZoneInfo) -> int:
    """After midnight of that local day."""
    local = moment.astimezone(zone)
    return (local.date() - day.date()).days * DAY + (local.hour * 60 + local.minute) // UNIT


@lru_cache(4096)
def _clock(moment: datetime, zone: ZoneInfo) -> str:
    local = moment.astimezone(zone)
    return f"{local.hour}:{local.minute:02}"


MOST_LANES = 4


def lanes(bars: Sequence[Bar]) -> int:
    return min(max((bar.lane for bar in bars), default=0), MOST_LANES) + 1


def axis_for(seen: Iterable[Seen], zone: ZoneInfo) -> Axis:
    """The hours that all of them need."""
    first, last = EARLIEST, LATEST
    for moments in {(one.start, one.end) for one in seen}:
        start, end = (moment.astimezone(zone) for moment in moments)
        same_day = start.date() == end.date()
        first = min(first, start.hour if same_day else 0)
        last = max(last, end.hour + bool(end.minute) if same_day else 24)
    return Axis(zone, first, max(last, first + 1))


def style_sheet() -> str:
    """Every place and width that a bar can have."""
    places = (f".p{unit}{{left:calc(var(--from,0px) + {unit}*var(--u))}}" for unit in range(DAY + 1))
    widths = (f".track>.w{unit}{{width:calc({unit}*var(--u))}}" for unit in range(1, DAY + 1))
    axes = (f".n{hours}{{--n:{hours * HOUR}}}" for hours in range(1, 25))
    usual = f".track>a,.track>b{{width:calc({USUAL}*var(--u))}}"
    rows = (f".grid>.k{lane + 1}{{min-height:calc({lane + 1}*var(--row))}}" for lane in range(1, MOST_LANES + 1))
    below = (f".track>.l{lane}{{margin-top:calc({lane}*var(--row))}}" for lane in range(1, MOST_LANES + 1))
    return "\n".join([usual, *places, *widths, *axes, *rows, *below, ""])
