"""Kaltura breaks off, stumbles or lies: scenarios 3, 4, 6, 7 and 9 of the fault table."""

from collections import Counter
from collections.abc import Iterator
from time import sleep
from typing import Any

import pytest

from app.sandbox.trouble.faults import KINDS, NOTHING_DONE
from tests.crash.rehearsal import BOOKED, NOTHING, rehearse, series, two_events
from tests.crash.stage import Stage, stage
from tests.crash.watching import Phase, Watch
from tests.service import READING

pytestmark = pytest.mark.both_databases

REHEARSAL = rehearse(series)
# What changes something in Kaltura, and the call that reserves a room there.
WRITES = [call for call in dict.fromkeys(REHEARSAL.calls) if call.split(".")[1] not in READING - {"getConflicts"}]
READ_TIMEOUT, LATE, PAUSE = 1.0, 1.5, 1  # seconds
MORE: dict[str, dict[str, Any]] = {"delay": {"seconds": LATE}, "http_429": {"retry_after": PAUSE}}
ADD, LOOK = "media.add", "baseEntry.listByReferenceId"
ADD_AGAIN = ("category.list", ADD)  # names are resolved anew


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("faults"), kaltura_read_timeout=READ_TIMEOUT) as found:
        yield found


def fault(call: str, kind: str, times: int = 1) -> dict[str, Any]:
    service, _, action = call.partition(".")
    full = f"schedule_{service}" if service.startswith("schedule") else service
    return {"service": full, "action": action, "fault": kind, "times": times, **MORE.get(kind, {})}


def test_rows_3_6_7_9_every_fault_at_every_call_and_all_is_made_once(it: Stage) -> None:
    """As many recordings at once as there are faults at a call; each fault strikes one of them."""
    before = Counter(it.calls())
    it.sandbox.set_faults({"faults": [fault(call, kind) for call in WRITES for kind in KINDS]})
    for recording in [it.accepted(series(f"FAULTY-{number}")) for number in range(len(KINDS))]:
        it.until(recording, "scheduled")
        assert it.standing(recording) == REHEARSAL.left
    made = Counter(it.calls()) - before
    undisturbed = Counter({call: REHEARSAL.calls.count(call) * len(KINDS) for call in WRITES})
    assert all(made[call] >= undisturbed[call] + len(NOTHING_DONE) for call in WRITES)


def test_rows_3_6_7_9_every_fault_at_every_call_of_an_undoing_and_nothing_is_left(it: Stage) -> None:
    rehearsal, watch = rehearse(two_events, BOOKED), Watch(it.sandbox)
    undoing = {call for call in rehearsal.calls if call.endswith(".delete")}
    it.sandbox.set_faults({"faults": [fault(call, kind) for call in undoing for kind in KINDS]})
    before, recordings = len(it.calls()), []
    for number in range(len(KINDS)):
        watch.follow(meddling=BOOKED, room=f"UNDONE-{number}")
        recordings.append(it.accepted(rehearsal.document(f"UNDONE-{number}")))
        watch.meddled()
    for recording in recordings:
        assert it.until(recording, "failed")["problem"]["code"] == BOOKED.refusal
        assert it.standing(recording) == NOTHING
    made = Counter(it.calls()[before:])
    assert all(made[call] >= rehearsal.calls.count(call) * len(KINDS) + len(NOTHING_DONE) for call in undoing)


def calls_with(it: Stage, name: str) -> list[str]:
    """What a new recording calls, on its way to where it belongs."""
    before = len(it.calls())
    recording = it.accepted(series(name))
    it.until(recording, "scheduled")
    assert it.standing(recording) == REHEARSAL.left
    return it.calls()[before:]


def instead_of_add(*calls: str) -> list[str]:
    position = REHEARSAL.calls.index(ADD)
    return [*REHEARSAL.calls[:position], *calls, *REHEARSAL.calls[position + 1 :]]


def test_row_3_too_late_but_done_is_looked_up_and_adopted(it: Stage) -> None:
    it.sandbox.set_faults({"faults": [fault(ADD, "delay")]})
    assert calls_with(it, "LATE") == instead_of_add(ADD, LOOK, "category.list")  # adopted, if it is what was asked for


def test_row_4_too_late_and_not_done_is_looked_up_twice_and_sent_once_more(it: Stage) -> None:
    def lose(service: str, action: str, phase: Phase) -> None:
        if f"{service}.{action}" == ADD and phase == "before":
            it.sandbox.watch = None
            sleep(LATE)
            raise ConnectionAbortedError

    it.sandbox.watch = lose
    assert calls_with(it, "LOST") == instead_of_add(ADD, LOOK, LOOK, *ADD_AGAIN)


def test_row_6_attempts_are_recorded(it: Stage) -> None:
    it.sandbox.set_faults({"faults": [fault("scheduleEventResource.add", "http_500", 2)]})
    shown = it.until(it.accepted(series("STUMBLING")), "scheduled")
    assert {step["name"]: step["attempts"] for step in shown["chain"]["steps"]}["links"] == 3


def test_row_7_a_pause_that_kaltura_asks_for_is_kept_by_all(it: Stage) -> None:
    """Nothing was done, so nothing is looked up."""
    it.sandbox.set_faults({"faults": [fault(ADD, "http_429")]})
    assert calls_with(it, "TOO-MANY") == instead_of_add(ADD, *ADD_AGAIN)
    refused, again = [one["at"] for one in it.sandbox.requests() if one["service"] == "media"][-2:]
    assert again - refused >= PAUSE
