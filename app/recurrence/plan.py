"""The plan: the fewest schedule events that make Kaltura generate exactly the occurrences that are wanted.

Kaltura's generator leaves RFC 5545 in known ways: it ends a series after two years and 1,000 occurrences, cuts the
wrong day when it counts, and stays an hour off once its walk has stepped into a spring gap. So a plan

    sends an occurrence in a gap or an overlap as a single event and begins a new series after it,
    the same with one that begins or ends in the hour that Kaltura's server repeats (app/recurrence/server.py),
    begins a series at its own first occurrence and ends it by `until` at its last, never by `count`,
    ends a series before two years are over, and before its walk steps into a gap,
    names each day once, and takes only the patterns below.

    rule                   what is sent
    daily, weekly          a weekly series with each weekday named, its weeks beginning on its first day
      every n-th           as it is, a weekly one with its weekdays named
    monthly by weekdays    as it is, with or without positions
    monthly by month days  byMonthDay for one from 1 to 28, else places among all days: byDay=MO,…,SU, byOffset=15,-1
    anything else          places among all days, for as many months as have the same
    dates, added ones      the patterns that are seen in them: app/recurrence/stretches.py

That is the recipe which made a real generator return what RFC 5545 wants in 2,280 of 2,281 cases. The last one was a
month whose first day is in a gap: its occurrences are series of one. Only the given occurrences decide what is planned,
the rule merely proposes a pattern: a series ends where the pattern and the occurrences part. Occurrences of another
time of day or length, and those that the rule does not have, are in events of their own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import groupby, pairwise, takewhile
from typing import Literal
from zoneinfo import ZoneInfo

from app.recurrence.occurrences import Occurrence, place
from app.recurrence.rules import WEEKDAYS, Day, Rule, walk, with_defaults
from app.recurrence.server import as_sent
from app.recurrence.stretches import parted, patterns

MAX_SPAN = timedelta(seconds=63_072_000)  # Kaltura's two years

FEW_AT_FIRST = 64  # more than any pattern needs to be seen: two months

_FREQUENCIES = {"daily": "days", "weekly": "weeks", "monthly": "months"}
_ALL_DAYS = tuple(map(Day, WEEKDAYS))
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class PlannedEvent:
    """One event to add. `start` and `end` (UTC) are those of its first occurrence, as they are sent.

    An event of one occurrence may be sent at other times than its occurrence has (`is_elsewhere`), all others never.
    `recurrence` has Kaltura's names and values, `until` in epoch seconds; it is None for a single event.
    `occurrences` are those that the event generates, excluded ones too: they are cancelled afterwards.
    """

    kind: Literal["single", "series"]
    start: datetime
    end: datetime
    recurrence: Mapping[str, str | int] | None
    occurrences: tuple[Occurrence, ...]

    @property
    def is_elsewhere(self) -> bool:
        first = self.occurrences[0]
        return (self.start, self.end) != (first.start, first.end)


def plan(
    occurrences: Sequence[Occurrence], rule: Rule | None, tz: ZoneInfo, server: ZoneInfo
) -> tuple[PlannedEvent, ...]:
    """Events, by their first occurrence, that together generate each of `occurrences` once and nothing else.

    `occurrences` may be any part of a recurrence, say its tail; `rule` is the rule they came from, None if there is
    none. One occurrence without a rule is a single event. `server` is the zone of Kaltura's server.
    """
    ordered = sorted(occurrences, key=lambda occurrence: occurrence.start)
    if rule is None and len(ordered) == 1:
        return (_single(ordered[0], server),)
    groups: dict[tuple[time, timedelta], list[Occurrence]] = {}
    for one in ordered:
        groups.setdefault(((one.wanted or one.local).time(), one.end - one.start), []).append(one)
    events = [event for alike in groups.values() for event in _of_one_kind(alike, rule, tz, server)]
    return tuple(sorted(events, key=lambda event: event.occurrences[0].start))


def _of_one_kind(
    alike: Sequence[Occurrence], rule: Rule | None, tz: ZoneInfo, server: ZoneInfo
) -> Sequence[PlannedEvent]:
    """Events of occurrences that have the time of day and the length in common."""
    ruled = [one for one in alike if rule and not one.added]
    added = [one for one in alike if not rule or one.added]
    apart = [*_in_turn(ruled, rule, tz, server), *_fewest(added, tz, server)]
    return min(apart, _fewest(alike, tz, server), key=len) if ruled and added else apart


def _fewest(alike: Sequence[Occurrence], tz: ZoneInfo, server: ZoneInfo) -> list[PlannedEvent]:
    """Events of dates without a rule: of all together, or of weekdays apart from the others, if those are fewer."""
    whole = _in_turn(alike, None, tz, server)
    if len(whole) <= 2:
        return whole
    days = [(one.wanted or one.local).date() for one in alike]
    groups = [[one for one, day in zip(alike, days, strict=True) if day.weekday() in some] for some in parted(days)]
    apart = [event for group in groups for event in _in_turn(group, None, tz, server)]
    return min(whole, apart, key=len)


def _in_turn(rest: Sequence[Occurrence], rule: Rule | None, tz: ZoneInfo, server: ZoneInfo) -> list[PlannedEvent]:
    """Events one after the other, each for as many occurrences as it can generate. Of `rule`, or of what is seen."""
    alone = {occurrence.start for occurrence in rest if occurrence.anomaly or _is_elsewhere(occurrence, server)}
    events = []
    while rest:
        event = _single(rest[0], server) if rest[0].start in alone else _longest_series(rest, rule, tz, alone)
        events.append(event)
        rest = rest[len(event.occurrences) :]
    return events


def series_of_one(occurrence: Occurrence, tz: ZoneInfo, server: ZoneInfo) -> PlannedEvent:
    """One occurrence as a series, which Kaltura never refuses as SCHEDULE_TIME_IN_USE, as it might a single event.

    At a time that the zone's clocks repeat, and where it is sent at other times than its own, it is written in UTC,
    where each instant has one name.
    """
    start, end = as_sent(occurrence.start, occurrence.end, server)
    repeats = place(_on_the_clock(start, tz), tz)[1] is not None
    where = _UTC if repeats or _is_elsewhere(occurrence, server) else tz
    sent = replace(occurrence, start=start, end=end, local=_on_the_clock(start, where))
    day = Day(WEEKDAYS[sent.local.weekday()])
    series = _series([sent], Rule("weekly", days=(day,), count=1, week_start=day.weekday), where)
    return replace(series, occurrences=(occurrence,))


def describe(events: Sequence[PlannedEvent]) -> str:
    """The plan in words, such as "one weekly series, 40 occurrences, then one single event because 02:30 does not
    exist on 14 March 2027". Neighbours of one kind are counted together.
    """
    parts = []
    for kind, group in groupby(events, key=_kind):
        alike = tuple(group)
        occurrences = [occurrence for event in alike for occurrence in event.occurrences]
        part = f"one {kind}" if len(alike) == 1 else f"{len(alike)} {kind}{'s' * (kind == 'single event')}"
        if kind not in ("single event", "series of one occurrence"):
            part += f", {len(occurrences):,} occurrences"
        reasons = [*map(_reason_for_single, alike)] if kind == "single event" else _reasons_for_cut(alike)
        told = " and ".join(filter(None, reasons))
        parts.append(part + (f" because {told}" if told else ""))
    return ", then ".join(parts)


def _kind(event: PlannedEvent) -> str:
    if event.recurrence is None:
        return "single event"
    if len(event.occurrences) == 1:
        return "series of one occurrence"
    unit, interval = str(event.recurrence["frequency"]), event.recurrence["interval"]
    if interval != 1:
        return f"series every {interval} {unit}"
    if unit == "weeks" and str(event.recurrence["byDay"]).count(",") + 1 == len(WEEKDAYS):
        return "daily series"
    return {"weeks": "weekly series", "months": "monthly series"}[unit]


def _reason_for_single(event: PlannedEvent) -> str:
    (occurrence,) = event.occurrences
    asked = occurrence.wanted or occurrence.local
    day = f"{asked.day} {asked:%B %Y}"
    if occurrence.anomaly:
        return f"{asked:%H:%M} {'does not exist' if occurrence.anomaly == 'gap' else 'happens twice'} on {day}"
    return f"Kaltura's own clocks repeat an hour on {day}" if event.is_elsewhere else ""


def _reasons_for_cut(alike: Sequence[PlannedEvent]) -> list[str]:
    too_long = any(following.start - event.start >= MAX_SPAN for event, following in pairwise(alike))
    return ["Kaltura ends a series after two years"] if too_long else []


def _is_elsewhere(occurrence: Occurrence, server: ZoneInfo) -> bool:
    return as_sent(occurrence.start, occurrence.end, server) != (occurrence.start, occurrence.end)


def _on_the_clock(instant: datetime, tz: ZoneInfo) -> datetime:
    return instant.astimezone(tz).replace(tzinfo=None, fold=0)


def _single(occurrence: Occurrence, server: ZoneInfo) -> PlannedEvent:
    return PlannedEvent("single", *as_sent(occurrence.start, occurrence.end, server), None, (occurrence,))


def _series(run: Sequence[Occurrence], pattern: Rule, tz: ZoneInfo) -> PlannedEvent:
    """The event that generates `run`. Of one, `pattern` yields nothing more within a day: `until` may lie there."""
    first, last = run[0], run[-1]
    recurrence: dict[str, str | int] = {
        "frequency": _FREQUENCIES[pattern.frequency],
        "interval": pattern.interval,
        "until": int(max(last.start, first.end).timestamp()),  # Kaltura refuses one before the first end
        "weekStartDay": pattern.week_start,
        "timeZone": tz.key,
    }
    for name, values in (
        ("byDay", pattern.days),
        ("byMonthDay", pattern.month_days),
        ("byOffset", pattern.positions),
    ):
        if values:
            recurrence[name] = ",".join(map(str, values))
    return PlannedEvent("series", first.start, first.end, recurrence, tuple(run))


def _longest_series(
    rest: Sequence[Occurrence], rule: Rule | None, tz: ZoneInfo, alone: Collection[datetime]
) -> PlannedEvent:
    """The series that generates most of the leading occurrences, the first of which begins at no time in `alone`.

    Most dates that follow no rule are in short series. So only a few are looked at first, and more where all of them
    are in one.
    """
    looked_at = FEW_AT_FIRST if rule is None else len(rest)
    while True:
        run = _within_caps(rest[:looked_at], alone)
        if len(run) == 1:
            return series_of_one(run[0], tz, _UTC)
        proposed = _patterns(rule, run) if rule else _patterns_seen(run)
        runs = [(_reproduced(pattern, run, tz), pattern) for pattern in proposed]
        length, pattern = max(runs, key=lambda candidate: candidate[0])
        if length < min(looked_at, len(rest)) or looked_at >= len(rest):
            return _series(run[:length], pattern, tz) if length > 1 else series_of_one(run[0], tz, _UTC)
        looked_at *= 4


def _within_caps(rest: Sequence[Occurrence], alone: Collection[datetime]) -> Sequence[Occurrence]:
    """The leading occurrences up to one that goes alone, as far as Kaltura lets one series go.

    At one a day they stay below Kaltura's 1,000 by themselves.
    """
    limit = rest[0].start + MAX_SPAN
    return list(takewhile(lambda occurrence: occurrence.start not in alone and occurrence.start < limit, rest))


def _patterns(rule: Rule, run: Sequence[Occurrence]) -> Iterator[Rule]:
    """What a series that begins with `run` may look like, at least one pattern, the preferred one first."""
    first = run[0].local.date()
    rule = with_defaults(rule, first)
    if rule.frequency == "monthly":
        if suitable := _suitable(rule):
            yield suitable
        numbers = [seen.local.day for seen in run if (seen.local.year, seen.local.month) == (first.year, first.month)]
        yield replace(rule, days=_ALL_DAYS, month_days=(), positions=tuple(dict.fromkeys(numbers)))
    elif rule.interval == 1:
        days = rule.days or _ALL_DAYS
        yield replace(rule, frequency="weekly", days=days, week_start=WEEKDAYS[first.weekday()])
    else:
        yield rule


def _patterns_seen(run: Sequence[Occurrence]) -> Iterator[Rule]:
    """The same where no rule is known."""
    for pattern in patterns([one.local.date() for one in run]):
        suitable = _suitable(pattern) if pattern.frequency == "monthly" else pattern
        if suitable:
            yield suitable


def _suitable(rule: Rule) -> Rule | None:
    """A monthly rule in a form that Kaltura is known to take as RFC 5545 does, None if there is none.

    Kaltura clamps the 29th to the 31st, miscounts days from the end, knows one day of the month only, and repeats a
    day that it finds twice (the fifth and the last Friday). Numbered days go with nothing else, as far as is known.
    """
    if rule.month_days and not rule.days and not rule.positions and not _is_one_early_day(rule.month_days):
        rule = replace(rule, days=_ALL_DAYS, month_days=(), positions=rule.month_days)
    if rule.month_days and (rule.positions or not _is_one_early_day(rule.month_days)):
        return None
    if any(day.ordinal for day in rule.days) and (rule.month_days or rule.positions):
        return None
    days: list[Day] = []
    for weekday in WEEKDAYS:
        ordinals = [day.ordinal for day in rule.days if day.weekday == weekday]
        if None in ordinals:
            days.append(Day(weekday))
        elif numbers := _apart([ordinal for ordinal in ordinals if ordinal], range(4, 6)):
            days += [Day(weekday, number) for number in numbers]
        elif ordinals:
            return None
    least = 4 * len(days)
    positions = _apart(rule.positions, range(least, least + min(len(days), 3) + 1))
    return None if positions is None else replace(rule, days=tuple(days), positions=positions)


def _is_one_early_day(month_days: Sequence[int]) -> bool:
    return len(month_days) == 1 and 1 <= month_days[0] <= 28


def _apart(numbers: Sequence[int], sizes: range) -> tuple[int, ...] | None:
    """The places in any list of one of `sizes` that `numbers` mean (-1 is the last), each place named only once.

    The fifth and the last of four or five are the last; the second and the third last cannot be said so: None.
    """

    def places(numbers: Sequence[int], size: int) -> list[int]:
        return sorted(number if number > 0 else size + 1 + number for number in numbers if abs(number) <= size)

    from_front = sorted(set(places(numbers, sizes[-1])))
    from_back = [number - sizes[-1] - 1 for number in from_front]
    for candidate in (numbers, from_front, from_back):
        if all(places(candidate, size) == sorted(set(places(numbers, size))) for size in sizes):
            return tuple(sorted(candidate, key=lambda number: (number < 0, number)))
    return None


def _reproduced(pattern: Rule, run: Sequence[Occurrence], tz: ZoneInfo) -> int:
    """How many of the leading occurrences of `run` the pattern yields, and no other, when it starts at the first."""
    first, last = run[0].local, run[-1].local.date()
    generated = (datetime.combine(day, first.time()) for day in walk(pattern, first.date(), last))
    pairs = zip(generated, run, strict=False)
    alike = [local.date() for local, one in takewhile(lambda pair: pair[0] == pair[1].local, pairs)]
    if not alike:
        return 0
    steps = _steps(pattern, first.date(), alike[-1])
    safe_until = next((begins for begins, step in steps if _is_in_gap(step, first.time(), tz)), date.max)
    return sum(day < safe_until for day in alike)


def _steps(pattern: Rule, first: date, last: date) -> Iterator[tuple[date, date]]:
    """The days that Kaltura's walk steps on although they may be no occurrences, each behind its period's first day.

    Every `interval`-th day, the first of each month, and in each week the first occurrence's weekday, which may lie
    behind others of that week.
    """
    if pattern.frequency == "daily":
        for day in walk(replace(pattern, days=()), first, last):
            yield day, day
    elif pattern.frequency == "monthly":
        for day in walk(replace(pattern, days=(), month_days=(1,), positions=()), first.replace(day=1), last):
            yield day, day
    else:
        back = timedelta(days=(first.weekday() - WEEKDAYS.index(pattern.week_start)) % 7)
        for number in range(first.toordinal(), (last + back).toordinal() + 1, 7 * pattern.interval):
            yield date.fromordinal(number) - back, date.fromordinal(number)


def _is_in_gap(day: date, at: time, tz: ZoneInfo) -> bool:
    return place(datetime.combine(day, at), tz)[1] == "gap"
