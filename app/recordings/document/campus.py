"""What a document's calendars say about its sessions: days on which nothing is recorded, and make-up days.

    calendars in SQL ── newest ──▶ Campus ── within a schedule ──▶ what a recording keeps of it, and its chains get
                                     └────── on a schedule ──────▶ Schedule, with what the calendars exclude

A recording follows the version that it has taken (`follow`), until it takes another: what a calendar says today changes
nothing about it by itself.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Self

from fastapi.exceptions import RequestValidationError
from sqlalchemy import bindparam, delete, insert, select, update
from sqlmodel import Session, col

from app.recordings.document.document import RecordingDocument, Schedule
from app.recordings.models import Calendar, Recording, RecordingCalendar
from app.recurrence.make_up import MakeUp, made_up
from app.recurrence.occurrences import Exclusion, Occurrence, also_excluded


@dataclass(frozen=True, slots=True)
class CampusDay:
    """What a calendar says of the local dates from `first` to `last`, both included."""

    calendar: str
    first: date
    last: date
    name: str | None = None
    meets_as: str | None = None

    @classmethod
    def read(cls, kept: Mapping[str, Any], calendar: str | None = None) -> Self:
        """One of `Calendar.days`, or of `Recording.campus`."""
        first, last = date.fromisoformat(kept["from"]), date.fromisoformat(kept["to"])
        return cls(calendar or kept["calendar"], first, last, kept["name"], kept["meets_as"])

    def as_json(self) -> dict[str, Any]:
        span = {"from": self.first.isoformat(), "to": self.last.isoformat()}
        return {"calendar": self.calendar, "name": self.name, **span, "meets_as": self.meets_as}

    @property
    def reason(self) -> str:
        """For people: `campus-2027: Spring break`."""
        meets = f"meets as {self.meets_as}" if self.meets_as else ""
        said = f"{self.name} ({meets})" if self.name and meets else self.name or meets
        return f"{self.calendar}: {said}" if said else self.calendar


@dataclass(frozen=True, slots=True)
class Campus:
    """Calendars by name, each with its version, and what they say."""

    versions: Mapping[str, int]
    days: tuple[CampusDay, ...]

    @classmethod
    def read(cls, kept: Mapping[str, Any] | None) -> Self:
        """As a chain's input has it. One that was begun by an older version has none."""
        found = kept or {"versions": {}, "days": []}
        return cls(found["versions"], tuple(map(CampusDay.read, found["days"])))

    def as_json(self) -> dict[str, Any]:
        return {"versions": dict(self.versions), "days": [day.as_json() for day in self.days]}

    def within(self, document: RecordingDocument, default_zone: str) -> Self:
        """The same, with those days alone that the document's sessions may meet. Raises RequestValidationError."""
        schedule = document.schedule(default_zone)  # without what a calendar has added to it already
        make_ups = Campus({}, tuple(day for day in self.days if day.meets_as))
        before, after = _by_date(schedule), _by_date(make_ups.on(schedule))
        made_up, dates = {day for day, one in after.items() if before.get(day) != one}, sorted(after)
        kept = (day for day in self.days if (day.first in made_up if day.meets_as else _closes(day, dates)))
        return replace(self, days=tuple(kept))

    def on(self, schedule: Schedule) -> Schedule:
        """The schedule with what these days exclude and add. They may leave nothing of it.

        As with its own exclusions, a date that the document includes is recorded whatever they say.
        """
        if not self.days:
            return schedule
        included = {one.day for one in schedule.include}
        made_up_days = [MakeUp(day.first, day.meets_as, day.reason) for day in self.days if day.meets_as]
        closed = [Exclusion(day.first, day.last, day.reason) for day in self.days if not day.meets_as]
        found = made_up(
            schedule.occurrences,
            schedule.rule,
            schedule.start,
            schedule.zone,
            schedule.duration,
            made_up_days,
            included,
        )
        return replace(schedule, occurrences=also_excluded(found, [*schedule.exclude, *closed], included))


NOTHING = Campus({}, ())


def _by_date(schedule: Schedule) -> dict[date, Occurrence]:
    return {(one.wanted or one.local).date(): one for one in schedule.occurrences}


def _closes(day: CampusDay, dates: Sequence[date]) -> bool:
    """Whether nothing is recorded on one of the dates (ascending)."""
    place = bisect_left(dates, day.first)
    return place < len(dates) and dates[place] <= day.last


def look_up(session: Session, names: Sequence[str], *, hold: bool = False) -> Campus:
    """Those of the calendars that there are. `hold`: nobody takes one away until the end of this transaction."""
    if not names:
        return NOTHING
    found = select(Calendar).where(col(Calendar.name).in_(names)).order_by(col(Calendar.name))
    rows = session.execute(found.with_for_update(read=True, key_share=True) if hold else found).scalars().all()
    days = tuple(CampusDay.read(day, row.name) for row in rows for day in row.days)
    return Campus({row.name: row.version for row in rows}, days)


def newest(session: Session, calendars: Sequence[str], *, hold: bool = False) -> Campus:
    """What a body's `calendars` say now. Raises RequestValidationError that points at each unknown one."""
    found = look_up(session, calendars, hold=hold)
    unknown = [place for place, name in enumerate(calendars) if name not in found.versions]
    if unknown:
        rule = {"rule": "is not the name of a calendar that is known here: see GET /calendars"}
        raise RequestValidationError(
            [{"type": "rule", "loc": ("body", "calendars", place), "ctx": rule} for place in unknown]
        )
    return found


def schedule_on(document: RecordingDocument, default_zone: str, campus: Campus) -> Schedule:
    """What a client's document comes to. Raises RequestValidationError, also if its calendars leave nothing of it."""
    schedule = campus.on(document.schedule(default_zone))
    if not schedule.wanted:
        rule = "must leave at least one occurrence"
        raise RequestValidationError([{"type": "rule", "loc": ("body", "calendars"), "ctx": {"rule": rule}}])
    return schedule


def followed(recording: Recording) -> Schedule:
    """What a recording's own document comes to on the campus days that it follows."""
    schedule = RecordingDocument.model_validate(recording.document).schedule(recording.time_zone)
    return kept_days(recording.campus).on(schedule)


def kept_days(kept: Sequence[Mapping[str, Any]] | None) -> Campus:
    """`Recording.campus`, whatever versions it is of."""
    return Campus({}, tuple(map(CampusDay.read, kept or ())))


def as_kept(campus: Campus) -> list[dict[str, Any]] | None:
    """As `Recording.campus` has it."""
    return [day.as_json() for day in campus.days] or None


def following_rows(recording_id: str, campus: Campus) -> list[dict[str, Any]]:
    """A recording's rows of `recording_calendar`."""
    return [
        {"recording_id": recording_id, "calendar": name, "version": version}
        for name, version in campus.versions.items()
    ]


_BEHIND = (
    select(col(RecordingCalendar.recording_id))
    .join(Calendar, col(Calendar.name) == col(RecordingCalendar.calendar))
    .where(
        col(RecordingCalendar.recording_id) == bindparam("of"), col(RecordingCalendar.version) < col(Calendar.version)
    )
    .limit(1)
)


def is_behind(session: Session, recording_id: str) -> bool:
    """Whether one of its calendars has a newer version than the recording follows."""
    return session.execute(_BEHIND, {"of": recording_id}).first() is not None


def note_tried(session: Session, recording_id: str, campus: Campus, chain_id: str | None) -> None:
    """A chain was begun for these versions, or none could be."""
    for name, version in campus.versions.items():
        this = (col(RecordingCalendar.recording_id) == recording_id, col(RecordingCalendar.calendar) == name)
        session.execute(update(RecordingCalendar).where(*this).values(tried=version, chain_id=chain_id))


def follow(session: Session, recording_id: str, campus: Campus, chain_id: str | None = None) -> None:
    """From now on the recording follows these calendars in these versions, and no others; `chain_id` sees to it."""
    this, kept = col(Recording.id) == recording_id, as_kept(campus)
    if session.execute(select(col(Recording.campus)).where(this)).scalar_one() != kept:
        session.execute(update(Recording).where(this).values(campus=kept))
    session.execute(delete(RecordingCalendar).where(col(RecordingCalendar.recording_id) == recording_id))
    if rows := following_rows(recording_id, campus):
        session.execute(insert(RecordingCalendar), [{**row, "chain_id": chain_id} for row in rows])
