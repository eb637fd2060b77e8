"""The gate as a limit: how many calls there are at once and in a second, and who waits."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest

from app.kaltura.errors import Transient
from app.kaltura.gate import BURST, Gate
from tests.kaltura.gates import away, call, turned_away, under_way
from tests.kaltura.upstream import Clock

# Calls at once


def eventually(true: Callable[[], bool]) -> None:
    until = monotonic() + 5
    while not true():
        assert monotonic() < until
        sleep(0.001)


def test_no_more_calls_at_once_than_allowed_and_all_come_to_their_turn() -> None:
    gate, lock, inside, most = Gate(1e6, at_once=4), threading.Lock(), 0, 0

    def one(_: int) -> None:
        nonlocal inside, most
        for _ in range(20):
            with gate.turn():
                with lock:
                    inside += 1
                    most = max(most, inside)
                sleep(0.0005)
                with lock:
                    inside -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(20)))
    assert (most, inside, gate.state().waiting) == (4, 0, 0)


def test_first_come_first_served() -> None:
    gate, served, threads = Gate(1e6, at_once=1), list[int](), list[threading.Thread]()

    def one(number: int) -> None:
        with gate.turn():
            served.append(number)

    with gate.turn():
        for number in range(10):
            threads.append(threading.Thread(target=one, args=(number,)))
            threads[-1].start()
            eventually(lambda: gate.state().waiting == len(threads))
    for thread in threads:
        thread.join(5)
    assert served == list(range(10))


def test_nobody_waits_for_ever_and_who_gave_up_is_not_waited_for() -> None:
    gate = Gate(1e6, at_once=1, patience=0.02)
    with gate.turn():
        for _ in range(3):
            with pytest.raises(Transient, match="too many calls") as caught:
                call(gate)
            assert not caught.value.outage
            assert caught.value.retry_after
        assert gate.state().waiting == 0
    call(gate)
    call(gate)


def test_those_who_wait_are_told_as_soon_as_it_opens() -> None:
    gate = Gate(1e6, at_once=1)
    with ThreadPoolExecutor(5) as pool:
        with under_way(gate, [away(60)]) as end:
            waiting = [pool.submit(turned_away, gate) for _ in range(5)]
            eventually(lambda: gate.state().waiting == 5)
            end()
        assert all((one.result(1).retry_after or 0) > 59 for one in waiting)


# Calls per second


@pytest.mark.parametrize("per_second", [5.0, 50.0, 400.0])
def test_no_more_calls_a_second_than_allowed_and_no_fewer(clock: Clock, per_second: float) -> None:
    gate = Gate(per_second, clock=clock, sleep=clock.sleep)
    at = list[float]()
    for _ in range(int(3 * per_second)):
        with gate.turn():
            at.append(clock.now)
    burst = max(1, round(BURST * per_second))
    for first, moment in enumerate(at):
        within = sum(moment <= later < moment + 0.999 for later in at[first:])
        assert within <= per_second + burst
    assert at[-1] - at[0] == pytest.approx((len(at) - burst) / per_second, abs=2 / per_second)


def test_a_silence_is_saved_up_for_a_small_burst_only(clock: Clock) -> None:
    gate = Gate(50, clock=clock, sleep=clock.sleep)
    clock.now += 3600
    for _ in range(10):
        call(gate)
    assert clock.now == pytest.approx(4600, abs=1e-3)
    call(gate)
    assert clock.now == pytest.approx(4600.02, abs=1e-3)


def test_who_would_wait_too_long_is_told_at_once_and_takes_no_turn(clock: Clock) -> None:
    gate = Gate(0.1, clock=clock, sleep=clock.sleep)
    call(gate)
    for _ in range(5):
        with pytest.raises(Transient, match="too many calls"):
            call(gate)
    assert clock.now == 1000
    clock.now += 10
    call(gate)


def test_threads_share_the_limit() -> None:
    gate = Gate(200)
    began = monotonic()
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: call(gate), range(80)))
    assert monotonic() - began >= (80 - 200 * BURST) / 200 - 0.01
