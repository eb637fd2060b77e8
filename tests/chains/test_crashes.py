"""A process may die at any moment: before or after each commit, before or after each thing it does.

Whoever comes after it brings the chain to its end, and in the world everything is there once, or not at all.
"""

import random
from collections.abc import Callable, MutableMapping
from copy import deepcopy
from typing import Any

import pytest

from app.chains.models import ChainStatus
from tests.chains.world import LOST, Crash, House, Watched, refused, retry
from tests.sampling import sampled

pytestmark = pytest.mark.both_databases

# Each moment of the chain `build`: its claim, its intents and results, its sendings.
BUILDING = 2 + 2 * 9 + 2 * 8
# The same up to the last tie, which is refused: claim, commits, sendings, and the undoing of a tie and four things.
UNDOING = 2 + 2 * 8 + 2 * 7 + 1 + 2 + 4 * 5 + 2
SCRIPTS: dict[str, dict[tuple[str, str], list[Any]]] = {"build": {}, "undo": {("make", "y"): [refused()] * 9}}
ENDS = {"build": ChainStatus.SUCCEEDED, "undo": ChainStatus.FAILED}
NOTES = {
    "build": ["parts: {'a': 2, 'b': 3, 'c': 4}", "nothing: {}", "one succeeded"],
    "undo": ["parts: {'a': 2, 'b': 3, 'c': 4}", "nothing: {}", "one failed refused_by_kaltura"],
}


@pytest.fixture
def watched(house: House) -> Watched:
    watched = Watched(house.database)
    house.database = watched
    return watched


class Moments:
    """Counts the moments of a run, and makes something happen at one of them."""

    def __init__(self, house: House, database: Watched, at: int) -> None:
        self.house = house
        self.database = database
        self.at = at
        self.seen = 0

    def __enter__(self) -> "Moments":
        self.house.world.tick = self.database.tick = self
        return self

    def __exit__(self, *_: object) -> None:
        self.house.world.tick = self.database.tick = lambda _moment: None

    def __call__(self, moment: str) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.happen(moment)

    def happen(self, moment: str) -> None:
        raise Crash(moment)


def is_right(house: House, way: str) -> bool:
    return house.world.is_built() if way == "build" else house.world.is_empty()


@pytest.mark.parametrize(("way", "expected"), [("build", BUILDING), ("undo", UNDOING)])
def test_a_run_has_these_moments(house: House, watched: Watched, way: str, expected: int) -> None:
    house.world.script = deepcopy(SCRIPTS[way])
    house.create("one", "room")
    with Moments(house, watched, 0) as moments:
        house.run()
    assert moments.seen == expected


@pytest.mark.parametrize(
    ("way", "at"),
    [
        *(("build", at) for at in range(1, BUILDING + 1)),
        *(("undo", at) for at in range(2 + 2 * 8 + 2 * 7, UNDOING + 1)),
    ],
)
def test_dead_at_any_moment(house: House, watched: Watched, way: str, at: int) -> None:
    house.world.script = deepcopy(SCRIPTS[way])
    house.create("one", "room")
    with Moments(house, watched, at), pytest.raises(Crash):
        house.run()
    house.world.blind = at % 3 == 0  # the index may lag, or not
    chain = house.chain()
    if chain.finished_at is None:
        chain = house.run_to_the_end("another")
    assert chain.status == ENDS[way]
    assert is_right(house, way)
    assert sorted(house.notes()) == sorted(NOTES[way])
    assert house.sql("SELECT * FROM lane") == []


@pytest.mark.parametrize("seed", sampled(range(20), 5))
def test_dead_at_random_again_and_again(house: House, watched: Watched, seed: int) -> None:
    chance = random.Random(seed)
    way = chance.choice(["build", "undo"])
    house.world.script = {
        **{("make", key): [chance.choice([LOST, retry()])] for key in chance.sample("abcx", 2)},
        **deepcopy(SCRIPTS[way]),
        ("delete", "b"): [chance.choice([LOST, retry()])],
    }
    house.create("one", "room")
    for number in range(300):
        house.let_time_pass()
        try:
            with Moments(house, watched, chance.randint(1, 12)):
                if house.run(f"owner-{number}"):
                    break
        except Crash:
            if house.chain().finished_at is not None:
                break
    assert house.chain().status == ENDS[way]
    assert is_right(house, way)
    assert sorted(text.partition(":")[0] for text in house.notes()) == sorted(n.partition(":")[0] for n in NOTES[way])


class Stopped(Moments):
    """SIGSTOP for longer than the lease: another owner brings the chain to its end; then this one goes on."""

    def __init__(self, house: House, database: Watched, at: int, let_hours_pass: Callable[[], None]) -> None:
        super().__init__(house, database, at)
        self.let_hours_pass = let_hours_pass

    def happen(self, moment: str) -> None:
        # Within a transaction it holds up the others instead. Between a look at the clock and the network there is
        # no lock to take: that moment is left to the lookup's pauses.
        if moment in ("committing", "sending"):
            self.at += 1
            return
        self.__exit__()
        self.let_hours_pass()
        self.house.run_to_the_end("another")


class Clock:
    """A process's own clock, as `time.monotonic` shows it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def let_hours_pass(self) -> None:
        self.now += 7200.0


@pytest.mark.parametrize(
    ("way", "at"),
    [
        *(("build", at) for at in range(3, BUILDING - 1, 4)),
        *(("undo", at) for at in range(2 + 2 * 8 + 2 * 7, UNDOING - 1, 4)),
    ],
)
def test_stopped_past_its_lease_and_woken_again(
    house: House,
    watched: Watched,
    way: str,
    at: int,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[MutableMapping[str, Any]],
) -> None:
    clock = Clock()
    monkeypatch.setattr("app.chains.store.time", clock)
    house.world.script = deepcopy(SCRIPTS[way])
    house.create("one", "room")
    with Stopped(house, watched, at, clock.let_hours_pass):
        assert not house.run("stale")
    assert house.chain().status == ENDS[way]
    assert is_right(house, way)
    assert house.notes() == NOTES[way]
    assert "lease_lost" in [entry["event"] for entry in logged]
