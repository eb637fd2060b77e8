"""What is linked is on the room's list, all of it; what Kaltura links by halves is unlinked and linked again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.kaltura.answers import Listed
from app.kaltura.client import KalturaClient
from app.kaltura.errors import Refused
from app.recordings.scheduling import links
from app.resources.models import Mirror
from tests.recordings.changing.links import LINK, half, listed, lost, unlisted
from tests.recordings.changing.scene import COUNT, Scene, begun, document, to_come, watched
from tests.recordings.changing.together import are_as, rotated, send, where
from tests.service import NOTHING, Json, Lectern, eventually, found, problem

LINK_CALLS = ("scheduleEventResource.add", "scheduleEventResource.delete")
GONE_FOR_GOOD = 10**6  # half-done calls


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for an index that does not lag."""
    monkeypatch.setattr(links, "LOOKS", 1)
    monkeypatch.setattr(links, "INDEX_LAG", 0.0)


def links_of(service: Lectern) -> list[str]:
    return [call.partition(".")[2] for call in service.calls() if call in LINK_CALLS]


def second(scene: Scene, **changes: Any) -> Json:
    """Another document, in a room where nothing is booked."""
    return document(scene, reference_id=None, resource=scene.other, **{"holidays": [5], **changes})


# A document


@pytest.mark.parametrize("answer", ["success", "none", "http_502"])
def test_a_series_that_was_linked_by_halves_is_linked_again_before_it_is_scheduled(
    service: Lectern, answer: str
) -> None:
    scene = to_come(service)
    half(service, answer=answer)
    service.calls()
    scene.look(service.until(found(service.schedule(second(scene), prefer="wait=0"), 202)["id"], "scheduled", 20.0))
    assert links_of(service) == ["add"] * (1 if answer == "success" else 2) + ["delete", "add"]
    assert not unlisted(scene)
    assert len(listed(scene, scene.other)) == COUNT - 1


def test_whether_a_document_is_all_listed_is_asked_in_the_request_that_links_it(service: Lectern) -> None:
    scene = to_come(service)
    service.trips()
    service.made(second(scene))
    linking = [trip for trip in service.trips() if "scheduleEventResource.add" in trip]
    assert linking == [["scheduleEventResource.add", "scheduleEvent.list"]]


def test_a_series_that_was_linked_without_the_search_engine_is_linked_again(service: Lectern) -> None:
    scene = to_come(service)

    def engine(down: bool) -> None:
        service.sandbox.set_faults({"modes": {"engine_down": down}})

    with watched(service, "scheduleEventResource.add", "before", lambda: engine(True)):
        accepted = found(service.schedule(second(scene, on_conflict="allow"), prefer="wait=0"), 202)
        eventually(lambda: service.get(f"/recordings/{accepted['id']}")["chain"]["status"] == "waiting", 20.0)
    engine(False)
    service.client.post(f"/recordings/{accepted['id']}/resume", headers={"Prefer": "wait=0"})
    scene.look(service.until(accepted["id"], "scheduled", 20.0))
    assert not unlisted(scene)


def test_an_index_that_lags_is_waited_for(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "LOOKS", 10)
    scene = to_come(service)
    service.calls()
    with watched(
        service,
        "scheduleEventResource.add",
        "before",
        lambda: service.sandbox.set_faults({"modes": {"index_lag": 1.0}}),
    ):
        scene.look(service.made(second(scene)))
    assert links_of(service) == ["add"]
    assert not unlisted(scene)


def test_nothing_fails_as_long_as_an_index_may_lag(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "INDEX_LAG", 600.0)
    scene = to_come(service)
    half(service, GONE_FOR_GOOD)
    accepted = found(service.schedule(second(scene), prefer="wait=0"), 202)
    path = f"/recordings/{accepted['id']}"

    def says() -> str:
        chain = service.get(path)["chain"]
        error = next(one["error"] for one in chain["steps"] if one["name"] == "links")
        return str((error or {}).get("detail", ""))

    eventually(lambda: "though they were linked again" in says(), 30.0)
    assert service.get(path)["status"] == "scheduling"
    service.heal()
    found(service.client.delete(path), 202 if service.get(path)["chain"]["finished_at"] is None else 200)


def test_what_is_never_listed_is_a_failure_that_says_what_is_missing(service: Lectern) -> None:
    scene = to_come(service)
    before = service.left()
    half(service, GONE_FOR_GOOD)
    service.calls()
    shown = problem(service.schedule(second(scene), prefer="wait=30"), 502, "schedule_differs")
    assert links_of(service) == ["add", *["delete", "add"] * links.AGAIN]
    assert (shown["step"], len(shown["missing"])) == ("links", COUNT - 1 - 6)  # of the seven, one is excluded
    assert shown["missing"][-1] == [f"{scene.start(29, hours=hours):%Y-%m-%dT%H:%M:%SZ}" for hours in (0, 1)]
    assert f"6 of {COUNT - 1} sessions" in shown["detail"]
    assert service.left() == before


def test_what_somebody_cancels_meanwhile_is_not_waited_for(service: Lectern) -> None:
    scene = to_come(service)

    def cancel() -> None:
        event = next(one for one in service.sandbox.state()["events"] if one["startDate"] == int(start.timestamp()))
        service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=event["id"])

    start = scene.start(20, hours=2)
    service.calls()
    with watched(service, "scheduleEventResource.add", "after", cancel):
        service.made(second(scene, start=scene.local(hours=2)))
    assert links_of(service) == ["add"]


def test_a_list_that_is_too_long_is_looked_at_in_halves(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    def limited(look: Callable[..., Listed[Any]]) -> Callable[..., Listed[Any]]:
        def too_many(client: KalturaClient, resource_id: int, start: datetime, end: datetime) -> Listed[Any]:
            if timedelta(days=10) < end - start < timedelta(days=400):  # the mirror, which sees decades, is left alone
                raise Refused("QUERY_EXCEEDED_MAX_MATCHES_ALLOWED")
            return look(client, resource_id, start, end)

        return too_many

    scene = to_come(service)
    for name in ("list_events_on_resource", "list_briefly_on_resource"):
        monkeypatch.setattr(KalturaClient, name, limited(getattr(KalturaClient, name)))
    half(service)
    scene.look(service.made(second(scene)))
    assert not unlisted(scene)
    taken = problem(service.schedule(second(scene)), 409, "schedule_conflict")
    assert taken["step"] == "conflicts"


def test_what_is_booked_where_nobody_could_see_it_is_a_conflict_when_it_is_linked_again(service: Lectern) -> None:
    """It was free by the list of the room: somebody has booked it there."""
    scene = to_come(service)
    (room,) = (one["id"] for one in service.sandbox.state()["resources"] if one.get("systemName") == scene.other)
    half(service)

    def book() -> None:
        start, end = (int(scene.start(20, hours=hours).timestamp()) for hours in (0, 1))
        service.kaltura.link(service.kaltura.add_event(startDate=start, endDate=end)["id"], room)

    with watched(service, "scheduleEventResource.add", "after", book):
        shown = problem(service.schedule(second(scene), prefer="wait=30"), 409, "schedule_conflict")
    assert (shown["step"], len(shown["conflicts"])) == ("links", 1)


# A change


@pytest.mark.parametrize("change", ["time", "room", "restore", "move"])
def test_a_change_that_was_linked_by_halves_is_linked_again(service: Lectern, change: str) -> None:
    scene = begun(service)
    found(scene.cancel(25))
    half(service, indexed=0)
    service.calls()
    changes: dict[str, Callable[[], object]] = {
        "time": lambda: scene.changed(start=scene.local(hours=2)),
        "room": lambda: scene.changed(resource=scene.other),
        "restore": lambda: found(scene.restore(25)),
        "move": lambda: found(scene.move(20, start=scene.local(20, hours=5))),
    }
    changes[change]()
    assert links_of(service)[-2:] == ["delete", "add"]
    scene.holds()
    assert not unlisted(scene)


def test_a_change_that_is_never_listed_leaves_everything_as_it_was(service: Lectern) -> None:
    scene = begun(service)
    before = listed(scene, scene.room)
    half(service, GONE_FOR_GOOD, indexed=0)
    answer = service.client.patch(scene.path, json={"start": scene.local(hours=2)}, headers={"Prefer": "wait=30"})
    assert len(problem(answer, 502, "schedule_differs")["missing"]) > 1
    assert listed(scene, scene.room) == before
    scene.holds()


@pytest.mark.parametrize("times", [1, 2, GONE_FOR_GOOD])
def test_recordings_that_swap_rooms_are_linked_whole_or_not_at_all(service: Lectern, times: int) -> None:
    scenes = [begun(service) for _ in range(2)]
    before = where(scenes)
    half(service, times, indexed=0)
    answer = send(service, *rotated(scenes), prefer="wait=30")
    service.heal()
    assert answer.status_code == (207 if times == GONE_FOR_GOOD else 200), answer.text
    are_as(service, scenes, before if times == GONE_FOR_GOOD else before[::-1])
    assert [unlisted(scene) for scene in scenes] == [set(), set()]


# What is found later


def drift_of(scene: Scene) -> list[Json]:
    """After another look at the room, whose list has been odd for long."""
    here = update(Mirror).where(col(Mirror.resource_id) == scene.recording["resource"]["id"])
    with scene.service.app.state.database.write() as session:
        session.execute(here.values(due_at=0.0, claimed_at=0.0))
        session.execute(here.where(col(Mirror.doubted_at).is_not(None)).values(doubted_at=0.0))
    shown: list[Json] = scene.service.get(scene.path)["drift"]
    return shown


def seen(scene: Scene) -> list[Json]:
    scene.service.client.get(f"/resources/{scene.room}/upcoming")
    return eventually(lambda: drift_of(scene), 30.0)


def test_sessions_that_the_list_has_lost_are_drift_and_resume_links_them_again(service: Lectern) -> None:
    scene = begun(service)
    kept = scene.scheduled()
    lost(scene)
    drift = seen(scene)
    ahead = [one["id"] for one in kept][-len(drift) :]
    assert {one["kind"] for one in drift} == {"unlisted"}
    assert [one["occurrence_id"] for one in drift] == ahead
    service.calls()
    shown = found(service.client.post(f"{scene.path}/resume"))
    assert (shown["chain"]["operation"], shown["chain"]["status"], shown["drift"]) == ("mend", "succeeded", [])
    assert links_of(service) == ["delete", "add"]
    assert scene.scheduled() == kept
    assert not unlisted(scene)
    scene.holds()
    eventually(lambda: drift_of(scene) == [], 20.0)


def test_a_series_that_was_unlinked_and_refused_the_new_link_goes_on_being_told_and_is_mended_by_the_next_resume(
    service: Lectern,
) -> None:
    """What would lose lectures: the room has nothing in Kaltura then."""
    scene = begun(service)
    kept = scene.scheduled()
    lost(scene)
    seen(scene)
    service.fault("error", LINK, "add", code="INVALID_FIELD_VALUE", times=1)
    problem(service.client.post(f"{scene.path}/resume"), 422, "refused_by_kaltura")
    assert scene.scheduled() == kept
    service.app.state.feed.versions.expire()
    feed = service.get(f"/resources/{scene.room}/upcoming", limit=500)["occurrences"]
    assert [one["uid"] for one in feed] == [one["id"] for one in kept]
    assert seen(scene)
    found(service.client.post(f"{scene.path}/resume"))
    assert not unlisted(scene)
    eventually(lambda: drift_of(scene) == [], 20.0)
    assert len(scene.scheduled()) == len(kept)


def test_a_room_where_somebody_has_booked_what_it_did_not_list_is_not_booked_twice(service: Lectern) -> None:
    scene = begun(service)
    lost(scene)
    seen(scene)
    start, end = (int(scene.start(25, hours=hours).timestamp()) for hours in (0, 1))
    service.kaltura.link(
        service.kaltura.add_event(startDate=start, endDate=end)["id"], scene.recording["resource"]["id"]
    )
    before = service.left()
    shown = problem(service.client.post(f"{scene.path}/resume"), 409, "schedule_conflict")
    assert (shown["step"], len(shown["conflicts"])) == ("links", 1)
    assert service.left() == before


def test_a_series_that_is_moved_to_another_room_is_not_linked_in_the_new_one(service: Lectern) -> None:
    scene = begun(service)
    lost(scene)
    seen(scene)
    scene.changed(resource=scene.other)
    scene.holds()
    assert not unlisted(scene)
    assert len(listed(scene, scene.other)) == COUNT - 16


def test_a_recording_is_in_the_way_of_others_though_kaltura_does_not_list_it(service: Lectern) -> None:
    scene = begun(service)
    lost(scene)
    fresh = document(scene, reference_id=None, title="second", start=scene.local(25), recurrence=None)
    del fresh["recurrence"]
    (pair,) = problem(service.schedule(fresh), 409, "schedule_conflict")["conflicts"]
    assert (pair["booked"]["recording_id"], pair["booked"]["source"]) == (scene.id, "lectern")


def test_a_series_of_somebody_else_is_in_the_way_though_kaltura_does_not_list_it_any_more(service: Lectern) -> None:
    scene = begun(service)
    resource = found(service.client.get(f"/resources/{scene.other}"))["id"]
    start = int(scene.start(25).timestamp())
    event = service.kaltura.add_event(startDate=start, endDate=start + 3600)
    service.kaltura.link(event["id"], resource)
    path = f"/resources/{scene.other}/upcoming?to={scene.day(40)}T00:00:00Z"
    eventually(lambda: service.client.get(path).status_code == 200 and found(service.client.get(path))["occurrences"])
    service.kaltura(LINK, "delete", scheduleEventId=event["id"], scheduleResourceId=resource)
    half(service, indexed=0)
    service.kaltura.link(event["id"], resource)
    fresh = second(scene, holidays=[], start=scene.local(25))
    (pair,) = problem(service.schedule(fresh), 409, "schedule_conflict")["conflicts"]
    assert (pair["booked"]["source"], pair["booked"]["event_id"]) == ("kaltura", event["id"])


def test_a_look_at_a_list_does_not_touch_a_stranger(service: Lectern) -> None:
    """The event under the recording's id is somebody else's by now: it is not unlinked."""
    scene = begun(service)
    lost(scene)
    seen(scene)
    (event,) = scene.recording["kaltura"]["events"]
    service.kaltura.update(event["id"], referenceId="somebody's")
    before = service.left()["event_resources"]
    problem(service.client.post(f"{scene.path}/resume"), 409, "not_ours")
    assert service.left()["event_resources"] == before != NOTHING["event_resources"]
