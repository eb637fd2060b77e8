"""Steps that are harmless to repeat, one after another: they share a commit, as the calls of one step do."""

from collections import Counter
from dataclasses import replace

import pytest

from app.chains import engine
from app.chains.models import ChainStatus, StepStatus
from app.chains.steps import Done, Step
from tests.chains.test_crashes import watched
from tests.chains.test_repeatable import commits
from tests.chains.world import STEPS, Crash, House, Watched, World, note, retry

pytestmark = pytest.mark.both_databases

__all__ = ["watched"]

LOOK, PLACE, THING = STEPS[0], STEPS[1], STEPS[2]
MORE = replace(LOOK, name="more", save=lambda session, _context: note(session, "more"))
LAST = replace(LOOK, name="last")


@pytest.fixture
def row(house: House) -> House:
    house.steps = [LOOK, MORE, THING, LAST]
    return house


def test_steps_in_a_row_are_committed_together(row: House, watched: Watched) -> None:
    """Before what leaves something behind, everything is; and what that left, before anything else."""
    sent = ["sending", "sending", "committed", "sending", "committed", "sending", "committed"]
    assert commits(row, watched, row.create_claimed()) == sent
    assert row.notes() == ["more", "one succeeded"]
    assert row.statuses() == [StepStatus.SUCCEEDED] * 4
    assert all(step.started_at and step.finished_at for step in row.rows().values())


def test_a_chain_that_had_to_wait_for_its_worker_begins_with_a_commit(
    row: House, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "UNSAVED", 0.0)
    assert commits(row, watched, row.create_claimed()) == [*["committed", "sending"] * 4, "committed"]


@pytest.mark.parametrize("step", [replace(MORE, final=True), replace(MORE, lanes=lambda _context: ["room"])])
def test_a_point_of_no_return_and_a_lane_are_committed_first(row: House, watched: Watched, step: Step[World]) -> None:
    row.steps = [LOOK, step]
    assert commits(row, watched, row.create_claimed()) == ["sending", "committed", "sending", "committed"]


def test_a_step_that_takes_no_lane_this_time_is_as_one_that_takes_none(row: House, watched: Watched) -> None:
    row.steps = [LOOK, PLACE]
    assert commits(row, watched, row.create_claimed()) == ["sending", "sending", "committed"]


def test_what_was_done_in_a_row_is_kept_when_the_next_fails(row: House) -> None:
    row.world.script["make", "look"] = [Done("first"), retry()]
    assert not row.engine().run(row.create_claimed(), row.world)
    first, second, *_ = row.rows().values()
    assert (first.status, first.calls and first.calls[0]["result"]) == (StepStatus.SUCCEEDED, "first")
    assert (second.status, second.failures) == (StepStatus.WAITING, 1)
    assert row.notes() == []


def test_after_a_crash_the_row_is_done_again(row: House) -> None:
    row.world.script["make", "look"] = [Done("lost"), Crash()]
    with pytest.raises(Crash):
        row.engine().run(row.create_claimed(), row.world)
    assert row.statuses() == [StepStatus.PENDING] * 4
    row.let_time_pass()
    assert row.run("other")
    assert row.world.count("make") == Counter(look=5, thing=1)


def test_what_stands_there_as_done_has_been_saved(row: House) -> None:
    """A crash after the commit finds nothing of the row to be done any more."""
    row.world.script["make", "thing"] = [Crash()]
    with pytest.raises(Crash):
        row.engine().run(row.create_claimed(), row.world)
    assert row.statuses() == ["succeeded", "succeeded", "running", "pending"]
    assert row.notes() == ["more"]
    assert row.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert row.notes() == ["one succeeded"]
