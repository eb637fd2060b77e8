"""One session in another room: it stays there whatever becomes of the recording, and the feeds of both rooms follow."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.database.types import utc_now
from app.resources.mirror.drift import drift_of
from app.resources.models import Drift, Occurrence, Resource
from tests.recordings.changing.links import half, listed
from tests.recordings.changing.scene import COUNT, HOUR, PAST, TODAY, Scene, begun, document, to_come, watched
from tests.resources.polls import make_round
from tests.service import Json, Lectern, found, pointers, problem, utc


def where(scene: Scene, number: int) -> str:
    uid = scene.uids[number]["id"]
    return next(str(one["resource"]["system_name"]) for one in scene.occurrences() if one["id"] == uid)


def put(scene: Scene, number: int = 20, room: str | None = None, **wanted: Any) -> Json:
    shown: Json = found(scene.move(number, resource=room or scene.other, **wanted))
    return shown


def recorded(scene: Scene, room: str) -> list[Any]:
    return [one.start for one in scene.active(room)]


def test_it_is_recorded_there_and_not_here(scene: Scene) -> None:
    shown = put(scene)
    assert shown["id"] == scene.uids[20]["id"]
    assert (shown["resource"]["system_name"], shown["start"]) == (scene.other, scene.uids[20]["start"])
    assert recorded(scene, scene.other) == [scene.start(20)]
    assert recorded(scene, scene.room) == [scene.start(number) for number in range(PAST, COUNT) if number != 20]
    assert scene.service.get(scene.path)["resource"]["system_name"] == scene.room
    scene.holds()


def test_the_recording_is_found_in_the_list_of_either_room(scene: Scene) -> None:
    def listed(room: str) -> list[str]:
        return [one["id"] for one in scene.service.get("/recordings", resource=room)["items"]]

    assert listed(scene.other) == []
    put(scene)
    assert listed(scene.room) == listed(scene.other) == [scene.id]
    found(scene.cancel(20))
    assert listed(scene.other) == []


@pytest.mark.parametrize("named", ["id", "name", "another case", "object"])
def test_the_room_is_named_as_a_document_names_it(scene: Scene, named: str) -> None:
    ids = {one["systemName"]: one["id"] for one in scene.service.sandbox.state()["resources"]}
    rooms: Json = {
        "id": ids[scene.other],
        "name": scene.other,
        "another case": scene.other.lower(),
        "object": {"system_name": scene.other},
    }
    put(scene, room=rooms[named])
    scene.service.calls()
    put(scene, room=rooms[named])
    assert scene.service.writes() == []  # it is there
    assert where(scene, 20) == scene.other
    scene.holds()


def test_a_room_that_is_new_is_made(scene: Scene) -> None:
    new = f"NEW-{scene.number}"
    put(scene, room={"system_name": new, "name": "New room"})  # type: ignore[arg-type]
    assert recorded(scene, new) == [scene.start(20)]
    scene.holds()


def test_time_and_room_change_at_once(scene: Scene) -> None:
    shown = put(scene, start=scene.local(20, hours=5), duration_minutes=30)
    assert (utc(shown["start"]), utc(shown["end"])) == (scene.start(20, hours=5), scene.start(20, hours=5.5))
    assert recorded(scene, scene.other) == [scene.start(20, hours=5)]
    scene.holds()


def test_nobody_else_takes_its_room_while_the_recording_moves_to_another_hour(scene: Scene) -> None:
    put(scene)
    wanted = document(scene, resource=scene.other, reference_id=None, start=scene.local(20, hours=2), recurrence=None)
    said = list[Json]()

    def book_too() -> None:  # all is looked at by now, and nothing is linked yet
        said.append(found(scene.service.schedule(wanted, prefer="wait=1"), 202))

    with watched(scene.service, "scheduleEventResource.add", "before", book_too):
        scene.changed(start=scene.local(hours=2))
    refused = scene.service.until(said[0]["id"], "failed")
    assert refused["problem"]["code"] == "schedule_conflict"
    assert recorded(scene, scene.other) == [scene.start(20, hours=2)]


def test_it_moves_on_from_there_to_another_time_to_a_third_room_and_back(scene: Scene) -> None:
    put(scene)
    found(scene.move(20, start=scene.local(20, hours=5)))
    assert recorded(scene, scene.other) == [scene.start(20, hours=5)]
    put(scene, room=scene.third)
    assert (recorded(scene, scene.other), recorded(scene, scene.third)) == ([], [scene.start(20, hours=5)])
    scene.holds()
    put(scene, room=scene.room, start=scene.local(20))
    assert recorded(scene, scene.third) == []
    assert recorded(scene, scene.room) == [scene.start(number) for number in range(PAST, COUNT)]
    scene.holds()


def test_where_it_is_already_nothing_is_asked(scene: Scene) -> None:
    scene.asked()
    put(scene, room=scene.room)
    assert scene.asked() == []
    assert scene.steps()[:1] == ["resource"]  # its first chain is its last


# And then


@pytest.mark.parametrize(
    "change",
    [
        {"title": "New"},
        {"start": "later"},
        {"resource": "third"},
        {"resource": "other"},
        {"resource": "third", "start": "later"},
        {"exclude": [20]},
        {"exclude": [21, 22]},
        {"recurrence": {"frequency": "daily", "count": 18}},
        {"location": "Room 1", "organizer": "Dean"},
    ],
    ids=str,
)
def test_it_stays_where_it_was_put_whatever_the_recording_becomes(scene: Scene, change: Json) -> None:
    put(scene, start=scene.local(20, hours=5))
    wanted = dict(change)
    if "start" in change:
        wanted["start"] = scene.local(hours=2)
    if "resource" in change:
        wanted["resource"] = getattr(scene, change["resource"])
    if "exclude" in change:
        wanted["exclude"] = [scene.day(number) for number in change["exclude"]]
    for one in (wanted, {"title": "Newer"}, {"resource": scene.room, "recurrence": {"count": COUNT}}):
        scene.changed(**one)
        assert scene.start(20, hours=5) in recorded(scene, scene.other)
        assert where(scene, 20) == scene.other
        scene.holds()


def test_it_follows_the_recording_s_time_if_it_alone_was_put_elsewhere(scene: Scene) -> None:
    put(scene)
    for hours in (2, 3):
        scene.changed(start=scene.local(hours=hours))
        assert recorded(scene, scene.other) == [scene.start(20, hours=hours)]
        scene.holds()
    scene.changed(resource=scene.third, start=scene.local(), exclude=[scene.day(20), scene.day(22)])
    assert recorded(scene, scene.other) == [scene.start(20)]
    assert scene.start(22) not in recorded(scene, scene.third)
    scene.holds()


def test_once_it_is_back_it_is_as_all_others(scene: Scene) -> None:
    put(scene)
    put(scene, room=scene.room)
    scene.service.calls()
    scene.changed(title="New")
    scene.holds()
    scene.changed(start=scene.local(hours=2))
    assert recorded(scene, scene.room) == [scene.start(number, hours=2) for number in range(PAST, COUNT)]
    scene.holds()
    scene.changed(exclude=[scene.day(20)])
    assert scene.start(20, hours=2) not in recorded(scene, scene.room)
    scene.holds()


def test_its_words_follow_the_recording_s(scene: Scene) -> None:
    put(scene)
    scene.changed(title="New")
    (event,) = {one.event_id for one in scene.active(scene.other)}
    assert next(one["summary"] for one in scene.events() if one["id"] == event) == "New"
    feed = scene.service.get(f"/resources/{scene.other}/upcoming", to="2099-01-01T00:00:00Z")["occurrences"]
    assert [one["title"] for one in feed] == ["New"]


def test_cancelled_there_it_is_restored_there(scene: Scene) -> None:
    put(scene)
    found(scene.cancel(20))
    assert recorded(scene, scene.other) == []
    scene.changed(resource=scene.third)
    scene.holds()
    assert found(scene.restore(20))["resource"]["system_name"] == scene.other
    assert recorded(scene, scene.other) == [scene.start(20)]
    scene.holds()


def test_a_cancelled_session_that_is_put_elsewhere_is_held_there(scene: Scene) -> None:
    found(scene.cancel(20))
    assert put(scene)["status"] == "scheduled"
    assert recorded(scene, scene.other) == [scene.start(20)]
    scene.holds()


def test_the_end_of_the_recording_is_its_end(scene: Scene) -> None:
    put(scene)
    scene.deleted()
    assert (recorded(scene, scene.room), recorded(scene, scene.other)) == ([], [])


def test_a_recording_that_is_to_come_goes_with_all_that_it_has(service: Lectern) -> None:
    scene = to_come(service)
    put(scene)
    scene.deleted()
    assert scene.sessions() == []


# Conflicts, and refusals


def taken(scene: Scene, room: str, number: int = 20, **more: Any) -> Json:
    """Somebody else's recording in a room at a session's time."""
    other: Json = {"title": "Other", "resource": room, "start": scene.local(number), "duration_minutes": 60}
    return scene.service.made({**other, "time_zone": scene.recording["time_zone"], **more})


@pytest.mark.parametrize("by", ["Lectern", "Kaltura"])
def test_a_room_that_is_taken_refuses_it_and_nothing_changes(scene: Scene, by: str) -> None:
    booked = taken(scene, scene.other)
    if by == "Kaltura":  # for Lectern's own sake it is nobody's
        (event,) = booked["kaltura"]["events"]
        scene.service.kaltura.update(event["id"], referenceId="theirs")
        with scene.service.app.state.database.write() as session:
            session.execute(update(Occurrence).where(col(Occurrence.booking_id) == booked["id"]).values(resource_id=1))
    before = scene.sessions()
    refused = problem(scene.move(20, resource=scene.other), 409, "schedule_conflict")
    assert [utc(one["start"]) for one in refused["conflicts"]] == [scene.start(20)]
    assert scene.sessions() == before
    assert where(scene, 20) == scene.room
    scene.holds()


def test_what_is_in_its_old_room_is_not_in_its_way(scene: Scene) -> None:
    taken(scene, scene.other, 21)
    put(scene)  # back to back with nothing
    taken(scene, scene.room, 20)  # the old place is free at once
    scene.holds()


def test_on_conflict_allow_puts_it_beside_what_is_there(service: Lectern) -> None:
    scene = begun(service, on_conflict="allow")
    taken(scene, scene.other)
    put(scene)
    assert recorded(scene, scene.other) == [scene.start(20)]


def test_two_sessions_of_one_recording_do_not_meet_in_one_room(scene: Scene) -> None:
    put(scene)
    found(scene.move(21, start=scene.local(20)))  # where the first one was
    problem(scene.move(22, start=scene.local(20), resource=scene.other), 409, "schedule_conflict")
    scene.holds()


def test_a_recording_that_moves_to_the_room_meets_its_own_session_there(scene: Scene) -> None:
    """At another time of its day, at which the series is now to be held."""
    put(scene, start=scene.local(21))
    problem(scene.patch(resource=scene.other), 409, "schedule_conflict")
    assert where(scene, 21) == scene.room
    scene.holds()


@pytest.mark.parametrize(
    ("service_name", "action"),
    [("schedule_scheduleEvent", "add"), ("schedule_scheduleEventResource", "add")],
)
def test_what_kaltura_refuses_is_undone(scene: Scene, service_name: str, action: str) -> None:
    before = scene.sessions()
    scene.service.fault("error", service_name, action, code="INVALID_PARAMETER_CHAR")
    problem(scene.move(20, resource=scene.other), 422, "refused_by_kaltura")
    scene.service.heal()
    assert scene.sessions() == before
    assert (where(scene, 20), recorded(scene, scene.other)) == (scene.room, [])
    scene.holds()


@pytest.mark.parametrize("room", ["NOPE-404", 987654])
def test_a_room_that_is_nowhere_is_told_at_its_pointer(scene: Scene, room: str | int) -> None:
    answer = scene.move(20, resource=room)
    assert pointers(problem(answer, 422, "resource_not_found")) == ["/resource"]
    scene.holds()


def test_what_runs_stays_in_its_room(service: Lectern) -> None:
    scene = begun(service, ahead=-HOUR / 2)
    problem(scene.move(TODAY, resource=scene.other), 409, "occurrence_over")
    scene.holds()


# Swapped, and mended


def test_a_batch_minds_it_where_it_is(scene: Scene) -> None:
    """Its place in the recording's room is free for another recording, that in the other room is not."""
    put(scene)
    mover = begun(scene.service)
    shift = {"start": scene.local(20), "recurrence": None, "time_zone": scene.recording["time_zone"]}
    for room, status in ((scene.other, 409), (scene.room, 200)):
        change = {"id": mover.id, "patch": {"resource": room, **shift}}
        answer = scene.service.client.post("/recordings/batch", json={"changes": [change]})
        assert answer.status_code == status, answer.text
    scene.holds()


def series_of(scene: Scene, event_id: int) -> int:
    """The id of the event that is on the room, of one of its sessions."""
    return next(int(one.get("parentId") or one["id"]) for one in scene.events() if one["id"] == event_id)


def noted(scene: Scene, kind: str, number: int, room: str, **more: Any) -> None:
    uid = scene.uids[number]["id"]
    resource_id = next(one["id"] for one in scene.service.sandbox.state()["resources"] if one["systemName"] == room)
    with scene.service.app.state.database.write() as session:
        about = {"resource_id": resource_id, "key": uid, "booking_id": scene.id, "occurrence_id": uid}
        session.add(Drift(**about, kind=kind, confirmed=True, **more))


def test_what_is_missing_there_is_made_again_there(scene: Scene) -> None:
    put(scene)
    (event,) = [one.event_id for one in scene.active(scene.other)]
    series = series_of(scene, event)
    scene.service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=series)
    noted(scene, "missing", 20, scene.other)
    found(scene.service.client.post(f"{scene.path}/resume"))
    assert recorded(scene, scene.other) == [scene.start(20)]
    assert recorded(scene, scene.room) == [scene.start(number) for number in range(PAST, COUNT) if number != 20]
    scene.holds()


def test_what_its_list_leaves_out_is_linked_again_there(scene: Scene) -> None:
    put(scene)
    (event,) = [one.event_id for one in scene.active(scene.other)]
    room = scene.service.get(f"/resources/{scene.other}")["id"]
    series = series_of(scene, event)
    link = {"scheduleEventId": series, "scheduleResourceId": room}
    scene.service.kaltura("schedule_scheduleEventResource", "delete", **link)
    half(scene.service, indexed=0)
    scene.service.kaltura.link(series, room)
    scene.service.heal()
    assert listed(scene, scene.other) == []
    noted(scene, "unlisted", 20, scene.other, event_id=event)
    found(scene.service.client.post(f"{scene.path}/resume"))
    assert listed(scene, scene.other) == [event]
    scene.holds()


def test_if_its_own_room_is_gone_resume_brings_it_home(scene: Scene) -> None:
    put(scene, start=scene.local(20, hours=5))
    room = next(one["id"] for one in scene.service.sandbox.state()["resources"] if one["systemName"] == scene.other)
    scene.service.kaltura("schedule_scheduleResource", "delete", scheduleResourceId=room)
    make_round(scene.service)
    with scene.service.app.state.database.read() as session:
        assert session.get_one(Resource, room).gone_since
        assert [one["kind"] for one in drift_of(session, [scene.id])[scene.id]] == ["resource_gone"]
    found(scene.service.client.post(f"{scene.path}/resume"))
    assert where(scene, 20) == scene.room
    assert scene.start(20, hours=5) in recorded(scene, scene.room)
    scene.holds()


def test_the_feeds_of_both_rooms_follow_within_one_answer(scene: Scene) -> None:
    def seen(room: str) -> list[str]:
        until = f"{utc_now() + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
        shown = scene.service.get(f"/resources/{room}/upcoming", to=until, limit=500)["occurrences"]
        return [one["uid"] for one in shown]

    scene.holds()
    uid = scene.uids[20]["id"]
    put(scene)
    assert (uid in seen(scene.room), seen(scene.other)) == (False, [uid])
    put(scene, room=scene.room)
    assert (uid in seen(scene.room), seen(scene.other)) == (True, [])
