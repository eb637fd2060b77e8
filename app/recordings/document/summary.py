"""What a schedule comes to, in one sentence: "26 weekly sessions, 3 left out by campus-2027 (Spring break)"."""

from collections.abc import Iterator, Sequence
from datetime import date

from app.recordings.document.document import Schedule
from app.recurrence.occurrences import Exclusion, usual_days

_KINDS = {"daily": "day", "weekly": "week", "monthly": "month"}
_FEW = 3  # dates that are named one by one


def summary(schedule: Schedule, in_the_way: int = 0) -> str:
    """How many occurrences the recurrence has, who leaves out how many, and what inclusions move and add.

    `in_the_way`: of how many something is, so that they are left out.
    """
    usual = usual_days(schedule.start, schedule.rule or schedule.dates)
    added = {(one.wanted or one.local).date() for one in schedule.occurrences if one.added}
    parts = [
        _counted(len(usual), schedule),
        *_left_out([one.excluded_by for one in schedule.occurrences if one.excluded_by]),
        f"{in_the_way} left out for what is in the way" if in_the_way else "",
        _on("at its own time", added & usual, schedule.start.date()),
        _on("added", added - usual, schedule.start.date()),
    ]
    return ", ".join(filter(None, parts))


def _counted(number: int, schedule: Schedule) -> str:
    rule, counted = schedule.rule, "1 session" if number == 1 else f"{number:,} sessions"
    if rule and rule.interval == 1:
        return counted.replace(" ", f" {rule.frequency} ")
    if rule:
        return f"{counted} every {rule.interval} {_KINDS[rule.frequency]}s"
    return f"{counted} on given dates" if schedule.dates else counted


def _left_out(exclusions: Sequence[Exclusion]) -> Iterator[str]:
    """For each who excludes: "3 left out by campus-2027 (Spring break, Snow)"."""
    reasons: dict[str, list[str]] = {}
    for one in exclusions:
        who, _, why = (one.reason or "exclude").partition(": ")
        reasons.setdefault(who, []).append(why)
    for who, whys in reasons.items():
        why = ", ".join(filter(None, dict.fromkeys(whys)))
        yield f"{len(whys)} left out by {who}{f' ({why})' if why else ''}"


def _on(what: str, days: set[date], first: date) -> str:
    """ "1 added on 10 May"; the year is told where it is not that of the start."""
    if not days:
        return ""
    named = [f"{day.day} {day:%B}" + (f" {day.year}" if day.year != first.year else "") for day in sorted(days)]
    if len(named) > _FEW:
        named = [named[0], "later"]
    return f"{len(days)} {what} on {' and '.join(named)}"
