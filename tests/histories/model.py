"""What a campus has asked for, held by the plainest means there are: dictionaries, and dateutil for the rules.

It knows nothing of chains, events or Kaltura. What is decided by hand for one session stays with its local date.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import WEEKLY, rrule, weekday

Json = dict[str, Any]
Span = tuple[datetime, datetime]

ZONE = ZoneInfo("America/New_York")
DAYS = ("MO", "TU", "WE", "TH", "FR")


@dataclass(frozen=True)
class ByHand:
    """What somebody decided for one session: held or not, and when, if not at its usual time.

    `last`: when it was to be when the rule lost its date, if that has happened.
    """

    held: bool
    span: Span | None = None
    last: Span | None = None


@dataclass
class Wish:
    """A recording as its client wants it: the document, and what was decided by hand, by local date."""

    document: Json
    by_hand: dict[date, ByHand] = field(default_factory=dict)
    titles: dict[date, str] = field(default_factory=dict)  # of those that have one of their own

    @property
    def room(self) -> str:
        return str(self.document["resource"])

    def dates(self) -> list[date]:
        """The local dates of the rule, excluded ones too."""
        return dates_of(self.document)

    def spans(self) -> list[Span]:
        """When something is to be recorded."""
        days = {*self.dates(), *self.by_hand}
        return sorted(self.span(day) for day in days if self.is_held(day))

    def span(self, day: date) -> Span:
        """When the session of a date is, or would be if it were held."""
        decided = self.by_hand.get(day)
        return (decided and (decided.span or decided.last)) or self.usual(day)

    def usual(self, day: date) -> Span:
        """The session of a date at the time that the document gives it."""
        begins = datetime.combine(day, time.fromisoformat(self.document["start"][11:]), ZONE).astimezone(UTC)
        return begins, begins + timedelta(minutes=self.document["duration_minutes"])

    def is_held(self, day: date) -> bool:
        """Whether anything is recorded on a date."""
        decided = self.by_hand.get(day)
        return decided.held if decided else day.isoformat() not in self.document["exclude"]

    def change(self, patch: Mapping[str, Any]) -> None:
        """What was decided by hand stays, whatever the document says."""
        before = {day: self.span(day) for day in self.by_hand}
        self.document = {**self.document, **patch}
        dates = self.dates()
        self.by_hand = {
            day: replace(decided, last=None if day in dates else before[day]) for day, decided in self.by_hand.items()
        }

        self.titles = {day: title for day, title in self.titles.items() if day in dates or day in self.by_hand}

    def name(self, day: date, title: str | None) -> None:
        self.titles = {one: said for one, said in self.titles.items() if one != day} | ({day: title} if title else {})

    def named(self) -> dict[Span, str]:
        """The titles that sessions have of their own, by when they are held."""
        return {self.span(day): title for day, title in self.titles.items() if self.is_held(day)}

    def decide(self, day: date, *, held: bool, span: Span | None = None) -> None:
        """By hand, for one session; a time that it was moved to before stays, if it is not moved."""
        decided = self.by_hand.get(day, ByHand(held))
        self.by_hand[day] = replace(decided, held=held, span=span or decided.span)


def dates_of(document: Json) -> list[date]:
    """The local dates on which the document's rule has a session, excluded ones too."""
    rule = document["recurrence"]
    days = [weekday(DAYS.index(day)) for day in rule["days"]]
    begins = datetime.fromisoformat(document["start"])
    return [found.date() for found in rrule(WEEKLY, begins, count=rule["count"], byweekday=days)]


def meet(some: Iterable[Span], others: Iterable[Span]) -> bool:
    """Whether one of the ones overlaps one of the others."""
    there = list(others)
    return any(start < ends and begins < end for start, end in some for begins, ends in there)


def pairs(wishes: Mapping[str, Wish]) -> Iterator[tuple[str, str]]:
    """Those that would be in one room at one time."""
    names = sorted(wishes)
    for place, one in enumerate(names):
        for other in names[place + 1 :]:
            here, there = wishes[one], wishes[other]
            if here.room == there.room and meet(here.spans(), there.spans()):
                yield one, other
