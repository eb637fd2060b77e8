"""The gate as a breaker: when it opens and closes, and who is let through."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from structlog.testing import capture_logs

from app.kaltura.errors import KalturaError, Refused, SessionRefused, Transient, Unknown, from_code
from app.kaltura.gate import LONGEST, OUTAGES, PROBE_SECONDS, SPREAD, Gate
from tests.kaltura.gates import away, call, failure, opened, turned_away, under_way
from tests.kaltura.upstream import Clock

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
