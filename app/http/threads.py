"""The threads that requests work in: each kind of work has places of its own, so that none waits behind another kind.

    work      places  what takes one
    reading   5       an answer from SQL
    writing   8       a change: decided and committed; one of those has a connection at a time
    ending    2       what became of a change that was accepted; it waits as long as it takes
    feed      2       an encoder's schedule that is put together anew
    health    1       `/metrics`; `/readyz` is worked out elsewhere, once for all who ask (app/operations/health.py)
    kaltura   6       what may wait for Kaltura; 3 for one key
    planning  2       a term's plan that is being made

Whoever finds no place stands in line, without a thread and without a connection, for `PATIENCE` at most; then it is
`Busy`. Whoever has a place waits for nobody else's: all places together are fewer than the threads there are (AnyIO has
40), and those who may hold a connection, with the threads that are not a request's, no more than there are connections.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import copy_context
from typing import Annotated, Any, TypeVar
from weakref import WeakValueDictionary

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from app.database.database import BUSY_TIMEOUT, Database
from app.http.errors import Busy

PATIENCE = BUSY_TIMEOUT  # seconds

T = TypeVar("T")


class Places:
    """So many at once. For one event loop."""

    def __init__(self, count: int, *, each: int | None = None, patient: bool = False) -> None:
        """`each`: how many one key may have. `patient`: nobody is ever turned away."""
        self.count = count
        self._all = asyncio.Semaphore(count)
        self._each = each or count
        self._of = WeakValueDictionary[str, asyncio.Semaphore]()  # by key, as long as it has or wants a place
        self._patient = patient

    @asynccontextmanager
    async def one(self, key: str = "") -> AsyncIterator[None]:
        """Raises Busy."""
        own = self._of.get(key) or asyncio.Semaphore(self._each)
        self._of[key] = own
        async with AsyncExitStack() as places:
            try:
                async with asyncio.timeout(None if self._patient else PATIENCE):
                    await places.enter_async_context(own)
                    await places.enter_async_context(self._all)
            except TimeoutError:
                raise Busy from None
            yield

    async def run(self, work: Callable[..., T], *given: Any) -> T:
        async with self.one():
            return await run_in_threadpool(work, *given)


class Threads:
    """One a process."""

    def __init__(self) -> None:
        self.reading = Places(5)
        self.writing = Places(8)
        self.ending = Places(2, patient=True)
        self.feed = Places(2)
        self.health = Places(1)
        self.kaltura = Places(6, each=3)
        self.planning = Places(2, patient=True)
        self._asking = set[asyncio.Timeout]()
        self._stopping = False

    async def ask(self, key: str, work: Callable[..., T], *given: Any) -> T:
        """`work`, which may wait for Kaltura, for whoever has that key. Raises Busy, at a stop too."""
        async with self.kaltura.one(key):
            until_the_stop = asyncio.timeout(0 if self._stopping else None)
            self._asking.add(until_the_stop)
            try:
                async with until_the_stop:
                    return await _apart(work, *given)
            except TimeoutError:
                if until_the_stop.expired():
                    raise Busy from None
                raise
            finally:
                self._asking.discard(until_the_stop)

    def stop(self) -> None:
        """Whoever waits for Kaltura is told to come again: what waits longer than a stop may take is cut off."""
        self._stopping = True
        for one in self._asking:
            one.reschedule(asyncio.get_running_loop().time())


async def _apart(work: Callable[..., T], *given: Any) -> T:
    """In a thread that keeps no process from ending, however long Kaltura takes."""
    done = Future[T]()
    done.set_running_or_notify_cancel()
    context = copy_context()

    def run() -> None:
        try:
            done.set_result(context.run(work, *given))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name="asking", daemon=True).start()
    return await asyncio.wrap_future(done)


async def _reading(request: Request) -> AsyncIterator[Database]:
    threads: Threads = request.app.state.threads
    database: Database = request.app.state.database
    async with threads.reading.one():
        yield database


async def _writing(request: Request) -> AsyncIterator[Database]:
    threads: Threads = request.app.state.threads
    database: Database = request.app.state.database
    async with threads.writing.one():
        yield database


async def _health(request: Request) -> AsyncIterator[None]:
    threads: Threads = request.app.state.threads
    async with threads.health.one():
        yield


Reading = Annotated[Database, Depends(_reading, scope="function")]
"""For an endpoint that answers from SQL: it opens and closes its view of the database in the one thread it runs in.
A view that a dependency opened would hold its connection while the endpoint waits for another thread."""

Writing = Annotated[Database, Depends(_writing, scope="function")]
"""The same for an endpoint that changes something and waits for no chain."""

Health = Annotated[None, Depends(_health, scope="function")]
"""The same for an endpoint that says how the service is."""

# A place is a parameter, after the one that says who asks. What an operation's decorator names as `dependencies` comes
# before all parameters: a stranger would have the place before being refused.
