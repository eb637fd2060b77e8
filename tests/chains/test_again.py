"""A step may find that what an earlier one has made is no good: it is undone and made anew, whatever happens."""

import json
import random
from collections.abc import MutableMapping
from typing import Any

import pytest

from app.chains.engine import Engine
from app.chains.models import ChainStatus, StepStatus
from app.chains.steps import Again, Call, Definition, Done, Outcome, Retry, Step, Unknown
from tests.chains.test_crashes import Moments, watched
from tests.chains.test_stops import ask_to_stop
from tests.chains.world import LOST, STEPS, Crash, Ctx, House, Watched, retry

__all__ = ["watched"]

LOOK, PLACE, THING, PARTS, NOTHING, TIES = STEPS
NO_GOOD = Again("parts", "b", "b is no good")


def parts(context: Ctx) -> list[Call]:
    return [Call(key, {"turn": context.again.get(("parts", key), 0)}) for key in "abc"]


def count(context: Ctx, call: Call) -> Outcome:
    """The first `b` is no good, whoever looks and however often."""
    good = Done(dict(context.results["parts"])) if ("parts", "b") in context.again else NO_GOOD
    seen: Outcome = context.tools.act("make", call.key, lambda: good)
    return seen


COUNT = Step("count", lambda _context: [Call("count")], count)
COUNTED = [LOOK, PLACE, THING, Step("parts", parts, PARTS.send, PARTS.find, PARTS.undo, save=PARTS.save)]
COUNTED += [NOTHING, COUNT, TIES]


@pytest.fixture
def house(house: House) -> House:
    """Its chain has a step that counts the parts."""
    house.steps = COUNTED
    house.create("one", "room")
    return house


def part(house: House, key: str = "b") -> dict[str, Any]:
    (found,) = (call for call in house.rows()["parts"].calls or () if call["key"] == key)
    return found


def test_it_is_undone_and_made_anew_as_another_call(house: House) -> None:
    assert house.run()
    assert house.chain().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
    assert [call for call in house.world.calls if call[1] in "abc" or call[1] == "count"] == [
        *(("make", key) for key in "abc"),
        *(("make", "count"), ("delete", "b"), ("make", "b"), ("make", "count")),
    ]
    assert (part(house)["request"], part(house)["again"]) == ({"turn": 1}, 1)
    assert part(house, "a")["request"] == {"turn": 0}
    assert house.rows()["count"].calls[0]["result"] == {"a": 2, "c": 4, "b": 5}  # type: ignore[index]
    assert all(row.error is None for row in house.rows().values())


def test_that_it_is_to_be_undone_is_committed_before_it_is(house: House) -> None:
    house.world.script["delete", "b"] = [Crash()]
    with pytest.raises(Crash):
        house.run()
    assert (part(house)["state"], house.rows()["parts"].status) == ("again", StepStatus.RUNNING)
    assert (house.rows()["count"].status, house.rows()["count"].calls) == (StepStatus.PENDING, None)
    house.run_to_the_end("another")
    assert house.world.is_built()
    assert house.world.count("make")["count"] == 2


def test_trouble_with_undoing_it_is_waited_for(house: House) -> None:
    house.world.script["delete", "b"] = [retry(), LOST]
    assert not house.run()
    row = house.rows()["parts"]
    assert (row.status, row.error, house.chain().status) == (
        StepStatus.WAITING,
        {"detail": "not now"},
        ChainStatus.WAITING,
    )
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()


def test_as_often_as_it_is_asked_for(house: House) -> None:
    house.world.script["make", "count"] = [NO_GOOD, Again("parts", "a", "a, too"), NO_GOOD]
    assert house.run()
    assert house.world.is_built()
    assert [part(house, key).get("again") for key in "abc"] == [1, 2, None]


def test_a_sending_of_it_without_an_answer_is_looked_up(house: House) -> None:
    house.world.script["make", "b"] = [LOST, LOST]
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
    assert (house.world.count("make")["b"], house.world.count("find")["b"]) == (2, 2)


def test_a_chain_that_is_stopped_meanwhile_leaves_nothing(house: House) -> None:
    house.world.script["delete", "b"] = [retry()]
    assert not house.run()
    ask_to_stop(house, house.chain().id)
    assert house.run_to_the_end().status == ChainStatus.FAILED
    assert house.world.is_empty()


def test_all_that_had_no_answer_is_told_to_the_sweep(house: House) -> None:
    """Also a sending of what is made anew: it may have left another one behind."""
    definition = Definition("build", COUNTED, house._ended, sweep="sweep")
    sweep = Definition("sweep", [LOOK], house._ended)
    house.world.script["make", "b"] = [Unknown("no answer")]
    engine = Engine(house.store(), {"build": definition, "sweep": sweep})
    while house.chain().finished_at is None:
        house.let_time_pass()
        engine.run(house.claim(), house.world)
    (given,) = house.sql("SELECT input FROM chain WHERE operation = 'sweep'")
    unsure = (given[0] if isinstance(given[0], dict) else json.loads(given[0]))["unsure"]
    assert unsure == {"thing": [], "parts": [{"key": "b", "request": {"turn": 0}}]}


def test_what_left_something_behind_is_not_begun_anew(house: House, logged: list[MutableMapping[str, Any]]) -> None:
    """A mistake in a step: the chain waits, as for any."""
    house.world.script["make", "y"] = [NO_GOOD]
    assert not house.run()
    assert "chain_raised" in [entry["event"] for entry in logged]
    assert house.chain().status == ChainStatus.WAITING
    assert house.world.made()["b"] == 1


def test_dead_at_any_moment(house: House, watched: Watched) -> None:
    """As tests/chains/test_crashes.py, from the count on."""
    with Moments(house, watched, 0) as moments:
        house.run()
    total, notes = moments.seen, house.notes()
    for at in range(1, total + 1):
        fresh(house)
        with Moments(house, watched, at), pytest.raises(Crash):
            house.run()
        house.world.blind = at % 2
        if house.chain().finished_at is None:
            house.run_to_the_end("another")
        assert house.chain().status == ChainStatus.SUCCEEDED
        assert house.world.is_built(), f"dead at {at} of {total}"
        assert len(house.notes()) == len(notes)
        assert part(house)["again"] == 1


@pytest.mark.parametrize("seed", range(10))
def test_dead_at_random_again_and_again(house: House, watched: Watched, seed: int) -> None:
    chance = random.Random(seed)
    house.world.script |= {
        **{("make", key): [chance.choice([LOST, retry()]), LOST] for key in chance.sample("abcx", 2)},
        ("delete", "b"): [chance.choice([LOST, retry()])],
    }
    for number in range(300):
        house.let_time_pass()
        try:
            with Moments(house, watched, chance.randint(1, 10)):
                if house.run(f"owner-{number}"):
                    break
        except Crash:
            if house.chain().finished_at is not None:
                break
    assert house.chain().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()


def fresh(house: House) -> None:
    """Another chain in another world."""
    for table in ("lane", "chain_step", "chain"):
        house.sql(f"DELETE FROM {table}")  # noqa: S608 - one of three names
    house.notes()
    house.world = type(house.world)()
    house.create("one", "room")


# Notes


def test_what_a_try_has_found_out_is_there_for_the_next(house: House) -> None:
    """However often something else comes between them."""
    notes = list[Any]()
    answers: list[Outcome] = [Retry("one", note=1), Unknown("no answer"), Retry("two", note=2), Done()]

    def counting(_context: Ctx, call: Call) -> Outcome:
        notes.append(call.note)
        return answers.pop(0)

    house.steps = [LOOK, Step("count", COUNT.calls, counting)]
    fresh(house)
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert notes == [None, 1, 1, 2]
