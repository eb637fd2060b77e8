"""The gate: when it opens and closes, who is let through, and how many at once and in a second."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep

import pytest
from structlog.testing import capture_logs

from app.kaltura.errors import KalturaError, Refused, SessionRefused, Transient, Unknown, from_code
from app.kaltura.gate import BURST, LONGEST, OUTAGES, PROBE_SECONDS, SPREAD, Gate
from tests.kaltura.upstream import Clock


def away(pause: float | None = None) -> Transient:
    return Transient("Kaltura cannot be reached", pause, outage=True)


def call(gate: Gate, end: BaseException | None = None) -> None:
    with gate.turn():
        if end:
            raise end


def failure(gate: Gate, end: KalturaError) -> KalturaError:
    """What the caller sees of a call that ends so."""
    with pytest.raises(type(end)) as caught:
        call(gate, end)
    assert caught.value is end
    return end


def turned_away(gate: Gate) -> Transient:
    """What one is told who is not let through."""
    with pytest.raises(Transient) as caught:
        call(gate, AssertionError("it was let through"))
    assert not caught.value.sent
    assert caught.value.outage
    return caught.value


def opened(gate: Gate) -> None:
    for _ in range(OUTAGES):
        failure(gate, away())
    assert gate.state().name == "open"


# The breaker's states: what happens one after another, and what comes of it. A number is a time that passes.

AWAY, ANSWER, REFUSED = "away", "answer", "refused"


@pytest.mark.parametrize(
    ("story", "state"),
    [
        ([], "closed"),
        ([AWAY] * 4, "closed"),
        ([AWAY] * 5, "open"),
        ([AWAY] * 4 + [ANSWER] + [AWAY] * 4, "closed"),
        ([AWAY] * 4 + [REFUSED] + [AWAY] * 4, "closed"),
        ([AWAY, 100.0] * 5, "half_open"),
        ([AWAY] * 5 + [0.7], "open"),
        ([AWAY] * 5 + [1.3], "half_open"),
        ([AWAY] * 5 + [1.3, ANSWER], "closed"),
        ([AWAY] * 5 + [1.3, REFUSED], "closed"),
        ([AWAY] * 5 + [1.3, AWAY], "open"),
        ([AWAY] * 5 + [1.3, AWAY, 1.4], "open"),
        ([AWAY] * 5 + [1.3, AWAY, 2.6], "half_open"),
        ([AWAY] * 5 + [1.3, AWAY, 2.6, ANSWER], "closed"),
        ([AWAY] * 5 + [1.3, ANSWER] + [AWAY] * 4, "closed"),
        ([AWAY] * 5 + [1.3, ANSWER] + [AWAY] * 5 + [1.3], "half_open"),
        (["7 s"], "open"),
        (["7 s", 6.9], "open"),
        (["7 s", 7.0], "half_open"),
        (["7 s", 7.0, ANSWER], "closed"),
        (["7 s", 7.0, AWAY], "open"),
        (["7 s", 7.0, AWAY, 1.3], "half_open"),
        (["0 s"] * 4, "closed"),
    ],
    ids=str,
)
def test_its_states(gate: Gate, clock: Clock, story: list[str | float], state: str) -> None:
    for happens in story:
        if isinstance(happens, float):
            clock.now += happens
        elif happens == ANSWER:
            call(gate)
        elif happens == REFUSED:
            failure(gate, Refused("INVALID_OBJECT_ID"))
        else:
            failure(gate, away(float(happens.removesuffix(" s")) if happens.endswith(" s") else None))
    assert gate.state().name == state
    if state == "open":
        turned_away(gate)
    else:
        call(gate)


@pytest.mark.parametrize(
    "end",
    [
        Refused("SCHEDULE_TIME_IN_USE"),
        SessionRefused("Kaltura does not accept the session", sent=True),
        from_code("RESOURCE_IS_RESERVED", "", {}),
        from_code("INTERNAL_SERVERL_ERROR", "", {}),
        ValueError("a mistake of ours"),
    ],
    ids=lambda end: str(end),
)
def test_what_is_one_call_s_own_trouble_does_not_open_it(gate: Gate, end: Exception) -> None:
    for _ in range(4 * OUTAGES):
        with pytest.raises(type(end)):
            call(gate, end)
    assert gate.state().name == "closed"
    assert gate.state().failing is None


@pytest.mark.parametrize(
    "end", [away(), Unknown("HTTP 502", outage=True), from_code("INTERNAL_DATABASE_ERROR", "", {})], ids=str
)
def test_an_outage_of_any_kind_opens_it(gate: Gate, end: KalturaError) -> None:
    for _ in range(OUTAGES):
        assert end.retry_after is None, "while it is closed each caller pauses as it sees fit"
        failure(gate, end)
    assert end.retry_after is not None, "everybody waits for the next probe"
    assert turned_away(gate).reason == f"{gate.state().reason}; all calls wait"


def test_the_pauses_double_up_to_a_minute_and_start_again_after_an_answer(gate: Gate, clock: Clock) -> None:
    for _ in range(2):
        opened(gate)
        for n in range(10):
            pause = gate.state().next_probe
            assert pause is not None
            assert 0.75 <= pause / min(2**n, LONGEST) <= 1.25
            clock.now += pause
            failure(gate, away())
        clock.now += 2 * LONGEST
        call(gate)


def test_what_it_says_of_itself(gate: Gate, clock: Clock) -> None:
    state = gate.state()
    assert (state.name, state.failing, state.next_probe, state.reason, state.answered) == (
        "closed",
        None,
        None,
        "",
        False,
    )
    call(gate)
    assert gate.state().answered
    failure(gate, away())
    clock.now += 30
    state = gate.state()
    assert (state.name, state.failing, state.next_probe, state.reason) == (
        "closed",
        30,
        None,
        "Kaltura cannot be reached",
    )
    failure(gate, Unknown("HTTP 503 instead of an answer", 20, outage=True))
    clock.now += 15
    state = gate.state()
    assert (state.name, state.failing, state.next_probe) == ("open", 45, 5)
    assert state.reason == "HTTP 503 instead of an answer"
    clock.now += 10
    assert (gate.state().name, gate.state().next_probe) == ("half_open", 0)
    call(gate)
    assert (gate.state().name, gate.state().failing, gate.state().reason) == ("closed", None, "")


def test_the_log_tells_when_kaltura_goes_and_when_it_is_back(gate: Gate, clock: Clock) -> None:
    with capture_logs() as logs:
        opened(gate)
        turned_away(gate)
        clock.now += 1.3
        failure(gate, away())
        clock.now += 2.6
        call(gate)
        call(gate)
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("kaltura_away", "warning"),
        ("kaltura_back", "info"),
    ]
    assert logs[0]["reason"] == "Kaltura cannot be reached"
    assert logs[1]["seconds"] == pytest.approx(3.9)


# Who is let through


def test_a_retry_after_holds_for_all_and_whoever_is_told_comes_after_it(gate: Gate, clock: Clock) -> None:  # 7
    told = [failure(gate, away(7)).retry_after or 0]
    for _ in range(10):
        told.append(clock.now - 1000 + (turned_away(gate).retry_after or 0))
        clock.now += 0.69
    assert all(7 <= when <= 7 + SPREAD for when in told)
    assert len(set(told)) > 1, "not all at once"


def test_while_a_probe_is_out_nobody_else_is_let_through(gate: Gate, clock: Clock) -> None:
    opened(gate)
    clock.now += 2
    with gate.turn():
        assert PROBE_SECONDS <= (turned_away(gate).retry_after or 0) <= PROBE_SECONDS + SPREAD
        clock.now += 1000
        turned_away(gate)
    call(gate)


@pytest.mark.parametrize("end", [KeyError("a mistake of ours"), KeyboardInterrupt()], ids=repr)
def test_a_probe_that_ended_by_a_mistake_of_ours_gives_way_to_another(
    gate: Gate, clock: Clock, end: BaseException
) -> None:
    opened(gate)
    clock.now += 2
    with pytest.raises(type(end)):
        call(gate, end)
    assert gate.state().name == "half_open"
    call(gate)
    assert gate.state().name == "closed"


def test_twenty_threads_send_one_probe(gate: Gate, clock: Clock) -> None:
    opened(gate)
    clock.now += 2
    start, ended = threading.Barrier(20), threading.Barrier(20)
    probes = []

    def one(_: int) -> bool:
        start.wait(5)
        try:
            with gate.turn():
                probes.append(1)
                ended.wait(5)
        except Transient:
            ended.wait(5)
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(one, range(20))) == 1
    assert len(probes) == 1
    assert gate.state().name == "closed"


@contextmanager
def under_way(gate: Gate, ends: list[KalturaError | None]) -> Iterator[Callable[[], None]]:
    """Calls that have begun, and what makes them end so, one after another."""
    turns = [gate.turn() for _ in ends]
    for turn in turns:
        turn.__enter__()

    def end() -> None:
        for turn, error in zip(turns, ends, strict=True):
            assert not turn.__exit__(type(error) if error else None, error, None)

    yield end


def test_twenty_calls_that_fail_together_count_as_one_opening(gate: Gate, clock: Clock) -> None:
    with under_way(gate, [away() for _ in range(20)]) as end:
        end()
    assert gate.state().name == "open"
    clock.now += 1.3
    failure(gate, away())
    assert 1.5 <= (gate.state().next_probe or 0) <= 2.5


@pytest.mark.parametrize("name", ["open", "closed"])
def test_how_a_call_ends_that_began_before_the_gate_opened_changes_nothing(gate: Gate, clock: Clock, name: str) -> None:
    ends: list[KalturaError | None] = [None, away(), Refused("INVALID_OBJECT_ID"), *[away() for _ in range(OUTAGES)]]
    with under_way(gate, ends) as end:
        opened(gate)
        if name == "closed":
            clock.now += 2
            call(gate)
        before = gate.state()
        end()
    assert gate.state() == before
    assert (ends[1].retry_after is not None) == (name == "open")  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["open", "half_open", "closed"])
def test_but_its_retry_after_is_heeded(gate: Gate, clock: Clock, name: str) -> None:
    with under_way(gate, [away(30), away(20)]) as end, ExitStack() as probe:
        opened(gate)
        if name != "open":
            clock.now += 2
            probe.enter_context(gate.turn())
        if name == "closed":
            probe.close()
        end()
        assert gate.state().next_probe == 30
        probe.close()
        assert gate.state().next_probe == 30, "a probe that was out says nothing about it"
    clock.now += 30
    call(gate)
    assert gate.state().name == "closed"


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
