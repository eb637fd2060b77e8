"""A recurrence as RFC 5545 writes it (3.8.5): lines of RRULE, RDATE, EXDATE and DTSTART.

    RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=28      what `Rule` can say stays a rule
    RDATE;TZID=Europe/Berlin:20270510T140000    adds an occurrence, as an Inclusion
    EXDATE:20270216,20270217                    leaves some out, as an Exclusion, those of an RDATE too
    DTSTART:20270111T090000                     is allowed if it says what the start says

Several RRULEs, and one that says more than `Rule` (app/recurrence/beyond.py), are the dates that they yield. A line
without a name is an RRULE. A line that begins with a space goes on with the one before it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime
from zoneinfo import ZoneInfo

from app.recurrence.beyond import WiderRule, expand_wider, goes_beyond, read_wider
from app.recurrence.occurrences import Exclusion, Inclusion, begins, place, usual_days, zone
from app.recurrence.rules import Rule, RuleError, horizon, rrule_parts, rule_of

MAX_RULES = 4  # the work of one is bounded, and so is that of all
SECOND = "An RDATE adds a second session to a day: one a day can be recorded."
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WITHIN_A_DAY = ("HOURLY", "MINUTELY", "SECONDLY")

_FOLD = re.compile(r"\r?\n[ \t]")
_LINE = re.compile(r"(?P<name>RRULE|RDATE|EXDATE|DTSTART)(?P<parameters>(\s*;[^:]*)?):(?P<value>.*)")
_STAMP = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?")
_ANY_START, _ANY_ZONE = datetime(2000, 1, 1), ZoneInfo("UTC")  # noqa: DTZ001 - wall-clock time


@dataclass(frozen=True, slots=True)
class Recurring:
    """What a recurrence says: a rule, or the dates themselves, and what comes to it and goes."""

    rule: Rule | tuple[date, ...] | None
    include: tuple[Inclusion, ...] = ()
    exclude: tuple[Exclusion, ...] = ()


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    zone: str | None
    value: str


def check_text(text: str) -> None:
    """Raises RuleError for what is wrong wherever the recurrence starts."""
    for line in _lines(text):
        if line.name == "RRULE":
            _read(line.value, _ANY_START, _ANY_ZONE)
        else:
            list(_moments(line, _ANY_ZONE))


def read_text(text: str, start: datetime, tz: ZoneInfo) -> Recurring:
    """What the lines mean for occurrences that begin at `start` (naive) in `tz`. Raises RuleError."""
    lines = _lines(text)
    said = {
        name: [moment for line in lines if line.name == name for moment in _moments(line, tz)]
        for name in ("DTSTART", "RDATE", "EXDATE")
    }

    def instant(day: date, at: datetime | None) -> datetime:
        return place(at or begins(start, day), tz)[0]

    if any(day != start.date() or instant(day, at) != instant(day, None) for day, at in said["DTSTART"]):
        raise RuleError("", "DTSTART says the same as start, or is left out.")
    rule = _together([_read(line.value, start, tz) for line in lines if line.name == "RRULE"], start)
    gone = {instant(day, at) for day, at in said["EXDATE"]}
    whole_days = {day for day, at in said["EXDATE"] if at is None}
    added: dict[date, datetime | None] = {}
    for day, at in said["RDATE"]:
        if instant(day, added.setdefault(day, at)) != instant(day, at):
            raise RuleError("", SECOND)
    if any(instant(day, at) not in (instant(day, None), instant(day, added.get(day))) for day, at in said["EXDATE"]):
        raise RuleError("", "An EXDATE has another time of day than the sessions: it would leave none out.")
    if any(not start.date() <= day <= horizon(start.date()) for day in added):
        raise RuleError("", "An RDATE lies before the first day, or more than three years after it.")
    kept = {day: at for day, at in added.items() if instant(day, at) not in gone and day not in whole_days}
    own = {day: at.time() for day, at in kept.items() if at and instant(day, at) != instant(day, None)}
    if own and own.keys() & usual_days(start, rule):
        raise RuleError("", SECOND)
    return Recurring(
        rule,
        tuple(Inclusion(day, own.get(day)) for day in kept),
        tuple(Exclusion(day, day) for day in sorted({day for day, _ in said["EXDATE"] if instant(day, None) in gone})),
    )


def _lines(text: str) -> list[_Line]:
    found = []
    for written in _FOLD.sub("", text.strip()).splitlines():
        if not (line := written.strip().upper()):
            continue
        matched = _LINE.fullmatch(line)
        if not matched and ":" in line:
            raise RuleError("", "The lines of a recurrence are RRULE, RDATE, EXDATE and DTSTART.")
        if not matched or matched["name"] == "RRULE":
            found.append(_Line("RRULE", None, matched["value"] if matched else line))
        else:
            found.append(_Line(matched["name"], _zone_of(matched["parameters"]), matched["value"]))
    names = [line.name for line in found]
    if not {"RRULE", "RDATE"} & set(names):
        raise RuleError("", "A recurrence has an RRULE or an RDATE.")
    if names.count("RRULE") > MAX_RULES:
        raise RuleError("", f"A recurrence has at most {MAX_RULES} RRULEs: give the others' dates.")
    return found


def _zone_of(parameters: str) -> str | None:
    """The TZID among a line's parameters, if it has one."""
    found = None
    for parameter in filter(None, (one.strip() for one in parameters.split(";"))):
        name, _, value = parameter.partition("=")
        if name == "TZID":
            found = value.strip('"')
        elif (name, value) not in (("VALUE", "DATE"), ("VALUE", "DATE-TIME")):
            raise RuleError("", "A line of dates has only TZID and VALUE: dates or date-times, and no periods.")
    return found


def _moments(line: _Line, tz: ZoneInfo) -> Iterator[tuple[date, datetime | None]]:
    """The line's local dates in `tz`, each with its wall-clock time if one is given; `fold` says which of two it is."""
    try:
        its_zone = zone(line.zone) if line.zone else tz
        for text in line.value.split(","):
            stamp = text.strip()
            if not _STAMP.fullmatch(stamp):
                raise ValueError("Not a date, nor a date-time.")
            moment = datetime.fromisoformat(stamp)
            if not MINYEAR < moment.year < MAXYEAR:
                raise ValueError("At the calendar's ends, where some zones have another year.")
            if "T" not in stamp:
                yield moment.date(), None
                continue
            if moment.tzinfo or its_zone.key != tz.key:
                aware = moment if moment.tzinfo else moment.replace(tzinfo=its_zone)
                moment = aware.astimezone(UTC).astimezone(tz).replace(tzinfo=None)
            yield moment.date(), moment
    except (ValueError, OverflowError) as error:
        raise RuleError(
            "", f"{line.name} has dates such as 20270514, or date-times such as 20270514T130000Z."
        ) from error


def _together(rules: Sequence[Rule | WiderRule], start: datetime) -> Rule | tuple[date, ...] | None:
    """One rule that `Rule` can say, or else the dates of all."""
    if len(rules) == 1 and isinstance(rules[0], Rule):
        return rules[0]
    days = (usual_days(start, one) if isinstance(one, Rule) else expand_wider(one, start) for one in rules)
    return tuple(sorted(set().union(*days))) or None


def _read(text: str, start: datetime, tz: ZoneInfo) -> Rule | WiderRule:
    parts = rrule_parts(text)
    if parts.get("FREQ") in WITHIN_A_DAY:
        raise RuleError("frequency", "FREQ is DAILY, WEEKLY, MONTHLY or YEARLY: nothing repeats within a day.")
    if parts.get("FREQ") not in FREQUENCIES:
        raise RuleError(
            "frequency", "An RRULE has FREQ=DAILY, WEEKLY, MONTHLY or YEARLY; semicolons part it from the rest."
        )
    return read_wider(parts, start, tz) if goes_beyond(parts) else rule_of(parts, start, tz)
