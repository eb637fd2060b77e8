"""Nobody is left in a line, and no lane to a chain that has ended, whatever happens at the same moment (PostgreSQL)."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from time import sleep
from typing import Any

import pytest
from sqlalchemy import Connection, event

from app.chains import lanes, worker
from app.chains.models import ChainStatus
from app.database.database import Database
from tests.chains.test_worker import is_over, until, working
from tests.chains.world import House, retry
from tests.sampling import sampled

pytestmark = pytest.mark.both_databases

LEFT = "SELECT subject FROM lane JOIN chain ON chain.id = chain_id WHERE finished_at IS NOT NULL OR status = 'stuck'"


@pytest.fixture(autouse=True)
def of_several_writers(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("one writes at a time there")


@pytest.fixture
def meddle(database: Database) -> Iterator[dict[str, Any]]:
    """`meddle["INSERT INTO lane"] = act`: it happens once, right before the first statement that begins so."""
    acts: dict[str, Any] = {}

    def see(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        found = next((begin for begin in acts if statement.startswith(begin)), None)
        if found is not None:
            acts.pop(found)()

    event.listen(database.engine, "before_cursor_execute", see)
    yield acts
    event.remove(database.engine, "before_cursor_execute", see)


def stop(house: House, chain_id: str) -> None:
    with house.database.write() as session:
        house.store().ask_to_stop(session, chain_id)


def test_who_is_stopped_and_ends_while_another_leaves_is_not_left_with_its_lane(
    house: House, meddle: dict[str, Any]
) -> None:
    house.world.script["make", "thing"] = [retry(1000.0)]
    first = house.create("one", "room")
    assert not house.run()
    second = house.create("two", "room")
    assert not house.run()

    def stop_the_second() -> None:
        def run() -> None:
            stop(house, second)
            house.sql("UPDATE chain SET next_attempt_at = 0 WHERE id = :id", id=second)
            assert house.run("another")

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()

    house.sql("UPDATE chain SET next_attempt_at = 0 WHERE id = :id", id=first)
    meddle["INSERT INTO lane"] = stop_the_second
    claim = house.claim()
    assert claim.chain_id == first
    assert house.engine().run(claim, house.world)
    if meddle:  # nobody is handed anything
        meddle.clear()
        stop_the_second()
    assert house.sql(LEFT) == []
    house.create("three", "room")
    assert house.run()
    assert house.sql("SELECT * FROM lane") == []


def test_a_lane_that_was_left_to_who_is_over_is_freed_by_who_wants_it(house: House) -> None:
    first = house.create("one", "room")
    assert house.run()
    house.sql("INSERT INTO lane (key, chain_id, place) VALUES ('room', :id, 1)", id=first)
    house.create("two", "room")
    assert house.run()
    assert house.sql("SELECT * FROM lane") == []


def test_who_waits_behind_one_that_is_over_is_due(house: House) -> None:
    house.world.script["make", "thing"] = [retry(1000.0)]
    first = house.create("one", "room")
    house.run()
    house.create("two", "room")
    assert not house.run()
    assert house.store().claim() is None
    house.sql("UPDATE chain SET status = 'succeeded', finished_at = created_at WHERE id = :id", id=first)
    assert house.run()
    assert house.sql("SELECT * FROM lane") == []


@pytest.mark.parametrize("round_", sampled(range(3), 3))
def test_eight_owners_and_two_who_stop_every_other_chain(house: House, round_: int) -> None:
    """As a service under POST and DELETE: chains come, wait for each other in lines, and are stopped on the way."""
    pairs, chance = list(permutations("abc", 2)), random.Random(round_)
    barrier, made, done = threading.Barrier(10), list[str](), threading.Event()
    made += [house.create(str(number), *pairs[number % len(pairs)]) for number in range(60)]

    def work(number: int) -> None:
        store = house.store(f"owner-{number}")
        engine = house.engine(store)
        barrier.wait()
        while not done.is_set():
            claim = store.claim()
            if claim is None:
                sleep(0.01)
            else:
                engine.run(claim, house.world)

    def stop_some(first: int) -> None:
        barrier.wait()
        for chain_id in made[first::4]:
            stop(house, chain_id)
            sleep(chance.choice((0.0, 0.01)))

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    threads += [threading.Thread(target=stop_some, args=[first]) for first in (0, 2)]
    for thread in threads:
        thread.start()
    for _ in range(1500):  # of 10 ms
        if house.sql("SELECT count(*) FROM chain WHERE finished_at IS NULL") == [(0,)]:
            break
        sleep(0.01)
    done.set()
    for thread in threads:
        thread.join()
    found = Counter(status for (status,) in house.sql("SELECT status FROM chain"))
    assert set(found) <= {ChainStatus.SUCCEEDED, ChainStatus.FAILED}, found
    assert house.sql("SELECT * FROM lane") == []


def test_who_comes_to_wait_in_the_moment_in_which_the_lane_is_left_goes_on_at_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves sees only those whose waiting is committed."""
    monkeypatch.setattr(worker, "POLL", 600.0)
    holder = house.create_claimed("holder", "room")
    with house.database.write() as session:
        lanes.take(session.connection(), holder.chain_id, ["room"])
    take = lanes.take

    def left_meanwhile(connection: Connection, *given: Any) -> str | None:
        waits_for = take(connection, *given)
        if waits_for == "room":
            with house.database.write() as session:
                assert not lanes.leave(session.connection(), holder.chain_id)
        return waits_for

    monkeypatch.setattr(lanes, "take", left_meanwhile)
    mine = house.create("mine", "room")
    with working(house, 2):
        until(is_over(house, mine))
