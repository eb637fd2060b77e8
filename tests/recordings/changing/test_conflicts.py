"""One booking rule for every change: told before anything is made, each pair with whose it is, and nothing changed."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from httpx2 import Response

from tests.recordings.changing.scene import HOUR, Scene, begun, watched
from tests.service import Json, Lectern, found, problem, utc

DAY = 20
Change = Callable[[Scene], Response]


def as_it_is(scene: Scene) -> tuple[Json, list[Json], list[Json]]:
    """The recording without its latest chain, its sessions, and what stands in Kaltura for it."""
    shown = {k: v for k, v in scene.service.get(scene.path).items() if k not in ("chain", "updated_at")}
    return shown, scene.occurrences(), scene.events()


def book(scene: Scene, start: datetime, room: str, **values: Any) -> int:
    """What somebody books in Kaltura itself, for an hour."""
    kaltura = scene.service.kaltura
    times = {"startDate": int(start.timestamp()), "endDate": int((start + HOUR).timestamp())}
    event: Json = kaltura.add_event(summary="Faculty meeting", **times, **values)
    resources = kaltura("schedule_scheduleResource", "list", filter={"systemNameEqual": room})["objects"]
    kaltura.link(event["id"], resources[0]["id"])
    scene.service.calls()
    return int(event["id"])


def record(scene: Scene, start: datetime, room: str) -> str:
    """What somebody else records there, for an hour."""
    wanted = {"title": "Chemistry", "resource": room, "start": start.isoformat(), "duration_minutes": 60}
    recording: Json = scene.service.made_in_time(wanted)
    scene.service.calls()
    return str(recording["id"])


# What is asked, and when and where a single one of its sessions meets something.
CHANGES: dict[str, tuple[Change, Callable[[Scene], tuple[datetime, str]]]] = {
    "time": (
        lambda scene: scene.patch(start=scene.local(hours=2)),
        lambda scene: (scene.start(DAY, hours=2.5), scene.room),
    ),
    "length": (
        lambda scene: scene.patch(duration_minutes=90),
        lambda scene: (scene.start(DAY, hours=1.25), scene.room),
    ),
    "room": (
        lambda scene: scene.patch(resource=scene.other),
        lambda scene: (scene.start(DAY, hours=0.5), scene.other),
    ),
    "extension": (
        lambda scene: scene.patch(recurrence={"count": 40}),
        lambda scene: (scene.start(35, hours=0.5), scene.room),
    ),
    "an exclusion less": (
        lambda scene: scene.patch(exclude=None),
        lambda scene: (scene.start(25, hours=0.5), scene.room),
    ),
    "move": (
        lambda scene: scene.move(DAY, start=scene.local(DAY, hours=4)),
        lambda scene: (scene.start(DAY, hours=4.5), scene.room),
    ),
    "restore": (
        lambda scene: scene.restore(25),
        lambda scene: (scene.start(25, hours=0.5), scene.room),
    ),
}
each_change = pytest.mark.parametrize(("change", "meets"), CHANGES.values(), ids=CHANGES)


@pytest.fixture
def scene(service: Lectern) -> Scene:
    return begun(service, holidays=[25])


@each_change
def test_another_recording_s_session_is_in_the_way(scene: Scene, change: Change, meets: Any) -> None:
    start, room = meets(scene)
    theirs = record(scene, start, room)
    before = as_it_is(scene)
    shown = problem(change(scene), 409, "schedule_conflict")
    (pair,) = shown["conflicts"]
    assert (pair["booked"]["source"], pair["booked"]["recording_id"]) == ("lectern", theirs)
    assert utc(pair["booked"]["start"]) == start
    assert utc(pair["start"]) < start + HOUR
    assert utc(pair["end"]) > start
    assert (shown["recording_id"], shown["step"]) == (scene.id, "conflicts")
    assert as_it_is(scene) == before
    assert scene.service.writes() == []
    scene.holds()


@each_change
def test_what_stands_in_kaltura_is_in_the_way(scene: Scene, change: Change, meets: Any) -> None:
    event_id = book(scene, *meets(scene))
    before = as_it_is(scene)
    (pair,) = problem(change(scene), 409, "schedule_conflict")["conflicts"]
    booked = pair["booked"]
    assert (booked["source"], booked["event_id"], booked["title"]) == ("kaltura", event_id, "Faculty meeting")
    assert as_it_is(scene) == before
    assert scene.service.writes() == []


@each_change
def test_a_blackout_is_in_the_way(scene: Scene, change: Change, meets: Any) -> None:
    start, _ = meets(scene)
    times = {"startDate": int(start.timestamp()), "endDate": int((start + HOUR).timestamp())}
    blackout = {"objectType": "KalturaBlackoutScheduleEvent", "recurrenceType": 0, "summary": "Closed", **times}
    made = scene.service.kaltura("schedule_scheduleEvent", "add", scheduleEvent=blackout)
    before = as_it_is(scene)
    (pair,) = problem(change(scene), 409, "schedule_conflict")["conflicts"]
    assert pair["booked"]["event_id"] == made["id"]
    assert as_it_is(scene) == before
    scene.service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=made["id"])


@each_change
def test_on_conflict_allow_goes_through(service: Lectern, change: Change, meets: Any) -> None:
    scene = begun(service, holidays=[25], on_conflict="allow")
    record(scene, *meets(scene))
    found(change(scene))
    scene.holds()


def test_a_patch_can_allow_it(scene: Scene) -> None:
    record(scene, scene.start(DAY, hours=2), scene.room)
    shown = scene.changed(start=scene.local(hours=2), on_conflict="allow")
    assert shown["on_conflict"] == "allow"
    scene.holds()


def test_back_to_back_is_free(scene: Scene) -> None:
    for hours in (1, 3):
        record(scene, scene.start(DAY, hours=hours), scene.room)
    scene.changed(start=scene.local(hours=2))
    scene.holds()


def test_what_is_past_or_excluded_or_cancelled_meets_nothing(scene: Scene) -> None:
    found(scene.cancel(27))
    for number in (3, 25, 27):
        record(scene, scene.start(number), scene.other)
    scene.changed(resource=scene.other)
    scene.holds()


def test_a_session_that_was_cancelled_or_moved_away_leaves_room(scene: Scene) -> None:
    found(scene.cancel(DAY))
    found(scene.move(21, start=scene.local(21, hours=3)))
    for number in (DAY, 21):
        record(scene, scene.start(number), scene.room)
    scene.changed(title="New")
    problem(scene.restore(DAY), 409, "schedule_conflict")
    problem(scene.move(21, start=scene.local(21)), 409, "schedule_conflict")
    scene.holds()


def test_its_old_room_is_free_for_others_after_a_change(scene: Scene) -> None:
    scene.changed(resource=scene.other)
    record(scene, scene.start(DAY), scene.room)


@pytest.mark.parametrize("minutes", [0, 30, -30])
def test_a_session_is_not_moved_onto_another_of_the_same_recording(scene: Scene, minutes: int) -> None:
    before = as_it_is(scene)
    (pair,) = problem(scene.move(21, start=scene.local(22, minutes=minutes)), 409, "schedule_conflict")["conflicts"]
    assert (pair["booked"]["recording_id"], utc(pair["booked"]["start"])) == (scene.id, scene.start(22))
    assert as_it_is(scene) == before
    found(scene.move(21, start=scene.local(22, hours=1)))
    shown = problem(scene.patch(start=scene.local(minutes=30)), 409, "schedule_conflict")
    assert utc(shown["conflicts"][0]["start"]) == scene.start(22, minutes=30)
    scene.holds()


@each_change
def test_what_is_booked_while_the_chain_runs_is_found_before_the_link(scene: Scene, change: Change, meets: Any) -> None:
    start, room = meets(scene)
    before = as_it_is(scene)
    with watched(scene.service, "scheduleEvent.add", "after", lambda: book(scene, start, room)):
        shown = problem(change(scene), 409, "schedule_conflict")
    assert (shown["step"], len(shown["conflicts"])) == ("links", 1)
    assert as_it_is(scene) == before
    scene.holds()


def test_a_conflict_after_a_202_is_in_the_history_and_the_recording_is_as_before(scene: Scene) -> None:
    record(scene, scene.start(DAY, hours=2), scene.room)
    before = as_it_is(scene)
    wanted = {"start": scene.local(hours=2)}
    found(scene.service.client.patch(scene.path, json=wanted, headers={"Prefer": "respond-async"}), 202)
    scene.until_settled()
    chain = scene.service.get(f"{scene.path}/history")["items"][0]
    assert chain["status"] == "failed"
    assert [step["error"]["code"] for step in chain["steps"] if step["error"]] == ["schedule_conflict"]
    assert as_it_is(scene) == before
