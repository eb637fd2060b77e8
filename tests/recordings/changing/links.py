"""Links that Kaltura makes by halves, and what its search engine shows of a room."""

from typing import Any

from app.resources.models import Drift
from tests.recordings.changing.scene import Scene
from tests.service import Lectern

LINK = "schedule_scheduleEventResource"


def half(service: Lectern, times: int = 1, **more: Any) -> None:
    """The next links are made by halves."""
    service.sandbox.set_faults({"modes": {"half_link": {"indexed": 7, "times": times, **more}}})


def listed(scene: Scene, room: str) -> list[int]:
    """The ids of what Kaltura's search engine shows in a room."""
    (number,) = (one["id"] for one in scene.service.sandbox.state()["resources"] if one.get("systemName") == room)
    wanted = {"resourceIdsLike": str(number), "statusEqual": 2, "recurrenceTypeIn": "0,2"}
    page = scene.service.kaltura.events({"pageSize": 500}, **wanted)
    return sorted(one["id"] for one in page["objects"])


def unlisted(scene: Scene) -> set[int]:
    """What is active in the recording's room, and its list does not show."""
    room = scene.service.get(scene.path)["resource"]["system_name"]
    active = {one.event_id for one in scene.sessions() if one.status == "active" and room in one.rooms}
    assert active
    return active - set(listed(scene, room))


def lost(scene: Scene) -> None:
    """Kaltura's search engine has lost the recording's sessions from the room's list: a link was made anew without
    it."""
    (event,) = scene.recording["kaltura"]["events"]
    link = {"scheduleEventId": event["id"], "scheduleResourceId": scene.recording["resource"]["id"]}
    scene.service.kaltura(LINK, "delete", **link)
    half(scene.service)
    scene.service.kaltura.link(event["id"], scene.recording["resource"]["id"])
    scene.service.heal()


def drifted(scene: Scene) -> None:
    """As the mirror notes it once it believes the list."""
    room, left_out = scene.recording["resource"]["id"], unlisted(scene)
    with scene.service.app.state.database.write() as session:
        for one in scene.scheduled():
            if one["event_id"] in left_out:
                about = {"resource_id": room, "key": one["id"], "booking_id": scene.id, "occurrence_id": one["id"]}
                session.add(Drift(**about, kind="unlisted", event_id=one["event_id"], confirmed=True))
