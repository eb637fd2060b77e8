"""The sessions of a meeting, in the term's zone: those that its recording will have, worked out as recordings do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from app.recordings.document.campus import Campus
from app.recordings.document.document import Schedule
from app.recurrence.occurrences import Exclusion, Occurrence, occurrences
from app.terms.meetings.frame import NOTHING_LEFT, Frame
from app.terms.meetings.rows import Meeting, Note
from app.terms.meetings.times import Times, at

Span = tuple[datetime, datetime]
"""A session's start and end, UTC."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session: `local` is the wall-clock time that was asked for."""

    local: datetime
    span: Span

    @property
    def start(self) -> datetime:
        return self.span[0]

    @property
    def end(self) -> datetime:
        return self.span[1]


@dataclass(frozen=True, slots=True)
class Sessions:
    """What a meeting comes to. `excluded` are dates with what of its calendars took them, `extra` those that a make-up
    day adds. `left_out`: of each date that it has and does not hold, when its session would be.
    """

    held: tuple[Session, ...]
    excluded: tuple[tuple[date, str], ...] = ()
    extra: tuple[date, ...] = ()
    notes: tuple[Note, ...] = ()
    left_out: Mapping[date | None, Span] = field(default_factory=dict)

    def ahead(self, now: datetime) -> list[Session]:
        """Those that have not begun. `now` is an instant."""
        return [session for session in self.held if session.start > now]


def sessions(meeting: Meeting, within: Frame, campus: Campus) -> Sessions:
    """All sessions of a meeting that has times; none may be left. `skip_of` says what that means."""
    if meeting.times is None:
        return Sessions(())
    days = tuple(day for day in campus.days if day.calendar in meeting.calendars)
    found = Campus({}, days).on(_schedule(meeting.times, within)).occurrences
    held = [one for one in found if not one.excluded_by]
    left_out = [(_wanted(one).date(), one, one.excluded_by.reason) for one in found if one.excluded_by]
    return Sessions(
        tuple(Session(_wanted(one), _span(one)) for one in held),
        tuple((day, _why(reason)) for day, _, reason in left_out if reason),
        tuple(_wanted(one).date() for one in held if one.added),
        tuple(Note(one.anomaly, _about(one)) for one in held if one.anomaly),
        {day: _span(one) for day, one, _ in left_out},
    )


def _schedule(times: Times, within: Frame) -> Schedule:
    """What the meeting's document says of its times (app/terms/meetings/document.py)."""
    start, duration = at(times.first, times.start), timedelta(minutes=times.minutes)
    gaps = tuple(Exclusion(first, last) for first, last in times.gaps)
    found = occurrences(start, within.zone, duration, times.rule or times.dates, gaps)
    return Schedule(start, within.zone, duration, times.rule, gaps, found, times.dates)


def _wanted(one: Occurrence) -> datetime:
    return one.wanted or one.local


def _span(one: Occurrence) -> Span:
    return one.start, one.end


def skip_of(found: Sessions, within: Frame) -> str | None:
    """Why a meeting with these sessions is not recorded: none is left, or all of them are over."""
    if not found.held:
        return NOTHING_LEFT
    now = within.now.replace(tzinfo=within.zone).astimezone(UTC)
    return "past" if max(session.end for session in found.held) <= now else None


def _why(reason: str) -> str:
    """What a calendar says, without the calendar's name, unless that is all."""
    calendar, _, said = reason.partition(": ")
    return said or calendar


def _about(one: Occurrence) -> str:
    local = _wanted(one)
    day = f"{local.day} {local:%B %Y}"
    if one.anomaly == "gap":
        return f"{local:%H:%M} does not exist on {day}: that session begins at {one.local:%H:%M}."
    return f"{local:%H:%M} happens twice on {day}: that session begins at the first."
