"""When a meeting is held, in one spelling: the same sessions are the same `Times`, however they were declared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import islice, pairwise

from app.recurrence.rules import MAX_INTERVAL, WEEKDAYS, Day, Rule, walk
from app.terms.meetings.parts import week_dates

DAY = timedelta(days=1)
Span = tuple[date, date]


@dataclass(frozen=True, slots=True)
class Times:
    """One session on `first`; or one on each date of `rule`, which begins on `first`; or one on each of `dates`.

    `start` is wall-clock time, `minutes` how long each lasts. `gaps` are stretches of days (both included) in which the
    rule holds none: weeks that are left out. `alone`: the rule has no other date than `first`, before make-up days.
    """

    start: time
    minutes: int
    first: date
    rule: Rule | None = None
    dates: tuple[date, ...] = ()
    gaps: tuple[Span, ...] = ()
    alone: bool = False

    @property
    def plain(self) -> "Times":
        """By what one knows it again: a rule that has one date is that date."""
        return replace(self, rule=None, alone=False) if self.alone else self

    @property
    def last(self) -> date:
        """The last date on which a session may begin."""
        if self.rule and self.rule.until:
            return self.rule.until
        return max(self.days())

    @property
    def key(self) -> str:
        """Days and times in words that sort, for whoever matches meetings by them."""
        rule = self.plain.rule
        days = "".join(map(str, rule.days)) if rule else ",".join(map(str, self.dates or (self.first,)))
        return f"{days} {self.start:%H:%M} {self.minutes}"

    def days(self) -> Iterator[date]:
        """The local dates, ascending, before calendars have their say."""
        if self.rule is None:
            yield from self.dates or (self.first,)
            return
        until = self.rule.until or self.first + timedelta(days=3 * 365)
        for day in islice(walk(self.rule, self.first, until), self.rule.count):
            if not self.in_gap(day):
                yield day

    def in_gap(self, day: date) -> bool:
        return any(first <= day <= last for first, last in self.gaps)


def clock(minutes: int) -> time:
    return time(*divmod(minutes, 60))


def on_dates(start: time, minutes: int, dates: Sequence[date]) -> Times:
    """Sessions on these dates, at least one."""
    each = sorted(set(dates))
    return Times(start, minutes, each[0], dates=tuple(each) if len(each) > 1 else ())


@lru_cache(maxsize=4096)  # a term has few patterns, and thousands of meetings
def weekly(start: time, minutes: int, days: tuple[str, ...], first: date, last: date) -> Times | None:
    """Sessions on these weekdays from one date to another; None if there is none.

    The last date stays as it was said: a make-up day may lie between the last session and it.
    """
    wanted = {WEEKDAYS.index(day) for day in days}
    held = [
        day for offset in range(min((last - first).days + 1, 14)) if (day := first + offset * DAY).weekday() in wanted
    ]
    if not held:
        return None
    if first == last:  # as exports have it that have a row for each date
        return on_dates(start, minutes, held)
    rule = Rule("weekly", days=tuple(map(Day, days)), until=last)
    return Times(start, minutes, held[0], rule, alone=len(held) == 1)


@lru_cache(maxsize=4096)
def in_weeks(
    start: time, minutes: int, days: tuple[str, ...], first: date, last: date, weeks: tuple[int, ...], week_1: date
) -> tuple[Times | None, bool]:
    """The same in some weeks alone, and whether a week lies wholly outside. `week_1` is the first day of week 1."""
    dates, held = list[date](), list[int]()
    for week in sorted(set(weeks)):
        found = [day for day in week_dates(days, week, week_1) if first <= day <= last]
        if found:
            held.append(week)
            dates += found
    outside = len(held) < len(set(weeks))
    if not dates:
        return None, outside
    steps = {later - earlier for earlier, later in pairwise(held)}
    interval = steps.pop() if len(steps) == 1 else 1
    gaps: tuple[Span, ...] = ()
    if steps or interval > MAX_INTERVAL:
        interval, gaps = 1, tuple(_gaps(held, week_1))
    rule = Rule(
        "weekly",
        interval=interval,
        days=tuple(map(Day, days)),
        until=min(last, week_1 + timedelta(weeks=held[-1]) - DAY),
        week_start=WEEKDAYS[week_1.weekday()] if interval > 1 else "MO",
    )
    return Times(start, minutes, dates[0], rule, gaps=gaps, alone=len(dates) == 1), outside


def _gaps(held: Sequence[int], week_1: date) -> Iterator[Span]:
    for earlier, later in pairwise(held):
        if later - earlier > 1:
            yield week_1 + timedelta(weeks=earlier), week_1 + timedelta(weeks=later - 1) - DAY


def at(day: date, start: time) -> datetime:
    return datetime.combine(day, start)
