"""Transactions that PostgreSQL has thrown away for another one's sake."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

CROSSED = {"40001", "40P01"}  # PostgreSQL: serialization_failure, deadlock_detected
TRIES = 3
T = TypeVar("T")


def again_if_crossed(act: Callable[[], T]) -> T:
    """Does it anew, `TRIES` times in all, where PostgreSQL has thrown the transaction away for another one's sake."""
    for left in reversed(range(TRIES)):
        try:
            return act()
        except DBAPIError as error:
            if not left or getattr(error.orig, "sqlstate", None) not in CROSSED:
                raise
    raise AssertionError
