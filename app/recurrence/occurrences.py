"""Wall-clock times put into a zone: the instants that a recording is made at, and what excludes some of them.

09:00 stays 09:00 when the clocks change. A wall-clock time that a change skips (a *gap*) takes the offset before it:
02:30 becomes 03:30. One that happens twice (an *overlap*) is its first instant. That is RFC 5545 3.3.5, and what
`fold=0` means in PEP 495. The second instant is meant where somebody gave it with an offset: that time has `fold=1`.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache, partial
from importlib.resources import files
from itertools import accumulate
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from app.recurrence.rules import MAX_OCCURRENCES, TOO_MANY, Rule, RuleError, expand

Anomaly = Literal["gap", "overlap"]

MAX_DURATION = timedelta(hours=24)  # Kaltura's: one occurrence lasts 86,400 s at most

# In the list of zones on some machines, yet none: they mean another thing on each of them, or nothing.
_NO_ZONES = {"localtime", "posixrules", "Factory"}

# UTC is not among them: who writes that means it.
_NO_RULES = re.compile(r"EST|MST|HST|(Etc/)?(GMT([+-]?\d+)?|Greenwich)")


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Local dates on which nothing is recorded, both ends included. Raises ValueError if they are reversed.

    `reason` says who excludes them and why, in words: "campus-2027: Spring break". None is the document itself.
    """

    first: date
    last: date
    reason: str | None = None

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("An exclusion ends before it begins.")


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A local date that has an occurrence whatever the recurrence says, at its own time of day or the usual one.

    `start` is wall-clock time, with `fold=1` in the second run of a repeated hour; None is the recurrence's, and so is
    a `duration` of None.
    """

    day: date
    start: time | None = None
    duration: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence. `start` and `end` are UTC, `end` is `start` plus the duration in elapsed seconds.

    `local` is the wall-clock time (naive) that results, with `fold=1` in the second run of an hour that the clocks
    repeat; `wanted` is the one that was asked for where a gap moved it.
    `added`: the recurrence has no such occurrence, an inclusion alone does, or a make-up day, whose words are `reason`.
    """

    start: datetime
    end: datetime
    local: datetime
    anomaly: Anomaly | None = None
    excluded_by: Exclusion | None = None
    wanted: datetime | None = None
    added: bool = False
    reason: str | None = None


def zone(name: str) -> ZoneInfo:
    """The zone of that name, an IANA one or Windows', in any case. Raises ValueError for all else.

    The name is looked up in a list and never becomes a path.
    """
    if (found := _zone_names().get(name.casefold())) is None:
        raise ValueError("Not the name of a time zone.")
    return ZoneInfo(found)


def zone_like(name: str) -> str | None:
    """The zone that a name nearly is, or whose city it is: `New York`, `Europe/Zürich`."""
    plain = name[:64].strip().replace(" ", "_").casefold()
    for known in sorted(_zone_names().values()):
        if known.casefold().rpartition("/")[2] == plain:
            return known
    found = get_close_matches(plain, _zone_names(), n=1, cutoff=0.8)
    return _zone_names()[found[0]] if found else None


def is_fixed(tz: ZoneInfo) -> bool:
    """Whether its name is taken for one whose clocks change, and its own never do: `EST` is not New York's."""
    return _NO_RULES.fullmatch(tz.key) is not None


def same_clocks(tz: ZoneInfo) -> str:
    """One name for all names of the same zone: America/New_York for US/Eastern."""
    return _aliases().get(tz.key, tz.key)


@cache
def _zone_names() -> Mapping[str, str]:
    names = available_timezones() - _NO_ZONES
    windows = {windows: name for windows, name in WINDOWS_TO_OLSON.items() if name in names}
    return {said.casefold(): name for said, name in [*windows.items(), *((name, name) for name in names)]}


@cache
def _aliases() -> Mapping[str, str]:
    """From tzdata's own list: "L America/New_York US/Eastern"."""
    lines = (files("tzdata") / "zoneinfo" / "tzdata.zi").read_text().splitlines()
    return {alias: name for link, name, alias in (line.split() for line in lines if line.startswith("L "))}


def place(local: datetime, tz: ZoneInfo) -> tuple[datetime, Anomaly | None]:
    """The instant (UTC) of a naive wall-clock time in `tz`, and whether the clocks skip or repeat that time.

    `fold` counts only where they repeat it.
    """
    before, after = (tz.utcoffset(local.replace(fold=run)) or timedelta(0) for run in (0, 1))
    anomaly: Anomaly | None = None if before == after else "gap" if before < after else "overlap"
    offset = after if anomaly == "overlap" and local.fold else before
    return local.replace(tzinfo=UTC) - offset, anomaly


def begins(start: datetime, day: date, own: time | None = None) -> datetime:
    """When a recurrence from `start` (naive) on begins on `day`, by the clocks: at its `own` time there, or as usual.

    That `start` lies in the second run of a repeated hour is said of its own day alone.
    """
    if own is not None:
        return datetime.combine(day, own)
    return start if day == start.date() else datetime.combine(day, start.time().replace(fold=0))


def occurrences(
    start: datetime,
    tz: ZoneInfo,
    duration: timedelta,
    rule: Rule | Collection[date] | None,
    exclude: Sequence[Exclusion] = (),
    include: Sequence[Inclusion] = (),
) -> tuple[Occurrence, ...]:
    """Every occurrence from `start` (naive wall-clock time, whole seconds) on, ascending, each instant once.

    `rule` may be the dates themselves; without one it is the start's alone. An excluded occurrence is there, marked
    with the exclusion of its date (the one that goes on longest, if several hold it). An inclusion comes before the
    rule and before exclusions: a date has one occurrence, the included one. Raises RuleError as `expand` does, also for
    more than 1,000 occurrences, and ValueError for a duration that is not 1 s to 24 h, a start with a zone, and
    fractions of a second in either.
    """
    if start.tzinfo is not None or start.microsecond:
        raise ValueError("The start is a wall-clock time in whole seconds, without a zone.")
    if not timedelta(0) < duration <= MAX_DURATION or duration.microseconds:
        raise ValueError("The duration is at least a second and at most 24 hours, in whole seconds.")
    usual = usual_days(start, rule)
    excluded = excluding(exclude)
    included = {one.day: one for one in include}
    found = {}
    for day in sorted(usual | included.keys()):
        own = included.get(day)
        wanted = begins(start, day, own.start if own else None)
        length = (own and own.duration) or duration
        instant, anomaly = place(wanted, tz)
        found[instant] = Occurrence(
            start=instant,
            end=instant + length,
            local=instant.astimezone(tz).replace(tzinfo=None, fold=0) if anomaly == "gap" else wanted,
            anomaly=anomaly,
            excluded_by=None if own else excluded(day),
            wanted=wanted if anomaly == "gap" else None,
            added=day not in usual or (wanted.time(), length) != (start.time(), duration),
        )
    if len(found) > MAX_OCCURRENCES:
        raise RuleError("", TOO_MANY)
    return tuple(found[instant] for instant in sorted(found))


def also_excluded(
    found: Sequence[Occurrence], exclude: Sequence[Exclusion], but: Collection[date] = ()
) -> tuple[Occurrence, ...]:
    """The same sessions; those that nothing excludes yet are excluded by these, except on the dates of `but`."""
    excluded = excluding(exclude)
    return tuple(
        replace(one, excluded_by=by) if by and not one.excluded_by and day not in but else one
        for one in found
        for day in [(one.wanted or one.local).date()]
        for by in [excluded(day)]
    )


def usual_days(start: datetime, rule: Rule | Collection[date] | None) -> set[date]:
    """The dates that a recurrence has by itself, without exclusions and inclusions. Raises RuleError."""
    if isinstance(rule, Rule):
        return {local.date() for local in expand(rule, start)}
    return set(rule or [start.date()])


def excluding(exclude: Sequence[Exclusion]) -> Callable[[date], Exclusion | None]:
    """A look-up of the exclusion that holds a date: by bisection, as a document may name hundreds."""
    ordered = sorted(exclude, key=lambda exclusion: exclusion.first)
    firsts = [exclusion.first for exclusion in ordered]
    longest = list(accumulate(ordered, partial(max, key=lambda exclusion: exclusion.last)))

    def holding(day: date) -> Exclusion | None:
        begun = bisect_right(firsts, day)
        return longest[begun - 1] if begun and day <= longest[begun - 1].last else None

    return holding
