"""Kaltura's generator of recurrences, its deviations from RFC 5545 included.

A rule is walked on the wall clock, one period (day, week, month, year) after the other:

    start ── period ── + interval ── period ── + interval ── …   until count, until, 1,000 or two years
                │
                └── the period's dates in the rule's own order, at the walking date's time of day; those before
                    the start are dropped, `count` cuts in this order, and all are sorted at the very end

Taken from what the generator of a real server made of 1,597 rules (`tests/data/recurrence-cases.json`) and from
recorded series (exchanges 219 to 271). Two clock rules show in them:

* The walking date is a real one: in a spring gap it moves forward and keeps its new time of day ever after.
* In an autumn overlap a walked date takes the second instant east of Greenwich and the first one west of it. A date
  set inside a period takes the instant that has the daylight saving time of the day on which the generator runs,
  here always of `RUN_DATE`.
"""

import re
from calendar import isleap, monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

MAX_OCCURRENCES = 1000
MAX_YEARS = 2
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
CLOCK_SECONDS = {"seconds": 1, "minutes": 60, "hours": 3600}
REACH = {  # how many of each two years hold: a longer interval reaches beyond them as well
    "seconds": 63_244_800,
    "minutes": 1_054_080,
    "hours": 17_568,
    "days": 732,
    "weeks": 105,
    "months": 25,
    "years": 3,
}
RUN_DATE = datetime(2026, 11, 22, tzinfo=UTC)  # when the cases were recorded: the sandbox answers alike all year
LATEST_START = int(datetime(9990, 1, 1, tzinfo=UTC).timestamp())  # PHP's calendar goes on, Python's ends


class FatalRuleError(ValueError):
    """A rule on which Kaltura's generator dies: more than one day in `byMonthDay`."""


@dataclass(frozen=True)
class _Day:
    """One entry of `byDay`: `weekday` 0 is Monday, `ordinal` 0 means every one."""

    weekday: int
    ordinal: int
    text: str


@dataclass(frozen=True)
class _Rule:
    frequency: str
    interval: int
    limit: int
    until: int | None
    week_start: int
    days: list[_Day]
    offsets: list[int]
    month: int
    month_day: int
    zone: ZoneInfo


def generate(
    start: int, duration: int, recurrence: Mapping[str, object], server_zone: str = "America/New_York"
) -> list[tuple[int, int]]:
    """The (start, end) epoch seconds that Kaltura makes of `recurrence` (wire names), in ascending order.

    `start` is the event's own, which need not be an occurrence; `duration` is in seconds. A property that is absent
    or None is not set. An unknown time zone means `server_zone` (exchange 237), `count` 0 no limit (exchange 249), a
    negative one no occurrence (exchange 250), an interval below 1 means 1 (exchange 261). At most 1,000 occurrences,
    none later than two years after
    `start`. What the recordings do not show is ignored: `byDay` below a day, `byMonthDay` below a month, `byMonth` of
    several months. Duplicates are Kaltura's own. Raises `FatalRuleError`.
    """
    rule = _read(recurrence, server_zone)
    if not 0 <= start < LATEST_START:
        return []
    walk = datetime.fromtimestamp(start, rule.zone)
    end = _stepped(walk, years=MAX_YEARS).timestamp()
    if rule.until is not None:
        end = min(end, rule.until)
    if rule.frequency in CLOCK_SECONDS:
        starts = list(range(start, int(end) + 1, rule.interval * CLOCK_SECONDS[rule.frequency])[: rule.limit])
    else:
        starts = sorted(_walked(rule, walk, end))
    return [(moment, moment + duration) for moment in starts]


def _walked(rule: _Rule, walk: datetime, end: float) -> list[int]:
    """The starts up to `end`, in the order in which they are found."""
    start = walk.timestamp()
    walk = _entered(rule, walk)
    found: list[int] = []
    while len(found) < rule.limit:
        moments = _moments(rule, walk)
        found += [moment for moment in moments if start <= moment <= end][: rule.limit - len(found)]
        if min([*moments, walk.timestamp()]) > end:
            break
        walk = _next(rule, walk)
    return found


def _entered(rule: _Rule, walk: datetime) -> datetime:
    """Where the walk begins: in its first month the walking date itself is moved to `byMonth` and `byMonthDay`."""
    if rule.frequency != "months" or not (rule.month or rule.month_day):
        return walk
    month = walk.date().replace(day=1, month=rule.month or walk.month)
    return _on(walk, _month_day(month, rule.month_day or walk.day))


def _next(rule: _Rule, walk: datetime) -> datetime:
    """One interval further; a month's walk goes from the first of a month to the first of another."""
    match rule.frequency:
        case "days":
            return _stepped(walk, days=rule.interval)
        case "weeks":
            return _stepped(walk, days=7 * rule.interval)
        case "months":
            months = walk.month - 1 + rule.interval
            return _stepped(walk.replace(day=1, month=months % 12 + 1), years=months // 12)
        case _:
            return _stepped(walk, years=rule.interval)


def _moments(rule: _Rule, walk: datetime) -> list[int]:
    """What the walking date's period yields, in the rule's own order."""
    dates: list[date] | None
    match rule.frequency:
        case "days":
            wanted = not rule.days or any(day.weekday == walk.weekday() for day in rule.days)
            dates = None if wanted else []
        case "weeks":
            dates = _dates_of_week(rule, walk.date()) if rule.days else None
        case _:
            dates = _dates_of_month(rule, walk.date()) if rule.days or rule.month_day or rule.month else None
    if dates is None:
        return [int(walk.timestamp())]
    return [int(_on(walk, day).timestamp()) for day in dates]


def _dates_of_week(rule: _Rule, walk: date) -> list[date]:
    """The week's days from `weekStartDay` on; an entry with a space is sorted as if it were that day."""

    def position(day: _Day) -> int:
        return (day.weekday - rule.week_start) % 7

    first = walk - timedelta(days=(walk.weekday() - rule.week_start) % 7)
    ordered = sorted(rule.days, key=lambda day: position(day) if day.text in WEEKDAYS else 0)
    return [first + timedelta(days=position(day)) for day in ordered]


def _dates_of_month(rule: _Rule, walk: date) -> list[date]:
    """The month's days: those of each entry of `byDay` in turn, or of `byMonthDay`, or of both; then `byOffset`."""
    year = walk.year + (rule.frequency == "months" and 0 < rule.month < walk.month)
    month = date(year, rule.month or walk.month, 1)
    if not rule.days:
        return [_month_day(month, rule.month_day or walk.day)]
    dates = [match for day in rule.days for match in _weekdays(month, day)]
    if rule.month_day:
        wanted = _month_day(month, rule.month_day)
        dates = [match for match in dates if match == wanted]
    if rule.offsets:
        dates.sort()
        places = [offset - 1 if offset > 0 else offset + len(dates) for offset in rule.offsets]
        dates = [dates[place] for place in places if 0 <= place < len(dates)]
    return dates


def _weekdays(month: date, day: _Day) -> list[date]:
    first = 1 + (day.weekday - month.weekday()) % 7
    dates = [month.replace(day=number) for number in range(first, monthrange(month.year, month.month)[1] + 1, 7)]
    if not day.ordinal:
        return dates
    place = day.ordinal - 1 if day.ordinal > 0 else day.ordinal + len(dates)
    return dates[place : place + 1] if place >= 0 else []


def _month_day(month: date, number: int) -> date:
    """The day `number` of the month: too high a one is its last day, a negative one lies in the month before."""
    return month + timedelta(days=min(number, monthrange(month.year, month.month)[1]) - 1)


def _stepped(walk: datetime, days: int = 0, years: int = 0) -> datetime:
    """The walk `days` or `years` later on the clock; 29 February becomes 1 March."""
    year = walk.year + years
    leapt = (walk.month, walk.day) == (2, 29) and not isleap(year)
    day = date(year, 3, 1) if leapt else walk.date().replace(year=year)
    first, second = _instants(walk, day + timedelta(days=days))
    return second if (second.utcoffset() or timedelta(0)) >= timedelta(0) else first


def _on(walk: datetime, day: date) -> datetime:
    """The walking date's time of day set on another day of its period."""
    first, second = _instants(walk, day)
    return first if RUN_DATE.astimezone(walk.tzinfo).dst() else second


def _instants(walk: datetime, day: date) -> tuple[datetime, datetime]:
    """Both instants of the walking date's time of day on `day`: one twice, unless clocks go back; past a gap."""
    naive = datetime.combine(day, walk.time().replace(fold=0), tzinfo=walk.tzinfo)
    first, second = naive.timestamp(), naive.replace(fold=1).timestamp()
    return datetime.fromtimestamp(first, walk.tzinfo), datetime.fromtimestamp(max(first, second), walk.tzinfo)


def _read(recurrence: Mapping[str, object], server_zone: str) -> _Rule:
    """The rule as Kaltura reads it: lists are split at commas and not trimmed, numbers are cast."""

    def text(name: str) -> str:
        value = recurrence.get(name)
        return "" if value is None else str(value)

    def entries(name: str) -> list[str]:
        return text(name).split(",")[:MAX_OCCURRENCES] if text(name) else []

    month_days = entries("byMonthDay")
    if len(month_days) > 1:
        raise FatalRuleError("byMonthDay")
    count, month = _number(text("count")), _number(text("byMonth"))
    frequency = text("frequency")
    first_day = text("weekStartDay")
    return _Rule(
        frequency=frequency,
        interval=min(max(_number(text("interval")), 1), REACH.get(frequency, 1)),
        limit=min(count or MAX_OCCURRENCES, MAX_OCCURRENCES),
        until=_number(text("until")) if text("until") else None,
        week_start=WEEKDAYS.index(first_day) if first_day in WEEKDAYS else 0,
        days=[_day(entry) for entry in entries("byDay")],
        offsets=[_number(entry) for entry in entries("byOffset")],
        month=month if 1 <= month <= 12 else 0,
        month_day=max(_number(month_days[0]), -31) if month_days else 0,
        zone=_zone(text("timeZone"), server_zone),
    )


def _day(text: str) -> _Day:
    """An entry of `byDay`: its last two characters name the day, and what names none is Monday."""
    name = text[-2:]
    return _Day(WEEKDAYS.index(name) if name in WEEKDAYS else 0, _number(text[:-2]), text)


def _number(text: str) -> int:
    digits = re.match(r"\s*[+-]?\d{1,18}", text, re.ASCII)
    return int(digits[0]) if digits else 0


@cache
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _zone(name: str, server_zone: str) -> ZoneInfo:
    return ZoneInfo(name if name in zone_names() else server_zone)
