"""Sessions and documents for the pure tests of targets, in New York, where the clocks change."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.recordings.changing.difference import CANCELLED, EXCLUDED, SCHEDULED, Row, Target, aim_at_document, slot_of
from app.recordings.document.document import RecordingDocument, Schedule
from app.recurrence.server import STEADY

ZONE = ZoneInfo("America/New_York")
OLD_EVENT = 1
WEEKLY = {"frequency": "weekly", "days": ["MO", "WE", "FR"], "count": 12}  # 11 January to 5 February 2027
NOW = datetime(2027, 1, 20, 18, 0, tzinfo=UTC)  # Wednesday of the second week, in the afternoon
FIRST_AHEAD = 5  # of WEEKLY's sessions: Friday, 22 January


def schedule(**changes: Any) -> Schedule:
    """Mondays, Wednesdays and Fridays at nine, twelve times, with fields changed."""
    document = {
        "title": "t",
        "resource": 1,
        "start": "2027-01-11T09:00:00",
        "time_zone": ZONE.key,
        "duration_minutes": 50,
        "recurrence": WEEKLY,
        **changes,
    }
    return RecordingDocument.model_validate(document).schedule("UTC")


def as_rows(wanted: Schedule) -> list[Row]:
    """What stands in SQL once a document is scheduled: one event, its children numbered from 100 on."""
    return [
        Row(
            f"occ_{slot_of(one)}",
            slot_of(one),
            one.start,
            one.end,
            EXCLUDED if one.excluded_by else SCHEDULED,
            event=OLD_EVENT,
            event_id=100 + number,
        )
        for number, one in enumerate(wanted.occurrences)
    ]


def aimed(
    rows: list[Row], wanted: Schedule, *, now: datetime = NOW, same_resource: bool = True, server: ZoneInfo = STEADY
) -> Target:
    return aim_at_document(rows, wanted.occurrences, wanted.rule, wanted.zone, server, now, same_resource=same_resource)


def applied(rows: list[Row], target: Target) -> list[Row]:
    """The rows after the change: each session that was made is in an event of its own number."""
    carried = {
        session: 1000 + number
        for number, made in enumerate(target.made)
        for session, _ in made.occurrences
        if session is not None
    }
    changed = {row.id: replace(row, event=carried.get(row.id, row.event)) for row in target.rows}
    as_it_is = {row.id: row for row in rows if row.id not in target.dropped}
    return sorted((as_it_is | changed).values(), key=lambda row: row.start)


def at(text: str) -> datetime:
    """A wall-clock time in the zone, as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def cancelled(rows: list[Row], *days: str) -> list[Row]:
    return [replace(row, status=CANCELLED) if str(row.slot) in days else row for row in rows]


def moved(rows: list[Row], day: str, start: str, end: str) -> list[Row]:
    """One session moved by hand, as it then is in an event of its own."""
    return [
        replace(row, start=at(start), end=at(end), moved=True, event=2, event_id=900) if str(row.slot) == day else row
        for row in rows
    ]


def starts(target: Target) -> list[list[str]]:
    """Of each event that is made, the local times that it records."""
    return [
        [
            f"{occurrence.start.astimezone(ZONE):%m-%d %H:%M}"
            for occurrence, (_, stays) in zip(made.planned.occurrences, made.occurrences, strict=True)
            if stays
        ]
        for made in target.made
    ]


def days(ids: frozenset[str]) -> list[str]:
    """The dates in ids of `as_rows`."""
    return sorted(one.removeprefix("occ_2027-") for one in ids)
