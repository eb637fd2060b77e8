"""Conflicts: wanted occurrences that overlap with what is booked on a resource. What ends as another begins is none."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate, groupby, islice
from operator import itemgetter
from typing import Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select
from sqlmodel import Session, SQLModel

from app.database.database import Database
from app.resources.models import OccurrenceStatus

T = TypeVar("T")

LONGEST = timedelta(hours=25)  # no occurrence is longer: 24 hours, and an hour of a clock change
MOST = 1_000  # pairs that are told; a document has no more occurrences, and so each can be among them

# Built once: building a statement costs more than running it.
_BOOKING, _OCCURRENCE = (SQLModel.metadata.tables[name] for name in ("booking", "occurrence"))
_KNOWN = (
    select(
        _OCCURRENCE.c.start,
        _OCCURRENCE.c.end,
        func.coalesce(_OCCURRENCE.c.title, _BOOKING.c.title),
        _BOOKING.c.source,
        _BOOKING.c.id,
        _OCCURRENCE.c.event_id,
    )
    .join(_BOOKING, _BOOKING.c.id == _OCCURRENCE.c.booking_id)
    .where(
        _OCCURRENCE.c.resource_id == bindparam("resource"),
        _OCCURRENCE.c.status == OccurrenceStatus.SCHEDULED,
        _OCCURRENCE.c.end > bindparam("after"),
        _OCCURRENCE.c.start < bindparam("before"),
        _BOOKING.c.id.not_in(bindparam("but", expanding=True)),
    )
)
_TIMES = select(_OCCURRENCE.c.event_id, _OCCURRENCE.c.start, _OCCURRENCE.c.end).where(
    _OCCURRENCE.c.booking_id.in_(bindparam("of", expanding=True)),
    _OCCURRENCE.c.status == OccurrenceStatus.SCHEDULED,
    _OCCURRENCE.c.event_id.is_not(None),
)


@dataclass(frozen=True, slots=True)
class Booked:
    """Something booked on a resource, times in UTC. `source` is `lectern` (then with its recording) or `kaltura`."""

    start: datetime
    end: datetime
    title: str | None
    source: str
    recording_id: str | None
    event_id: int | None


class Timeline(Generic[T]):
    """Spans of time, each with what it is of: for who asks often what meets one, and would look through all of them
    each time."""

    def __init__(self, spans: Iterable[tuple[datetime, datetime, T]]) -> None:
        self._spans = sorted(spans, key=itemgetter(0))
        self._starts = [start for start, _, _ in self._spans]
        self._latest = list(accumulate((end for _, end, _ in self._spans), max))  # end of all up to this one

    def meeting(self, start: datetime, end: datetime) -> Iterator[T]:
        """What the spans that overlap with this one are of, by their starts."""
        first, last = bisect_right(self._latest, start), bisect_left(self._starts, end)
        return (of for _, until, of in self._spans[first:last] if until > start)


def find_conflicts(wanted: Sequence[tuple[datetime, datetime]], booked: Iterable[Booked]) -> list[dict[str, Any]]:
    """Each pair of a wanted occurrence and a booked one that overlaps it (`as_pair`), in order of their starts.

    As many as are `told`. `wanted`: start and end (UTC), sorted by start.
    """
    by_occurrence = [list(met) for _, met in groupby(_meetings(wanted, booked), key=itemgetter(0))]
    return [as_pair(wanted[index], other) for index, other in told(by_occurrence)]


def first_conflicts(wanted: Sequence[tuple[datetime, datetime]], booked: Iterable[Booked]) -> dict[int, dict[str, Any]]:
    """Of each wanted occurrence that meets a booked one, the first such pair, by the occurrence's place in `wanted`."""
    found = dict[int, Booked]()
    for index, other in _meetings(wanted, booked):
        found.setdefault(index, other)
    return {index: as_pair(wanted[index], other) for index, other in found.items()}


def told(meetings: Sequence[Iterable[T]]) -> Iterator[T]:
    """At most MOST of what occurrences meet, by occurrence: of each so many that those after it can have one each."""
    return islice(_one_for_each(meetings), MOST)


def _one_for_each(meetings: Sequence[Iterable[T]]) -> Iterator[T]:
    spare = MOST - len(meetings)  # for more than one of an occurrence
    for met in meetings:
        for number, one in enumerate(islice(met, 1 + max(spare, 0))):
            spare -= number > 0
            yield one


def _meetings(wanted: Sequence[tuple[datetime, datetime]], booked: Iterable[Booked]) -> list[tuple[int, Booked]]:
    """Each wanted occurrence that overlaps a booked one, by its place, with that one, in order of their starts."""
    starts, found = [start for start, _ in wanted], list[tuple[int, Booked]]()
    for other in booked:
        first = bisect_left(starts, other.start - LONGEST)
        last = bisect_left(starts, other.end)
        found += ((index, other) for index in range(first, last) if wanted[index][1] > other.start)
    return sorted(found, key=lambda one: (one[0], one[1].start))


def in_the_way(pair: Mapping[str, Any], zone: ZoneInfo) -> str:
    """What a wanted session meets, in words, by the clocks of its zone; a title that must not be told is not there."""
    booked = pair["booked"]
    start, end = (datetime.fromisoformat(booked[name]).astimezone(zone) for name in ("start", "end"))
    what = f"'{booked['title']}'" if booked["title"] else "another booking"
    until = f"{end:%H:%M}" if start.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
    return f"in the way: {what}, {start:%Y-%m-%d %H:%M} to {until}"


def known_bookings(
    session: Session, resource_id: int, start: datetime, end: datetime, *, but: Collection[str] = ()
) -> list[Booked]:
    """What SQL has on the resource between two instants, without the bookings in `but` (ids)."""
    asked = {"resource": resource_id, "after": start, "before": end, "but": list(but)}
    return [
        Booked(starts, ends, title, source, booking_id if source == "lectern" else None, event_id)
        for starts, ends, title, source, booking_id, event_id in session.connection().execute(_KNOWN, asked)
    ]


def at_their_times(database: Database, found: Sequence[Booked]) -> Sequence[Booked]:
    """The same, but Lectern's own occurrences at their times in SQL: in Kaltura one may be wider.

    Why it may: app/recurrence/server.py.
    """
    recordings = {one.recording_id for one in found if one.recording_id}
    if not recordings:
        return found
    with database.read() as session:
        rows = session.connection().execute(_TIMES, {"of": list(recordings)})
        times = {event_id: (start, end) for event_id, start, end in rows}
    known = [(one, *times.get(one.event_id, (one.start, one.end))) for one in found]
    return [replace(one, start=start, end=end) for one, start, end in known]


def as_pair(asked: tuple[datetime, datetime], other: Booked) -> dict[str, Any]:
    """A wanted occurrence and a booked one that it meets, as JSON: `{"start", "end", "booked": {…}}`."""
    return {
        "start": _shown(asked[0]),
        "end": _shown(asked[1]),
        "booked": {
            "start": _shown(other.start),
            "end": _shown(other.end),
            "title": other.title,
            "source": other.source,
            "recording_id": other.recording_id,
            "event_id": other.event_id,
        },
    }


def _shown(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
