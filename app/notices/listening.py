"""Who waits for a notice holds no thread: one thread of the process looks for new ones, and wakes whom they concern."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from sqlalchemy import bindparam, select
from sqlmodel import SQLModel

from app.access.keys import Client
from app.database.background import Background
from app.database.counters import last
from app.database.database import Database
from app.http.threads import Threads
from app.notices import reading
from app.notices.telling import NOTICES

LOOK_EVERY = 0.5  # seconds
EVERYBODY = None

_NOTICE = SQLModel.metadata.tables["notice"]
_WHOSE = select(_NOTICE.c.client).where(_NOTICE.c.number > bindparam("since")).distinct()

Sleeper = tuple[asyncio.AbstractEventLoop, asyncio.Event]


class Listening:
    """One a process."""

    def __init__(self, database: Database, threads: Threads) -> None:
        self._database = database
        self._threads = threads
        self._sleepers = defaultdict[str | None, list[Sleeper]](list)  # by client; None: those who see all
        self._lock = threading.Lock()
        self._seen = 0
        self._thread = Background("notices", self._work, LOOK_EVERY)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Whoever waits is answered now."""
        self._thread.stop(0.0)
        with self._lock:
            whose = set(self._sleepers)
        self._wake(whose)
        self._thread.stop(timeout)

    async def page(self, client: Client, after: str | None, limit: int, seconds: float) -> reading.NoticePage:
        """The next notices; an empty page if none has come within so many seconds. Raises RequestValidationError."""
        until = monotonic() + seconds
        with self._asleep(EVERYBODY if reading.hears_nobodys(client) else client.name) as woken:
            while True:
                woken.clear()
                found = await self._threads.reading.run(self._read, client, after, limit)
                left = until - monotonic()
                if found.items or left <= 0 or self._thread.stopping:
                    return found
                with suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), left)

    def _read(self, client: Client, after: str | None, limit: int) -> reading.NoticePage:
        with self._database.read() as session:
            return reading.page(session, client, after, limit)

    @contextmanager
    def _asleep(self, whose: str | None) -> Iterator[asyncio.Event]:
        me = asyncio.get_running_loop(), asyncio.Event()
        with self._lock:
            self._sleepers[whose].append(me)
        try:
            yield me[1]
        finally:
            with self._lock:
                self._sleepers[whose].remove(me)
                if not self._sleepers[whose]:
                    del self._sleepers[whose]

    def _wake(self, whose: set[str | None]) -> None:
        with self._lock:
            for loop, woken in [sleeper for name in whose for sleeper in self._sleepers.get(name, ())]:
                loop.call_soon_threadsafe(woken.set)

    def _work(self) -> float:
        self.look()
        return LOOK_EVERY

    def look(self) -> None:
        """Wakes whoever waits for what is new since the last look."""
        with self._database.read() as session:
            latest = last(session, NOTICES)
            if latest == self._seen:
                return
            since = self._seen if self._sleepers else latest
            whose = set(session.execute(_WHOSE, {"since": since}).scalars())
        self._seen = latest
        if whose:
            self._wake(whose | {EVERYBODY})
