"""Threads that work behind the requests, for as long as the process serves."""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

log = structlog.get_logger(__name__)

AFTER_FAILURE = 2.0  # seconds of rest
CLOSING = 0.5  # seconds, the last ones of a stop


class Background:
    """A thread that does `work` again and again, first after `rest` seconds.

    `work` returns for how many seconds it may rest; `wake` ends a rest.

    Whatever goes wrong is logged, once until the work goes well again or something else goes wrong, and the work is
    done again. The database may be back by then; and one mistake of ours must not end what everybody else waits for.
    """

    def __init__(self, name: str, work: Callable[[], float], rest: float = 0.0) -> None:
        self._work = work
        self._rest = rest
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def sleep(self, seconds: float) -> bool:
        """A pause within the work. Returns whether the process stops."""
        return self._stop.wait(seconds)

    def stop(self, timeout: float) -> None:
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        rest = self._rest
        failed: type[Exception] | None = None
        while not self._stop.is_set():
            self._wake.wait(rest)
            self._wake.clear()
            if self._stop.is_set():
                return
            try:
                rest, failed = self._work(), None
            except Exception as error:
                if type(error) is not failed:
                    self._tell(error)
                rest, failed = AFTER_FAILURE, type(error)

    def _tell(self, error: Exception) -> None:
        if isinstance(error, SQLAlchemyError):
            log.error("cannot_work", thread=self._thread.name, kind=type(error).__name__)
        else:
            log.error("work_left", thread=self._thread.name, exc_info=error)


class Stop:
    """A stop of the process, of which all parts are over so many seconds after it has begun."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until: float | None = None

    def begin(self) -> None:
        """Harmless to repeat."""
        if self._until is None:
            self._until = time.monotonic() + self.seconds

    @property
    def left(self) -> float:
        """How many seconds threads have to end what they are at: until there is just time to close everything."""
        return self.seconds if self._until is None else max(0.0, self._until - time.monotonic() - CLOSING)
