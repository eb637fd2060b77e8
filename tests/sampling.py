"""Of many cases of one kind `make test` tries one in a few, and `make test-long` the others."""

from collections.abc import Iterable
from typing import Any

import pytest


def sampled(cases: Iterable[Any], every: int) -> list[Any]:
    """For `pytest.mark.parametrize`, of one argument: `make test` tries the first case, and one in `every` after it."""
    return [pytest.param(case, marks=in_turn(number, every)) for number, case in enumerate(cases)]


def in_turn(number: int, every: int) -> pytest.MarkDecorator:
    """The mark of the case of that number."""
    return pytest.mark.long if number % every else pytest.mark.always
