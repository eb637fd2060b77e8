"""The loop of `lectern watch`: it hears what the schedule is, does what is due, and says how it goes.

    Service ──▶ what is known ──▶ schedule.steps ──▶ Runs ──▶ commands
                     │                                │
                     └─────────── the cache ◀─────────┘      everything outlives a crash

One thread does it all, but for asking the service, which takes a thread of its own: nothing waits for the network.
"""

import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.watch import cache, clock, schedule
from app.watch.runs import Runs
from app.watch.schedule import Follow, Occurrence, Start, Step, Stop
from app.watch.service import New, Same, Service, Unsure

EVERY = timedelta(seconds=60)  # between two polls
AT_FIRST = timedelta(seconds=10)  # the same, while nothing is known
WHOLE = 3600.0  # seconds after which an answer is wanted whole, for it says what time it is
UNDER_WAY = 0.25  # seconds between two looks at what ends, or was just asked
AGAIN = 600.0  # seconds after which the encoder's state is said again

Told = tuple[str, str | None, str | None]


@dataclass
class Host:
    """Its clocks, in seconds: a steady one, and the one on the wall, which may be wrong."""

    steady: Callable[[], float]
    wall: Callable[[], float]


@dataclass
class _Known:
    """What the service has said, and when it is asked next (by the steady clock)."""

    bounds: clock.Bounds | None = None
    etag: str | None = None
    whole_at: float = float("-inf")
    occurrences: tuple[Occurrence, ...] = ()
    at_all: bool = False
    trouble: str = ""
    last: float = float("-inf")
    jitter: float = 1.0
    asked_to_wait_until: float | None = None


class Watch:
    """One resource's encoder. `turn` is called again after the seconds that it answers, or sooner."""

    def __init__(
        self,
        service: Service,
        executor: Executor,
        host: Host,
        path: Path,
        kept: cache.Kept,
        runs: Runs,
        *,
        before: timedelta,
        say: Callable[[str], None],
        wake: Callable[[], object] = lambda: None,
    ) -> None:
        self._service, self._executor, self._host = service, executor, host
        self._path, self._kept, self._runs = path, kept, runs
        self._before, self._say, self._wake = before, say, wake
        self._known = _Known()
        self._polling: Future[New | Same | Unsure] | None = None
        self._telling: Future[str | None] | None = None
        self._told: Told | None = None
        self._told_at = float("-inf")
        self._not_told = ""
        self._done = {uid: datetime.fromisoformat(until) for uid, until in kept.done.items()}
        self._cannot_save = False
        if kept.offset is not None:
            offset = host.wall() + kept.offset - host.steady()
            self._known.bounds = clock.Bounds(offset, offset)
        if kept.occurrences is not None:
            self._known.at_all = True
            self._known.occurrences = tuple(map(schedule.read_occurrence, kept.occurrences))
        runs.resource, runs.save = kept.resource, self._save
        runs.take_up(kept.running, host.steady())

    @property
    def now(self) -> datetime:
        """The service's time; the host's, as long as the service has never said it."""
        bounds = self._known.bounds
        return bounds.at(self._host.steady()) if bounds else datetime.fromtimestamp(self._host.wall(), UTC)

    def turn(self) -> float:
        """Does what is due. Answers in how many seconds something may be due again."""
        self._hear()
        self._poll()
        now = self.now
        for step in schedule.steps(self._known.occurrences, self._runs.occurrences, self._done, now, self._before):
            self._take(step)
        self._runs.look_after(self._host.steady())
        if self._runs.kept() != self._kept.running:
            self._save()
        self._tell(self._runs.state())
        return self._pause()

    def leave(self) -> None:
        """The last words. What runs goes on, and is taken up by the next start; it knows what has ended by now."""
        self._save()
        for occurrence in self._runs.occurrences.values():
            self._say(f"{occurrence.title} ({occurrence.uid}) goes on without me: start me again before it ends.")
        if not self._runs.occurrences and not self._known.trouble:
            self._service.tell("offline", "lectern watch was stopped.", None)

    # What the service says

    def _hear(self) -> None:
        if self._polling is None or not self._polling.done():
            return
        outcome, self._polling = self._polling.result(), None
        known = self._known
        pause = outcome.pause if isinstance(outcome, Unsure) else None
        known.asked_to_wait_until = None if pause is None else self._host.steady() + pause
        trouble = outcome.why if isinstance(outcome, Unsure) else ""
        if trouble != known.trouble:
            self._say(f"{trouble}. I keep what I have, and ask again." if trouble else "The service answers again.")
            known.trouble = trouble
        if not isinstance(outcome, New):
            return
        answer = outcome.answer
        known.bounds = clock.heard(known.bounds, answer.server_time, outcome.asked, outcome.answered)
        known.etag, known.whole_at = outcome.etag, outcome.answered
        if not known.at_all:
            self._say(f"{len(answer.occurrences)} sessions are ahead.")
        known.occurrences, known.at_all = answer.occurrences, True
        self._runs.resource = self._kept.resource = dict(answer.resource)
        self._kept.occurrences = [dict(occurrence.words) for occurrence in answer.occurrences]
        self._save()

    def _poll(self) -> None:
        if self._polling or self._host.steady() < self._poll_at():
            return
        known = self._known
        known.last, known.jitter = self._host.steady(), random.uniform(0.9, 1.1)  # noqa: S311 - spreads the polls
        whole = known.last - known.whole_at > WHOLE
        self._polling = self._executor.submit(self._service.poll, None if whole else known.etag)
        self._polling.add_done_callback(lambda _: self._wake())

    def _poll_at(self) -> float:
        """By the steady clock."""
        known = self._known
        if known.asked_to_wait_until is not None:
            return known.asked_to_wait_until
        if known.last == float("-inf"):
            return known.last
        every = (EVERY if known.at_all else AT_FIRST) * known.jitter
        now, steady = self.now, self._host.steady()
        last = now - timedelta(seconds=steady - known.last)
        due = schedule.next_poll(last, schedule.edges(known.occurrences, self._before), every)
        return steady + (due - now).total_seconds()

    # What is due

    def _take(self, step: Step) -> None:
        occurrence = step.occurrence
        match step:
            case Start() if self._runs.free(self._host.steady()):
                self._say(f"Start: {occurrence.title} ({occurrence.uid}), until {occurrence.end:%Y-%m-%dT%H:%M:%SZ}.")
                self._runs.start(occurrence, self._host.steady())
            case Start():
                return  # what ends comes first; it is asked again in the next turn
            case Follow():
                self._runs.follow(occurrence)
                self._say(f"Changed: {occurrence.title} ({occurrence.uid}), until {occurrence.end:%Y-%m-%dT%H:%M:%SZ}.")
            case Stop():
                self._say(f"End: {occurrence.title} ({occurrence.uid}): {step.why}.")
                self._done[occurrence.uid] = step.until
                self._runs.stop(occurrence, self._host.steady())
        self._save()

    def _pause(self) -> float:
        steady, now = self._host.steady(), self.now
        next_edge = min(
            (edge for edge in schedule.edges(self._known.occurrences, self._before) if edge > now), default=now + EVERY
        )
        pauses = [(next_edge - now).total_seconds(), self._runs.pause(steady)]
        if not self._polling:
            pauses.append(self._poll_at() - steady)
        if self._telling:
            pauses.append(UNDER_WAY)
        return min(max(min(pauses), 0.01), EVERY.total_seconds())

    def _save(self) -> None:
        kept = self._kept
        self._done = schedule.kept_done(self._done, self._known.occurrences, self.now)
        kept.done = {uid: until.isoformat() for uid, until in self._done.items()}
        kept.running = self._runs.kept()
        if self._known.bounds:
            kept.offset = self._host.steady() + self._known.bounds.middle - self._host.wall()
        try:
            cache.save(self._path, kept)
        except OSError as error:
            if not self._cannot_save:
                self._say(f"{self._path} cannot be written ({error.strerror}): after a restart I know nothing.")
            self._cannot_save = True
        else:
            self._cannot_save = False

    # How it goes

    def _tell(self, state: Told) -> None:
        if self._telling is not None:
            if not self._telling.done():
                return  # the latest state is told next
            self._hear_told(self._telling.result() or "")
            self._telling = None
        steady = self._host.steady()
        if self._polling or (state == self._told and steady - self._told_at < AGAIN):
            return
        self._told, self._told_at = state, steady
        self._telling = self._executor.submit(self._service.tell, *state)
        self._telling.add_done_callback(lambda _: self._wake())

    def _hear_told(self, failure: str) -> None:
        if failure and failure != self._not_told and not self._known.trouble:
            self._say(f"The service was not told how I am: {failure}. I try again.")
        self._not_told = failure
        if failure:
            self._told_at = self._host.steady() - AGAIN + EVERY.total_seconds()
