"""The sandbox against recordings of a real Kaltura: every exchange agrees, or stands here with its reason."""

import pytest

from tests.sandbox.recording import EXCLUDED, load
from tests.sandbox.replay import Outcome, agreement, replay

# Exchanges whose answers differ: {number: why}. One that begins to agree must leave the list.
DISAGREEING = {
    126: "without orderBy Kaltura's pages are not ordered like the whole list (exchange 118); the sandbox keeps to ids",
    648: "totalCount: 11 resources were made by exchanges that were not kept",
    812: "totalCount: 22 events were made by exchanges that were not kept",
    843: "Kaltura's clock ticked in the middle of this exchange: createdAt is a second before updatedAt",
}


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return list(replay())


def test_every_exchange_agrees_or_is_listed(outcomes: list[Outcome]) -> None:
    wrong = {outcome.exchange.n: outcome.differences for outcome in outcomes if outcome.differences}
    assert {n: differences[:3] for n, differences in wrong.items() if n not in DISAGREEING} == {}
    assert DISAGREEING.keys() - wrong.keys() == set(), "these agree now: take them off the list"


def test_share_that_agrees(outcomes: list[Outcome], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{agreement(outcomes)}")
    assert sum(not outcome.differences for outcome in outcomes) >= 0.95 * len(outcomes)


def test_what_is_left_out_is_listed() -> None:
    assert {exchange.n for exchange in load() if exchange.excluded} == EXCLUDED.keys()
    assert len(EXCLUDED) == 9
