"""The sandbox against recordings of a real Kaltura, exchange by exchange."""

import pytest

from .recording import EXCLUDED, EXCLUDED_GROUPS, load
from .replay import Outcome, agreement, replay

# How many agree at least. Raise it whenever more do.
FLOOR = 704


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return list(replay())


def test_the_count_that_agrees_only_goes_up(outcomes: list[Outcome]) -> None:
    print(agreement(outcomes))
    wrong = {outcome.exchange.n: outcome.differences[0] for outcome in outcomes if outcome.differences}
    assert len(outcomes) - len(wrong) >= FLOOR, wrong


def test_what_is_left_out_is_listed() -> None:
    exchanges = load()
    assert {exchange.n for exchange in exchanges} >= EXCLUDED.keys()
    assert {exchange.group for exchange in exchanges} >= EXCLUDED_GROUPS.keys()
    assert sum(exchange.excluded is not None for exchange in exchanges) < 0.02 * len(exchanges)
