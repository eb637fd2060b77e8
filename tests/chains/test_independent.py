"""Calls of one step that do not depend on each other go together, and each has its own intent, outcome and undo."""

import itertools
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from app.chains.models import ChainStatus
from app.chains.steps import MAX_CALLS_AT_ONCE, Call, Done, Step, every
from tests.chains.test_crashes import ENDS, SCRIPTS, Moments, is_right
from tests.chains.world import LOST, STEPS, Crash, House, Watched, World, refused, retry

TOGETHER: tuple[Step[World], ...] = tuple(
    replace(step, independent=every) if step.name in ("parts", "ties") else step for step in STEPS
)
TRIP = ("a", "b", "c")


@pytest.fixture
def watched(house: House) -> Watched:
    house.steps = TOGETHER
    watched = Watched(house.database)
    house.database = watched
    return watched


def moments_of(house: House, watched: Watched, at: int) -> int:
    """How many moments a run has; dead at one of them."""
    with Moments(house, watched, at) as moments:
        house.run()
    return moments.seen


@pytest.mark.parametrize("way", ["build", "undo"])
def test_dead_at_any_moment(house: House, watched: Watched, way: str) -> None:
    """Before a trip, within it, and after it: some of its parts are done then, and nobody knows which."""
    at, seen = 1, 0
    while True:
        house.world = World(script=deepcopy(SCRIPTS[way]))
        house.sql("DELETE FROM chain_step")
        house.sql("DELETE FROM chain")
        house.create("one", "room")
        house.notes()
        try:
            seen = moments_of(house, watched, at)
        except Crash:
            house.world.blind = at % 2  # the index may lag, or not
            chain = house.chain() if house.chain().finished_at else house.run_to_the_end("another")
            assert (chain.status, is_right(house, way)) == (ENDS[way], True), f"killed at {at}"
            at += 1
            continue
        break
    assert at == seen + 1
    assert seen < {"build": 2 + 2 * 9 + 2 * 8, "undo": 2 + 2 * 8 + 2 * 7 + 1 + 2 + 4 * 5 + 2}[way]


OUTCOMES: dict[str, Callable[[], Any]] = {"done": Done, "refused": refused, "unknown": lambda: LOST, "retry": retry}


@pytest.mark.parametrize("mix", list(itertools.product(OUTCOMES, repeat=3)), ids="-".join)
def test_every_mix_of_outcomes_in_a_trip_of_three(house: House, watched: Watched, mix: Sequence[str]) -> None:
    house.world.script = {
        ("make", key): [OUTCOMES[kind]()] for key, kind in zip(TRIP, mix, strict=True) if kind != "done"
    }
    house.create("one", "room")
    chain = house.run_to_the_end()
    sent = house.world.count("make")
    if "refused" in mix:
        assert (chain.status, house.world.is_empty()) == (ChainStatus.FAILED, True)
        assert [sent[key] for key in TRIP] == [1, 1, 1]
        return
    assert (chain.status, house.world.is_built()) == (ChainStatus.SUCCEEDED, True)
    again = [2 if kind == "retry" else 1 for kind in mix]
    assert [sent[key] for key in TRIP] == again, "what was done is not sent again, what may be done is looked up"


def test_the_intents_of_a_trip_are_committed_before_any_of_it_is_sent(house: House, watched: Watched) -> None:
    states = list[dict[str, str]]()

    def look(_moment: str) -> None:
        if house.world.calls[-1:] == [("make", "a")]:
            states.append(house.states())

    house.world.tick = look
    house.create("one", "room")
    house.run()
    assert {key: states[0][key] for key in TRIP} == dict.fromkeys(TRIP, "sent")


def test_what_is_unknown_of_a_trip_is_looked_up_together(house: House, watched: Watched) -> None:
    """So that three lost answers cost the pauses of one."""
    house.world.script = {("make", key): [LOST] for key in TRIP}
    house.world.blind = 3
    house.create("one", "room")
    runs = [house.run()]
    while not runs[-1]:
        house.let_time_pass()
        runs.append(house.run())
    assert runs == [False, False, True]
    assert house.world.is_built()


def test_the_longest_pause_that_is_asked_for_is_made(house: House, watched: Watched) -> None:
    house.world.script = {("make", "a"): [retry(5.0)], ("make", "c"): [retry(50.0)]}
    house.create("one", "room")
    assert not house.run()
    assert 20 < house.seconds_until("next_attempt_at") <= 50
    assert house.states()["b"] == "made"


def test_no_more_go_together_than_a_trip_has_parts(house: House, watched: Watched) -> None:
    trips = list[int]()

    def side_by_side(
        acts: Sequence[Any], prefetch: Sequence[Any] = (), prefetch_after: Sequence[Any] = ()
    ) -> list[Any]:
        trips.append(len(acts))
        return [act() for act in acts]

    many = [Call(str(number)) for number in range(MAX_CALLS_AT_ONCE + 3)]
    house.steps = (Step("many", lambda _context: many, lambda _context, _call: Done(), independent=every),)
    house.trips = side_by_side
    house.create("one")
    house.run()
    assert trips == [MAX_CALLS_AT_ONCE, 3]


def test_questions_ahead_go_with_the_last_of_them(house: House, watched: Watched) -> None:
    asked = list[tuple[int, int, int]]()

    def side_by_side(
        acts: Sequence[Any], prefetch: Sequence[Any] = (), prefetch_after: Sequence[Any] = ()
    ) -> list[Any]:
        asked.append((len(acts), len(prefetch), len(prefetch_after)))
        return [act() for act in acts]

    many = [Call(str(number)) for number in range(MAX_CALLS_AT_ONCE + 1)]
    house.steps = (
        Step(
            "many",
            lambda _context: [*many, Call("last")],
            lambda _context, _call: Done(),
            independent=str.isdecimal,
            prefetch=lambda _context: [lambda: None],
            prefetch_after=lambda _context: [lambda: None, lambda: None],
        ),
    )
    house.trips = side_by_side
    house.create("one")
    house.run()
    assert asked == [(MAX_CALLS_AT_ONCE, 0, 0), (1, 1, 2), (1, 0, 0)]


def test_questions_that_cannot_be_put_keep_no_chain_from_its_end(house: House, watched: Watched) -> None:
    def mistake(_context: Any) -> list[Any]:
        raise ZeroDivisionError

    house.steps = tuple(replace(step, prefetch=mistake) if step.name == "parts" else step for step in TOGETHER)
    house.create("one", "room")
    assert house.run()
    assert house.world.is_built()
