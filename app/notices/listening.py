"""Who waits for a notice holds no thread: one thread of the process looks for new ones, and wakes whom they concern."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

import structlog
from sqlalchemy import bindparam, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import SQLModel

from app.access.keys import Client
from app.database.counters import last
from app.database.database import Database
from app.http.threads import Threads
from app.notices import reading
from app.notices.telling import NOTICES

log = structlog.get_logger(__name__)

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
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="notices", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake_all(self) -> None:
        """The process stops: whoever waits is answered now."""
        self._stop.set()
        with self._lock:
            whose = set(self._sleepers)
        self._wake(whose)

    def stop(self) -> None:
        self.wake_all()
        if self._thread.ident is not None:
            self._thread.join()

    async def page(self, client: Client, after: str | None, limit: int, seconds: float) -> reading.NoticePage:
        """The next notices; an empty page if none has come within so many seconds. Raises RequestValidationError."""
        until = monotonic() + seconds
        with self._asleep(EVERYBODY if reading.hears_nobodys(client) else client.name) as woken:
            while True:
                woken.clear()
                found = await self._threads.reading.run(self._read, client, after, limit)
                left = until - monotonic()
                if found.items or left <= 0 or self._stop.is_set():
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

    def _watch(self) -> None:
        missed = False
        while not self._stop.wait(LOOK_EVERY):
            try:
                self.look()
            except SQLAlchemyError as error:
                if not missed:
                    log.warning("notices_not_read", kind=type(error).__name__, detail="The next look may see more.")
                missed = True
            else:
                missed = False

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
