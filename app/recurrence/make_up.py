"""Make-up days: a Tuesday that meets as a Monday. Pure.

    the weekday that it meets as    its own weekday      on that date
    ─────────────────────────────   ──────────────────   ─────────────────────────────
    the rule names it               the rule names it    held, as ever
    the rule names it               it does not          held, added
    it does not                     the rule names it    excluded
    it does not                     it does not          nothing, as ever

If several make-up days are on one date, it meets as each of their weekdays: the rule names it if it names one of them.

All that goes for weekly rules, from their start to their end, in weeks that the rule does not skip; other sessions are
on the dates that somebody gave them.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.recurrence.occurrences import Exclusion, Occurrence, begins, occurrences, usual_days
from app.recurrence.rules import WEEKDAYS, Rule, with_defaults


@dataclass(frozen=True, slots=True)
class MakeUp:
    """A local date, the weekday ("MO") that it meets as, and what people are told of it."""

    day: date
    weekday: str
    reason: str


def made_up(
    found: Sequence[Occurrence],
    rule: Rule | None,
    start: datetime,
    tz: ZoneInfo,
    duration: timedelta,
    days: Sequence[MakeUp],
    but: Collection[date] = (),
) -> tuple[Occurrence, ...]:
    """The sessions (`found`, ascending) of a rule that begins at `start` (naive) as make-up days have them.

    Nothing is changed on the dates of `but`, nor is anything held that is excluded already.
    """
    by_date = {(one.wanted or one.local).date(): one for one in found}
    if rule is None or rule.frequency != "weekly" or not days:
        return tuple(found)
    last = rule.until or max(usual_days(start, rule))
    rule = with_defaults(rule, start.date())
    named = {day.weekday for day in rule.days}
    said = defaultdict[date, list[MakeUp]](list)
    for make_up in days:
        said[make_up.day].append(make_up)
    for day, make_ups in said.items():
        if day in but or not start.date() <= day <= last:
            continue
        there = by_date.get(day)
        held = next((one for one in make_ups if one.weekday in named), None)
        if held and there is None and _is_in_a_week_of(rule, start.date(), day):
            (one,) = occurrences(begins(start, day), tz, duration, None)
            by_date[day] = replace(one, added=True, reason=held.reason)
        elif not held and there is not None and not there.excluded_by:
            by_date[day] = replace(there, excluded_by=Exclusion(day, day, make_ups[0].reason))
    return tuple(sorted(by_date.values(), key=lambda one: one.start))


def _is_in_a_week_of(rule: Rule, first: date, day: date) -> bool:
    """Whether the rule, which began on `first`, meets in the week of that day."""
    back = (first.weekday() - WEEKDAYS.index(rule.week_start)) % 7
    return (day - first + timedelta(days=back)).days // 7 % rule.interval == 0
