"""Limits how many calls at once use one category or user, once Kaltura has shown that it locks them.

While Kaltura makes an entry, it holds a lock for each of its categories, and for each user that it makes for it. Who
waits for one longer than two seconds is told LOCK_TIMED_OUT, and has half an entry. So once that was seen, this process
does with the same category or user only so many things at once, until nothing of the kind was seen for a minute.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

from app.kaltura.errors import LockTimedOut

AT_ONCE = 2
"""A process; several processes are a few at a time, too."""

REMEMBERED = 60.0
"""Seconds since it was seen last."""

PATIENCE = 5.0
"""Seconds: whoever has waited so long goes on all the same. A lock that times out is no more than a detour."""


_LOCKED = {
    "categoriesIds": "category",
    "userId": "user",
    "entitledUsersEdit": "user",
    "entitledUsersPublish": "user",
}


def names_of(entry: Mapping[str, object]) -> set[str]:
    """What Kaltura may lock for an entry that is sent so; a user only if there is none yet, which nobody knows."""
    return {
        f"{kind}:{part}" for name, kind in _LOCKED.items() for part in str(entry.get(name) or "").split(",") if part
    }


class Crowds:
    """One for each process, shared by its threads."""

    def __init__(self, *, patience: float = PATIENCE, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._seen: dict[str, float] = {}  # of each name: when a lock timed out last
        self._inside = Counter[str]()
        self._changed = threading.Condition()

    @contextmanager
    def among(self, names: Collection[str]) -> Iterator[None]:
        """Around one call that locks these names. Waits for its turn where they are known to be crowded."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_full(names), self._patience)
            self._inside.update(names)
        try:
            yield
        except LockTimedOut:
            with self._changed:
                now = self._clock()
                self._seen = {name: at for name, at in self._seen.items() if now - at < REMEMBERED}
                self._seen |= dict.fromkeys(names, now)
            raise
        finally:
            with self._changed:
                self._inside -= Counter(names)  # keeps what is more than 0
                self._changed.notify_all()

    def _is_full(self, names: Collection[str]) -> bool:
        now = self._clock()
        return any(
            self._inside[name] >= AT_ONCE and now - self._seen.get(name, -REMEMBERED) < REMEMBERED for name in names
        )
