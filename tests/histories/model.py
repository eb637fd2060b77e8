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
Days = dict[date, str | None]
"""What calendars say: on each date nothing is recorded (None), or another weekday's sessions are."""

ZONE = ZoneInfo("America/New_York")
DAYS = ("MO", "TU", "WE", "TH", "FR")
WEEK = (*DAYS, "SA", "SU")


@dataclass(frozen=True)
class ByHand:
    """What somebody decided for one session: held or not, and when, if not at its usual time.

    `last`: when it was to be when the rule lost its date, if that has happened.
    """

    held: bool
    span: Span | None = None
    last: Span | None = None


@dataclass
class Running:
    """The session that had begun when its recording was made: no document changes it, only its end can be moved.

    `span` is when it is recorded. It is None when the session was stopped.
    """

    day: date
    room: str
    span: Span | None


@dataclass
class Wish:
    """A recording as its client wants it: the document, and what was decided by hand, by local date."""

    document: Json
    by_hand: dict[date, ByHand] = field(default_factory=dict)
    titles: dict[date, str] = field(default_factory=dict)  # of those that have one of their own
    campus: Days = field(default_factory=dict)  # what its calendars say, as it follows them
    left_out: set[date] = field(default_factory=set)  # what the service says is in something's way
    running: Running | None = None
    is_over: bool = False  # all that lay ahead is cancelled

    @classmethod
    def that_lies_ahead(cls, document: Json, campus: Days) -> "Wish":
        return cls(document, campus=campus)

    @classmethod
    def that_runs(cls, document: Json, campus: Days) -> "Wish":
        """Of a new recording whose first session has begun."""
        wish = cls(document, campus=campus)
        day = wish.dates()[0]
        wish.running = Running(day, wish.room, wish.usual(day))
        return wish

    def only_what_runs(self) -> "Wish":
        """What is left when all that lies ahead is cancelled."""
        return replace(self, is_over=True)

    @property
    def room(self) -> str:
        return str(self.document["resource"])

    def dates(self) -> list[date]:
        """The local dates of the document and its make-up days, excluded ones too."""
        days = dates_of(self.document)
        made_up = {day for day, meets_as in self.campus.items() if meets_as and self._makes_up(day, meets_as)}
        return sorted({*days, *self.included(), *made_up})

    def included(self) -> dict[date, Json]:
        """What the document includes, by local date."""
        included = (one if isinstance(one, dict) else {"date": one} for one in self.document.get("include", []))
        return {date.fromisoformat(one["date"]): one for one in included}

    def _makes_up(self, day: date, meets_as: str) -> bool:
        """Whether a session of a weekly rule is held on a make-up day that is none of its own days."""
        rule = self.document["recurrence"]
        if "dates" in rule or day.isoformat() in self.document["exclude"]:
            return False
        days = dates_of(self.document)
        return days[0] <= day <= days[-1] and meets_as in rule["days"]

    def closed(self, day: date) -> bool:
        """Whether the calendars leave a date out."""
        if day in self.included() or day not in self.campus:
            return False
        meets_as, rule = self.campus[day], self.document["recurrence"]
        return meets_as is None or ("dates" not in rule and meets_as not in rule["days"])

    def spans(self) -> list[Span]:
        """When something is to be recorded that lies ahead."""
        return sorted(self.span(day) for day in self.held())

    def held(self) -> set[date]:
        """The local dates of what lies ahead."""
        if self.is_over:
            return set()
        begun = {self.running.day} if self.running else set()
        return {day for day in {*self.dates(), *self.by_hand} if self.is_held(day)} - self.left_out - begun

    def places(self) -> list[tuple[Span, str]]:
        """When something is to be recorded, and where, also what runs."""
        now = [(self.running.span, self.running.room)] if self.running and self.running.span else []
        return sorted([*now, *((span, self.room) for span in self.spans())])

    def span(self, day: date) -> Span:
        """When the session of a date is, or would be if it were held."""
        decided = self.by_hand.get(day)
        return (decided and (decided.span or decided.last)) or self.usual(day)

    def usual(self, day: date) -> Span:
        """The session of a date at the time that the document gives it."""
        own = self.included().get(day, {})
        at = time.fromisoformat(own.get("start", self.document["start"][11:]))
        begins = datetime.combine(day, at, ZONE).astimezone(UTC)
        return begins, begins + timedelta(minutes={**self.document, **own}["duration_minutes"])

    def is_held(self, day: date) -> bool:
        """Whether anything is recorded on a date."""
        decided = self.by_hand.get(day)
        if decided or day in self.included():
            return decided is None or decided.held
        return day.isoformat() not in self.document["exclude"] and not self.closed(day)

    def change(self, patch: Mapping[str, Any], campus: Days | None = None) -> None:
        """What was decided by hand stays, whatever the document and its calendars (`campus`) say."""
        before = {day: self.span(day) for day in self.by_hand}
        self.document = {**self.document, **patch}
        self.campus = self.campus if campus is None else dict(campus)
        dates = self.dates()
        self.by_hand = {
            day: replace(decided, last=None if day in dates else before[day]) for day, decided in self.by_hand.items()
        }

        stay = {*dates, *self.by_hand, *([self.running.day] if self.running else [])}
        self.titles = {day: title for day, title in self.titles.items() if day in stay}

    def name(self, day: date, title: str | None) -> None:
        self.titles = {one: said for one, said in self.titles.items() if one != day} | ({day: title} if title else {})

    def named(self) -> dict[Span, str]:
        """The titles that sessions have of their own, by when they are held."""
        held = {day: self.span(day) for day in self.held()}
        if self.running and self.running.span:
            held[self.running.day] = self.running.span
        return {held[day]: title for day, title in self.titles.items() if day in held}

    def decide(self, day: date, *, held: bool, span: Span | None = None) -> None:
        """By hand, for one session; a time that it was moved to before stays, if it is not moved."""
        decided = self.by_hand.get(day, ByHand(held))
        self.by_hand[day] = replace(decided, held=held, span=span or decided.span)


def dates_of(document: Json) -> list[date]:
    """The local dates on which the document's recurrence has a session, excluded ones too."""
    rule = document["recurrence"]
    if "dates" in rule:
        return sorted(map(date.fromisoformat, rule["dates"]))
    days = [weekday(WEEK.index(day)) for day in rule["days"]]
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
