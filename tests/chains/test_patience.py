"""A chain is stuck after a day under trial. Time in which nobody tried is none: no day has to go by to show it."""

import pytest

from app.chains.models import ChainStatus
from tests.chains.world import LOST, Crash, House, refused, retry

pytestmark = pytest.mark.both_databases

DAY = 24 * 3600.0


@pytest.fixture(autouse=True)
def patient(house: House) -> None:
    house.patience = DAY


def tried(house: House) -> float:
    """For how many seconds the only chain has been under trial."""
    return house.chain().tried


def pause(house: House) -> float:
    return house.seconds_until("next_attempt_at")


# What counts


def test_a_day_in_which_the_service_was_off_is_none_under_trial(house: House) -> None:
    house.world.script["make", "thing"] = [retry(20.0), retry(20.0)]
    house.create()
    assert not house.run()
    house.let_hours_pass(25)
    assert not house.run()
    assert house.chain().status == ChainStatus.WAITING
    assert 40 <= tried(house) < 45


def test_so_is_a_day_in_which_the_process_was_dead(house: House) -> None:
    house.world.script["make", "x"] = [Crash(), retry()]
    house.create()
    with pytest.raises(Crash):
        house.run()
    house.let_hours_pass(25)
    assert not house.run("another")
    assert house.chain().status == ChainStatus.WAITING
    assert tried(house) < 10


def test_so_is_a_day_in_which_the_machine_slept_in_the_middle_of_a_call(house: House) -> None:
    """Nobody has taken the chain over: at the next sign of life a lease's worth counts, and no more."""
    house.world.script["make", "x"] = [retry()]
    house.world.tick = lambda moment: house.let_hours_pass(25 if moment == "sending" else 0)
    house.create()
    assert not house.run()
    assert house.chain().status == ChainStatus.WAITING
    assert tried(house) <= 9 * house.lease  # seven calls, and what its pause was


def test_a_call_that_takes_long_counts(house: House) -> None:
    """Its process says every third of a lease that it lives."""
    house.create()
    claim, store = house.claim(), house.store()
    for _ in range(30):
        house.let_hours_pass(house.lease / 3 / 3600)
        store.renew([claim])
    assert 10 * house.lease <= tried(house) < 11 * house.lease


def test_a_database_s_clock_that_is_set_back_takes_nothing_away(house: House) -> None:
    house.create()
    claim = house.claim()
    house.let_hours_pass(-1)
    house.store().renew([claim])
    assert tried(house) == 0.0


@pytest.mark.parametrize("away", [0.0, 40.0], ids=["always there", "off for forty hours in between"])
def test_after_a_day_of_real_trying_a_chain_is_stuck(house: House, away: float) -> None:
    house.world.script["make", "thing"] = [retry(3600.0)] * 30
    house.create()
    for _ in range(24):
        assert not house.run()
        house.let_hours_pass(1)
    assert house.chain().status == ChainStatus.WAITING
    house.let_hours_pass(away)
    assert house.run()
    assert house.chain().status == ChainStatus.STUCK
    assert house.world.count("make")["thing"] == 25


def test_also_with_the_pauses_that_a_chain_makes_by_itself(house: House) -> None:
    house.patience = 1800.0
    house.world.script["make", "thing"] = [retry()] * 100
    house.create()
    waited = 0.0
    while not house.run():
        waited += pause(house)
        house.let_hours_pass(pause(house) / 3600)
    assert house.patience <= waited + 10 <= house.patience + 400


def test_undoing_and_taking_up_begin_anew(house: House) -> None:
    house.world.script = {("make", "y"): [retry(DAY - 60), refused()], ("delete", "c"): [retry(DAY - 60), retry(90.0)]}
    chain_id = house.create()
    for _ in range(2):
        assert not house.run()
        house.let_hours_pass(24)
    assert house.chain().status == ChainStatus.UNDOING
    assert not house.run()
    house.let_hours_pass(24)
    house.world.script["delete", "c"] = [retry()] * 2
    assert house.run()
    assert house.chain().status == ChainStatus.STUCK
    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert not house.run()
    assert tried(house) < 10


# Pauses start small again after anything succeeded


def until_sent(house: House, key: str, times: int) -> None:
    while house.world.count("make")[key] < times:
        house.let_time_pass()
        house.run()


def test_after_a_look_that_worked(house: House) -> None:
    """Looks that failed for an hour make no pause long once one has worked."""
    house.world.script = {("make", "thing"): [LOST, retry()], ("find", "thing"): [retry()] * 9}
    house.world.blind = 2
    house.create()
    house.run()
    for _ in range(9):
        house.let_time_pass()
        house.run()
    assert pause(house) > 200
    until_sent(house, "thing", 2)
    assert pause(house) < 3


def test_after_a_look_that_found_what_was_made(house: House) -> None:
    house.world.script = {("make", "a"): [LOST], ("find", "a"): [retry()] * 9, ("make", "b"): [retry()]}
    house.create()
    until_sent(house, "b", 1)
    assert pause(house) < 1.3


def test_after_a_call_that_was_done(house: House) -> None:
    house.world.script = {("make", "a"): [retry()] * 9, ("make", "b"): [retry()]}
    house.create()
    until_sent(house, "b", 1)
    assert pause(house) < 1.3


def test_after_something_was_undone(house: House) -> None:
    house.world.script = {
        ("make", "y"): [refused()],
        ("delete", "c"): [retry()] * 9,
        ("delete", "b"): [retry()],
    }
    house.create()
    while not house.world.count("delete")["b"]:
        house.let_time_pass()
        house.run()
    assert pause(house) < 1.3


@pytest.mark.parametrize("answer", [LOST, retry()], ids=["no answer", "not now"])
def test_but_what_comes_to_nothing_again_and_again_is_not_sent_every_few_seconds(house: House, answer: object) -> None:
    """However well the looks in between work: each sending may leave something behind."""
    house.world.script["make", "thing"] = [LOST, *[answer] * 9]
    house.world.blind = 99
    house.create()
    for number in range(1, 10):
        until_sent(house, "thing", number)
        assert 0.74 * 2 ** (number - 1) - 0.5 < pause(house) < 1.26 * 2 ** (number - 1)
