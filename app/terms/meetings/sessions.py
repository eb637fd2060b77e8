"""The sessions of a meeting: its dates, what its calendars take away and add, put into the term's zone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from app.recurrence.occurrences import place
from app.recurrence.rules import WEEKDAYS, Day, Rule, walk
from app.terms.meetings.frame import NOTHING_LEFT, Frame
from app.terms.meetings.rows import Meeting, Note
from app.terms.meetings.times import Times, at


@dataclass(frozen=True, slots=True)
class CampusDay:
    """A day, or a stretch of days (both included), of a calendar. With `meets_as` it is a make-up day: a weekday."""

    first: date
    last: date
    name: str
    meets_as: str | None = None


Calendars = Mapping[str, Sequence[CampusDay]]
"""The days of each calendar that a term names."""

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
    """What a meeting comes to. `excluded` are dates with what took them, `extra` those that a make-up day adds."""

    held: tuple[Session, ...]
    excluded: tuple[tuple[date, str], ...]
    extra: tuple[date, ...]
    notes: tuple[Note, ...]

    def ahead(self, now: datetime) -> list[Session]:
        """Those that have not begun. `now` is an instant."""
        return [session for session in self.held if session.start > now]


def sessions(meeting: Meeting, within: Frame, calendars: Calendars) -> Sessions:
    """All sessions of a meeting that has times; none may be left. `skip_of` says what that means."""
    if meeting.times is None:
        return Sessions((), (), (), ())
    closed, moved = _campus(day for name in meeting.calendars for day in calendars.get(name, ()))
    dates, excluded, extra = set[date](), list[tuple[date, str]](), list[date]()
    for day in meeting.times.days():
        if day in closed:
            excluded.append((day, closed[day]))
        elif meeting.times.rule and moved.get(day, WEEKDAYS[day.weekday()]) not in _weekdays(meeting.times.rule):
            excluded.append((day, f"meets as {moved[day]}"))
        else:
            dates.add(day)
    for day, weekday in moved.items():
        if day not in closed and day not in dates and _made_up(meeting.times, day, weekday):
            extra.append(day)
    held = []
    notes = []
    for day in sorted({*dates, *extra}):
        local = at(day, meeting.times.start)
        start, anomaly = place(local, within.zone)
        if anomaly:
            begins = start.astimezone(within.zone)
            notes.append(Note(anomaly, _about(anomaly, local, begins)))
        held.append(Session(local, (start, start + timedelta(minutes=meeting.times.minutes))))
    return Sessions(tuple(held), tuple(sorted(excluded)), tuple(sorted(extra)), tuple(notes))


def span_on(day: date, times: Times, within: Frame) -> Span:
    """When a session would be on that date."""
    start, _ = place(at(day, times.start), within.zone)
    return start, start + timedelta(minutes=times.minutes)


def skip_of(found: Sessions, within: Frame) -> str | None:
    """Why a meeting with these sessions is not recorded: none is left, or all of them are over."""
    if not found.held:
        return NOTHING_LEFT
    now = within.now.replace(tzinfo=within.zone).astimezone(UTC)
    return "past" if max(session.end for session in found.held) <= now else None


def _campus(days: Iterable[CampusDay]) -> tuple[dict[date, str], dict[date, str]]:
    """What is closed, with its name, and which dates meet as which weekday. Closed goes before."""
    closed, moved = dict[date, str](), dict[date, str]()
    for one in days:
        for number in range((one.last - one.first).days + 1):
            day = one.first + timedelta(days=number)
            if one.meets_as:
                moved.setdefault(day, one.meets_as)
            else:
                closed.setdefault(day, one.name)
    return closed, moved


def _weekdays(rule: Rule) -> set[str]:
    """The weekdays that a weekly rule is held on. What else a rule may be is held whatever its day meets as."""
    return {one.weekday for one in rule.days} if rule.frequency == "weekly" else set(WEEKDAYS)


def _made_up(times: Times, day: date, weekday: str) -> bool:
    """Whether a make-up day lies where the rule is held, and it is held on that weekday."""
    rule = times.rule
    if rule is None or rule.frequency != "weekly" or Day(weekday) not in rule.days or times.in_gap(day):
        return False
    if not times.first <= day <= times.last:
        return False
    week = Rule("weekly", rule.interval, tuple(map(Day, WEEKDAYS)), until=day, week_start=rule.week_start)
    return any(found == day for found in walk(week, times.first, day))


def _about(anomaly: str, local: datetime, begins: datetime) -> str:
    day = f"{local.day} {local:%B %Y}"
    if anomaly == "gap":
        return f"{local:%H:%M} does not exist on {day}: that session begins at {begins:%H:%M}."
    return f"{local:%H:%M} happens twice on {day}: that session begins at the first."
