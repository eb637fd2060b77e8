"""Calls of one step that are harmless to repeat share an intent and a result."""

from collections import Counter

import pytest

from app.chains import engine
from app.chains.models import ChainStatus
from app.chains.steps import Call
from app.chains.store import Claim
from tests.chains.test_crashes import watched
from tests.chains.test_stops import ask_to_stop
from tests.chains.world import STEPS, Crash, House, Watched, retry

__all__ = ["watched"]

KEYS = ("a", "b", "c")
LOOKS = Counter(KEYS)


@pytest.fixture
def house(house: House) -> House:
    """Its chain has one step, which looks three times."""
    look = STEPS[0]
    house.steps = [type(look)("look", lambda _context: [Call(key) for key in KEYS], look.send)]
    house.create("one")
    return house


def commits(house: House, watched: Watched, claim: Claim | None = None) -> list[str]:
    """Runs the chain: what it commits, after its claim, and what it sends meanwhile."""
    claim, moments = claim or house.claim(), list[str]()
    watched.tick = house.world.tick = moments.append
    assert house.engine().run(claim, house.world)
    return [moment for moment in moments if moment in ("committed", "sending")]


def test_they_are_committed_together(house: House, watched: Watched) -> None:
    assert commits(house, watched) == ["committed", *["sending"] * 3, "committed"]
    assert house.states() == dict.fromkeys(KEYS, "made")


def test_not_longer_than_a_while(house: House, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "UNSAVED", 0.0)
    assert commits(house, watched) == ["committed", *["sending", "committed"] * 3]


def test_after_a_crash_all_are_made_again(house: House) -> None:
    house.world.script["make", "c"] = [Crash()]
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.count("make") == LOOKS + LOOKS


def test_after_a_failure_only_what_is_not_done(house: House) -> None:
    house.world.script["make", "c"] = [retry()]
    assert not house.run()
    assert house.states() == {"a": "made", "b": "made", "c": "pending"}
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.count("make") == LOOKS + Counter("c")


def test_a_stop_of_the_process_keeps_what_is_done(house: House) -> None:
    house.stopping = lambda: ("make", "b") in house.world.calls
    assert not house.run()
    assert house.states() == {"a": "made", "b": "made", "c": "pending"}
    house.stopping = lambda: False
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.count("make") == LOOKS


def test_asked_to_stop_in_between_it_stops(house: House) -> None:
    """As soon as the heartbeat has told it."""
    claim = house.claim()

    def ask(_moment: str) -> None:
        house.world.tick = lambda _moment: None
        ask_to_stop(house, claim.chain_id)
        house.store().renew([claim])

    house.world.tick = ask
    assert house.engine().run(claim, house.world)
    assert (house.chain().status, house.world.count("make")) == (ChainStatus.FAILED, Counter("a"))
