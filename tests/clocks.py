"""A host's clock that is wrong: what Lectern reads as the time, in this process, and whatever ids are made from."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import pytest

from app.database import types

OFF_BY = "CLOCK_IS_OFF_BY"  # seconds, in the environment of a process: tests/forks.py


@dataclass
class HostClock:
    """Stands in for the modules `time` and `datetime` in app/database/types.py, where alone it is read."""

    off_by: float = 0.0  # seconds

    def now(self, zone: tzinfo) -> datetime:
        return datetime.now(zone) + timedelta(seconds=self.off_by)

    def time_ns(self) -> int:
        return time.time_ns() + int(self.off_by * 1e9)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def set_clock(off_by: float, patch: pytest.MonkeyPatch) -> HostClock:
    clock = HostClock(off_by)
    patch.setattr(types, "datetime", clock)
    patch.setattr(types, "time", clock)
    return clock
