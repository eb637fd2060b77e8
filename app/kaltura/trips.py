"""Fewer trips to Kaltura: functions side by side, and what they ask goes together (`multirequest`).

    one   ──ask──┐              ┌── answer ──▶ one goes on, and asks what depends on it ──┐
    two   ──ask──┼──▶ one trip ─┼── answer ──▶ two is done                                ├──▶ the next trip
    ahead ──ask──┘              └── kept for a moment, for whoever is going to ask that ──┘

Each function is a greenlet, which stands still where it asks. When all stand still, what they ask goes in one request.
So whoever writes such a function writes it as if it were alone; and each has its own answer, or its own error.

Calls that make something (`add`) go together only with calls that make something of the same kind. What is one call
alone is sent as such, and so is every call with a text that Kaltura would take for a reference to another part.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any, Protocol, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from app.kaltura.errors import RESERVATION_SECONDS, KalturaError, Refused, Unknown
from app.kaltura.transport import checked

T = TypeVar("T")

MOST_PARTS = 50
"""Of one trip. Kaltura does them one after another before it answers; it was seen to take sixty (exchange 614)."""

FRESH = RESERVATION_SECONDS
"""Seconds for which an answer is kept that was asked for ahead: for as long as a reservation lasts."""

_REFERENCE = re.compile(rb"\{\d+:result")
"""In a multirequest, Kaltura puts a part of an earlier answer in its place (exchanges 594, 600, 690 to 692)."""


@dataclass(frozen=True)
class Asked:
    """One call: what is asked of Kaltura. `writes`: it may change something there."""

    service: str
    action: str
    params: Mapping[str, object]
    writes: bool

    @property
    def made(self) -> str | None:
        """The kind of thing that it makes; None if it makes nothing."""
        return self.service if self.action == "add" else None

    @cached_property
    def text(self) -> bytes:
        """The same for the same call. ValueError for what is not JSON."""
        call = [self.service, self.action, self.params]
        return json.dumps(call, ensure_ascii=False, allow_nan=False, sort_keys=True).encode()

    @property
    def travels_alone(self) -> bool:
        """Whether it has a text that Kaltura would replace in a multirequest."""
        return _REFERENCE.search(self.text) is not None

    def part(self) -> dict[str, object]:
        """The call as a part of a multirequest."""
        return {**self.params, "service": self.service, "action": self.action}


def parts_of(asked: Sequence[Asked]) -> dict[str, object]:
    """The parameters of a multirequest: its parts are counted from 1 (exchange 589)."""
    return {str(number): one.part() for number, one in enumerate(asked, 1)}


def each_of(count: int) -> Callable[[object, Iterable[str]], list[Any]]:
    """How the answer to so many parts is understood: for each part its answer, or the KalturaError that it is.

    An answer may be shorter than what was asked (exchanges 604, 605), and then nobody knows of the others. Raises what
    is true of all parts: Unknown for an answer that is no list of them, an outage that each of them met.
    """

    def understood(answer: object, hide: Iterable[str]) -> list[Any]:
        hide = tuple(hide)
        try:
            checked(answer, hide)
        except Refused as refusal:
            raise Unknown(f"Kaltura answered {refusal.code} to all parts", refusal=refusal) from None
        if not isinstance(answer, list) or len(answer) > count:
            raise Unknown("multirequest: the answer is not one for each part")
        missing = [Unknown("multirequest: there is no answer to this part") for _ in range(count - len(answer))]
        found = [*(_answer_or_error(one, hide) for one in answer), *missing]
        outages = [one for one in found if isinstance(one, KalturaError) and one.outage]
        if outages and len(outages) == count:
            raise outages[0]
        return found

    return understood


def _answer_or_error(answer: object, hide: Iterable[str]) -> object:
    try:
        return checked(answer, hide)
    except KalturaError as error:
        return error


class Carrier(Protocol):
    """Sends several calls in one request: `Calls`."""

    @property
    def most_parts(self) -> int: ...

    def carry(self, asked: Sequence[Asked]) -> Sequence[object]:
        """The answer of each, or the KalturaError that it came to. Raises none."""


@dataclass(eq=False, slots=True)
class Walker:
    """A function that is being run side by side with others. `asked` is the call whose answer it waits for.

    A `prefetch` ends with its first question: the answer is kept for whoever is going to ask that, and understand it.
    """

    trips: "Trips"
    is_prefetch: bool = False
    trail: Any = None
    asked: Asked | None = None
    result: Any = None

    def ask(self, asked: Asked) -> object:
        """The answer, when it is there. Raises KalturaError."""
        answer = self.trips.kept(asked, use=not self.is_prefetch)
        if answer is NOT_KEPT:
            answer = self.trail.parent.switch(asked)
        elif self.is_prefetch:
            raise GreenletExit
        if isinstance(answer, KalturaError):
            raise answer
        return answer


_walker: ContextVar[Walker | None] = ContextVar("walker", default=None)
current = _walker.get
"""Which of several functions side by side this one is; None if it is alone."""

NOT_KEPT = object()


@dataclass
class Trips:
    """One thread's requests for one chain, and the answers that were asked for ahead.

    An answer that was asked for ahead is used once. It is forgotten when something is changed after it.
    """

    carrier: Carrier
    clock: Callable[[], float] = monotonic
    _kept: dict[bytes, tuple[float, object]] = field(default_factory=dict)

    def __call__(
        self,
        acts: Sequence[Callable[[], T]],
        prefetch: Sequence[Callable[[], object]] = (),
        prefetch_after: Sequence[Callable[[], object]] = (),
    ) -> list[T]:
        """Runs the acts side by side, and returns what each returns. What one raises is raised, and ends the others.

        `prefetch` are questions that will be asked soon: they go with a trip that is made anyway. `prefetch_after` go
        with the trip that changes something, behind the changes. Whether they are answered matters to nobody.
        """
        walkers = [self._set_out(act) for act in acts]
        before, behind = ([self._set_out(one, is_prefetch=True) for one in some] for some in (prefetch, prefetch_after))
        everybody = [*walkers, *before, *behind]
        try:
            for walker in everybody:
                self._go_on(walker)
            while any(walker.asked for walker in walkers):
                self._travel(self._party(walkers, before, behind))
        finally:
            for walker in everybody:
                if not walker.trail.dead:
                    walker.trail.throw()
        return [walker.result for walker in walkers]

    def kept(self, asked: Asked, *, use: bool) -> object:
        """The answer that was asked for ahead, or NOT_KEPT."""
        at, answer = self._kept.get(asked.text, (float("-inf"), NOT_KEPT))
        if at + FRESH <= self.clock():
            return NOT_KEPT
        if use:
            del self._kept[asked.text]
        return answer

    def _set_out(self, act: Callable[[], object], *, is_prefetch: bool = False) -> Walker:
        walker = Walker(self, is_prefetch)

        def walk() -> object:
            _walker.set(walker)
            return act()

        walker.trail = greenlet(walk, getcurrent())
        walker.trail.gr_context = copy_context()
        return walker

    def _go_on(self, walker: Walker, answer: object = None) -> None:
        found = walker.trail.switch(*([] if walker.asked is None else [answer]))
        walker.asked = None if walker.trail.dead else found
        walker.result = found if walker.trail.dead else None

    def _party(self, walkers: list[Walker], before: list[Walker], behind: list[Walker]) -> list[tuple[Walker, Asked]]:
        """Those who travel together next: an act at least. Questions come first, changes in the acts' order."""
        acts = [(walker, walker.asked) for walker in walkers if walker.asked]
        first = next((one for one in acts if not one[1].writes), acts[0])
        if first[1].travels_alone:
            return [first]
        made = first[1].made
        ready = [(walker, walker.asked) for walker in before if walker.asked and made is None]
        party = [one for one in (*acts, *ready) if one[1].made == made and not one[1].travels_alone]
        if all(one in party and one[1].writes for one in acts):
            later = [(walker, walker.asked) for walker in behind if walker.asked]
            party += [one for one in later if not one[1].travels_alone]
        return party[: min(MOST_PARTS, self.carrier.most_parts)]

    def _travel(self, party: Sequence[tuple[Walker, Asked]]) -> None:
        asked = [one for _, one in party]
        if any(one.writes for one in asked):
            self._kept.clear()
        answers, now = self.carrier.carry(asked), self.clock()
        for (walker, one), answer in zip(party, answers, strict=True):
            if walker.is_prefetch:
                walker.asked = None
                if not isinstance(answer, KalturaError):
                    self._kept[one.text] = now, answer
        for (walker, _), answer in zip(party, answers, strict=True):
            if not walker.is_prefetch:
                self._go_on(walker, answer)


def copies(error: KalturaError, count: int) -> list[KalturaError]:
    """As many errors as calls have met this one: each call raises its own."""
    found = [error]
    while len(found) < count:
        twin = type(error).__new__(type(error), *error.args)  # each kind is made of other arguments
        vars(twin).update(vars(error))
        found.append(twin)
    return found
