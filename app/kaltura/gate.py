"""The gate to Kaltura: every exchange of this process goes through it, one after another in the order they came.

It limits calls per second and at once, and it is the breaker that keeps all from hammering a Kaltura that is away:

              5 outages in a row, of 3 different calls; or
              one of what all depend on, with a Retry-After
    closed ────────────────────────────────────────────────▶ open ◀──────────────┐
       ▲                                                       │ pause is over    │ outage: the next pause
       │                                                       ▼                  │ is twice as long
       └──────────────────────── an answer ─────────────── half open ────────────┘

Open: nothing is sent. Half open: one call, the probe, is sent; nothing else until it has ended. Whoever is turned
away gets Transient with `outage`, and in `retry_after` a moment shortly after the next probe.

An outage is a KalturaError with `outage`. Any other end of a call is an answer, a refusal too. How one call ends again
and again says nothing about the others, and its Retry-After is its own. All depend on signing in (a turn for no call
in particular), on a connection, and on a Kaltura that does not ask for fewer calls (Throttled). How a call ends that
began before the gate opened says nothing about the time since; only a Retry-After that is for all is heeded.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Literal

import structlog

from app.kaltura.errors import KalturaError, Throttled, Transient, Unknown

log = structlog.get_logger(__name__)

OUTAGES = 5
"""In a row; fewer are a hiccup, which each caller sits out for itself."""

DIFFERENT = 3
"""Calls among them, at least: what makes one object, and the looking for it, may both fail for that object alone."""

LONGEST = 60.0
"""Seconds between two probes, and so what is lost at most once Kaltura is back; a longer Retry-After is heeded."""

SPREAD = 1.0
"""Seconds after the next probe within which those who were turned away are told to come again."""

PROBE_SECONDS = 5.0
"""What those are told to wait who come while a probe is out: an answer takes less, a time-out longer."""

PATIENCE = 5.0
"""Seconds: longer waits for a turn mean that there is more to do than these limits allow."""

BURST = 0.2
"""Seconds' worth of calls that may be made at once after a silence."""


def growing_pause(failures: int) -> float:
    """Seconds after so many failures in a row: 1, doubling to LONGEST, give or take a quarter."""
    return min(LONGEST, 2.0 ** min(failures - 1, 30)) * random.uniform(0.75, 1.25)  # noqa: S311 - not to come in step


Name = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class State:
    """`failing` is for how many seconds there has been no answer, None when the latest call was answered.

    `next_probe` is in how many seconds one call is let through: 0 when the next one is, or is on its way. None while
    all are. `reason` is what the latest outage was, "" when there is none. `answered` says whether there ever was an
    answer. `waiting` counts the calls that wait because others are out.
    """

    name: Name
    failing: float | None
    next_probe: float | None
    reason: str
    answered: bool
    waiting: int


def _concerns_all(error: Transient | Unknown) -> bool:
    """Whether it would have met any other call as well: it was not even sent, or is one too many."""
    return isinstance(error, Transient) and (isinstance(error, Throttled) or not error.sent)


class Gate:
    """One for each process, shared by its threads. No lock is held while a call is made."""

    def __init__(
        self,
        per_second: float = 100.0,
        at_once: int = 20,
        *,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`patience`: seconds that a call waits for its turn at most."""
        self._patience = patience
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()

        self._free = at_once
        self._line: deque[Lock] = deque()  # those who wait for a place; only while none is free
        self._spacing = 1.0 / per_second
        self._burst = max(0.0, BURST - self._spacing)
        self._slot = clock() - BURST  # from when on the next call may be made

        self._until: float | None = None  # closed, or when the pause is over
        self._probing = False
        self._era = 0  # how often the gate has opened
        self._pauses = 0  # since the latest answer
        self._outages = 0  # since the latest answer
        self._met = set[Hashable]()  # which calls met them; None: what all depend on
        self._failing_since = 0.0
        self._reason = ""
        self._answered = False

    @contextmanager
    def turn(self, call: Hashable = None, parts: int = 1) -> Iterator[None]:
        """Around one exchange, of that call; None: all others need it. Raises Transient: nothing is to be sent.

        Of several calls in one exchange (`parts`) each counts: the next one waits for as long as they would have.

        An error with `outage` gets the `retry_after` that all are told, or None while the gate stays closed; one with a
        `retry_after` of its own is an `outage` no more then.
        """
        self._turn_away()
        deadline = self._clock() + self._patience
        self._take_place()
        try:
            self._await_slot(deadline, parts)
            era = self._begin()
            try:
                yield
            except KalturaError as error:
                self._end(era, error, call)
                raise
            except BaseException:
                self._abandon(era)
                raise
            else:
                self._end(era, None)
        finally:
            self._leave_place()

    def state(self) -> State:
        """How it stands now."""
        with self._lock:
            now = self._clock()
            failing = now - self._failing_since if self._outages else None
            left = None if self._until is None else max(0.0, self._until - now)
            name: Name = "closed" if left is None else "open" if left else "half_open"
            return State(name, failing, left, self._reason, self._answered, len(self._line))

    def _too_many(self) -> Transient:
        return Transient(f"too many calls to Kaltura: no turn within {self._patience:.0f} s", self._patience)

    # Places: calls at once, first come, first served

    def _take_place(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            place = Lock()
            place.acquire()
            self._line.append(place)
        if place.acquire(timeout=self._patience):
            return
        with self._lock:
            if place in self._line:
                self._line.remove(place)
                raise self._too_many()
        # It was handed over at the last moment.

    def _leave_place(self) -> None:
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._free += 1

    # Slots: calls per second

    @property
    def most_parts(self) -> int:
        """How many calls one exchange may have: as many as there may be in the time that a call waits for its turn."""
        return max(1, int(self._patience / self._spacing))

    def _await_slot(self, deadline: float, parts: int) -> None:
        with self._lock:
            now = self._clock()
            slot = max(self._slot, now - self._burst)
            if slot > deadline:
                raise self._too_many()
            self._slot = slot + self._spacing * parts
        if slot > now:
            self._sleep(slot - now)

    # The breaker

    def _turn_away(self) -> None:
        """Raises when nothing is to be sent; tells so at once instead of after a wait for a turn."""
        if self._until is not None:
            with self._lock:
                self._check()

    def _check(self) -> None:
        if self._until is not None and (self._probing or self._clock() < self._until):
            raise Transient(f"{self._reason}; all calls wait", self._come_again(), outage=True)

    def _come_again(self) -> float | None:
        if self._until is None:
            return None
        left = PROBE_SECONDS if self._probing else max(0.0, self._until - self._clock())
        return left + random.uniform(0.0, SPREAD)  # noqa: S311

    def _begin(self) -> int:
        with self._lock:
            self._check()
            self._probing = self._until is not None
            return self._era

    def _end(self, era: int, error: KalturaError | None, call: Hashable = None) -> None:
        with self._lock:
            was_closed = self._until is None
            failing_since = self._failing_since
            if isinstance(error, Transient | Unknown) and error.outage:
                whose = None if _concerns_all(error) else call
                self._outage(era, error.reason, error.retry_after or 0.0, whose)
                again = self._come_again()
                if again is None and error.retry_after and whose is not None:
                    error.outage = False  # it is this call's trouble, as far as one knows
                else:
                    error.retry_after = again
            elif era == self._era:
                self._answer()
            closed = self._until is None
        if was_closed and not closed:
            log.warning("kaltura_away", reason=self._reason, outages=self._outages)
        elif closed and not was_closed:
            log.info("kaltura_back", seconds=round(self._clock() - failing_since, 1))

    def _answer(self) -> None:
        self._until, self._probing = None, False
        self._pauses = self._outages = 0
        self._met.clear()
        self._reason, self._answered = "", True

    def _outage(self, era: int, reason: str, asked: float, call: Hashable) -> None:
        """`asked`: for how many seconds Kaltura wants to be left alone, at least by this call."""
        now = self._clock()
        fresh = era == self._era
        pause = asked if call is None else 0.0
        if fresh or pause:
            self._failing_since = self._failing_since if self._outages else now
            self._outages += 1
            self._met.add(call)
            self._reason = reason
        in_a_row = self._outages >= OUTAGES and (None in self._met or len(self._met) >= DIFFERENT)
        if fresh and (self._probing or in_a_row):
            self._pauses += 1
            pause = max(asked, growing_pause(self._pauses))
        if pause:
            self._until = max(self._until or now, now + pause)
            self._probing = False
            self._era += 1

    def _abandon(self, era: int) -> None:
        """The call ended by a mistake of ours, which says nothing about Kaltura."""
        with self._lock:
            if era == self._era:
                self._probing = False
