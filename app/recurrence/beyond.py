"""RRULEs that say more than `Rule`: yearly ones, by months, weeks and days of the year, positions in any period.

What they mean is dateutil's to say. Its walk ends only when a date comes out that lies beyond, or with the calendar, in
the year 9999; a rule that yields nothing takes seconds. So it is bounded before it begins: the years that are asked for
are exchanged for years of the same shape, weekday by weekday, of the last thirty that the calendar has.

    2027 2028 2029 2030          asked for: from Friday on, the second is a leap year
      ↓    ↓    ↓    ↓
    9971 9972 9973 9974 … 9999   walked: the same days and weeks, and then the calendar ends

A daily rule is walked year by year, which dateutil does a hundred times faster, and its interval is counted here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, date, datetime, time, timedelta
from functools import partial
from itertools import takewhile
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dateutil import rrule

from app.recurrence.rules import (
    MAX_INTERVAL,
    MAX_OCCURRENCES,
    MAX_YEARS,
    MORE_PARTS,
    WEEKDAYS,
    RuleError,
    capped,
    ends,
    number,
    numbers,
    parse_day,
)

LAST_YEAR = 2099  # 2100 is no leap year: none of the last years is shaped like the four around it

_FREQUENCIES: dict[str, Literal[0, 1, 2, 3]] = {"YEARLY": 0, "MONTHLY": 1, "WEEKLY": 2, "DAILY": 3}
_LISTS = {  # dateutil's name, the highest number, whether it may be counted from the end
    "BYMONTH": ("bymonth", 12, False),
    "BYWEEKNO": ("byweekno", 53, True),
    "BYYEARDAY": ("byyearday", 366, True),
    "BYMONTHDAY": ("bymonthday", 31, True),
    "BYSETPOS": ("bysetpos", 366, True),
}
_NOT_WITH = {  # RFC 5545 3.3.10, its table
    "BYWEEKNO": {"MONTHLY", "WEEKLY", "DAILY"},
    "BYYEARDAY": {"MONTHLY", "WEEKLY", "DAILY"},
    "BYMONTHDAY": {"WEEKLY"},
}


@dataclass(frozen=True, slots=True)
class WiderRule:
    """An RRULE that is valid in itself. `by` are its lists of numbers and its weekdays, by dateutil's names."""

    frequency: str
    interval: int
    week_start: int
    by: Mapping[str, Any]
    count: int | None
    until: date | None


def goes_beyond(parts: Mapping[str, str]) -> bool:
    """Whether an RRULE of these parts says something that `Rule` cannot."""
    frequency, interval = parts.get("FREQ"), parts.get("INTERVAL", "1")
    return (
        frequency == "YEARLY"
        or any(name in parts for name in MORE_PARTS)
        or (frequency in ("WEEKLY", "DAILY") and ("BYSETPOS" in parts or "BYMONTHDAY" in parts))
        or (interval.isdecimal() and int(interval[:10]) > MAX_INTERVAL)
    )


def read_wider(parts: Mapping[str, str], start: datetime, tz: ZoneInfo) -> WiderRule:
    """The rule of an RRULE's parts; `start` and `tz` are for its UNTIL. Raises RuleError."""
    frequency = parts.get("FREQ", "")
    end = ends(parts, start, tz)
    interval = number("interval", parts.get("INTERVAL", "1"))
    week_start = parts.get("WKST", "MO")
    for holds, detail in (
        (frequency in _FREQUENCIES, "FREQ is DAILY, WEEKLY, MONTHLY or YEARLY."),
        (interval >= 1, "INTERVAL is at least 1."),
        ((end["count"] is None) != (end["until"] is None), "An RRULE here ends: by COUNT or by UNTIL."),
        (end["count"] is None or 1 <= end["count"] <= MAX_OCCURRENCES, "COUNT is 1 to 1,000."),
        (week_start in WEEKDAYS, "WKST is one of MO, TU, WE, TH, FR, SA, SU."),
        ("BYSETPOS" not in parts or len(parts.keys() & {"BYDAY", *_LISTS}) > 1, "BYSETPOS goes with another BY part."),
    ):
        if not holds:
            raise RuleError("", detail)
    by: dict[str, Any] = {
        _LISTS[name][0]: _listed(name, frequency, text) for name, text in parts.items() if name in _LISTS
    }
    if "BYDAY" in parts:
        by["byweekday"] = _weekdays(parts, frequency)
    return WiderRule(frequency, interval, WEEKDAYS.index(week_start), by, end["count"], end["until"])


def expand_wider(rule: WiderRule, start: datetime) -> list[date]:
    """The days on which `rule` occurs from `start` (naive) on, as `expand` has them of a Rule. Raises RuleError."""
    first = start.date()
    if first.year + MAX_YEARS > LAST_YEAR:
        raise RuleError("", f"Such a rule can be read up to the year {LAST_YEAR}: give its dates.")
    return capped(first, rule.count, rule.until, partial(_walk, rule, first))


def _listed(name: str, frequency: str, text: str) -> tuple[int, ...]:
    _, highest, signed = _LISTS[name]
    found = numbers(name, text)
    _once(name, found)
    if frequency in _NOT_WITH.get(name, ()):
        raise RuleError("", f"RFC 5545 has no {name} in a {frequency} rule.")
    if not all(1 <= (abs(one) if signed else one) <= highest for one in found):
        raise RuleError("", f"{name} takes 1 to {highest}{f' and -1 to -{highest}' if signed else ''}.")
    return found


def _once(name: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise RuleError("", f"{name} holds a value twice.")


def _weekdays(parts: Mapping[str, str], frequency: str) -> list[rrule.weekday]:
    """A plain day beside numbered ones is each of its numbers: dateutil would take it for a condition on them."""
    most = 53 if frequency == "YEARLY" and "BYMONTH" not in parts else 5
    days = [_weekday(text) for text in parts["BYDAY"].split(",")]
    _once("BYDAY", days)
    numbered = any(ordinal for _, ordinal in days)
    if numbered and (frequency in ("WEEKLY", "DAILY") or "BYWEEKNO" in parts):
        raise RuleError("", "RFC 5545 numbers days, as in 2TU, in MONTHLY and YEARLY rules without BYWEEKNO.")
    if any(abs(ordinal or 1) > most for _, ordinal in days):
        raise RuleError("", f"A day's number is 1 to {most} or -1 to -{most} here.")
    return [
        rrule.weekday(weekday, each)
        for weekday, ordinal in days
        for each in (range(1, most + 1) if numbered and ordinal is None else [ordinal])
    ]


def _weekday(text: str) -> tuple[int, int | None]:
    day = parse_day(text[-2:])
    ordinal = number("BYDAY", text[:-2]) if text[:-2] else None
    if ordinal == 0:
        raise RuleError("", "A day's number is never 0.")
    return WEEKDAYS.index(day.weekday), ordinal


def _walk(rule: WiderRule, first: date, last: date) -> Iterator[date]:
    """The days from `first` to `last`, ascending, lazily."""
    begin = first.replace(year=_like(first.year))
    end = last.replace(year=last.year - first.year + begin.year)
    given: dict[str, Any] = dict(rule.by)
    frequency, interval, positions = rule.frequency, rule.interval, ()
    if frequency == "DAILY":
        positions = given.pop("bysetpos", ())
        given = {"bymonthday": range(1, 32), **given}
        frequency, interval = "YEARLY", 1
    walked = rrule.rrule(
        _FREQUENCIES[frequency],
        dtstart=datetime.combine(begin, time()),
        interval=interval,
        wkst=rule.week_start,
        until=datetime.combine(end, time()),
        **given,
    )
    for found in takewhile(lambda day: day <= end, map(datetime.date, walked)):
        if rule.frequency == "DAILY" and ((found - begin).days % rule.interval or not _is_chosen(positions)):
            continue
        yield first + timedelta(days=(found - begin).days)


def _is_chosen(positions: tuple[int, ...]) -> bool:
    """Of the one day that a day has."""
    return not positions or 1 in positions or -1 in positions


def _like(year: int) -> int:
    """The last year but four, or one before it, that begins a stretch of years with the same weekdays."""
    return next(
        other
        for other in range(MAXYEAR - MAX_YEARS - 1, 0, -1)
        if other % 4 == year % 4 and date(other, 1, 1).weekday() == date(year, 1, 1).weekday()
    )
