"""Kaltura's generator of recurrences, its deviations from RFC 5545 included.

A rule is walked in wall-clock time, one period after the other:

    start ── period ── + interval ── period ── + interval ── …   until count, until, 1,000 or two years
                │
                └── the period's candidates (its days, hours …), at the walking date's time of day

The walking date is real: where it lands in a spring gap it moves forward and stays there. Taken from what the
generator of a real server made of 1,597 rules (`tests/data/recurrence-cases.json`) and from recorded series.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

MAX_OCCURRENCES = 1000
MAX_SPAN = timedelta(days=2 * 365)
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
CLOCK_UNITS = ("seconds", "minutes", "hours")


@lru_cache
def _zone(name: object, server_zone: str) -> ZoneInfo:
    known = isinstance(name, str) and name in available_timezones()
    return ZoneInfo(name if known and isinstance(name, str) else server_zone)


def generate(
    start: int, duration: int, recurrence: Mapping[str, object], server_zone: str = "America/New_York"
) -> list[tuple[int, int]]:
    """The (start, end) epoch seconds that Kaltura makes of `recurrence` (wire names), in ascending order.

    `start` is the event's own, which need not be an occurrence; `duration` is in seconds. An unknown zone
    means `server_zone`. At most 1,000 occurrences, none later than two years after `start`.
    """
    zone = _zone(recurrence.get("timeZone"), server_zone)
    walk = datetime.fromtimestamp(start, zone)
    last = walk.replace(year=walk.year + 2) if (walk.month, walk.day) != (2, 29) else walk + MAX_SPAN
    end = int(last.timestamp())
    until = _integer(recurrence.get("until"))
    if until:
        end = min(end, until)
    count = _integer(recurrence.get("count")) or MAX_OCCURRENCES
    starts: list[int] = []
    for moment in _candidates(walk, recurrence):
        if moment > end or len(starts) >= min(count, MAX_OCCURRENCES):
            break
        if moment >= start:
            starts.append(moment)
    return [(moment, moment + duration) for moment in starts]


def _integer(value: object) -> int:
    return int(value) if isinstance(value, int | float | str) and str(value).strip() else 0


def _days(text: object) -> list[int]:
    return sorted({WEEKDAYS.index(day.strip()) for day in str(text).split(",")}) if text else []


def _candidates(walk: datetime, recurrence: Mapping[str, object]) -> Iterator[int]:
    """Every candidate in ascending order, also those before the start; endless."""
    frequency = str(recurrence.get("frequency"))
    interval = max(1, _integer(recurrence.get("interval")))
    if frequency in CLOCK_UNITS:
        step = int(timedelta(**{frequency: interval}).total_seconds())
        moment = int(walk.timestamp())
        while True:
            yield moment
            moment += step
    days = _days(recurrence.get("byDay"))
    week_start = WEEKDAYS.index(str(recurrence.get("weekStartDay") or "MO"))
    while True:
        if frequency == "weeks" and days:
            first = walk.date() - timedelta(days=(walk.weekday() - week_start) % 7)
            for offset in sorted((day - week_start) % 7 for day in days):
                yield _at(first + timedelta(days=offset), walk)
        elif not days or walk.weekday() in days:
            yield int(walk.timestamp())
        walk = datetime.fromtimestamp(
            (walk + timedelta(days=interval * (7 if frequency == "weeks" else 1))).timestamp(), walk.tzinfo
        )


def _at(day: date, walk: datetime) -> int:
    return int(datetime.combine(day, walk.timetz()).replace(fold=0).timestamp())
