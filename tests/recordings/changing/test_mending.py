"""What somebody deleted in Kaltura that is no session: the template entry is made again, the resource found again."""

from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.resources.models import Drift, Mirror
from app.sandbox.seed.seed import CATEGORY_ID
from tests.recordings.changing.scene import CAMERA, COUNT, PAST, Scene, begun, document, to_come
from tests.service import Json, Lectern, found, problem

CHANNEL = "Canvas>site>channels>1234"


def entry_deleted(scene: Scene) -> str:
    """Somebody deletes the template entry. Its id."""
    entry_id = str(scene.recording["kaltura"]["template_entry_id"])
    scene.service.kaltura("media", "delete", entryId=entry_id)
    return entry_id


def drifted(scene: Scene, kind: str) -> None:
    """As the mirror's rounds note it."""
    row = {"resource_id": scene.recording["resource"]["id"], "key": f"{kind}:{scene.id}", "booking_id": scene.id}
    if kind == "template_entry_gone":
        row["template_entry_id"] = scene.recording["kaltura"]["template_entry_id"]
    with scene.service.app.state.database.write() as session:
        session.merge(Drift(**row, kind=kind, confirmed=True))
        of_room = update(Mirror).where(col(Mirror.resource_id) == row["resource_id"])
        session.execute(of_room.values(fence=col(Mirror.fence) + 1, due_at=None))  # no look takes it back meanwhile


def entries(scene: Scene) -> list[Json]:
    state = scene.service.sandbox.state()
    return [one for one in state["entries"] if str(one.get("referenceId", "")).startswith(f"lectern-{scene.id}-")]


def recorded_with(scene: Scene) -> set[Any]:
    """The template entries of what lies ahead, in Kaltura and in the feed."""
    ahead = {one.event_id for one in scene.active(scene.recording["resource"]["system_name"])}
    shown = {one["templateEntryId"] for one in scene.events() if one["id"] in ahead}
    scene.service.app.state.feed.versions.expire()
    room = scene.recording["resource"]["system_name"]
    feed = scene.service.get(f"/resources/{room}/upcoming", limit=500)["occurrences"]
    return shown | {one["template_entry_id"] for one in feed if one["recording_id"] == scene.id}


def is_mended(scene: Scene, gone: str) -> Json:
    """One new entry, which the recording knows and everything ahead is recorded with. It, as Kaltura has it."""
    scene.recording = scene.service.get(scene.path)
    (entry,) = entries(scene)
    assert entry["id"] == scene.recording["kaltura"]["template_entry_id"] != gone
    assert recorded_with(scene) == {entry["id"]}
    scene.holds()
    return entry


# The template entry


@pytest.mark.parametrize("change", ["title", "people and categories", "time", "room", "exclusions"])
def test_a_patch_makes_the_template_entry_again(service: Lectern, change: str) -> None:
    scene = begun(service, owner="lecturer1", editors=["ta1"])
    found(scene.cancel(25))
    scene.look()
    gone = entry_deleted(scene)
    wanted: dict[str, Json] = {
        "title": {"title": "New", "description": "As it is now"},
        "people and categories": {"owner": "lecturer2", "categories": [CHANNEL]},
        "time": {"start": scene.local(hours=2)},
        "room": {"resource": scene.other},
        "exclusions": {"exclude": [scene.day(20)]},
    }
    scene.changed(**wanted[change])
    entry = is_mended(scene, gone)
    said = {"title": "Linear Algebra", "description": "Section 01", "owner": "lecturer1", **wanted[change]}
    assert (entry["name"], entry["description"], entry["userId"]) == (said["title"], said["description"], said["owner"])
    assert (entry["entitledUsersEdit"], entry["tags"]) == ("ta1", "mathematics")
    named = {one["id"]: one["fullName"] for one in service.sandbox.state()["categories"]}
    assert entry["categories"] == (CHANNEL if "categories" in said else named[CATEGORY_ID])
    assert scene.status(25) == "cancelled"
    assert {one["templateEntryId"] for one in scene.events()} == {entry["id"]}


@pytest.mark.parametrize("seen", [True, False], ids=["seen by the mirror", "met by a chain that mends something else"])
def test_resume_makes_the_template_entry_again(service: Lectern, seen: bool) -> None:
    scene = begun(service, holidays=[22])
    found(scene.move(20, start=scene.local(20, hours=5)))
    scene.look()
    gone = entry_deleted(scene)
    drifted(scene, "template_entry_gone" if seen else "replaced")
    shown = found(service.client.post(f"{scene.path}/resume"))
    assert (shown["chain"]["operation"], shown["chain"]["status"]) == ("mend", "succeeded")
    assert is_mended(scene, gone)["name"] == "Linear Algebra"
    assert scene.status(22) == "excluded"


def test_a_session_that_is_moved_is_recorded_with_a_new_entry_and_one_that_is_cancelled_needs_none(
    service: Lectern,
) -> None:
    scene = begun(service)
    gone = entry_deleted(scene)
    found(scene.cancel(25))
    assert entries(scene) == []
    found(scene.move(20, start=scene.local(20, hours=5)))
    is_mended(scene, gone)


def test_a_change_that_is_refused_leaves_no_new_entry_behind(service: Lectern) -> None:
    scene = begun(service)
    gone = entry_deleted(scene)
    before = {one["id"]: one["templateEntryId"] for one in scene.events()}
    service.fault("error", "schedule_scheduleEventResource", "add", code="INVALID_PARAMETER_CHAR")
    problem(scene.patch(start=scene.local(hours=2), title="New"), 422, "refused_by_kaltura")
    service.heal()
    assert entries(scene) == []
    assert {one["id"]: one["templateEntryId"] for one in scene.events()} == before
    assert service.get(scene.path)["kaltura"]["template_entry_id"] == gone
    scene.changed(start=scene.local(hours=2), title="New")
    is_mended(scene, gone)


def test_a_category_that_is_unknown_by_now_is_said(service: Lectern) -> None:
    scene = begun(service)
    entry_deleted(scene)
    answer = problem(scene.patch(categories=["No such"]), 422, "category_not_found")
    assert answer["errors"][0]["pointer"] == "/categories/0"
    assert entries(scene) == []


def test_a_template_entry_that_is_there_costs_a_change_one_look(scene: Scene) -> None:
    scene.changed(start=scene.local(hours=2))
    assert scene.asked().count("media.get") == 1
    assert entries(scene) == [scene.entry()]


# The resource


def replaced(scene: Scene) -> int:
    """The camera is deleted, and another one has its name. The new one's id."""
    kaltura = scene.service.kaltura
    kaltura("schedule_scheduleResource", "delete", scheduleResourceId=scene.recording["resource"]["id"])
    new = {**CAMERA, "name": scene.room, "systemName": scene.room}
    made: int = kaltura("schedule_scheduleResource", "add", scheduleResource=new)["id"]
    drifted(scene, "resource_gone")
    return made


def on_resource(scene: Scene, resource_id: int) -> list[int]:
    """The starts of what is active on it."""
    state = scene.service.sandbox.state()
    linked = {link["eventId"] for link in state["event_resources"] if link["resourceId"] == resource_id}
    return sorted(
        one["startDate"]
        for one in scene.events(state)
        if one["recurrenceType"] != 1 and one["status"] == 2 and {one["id"], one.get("parentId")} & linked
    )


def test_resume_moves_what_lies_ahead_to_the_resource_that_has_its_name_now(service: Lectern) -> None:
    scene = begun(service)
    found(scene.cancel(25))
    found(scene.move(20, start=scene.local(20, hours=5)))
    scene.look()
    old, new = scene.recording["resource"]["id"], replaced(scene)
    shown = found(service.client.post(f"{scene.path}/resume"))
    assert (shown["status"], shown["chain"]["operation"]) == ("scheduled", "mend")
    assert shown["resource"] == {"id": new, "system_name": scene.room, "name": scene.room}
    moved = {20: int(scene.start(20, hours=5).timestamp())}
    ahead = [moved.get(number, int(scene.start(number).timestamp())) for number in range(PAST, COUNT) if number != 25]
    assert on_resource(scene, new) == sorted(ahead)
    assert on_resource(scene, old) == [int(scene.start(number).timestamp()) for number in range(PAST)]
    assert [one["id"] for one in scene.occurrences()] == [one["id"] for one in scene.uids]
    feed = service.get(f"/resources/{new}/upcoming", limit=500)["occurrences"]
    assert {one["uid"] for one in feed} <= {one["id"] for one in scene.uids}
    assert len(feed) > 0


def test_a_recording_that_has_not_begun_moves_whole(service: Lectern) -> None:
    scene = to_come(service)
    new = replaced(scene)
    assert found(service.client.post(f"{scene.path}/resume"))["resource"]["id"] == new
    assert len(on_resource(scene, new)) == COUNT
    assert len(scene.sessions()) == COUNT


@pytest.mark.parametrize("by", ["id", "a name that nothing has"])
def test_a_document_whose_resource_is_nowhere_is_a_problem_that_says_so(service: Lectern, by: str) -> None:
    scene = to_come(service)
    room = scene.recording["resource"]["id"]
    if by == "id":
        scene.deleted()
        scene.look(service.made(document(scene, reference_id=None, resource=room)))
    service.kaltura("schedule_scheduleResource", "delete", scheduleResourceId=room)
    drifted(scene, "resource_gone")
    answer = problem(service.client.post(f"{scene.path}/resume"), 422, "resource_not_found")
    assert answer["errors"][0]["pointer"] == "/resource"
    shown = service.get(scene.path)
    assert (shown["status"], shown["occurrence_count"], len(scene.sessions())) == ("scheduled", COUNT, COUNT)
