"""What the calendar's tests share: recurrences at random, RFC 5545 by dateutil, and Kaltura's generator."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import islice, takewhile
from typing import Any, Literal, TypeVar
from zoneinfo import available_timezones

from dateutil import rrule
from hypothesis import strategies as st

from app.recurrence.occurrences import Occurrence
from app.recurrence.plan import PlannedEvent
from app.recurrence.rules import FREQUENCIES, WEEKDAYS, Day, Frequency, Rule, parse_day
from app.sandbox.schedule.recurrence import generate

T = TypeVar("T")
Interval = tuple[int, int]

at = datetime.fromisoformat


def days(text: str) -> tuple[Day, ...]:
    """ "MO,2TU" as a rule has it."""
    return tuple(map(parse_day, text.split(",")))


def intervals(occurrences: Sequence[Occurrence]) -> list[Interval]:
    """(start, end) in epoch seconds."""
    return [(int(seen.start.timestamp()), int(seen.end.timestamp())) for seen in occurrences]


def generated(event: PlannedEvent) -> list[Interval]:
    """What Kaltura makes of `event`: (start, end) in epoch seconds."""
    start, end = int(event.start.timestamp()), int(event.end.timestamp())
    return [(start, end)] if event.recurrence is None else generate(start, end - start, event.recurrence)


_DATEUTIL: dict[Frequency, Literal[1, 2, 3]] = {"monthly": 1, "weekly": 2, "daily": 3}


def by_dateutil(rule: Rule, start: datetime, last: datetime) -> list[datetime]:
    """The wall-clock times up to `last` that dateutil makes of `rule`.

    dateutil takes a plain day beside numbered ones for a condition on them; RFC 5545 adds it, which is what its five
    numbers do.
    """
    numbered = any(day.ordinal for day in rule.days)
    wanted = [
        getattr(rrule, day.weekday)(number)
        for day in rule.days
        for number in ([1, 2, 3, 4, 5] if numbered and day.ordinal is None else [day.ordinal])
    ]
    walked: Iterator[datetime] = iter(
        rrule.rrule(
            _DATEUTIL[rule.frequency],
            dtstart=start,
            interval=rule.interval,
            wkst=WEEKDAYS.index(rule.week_start),
            byweekday=wanted or None,
            bymonthday=rule.month_days or None,
            bysetpos=rule.positions or None,
        )
    )
    return list(islice(takewhile(lambda local: local <= last, walked), rule.count))


# Changes of half an hour and of two, gaps at midnight, four changes a year, changes on the first of a month …
DIFFICULT_ZONES = [
    "America/New_York",
    "Europe/London",
    "Australia/Sydney",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Beirut",
    "America/Havana",
    "America/Santiago",
    "America/Nuuk",
    "Pacific/Chatham",
]
ALL_ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
DIFFICULT_TIMES = ["00:00", "00:30", "01:30", "02:00", "02:15", "02:30", "02:59", "03:00", "23:30"]

zone_names = st.sampled_from(DIFFICULT_ZONES) | st.sampled_from(ALL_ZONES)
teaching_times = st.integers(8 * 12, 19 * 12).map(lambda steps: f"{steps // 12:02}:{steps % 12 * 5:02}")
any_times = st.sampled_from(DIFFICULT_TIMES) | st.times().map(lambda time: f"{time:%H:%M:%S}") | teaching_times
durations = (st.integers(1, 86_400) | st.just(86_400)).map(lambda seconds: timedelta(seconds=seconds))

_weekdays = st.builds(Day, st.sampled_from(WEEKDAYS))
_numbered = st.builds(Day, st.sampled_from(WEEKDAYS), st.sampled_from([1, 2, 3, 4, 5, -1, -2, -3, -4, -5]))
_numbers = st.integers(1, 31) | st.integers(-31, -1)


def _some(values: st.SearchStrategy[T], least: int = 0) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(values, min_size=least, max_size=5, unique=True).map(tuple)


_monthly = st.fixed_dictionaries({"days": _some(_weekdays | _numbered, 1)}, optional={"positions": _some(_numbers)}) | (
    st.fixed_dictionaries(
        {"month_days": _some(_numbers, 1)}, optional={"positions": _some(_numbers), "days": _some(_weekdays)}
    )
)
_picked: dict[Frequency, st.SearchStrategy[dict[str, Any]]] = {
    "daily": st.fixed_dictionaries({"days": _some(_weekdays)}),
    "weekly": st.fixed_dictionaries({"days": _some(_weekdays)}),
    "monthly": _monthly | st.just({}),
}


@st.composite
def recurrences(draw: st.DrawFn, times: st.SearchStrategy[str] = any_times) -> tuple[Rule, datetime]:
    """A valid rule and a start for it. It may yield no date, or more than is allowed."""
    start = at(f"{draw(st.dates(date(2024, 1, 1), date(2032, 12, 31)))}T{draw(times)}")
    frequency = draw(st.sampled_from(FREQUENCIES))
    counted = draw(st.booleans())
    rule = Rule(
        frequency=frequency,
        interval=draw(st.just(1) | st.integers(1, 12)),
        count=draw(st.integers(1, 60) | st.integers(1, 1000)) if counted else None,
        until=None if counted else start.date() + timedelta(days=draw(st.integers(0, 1095))),
        week_start=draw(st.sampled_from(WEEKDAYS)),
        **draw(_picked[frequency]),
    )
    return rule, start
