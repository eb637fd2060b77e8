"""Batches whose parts depend on each other, and what must be true whatever becomes of them."""

from collections.abc import Sequence
from itertools import pairwise

from httpx2 import Response

from app.database.types import utc_now
from tests.recordings.changing.scene import Scene
from tests.service import Json, Lectern, utc

Change = tuple[Scene, Json]
REFUSAL = {"categories": ["No such"]}  # what Kaltura does not take


def send(service: Lectern, *changes: Change, **headers: str) -> Response:
    listed = [{"id": scene.id, "patch": patch} for scene, patch in changes]
    return service.client.post("/recordings/batch", json={"changes": listed}, headers=headers)


def rotated(scenes: Sequence[Scene], refused: int | None = None) -> list[Change]:
    """Each goes where the next one is, the last one where the first is. The part of a number will be refused."""
    rooms = [scene.room for scene in scenes]
    return [
        (scene, {"resource": room, **(REFUSAL if number == refused else {})})
        for number, (scene, room) in enumerate(zip(scenes, rooms[1:] + rooms[:1], strict=True))
    ]


def outcomes(answer: Response) -> list[str]:
    return [one["outcome"] for one in answer.json()["items"]]


def where(scenes: Sequence[Scene]) -> list[str]:
    """The room that each has by Lectern's word."""
    return [scene.service.get(scene.path)["resource"]["system_name"] for scene in scenes]


def nobody_meets(service: Lectern, scenes: Sequence[Scene]) -> None:
    """No two sessions that lie ahead are in one room at one time: in Kaltura, and in SQL."""
    state, now = service.sandbox.state(), utc_now()
    in_kaltura = [
        (room, one.start, one.end, scene.number)
        for scene in scenes
        for one in scene.sessions(state)
        if one.status == "active" and one.start > now
        for room in one.rooms
    ]
    in_sql = [
        (room, utc(one["start"]), utc(one["end"]), scene.number)
        for scene, room in zip(scenes, where(scenes), strict=True)
        for one in scene.scheduled()
        if utc(one["start"]) > now
    ]
    for booked in (in_kaltura, in_sql):
        for (room, start, end, number), (later_room, later, _, other) in pairwise(sorted(booked)):
            assert room != later_room or end <= later, f"{number} and {other} are both in {room} at {start}, {later}"
    assert sorted(in_kaltura) == sorted(in_sql)


def are_as(service: Lectern, scenes: Sequence[Scene], rooms: Sequence[str]) -> None:
    """They are in these rooms, nobody meets another, and Kaltura, SQL and the feeds agree."""
    assert where(scenes) == list(rooms)
    nobody_meets(service, scenes)
    for scene in scenes:
        scene.holds()
    with service.app.state.database.read() as session:
        assert session.connection().exec_driver_sql("SELECT key FROM lane").all() == []
