"""A batch, and sessions that somebody has put in a room of their own: each counts where it is."""

from collections import defaultdict
from collections.abc import Callable

import pytest
from httpx2 import Response

from tests.recordings.changing.scene import Scene, begun, watched
from tests.recordings.changing.test_rooms import put, taken
from tests.recordings.changing.together import REFUSAL, outcomes, send, where
from tests.service import Json, Lectern, found, problem, utc

Change = Callable[[Scene, Json], Response]


def alone(scene: Scene, patch: Json) -> Response:
    return scene.patch(**patch)


def in_a_batch(scene: Scene, patch: Json) -> Response:
    return send(scene.service, (scene, patch))


def in_a_batch_that_asks_nobody(scene: Scene, patch: Json) -> Response:
    return send(scene.service, (scene, patch), prefer="respond-async")


@pytest.fixture
def scene(service: Lectern) -> Scene:
    """A recording whose session number 20 is in another room."""
    made = begun(service)
    put(made)
    return made


def later(scene: Scene) -> Json:
    return {"start": scene.local(hours=2)}


def once(scene: Scene, room: str, **later: float) -> Json:
    """A change to one session, on the day of number 20."""
    return {"resource": room, "start": scene.local(20, **later), "recurrence": None}


@pytest.mark.parametrize("change", [alone, in_a_batch])
def test_what_is_in_the_recording_s_room_at_its_time_is_not_in_its_way(scene: Scene, change: Change) -> None:
    taken(scene, scene.room, start=scene.local(20, hours=2))
    found(change(scene, later(scene)))
    assert [one.start for one in scene.active(scene.other)] == [scene.start(20, hours=2)]
    scene.holds()


@pytest.mark.parametrize("change", [alone, in_a_batch, in_a_batch_that_asks_nobody])
def test_what_is_in_its_own_room_at_its_time_is_in_its_way(scene: Scene, change: Change) -> None:
    other = taken(scene, scene.other, start=scene.local(20, hours=2))
    (pair,) = problem(change(scene, later(scene)), 409, "schedule_conflict")["conflicts"]
    assert (utc(pair["start"]), pair["booked"]["recording_id"]) == (scene.start(20, hours=2), other["id"])
    scene.holds()


def test_another_change_of_the_batch_may_go_to_the_recording_s_room_then_and_not_to_its_own(scene: Scene) -> None:
    mover = begun(scene.service)
    for room, status in ((scene.other, 409), (scene.room, 200)):
        answer = send(scene.service, (scene, later(scene)), (mover, once(scene, room, hours=2)))
        assert answer.status_code == status, answer.text
    scene.holds()


@pytest.mark.parametrize(("room", "told"), [("other", "not_applied"), ("room", "applied")])
def test_who_goes_where_it_leaves_its_own_room_depends_on_it(scene: Scene, room: str, told: str) -> None:
    """The recording's room is free then, whether the recording changes or not."""
    mover = begun(scene.service)
    answer = send(scene.service, (mover, once(scene, getattr(scene, room))), (scene, later(scene) | REFUSAL))
    assert outcomes(answer) == [told, "refused"]
    assert where([mover, scene]) == [mover.room if told == "not_applied" else scene.room, scene.room]
    mover.holds()
    scene.holds()


def test_those_that_are_changed_together_have_its_room_together_too(service: Lectern, scene: Scene) -> None:
    """Or one would wait for a room that the other has passed by."""
    other = begun(service)
    ids = {one["systemName"]: one["id"] for one in service.sandbox.state()["resources"]}
    held = defaultdict[str, set[int]](set)

    def look() -> None:
        with service.app.state.database.read() as session:
            for chain_id, key in session.connection().exec_driver_sql("SELECT chain_id, key FROM lane"):
                if key.startswith("resource:"):
                    held[chain_id].add(int(key.partition(":")[2]))

    with watched(service, "scheduleEvent.update", "before", look):  # both go on from here
        found(send(service, (scene, {"resource": other.room}), (other, {"resource": scene.room})))
    assert list(held.values()) == [{ids[room] for room in (scene.room, other.room, scene.other)}] * 2
    for one in (scene, other):
        one.holds()
