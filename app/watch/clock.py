"""The service's clock, as a host knows it whose own clock may be wrong.

An answer says the service's time in whole seconds; it was made between asking and answering. So each one bounds how far
the service's time is from the host's steady clock, which nobody sets. What all of them allow is known to a fraction of
a second. When an answer contradicts that, a clock has drifted or was set: then the newest is right.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # the first one also counts while a host sleeps


def steady() -> float:
    """Seconds of a clock that nobody sets."""
    return time.clock_gettime(_STEADY)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which the service's time minus the host's steady clock is, in seconds."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    def at(self, steady: float) -> datetime:
        """The service's time."""
        return datetime.fromtimestamp(steady + self.middle, UTC)


def heard(known: Bounds | None, server_time: datetime, asked: float, answered: float) -> Bounds:
    """After an answer that said `server_time`; `asked` and `answered` by the steady clock."""
    said = server_time.timestamp()
    new = Bounds(said - answered, said + 1 - asked)
    if known is None or new.high < known.low or known.high < new.low:
        return new
    return Bounds(max(known.low, new.low), min(known.high, new.high))
