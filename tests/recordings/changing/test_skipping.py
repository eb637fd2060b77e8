"""`on_conflict: skip`: all is scheduled but for what is in conflict, and that comes back when its place is free."""

from typing import Any

import pytest

from app.database.types import utc_now
from app.resources.models import Mirror
from tests.recordings.changing.scene import COUNT, HOUR, Scene, begun, document, to_come, watched
from tests.recordings.changing.test_conflicts import as_it_is, book, record
from tests.service import Json, Lectern, found, problem, utc

TAKEN = (18, 20, 21)


def taken(service: Lectern) -> tuple[Scene, list[str]]:
    """A recording whose sessions of three days are in the way of somebody else's, and what is."""
    scene = begun(service)
    theirs = [record(scene, scene.start(number, minutes=30), scene.other) for number in TAKEN]
    scene.changed(resource=scene.other, on_conflict="skip")
    return scene, theirs


def put(scene: Scene, **changes: Any) -> tuple[int, Json]:
    """The document once more, with these changes: the answer's status, and the recording then."""
    sent = document(scene, resource=scene.other, on_conflict="skip", **changes)
    answer = scene.service.client.put(f"/recordings/by-reference/{scene.reference}", json=sent)
    assert answer.status_code < 300, answer.text
    return answer.status_code, scene.service.get(scene.path)


def left_out(scene: Scene) -> list[int]:
    """The days of the sessions that are left out for what is in their way."""
    return [
        round((utc(one["start"]) - scene.start(0)) / (24 * HOUR))
        for one in scene.occurrences()
        if one["status"] == "excluded" and (one["reason"] or "").startswith("in the way: ")
    ]


def gone(scene: Scene, *recordings: str) -> None:
    for recording_id in recordings:
        found(scene.service.client.delete(f"/recordings/{recording_id}"))


def test_a_new_document_is_scheduled_but_for_what_is_in_conflict(service: Lectern) -> None:
    there = to_come(service)
    found(there.move(3, start=there.local(3, hours=1)))
    sent = document(there, reference_id=f"{there.reference}-2", start=there.local(hours=1), on_conflict="skip")
    service.calls()
    made = service.made(sent)
    assert (made["status"], made["occurrence_count"]) == ("scheduled", COUNT - 1)
    items = service.get(f"/recordings/{made['id']}/occurrences")["items"]
    (one,) = (item for item in items if item["status"] == "excluded")
    assert one["start"] == f"{there.start(3, hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert (
        one["reason"]
        == f"in the way: 'Linear Algebra', {there.local(3, hours=1).replace('T', ' ')[:16]} to "
        + (there.local(3, hours=2)[11:16])
    )
    assert service.writes().count("scheduleEvent.cancel") == 1
    assert found(service.schedule(sent))["id"] == made["id"]
    assert service.writes() == []


def test_the_first_and_the_last_session_may_be_left_out(service: Lectern) -> None:
    there = to_come(service)
    for number in (0, 3):
        record(there, there.start(number), there.other)
    daily = {"frequency": "daily", "count": 4}
    sent = document(
        there, reference_id="SHORT", resource=there.other, start=there.local(), recurrence=daily, on_conflict="skip"
    )
    made = service.made(sent)
    assert made["occurrence_count"] == 2
    assert utc(made["first_start"]) == there.start(1)
    shown = service.get("/recordings", to=f"{there.start(1):%Y-%m-%dT%H:%M:%SZ}", reference_id="SHORT")
    assert shown["items"] == []


def test_a_session_of_which_an_event_would_be_made_alone_gets_none(service: Lectern) -> None:
    scene, _ = taken(service)
    found(scene.cancel(25))
    record(scene, scene.start(25), scene.other)
    service.calls()
    problem(scene.restore(25), 409, "schedule_conflict")
    assert put(scene, title="New")[1]["occurrence_count"] == COUNT - len(TAKEN) - 1
    assert "scheduleEvent.add" not in service.writes()


def test_all_in_conflict_is_refused(service: Lectern) -> None:
    there = to_come(service)
    sent = document(there, reference_id="ALL", on_conflict="skip", recurrence={"frequency": "daily", "count": 3})
    service.calls()
    shown = problem(service.schedule(sent), 409, "schedule_conflict")
    assert [utc(pair["start"]) for pair in shown["conflicts"]] == [there.start(number) for number in range(3)]
    assert service.writes() == []


def test_a_change_that_would_leave_nothing_is_refused_and_a_title_is_not(service: Lectern) -> None:
    there = to_come(service)
    sent = {**document(there), "reference_id": "TWO", "start": there.local(hours=2), "on_conflict": "skip"}
    made = service.made({**sent, "recurrence": {"frequency": "daily", "count": 2}})
    path = f"/recordings/{made['id']}"
    problem(service.client.patch(path, json={"start": there.local()}), 409, "schedule_conflict")
    record(there, there.start(1, hours=3), there.room)
    assert found(service.client.patch(path, json={"start": there.local(hours=2.5)}))["occurrence_count"] == 1
    (kept, _) = service.get(f"{path}/occurrences")["items"]
    found(service.client.delete(f"{path}/occurrences/{kept['id']}"))
    assert found(service.client.patch(path, json={"title": "New"}))["title"] == "New"


def test_preview_lists_what_would_be_left_out(service: Lectern) -> None:
    there = to_come(service)
    found(there.move(3, start=there.local(3, hours=1)))
    sent = document(there, reference_id="NEW", start=there.local(hours=1), on_conflict="skip")
    shown = found(service.client.post("/recordings/preview", json=sent))
    (one,) = (item for item in shown["occurrences"] if item["status"] == "excluded")
    assert utc(one["start"]) == there.start(3, hours=1)
    assert one["reason"].startswith("in the way: 'Linear Algebra', ")
    assert len(shown["conflicts"]) == 1


# A change


def test_a_change_leaves_out_what_is_in_conflict_and_says_what(service: Lectern) -> None:
    scene, _ = taken(service)
    assert left_out(scene) == list(TAKEN)
    assert scene.recording["occurrence_count"] == COUNT - len(TAKEN)
    assert all("'Chemistry'" in one["reason"] for one in scene.occurrences() if one["reason"])
    scene.holds()


def test_what_is_left_out_comes_back_when_its_place_is_free_and_the_document_is_sent_again(service: Lectern) -> None:
    scene, theirs = taken(service)
    assert put(scene)[0] == 204
    gone(scene, theirs[0], theirs[2])
    status, shown = put(scene)
    assert (status, shown["occurrence_count"]) == (200, COUNT - 1)
    assert left_out(scene) == [TAKEN[1]]
    assert put(scene)[0] == 204
    scene.holds()


def test_a_post_of_the_same_document_brings_it_back_and_a_repeated_key_does_not(service: Lectern) -> None:
    there = to_come(service)
    theirs = record(there, there.start(3), there.other)
    sent = document(there, reference_id="NEW", resource=there.other, on_conflict="skip")
    made = service.made(sent, **{"Idempotency-Key": "k-skip"})
    gone(there, theirs)
    assert found(service.schedule(sent, **{"Idempotency-Key": "k-skip"}))["occurrence_count"] == COUNT - 1
    shown = found(service.schedule(sent))
    assert (shown["id"], shown["occurrence_count"]) == (made["id"], COUNT)


def test_while_it_is_known_to_be_taken_nothing_is_asked(service: Lectern) -> None:
    scene, _ = taken(service)
    service.calls()
    assert put(scene)[0] == 204
    assert scene.asked() == []


def test_any_change_brings_it_back(service: Lectern) -> None:
    scene, theirs = taken(service)
    gone(scene, *theirs)
    assert scene.changed(title="New")["occurrence_count"] == COUNT
    assert left_out(scene) == []
    scene.holds()


def test_what_was_booked_in_kaltura_itself_is_looked_at_again_once_the_copy_is_old(service: Lectern) -> None:
    scene = begun(service)
    event_id = book(scene, scene.start(20), scene.other)
    scene.changed(resource=scene.other, on_conflict="skip")
    assert left_out(scene) == [20]
    resource_id = scene.recording["resource"]["id"]
    service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=event_id)
    with service.app.state.database.write() as session:
        copy = session.get_one(Mirror, resource_id)
        copy.as_of = utc_now() - HOUR
        copy.fence += 1  # what a look that is under way has read is not written
    assert put(scene)[1]["occurrence_count"] == COUNT


def test_a_blackout_leaves_out_what_it_is_in_the_way_of(service: Lectern) -> None:
    scene = begun(service)
    times = {"startDate": int(scene.start(20).timestamp()), "endDate": int(scene.start(20, hours=1).timestamp())}
    blackout = {"objectType": "KalturaBlackoutScheduleEvent", "recurrenceType": 0, "summary": "Closed", **times}
    made = service.kaltura("schedule_scheduleEvent", "add", scheduleEvent=blackout)
    scene.changed(resource=scene.other, on_conflict="skip")
    assert left_out(scene) == [20]
    service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=made["id"])
    assert put(scene)[1]["occurrence_count"] == COUNT


def test_a_session_moved_by_hand_is_left_out_and_comes_back_where_it_was_put(service: Lectern) -> None:
    scene = begun(service)
    found(scene.move(20, start=scene.local(20, hours=5)))
    theirs = record(scene, scene.start(20, hours=5), scene.other)
    scene.changed(resource=scene.other, on_conflict="skip")
    assert scene.status(20) == "excluded"
    gone(scene, theirs)
    put(scene)
    assert scene.start(20, hours=5) in scene.starts()
    scene.holds()


def test_a_rule_s_session_gives_way_to_one_of_its_own_that_was_moved(service: Lectern) -> None:
    scene = begun(service)
    found(scene.move(20, start=scene.local(21, hours=2)))
    scene.changed(start=scene.local(hours=2), on_conflict="skip")
    assert left_out(scene) == [21]
    scene.holds()


def test_what_somebody_does_to_one_that_was_left_out_stays(service: Lectern) -> None:
    scene, theirs = taken(service)
    found(scene.cancel(18))
    found(scene.move(20, start=scene.local(20, hours=3)))
    gone(scene, *theirs)
    assert put(scene)[1]["occurrence_count"] == COUNT - 1
    assert scene.status(18) == "cancelled"
    assert scene.start(20, hours=3) in scene.starts()
    scene.holds()


# What is taken while the chain runs


@pytest.mark.parametrize("call", ["scheduleEvent.add", "scheduleEvent.getConflicts"])
def test_what_is_booked_while_the_chain_runs_is_left_out_before_the_link(service: Lectern, call: str) -> None:
    scene = begun(service)
    with watched(service, call, "after", lambda: book(scene, scene.start(20), scene.other)):
        scene.changed(resource=scene.other, on_conflict="skip")
    assert left_out(scene) == [20]
    scene.holds()


def test_an_event_of_which_all_is_taken_then_is_refused_and_nothing_has_changed(service: Lectern) -> None:
    scene = begun(service, holidays=[25], on_conflict="skip")
    before = as_it_is(scene)
    with watched(service, "scheduleEvent.add", "after", lambda: book(scene, scene.start(25), scene.room)):
        problem(scene.patch(exclude=None), 409, "schedule_conflict")
    assert as_it_is(scene) == before
    assert scene.changed(exclude=None)["occurrence_count"] == COUNT - 1
    assert left_out(scene) == [25]
    scene.holds()
