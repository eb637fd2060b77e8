"""Killed at every moment of every change: in the end it is what it would have been, and the past is untouched.

In one process, which abandons the chain where it stands: tests/changes/test_kill.py does the same with real ones.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.changes.cases import CASES, Case, picture, prepared
from tests.changes.house import House, die, house
from tests.changes.scene import Scene
from tests.service import READING, Json, found

each_case = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as running:
        yield running


def rehearsed(service: House, scene: Scene, case: Case) -> tuple[Json, list[str]]:
    """What an undisturbed change comes to, and its moments."""
    service.calls()
    found(case.act(scene), 202)
    moments = service.settle()
    assert tuple(service.writes()) == case.calls
    return picture(scene), moments


@each_case
def test_rows_1_and_2_killed_at_any_moment_it_comes_to_the_same(service: House, name: str) -> None:
    case = CASES[name]
    scene = prepared(service, case, service.settle)
    start = service.keep()
    wanted, moments = rehearsed(service, scene, case)
    for number, moment in enumerate(moments):
        if moment.rpartition(".")[2] in READING and name != "retime":
            continue  # to die before a question is to die after the commit before it
        service.back_to(start)
        found(case.act(scene), 202)
        assert len(service.settle(number, die)) > number
        assert picture(scene) == wanted, f"killed at {number}, {moment} of {moments}"


@each_case
@pytest.mark.parametrize("fault", ["drop_after", "http_500"])
def test_rows_3_and_6_an_answer_that_is_lost_changes_nothing_about_the_end(
    service: House, name: str, fault: str
) -> None:
    case = CASES[name]
    scene = prepared(service, case, service.settle)
    start = service.keep()
    wanted, moments = rehearsed(service, scene, case)
    for number, (moment, call) in enumerate(pairwise(moments)):
        if moment == "commit" and call != "commit" and call.split(".")[1] not in READING:
            service.back_to(start)
            found(case.act(scene), 202)
            service.settle(number, lambda: service.fault(fault, times=1))
            service.sweep()
            assert picture(scene) == wanted, f"{fault} at {call}, {number} of {moments}"


# Undone

REFUSED = {
    "links": ("schedule_scheduleEventResource", "add"),  # the last that can be refused
    "events": ("schedule_scheduleEvent", "add"),
}


@pytest.mark.parametrize("step", REFUSED)
@pytest.mark.parametrize("name", ["room", "retime", "exclusions", "move again", "restore"])
def test_rows_1_and_2_killed_at_any_moment_of_its_undoing_everything_is_as_before(
    service: House, name: str, step: str
) -> None:
    case = CASES[name]
    scene = prepared(service, case, service.settle)
    start, before = service.keep(), picture(scene)
    refused = f"{REFUSED[step][0].removeprefix('schedule_')}.{REFUSED[step][1]}"
    number = rehearsed(service, scene, case)[1].index(refused)
    moments: list[str] = []
    while number <= len(moments):  # the first time it is not killed
        service.back_to(start)
        found(case.act(scene), 202)
        service.fault("error", *REFUSED[step], code="INVALID_PARAMETER_CHAR")
        there = service.settle(number if moments else None)
        service.heal()
        chain = service.get(scene.path)["chain"]
        assert (chain["status"], [one["name"] for one in chain["steps"] if one["error"]]) == ("failed", [step])
        assert picture(scene) == before, f"killed at {number} of {there}"
        number += bool(moments)
        moments = moments or there
