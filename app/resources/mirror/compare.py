"""Compares what Kaltura has on a resource with what SQL says of it. Pure functions over rows and events.

    events of Kaltura ─┬─ Lectern's own, of a recording on this resource ──▶ `differences`: drift
                       ├─ of a recording that a chain is working on ──▶ left alone
                       └─ everyone else's ──▶ `follow`: bookings and occurrences as they are to be

An occurrence of somebody else's keeps its id (`uid`) for life: its event's id first, then, when Kaltura makes a series'
occurrences anew under new ids, its series and slot: the local date on which it was first seen.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from app.kaltura.types import Event
from app.recurrence.occurrences import zone
from app.recurrence.server import agrees
from app.resources.models import Booking, Occurrence, OccurrenceStatus
from app.resources.references import recording_of


class Row(NamedTuple):
    """An occurrence on the resource, as SQL has it. A look at a room reads all of its rows, and changes few."""

    id: str
    booking_id: str
    start: datetime
    end: datetime
    status: str
    event_id: int | None
    series_id: int | None
    slot: date | None


class DriftKind(StrEnum):
    MISSING = "missing"  # Kaltura has nothing in its place
    MOVED = "moved"  # Kaltura has it at another time
    REPLACED = "replaced"  # Kaltura has it at its time, under another id
    UNLISTED = "unlisted"  # Kaltura has it, and its search engine leaves it out of the resource's list
    EXTRA = "extra"  # Kaltura has one that Lectern has cancelled, excluded or never asked for
    RESOURCE_GONE = "resource_gone"  # of a whole recording: a resource of occurrences ahead is gone from Kaltura
    TEMPLATE_ENTRY_GONE = "template_entry_gone"  # of a whole recording: nor is its template entry


@dataclass(frozen=True, slots=True)
class Difference:
    """Where Kaltura is not as SQL wants it. `found` is what Kaltura has, None where it has nothing; `occurrence_id` is
    None for an event that nobody wants."""

    kind: DriftKind
    booking_id: str
    occurrence_id: str | None
    found: Event | None

    @property
    def key(self) -> str:
        """The same for the same occurrence or event, whatever is wrong with it."""
        return self.occurrence_id or f"event:{self.found.id if self.found else 0}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What turns a mirror's rows into what Kaltura has. `changed` are rows as they are to be; ids stay."""

    bookings: Sequence[Booking]
    added: Sequence[Occurrence]
    changed: Sequence[Occurrence]
    gone: Sequence[str]
    unused_bookings: Sequence[str]


def split(
    events: Iterable[Event], own: Iterable[Row], busy: Collection[str]
) -> tuple[dict[str, list[Event]], list[Event]]:
    """Lectern's own events by recording, and everyone else's. Those of `busy` recordings are in neither.

    `own` are the resource's rows of Lectern's recordings, in any state. An event of a recording that has none here was
    put on this resource by somebody else.
    """
    own = list(own)
    here = {row.booking_id for row in own}
    by_event = {row.event_id: row for row in own if row.event_id}
    by_series = {row.series_id: row.booking_id for row in own if row.series_id}
    ours: dict[str, list[Event]] = defaultdict(list)
    others = []
    for event in events:
        row = by_event.get(event.id)
        owner = recording_of(event.reference_id)
        if not event.reference_id:  # somebody has taken it away
            owner = row.booking_id if row else by_series.get(event.parent_id or 0)
        elif owner is None and row and (event.start == row.start or event.end == row.end):
            owner = row.booking_id  # somebody has overwritten it; at another time, it is another one's event by now
        if owner in busy:
            continue
        if owner in here and owner is not None:
            ours[owner].append(event)
        else:
            others.append(event)
    return ours, others


# Lectern's own


def differences(
    own: Iterable[Row],
    events: Mapping[str, Sequence[Event]],
    zones: Mapping[str, ZoneInfo],
    server: ZoneInfo,
    now: datetime,
    unlisted: Collection[int] = (),
) -> list[Difference]:
    """Where Kaltura differs from what Lectern wants on the resource from now on.

    `zones` are the bookings', `server` is that of Kaltura's server, which has occurrences in its repeated hour wider.
    `unlisted` are ids of events that the resource's list leaves out.
    """
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in own:
        rows[row.booking_id].append(row)
    return [
        difference
        for booking_id, of_booking in rows.items()
        for difference in _differences(of_booking, events.get(booking_id, ()), zones[booking_id], server, now, unlisted)
    ]


def _differences(
    rows: Sequence[Row],
    events: Sequence[Event],
    where: ZoneInfo,
    server: ZoneInfo,
    now: datetime,
    unlisted: Collection[int],
) -> Iterable[Difference]:
    booking_id = rows[0].booking_id
    left = {event.id: event for event in events}
    open_rows = []
    for row in rows:
        if row.status != OccurrenceStatus.SCHEDULED:
            continue
        event = left.pop(row.event_id or 0, None)
        if event is None:
            open_rows.append(row)
        elif not agrees(_times(event), _times(row), server):
            yield Difference(DriftKind.MOVED, booking_id, row.id, event)
        elif event.id in unlisted:
            yield Difference(DriftKind.UNLISTED, booking_id, row.id, event)
    for row in open_rows:
        if row.end <= now:
            continue
        event = _instead(row, left.values(), where, server)
        if event is None:
            yield Difference(DriftKind.MISSING, booking_id, row.id, None)
        else:
            del left[event.id]
            at_its_time = agrees(_times(event), _times(row), server)
            kind = DriftKind.REPLACED if at_its_time else DriftKind.MOVED
            yield Difference(kind, booking_id, row.id, event)
    unwanted = {row.event_id: row.id for row in rows}
    for event in left.values():
        if event.end > now:
            yield Difference(DriftKind.EXTRA, booking_id, unwanted.get(event.id), event)


def _instead(row: Row, events: Iterable[Event], where: ZoneInfo, server: ZoneInfo) -> Event | None:
    """The event that took an occurrence's place: at its very time, else on its day."""
    slot = row.slot or row.start.astimezone(where).date()
    at_its_time = {event.id for event in events if agrees(_times(event), _times(row), server)}
    candidates = [event for event in events if event.id in at_its_time or _day(event, where) == slot]
    return min(candidates, key=lambda event: (event.id not in at_its_time, event.start), default=None)


def _times(of: Event | Row) -> tuple[datetime, datetime]:
    return of.start, of.end


def _day(event: Event, where: ZoneInfo) -> date:
    return event.start.astimezone(where).date()


# Everyone else's


def follow(
    resource_id: int,
    rows: Sequence[Row],
    events: Iterable[Event],
    default: ZoneInfo,
    unsure: Collection[str] = (),
) -> Plan:
    """What makes SQL's bookings and occurrences of others (`rows`) those that Kaltura has on the resource (`events`).

    An event whose series names no zone is in `default`. What no encoder records is there too: it keeps the resource.
    Rows in `unsure` that have no event stay as they are.
    """
    bookings: dict[str, Booking] = {}
    added, changed, kept = [], [], set[str]()
    taken, before = {row.id for row in rows}, {row.booking_id for row in rows}
    used = set(taken)
    for event, row in _matched(rows, events, default):
        where = _zone(event, default)
        words = _words(event, where)
        booking_id = f"kal_{resource_id}_{event.parent_id or event.id}_{_digest(words)}"
        bookings.setdefault(booking_id, Booking(id=booking_id, source="kaltura", **words))
        if row is None:
            uid = _free(f"evt_{resource_id}_{event.id}", used)
            used.add(uid)
            added.append(_occurrence(uid, resource_id, booking_id, event, _day(event, where)))
            continue
        kept.add(row.id)
        as_it_is = (row.booking_id, row.start, row.end, row.event_id, row.series_id)
        if as_it_is != (booking_id, event.start, event.end, event.id, event.parent_id):
            changed.append(_occurrence(row.id, resource_id, booking_id, event, row.slot))
    needed = bookings.keys() | {row.booking_id for row in rows if row.id in unsure}
    return Plan(
        bookings=[booking for booking in bookings.values() if booking.id not in before],
        added=added,
        changed=changed,
        gone=sorted(taken - kept - set(unsure)),
        unused_bookings=sorted(before - needed),
    )


def _free(uid: str, used: Collection[str]) -> str:
    """It, or one like it where another occurrence has it for life."""
    return next(one for one in (uid, *(f"{uid}_{number}" for number in range(1, len(used) + 1))) if one not in used)


def _matched(rows: Sequence[Row], events: Iterable[Event], default: ZoneInfo) -> list[tuple[Event, Row | None]]:
    """Each event with its row: the one with its id, else one of its series and slot that has lost its event."""
    ordered = sorted(events, key=lambda event: (event.start, event.id))
    by_event = {row.event_id: row for row in rows}
    there = {event.id for event in ordered}
    free: dict[tuple[int | None, date | None], list[Row]] = defaultdict(list)
    for old in sorted(rows, key=lambda row: (row.start, row.id), reverse=True):
        if old.event_id not in there and old.series_id is not None:
            free[old.series_id, old.slot].append(old)
    found: list[tuple[Event, Row | None]] = []
    for event in ordered:
        row = by_event.get(event.id)
        if row is None and (waiting := free.get((event.parent_id, _day(event, _zone(event, default))))):
            row = waiting.pop()
        found.append((event, row))
    return found


def _words(event: Event, where: ZoneInfo) -> dict[str, Any]:
    more = {name: getattr(event, name) for name in ("location", "organizer", "contact", "owner")}
    return {
        "kind": ("live" if event.live else "recording") if event.recorded else "other",
        "title": event.summary or "",
        "description": event.description,
        "tags": list(event.tags),
        "time_zone": where.key,
        "template_entry_id": event.template_entry_id,
        **{name: said for name, said in more.items() if said},
    }


def _digest(words: Mapping[str, Any]) -> str:
    """A booking of others never changes: its id stands for all of its words."""
    return hashlib.blake2b(json.dumps(words).encode(), digest_size=6).hexdigest()


def _occurrence(uid: str, resource_id: int, booking_id: str, event: Event, slot: date | None) -> Occurrence:
    return Occurrence(
        id=uid,
        booking_id=booking_id,
        resource_id=resource_id,
        start=event.start,
        end=event.end,
        status=OccurrenceStatus.SCHEDULED,
        event_id=event.id,
        series_id=event.parent_id,
        slot=slot,
    )


def _zone(event: Event, default: ZoneInfo) -> ZoneInfo:
    """Nobody has checked the name (exchange 237): one that is none means the server's zone there, `default` here."""
    try:
        return zone(event.recurrence.time_zone) if event.recurrence and event.recurrence.time_zone else default
    except ValueError:
        return default
