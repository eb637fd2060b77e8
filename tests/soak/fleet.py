"""Processes that are killed at random, one at a time, and started again."""

import itertools
import random
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

import httpx

from tests.processes import Program

Json = dict[str, Any]


@dataclass
class Fleet:
    programs: list[Program]
    chance: random.Random
    starters: ThreadPoolExecutor
    starting: dict[int, Future[None]] = field(default_factory=dict)
    kills: int = 0
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=25, trust_env=False))

    def kill_one(self) -> None:
        """Of those that are up. One that is down at the moment is on its way up."""
        up = [number for number in range(len(self.programs)) if self._is_up(number)]
        if up:
            number = self.chance.choice(up)
            self.programs[number].kill()
            self.kills += 1
            self.starting[number] = self.starters.submit(self.programs[number].restart)

    def all_up(self) -> None:
        """Returns when all run. Raises RuntimeError if one cannot be started."""
        for start in self.starting.values():
            start.result()

    def _is_up(self, number: int) -> bool:
        start = self.starting.get(number)
        if start is None or not start.done():
            return start is None
        start.result()
        return True

    @contextmanager
    def killing(self, every: float, seconds: float) -> Iterator[None]:
        """Kills one about every so many seconds, until the block is left or the time is over."""
        calm, began = Event(), time.monotonic()

        def rage() -> None:
            while not calm.wait(every * self.chance.uniform(0.5, 1.5)):
                if time.monotonic() - began > seconds:
                    return
                self.kill_one()

        thread = Thread(target=rage)
        thread.start()
        try:
            yield
        finally:
            calm.set()
            thread.join()
            self.all_up()

    def get(self, path: str) -> Json:
        """From any process that answers."""
        for at in itertools.cycle(self.programs):
            try:
                answer = self.client.get(at.url + path)
            except httpx.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code == httpx.codes.OK:
                found: Json = answer.json()
                return found
            time.sleep(0.05)
        raise AssertionError

    def items(self, path: str) -> list[Json]:
        """All that a list has, page by page."""
        found: list[Json] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.get(f"{path}{'&' if '?' in path else '?'}limit=100" + (f"&cursor={cursor}" if cursor else ""))
            found += page["items"]
            cursor = page["next_cursor"]
        return found
