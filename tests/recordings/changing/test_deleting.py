"""`DELETE /recordings/{id}`: what lies ahead is cancelled, what was recorded stays, whatever stands in the way."""

from datetime import timedelta

import pytest

from app.chains.models import Chain
from app.kaltura.client import KalturaClient
from app.kaltura.types import Entry
from tests.recordings.changing.scene import COUNT, PAST, Scene, begun, document, to_come
from tests.service import NOTHING, Json, Lectern, eventually, found, problem

Left = dict[str, list[Json]]


def left(scene: Scene) -> Left:
    """What stands in Kaltura for the recording."""
    state, own = scene.service.sandbox.state(), scene.events()
    ids = {one["id"] for one in own}
    return {
        "entries": [
            one for one in state["entries"] if str(one.get("referenceId", "")).startswith(f"lectern-{scene.id}-0-")
        ],
        "events": own,
        "event_resources": [one for one in state["event_resources"] if one["eventId"] in ids],
    }


def lose_patience(scene: Scene) -> None:
    """The chain that waits now has waited for a day."""
    with scene.service.app.state.database.write() as session:
        chain = session.get_one(Chain, scene.service.get(scene.path)["chain"]["id"])
        chain.tried, chain.next_attempt_at = 1e9, 0.0
        session.add(chain)
    scene.service.app.state.workers.nudge()


def test_before_it_begins_nothing_is_left_but_the_room(service: Lectern) -> None:
    scene = to_come(service)
    shown = scene.deleted()
    assert left(scene) == NOTHING
    assert (shown["status"], shown["occurrence_count"]) == ("cancelled", 0)
    assert shown["kaltura"] == {"template_entry_id": None, "events": []}
    assert {(one["status"], one["event_id"]) for one in scene.occurrences()} == {("cancelled", None)}
    assert service.get(f"/resources/{scene.room}")["system_name"] == scene.room
    scene.holds()


def test_in_the_middle_the_past_stays(scene: Scene) -> None:
    shown = scene.deleted()
    assert (shown["status"], shown["occurrence_count"]) == ("cancelled", PAST)
    assert [one["status"] for one in scene.occurrences()] == ["past"] * PAST + ["cancelled"] * (COUNT - PAST)
    assert [(event["kind"], event["occurrences"]) for event in shown["kaltura"]["events"]] == [("series", PAST)]
    assert (len(left(scene)["entries"]), len(left(scene)["event_resources"])) == (1, 1)
    scene.holds()


def test_what_runs_now_goes_on(service: Lectern) -> None:
    scene = begun(service, ahead=timedelta(minutes=-10))
    scene.deleted()
    assert [one.start for one in scene.active(scene.room)] == [scene.start(PAST)]
    scene.holds()


def test_past_cancellations_and_holidays_stay_as_they_were(service: Lectern) -> None:
    scene = begun(service, holidays=[14, 15, 20])
    scene.deleted()
    assert [scene.status(number) for number in (13, 14, 15, 16, 20)] == [
        *("past", "excluded", "excluded", "cancelled", "excluded")
    ]
    scene.holds()


def test_after_its_end_nothing_changes_in_kaltura(service: Lectern) -> None:
    scene = begun(service, ahead=timedelta(days=-COUNT))
    assert scene.deleted()["status"] == "cancelled"
    assert service.writes() == []
    scene.holds()


def test_twice_is_harmless(scene: Scene) -> None:
    first = scene.deleted()
    scene.service.calls()
    assert scene.deleted() == first
    assert scene.asked() == []


def test_one_that_was_changed_in_many_ways_goes_as_a_whole(scene: Scene) -> None:
    scene.changed(start=scene.local(hours=2))
    assert scene.move(20, start=scene.local(40)).status_code == 200
    assert scene.cancel(21).status_code == 200
    scene.changed(resource=scene.other, exclude=[scene.day(22)])
    assert scene.restore(21).status_code == 200
    scene.deleted()
    assert len(scene.sessions()) == PAST
    scene.holds()


def test_an_entry_that_has_media_stays(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = to_come(service)
    entry_id = scene.entry()["id"]
    mine = scene.entry()["referenceId"]
    filled = Entry(id=entry_id, name="t", status=2, reference_id=mine, object_type="KalturaMediaEntry")
    monkeypatch.setattr(KalturaClient, "get_entry", lambda *_: filled)  # the sandbox takes no media
    shown = scene.deleted()
    assert shown["kaltura"] == {"template_entry_id": entry_id, "events": []}
    assert [one["id"] for one in left(scene)["entries"]] == [entry_id]


def test_its_reference_is_free_again(scene: Scene) -> None:
    scene.deleted()
    again = scene.service.made(document(scene, on_conflict="allow"))
    assert (again["reference_id"], again["id"] != scene.id) == (scene.reference, True)


@pytest.mark.parametrize("gone", ["series", "single session", "entry", "link"])
def test_row_23_what_was_deleted_by_hand_counts_as_done(scene: Scene, gone: str) -> None:
    """Row 23 of the fault table."""
    kaltura, series = scene.service.kaltura, scene.recording["kaltura"]["events"][0]["id"]
    if gone == "series":
        kaltura("schedule_scheduleEvent", "delete", scheduleEventId=series)
    elif gone == "single session":
        assert scene.move(20, start=scene.local(20, hours=3)).status_code == 200
        alone = scene.recording = scene.service.get(scene.path)
        kaltura("schedule_scheduleEvent", "delete", scheduleEventId=alone["kaltura"]["events"][1]["id"])
    elif gone == "entry":
        kaltura("media", "delete", entryId=scene.recording["kaltura"]["template_entry_id"])
    else:
        room = scene.recording["resource"]["id"]
        kaltura("schedule_scheduleEventResource", "delete", scheduleEventId=series, scheduleResourceId=room)
    assert scene.deleted()["status"] == "cancelled"
    assert scene.active(scene.room) == []


# While something else goes on


STEPS = {
    "resource": ("schedule_scheduleResource", "list"),
    "conflicts": ("schedule_scheduleEvent", "getConflicts"),
    "template_entry": ("media", "add"),
    "events": ("schedule_scheduleEvent", "add"),
    "links": ("schedule_scheduleEventResource", "add"),
}


def waits_at(scene: Scene, step: str) -> None:
    def waits() -> bool:
        chain = scene.service.get(scene.path)["chain"]
        return (step, "waiting") in [(one["name"], one["status"]) for one in chain["steps"]]

    eventually(waits)


@pytest.mark.parametrize(
    ("step", "stuck"),
    [
        *(("resource", False), ("resource", True), ("conflicts", True), ("template_entry", False)),
        *(("events", False), ("links", False), ("links", True)),
    ],
)
def test_a_recording_that_is_being_made_is_undone(service: Lectern, step: str, stuck: bool) -> None:
    scene = to_come(service)
    service.fault("http_500", *STEPS[step])
    fresh = document(scene, reference_id=None, resource=scene.other, title="second")
    scene.recording = found(service.schedule(fresh, prefer="respond-async"), 202)
    waits_at(scene, step)
    if stuck:
        lose_patience(scene)
        assert service.until(scene.id, "stuck")["problem"]["code"] == "stuck"
    service.heal()
    shown = found(service.client.delete(scene.path))
    assert (shown["status"], shown["problem"]) == ("cancelled", None)
    eventually(lambda: left(scene) == NOTHING)
    eventually(lambda: service.get(f"{scene.path}/history")["items"][1]["finished_at"])
    chains = service.get(f"{scene.path}/history")["items"]
    assert [(chain["operation"], chain["status"]) for chain in chains] == [
        *(("cancel", "succeeded"), ("schedule", "failed"))
    ]
    shown = service.get(scene.path)
    assert (shown["status"], shown["problem"]) == ("cancelled", None)
    assert shown["kaltura"] == {"template_entry_id": None, "events": []}


@pytest.mark.parametrize(("step", "stuck"), [("conflicts", False), ("events", False), ("links", True)])
def test_a_change_on_its_way_is_undone_and_the_rest_cancelled(scene: Scene, step: str, stuck: bool) -> None:
    service = scene.service
    service.fault("http_500", *STEPS[step])
    wanted = {"start": scene.local(hours=2), "title": "New", "reference_id": f"{scene.reference}-new"}
    found(service.client.patch(scene.path, json=wanted, headers={"Prefer": "respond-async"}), 202)
    waits_at(scene, step)
    if stuck:
        lose_patience(scene)
        service.until(scene.id, "stuck")
    service.heal()
    assert found(service.client.delete(scene.path))["status"] == "cancelled"
    eventually(lambda: service.get(f"{scene.path}/history")["items"][1]["finished_at"])
    assert [(chain["operation"], chain["status"]) for chain in service.get(f"{scene.path}/history")["items"]] == [
        *(("cancel", "succeeded"), ("update", "failed"), ("schedule", "succeeded"))
    ]
    shown = service.get(scene.path)
    assert (shown["status"], shown["title"], shown["reference_id"]) == ("cancelled", "Linear Algebra", scene.reference)
    scene.holds()
    for reference in (scene.reference, f"{scene.reference}-new"):
        service.made(document(scene, reference_id=reference, resource=scene.other, on_conflict="allow"))


def test_a_change_past_its_point_of_no_return_is_finished_first(scene: Scene) -> None:
    service = scene.service
    service.fault("http_500", "schedule_scheduleEvent", "update")
    wanted = {"start": scene.local(hours=2)}
    found(service.client.patch(scene.path, json=wanted, headers={"Prefer": "respond-async"}), 202)
    waits_at(scene, "retire")
    found(service.client.delete(scene.path, headers={"Prefer": "respond-async"}), 202)
    service.heal()
    service.until(scene.id, "cancelled", 30.0)
    assert [chain["status"] for chain in service.get(f"{scene.path}/history")["items"]] == ["succeeded"] * 3
    scene.holds()


def test_a_cancellation_waits_for_kaltura_and_encoders_see_it_at_once(scene: Scene) -> None:
    service = scene.service
    service.fault("http_500", "schedule_scheduleEvent", "update")
    shown = found(service.client.delete(scene.path, headers={"Prefer": "respond-async"}), 202)
    assert shown["status"] == "cancelling"
    eventually(lambda: scene.scheduled() == [])
    again = found(service.client.delete(scene.path, headers={"Prefer": "wait=0"}))
    assert again["status"] == "cancelling"
    service.heal()
    service.until(scene.id, "cancelled", 30.0)
    scene.holds()


def test_a_cancellation_that_is_stuck_is_taken_up_by_the_next_delete(scene: Scene) -> None:
    service = scene.service
    service.fault("http_500", "schedule_scheduleEvent", "update")
    found(service.client.delete(scene.path, headers={"Prefer": "respond-async"}), 202)
    waits_at(scene, "retire")
    lose_patience(scene)
    service.until(scene.id, "stuck")
    service.heal()
    assert scene.deleted()["status"] == "cancelled"
    assert len(service.get(f"{scene.path}/history")["items"]) == 2
    scene.holds()


def test_a_failed_recording_has_nothing_to_cancel(scene: Scene) -> None:
    clash = scene.service.schedule(document(scene, reference_id=None))
    failed = problem(clash, 409, "schedule_conflict")["recording_id"]
    assert found(scene.service.client.delete(f"/recordings/{failed}"))["status"] == "failed"
    assert scene.service.get(f"/recordings/{failed}")["chain"]["operation"] == "schedule"
