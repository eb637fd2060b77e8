"""What a recurrence means: RFC 5545 (3.3.10) on wall-clock times, for the subset that Lectern accepts.

A rule walks over *periods* (every `interval`-th day, week or month), picks days in each, and stops after `count`
days or after the day `until`. Nothing here knows a zone: wall-clock times go in, wall-clock times come out.

    periods                  daily: one day · weekly: seven days from `week_start` · monthly: all its days
      -> days, month_days    keep the days that match both
      -> positions           of what is left of a period keep the first, the last …
      -> start, until, count keep what lies between

The walk is written out here and held to `dateutil.rrule` by tests. dateutil's own has no bound: it looks at `until`
only when a day comes out, so a rule that yields none runs to the year 9999 (0.9 s for "each seventh day that is a
Monday" from a Tuesday), and it takes "MO,2TU" for Mondays that are second Tuesdays. This one visits each of at most
1,127 days once.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Literal, TypedDict, cast
from zoneinfo import ZoneInfo

Frequency = Literal["daily", "weekly", "monthly"]

FREQUENCIES: tuple[Frequency, ...] = ("daily", "weekly", "monthly")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

MAX_INTERVAL = 12
MAX_OCCURRENCES = 1000  # Kaltura's cap for one series; Lectern's for one recording
MAX_YEARS = 3
TOO_MANY = "The recurrence has more than 1,000 occurrences."

_DAY = re.compile(r"([+-]?[0-9]{1,3})?([A-Z]{2})")
_NUMBER = re.compile(r"[+-]?[0-9]+")
_UNTIL = re.compile(r"[0-9]{8}(T[0-9]{6}(Z?))?")

_AROUND = re.compile(r"\s*([:;=,])\s*")  # what may stand between two words, with the spaces around it

_RRULE_PARTS = {
    "FREQ": "frequency",
    "INTERVAL": "interval",
    "BYDAY": "days",
    "BYMONTHDAY": "month_days",
    "BYSETPOS": "positions",
    "COUNT": "count",
    "UNTIL": "until",
    "WKST": "week_start",
}
MORE_PARTS = ("BYMONTH", "BYWEEKNO", "BYYEARDAY")  # which Rule does not have: app/recurrence/beyond.py


class RuleError(ValueError):
    """What is wrong with a rule: the document's `field` ("" is the rule as a whole) and one sentence.

    The sentence names what the rule breaks and never repeats what was sent.
    """

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Day:
    """A weekday, in a monthly rule also the n-th (1 to 5) or n-th last (-1 to -5) of its month."""

    weekday: str
    ordinal: int | None = None

    def __post_init__(self) -> None:
        if self.weekday not in WEEKDAYS:
            raise RuleError("days", "A day is one of MO, TU, WE, TH, FR, SA, SU.")
        if self.ordinal is not None and abs(self.ordinal) not in range(1, 6):
            raise RuleError("days", "A day's number is 1 to 5 or -1 to -5, as in 2TU or -1FR.")

    def __str__(self) -> str:
        return f"{self.ordinal or ''}{self.weekday}"

    def matches(self, day: date, month_length: int) -> bool:
        """Whether `day`, in a month of `month_length` days, is this day."""
        if WEEKDAYS[day.weekday()] != self.weekday:
            return False
        return self.ordinal in (None, (day.day + 6) // 7, -((month_length - day.day) // 7 + 1))


def parse_day(text: str) -> Day:
    """ "MO", "2TU", "+2TU" or "-1FR"; anything else is a RuleError for "days"."""
    if not (found := _DAY.fullmatch(text)):
        raise RuleError("days", "A day is a weekday such as MO, monthly also with a number, as in 2TU or -1FR.")
    return Day(found[2], int(found[1]) if found[1] else None)


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurrence that is valid in itself; what depends on the start is checked by `expand`.

    `until` is the last local date, inclusive. Weekly without `days` means the start's weekday, monthly without `days`
    and `month_days` the start's day of the month. Raises RuleError.
    """

    frequency: Frequency
    interval: int = 1
    days: tuple[Day, ...] = ()
    month_days: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    count: int | None = None
    until: date | None = None
    week_start: str = "MO"

    def __post_init__(self) -> None:
        for holds, field, detail in self._conditions():
            if not holds:
                raise RuleError(field, detail)

    def _conditions(self) -> Iterator[tuple[bool, str, str]]:
        monthly = self.frequency == "monthly"
        yield self.frequency in FREQUENCIES, "frequency", "frequency is daily, weekly or monthly."
        yield 1 <= self.interval <= MAX_INTERVAL, "interval", f"interval is 1 to {MAX_INTERVAL}."
        yield (self.count is None) != (self.until is None), "", "A recurrence has either count or until."
        yield self.count is None or 1 <= self.count <= MAX_OCCURRENCES, "count", "count is 1 to 1,000."
        yield self.week_start in WEEKDAYS, "week_start", "week_start is one of MO, TU, WE, TH, FR, SA, SU."
        yield (
            monthly or all(day.ordinal is None for day in self.days),
            "days",
            "Only a monthly recurrence numbers its days, as in 2TU.",
        )
        yield monthly or not self.month_days, "month_days", "Only a monthly recurrence takes month_days."
        yield monthly or not self.positions, "positions", "Only a monthly recurrence takes positions."
        yield (
            not self.positions or bool(self.days or self.month_days),
            "positions",
            "positions choose among days or month_days: give one of them.",
        )
        for field in ("month_days", "positions"):
            in_range = all(1 <= abs(number) <= 31 for number in getattr(self, field))
            yield in_range, field, f"{field} are 1 to 31 or -1 to -31."
        for field in ("days", "month_days", "positions"):
            values = getattr(self, field)
            yield len(set(values)) == len(values), field, f"{field} holds a value twice."


def parse_rrule(text: str) -> Rule:
    """An RRULE (RFC 5545 3.3.10) of the subset that `Rule` has; see `rrule_parts` and `rule_of`. Raises RuleError."""
    return rule_of(rrule_parts(text), None, None)


def rrule_parts(text: str) -> dict[str, str]:
    """The parts of an RRULE by their names, as they are written, in capitals. Raises RuleError for an unknown one.

    "RRULE:" may stand before it, case does not matter. Exports write a semicolon after the last part, or spaces around
    one: both are read.
    """
    parts: dict[str, str] = {}
    for part in _AROUND.sub(r"\1", text.upper()).strip().removeprefix("RRULE:").rstrip(";").split(";"):
        name, _, value = part.partition("=")
        if name not in _RRULE_PARTS and name not in MORE_PARTS:
            known = ", ".join([*_RRULE_PARTS, *MORE_PARTS])
            raise RuleError("", f"An RRULE here has only the parts {known}, joined by semicolons.")
        if name in parts:
            raise RuleError(_RRULE_PARTS.get(name, ""), f"{name} is given twice.")
        parts[name] = value
    return parts


def rule_of(parts: Mapping[str, str], start: datetime | None, tz: ZoneInfo | None) -> Rule:
    """The Rule that an RRULE's parts say.

    A Rule ends after a local date, an RRULE perhaps at an instant. The last date is then the last on which an
    occurrence that begins at `start`'s time of day begins no later than UNTIL: one with Z is an instant in UTC and
    needs `start` (naive) and `tz`, one without is a wall-clock time and needs `start`. So 20270514T035959Z, which in
    New York is 13 May, 23:59:59, does not let an occurrence of 14 May in. Raises RuleError, also where what is needed
    is not given.
    """
    for name in MORE_PARTS:
        if name in parts:
            raise RuleError("", f"A rule of this kind has no {name}.")
    interval = number("interval", parts.get("INTERVAL", "1"))
    if interval < 1:
        raise RuleError("interval", "INTERVAL is at least 1.")  # one beyond 12 is none of these rules
    return Rule(
        frequency=cast(Frequency, parts.get("FREQ", "").lower()),  # checked by Rule
        interval=interval,
        days=tuple(map(parse_day, parts["BYDAY"].split(","))) if "BYDAY" in parts else (),
        month_days=numbers("month_days", parts.get("BYMONTHDAY")),
        positions=numbers("positions", parts.get("BYSETPOS")),
        week_start=parts.get("WKST", "MO"),
        **ends(parts, start, tz),
    )


class Ends(TypedDict):
    """How an RRULE ends: after so many occurrences, or after a local date."""

    count: int | None
    until: date | None


def ends(parts: Mapping[str, str], start: datetime | None, tz: ZoneInfo | None) -> Ends:
    return {
        "count": number("count", parts["COUNT"]) if "COUNT" in parts else None,
        "until": _last_date(parts["UNTIL"], start, tz) if "UNTIL" in parts else None,
    }


def numbers(field: str, text: str | None) -> tuple[int, ...]:
    return tuple(number(field, one) for one in text.split(",")) if text is not None else ()


def number(field: str, text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise RuleError(field, f"{field} takes whole numbers.")
    return int(text[:10])  # what has more digits is beyond every limit all the same


def _last_date(text: str, start: datetime | None, tz: ZoneInfo | None) -> date:
    """The last date that an UNTIL lets in, see `parse_rrule`."""
    if not (found := _UNTIL.fullmatch(text)):
        raise RuleError("until", "UNTIL is a date such as 20270514, or a date-time such as 20270514T130000Z.")
    has_time, is_utc = bool(found[1]), bool(found[2])
    if has_time and (start is None or (is_utc and tz is None)):
        raise RuleError("until", "UNTIL with a time of day cannot be read here: give it as a date, such as 20270514.")
    try:
        if start is None or not has_time:
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
        day = moment.astimezone(tz).date() if is_utc else moment.date()
        begins = datetime.combine(day, start.time(), tzinfo=tz if is_utc else None)
        return day if begins <= moment else day - timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise RuleError("until", "UNTIL is not a date of the calendar.") from error


def expand(rule: Rule, start: datetime) -> list[datetime]:
    """The wall-clock times (naive, ascending, at least one) at which `rule` occurs from `start` (naive) on.

    RFC 5545, with dateutil's reading of a start that does not match: it is not an occurrence. Raises RuleError where
    no date matches, and where the rule goes beyond 1,000 occurrences or three years from `start`. Time zones, and a
    start too near the ends of the calendar, are the caller's to keep out.
    """
    first = start.date()
    days = capped(first, rule.count, rule.until, partial(walk, rule, first))
    return [datetime.combine(day, start.time()) for day in days]


def capped(first: date, count: int | None, until: date | None, walked: Callable[[date], Iterator[date]]) -> list[date]:
    """The days that a recurrence from `first` has, at least one. `walked` yields them up to a day. Raises RuleError."""
    last = horizon(first)
    if until and until < first:
        raise RuleError("until", "until lies before the first day.")
    if until and until > last:
        raise RuleError("until", "until lies more than three years after the first day.")
    days = list(islice(walked(until or last), count or MAX_OCCURRENCES + 1))
    if not days:
        raise RuleError("", "The recurrence yields no date up to its end, or within three years.")
    if count and len(days) < count:
        raise RuleError("count", "The recurrence goes beyond three years after the first day.")
    if len(days) > MAX_OCCURRENCES:
        raise RuleError("until", TOO_MANY)
    return days


def walk(rule: Rule, first: date, last: date) -> Iterator[date]:
    """The days from `first` to `last`, ascending, at which a recurrence that starts on `first` occurs.

    Lazy, and bounded by `last`: `count` and `until` are left to the caller.
    """
    rule = with_defaults(rule, first)
    for period in _periods(rule, first, last):
        for day in _chosen(rule, period):
            if first <= day <= last:
                yield day


def with_defaults(rule: Rule, first: date) -> Rule:
    """`rule` with the days that a start on `first` implies."""
    if rule.frequency == "weekly" and not rule.days:
        return replace(rule, days=(Day(WEEKDAYS[first.weekday()]),))
    if rule.frequency == "monthly" and not rule.days and not rule.month_days:
        return replace(rule, month_days=(first.day,))
    return rule


def _periods(rule: Rule, first: date, last: date) -> Iterator[Sequence[date]]:
    """The days of every `interval`-th day, week or month, from the one that holds `first` to the one of `last`."""
    start, stop = first.toordinal(), last.toordinal() + 1
    if rule.frequency == "daily":
        for number in range(start, stop, rule.interval):
            yield [date.fromordinal(number)]
    elif rule.frequency == "weekly":
        monday_based = first.weekday() - WEEKDAYS.index(rule.week_start)
        for number in range(start - monday_based % 7, stop, 7 * rule.interval):
            yield [date.fromordinal(number + day) for day in range(7)]
    else:
        for number in range(12 * first.year + first.month - 1, 12 * last.year + last.month, rule.interval):
            year, month = divmod(number, 12)
            yield [date(year, month + 1, day + 1) for day in range(monthrange(year, month + 1)[1])]


def _chosen(rule: Rule, period: Sequence[date]) -> Sequence[date]:
    """Those days of one period that `rule` means."""
    length = len(period)
    every = {day.weekday for day in rule.days if day.ordinal is None}
    numbered = [day for day in rule.days if day.ordinal is not None]
    days = [
        day
        for day in period
        if (
            not rule.days
            or WEEKDAYS[day.weekday()] in every
            or (numbered and any(wanted.matches(day, length) for wanted in numbered))
        )
        and (not rule.month_days or day.day in rule.month_days or day.day - length - 1 in rule.month_days)
    ]
    if not rule.positions:
        return days
    indices = {position - 1 if position > 0 else len(days) + position for position in rule.positions}
    return [day for index, day in enumerate(days) if index in indices]


def horizon(first: date) -> date:
    """The last day that a recurrence from `first` may reach; 29 February has its anniversary on 1 March."""
    try:
        return first.replace(year=first.year + MAX_YEARS)
    except ValueError:
        return date(first.year + MAX_YEARS, 3, 1)
