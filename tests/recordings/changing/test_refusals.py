"""What Kaltura refuses in the middle of a change leaves the recording, and Kaltura, exactly as before.

The change writes everything that a change can write before its point of no return: words, categories, two events of
which one is to have a hole, and their links. What is refused after that point is tried again until it is done.
"""

from typing import Any

import pytest

from tests.recordings.changing.scene import Scene, begun, document
from tests.service import READING, Json, Lectern, found, problem

CHANNEL = "Canvas>site>channels>1234"
CODE = "INVALID_PARAMETER_CHAR"
WRITES = [
    "media.update",
    "scheduleEvent.update",
    "categoryEntry.add",
    "categoryEntry.delete",
    "scheduleEvent.add",
    "scheduleEvent.add",
    "scheduleEvent.cancel",
    "scheduleEvent.cancel",
    "scheduleEventResource.add",
    "scheduleEventResource.add",
    "scheduleEvent.update",
    "scheduleEvent.delete",
]
RETURN = 10  # of them can be undone


def prepared(service: Lectern) -> Scene:
    """A recording with a holiday, and a session that was moved."""
    scene = begun(service, holidays=[22])
    found(scene.move(20, start=scene.local(20, hours=5)))
    scene.look()
    service.calls()
    return scene


def wanted(scene: Scene) -> Json:
    return {
        "title": "New",
        "organizer": None,
        "owner": "lecturer2",
        "tags": ["other"],
        "categories": [CHANNEL],
        "resource": scene.other,
        "start": scene.local(hours=2),
        "reference_id": f"{scene.reference}-new",
    }


def strike(scene: Scene, number: int, **fault: Any) -> None:
    """From now on, the writing call of this number is struck, once."""
    service, action = WRITES[number].split(".")
    name = service if service in ("media", "categoryEntry") else f"schedule_{service}"
    left = [number]

    def see(_service: str, action_seen: str, phase: str) -> None:
        if phase == "after" and action_seen not in READING:
            left[0] -= 1
            arm()

    def arm() -> None:
        if left[0] == 0:
            scene.service.sandbox.watch = None
            scene.service.fault(service=name, action=action, times=1, **fault)

    scene.service.sandbox.watch = see
    arm()


def standing(scene: Scene) -> Json:
    """All that Kaltura has of it, but counters and times of its changes; what is empty is as if it were not there."""
    state = scene.service.sandbox.state()
    own = scene.events()
    ids = {one["id"] for one in own}
    entry = scene.service.kaltura("media", "get", entryId=scene.recording["kaltura"]["template_entry_id"])
    return {
        "entry": _filled(entry),
        "events": [_filled(one) for one in own],
        "links": sorted(
            (one["eventId"], one["resourceId"]) for one in state["event_resources"] if one["eventId"] in ids
        ),
    }


def _filled(one: Json) -> Json:
    return {k: v for k, v in one.items() if v != "" and k not in ("updatedAt", "sequence", "searchText")}


def as_shown(scene: Scene) -> Json:
    shown = {k: v for k, v in scene.service.get(scene.path).items() if k not in ("chain", "updated_at")}
    return shown | {"occurrences": scene.occurrences()}


def test_the_change_writes_what_it_is_meant_to_write(service: Lectern) -> None:
    scene = prepared(service)
    scene.changed(**wanted(scene))
    assert service.writes() == WRITES
    scene.holds()


@pytest.mark.parametrize("number", range(RETURN), ids=WRITES[:RETURN])
def test_a_refusal_leaves_everything_as_it_was(service: Lectern, number: int) -> None:
    scene = prepared(service)
    before, shown = standing(scene), as_shown(scene)
    strike(scene, number, fault="error", code=CODE)
    answer = problem(scene.patch(**wanted(scene)), 422, "refused_by_kaltura")
    assert (answer["kaltura_code"], answer["recording_id"]) == (CODE, scene.id)
    assert standing(scene) == before
    assert as_shown(scene) == shown
    scene.holds()
    service.heal()
    scene.changed(**wanted(scene))
    scene.holds()


@pytest.mark.parametrize("number", range(RETURN, len(WRITES)), ids=WRITES[RETURN:])
def test_after_the_point_of_no_return_a_refusal_is_tried_again(service: Lectern, number: int) -> None:
    scene = prepared(service)
    strike(scene, number, fault="error", code=CODE)
    scene.patch(**wanted(scene))
    scene.until_settled()
    assert service.get(scene.path)["chain"]["status"] == "succeeded"
    scene.holds()


def test_a_refused_reference_is_free_again_and_the_old_one_is_kept(service: Lectern) -> None:
    scene = prepared(service)
    strike(scene, 0, fault="error", code=CODE)
    problem(scene.patch(**wanted(scene)), 422, "refused_by_kaltura")
    path = "/recordings/by-reference/"
    assert service.client.put(path + scene.reference, json=document(scene, [22])).status_code == 204
    service.made(document(scene, reference_id=f"{scene.reference}-new", on_conflict="allow"))
