"""Histories (tests/histories), any number of them: each is told from its number alone, and can be told again by it."""

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import structlog

from tests.histories.conftest import INDEX_LAG
from tests.histories.telling import tell
from tests.recordings.changing.house import house

IN_A_ROW = 25  # in one house: to build one takes longer than a history


def failing(first: int, count: int) -> Iterator[str]:
    """What happened in each of the histories from `first` on that did not end well."""
    numbers = range(first, first + count)
    rows = [numbers[place : place + IN_A_ROW] for place in range(0, count, IN_A_ROW)]
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=get_context("spawn"), initializer=be_quiet) as tellers:
        yield from chain.from_iterable(tellers.map(told, rows))


def be_quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def told(numbers: Sequence[int]) -> list[str]:
    """The same of these, in this process."""
    failed = []
    with (
        tempfile.TemporaryDirectory(prefix="lectern-histories-") as folder,
        mock.patch(*INDEX_LAG),
        house(Path(folder)) as running,
    ):
        beginning = running.keep()
        for number in numbers:
            running.back_to(beginning)
            try:
                tell(running, number)
            except Exception as wrong:  # whatever it is, it is this history's, and the next is told all the same
                failed.append(f"{wrong}\n{type(wrong).__name__} in history {number}")
    return failed
