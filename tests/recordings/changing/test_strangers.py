"""A restored backup, a Kaltura that was reset: under the ids that Lectern knows, somebody else has something.

Nothing of a stranger's is touched, whatever is done, and the recording says `not_ours`.
"""

import sys
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from httpx2 import Response
from sqlalchemy import update
from sqlmodel import col

from app.chains.steps import Context, Done, Failed
from app.kaltura.client import KalturaClient
from app.kaltura.types import Event
from app.recordings.scheduling.context import Tools
from app.recordings.scheduling.sweep import SWEEP
from app.recurrence.server import STEADY
from app.resources.models import Mirror
from app.resources.references import reference
from tests.recordings.changing.scene import Scene, begun, document, to_come
from tests.service import Json, Lectern, eventually, found, problem

STRANGERS = {
    "nobody's": "",
    "somebody else's": "room-plan-17",
    "another recording's": reference("rec_01kantf3wq5m2c7j8e9g0h1k3p", 1),
}
Act = Callable[[Scene], Response]
each_stranger = pytest.mark.parametrize("mark", STRANGERS.values(), ids=STRANGERS)


def taken_over(scene: Scene, mark: str, *, entry: bool = True) -> Json:
    """Everything that the recording has in Kaltura is a stranger's from now on. What Kaltura holds then."""
    kaltura = scene.service.kaltura
    for event in scene.service.get(scene.path)["kaltura"]["events"]:
        kaltura.update(event["id"], referenceId=mark, summary="Somebody else's", tags="")
    entry_id = scene.recording["kaltura"]["template_entry_id"]
    if entry and entry_id:
        taken = {"objectType": "KalturaMediaEntry", "referenceId": mark, "name": "Somebody else's"}
        kaltura("media", "update", entryId=entry_id, mediaEntry=taken)
    return scene.service.sandbox.state()


def lost(scene: Scene, number: int) -> None:
    """Somebody cancels a session in Kaltura, and the mirror has seen it."""
    event_id = scene.uids[number]["event_id"]
    scene.service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=event_id)
    eventually(lambda: _drift(scene), 60.0)


def _drift(scene: Scene) -> Json:
    with scene.service.app.state.database.write() as session:
        this = col(Mirror.resource_id) == scene.recording["resource"]["id"]
        session.execute(update(Mirror).where(this).values(due_at=0.0, claimed_at=0.0))
    return scene.service.get(scene.path)["drift"]  # type: ignore[no-any-return]


REFUSED: dict[str, Act] = {
    "title": lambda scene: scene.patch(title="New"),
    "people and categories": lambda scene: scene.patch(owner="lecturer2", categories=["Canvas>site>channels>1234"]),
    "time": lambda scene: scene.patch(start=scene.local(hours=2)),
    "room": lambda scene: scene.patch(resource=scene.other),
    "length": lambda scene: scene.patch(recurrence={"count": 24}),
    "cancel one": lambda scene: scene.cancel(25),
    "move one": lambda scene: scene.move(20, start=scene.local(20, hours=5)),
    "move a moved one": lambda scene: scene.move(21, start=scene.local(21, hours=6)),
    "restore": lambda scene: scene.restore(23),
    "resume": lambda scene: scene.service.client.post(f"{scene.path}/resume"),
}


def changed_by_hand(service: Lectern) -> Scene:
    """A recording with a session that was moved, and one that was cancelled."""
    scene = begun(service)
    found(scene.move(21, start=scene.local(21, hours=5)))
    found(scene.cancel(23))
    scene.look()
    return scene


@each_stranger
@pytest.mark.parametrize("name", REFUSED)
def test_a_change_touches_nothing_of_a_stranger_s(service: Lectern, name: str, mark: str) -> None:
    scene = changed_by_hand(service)
    if name == "resume":
        lost(scene, 26)
    theirs = taken_over(scene, mark)
    before = scene.service.get(scene.path)
    answer = problem(REFUSED[name](scene), 409, "not_ours")
    assert answer["recording_id"] == scene.id
    sessions = {one["event_id"] for one in scene.uids}  # those that it would have cancelled
    assert set(answer["kaltura_ids"]) <= {one["id"] for one in before["kaltura"]["events"]} | sessions
    assert service.sandbox.state() == theirs
    shown = service.get(scene.path)
    assert (shown["status"], shown["title"], shown["kaltura"]) == ("scheduled", before["title"], before["kaltura"])
    assert [one["error"]["code"] for one in shown["chain"]["steps"] if one["error"]] == ["not_ours"]
    assert len(scene.scheduled()) == len([one for one in scene.uids if one["status"] == "scheduled"])


@each_stranger
@pytest.mark.parametrize("begin", [begun, to_come])
def test_a_cancellation_touches_nothing_of_a_stranger_s_and_a_person_is_told_at_once(
    service: Lectern, begin: Callable[[Lectern], Scene], mark: str
) -> None:
    scene = begin(service)
    theirs = taken_over(scene, mark)
    shown = found(service.client.delete(scene.path), 202)
    assert (shown["status"], shown["chain"]["status"], shown["problem"]["code"]) == ("stuck", "stuck", "not_ours")
    assert service.sandbox.state() == theirs
    assert scene.scheduled() == []  # no encoder is told of them any more
    assert "stuck" in service.client.get("/readyz").text
    assert found(service.client.post(f"{scene.path}/resume"), 202)["problem"]["code"] == "not_ours"
    assert service.sandbox.state() == theirs


def test_when_kaltura_is_right_again_the_cancellation_is_taken_up(service: Lectern) -> None:
    scene = to_come(service)
    mine = scene.events()[0]["referenceId"]
    taken_over(scene, "stranger", entry=False)
    assert found(service.client.delete(scene.path), 202)["status"] == "stuck"
    service.kaltura.update(scene.recording["kaltura"]["events"][0]["id"], referenceId=mine)
    assert scene.deleted()["status"] == "cancelled"
    assert (scene.events(), scene.recording["problem"]) == ([], None)


def test_a_template_entry_that_is_a_stranger_s_is_left_alone(service: Lectern) -> None:
    """By all that would write into it, or delete it."""
    scene = to_come(service)
    entry_id = scene.recording["kaltura"]["template_entry_id"]
    taken = {"objectType": "KalturaMediaEntry", "referenceId": "SIS-1", "name": "Somebody else's"}
    service.kaltura("media", "update", entryId=entry_id, mediaEntry=taken)
    theirs = service.sandbox.state()
    assert problem(scene.patch(title="New"), 409, "not_ours")["kaltura_ids"] == [entry_id]
    assert service.sandbox.state() == theirs
    assert found(service.client.delete(scene.path), 202)["problem"]["code"] == "not_ours"
    assert service.sandbox.state()["entries"] == theirs["entries"]


def test_what_becomes_a_stranger_s_while_a_change_waits_is_not_touched(service: Lectern) -> None:
    """Past its point of no return: what it makes stays, and what it would end is left alone."""
    scene = begun(service)
    (old,) = scene.recording["kaltura"]["events"]
    service.fault("http_500", "schedule_scheduleEvent", "update")
    found(service.client.patch(scene.path, json={"start": scene.local(hours=2)}, headers={"Prefer": "wait=0"}), 202)

    def waits() -> bool:
        steps = service.get(scene.path)["chain"]["steps"]
        return ("retire", "waiting") in [(one["name"], one["status"]) for one in steps]

    eventually(waits)
    service.heal()
    service.kaltura.update(old["id"], referenceId="stranger")
    theirs = [one for one in service.sandbox.state()["events"] if one.get("referenceId") == "stranger"]
    shown = eventually(partial(stuck, scene), 20)
    assert shown["problem"]["code"] == "not_ours"
    assert [one for one in service.sandbox.state()["events"] if one.get("referenceId") == "stranger"] == theirs
    assert len(theirs) == 31


def stuck(scene: Scene) -> Json | None:
    shown: Json = scene.service.get(scene.path)
    return shown if shown["status"] == "stuck" else None


def test_an_undoing_touches_nothing_of_a_stranger_s(service: Lectern) -> None:
    """What the chain has made is somebody else's when it is undone at last: it counts as gone."""
    scene = to_come(service)
    faults = [
        {
            "service": "schedule_scheduleEventResource",
            "action": "add",
            "fault": "error",
            "code": "INVALID_PARAMETER_CHAR",
        },
        {"service": "schedule_scheduleEvent", "action": "delete", "fault": "http_500"},
    ]
    service.sandbox.set_faults({"faults": faults})
    before = {one["id"] for one in service.sandbox.state()["events"]}
    fresh = document(scene, reference_id=None, resource=scene.other, title="second")
    accepted = found(service.schedule(fresh, prefer="respond-async"), 202)
    eventually(lambda: "scheduleEvent.delete" in service.calls())
    service.heal()
    (made,) = [one for one in service.sandbox.state()["events"] if one["id"] not in before and "parentId" not in one]
    service.kaltura.update(made["id"], referenceId="stranger", summary="Somebody else's")
    theirs = [one for one in service.sandbox.state()["events"] if one["id"] not in before]
    shown = service.until(accepted["id"], "failed", 20.0)
    assert shown["problem"]["kaltura_code"] == "INVALID_PARAMETER_CHAR"
    assert [one for one in service.sandbox.state()["events"] if one["id"] not in before] == theirs


# The sweep


def test_a_sweep_removes_nothing_that_is_not_the_recording_s(service: Lectern) -> None:
    scene = to_come(service)
    state, entry_id = taken_over(scene, "stranger"), scene.recording["kaltura"]["template_entry_id"]
    event_id = scene.recording["kaltura"]["events"][0]["id"]
    remove = next(step for step in SWEEP if step.name == "remove")
    results = {"look": {"event:1": [event_id], "entry:0": [entry_id]}}
    tools = Tools(service.app.state.kaltura, service.app.state.database, STEADY)
    context = Context("chn", f"sweep:{scene.id}", {"subject": scene.id}, results, tools)
    calls = remove.calls(context)
    assert remove.check is not None
    refusal = remove.check(context, calls)
    assert isinstance(refusal, Failed)
    assert (refusal.error["code"], refusal.error["kaltura_ids"]) == ("not_ours", [event_id])
    for call in calls:
        assert isinstance(remove.send(context, call), Failed)
    assert service.sandbox.state() == state


@pytest.mark.parametrize("modes", [{}, {"half_delete": {"answer": "success"}}], ids=["whole", "by halves"])
def test_a_sweep_removes_what_is_the_recording_s(service: Lectern, modes: Json) -> None:
    scene = to_come(service)
    service.sandbox.set_faults({"modes": modes})
    remove = next(step for step in SWEEP if step.name == "remove")
    results = {"look": {"event:1": [scene.recording["kaltura"]["events"][0]["id"]]}}
    tools = Tools(service.app.state.kaltura, service.app.state.database, STEADY)
    context = Context("chn", f"sweep:{scene.id}", {"subject": scene.id}, results, tools)
    assert [remove.send(context, call) for call in remove.calls(context)] == [Done()]
    assert [one for one in scene.events() if one["status"] == 2] == []


# What it costs


def test_a_step_reads_all_its_events_in_one_list_and_a_run_none_twice(service: Lectern) -> None:
    """Three sessions that leave: they and their series are read together, before anything else."""
    scene = begun(service)
    service.calls()
    scene.changed(exclude=[scene.day(number) for number in (18, 22, 27)])
    listed = [
        request["params"]["filter"]["idIn"]
        for request in service.sandbox.requests()
        if (request["action"], "idIn" in request["params"].get("filter", {})) == ("list", True)
    ]
    series = str(scene.recording["kaltura"]["events"][0]["id"])
    events = service.sandbox.state()["events"]
    mine = {series, *(str(one["id"]) for one in events if str(one.get("parentId")) == series)}
    # Other tests' chains may still ask for theirs.
    asked = [ids for ids in (set(one.split(",")) for one in listed) if ids <= mine]
    assert [len(ids) for ids in asked if series in ids] == [4]


def test_a_new_recording_costs_no_reading(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a run has made itself is its own."""
    asked = list[tuple[str, list[int]]]()
    original = KalturaClient.list_events

    def listed(client: KalturaClient, ids: Sequence[int], **how: bool) -> list[Event]:
        asked.append((sys._getframe(1).f_code.co_name, list(ids)))
        return original(client, ids, **how)

    monkeypatch.setattr(KalturaClient, "list_events", listed)
    begun(service, holidays=[18, 22])
    assert [ids for caller, ids in asked if caller == "make_sure" and ids] == []
