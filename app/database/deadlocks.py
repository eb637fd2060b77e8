"""Tries transactions again that PostgreSQL has rolled back because they and others waited for each other."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

CROSSED = {"40001", "40P01"}  # PostgreSQL: serialization_failure, deadlock_detected
TRIES = 3
T = TypeVar("T")


def again_if_crossed(act: Callable[[], T]) -> T:
    """Calls `act` again, `TRIES` times in all, while PostgreSQL rolls its transaction back for another one's sake."""
    for left in reversed(range(TRIES)):
        try:
            return act()
        except DBAPIError as error:
            if not left or getattr(error.orig, "sqlstate", None) not in CROSSED:
                raise
    raise AssertionError
