"""What is looked at while a storm goes on: how soon a service answers, that leases are kept, how much memory it has."""

import http.client
import math
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from urllib.parse import urlsplit

from sqlalchemy import Engine, func, select
from sqlmodel import col

from app.chains.models import Chain
from app.database.types import database_now

EVERY = 0.04  # seconds between two probes of one kind
PATIENCE = 15.0  # seconds until a probe counts as one that failed
MB = 1024 * 1024


@dataclass
class Probe:
    """One request, again and again on one connection: how long it took each time, and what was wrong with it."""

    name: str
    url: str
    path: str
    headers: dict[str, str]
    wanted: int  # its status
    seconds: list[float] = field(default_factory=list)
    wrong: Counter[str] = field(default_factory=Counter)

    def work(self, over: Event) -> None:
        where = urlsplit(self.url)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE)
        while not over.wait(EVERY):
            began = time.perf_counter()
            try:
                connection.request("GET", self.path, headers=self.headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.wrong[type(error).__name__] += 1
                connection.close()
                continue
            self.seconds.append(time.perf_counter() - began)
            if answer.status != self.wanted:
                self.wrong[str(answer.status)] += 1
        connection.close()


@contextmanager
def probing(probes: Sequence[Probe], *others: Callable[[Event], None]) -> Iterator[None]:
    """Each in a thread of its own, as are `others`."""
    over = Event()
    with ThreadPoolExecutor(len(probes) + len(others)) as threads:
        working = [threads.submit(one, over) for one in (*(probe.work for probe in probes), *others)]
        try:
            yield
        finally:
            over.set()
    for one in working:
        one.result()


@dataclass
class Leases:
    """Looks whether every chain that somebody runs has a lease that is not over."""

    engine: Engine
    looks: int = 0
    held: int = 0  # at once, at most
    lost: int = 0

    def work(self, over: Event) -> None:
        held = select(func.count()).where(col(Chain.owner).is_not(None))
        lost = held.where(col(Chain.lease_until) < database_now())
        while not over.wait(0.5):
            with self.engine.connect() as connection:
                self.looks += 1
                self.held = max(self.held, connection.execute(held).scalar_one())
                self.lost += connection.execute(lost).scalar_one()


def percentiles(seconds: Sequence[float]) -> str:
    """`p50 2 ms, p99 31 ms of 1,204`."""
    if not seconds:
        return "none"
    p50, p99 = statistics.median(seconds), percentile(seconds, 99)
    return f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms of {len(seconds):,}"


def percentile(seconds: Sequence[float], which: int) -> float:
    """The least that so many of a hundred do not exceed."""
    return sorted(seconds)[max(0, math.ceil(len(seconds) * which / 100) - 1)]


def resident(pid: int) -> float:
    """MB of memory that a process has."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return int(said.stdout) * 1024 / MB
