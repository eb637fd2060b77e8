"""Calendars as pages show them: their days on a year, who follows them, and what a change would do, in a sentence.

A change is the whole calendar said anew, as the API takes it; one that was made for another version changes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlmodel import Session, col

from app.access.keys import Client
from app.calendars import keeping
from app.calendars.reading import Body
from app.calendars.schemas import CalendarPreview, CalendarSummary, CalendarView, DayView, NamedDays, Progress
from app.console.people import read_as
from app.console.views.months import Cell, weeks
from app.console.words import WEEKDAYS, Asked, count, date_in_words, isolated
from app.database.database import Database
from app.database.types import utc_now
from app.http.errors import NotFound
from app.http.fields import In, OptionalLine
from app.recordings.document.fields import CalendarName
from app.recordings.models import Recording, RecordingCalendar

EACH = 25  # recordings on a page
MOST_TOUCHED = 100  # recordings of a preview on a page; the others are counted
MOST_SENT = 60  # entries of a calendar that a page shows as it is sent
SNOW_DAY = "Snow day"


class Day(BaseModel):
    """What the form says of one entry. An empty field says nothing."""

    first: str = ""
    last: str = ""
    name: str = ""
    meets_as: str = ""

    def by(self, today: date) -> Self:
        """With the date that is meant by `today`."""
        return self.model_copy(update={"first": str(today)}) if self.first == "today" else self

    @property
    def address(self) -> str:
        return urlencode({name: value for name, value in self.model_dump().items() if value})


class New(In):
    """A calendar that has no days yet."""

    name: CalendarName
    title: OptionalLine = None

    @property
    def body(self) -> Body:
        return _body(self.title, [])


class Entry(NamedTuple):
    """A day of a calendar, with its number there."""

    number: int
    day: DayView
    is_over: bool


class Follower(NamedTuple):
    """A recording that names it. `state` is one of `words.STATES`."""

    recording: Recording
    state: str


@dataclass(frozen=True, slots=True)
class Year:
    """One year of a calendar. `before` and `after` are other years that have something, or None."""

    number: int
    months: list[tuple[date, list[list[Cell | None]]]]
    entries: list[Entry]
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Shown:
    """`today` is by the clocks of `zone`, which most of what follows it goes by. `recordings` are the client's own."""

    view: CalendarView
    zone: str
    today: date
    followers: Sequence[Follower]
    number: int
    more: bool

    @property
    def address(self) -> str:
        return f"/console/calendars/{self.view.name}"

    @property
    def called(self) -> str:
        return self.view.title or self.view.name

    @property
    def version(self) -> str:
        return str(self.view.version)

    @property
    def moves_on(self) -> bool:
        return not keeping.is_over(self.view)

    @property
    def snow_days(self) -> list[tuple[str, date, str]]:
        """Two days that one click asks about: what it is called, the date, and the address."""
        days = (("Today", self.today), ("Tomorrow", self.today + timedelta(days=1)))
        return [(word, day, f"{self.address}/add?{Day(first=str(day), name=SNOW_DAY).address}") for word, day in days]

    @property
    def document(self) -> str:
        """The calendar as the API takes it."""
        days = [{name: value for name, value in said.items() if value is not None} for said in _said(self.view)]
        title = {"title": self.view.title} if self.view.title else {}
        return json.dumps(title | {"days": days}, indent=2, ensure_ascii=False)

    def year(self, asked: int | None) -> Year:
        """That year, or this one, or the next that has a day, or the last that had one."""
        days = self.view.days
        years = sorted({year for one in days for year in range(one.first.year, one.last.year + 1)})
        with_days = [one.last.year for one in days if one.last >= self.today] or [one.last.year for one in days]
        has_this = any(one.first.year <= self.today.year <= one.last.year for one in days)
        usual = self.today.year if has_this or not with_days else with_days[0]
        number = asked if asked is not None else usual
        on = _on_days(days, number)
        entries = [
            Entry(place, one, one.last < self.today)
            for place, one in enumerate(days)
            if one.first.year <= number <= one.last.year
        ]
        firsts = [date(number, month, 1) for month in range(1, 13)]
        return Year(
            number,
            [(first, weeks(first, on)) for first in firsts],
            entries,
            max((year for year in years if year < number), default=None),
            min((year for year in years if year > number), default=None),
        )


def listed(database: Database) -> Sequence[CalendarSummary]:
    with database.read() as session:
        return keeping.page(session).items


def shown(database: Database, client: Client, name: str, default_zone: str, number: int = 1) -> Shown:
    """Raises NotFound."""
    with database.read() as session:
        view = keeping.view(session, name)
        of = None if client.sees_all else client.name
        found = keeping.following(session, name, of, (number - 1) * EACH, EACH + 1)
        zone = _zone(session, name, of) or default_zone
    followers = [Follower(one, _state(done, failed)) for one, done, failed in found[:EACH]]
    return Shown(view, zone, utc_now().astimezone(ZoneInfo(zone)).date(), followers, number, len(found) > EACH)


def _zone(session: Session, name: str, client: str | None) -> str | None:
    """Which zone's clocks most of the client's recordings go by that name it."""
    zone, number = col(Recording.time_zone), func.count()
    statement = (
        select(zone)
        .join(RecordingCalendar, col(RecordingCalendar.recording_id) == col(Recording.id))
        .where(col(RecordingCalendar.calendar) == name)
        .group_by(zone)
        .order_by(number.desc(), zone)
        .limit(1)
    )
    if client is not None:
        statement = statement.where(col(Recording.client) == client)
    return session.execute(statement).scalar_one_or_none()


def _state(done: bool, failed: bool) -> str:
    return "behind" if failed else "follows" if done else "following"


def _on_days(days: Sequence[DayView], year: int) -> dict[date, tuple[str, str]]:
    """Each date of the year that a calendar says something of: its class, and what it says. Closed goes before."""
    on: dict[date, tuple[str, str]] = {}
    for one in sorted(days, key=lambda one: one.meets_as is None):
        first, last = max(one.first, date(year, 1, 1)), min(one.last, date(year, 12, 31))
        for number in range((last - first).days + 1):
            day = first + timedelta(days=number)
            also = f"{on[day][1]}; " if one.meets_as and day in on else ""
            on[day] = "made-up" if one.meets_as else "closed", also + what_holds(one)
    return on


def what_holds(day: DayView | NamedDays) -> str:
    """`Spring break: nothing is recorded`."""
    held = f"{WEEKDAYS[day.meets_as]}’s sessions are held" if day.meets_as else "nothing is recorded"
    return f"{day.name}: {held}" if day.name else held


def progress_state(progress: Progress) -> tuple[str, str]:
    """How far a calendar has come: one of `words.STATES`, and a sentence."""
    recordings = count(progress.recordings, "recording")
    if not progress.recordings:
        return "unused", "No recording names it yet."
    if progress.failed:
        return "lagging", f"{progress.failed:,} of {recordings} could not follow."
    if progress.done < progress.recordings:
        return "coming", f"{progress.done:,} of {recordings} follow it so far."
    return "followed", f"{recordings} {'names' if progress.recordings == 1 else 'name'} it."


# What would happen


def body_with(seen: Shown, day: Day) -> tuple[Body, NamedDays]:
    """The calendar with one day more. Raises RequestValidationError."""
    one = day.last in ("", day.first)
    dates = {"date": day.first} if one else {"from": day.first, "to": day.last}
    read = read_as(NamedDays, {**dates, "name": day.name, "meets_as": day.meets_as})
    return _body(seen.view.title, [*_said(seen.view), read.model_dump(mode="json", by_alias=True)]), read


def body_without(seen: Shown, number: int) -> tuple[Body, DayView]:
    """The calendar without that entry. Raises NotFound."""
    if number >= len(seen.view.days):
        raise NotFound("The calendar has no such day.")
    days = _said(seen.view)
    return _body(seen.view.title, days[:number] + days[number + 1 :]), seen.view.days[number]


def body_again(seen: Shown) -> Body:
    return _body(seen.view.title, _said(seen.view))


def _said(view: CalendarView) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "date": str(one.first), "meets_as": one.meets_as}
        if one.meets_as
        else {"name": one.name, "from": str(one.first), "to": str(one.last)}
        for one in view.days
    ]


def _body(title: str | None, days: Sequence[Mapping[str, Any]]) -> Body:
    return Body(json.dumps({"title": title, "days": days}).encode(), "application/json", None)


def what_adding_does(day: NamedDays, found: CalendarPreview) -> Asked:
    when = _when(day.begins, day.ends)
    recordings = count(found.touched, "recording")
    title = f"Record nothing {when}?"
    if not found.touched:
        named = f"of the {count(found.recordings, 'recording')} that name it " if found.recordings else ""
        what = f"No coming session {named}lies there: only the calendar changes."
        return Asked(title.replace("Record nothing", "Add a make-up day") if day.meets_as else title, what, "Add it")
    if day.meets_as:
        held = f"{count(found.restored, 'session')} {'is' if found.restored == 1 else 'are'} held instead"
        what = f"{WEEKDAYS[day.meets_as]}’s sessions are held {when}: this leaves out {count(found.dropped, 'session')}"
        return Asked(
            f"Hold {WEEKDAYS[day.meets_as]}’s sessions {when}?", f"{what} of {recordings}, and {held}.", "Hold them"
        )
    what = f"This leaves out {count(found.dropped, 'session')} of {recordings} {when}."
    also = f" {count(found.restored, 'session')} come back." if found.restored else ""
    stays = " What was recorded stays. Taken out of the calendar, the day brings its sessions back."
    return Asked(title, what + also + stays, "Record nothing then", dangerous=True)


def what_removing_does(day: DayView, found: CalendarPreview) -> Asked:
    when, recordings = _when(day.first, day.last), count(found.touched, "recording")
    if not found.touched:
        return Asked("Take this day out?", f"No session comes back {when}. Only the calendar changes.", "Take it out")
    what = f"This holds {count(found.restored, 'session')} of {recordings} again {when}"
    if found.dropped:
        what += f", and leaves out {count(found.dropped, 'session')}"
    taken = "Where the room is taken by now, the recording stays as it is, and says so."
    return Asked("Take this day out?", f"{what}. {taken}", "Take it out", dangerous=bool(found.dropped))


def what_again_does(seen: Shown) -> Asked:
    what = f"This tries again to change the {count(seen.view.failed, 'recording')} that could not follow."
    return Asked("Try again?", f"{what} All others stay as they are.", "Try again")


def what_deleting_does(seen: Shown) -> Asked:
    entries = count(len(seen.view.days), "entry", "entries")
    what = f"This takes {isolated(seen.called)} away, with {entries}. No recording names it."
    return Asked("Take this calendar away?", what, "Take it away", dangerous=True)


def zones_of(database: Database, found: CalendarPreview) -> Mapping[str, str]:
    """By whose clocks the first of these recordings go; of another client's that is not told."""
    ids = [one.recording_id for one in found.items[:MOST_TOUCHED] if one.recording_id]
    with database.read() as session:
        zones = select(col(Recording.id), col(Recording.time_zone)).where(col(Recording.id).in_(ids))
        return {row.id: row.time_zone for row in session.execute(zones)}


def _when(first: date, last: date) -> str:
    """`on Thursday 11 February 2027`, `from Monday 22 March to Friday 26 March 2027`."""
    if first == last:
        return f"on {date_in_words(first)}"
    return f"from {date_in_words(first, year=first.year != last.year)} to {date_in_words(last)}"


SAID = {
    "made": "The calendar is there. Its days come next; then documents name it.",
    "there": "There is a calendar of this name already: this one.",
    "already": "The calendar says so already. Nothing was changed.",
    "added": "The day is in the calendar.",
    "removed": "The day is taken out of the calendar.",
    "again": "It was tried again.",
    "going": "The calendar says so now. Recordings are still being changed, which goes on in the background.",
    "deleted": "The calendar is taken away.",
}
"""What a page says first, after a form has done what it says. An address names one of these, and no text."""
