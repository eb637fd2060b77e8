"""What a batch asks Kaltura before it is answered: one list for each room, and nothing where nobody waits."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.access.keys import Client
from app.recordings.changing import batch
from app.recordings.changing.batch_schemas import Batch, BatchChange
from app.resources.mirror.listing import EVERY
from app.resources.rounds import RESOURCES, read_within
from tests.recordings.changing.scene import Scene, begun
from tests.recordings.changing.test_batch import send
from tests.recordings.changing.test_conflicts import book
from tests.service import Json, Lectern, eventually, found, problem


class Counting:
    """A client of Kaltura's that counts what it is asked."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked = Counter[str]()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def ask(*given: Any, **more: Any) -> Any:
            self.asked[name] += 1
            return getattr(self._client, name)(*given, **more)

        return ask


def looked(service: Lectern, changes: list[tuple[Scene, Json]], *, asks: bool) -> Counter[str]:
    """What is asked before it is answered."""
    asked = Batch(changes=[BatchChange(id=scene.id, patch=patch) for scene, patch in changes])
    counting, client = Counting(service.app.state.kaltura), Client("local")
    zone = ZoneInfo("UTC")
    batch.check(service.app.state.database, counting, client, asked, "UTC", zone, asks=asks)  # type: ignore[arg-type]
    return counting.asked


@pytest.fixture
def scenes(service: Lectern) -> list[Scene]:
    """Six recordings, two to a room."""
    first = [begun(service) for _ in range(3)]
    return [*first, *(begun(service, resource=one.room, start=one.local(hours=2)) for one in first)]


def rooms_are_known(service: Lectern) -> None:
    """The list of all resources was read lately."""

    def is_new() -> bool:
        with service.app.state.database.read() as session:
            return read_within(session, RESOURCES, EVERY)

    service.app.state.refreshers.ask()
    eventually(is_new)


def rotated(scenes: list[Scene]) -> list[tuple[Scene, Json]]:
    """The recordings of each room go to the next one."""
    rooms = [scene.room for scene in scenes]
    there = [*rooms[1:3], rooms[0]] * 2
    return [(one, {"resource": room}) for one, room in zip(scenes, there, strict=True)]


def test_each_room_is_asked_for_once_however_many_changes_there_are(service: Lectern, scenes: list[Scene]) -> None:
    asked = looked(service, rotated(scenes), asks=True)
    assert asked == {"list_resources": 3, "list_events_on_resource": 3, "get_conflicts": 1}


def test_nothing_is_asked_where_nobody_waits(service: Lectern, scenes: list[Scene]) -> None:
    rooms_are_known(service)
    assert looked(service, rotated(scenes), asks=False) == {}


def test_a_room_that_is_not_known_is_asked_for_all_the_same(service: Lectern, scenes: list[Scene]) -> None:
    rooms_are_known(service)
    new: Json = {"resource": {"system_name": f"new-{scenes[0].number}"}}
    assert looked(service, [(scenes[0], new), (scenes[3], new)], asks=False) == {"list_resources": 1}


def test_what_lectern_knows_is_in_the_way_at_once(service: Lectern, scenes: list[Scene]) -> None:
    first, second, *_ = scenes
    answer = send(service, (first, {"resource": second.room}), prefer="respond-async")
    shown = problem(answer, 409, "schedule_conflict")
    assert {pair["booked"]["recording_id"] for pair in shown["conflicts"]} == {second.id}


def test_what_somebody_booked_in_kaltura_refuses_that_change_after_the_answer(
    service: Lectern, scenes: list[Scene]
) -> None:
    first, second, *_ = scenes
    book(first, first.start(20, hours=5.5), first.room)
    patches = (first, {"start": first.local(hours=5)}), (second, {"title": "New"})
    found(send(service, *patches, prefer="respond-async"), 202)
    for scene in (first, second):
        scene.until_settled()
    assert service.get(second.path)["title"] == "New"
    refused = service.get(first.path)
    assert (refused["status"], refused["chain"]["status"]) == ("scheduled", "failed")
    first.holds()
    shown = problem(send(service, *patches), 409, "schedule_conflict")
    assert len(shown["conflicts"]) == 1


def test_a_batch_is_accepted_while_kaltura_is_away(service: Lectern, scenes: list[Scene]) -> None:
    rooms_are_known(service)
    changes = rotated(scenes)
    service.fault("http_500")
    answer = send(service, *changes, prefer="respond-async")
    service.heal()
    assert {one["outcome"] for one in found(answer, 202)["items"]} == {"pending"}
    for scene, change in changes:
        scene.until_settled()
        assert service.get(scene.path)["resource"]["system_name"] == change["resource"]
