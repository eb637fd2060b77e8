"""The threads: they find what is due, keep their leases, end cleanly, and tell who waits for a chain's end."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from app.chains import worker
from app.chains.models import ChainStatus
from app.chains.steps import Outcome
from app.chains.store import Store
from app.chains.worker import Workers
from tests.chains.world import SENDINGS, House, World, refused, retry

pytestmark = pytest.mark.both_databases

SOON = 10.0  # seconds: for what happens at once on an idle machine


def until(condition: Callable[[], object], seconds: float = SOON) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


@contextmanager
def working(house: House, count: int, store: Store | None = None) -> Iterator[Workers[World]]:
    workers = Workers(house.engine(store), count, tools=lambda: house.world, close=lambda _world: None)
    house.stopping = workers.stopping
    workers.start()
    try:
        yield workers
    finally:
        assert workers.stop(SOON)


def statuses(house: House) -> list[str]:
    return [status for (status,) in house.sql("SELECT status FROM chain")]


def is_over(house: House, chain_id: str) -> Callable[[], bool]:
    return lambda: house.chain(chain_id).finished_at is not None


def test_twenty_chains_over_four_workers(house: House) -> None:
    """Five chains in each of four rooms: each does its work once, and never two in one room."""
    inside: dict[str, str] = {}
    together: list[tuple[str, str]] = []

    class Room(World):
        def make(self, reference: str) -> Outcome:
            subject = reference.split("/")[0]
            room = subject[0]
            if inside.setdefault(room, subject) != subject:
                together.append((inside[room], subject))
            if reference.endswith("/c"):
                del inside[room]
            return super().make(reference)

    house.world = Room()
    for number in range(5):
        for room in "abcd":
            house.create(f"{room}{number}", room)
    with working(house, 4):
        until(lambda: set(statuses(house)) == {"succeeded"}, 30)
    assert together == []
    made = sorted(house.world.things.values())
    assert made == sorted(f"{room}{n}/{key}" for room in "abcd" for n in range(5) for key in ("thing", "a", "b", "c"))
    assert house.sql("SELECT * FROM lane") == []


def test_two_processes_share_the_work(house: House) -> None:
    for number in range(12):
        house.create(str(number))
    with working(house, 2, house.store("one")), working(house, 2, house.store("two")):
        until(lambda: set(statuses(house)) == {"succeeded"}, 30)
    assert len(house.world.things) == len(set(house.world.things.values())) == 48


def test_a_nudge_is_noticed_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "POLL", 600.0)
    with working(house, 3) as workers:
        time.sleep(0.05)  # all idle
        house.create()
        workers.nudge()
        until(lambda: statuses(house) == ["succeeded"])


def test_a_chain_that_another_process_made_is_found(house: House) -> None:
    with working(house, 1):
        house.create()
        until(lambda: statuses(house) == ["succeeded"])


def test_who_waited_for_a_lane_goes_on_at_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "POLL", 600.0)
    for number in range(3):
        house.create(str(number), "room")
    with working(house, 2):
        until(lambda: set(statuses(house)) == {"succeeded"})


def test_a_retry_comes_back_without_a_nudge(house: House) -> None:
    house.world.script["make", "thing"] = [retry()]
    house.create()
    with working(house, 1):
        until(lambda: statuses(house) == ["succeeded"])


# Stopping


def test_a_stop_lets_the_call_end_and_hands_the_chain_back_unsent(house: House) -> None:
    house.create("one", "room")
    called, go_on = threading.Event(), threading.Event()

    def hold(moment: str) -> None:
        if moment == "sending" and house.world.calls and house.world.calls[-1] == ("make", "thing"):
            called.set()
            assert go_on.wait(SOON)

    house.world.tick = hold
    with working(house, 2) as workers:
        assert called.wait(SOON)
        stop = threading.Thread(target=workers.stop, args=[SOON])
        stop.start()
        until(workers.stopping)
        go_on.set()
        stop.join()
        assert not workers.alive
    assert house.world.calls[-1] == ("make", "a")
    assert house.states() == {
        "look": "made",
        "place": "made",
        "thing": "made",
        "a": "made",
        "b": "pending",
        "c": "pending",
    }
    chain = house.chain()
    assert (chain.owner, chain.lease_until) == (None, 0.0)
    house.stopping = lambda: False
    assert house.run("another"), "it is due at once, for whoever comes"
    assert house.world.calls == [("make", key) for key in SENDINGS], "and needs no look"
    assert house.world.is_built()


@pytest.mark.parametrize("at", range(9))
def test_stopped_between_any_two_calls_nothing_is_marked_as_sent(house: House, at: int) -> None:
    house.create("one", "room")
    house.stopping = lambda: len(house.world.calls) >= at
    assert house.run() == (at == 8)
    assert "sent" not in house.states().values()
    assert len(house.world.calls) == at
    house.stopping = lambda: False
    if at < 8:
        assert house.run("another")
    assert house.world.calls == [("make", key) for key in SENDINGS]


@pytest.mark.parametrize("at", range(5))
def test_stopped_while_undoing(house: House, at: int) -> None:
    house.world.script["make", "y"] = [refused()]
    house.create()
    house.stopping = lambda: len(house.world.count("delete")) == at and len(house.world.calls) > 7
    assert not house.run()
    assert house.chain().status == ChainStatus.UNDOING
    house.stopping = lambda: False
    assert house.run("another")
    assert house.world.is_empty()
    assert set(house.world.count("delete").values()) == {1}


def test_who_does_not_stop_in_time_is_told_of(house: House) -> None:
    house.create()
    called, go_on = threading.Event(), threading.Event()

    def hold(_moment: str) -> None:
        called.set()
        assert go_on.wait(SOON)

    house.world.tick = hold
    with working(house, 1) as workers:
        assert called.wait(SOON)
        assert workers.running == 1
        assert not workers.stop(0.05)
        go_on.set()


def assert_(condition: bool) -> None:
    assert condition


def test_workers_that_were_never_started_can_be_stopped(house: House) -> None:
    assert Workers(house.engine(), 2, lambda: house.world, lambda _world: None).stop(0.0)


# Leases


def test_a_heartbeat_keeps_a_chain_whose_call_takes_longer_than_the_lease(house: House) -> None:
    house.lease = 1.0
    house.create()
    slow = threading.Event()

    def take_long(moment: str) -> None:
        if moment == "done" and house.world.calls[-1] == ("make", "thing"):
            slow.wait(1.6)

    house.world.tick = take_long
    with working(house, 1):
        until(lambda: statuses(house) == ["succeeded"])
    assert house.chain().fence == 1, "nobody took it over"


def test_each_worker_has_tools_of_its_own_and_closes_them(house: House) -> None:
    made: list[World] = []
    closed: list[World] = []

    def tools() -> World:
        made.append(World())
        return made[-1]

    workers = Workers(house.engine(), 3, tools, closed.append)
    workers.start()
    until(lambda: len(made) == 3)
    assert workers.stop(SOON)
    assert sorted(map(id, made)) == sorted(map(id, closed))


# Mistakes


def test_a_worker_survives_what_the_engine_cannot_mend(
    house: House, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
) -> None:
    load = Store.load
    broken = [OperationalError("SELECT", None, Exception("gone"))] * 2
    monkeypatch.setattr(Store, "load", lambda store, claim: raise_(broken.pop()) if broken else load(store, claim))
    house.create()
    with working(house, 1):
        until(lambda: not broken)
        until(lambda: "chain_left" in [entry["event"] for entry in logged])
        house.let_time_pass()
        until(lambda: statuses(house) == ["succeeded"])


def raise_(error: Exception) -> Any:
    raise error


def test_workers_rest_while_the_database_does_not_answer(
    house: House, monkeypatch: pytest.MonkeyPatch, logged: list[MutableMapping[str, Any]]
) -> None:
    monkeypatch.setattr(worker, "AFTER_FAILURE", 0.1)
    claim = Store.claim
    broken = [OperationalError("UPDATE", None, Exception("gone"))] * 3
    monkeypatch.setattr(Store, "claim", lambda store: raise_(broken.pop()) if broken else claim(store))
    house.create()
    with working(house, 4) as workers:
        until(lambda: statuses(house) == ["succeeded"])
        assert workers.alive
    assert [entry["event"] for entry in logged].count("cannot_claim") == 3


def test_a_heartbeat_survives_a_database_that_does_not_answer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.lease = 0.3
    renew = Store.renew
    broken = [OperationalError("UPDATE", None, Exception("gone"))]
    monkeypatch.setattr(Store, "renew", lambda store, claims: raise_(broken.pop()) if broken else renew(store, claims))
    with working(house, 1) as workers:
        until(lambda: not broken)
        time.sleep(0.2)
        assert workers.alive


# Waiting for an end


def wait_for(workers: Workers[World], house: House, chain_id: str, seconds: float) -> bool:
    return asyncio.run(workers.wait_for_end(chain_id, seconds, is_over(house, chain_id)))


def test_who_waits_is_woken_at_the_end(house: House) -> None:
    """And does not ask the database while its own process runs the chain."""
    chain_id = house.create()
    called, go_on = threading.Event(), threading.Event()
    looks: list[bool] = []

    def hold(_moment: str) -> None:
        called.set()
        assert go_on.wait(SOON)

    def over() -> bool:
        looks.append(is_over(house, chain_id)())
        return looks[-1]

    async def wait(workers: Workers[World]) -> bool:
        asyncio.get_running_loop().call_later(0.1, go_on.set)
        return await workers.wait_for_end(chain_id, SOON, over)

    house.world.tick = hold
    with working(house, 1) as workers:
        assert called.wait(SOON)
        begun = time.monotonic()
        assert asyncio.run(wait(workers))
        assert time.monotonic() - begun < SOON / 2
    assert looks == []
    assert workers._endings == {}


def test_who_waits_for_a_new_chain_does_not_ask_for_it(house: House) -> None:
    """Not even if it has ended before the wait begins."""

    def ask() -> bool:
        raise AssertionError("it has ended here")

    chain_id = house.create()
    with working(house, 1) as workers:
        until(lambda: statuses(house) == ["succeeded"] and not workers.running)
        assert asyncio.run(workers.wait_for_end(chain_id, SOON, ask, new=True))


def test_who_waits_for_a_chain_that_is_over_does_not_wait(house: House) -> None:
    chain_id = house.create()
    house.run()
    workers = Workers(house.engine(), 1, lambda: house.world, lambda _world: None)
    assert wait_for(workers, house, chain_id, SOON)


def test_who_waits_sees_an_end_that_another_process_made(house: House) -> None:
    chain_id = house.create()
    workers = Workers(house.engine(), 1, lambda: house.world, lambda _world: None)
    threading.Timer(0.1, house.run).start()
    assert wait_for(workers, house, chain_id, SOON)


def test_waiting_has_an_end(house: House) -> None:
    chain_id = house.create()
    workers = Workers(house.engine(), 1, lambda: house.world, lambda _world: None)
    begun = time.monotonic()
    assert not wait_for(workers, house, chain_id, 0.1)
    assert time.monotonic() - begun < SOON / 2


def test_a_stop_ends_all_waiting(house: House) -> None:
    chain_id = house.create("one", "room")
    house.world.script["make", "look"] = [retry(1000.0)]

    async def wait(workers: Workers[World]) -> list[bool]:
        waiting = [asyncio.create_task(workers.wait_for_end(chain_id, 60, is_over(house, chain_id))) for _ in range(5)]
        await asyncio.sleep(0.1)
        await asyncio.to_thread(workers.stop, SOON)
        return await asyncio.wait_for(asyncio.gather(*waiting), SOON)

    with working(house, 1) as workers:
        assert asyncio.run(wait(workers)) == [False] * 5


def test_many_wait_for_one_chain(house: House) -> None:
    chain_id = house.create()
    begin = threading.Event()
    house.world.tick = lambda _moment: assert_(begin.wait(SOON))

    async def wait(workers: Workers[World]) -> list[bool]:
        waiting = [
            asyncio.create_task(workers.wait_for_end(chain_id, SOON, is_over(house, chain_id))) for _ in range(20)
        ]
        await asyncio.sleep(0.05)
        begin.set()
        return await asyncio.gather(*waiting)

    with working(house, 1) as workers:
        assert asyncio.run(wait(workers)) == [True] * 20
