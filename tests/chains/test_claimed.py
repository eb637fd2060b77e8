"""Chains that belong to their maker's process from the start: run at once, kept, given back, taken over."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from app.chains import worker
from app.chains.models import ChainStatus
from app.chains.store import Store
from tests.chains.test_worker import SOON, statuses, until, working
from tests.chains.world import House


@pytest.fixture
def held(house: House) -> threading.Event:
    """No call begins until it is set."""
    go = threading.Event()

    def hold(moment: str) -> None:
        if moment == "sending":
            assert go.wait(SOON)

    house.world.tick = hold
    return go


def all_are(house: House, status: ChainStatus) -> Callable[[], bool]:
    return lambda: set(statuses(house)) == {status}


def test_it_is_run_without_asking_the_database_for_it(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "claim", lambda _store: None)
    with working(house, 2) as workers:
        claims = [house.create_claimed(str(number)) for number in range(5)]
        assert statuses(house) == [ChainStatus.RUNNING] * 5
        for claim in claims:
            workers.run_claimed(claim)
        until(all_are(house, ChainStatus.SUCCEEDED))
    assert house.world.count("make") == Counter(dict.fromkeys(house.world.count("make"), 5))


def test_there_is_room_for_as_many_as_there_are_idle_workers(house: House, held: threading.Event) -> None:
    with working(house, 2) as workers:
        until(lambda: workers.spare)
        workers.run_claimed(house.create_claimed("one"))
        assert workers.spare
        workers.run_claimed(house.create_claimed("two"))
        assert not workers.spare
        held.set()
        until(all_are(house, ChainStatus.SUCCEEDED))
        until(lambda: workers.spare)
    assert not workers.spare


def test_its_lease_is_kept_while_it_waits_for_a_worker(house: House, held: threading.Event) -> None:
    house.lease = 0.6
    with working(house, 1) as workers:
        workers.run_claimed(house.create_claimed("one"))
        workers.run_claimed(house.create_claimed("two"))
        time.sleep(2 * house.lease)
        assert house.store("other").claim() is None
        held.set()
        until(all_are(house, ChainStatus.SUCCEEDED))


def test_a_stop_gives_it_back(house: House, held: threading.Event) -> None:
    with working(house, 1) as workers:
        workers.run_claimed(house.create_claimed("one"))
        until(lambda: workers.running)
        workers.run_claimed(house.create_claimed("two"))
        stopping = threading.Thread(target=workers.stop, args=(SOON,))
        stopping.start()
        until(workers.stopping)
        held.set()
        stopping.join()
    house.world.calls.clear()
    house.stopping = lambda: False
    assert [house.run(), house.run()] == [True, True]  # due at once, for whoever comes next
    assert house.world.count("make")["thing"] == 2


def test_those_that_are_due_are_looked_for_meanwhile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """However quickly others come that are claimed already."""
    monkeypatch.setattr(worker, "POLL", 0.2)
    with working(house, 2) as workers:
        due, others = house.create("due"), 0
        end = time.monotonic() + SOON
        while house.chain(due).status != ChainStatus.SUCCEEDED:
            assert time.monotonic() < end
            workers.run_claimed(house.create_claimed(f"other-{others}"))
            others += 1
            time.sleep(0.05)


def test_when_its_process_dies_another_takes_it_over(house: House) -> None:
    """Before anything was sent, or noted."""
    house.create_claimed()
    assert house.store("other").claim() is None
    house.let_time_pass()
    assert house.run("other")
    assert house.world.is_built()
