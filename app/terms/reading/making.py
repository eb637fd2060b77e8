"""From what a row says to what it means in its term: when it is held, in which room, and whether it is recorded."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from app.recurrence.rules import WEEKDAYS
from app.terms.meetings.errors import RejectedError
from app.terms.meetings.frame import NOTHING_LEFT, Frame, is_over
from app.terms.meetings.parts import length, read_time, shown
from app.terms.meetings.rows import Note, Row
from app.terms.meetings.settings import TermSettings, plain_room
from app.terms.meetings.times import Times, clock, in_weeks, on_dates, weekly


@dataclass(frozen=True, slots=True)
class Said:
    """When a meeting is held, as its row says it: not yet within the term. `start` and `end` are times of day."""

    start: str | None
    end: str | None
    days: tuple[str, ...] = ()
    dates: tuple[date, ...] = ()
    first: date | None = None
    last: date | None = None
    weeks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """What that means in the term. Without `times`, `skip` says why nothing is held."""

    times: Times | None
    skip: str | None
    notes: tuple[Note, ...]


def held(said: Said, within: Frame) -> Held:
    """Raises RejectedError for what cannot be meant."""
    term = within.settings
    if said.first and said.last and said.last < said.first:
        raise RejectedError("dates_reversed", f"It ends on {said.last}, before it begins on {said.first}.", "/to")
    dates, days = _when(said)
    if said.start is None or not (dates or days):
        return Held(None, "no_time", ())
    if said.end is None:
        raise RejectedError("no_duration", "It has a time when it begins, and none when it ends.", "/end")
    (begin, padded), (end, also_padded) = read_time(said.start), read_time(said.end)
    minutes = length(begin, end, term.max_hours)
    start = clock(begin)
    notes = []
    if padded or also_padded:
        notes.append(Note("time_padded", f"'{said.start}' to '{said.end}': a zero that was lost is put back."))
    if dates:
        within_term = [day for day in dates if term.first_date <= day <= term.last_date]
        times, last, outside = on_dates(start, minutes, within_term) if within_term else None, max(dates), False
        clipped = len(within_term) < len(dates)
    else:
        first, last = said.first or term.first_date, said.last or term.last_date
        from_day, to_day = max(first, term.first_date), min(last, term.last_date)
        clipped = (from_day, to_day) != (first, last)
        if said.weeks and term.week_1 is None:
            raise RejectedError("no_week_1", "It names weeks, and the term's settings have no week_1.", "/weeks")
        if said.weeks and term.week_1:
            times, outside = in_weeks(start, minutes, days, from_day, to_day, said.weeks, term.week_1)
        else:
            times, outside = weekly(start, minutes, days, from_day, to_day), False
    if times is None:
        return Held(
            None, "past" if is_over(last, start.hour * 60 + start.minute + minutes, within) else NOTHING_LEFT, ()
        )
    if clipped:
        notes.append(Note("clipped", f"Only what lies from {term.first_date} to {term.last_date} is recorded."))
    if outside:
        notes.append(Note("weeks_outside_term", "Some of its weeks lie outside the term and are left out."))
    return Held(times, None, tuple(notes))


def _when(said: Said) -> tuple[tuple[date, ...], tuple[str, ...]]:
    """Its dates, or its weekdays. No days and one date (`from` and `to` are the same) mean that date."""
    if said.dates:
        wrong = [day for day in said.dates if said.days and WEEKDAYS[day.weekday()] not in said.days]
        if wrong:
            raise RejectedError("date_differs", f"{wrong[0]} is not one of its days. Give days, or dates.", "/days")
        return said.dates, ()
    if not said.days and said.first and said.first == said.last and not said.weeks:
        return (said.first,), ()
    return (), said.days


@dataclass(frozen=True, slots=True)
class Room:
    """A room, with the resource that records there; or `skip` says why none does."""

    name: str | None
    resource: str | int | None
    skip: str | None = None


def rooms(said: str | None, within: Frame) -> list[Room]:
    """The rooms that a cell names, at least one: mostly one, and several are recorded side by side.

    Raises RejectedError for a room that nobody knows.
    """
    if not said:
        return [Room(None, None, "no_room")]
    name = " ".join(said.split())
    if not within.rooms:
        return [_as_resource(name, within)]
    pieces = [name] if plain_room(name) in within.rooms else [piece.strip() for piece in re.split("[|;,+]", name)]
    found = list(_mapped(filter(None, pieces), within))
    return [room for room in found if not room.skip] or found[:1] or [Room(None, None, "no_room")]


def _mapped(names: Iterable[str], within: Frame) -> Iterator[Room]:
    for name in dict.fromkeys(names):
        if (known := within.rooms.get(plain_room(name))) is None:
            raise RejectedError(
                "unknown_room",
                f"'{shown(name)}' is not among the term's rooms. Add it there: with its resource, or with null if "
                "nothing records in it.",
                "/room",
            )
        yield Room(known[0], known[1], None if known[1] else "room_not_recorded")


def _as_resource(name: str, within: Frame) -> Room:
    """A room that is a resource's system name itself."""
    if within.resources is None:
        return Room(name, name)
    if (known := within.by_name.get(plain_room(name))) is None:
        raise RejectedError("unknown_room", f"Kaltura has no resource '{shown(name)}'. Mend the name.", "/room")
    return Room(known, known)


def not_recorded(section: str | None, kind: str | None, record: bool | None, settings: TermSettings) -> str | None:
    """Why nothing of a section is recorded, whatever its rooms and times are."""
    if record is False:
        return "not_to_record"
    types = {name.casefold() for name in settings.record_types}
    if record is None and types and (kind or "").casefold() not in types:
        return "type_not_recorded"
    return "opted_out" if section is not None and section in settings.opt_outs.keys else None


def made(row: Row, said: Callable[[], Said], room: str | None, within: Frame) -> list[Row]:
    """The row with its times and rooms: one, or one for each of several rooms. Raises RejectedError.

    `row` says why it is not recorded, if that is known already. What is not recorded is not rejected either, whatever
    else about it cannot be read. `said` raises RejectedError, too.
    """
    when, where, wrong = None, [Room(None, None)], None
    try:
        where = rooms(room, within)
    except RejectedError as error:
        wrong = error
    try:
        when = held(said(), within)
    except RejectedError as error:
        wrong = wrong or error
    times = when.times if when else None
    no_time = "no_time" if when and when.skip == "no_time" else None
    skip = row.skip or no_time or where[0].skip
    if skip:
        return [replace(row, times=times, room=where[0].name, resource=where[0].resource, skip=skip)]
    if wrong or when is None:
        raise wrong or RejectedError("no_time", "It says nothing of when it is held.")
    notes = (*row.notes, *when.notes)
    return [
        replace(row, times=times, room=one.name, resource=one.resource, skip=when.skip, notes=notes) for one in where
    ]
