"""Turns within one process: who waits for one holds no connection and asks no database meanwhile."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import TimeoutError as WaitedTooLong


class Line:
    """One at a time, in the order in which they came: whoever leaves hands the turn over to the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting = deque[threading.Lock]()

    @contextmanager
    def turn(self, timeout: float) -> Iterator[None]:
        """Waits for the turn for `timeout` seconds at most. Raises SQLAlchemy's TimeoutError."""
        self._take(timeout)
        try:
            yield
        finally:
            with self._lock:
                self._hand_over()

    def step_back(self) -> None:
        """For whoever has the turn: lets all go first who wait for it now, and takes it again behind them."""
        with self._lock:
            if not self._waiting:
                return
            place = self._stand()
            self._hand_over()
        place.acquire()

    def _take(self, timeout: float) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            place = self._stand()
        if place.acquire(timeout=timeout):
            return
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
                raise WaitedTooLong("other writes take too long")
        # It was handed over at the last moment.

    def _stand(self) -> threading.Lock:
        place = threading.Lock()
        place.acquire()
        self._waiting.append(place)
        return place

    def _hand_over(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._taken = False
