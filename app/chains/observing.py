"""What metrics are told of chains. Nothing of it is durable, and no chain depends on it."""

from datetime import datetime
from typing import Protocol


def seconds_between(begun: datetime | None, ended: datetime | None) -> float:
    """0 if either is not known."""
    return (ended - begun).total_seconds() if begun and ended else 0.0


class Observer(Protocol):
    """Whoever is told."""

    def step(self, operation: str, step: str, seconds: float) -> None:
        """A step is done, so many seconds after it was first tried."""

    def retry(self, operation: str, step: str) -> None:
        """A step waits to be tried again."""

    def chain(self, operation: str, status: str, seconds: float) -> None:
        """A chain has ended, or is stuck, so many seconds after it was made."""


class Unobserved:
    """Nobody is told."""

    def step(self, operation: str, step: str, seconds: float) -> None: ...

    def retry(self, operation: str, step: str) -> None: ...

    def chain(self, operation: str, status: str, seconds: float) -> None: ...


UNOBSERVED: Observer = Unobserved()
