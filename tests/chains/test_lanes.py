"""Chains that share a lane run one after another, in the order in which they came."""

import threading
from collections import Counter
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from itertools import count, permutations
from time import sleep
from typing import Any

import pytest

from app.chains.models import ChainStatus
from tests.chains.world import Crash, House, refused, retry

pytestmark = pytest.mark.both_databases


def lanes(house: House) -> dict[str, str]:
    return house.lanes()


def statuses(house: House) -> dict[str, str]:
    return dict(house.sql("SELECT subject, status FROM chain"))


def begin(house: House, subject: str, *rooms: str) -> str:
    """A chain that holds its lanes and waits in the middle of its work."""
    house.world.script["make", "thing"] = [retry(1000.0)]
    chain_id = house.create(subject, *rooms)
    assert not house.run()
    return chain_id


def go_on(house: House, chain_id: str) -> bool:
    house.sql("UPDATE chain SET next_attempt_at = 1 WHERE id = :id", id=chain_id)
    return house.run()


def test_a_lane_is_held_from_the_step_that_names_it_to_the_end(house: House) -> None:
    chain_id = begin(house, "one", "room")
    assert lanes(house) == {"room": "one"}
    assert go_on(house, chain_id)
    assert lanes(house) == {}


def test_a_chain_without_a_lane_waits_for_nobody(house: House) -> None:
    begin(house, "one", "room")
    house.create("two")
    assert house.run()
    house.create("three", "another room")
    assert house.run()


def test_who_finds_a_lane_taken_queues_and_is_not_due(house: House) -> None:
    begin(house, "one", "room")
    two = house.create("two", "room")
    assert not house.run()
    chain = house.chain(two)
    assert (chain.status, chain.waiting_for, chain.owner) == (ChainStatus.QUEUED, "room", None)
    assert house.rows(two)["look"].status == "succeeded"
    assert house.rows(two)["place"].status == "pending"
    assert house.store().claim() is None


def test_lanes_are_handed_on_in_the_order_of_coming(house: House) -> None:
    """Also when the queue is longer, and when somebody new comes right at the hand-over."""
    first = begin(house, "one", "room")
    for subject in ("two", "three", "four"):
        house.create(subject, "room")
        assert not house.run()
    assert go_on(house, first)
    assert lanes(house) == {"room": "two"}
    house.create("five", "room")
    assert house.run()  # two
    assert lanes(house) == {"room": "three"}
    house.sql("UPDATE chain SET next_attempt_at = 0 WHERE subject = 'five'")
    assert not house.run()  # five was quicker, and queues
    for subject in ("three", "four", "five"):
        assert lanes(house) == {"room": subject}
        assert house.run()
    assert lanes(house) == {}
    assert set(statuses(house).values()) == {"succeeded"}


@pytest.mark.parametrize(
    ("script", "status"),
    [({("make", "b"): [refused()]}, "failed"), ({("make", "b"): [retry()]}, "stuck")],
    ids=["refused", "stuck"],
)
def test_whoever_ends_hands_on_however_it_ends(
    house: House, script: Mapping[tuple[str, str], list[Any]], status: str
) -> None:
    first = begin(house, "one", "room")
    house.create("two", "room")
    house.run()
    house.world.script = {call: list(answers) for call, answers in script.items()}
    house.sql("UPDATE chain SET tried = 1e9 WHERE id = :id", id=first)
    assert go_on(house, first)
    assert statuses(house) == {"one": status, "two": "queued"}
    assert lanes(house) == {"room": "two"}
    assert house.run()
    assert statuses(house)["two"] == "succeeded"


def test_time_in_line_is_no_time_under_trial(house: House) -> None:
    first = begin(house, "one", "room")
    two = house.create("two", "room")
    house.run()
    house.let_hours_pass(25)
    assert go_on(house, first)
    house.world.script["make", "thing"] = [retry()]
    assert not house.run()
    assert house.chain(two).status == ChainStatus.WAITING
    assert house.chain(two).tried < 10


def test_who_was_stuck_queues_again_for_the_lane_it_gave_away(house: House) -> None:
    first = begin(house, "one", "room")
    house.world.script = {("make", "b"): [retry()]}
    house.sql("UPDATE chain SET tried = 1e9")
    assert go_on(house, first)
    begin(house, "two", "room")
    with house.database.write() as session:
        assert house.store().make_due(session, first)
    assert not house.run()
    assert house.chain(first).waiting_for == "room"
    assert house.world.count("make")["b"] == 1
    house.sql("UPDATE chain SET next_attempt_at = 1 WHERE subject = 'two'")
    assert house.run()
    assert lanes(house) == {"room": "one"}
    assert house.run()
    assert statuses(house) == {"one": "succeeded", "two": "succeeded"}


def test_two_lanes_are_taken_in_ascending_order_and_kept_while_waiting(house: House) -> None:
    first = begin(house, "one", "b")
    two = house.create("two", "b", "a")
    assert not house.run()
    assert lanes(house) == {"a": "two", "b": "one"}
    assert house.chain(two).waiting_for == "b"
    house.create("three", "a", "b")
    assert not house.run()
    assert lanes(house) == {"a": "two", "b": "one"}
    assert go_on(house, first)
    assert lanes(house) == {"a": "two", "b": "two"}
    assert house.run()
    assert lanes(house) == {"a": "three"}
    assert house.run()
    assert set(statuses(house).values()) == {"succeeded"}


def test_chains_with_two_lanes_never_wait_in_a_ring(house: House) -> None:
    for number, rooms in enumerate([("a", "b"), ("b", "a"), ("b", "c"), ("c", "a"), ("a", "c")] * 4):
        house.create(str(number), *rooms)
    ends = 0
    for _ in range(200):
        claim = house.store().claim()
        if claim is None:
            break
        ends += house.engine().run(claim, house.world)
    assert ends == 20
    assert lanes(house) == {}


def test_eight_owners_at_once_hand_lanes_on_and_forget_nobody(
    house: House, logged: list[MutableMapping[str, Any]]
) -> None:
    """None is left waiting for a lane that is free, whoever looks while another one hands it on."""
    pairs = list(permutations("abcd", 2))
    for number in range(48):
        house.create(str(number), *pairs[number % len(pairs)])
    begin, ends = threading.Barrier(8), count()

    def work(number: int) -> None:
        mine = house.store(f"owner-{number}")
        engine = house.engine(mine)
        begin.wait()
        idle = 0
        while idle < 40:  # a second: each chain takes milliseconds
            claim = mine.claim()
            if claim is not None:
                idle = -1
                if engine.run(claim, house.world):
                    next(ends)
            idle += 1
            sleep(0.025 if idle else 0)

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(statuses(house).values()) == {"succeeded": 48}
    assert next(ends) == 48
    assert lanes(house) == {}
    assert [log for log in logged if log["event"] in ("chain_raised", "lease_lost")] == []


def test_a_lane_outlives_its_holder_s_process(house: House) -> None:
    house.world.script["make", "thing"] = [Crash()]
    house.create("one", "room")
    with pytest.raises(Crash):
        house.run()
    house.create("two", "room")
    assert not house.run()
    assert lanes(house) == {"room": "one"}
    house.let_time_pass()
    house.run("another")  # looks for what was sent, in vain
    house.let_time_pass()
    assert house.run("another")
    assert house.run()
    assert set(statuses(house).values()) == {"succeeded"}


def test_a_hand_over_that_was_missed_heals_by_itself(house: House) -> None:
    first = begin(house, "one", "room")
    two = house.create("two", "room")
    house.run()
    house.sql("DELETE FROM lane")
    house.sql("UPDATE chain SET next_attempt_at = NULL WHERE id = :id", id=first)
    house.world.script["make", "a"] = [retry(1000.0)]
    assert not house.run()
    assert lanes(house) == {"room": "two"}
    assert house.chain(two).waiting_for is None
    three = house.create("three", "room")
    assert not house.run()
    assert go_on(house, two)
    assert lanes(house) == {"room": "three"}
    assert house.run()
    assert house.chain(three).status == ChainStatus.SUCCEEDED


def test_two_steps_have_different_names(house: House) -> None:
    house.steps = [*house.steps[:2], *house.steps[1:2]]
    with pytest.raises(ValueError, match="same name"):
        house.engine()


@pytest.mark.parametrize(("late", "status"), [("b", ChainStatus.SUCCEEDED), ("a", ChainStatus.WAITING)])
def test_lanes_of_a_later_step_sort_after_those_before_it(house: House, late: str, status: ChainStatus) -> None:
    """Otherwise chains could wait for each other for ever: it is a mistake, and nothing is sent."""
    house.steps = [replace(house.steps[0], lanes=lambda _: ["a"]), replace(house.steps[1], lanes=lambda _: [late])]
    house.create()
    house.run()
    assert house.chain().status == status
    assert lanes(house) == ({} if status == ChainStatus.SUCCEEDED else {"a": "one"})
