"""Killed at every moment of every change: in the end it is what it would have been, and the past is untouched.

In one process, which abandons the chain where it stands: tests/changes/test_kill.py does the same with real ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from httpx2 import Response

from tests.changes.house import House, die, house
from tests.changes.scene import Scene, begun, to_come
from tests.service import READING, Json, found

CHANNEL = "Canvas>site>channels>1234"
Act = Callable[[Scene], Response]


@dataclass(frozen=True)
class Case:
    """`prepare` is done before, and undisturbed; `calls` are the writing calls that it must come to."""

    act: Act
    calls: tuple[str, ...]
    prepare: tuple[Act, ...] = ()
    begin: Callable[..., Scene] = begun


WORDS = {"title": "New", "owner": "lecturer2", "categories": [CHANNEL]}
CANCEL, MOVE = (lambda scene: scene.cancel(25)), (lambda scene: scene.move(20, start=scene.local(20, hours=5)))
CASES = {
    "words": Case(
        lambda scene: scene.patch(**WORDS),
        ("media.update", "scheduleEvent.update", "categoryEntry.add", "categoryEntry.delete"),
    ),
    "retime": Case(
        lambda scene: scene.patch(start=scene.local(hours=2)),
        (
            *("scheduleEvent.add", "scheduleEvent.cancel", "scheduleEvent.cancel"),
            *("scheduleEventResource.add", "scheduleEvent.update"),
        ),
        prepare=(CANCEL,),
    ),
    "room": Case(
        lambda scene: scene.patch(resource=scene.other, title="New"),
        (
            *("media.update", "scheduleEvent.update", "scheduleEvent.add", "scheduleEvent.add"),
            *("scheduleEvent.cancel", "scheduleEvent.cancel", "scheduleEventResource.add", "scheduleEventResource.add"),
            *("scheduleEvent.update", "scheduleEvent.delete"),
        ),
        prepare=(MOVE,),
    ),
    "exclusions": Case(
        lambda scene: scene.patch(exclude=[scene.day(number) for number in (18, 27)]),
        ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.cancel", "scheduleEvent.cancel"),
    ),
    "shorter": Case(lambda scene: scene.patch(recurrence={"count": 24}), ("scheduleEvent.update",)),
    "move": Case(MOVE, ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.cancel")),
    "move again": Case(
        lambda scene: scene.move(20, start=scene.local(50)),
        ("scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.delete"),
        prepare=(MOVE,),
    ),
    "cancel_occurrence": Case(CANCEL, ("scheduleEvent.cancel",)),
    "restore": Case(
        lambda scene: scene.restore(25), ("scheduleEvent.add", "scheduleEventResource.add"), prepare=(CANCEL,)
    ),
    "cancel": Case(
        lambda scene: scene.service.client.delete(scene.path),
        ("scheduleEvent.update", "scheduleEvent.delete"),
        prepare=(MOVE,),
    ),
    "cancel before it begins": Case(
        lambda scene: scene.service.client.delete(scene.path),
        ("scheduleEvent.delete", "media.delete"),
        begin=to_come,
    ),
}
each_case = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as running:
        yield running


def prepared(service: House, case: Case) -> Scene:
    """A recording with a holiday, as it is before the change."""
    scene = case.begin(service, holidays=[22])
    for act in case.prepare:
        found(act(scene), 202)
        service.settle()
    scene.look()
    return scene


def picture(scene: Scene) -> Json:
    """What can be seen of a recording in Kaltura and in SQL, ids and absolute times left out.

    Whatever was done to it, SQL's scheduled sessions are Kaltura's active ones, and the past is what it was.
    """
    shown, rows, state = scene.service.get(scene.path), scene.occurrences(), scene.service.sandbox.state()
    sessions, events = scene.sessions(state), scene.events(state)
    ahead = [one for one in sessions if one not in scene.before]
    assert sessions[: len(scene.before)] == scene.before
    active = sorted((f"{one.start:%Y-%m-%dT%H:%M:%SZ}", one.event_id) for one in ahead if one.status == "active")
    assert active == sorted((one["start"], one["event_id"]) for one in rows if one["status"] == "scheduled")
    numbers = {one["id"]: one["referenceId"].rpartition("-")[2] for one in events}
    entries = [one for one in state["entries"] if one.get("referenceId") == f"lectern-{scene.id}-0"]
    known = {one["id"] for one in scene.uids}
    return {
        "recording": {name: shown[name] for name in ("status", "title", "owner", "categories", "occurrence_count")},
        "events": [(event["kind"], event["occurrences"]) for event in shown["kaltura"]["events"]],
        "series": sorted((numbers[one["id"]], one["summary"]) for one in events if "parentId" not in one),
        "sessions": [(one.start, one.end, numbers[one.event_id], one.status, one.rooms) for one in ahead],
        "entries": [(one["name"], one["userId"], one["categories"]) for one in entries],
        "rows": [(one["id"] in known, one["status"], one["start"]) for one in rows],
    }


def rehearsed(service: House, scene: Scene, case: Case) -> tuple[Json, list[str]]:
    """What an undisturbed change comes to, and its moments."""
    service.calls()
    found(case.act(scene), 202)
    moments = service.settle()
    assert tuple(service.writes()) == case.calls
    return picture(scene), moments


@each_case
def test_killed_at_any_moment_it_comes_to_the_same(service: House, name: str) -> None:
    case = CASES[name]
    scene = prepared(service, case)
    start = service.keep()
    wanted, moments = rehearsed(service, scene, case)
    for number, moment in enumerate(moments):
        service.back_to(start)
        found(case.act(scene), 202)
        assert len(service.settle(number, die)) > number
        assert picture(scene) == wanted, f"killed at {number}, {moment} of {moments}"


@each_case
@pytest.mark.parametrize("fault", ["drop_after", "http_500"])
def test_an_answer_that_is_lost_changes_nothing_about_the_end(service: House, name: str, fault: str) -> None:
    case = CASES[name]
    scene = prepared(service, case)
    start = service.keep()
    wanted, moments = rehearsed(service, scene, case)
    for number, (moment, call) in enumerate(pairwise(moments)):
        if moment == "commit" and call != "commit" and call.split(".")[1] not in READING:
            service.back_to(start)
            found(case.act(scene), 202)
            service.settle(number, lambda: service.fault(fault, times=1))
            assert picture(scene) == wanted, f"{fault} at {call}, {number} of {moments}"


# Undone

REFUSED = {
    "links": ("schedule_scheduleEventResource", "add"),  # the last that can be refused
    "events": ("schedule_scheduleEvent", "add"),
}


@pytest.mark.parametrize("step", REFUSED)
@pytest.mark.parametrize("name", ["room", "retime", "exclusions", "move again", "restore"])
def test_killed_at_any_moment_of_its_undoing_everything_is_as_before(service: House, name: str, step: str) -> None:
    case = CASES[name]
    scene = prepared(service, case)
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
