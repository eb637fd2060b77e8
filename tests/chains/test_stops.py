"""A chain can be asked to stop, at any moment: it is undone, or finished where it is past its point of no return."""

from dataclasses import replace

import pytest

from app.chains.engine import STOPPED
from app.chains.models import ChainStatus
from app.chains.steps import Retry, Unknown
from tests.chains.test_crashes import BUILDING, Moments, watched
from tests.chains.world import LOST, REFUSAL, SENDINGS, STEPS, Crash, House, Watched, refused, retry, step_of

pytestmark = pytest.mark.both_databases

__all__ = ["watched"]

FINAL_TIES = [*STEPS[:-1], replace(STEPS[-1], final=True)]


def ask_to_stop(house: House, chain_id: str) -> None:
    with house.database.write() as session:
        house.store().ask_to_stop(session, chain_id)


class Asked(Moments):
    """Somebody asks it to stop, at one of these moments."""

    def happen(self, moment: str) -> None:
        if moment == "committing":  # others wait for the transaction's end
            self.at += 1
            return
        self.__exit__()
        ask_to_stop(self.house, self.house.chain().id)


@pytest.mark.parametrize("at", range(1, BUILDING, 2))
@pytest.mark.parametrize("final", [False, True], ids=["", "ties are final"])
def test_asked_at_any_moment(house: House, watched: Watched, at: int, final: bool) -> None:
    if final:
        house.steps = FINAL_TIES
    house.create("one", "room")
    with Asked(house, watched, at):
        assert house.run()
    made = {key for verb, key in house.world.calls if verb == "make"}
    chain = house.chain()
    if chain.status == ChainStatus.SUCCEEDED:
        assert made == set(SENDINGS)
        assert house.world.is_built()
        assert final or at >= BUILDING - 5, "the last call was as good as sent"
    else:
        assert chain.status == ChainStatus.FAILED
        assert chain.error is not None
        assert chain.error.items() >= STOPPED.items()
        assert house.world.is_empty()
        assert not final or "x" not in made
    assert house.sql("SELECT * FROM lane") == []


@pytest.mark.parametrize("key", SENDINGS)
@pytest.mark.parametrize(
    "answer", [retry(5000.0), LOST, Unknown("no answer"), Crash()], ids=["retry", "lost", "unknown", "crash"]
)
def test_asked_while_it_waits(house: House, key: str, answer: object) -> None:
    """With a call whose outcome is unknown, it is looked up before it counts as undone."""
    house.world.script["make", key] = [answer]
    chain_id = house.create("one", "room")
    try:
        assert not house.run()
    except Crash:
        house.let_time_pass()
    ask_to_stop(house, chain_id)
    if answer is LOST:
        house.world.blind = 1
    house.run("another")  # due at once
    chain = house.run_to_the_end() if house.chain().finished_at is None else house.chain()
    assert chain.status == ChainStatus.FAILED
    assert chain.error == {**STOPPED, "step": step_of(key)}
    assert house.world.is_empty()
    assert house.world.count("make")[key] == 1


def test_asked_before_it_has_begun(house: House) -> None:
    chain_id = house.create()
    ask_to_stop(house, chain_id)
    assert house.run()
    assert house.chain().status == ChainStatus.FAILED
    assert house.world.calls == []


def test_asked_in_a_queue_it_leaves_the_queue(house: House) -> None:
    house.world.script["make", "thing"] = [retry(5000.0)]
    house.create("one", "room")
    house.run()
    two = house.create("two", "room")
    house.run()
    ask_to_stop(house, two)
    assert house.run()
    assert house.chain(two).status == ChainStatus.FAILED
    assert house.lanes() == {"room": "one"}


def test_asked_when_it_is_stuck(house: House) -> None:
    house.world.script["make", "b"] = [retry()]
    chain_id = house.create("one", "room")
    house.lose_patience()
    assert house.run()
    ask_to_stop(house, chain_id)
    assert house.run()
    assert house.chain().status == ChainStatus.FAILED
    assert house.world.is_empty()


def test_asked_when_it_is_being_undone_it_keeps_what_it_was_refused_for(house: House) -> None:
    house.world.script = {("make", "y"): [refused()], ("delete", "b"): [retry(5000.0)]}
    chain_id = house.create()
    house.run()
    ask_to_stop(house, chain_id)
    assert house.run()
    assert house.chain().error == {**REFUSAL, "step": "ties"}
    assert house.world.is_empty()


@pytest.mark.parametrize("way", ["build", "undo"])
def test_asked_after_its_end_nothing_changes(house: House, way: str) -> None:
    house.world.script["make", "y"] = [refused()] if way == "undo" else []
    chain_id = house.create()
    house.run()
    before = house.chain().model_dump()
    ask_to_stop(house, chain_id)
    assert house.chain().model_dump() == before
    assert house.store().claim() is None


@pytest.mark.parametrize("key", ["x", "y", "last"])
def test_past_its_point_of_no_return_a_refusal_is_tried_again(house: House, key: str) -> None:
    """Also in a step after the final one: what it would undo is not its own any more."""
    last = replace(STEPS[0], name="last", calls=lambda _context: [replace(STEPS[0].calls(_context)[0], key="last")])
    house.steps = [*FINAL_TIES, last]
    house.world.script["make", key] = [refused(), refused()]
    house.create()
    assert not house.run()
    assert house.chain().status == ChainStatus.WAITING
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
    assert house.world.count("delete") == {}


def test_past_its_point_of_no_return_a_refusal_that_stays_makes_it_stuck(house: House) -> None:
    house.steps = FINAL_TIES
    house.world.script["make", "y"] = [refused()] * 9
    house.create()
    house.run()
    house.let_time_pass()
    house.lose_patience()
    assert house.run()
    chain = house.chain()
    assert chain.status == ChainStatus.STUCK
    assert chain.error is not None
    assert chain.error["detail"] == REFUSAL["detail"]
    assert house.world.made()


@pytest.mark.parametrize("outcome", [Retry("down", 3.0, pause=40.0), Unknown("down", pause=40.0)])
def test_the_trouble_of_all_chains_is_no_failure_of_one(house: House, outcome: object) -> None:
    house.world.script = {("make", "thing"): [outcome] * 3, ("find", "thing"): [outcome] * 2}
    house.create()
    for _ in range(3):
        house.let_time_pass()
        assert not house.run()
        seconds = house.seconds_until("next_attempt_at")
        assert 38 < seconds <= 40
        assert house.rows()["thing"].failures == 0
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
