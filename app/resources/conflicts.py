"""Which wanted sessions meet what is booked already. Overlap is strict: back-to-back is free."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.resources.models import Booking, Occurrence, OccurrenceStatus

LONGEST = timedelta(hours=25)  # no session is longer: 24 hours, and an hour of a clock change
MOST = 1_000  # pairs that are told; a document has no more sessions


@dataclass(frozen=True, slots=True)
class Booked:
    """Something on a resource. `source` is `lectern` (then with its recording) or `kaltura`."""

    start: datetime
    end: datetime
    title: str | None
    source: str
    recording_id: str | None
    event_id: int | None


def find_conflicts(wanted: Sequence[tuple[datetime, datetime]], booked: Iterable[Booked]) -> list[dict[str, Any]]:
    """Each pair of a wanted session (sorted by start, UTC) and a booked one that overlaps it, as JSON."""
    starts = [start for start, _ in wanted]
    found = []
    for other in booked:
        first = bisect_left(starts, other.start - LONGEST)
        last = bisect_left(starts, other.end)
        found += [
            (wanted[index][0], _pair(wanted[index], other))
            for index in range(first, last)
            if wanted[index][1] > other.start
        ]
    return [pair for _, pair in sorted(found, key=lambda item: item[0])[:MOST]]


def known_bookings(
    session: Session, resource_id: int, start: datetime, end: datetime, *, but: Collection[str] = ()
) -> list[Booked]:
    """What is scheduled on the resource between two instants as far as SQL knows; bookings in `but` left out."""
    statement = (
        select(Occurrence, Booking)
        .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
        .where(
            col(Occurrence.resource_id) == resource_id,
            col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
            col(Occurrence.end) > start,
            col(Occurrence.start) < end,
            col(Booking.id).not_in(but),
        )
    )
    return [
        Booked(
            found.start,
            found.end,
            booking.title,
            booking.source,
            booking.id if booking.source == "lectern" else None,
            found.event_id,
        )
        for found, booking in session.execute(statement)
    ]


def _pair(asked: tuple[datetime, datetime], other: Booked) -> dict[str, Any]:
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
