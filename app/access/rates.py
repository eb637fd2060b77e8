"""How many requests a key may send: a token bucket for each, in the memory of this process alone.

A bucket holds a minute's worth of requests and fills up evenly, so that a burst is taken as it comes and what goes on
for longer is slowed down. Several processes allow each key as many times as much, together.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

WINDOW = 60  # seconds that a bucket takes to fill up
MOST_BUCKETS = 10_000  # the longest unused one goes first; by then it is most likely full


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float  # monotonic


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after a request. `wait`: seconds until the next one is allowed, 0 if this one is.

    `reset`: seconds until something changes: until all is there again, or the next one is allowed.
    """

    left: int
    reset: int
    wait: int


class Rates:
    """One a process, for its one event loop. `per_minute` is at least 1."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_minute = per_minute
        self._clock = clock
        self._buckets = OrderedDict[str, _Bucket]()

    def take(self, who: str) -> Allowance:
        """Counts one request of `who`, unless there is none left to be counted."""
        now, per_second = self._clock(), self.per_minute / WINDOW
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = _Bucket(self.per_minute, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(who)
        bucket.left = min(self.per_minute, bucket.left + (now - bucket.at) * per_second)
        bucket.at = now
        if bucket.left < 1:
            wait = math.ceil((1 - bucket.left) / per_second)
            return Allowance(0, wait, wait)
        bucket.left -= 1
        return Allowance(int(bucket.left), math.ceil((self.per_minute - bucket.left) / per_second), 0)


def headers(per_minute: int, allowance: Allowance) -> list[tuple[bytes, bytes]]:
    """`RateLimit-Policy` and `RateLimit`, as draft-ietf-httpapi-ratelimit-headers-10 says."""
    return [
        (b"ratelimit-policy", b'"key";q=%d;w=%d' % (per_minute, WINDOW)),
        (b"ratelimit", b'"key";r=%d;t=%d' % (allowance.left, allowance.reset)),
    ]
