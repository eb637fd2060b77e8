"""Whatever is done, in any order, and whatever goes wrong at any call: the feed = the model = what Kaltura holds.

A history is a number: what happens in it is drawn from that. `make soak` tells more of them.
"""

import random
from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.db import utc_now
from tests.changes.house import House, Moment, house
from tests.histories import trouble
from tests.histories.acts import Act, conflicts
from tests.histories.campus import Campus

HISTORIES = 300
ACTS = 6
WEIGHTS = {
    "document": 5,
    "patch": 5,
    "swap": 2,
    "move": 3,
    "cancel": 2,
    "restore": 2,
    "delete": 1,
    "stranger": 2,
    "by_hand": 2,
    "device": 1,
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[House, Moment]]:
    with house(tmp_path_factory.mktemp("histories")) as running:
        yield running, running.keep()


@pytest.fixture(autouse=True)
def no_time_to_lose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains do not pause here, so what takes a minute to be believed would be asked for thousands of times."""
    monkeypatch.setattr("app.recordings.steps.INDEX_LAG", 0.1)


def tell(running: House, number: int) -> Campus:
    """One history, to its end. Raises AssertionError with all that happened in it."""
    chance = random.Random(number)
    first = utc_now().date() + timedelta(days=40)
    campus = Campus(running, first - timedelta(days=first.weekday()))
    try:
        for _ in range(ACTS):
            _act(campus, chance)
        campus.calm()
        campus.mend()
        campus.calm()
        assert not conflicts(campus)
        campus.holds()
    except AssertionError as wrong:
        raise AssertionError("\n".join([f"history {number}", *campus.log, str(wrong)])) from wrong
    return campus


def _act(campus: Campus, chance: random.Random) -> None:
    name = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    what, moment, happens = trouble.some(campus.house, chance)

    def settle() -> None:
        campus.log.append(f"  ({what})")
        if moment is None:
            happens()
        campus.settle(moment, happens)
        campus.house.heal()

    getattr(Act(campus, chance, settle), name)()


@pytest.mark.parametrize("number", range(HISTORIES))
def test_in_the_end_the_feed_is_the_model_is_what_kaltura_holds(empty: tuple[House, Moment], number: int) -> None:
    running, beginning = empty
    running.back_to(beginning)
    tell(running, number)
