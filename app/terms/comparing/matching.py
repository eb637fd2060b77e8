"""Which declared meeting is which that the term keeps, within a section: pure.

The first of these that fits, never the position: the same hash; its own id; room, days, times and dates; days and
times; room and days; the only two that are left. What is not recorded comes after what is, in each of them: of sections
that share a recording, one that leaves it does not take it along.

Of some sections the declaration does not say all: a row of them cannot be read, or it is not complete. A meeting of
theirs may be in what is not said, so that nothing but itself is taken for it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from app.terms.comparing.known import Known, days_of, slot_of, times_of
from app.terms.meetings.rows import Meeting

Word = tuple[Callable[[Meeting], str | None], Callable[[Known], str | None], "Exact"]


class Exact(Enum):
    """Whether what has the same word is the same meeting."""

    YES = "yes"
    IN_SECTION = "in its section"
    NO = "no"


_WORDS: tuple[Word, ...] = (
    (lambda meeting: meeting.hash, lambda known: known.hash, Exact.YES),
    (lambda meeting: meeting.was, lambda known: known.hash, Exact.YES),
    (lambda meeting: meeting.meeting, lambda known: known.meeting, Exact.IN_SECTION),
    (slot_of, lambda known: known.slot, Exact.YES),
    (times_of, lambda known: known.times, Exact.NO),
    (days_of, lambda known: known.days, Exact.NO),
)


@dataclass(frozen=True, slots=True)
class Matched:
    """`pairs` are by the place of the meeting in the declaration; `left` are those that nothing declared is."""

    pairs: dict[int, Known]
    left: list[Known]


def match(
    meetings: Sequence[Meeting], known: Sequence[Known], silent: Mapping[str, Set[str]] = MappingProxyType({})
) -> Matched:
    """`silent`: by the id of one that is kept, those of its sections of which not all is said."""
    matching = _Matching(meetings, known, silent)
    for mine, its, exact in _WORDS:
        matching.by_word(mine, its, exact)
    for skipped in (False, True):
        matching.by_what_is_left(skipped)
    return Matched(matching.pairs, [one for one in known if one.id not in matching.taken])


class _Matching:
    def __init__(self, meetings: Sequence[Meeting], known: Sequence[Known], silent: Mapping[str, Set[str]]) -> None:
        self._meetings = meetings
        self._silent = silent
        self._of = defaultdict[str, list[Known]](list)
        for one in known:
            for section in one.sections or ("",):
                self._of[section].append(one)
        self.pairs: dict[int, Known] = {}
        self.taken = set[str]()
        there = (place for place, meeting in enumerate(meetings) if any(map(self._of.get, _keys(meeting))))
        self._open = sorted(there, key=lambda place: meetings[place].skip is not None)

    def by_word(self, mine: Callable[[Meeting], str | None], its: Callable[[Known], str | None], exact: Exact) -> None:
        there = defaultdict[tuple[str, str], list[Known]](list)
        for section, known in self._of.items():
            for one in known:
                if one.id not in self.taken and (word := its(one)):
                    there[section, word].append(one)
        for place in self._open:
            meeting = self._meetings[place]
            if word := mine(meeting):
                candidates = (one for section in _keys(meeting) for one in there.get((section, word), ()))
                free = (one for one in candidates if one.id not in self.taken and self._may_be(meeting, one, exact))
                if found := next(free, None):
                    self._take(place, found)
        self._open = [place for place in self._open if place not in self.pairs]

    def by_what_is_left(self, skipped: bool) -> None:
        claims = defaultdict[str, list[tuple[int, Known]]](list)
        for place in self._open:
            meeting = self._meetings[place]
            if (meeting.skip is not None) is skipped and meeting.sections and len(left := self._left(meeting)) == 1:
                claims[left[0].id].append((place, left[0]))
        for places in claims.values():
            if len(places) == 1:
                self._take(*places[0])
        self._open = [place for place in self._open if place not in self.pairs]

    def _left(self, meeting: Meeting) -> list[Known]:
        found = {one.id: one for section in meeting.sections for one in self._of.get(section, ())}
        return [one for one in found.values() if one.id not in self.taken and one.id not in self._silent]

    def _may_be(self, meeting: Meeting, one: Known, exact: Exact) -> bool:
        silent = self._silent.get(one.id)
        return not silent or exact is Exact.YES or (exact is Exact.IN_SECTION and silent <= set(meeting.sections))

    def _take(self, place: int, one: Known) -> None:
        self.pairs[place] = one
        self.taken.add(one.id)


def _keys(meeting: Meeting) -> tuple[str, ...]:
    return meeting.sections or ("",)


def rekeyed(meetings: Sequence[Meeting], new: Iterable[int], gone: Iterable[Known]) -> dict[int, Known]:
    """Meetings of sections that are new, in the very slot of one whose sections are gone, if there is one such each."""
    by_slot = defaultdict[str, list[Known]](list)
    for one in gone:
        by_slot[one.slot].append(one)
    at = defaultdict[str, list[int]](list)
    for place in new:
        if slot := slot_of(meetings[place]):
            at[slot].append(place)
    return {places[0]: by_slot[slot][0] for slot, places in at.items() if len(places) == 1 and len(by_slot[slot]) == 1}
