"""The threads that run chains, the heartbeat that renews their leases, and the waiting for a chain's end.

Of the idle workers one at a time looks for a due chain. When it has claimed one it runs it, and the next idle worker
looks. So an idle process asks its database `1 / POLL` times a second, however many workers it has; after `nudge()` it
asks at once.
"""

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from app.chains.engine import Engine
from app.chains.store import Claim

log = structlog.get_logger(__name__)
T = TypeVar("T")

POLL = 0.25  # seconds between two looks for a due chain
REMEMBERED_ENDINGS = 1000  # chains: many more than end between a chain's making and the beginning of the wait for it
AFTER_FAILURE = 2.0  # seconds of rest for a worker whose database does not answer


class Workers(Generic[T]):
    """`count` threads that run chains with `engine`. `tools` makes what one thread alone uses, `close` ends it; `ended`
    is called after each chain that has ended here.
    """

    def __init__(
        self,
        engine: Engine[T],
        count: int,
        tools: Callable[[], T],
        close: Callable[[T], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._tools = tools
        self._close = close
        self._ended = ended
        self._running: dict[str, Claim] = {}  # by thread
        self._stop = threading.Event()
        self._news = threading.Condition()  # of the next two, or of the stop
        self._handed_over = deque[Claim]()  # claimed already, they wait for a worker
        self._look_at = 0.0  # when the database is asked for a due chain (monotonic seconds)
        self._leading = threading.Lock()
        self._endings: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}
        self._endings_lock = threading.Lock()
        self._ended_lately = deque[str](maxlen=REMEMBERED_ENDINGS)  # chains that have ended here
        self._looker = ThreadPoolExecutor(1, "ended")
        self._threads = [
            threading.Thread(target=self._work, name=f"chain-{number}", daemon=True) for number in range(count)
        ]
        self._heart = threading.Thread(target=self._beat, name="chain-heart", daemon=True)

    @property
    def running(self) -> int:
        """How many chains are being run here."""
        return len(self._running)

    @property
    def spare(self) -> bool:
        """Whether a worker is idle, so that a new chain would run at once."""
        return self.alive and not self.stopping() and len(self._claims()) < len(self._threads)

    @property
    def alive(self) -> bool:
        """Whether all threads run."""
        return self._heart.is_alive() and all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        for thread in (*self._threads, self._heart):
            thread.start()

    def nudge(self) -> None:
        """Tells an idle worker that there may be a due chain: it looks at once."""
        with self._news:
            self._look_at = 0.0
            self._news.notify()

    def run_claimed(self, claim: Claim) -> None:
        """Hands a chain over that is claimed already: the next idle worker runs it."""
        with self._news:
            self._handed_over.append(claim)
            self._news.notify()

    def stop(self, timeout: float) -> bool:
        """Lets each worker end the call it is in, and gives its chain back. Returns whether all ended within `timeout`
        seconds. A worker that did not keeps its chain until the lease runs out; then another process takes it over.
        """
        self._stop.set()
        with self._news:
            self._news.notify()
        self._wake_all()
        until = time.monotonic() + timeout
        for thread in (*self._threads, self._heart):
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    # Waiting for an end

    async def wait_for_end(
        self, chain_id: str, seconds: float, is_over: Callable[[], bool], *, new: bool = False
    ) -> bool:
        """Waits until the chain is over, `seconds` at most, or until the process stops. Returns whether it is over.

        `is_over` asks the database: it is called while another process may be running the chain, and for a `new` one,
        which was made just now by this process, only after a while.
        """
        until = time.monotonic() + seconds
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        with self._endings_lock:
            if new and chain_id in self._ended_lately:
                return True
            self._endings.setdefault(chain_id, []).append((loop, event))
        try:
            while new or self._runs(chain_id) or not await loop.run_in_executor(self._looker, is_over):
                new = False
                left = until - time.monotonic()
                if left <= 0 or self.stopping():
                    return False
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), min(left, 1.0))
                    if not self.stopping():
                        return True
            return True
        finally:
            with self._endings_lock:
                waiting = self._endings[chain_id]
                waiting.remove((loop, event))
                if not waiting:
                    del self._endings[chain_id]

    def _runs(self, chain_id: str) -> bool:
        return any(claim.chain_id == chain_id for claim in self._claims())

    def _claims(self) -> list[Claim]:
        with self._news:
            return [*self._handed_over, *self._running.values()]

    def _wake(self, chain_id: str) -> None:
        with self._endings_lock:
            self._ended_lately.append(chain_id)
            for loop, event in self._endings.get(chain_id, ()):
                loop.call_soon_threadsafe(event.set)

    def _wake_all(self) -> None:
        with self._endings_lock:
            for loop, event in itertools.chain(*self._endings.values()):
                loop.call_soon_threadsafe(event.set)

    # Threads

    def _work(self) -> None:
        tools = self._tools()
        try:
            while (claim := self._next()) is not None:
                over = False
                try:
                    with bound_contextvars(chain_id=claim.chain_id, subject=claim.subject):  # on every line of the log
                        over = self._engine.run(claim, tools)
                except Exception:
                    # What was not committed has not happened; the lease runs out, and the chain is claimed again.
                    log.exception("chain_left", chain_id=claim.chain_id)
                finally:
                    del self._running[threading.current_thread().name]
                if over:
                    self._wake(claim.chain_id)
                    self._ended()
                if claim.look_again:
                    self.nudge()
        finally:
            self._close(tools)

    def _next(self) -> Claim | None:
        """The next chain to run, claimed; None when the process stops."""
        me = threading.current_thread().name
        with self._leading:
            while True:
                with self._news:
                    self._news.wait_for(self._is_news, self._look_at - time.monotonic())
                    if self._handed_over:
                        claim = self._running[me] = self._handed_over.popleft()
                        return claim
                    if self.stopping():
                        return None
                    self._look_at = time.monotonic() + POLL
                found = self._claim()
                if found is not None:
                    self._running[me] = found
                    return found

    def _is_news(self) -> bool:
        return bool(self._handed_over) or self.stopping() or self._look_at <= time.monotonic()

    def _claim(self) -> Claim | None:
        try:
            claim = self._engine.store.claim()
        except SQLAlchemyError as error:
            log.error("cannot_claim", kind=type(error).__name__)
            self._stop.wait(AFTER_FAILURE)
            return None
        if claim is not None and claim.others_due:
            self.nudge()
        return claim

    def _beat(self) -> None:
        while not self._stop.wait(self._engine.store.lease / 3) or self._claims():
            try:
                self._engine.store.renew(self._claims())
            except SQLAlchemyError as error:
                log.error("cannot_renew", kind=type(error).__name__)
            if self._stop.is_set():
                time.sleep(0.2)
