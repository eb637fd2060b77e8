"""The plan: the fewest schedule events that make Kaltura generate exactly the occurrences that are wanted.

Kaltura's generator leaves RFC 5545 in known ways: it cuts a series at two years and 1,000 occurrences, cuts the wrong
day when it counts, and is an hour off after a walk through a spring gap. So a plan

    sends a gap or overlap occurrence as a single event, and begins a new series after it;
    cuts a series at two years and at 1,000 occurrences;
    begins a series at its own first occurrence and ends it by `until`, never by `count`;
    names the weekdays: no daily series with interval 1, and no weekly one without days.

What a series generates is taken to be what RFC 5545 says of its recurrence. Only the given occurrences decide what is
planned; the rule merely proposes the pattern. A series ends where the pattern and the occurrences part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Literal
from zoneinfo import ZoneInfo

from app.calendar.occurrences import Occurrence
from app.calendar.recurrence import MAX_OCCURRENCES, WEEKDAYS, Day, Rule, walk, with_defaults

MAX_SPAN = timedelta(seconds=63_072_000)  # Kaltura's two years, from the start of a series

FREQUENCIES = {"daily": "days", "weekly": "weeks", "monthly": "months"}


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """One event to add. `start` and `end` (UTC) are those of its first occurrence.

    `recurrence` has Kaltura's names and values, with `until` as epoch seconds; it is None for a single event.
    `occurrences` are those that the event generates, excluded ones too: they are cancelled afterwards.
    """

    kind: Literal["single", "series"]
    start: datetime
    end: datetime
    recurrence: Mapping[str, str | int] | None
    occurrences: tuple[Occurrence, ...]


def plan(occurrences: Sequence[Occurrence], rule: Rule | None, tz: ZoneInfo) -> tuple[PlannedEvent, ...]:
    """Events, ascending, that together generate each of `occurrences` once and nothing else.

    `occurrences` may be any of those of a recurrence, say its tail; `rule` is the rule they came from, None if none.
    """
    rest = sorted(occurrences, key=lambda occurrence: occurrence.start)
    events = []
    while rest:
        event = _single(rest[0]) if rule is None or rest[0].anomaly else _longest_series(rest, rule, tz)
        events.append(event)
        rest = rest[len(event.occurrences) :]
    return tuple(events)


def series_of_one(occurrence: Occurrence, tz: ZoneInfo) -> PlannedEvent:
    """One occurrence as a series: Kaltura checks a series' slot against no other event of the template.

    In an overlap it is a single event, as a series could take the second instant.
    """
    if occurrence.anomaly == "overlap":
        return _single(occurrence)
    weekday = Day(WEEKDAYS[occurrence.local.weekday()])
    return _series([occurrence], Rule("weekly", days=(weekday,), count=1), tz)


def _single(occurrence: Occurrence) -> PlannedEvent:
    return PlannedEvent("single", occurrence.start, occurrence.end, None, (occurrence,))


def _longest_series(rest: Sequence[Occurrence], rule: Rule, tz: ZoneInfo) -> PlannedEvent:
    """The series that generates most of the leading occurrences, by any pattern that suits Kaltura."""
    run = _within_caps(rest)
    first = run[0].local
    best, pattern = 0, rule
    for candidate in _patterns(rule, first.date()):
        length = _reproduced(candidate, run)
        if length > best:
            best, pattern = length, candidate
    return _series(run[:best], pattern, tz) if best > 1 else series_of_one(run[0], tz)


def _within_caps(rest: Sequence[Occurrence]) -> Sequence[Occurrence]:
    """The leading occurrences, at most as many and as far as Kaltura lets one series go, up to a gap or an overlap."""
    limit = rest[0].start + MAX_SPAN
    return list(
        takewhile(lambda occurrence: occurrence.anomaly is None and occurrence.start < limit, rest[:MAX_OCCURRENCES])
    )


def _patterns(rule: Rule, first: date) -> Sequence[Rule]:
    rule = with_defaults(rule, first)
    if rule.frequency == "daily" and rule.interval == 1:
        rule = replace(rule, frequency="weekly", days=rule.days or tuple(map(Day, WEEKDAYS)))
    if rule.frequency == "weekly" and rule.interval == 1:
        rule = replace(rule, week_start=WEEKDAYS[first.weekday()])
    return [rule]


def _reproduced(pattern: Rule, run: Sequence[Occurrence]) -> int:
    """How many of the leading occurrences of `run` the pattern yields when it starts at the first of them."""
    first = run[0].local
    days = walk(pattern, first.date(), run[-1].local.date())
    pairs = zip(days, run, strict=False)
    return sum(1 for _ in takewhile(lambda pair: datetime.combine(pair[0], first.time()) == pair[1].local, pairs))


def _series(run: Sequence[Occurrence], pattern: Rule, tz: ZoneInfo) -> PlannedEvent:
    first, last = run[0], run[-1]
    recurrence: dict[str, str | int] = {
        "frequency": FREQUENCIES[pattern.frequency],
        "interval": pattern.interval,
        "until": int(max(last.start, first.end).timestamp()),  # Kaltura refuses one before the first end
        "timeZone": tz.key,
        "weekStartDay": pattern.week_start,
    }
    if pattern.days:
        recurrence["byDay"] = ",".join(map(str, pattern.days))
    return PlannedEvent("series", first.start, first.end, recurrence, tuple(run))
