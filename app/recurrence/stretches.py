"""Patterns in dates that no rule is known of: what a series that begins with the first of them may look like.

    MO WE FR · MO WE FR · MO …         weekly on the days of the first seven
    MO ─ ─ · MO ─ ─ · …                every second week, by each day that weeks may begin on
    each tenth day                     daily, with that step
    15 Sep, 15 Oct · first Mondays     monthly, by day of the month, or by weekday from the front or the back

Of the first three the one that yields most of the dates is proposed; a monthly one only if that is little.
app/recurrence/plan.py counts what each of them really yields.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count, takewhile

from app.recurrence.rules import MAX_INTERVAL, WEEKDAYS, Day, Rule

MOST_IN_A_MONTH = 4  # a monthly pattern with more dates is weekly nearly always
FEW = 2 * MOST_IN_A_MONTH  # so many of a monthly pattern's dates are weekly by chance


@dataclass(frozen=True, slots=True)
class _Steps:
    """Every `length` days from the day number `begin` on: the days that are `offsets` after it."""

    begin: int
    length: int
    offsets: Sequence[int]

    def yields(self, numbers: Sequence[int]) -> int:
        """How many of the leading `numbers` it yields, from the first on, and no other in between."""
        found = 0
        for step in count(self.begin, self.length):
            for offset in self.offsets:
                if step + offset < numbers[0]:
                    continue
                if found == len(numbers) or numbers[found] != step + offset:
                    return found
                found += 1
        raise AssertionError("A count has no end.")

    def rule(self) -> Rule:
        """The same as a rule; its `count` means nothing."""
        if self.length % 7:
            return Rule("daily", self.length, count=1)
        weekdays = tuple(_weekday(self.begin + offset) for offset in self.offsets)
        week_start = _weekday(self.begin).weekday
        return Rule("weekly", self.length // 7, weekdays, count=1, week_start=week_start)


def patterns(days: Sequence[date]) -> Iterator[Rule]:
    """Rules that may yield the leading ones of `days` (ascending), the preferred one first; `count` means nothing."""
    most, best = _longest([day.toordinal() for day in days])
    yield best.rule()
    if most < len(days) and most <= FEW:
        yield from _monthly(days)


def parted(days: Sequence[date]) -> list[set[int]]:
    """The weekdays of `days` (0 is Monday) in groups that have the fewest stretches, each for itself.

    So a Saturday that is added to a term of Mondays does not cut it in two. The most common weekdays are parted from
    the others, and monthly patterns are not looked for.
    """
    numbers = [day.toordinal() for day in days]
    weekdays = [weekday for weekday, _ in Counter(day.weekday() for day in days).most_common()]
    best: list[tuple[int, list[set[int]]]] = [(0, [])]  # of the last weekdays, none first
    for first in reversed(range(len(weekdays))):
        found = []
        for last in range(len(weekdays), first, -1):
            group = set(weekdays[first:last])
            few, groups = best[len(weekdays) - last]
            stretches = _stretches([number for number in numbers if (number + 6) % 7 in group])
            found.append((stretches + few, [group, *groups]))
        best.append(min(found, key=lambda one: one[0]))
    return best[-1][1]


def _stretches(numbers: Sequence[int]) -> int:
    done = stretches = 0
    while done < len(numbers):
        done += _longest(numbers[done:])[0]
        stretches += 1
    return stretches


def _longest(numbers: Sequence[int]) -> tuple[int, _Steps]:
    lengths = [(steps.yields(numbers), steps) for steps in _steps(numbers)]
    return max(lengths, key=lambda found: found[0])


def _steps(numbers: Sequence[int]) -> Iterator[_Steps]:
    """By weeks, for each day that they may begin on (every week needs one only), and by days."""
    first = numbers[0]
    for back in range(7):
        week = first - back
        here = [number for number in numbers[:7] if number < week + 7]
        weeks = (numbers[len(here)] - week) // 7 if len(here) < len(numbers) else 1
        if back and not 1 < weeks <= MAX_INTERVAL:
            continue
        weeks = weeks if weeks <= MAX_INTERVAL else 1
        again = week + 7 * weeks
        before = [number for number in numbers[len(here) : len(here) + back] if number < first + 7 * weeks]
        yield _Steps(week, 7 * weeks, [*(number - again for number in before), *(number - week for number in here)])
    step = numbers[1] - first if len(numbers) > 1 else 1
    if 1 < step <= MAX_INTERVAL and step % 7:
        yield _Steps(first, step, [0])


def _weekday(number: int) -> Day:
    return Day(WEEKDAYS[(number + 6) % 7])


def _monthly(days: Sequence[date]) -> Iterator[Rule]:
    first = days[0]
    here = _in_month(days, first)
    following = days[len(here)] if len(here) < len(days) else None
    if following is None:
        return
    there = _in_month(days[len(here) :], following)
    months = 12 * (following.year - first.year) + following.month - first.month
    seen = [*here, *(day for day in there if day.day < first.day)]
    if months > MAX_INTERVAL or max(len(seen), len(there)) > MOST_IN_A_MONTH:
        return
    yield Rule("monthly", months, month_days=tuple(dict.fromkeys(day.day for day in seen)), count=1)
    for place in (_from_the_front, _from_the_back):
        yield Rule("monthly", months, tuple(dict.fromkeys(map(place, seen))), count=1)


def _in_month(days: Sequence[date], month: date) -> list[date]:
    """The leading ones of `days`, as far as they lie in the month of one."""
    return list(takewhile(lambda day: (day.year, day.month) == (month.year, month.month), days[:31]))


def _from_the_front(day: date) -> Day:
    return Day(WEEKDAYS[day.weekday()], (day.day + 6) // 7)


def _from_the_back(day: date) -> Day:
    length = monthrange(day.year, day.month)[1]
    return Day(WEEKDAYS[day.weekday()], -((length - day.day) // 7 + 1))
