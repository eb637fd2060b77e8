"""Kaltura may delete a series by halves: whatever of it still stands is cancelled, also when the recording is over."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.chains.models import Chain
from app.chains.steps import Context
from app.kaltura.types import Event
from app.recordings.scheduling import own
from app.recordings.scheduling.context import Tools
from app.recordings.scheduling.outcomes import Foreign
from app.recurrence.server import STEADY
from app.resources.models import Drift, Mirror
from app.resources.references import reference
from tests.recordings.changing.scene import COUNT, PAST, Scene, begun, document, to_come
from tests.service import Json, Lectern, eventually, found, problem

RECORDING = "rec_01kantf3wq5m2c7j8e9g0h1k3p"
each_answer = pytest.mark.parametrize("answer", ["none", "success", "http_502"])


def half_deleted(service: Lectern, answer: str) -> None:
    """The next series that is deleted leaves its occurrences behind."""
    service.sandbox.set_faults({"modes": {"half_delete": {"answer": answer, "times": 1}}})


def standing(scene: Scene) -> list[Json]:
    """What is active in the recording's rooms, whoever has it."""
    state = scene.service.sandbox.state()
    rooms = {one["id"] for one in state["resources"] if one.get("systemName") in (scene.room, scene.other)}
    linked = {link["eventId"] for link in state["event_resources"] if link["resourceId"] in rooms}
    return [
        one
        for one in state["events"]
        if one["status"] == 2 and one["recurrenceType"] != 1 and {one["id"], one.get("parentId")} & linked
    ]


# A series that is deleted half-way


@each_answer
def test_a_cancellation_leaves_no_session_standing(service: Lectern, answer: str) -> None:
    scene = to_come(service)
    half_deleted(service, answer)
    found(service.client.delete(scene.path, headers={"Prefer": "wait=0"}), 202)
    assert service.until(scene.id, "cancelled", 20.0)["problem"] is None
    assert standing(scene) == []


@each_answer
def test_a_change_leaves_no_session_standing_of_the_series_that_it_replaces(service: Lectern, answer: str) -> None:
    scene = to_come(service)
    half_deleted(service, answer)
    found(service.client.patch(scene.path, json={"start": scene.local(hours=2)}, headers={"Prefer": "wait=0"}), 202)
    scene.until_settled()
    assert {one["startDate"] for one in standing(scene)} == {
        int(scene.start(number, hours=2).timestamp()) for number in range(COUNT)
    }
    assert len(standing(scene)) == COUNT


@each_answer
@pytest.mark.parametrize("step", ["schedule_scheduleEventResource", "schedule_scheduleEvent"])
def test_an_undoing_leaves_no_session_standing(service: Lectern, answer: str, step: str) -> None:
    """Refused at the links, when the occurrences are read; or at the exclusions."""
    scene = to_come(service)
    action = {"schedule_scheduleEventResource": "add", "schedule_scheduleEvent": "cancel"}[step]
    fault = {"service": step, "action": action, "fault": "error", "code": "INVALID_PARAMETER_CHAR", "times": 1}
    before = {one["id"] for one in service.sandbox.state()["events"]}
    half = {"half_delete": {"answer": answer, "times": 1}}
    service.sandbox.set_faults({"faults": [fault], "modes": half})
    fresh = document(scene, holidays=[5], reference_id=None, resource=scene.other, title="second")
    accepted = found(service.schedule(fresh, prefer="respond-async"), 202)
    service.until(accepted["id"], "failed", 20.0)
    left = [one for one in service.sandbox.state()["events"] if one["id"] not in before]
    assert [one["id"] for one in left if one["status"] == 2] == []


def test_an_undoing_finds_sessions_that_were_never_read_back(service: Lectern) -> None:
    scene = to_come(service)
    before = {one["id"] for one in service.sandbox.state()["events"]}
    service.sandbox.set_faults({"modes": {"half_delete": {"answer": "none", "times": 1}, "index_lag": 600.0}})
    fresh = document(scene, reference_id=None, resource=scene.other, title="second")
    accepted = found(service.schedule(fresh, prefer="respond-async"), 202)

    def waits() -> bool:
        steps = service.get(f"/recordings/{accepted['id']}")["chain"]["steps"]
        return ("occurrences", "waiting") in [(one["name"], one["status"]) for one in steps]

    eventually(waits, 20.0)
    found(service.client.delete(f"/recordings/{accepted['id']}"))
    path = f"/recordings/{accepted['id']}/history"
    eventually(lambda: service.get(path)["items"][-1]["status"] == "failed", 30.0)
    left = [one for one in service.sandbox.state()["events"] if one["id"] not in before]
    assert len(left) == COUNT
    assert [one["id"] for one in left if one["status"] == 2] == []


def test_past_sessions_and_those_that_stay_are_not_taken_for_remains(service: Lectern) -> None:
    scene = begun(service)
    half_deleted(service, "none")
    scene.changed(start=scene.local(hours=2))
    scene.deleted()
    assert scene.past() == scene.before
    assert len(scene.past()) == PAST
    assert scene.active(scene.room) == []


# Occurrences without a series


def orphan(event_id: int, start: int, **values: Any) -> Event:
    begin = datetime.fromtimestamp(start, UTC)
    return Event.model_validate(
        {"id": event_id, "recurrence_type": 2, "status": 2, "start": begin, "end": begin, "parent_id": 100, **values}
    )


class Fake:
    """A Kaltura that has these events, and no others."""

    def __init__(self, *events: Event) -> None:
        self.events = events

    def list_events(self, ids: list[int]) -> list[Event]:
        return [event for event in self.events if event.id in ids]


@pytest.mark.parametrize(
    ("there", "own_ones"),
    [
        ([orphan(101, 4_000)], True),  # as the recording knows it
        ([orphan(101, 5_000)], False),  # at another time
        ([orphan(101, 4_000, parent_id=200)], False),  # of another series
        ([orphan(101, 4_000, parent_id=None, recurrence_type=0)], False),  # of none
        ([orphan(101, 4_000, reference_id="other")], False),
        ([orphan(101, 4_000), orphan(100, 4_000, parent_id=None)], False),  # its series is there, and somebody else's
        (
            [
                orphan(101, 4_000, reference_id="x"),
                orphan(100, 1, parent_id=None, reference_id=reference(RECORDING, 1)),
            ],
            True,
        ),
    ],
)
def test_an_occurrence_whose_series_is_gone_is_known_by_its_series_id_and_its_time(
    there: list[Event], own_ones: bool
) -> None:
    old = [{"event_id": 100, "sessions": [{"event_id": 101, "start": 4_000}]}]
    tools = Tools(Fake(*there), None, STEADY)  # type: ignore[arg-type]
    context = Context("chn", RECORDING, {}, {"state": {"state": {"old": old}}}, tools)
    if own_ones:
        own.make_sure(context, [101])
    else:
        with pytest.raises(Foreign):
            own.make_sure(context, [101])


# What is over and still stands


def drift_of(service: Lectern, path: str) -> list[Json]:
    """After another look at the rooms that somebody asks for; what is odd there has been so for long."""
    asked = update(Mirror).where(col(Mirror.asked_at).is_not(None))
    with service.app.state.database.write() as session:
        session.execute(asked.values(due_at=0.0, claimed_at=0.0))
        session.execute(asked.where(col(Mirror.doubted_at).is_not(None)).values(doubted_at=0.0))
    shown: list[Json] = service.get(path)["drift"]
    return shown


def test_what_stands_of_a_cancelled_recording_is_cancelled_by_resume(service: Lectern) -> None:
    scene = begun(service)
    scene.deleted()
    again = service.kaltura.add_event(
        referenceId=f"lectern-{scene.id}-1",
        startDate=int(scene.start(20).timestamp()),
        endDate=int(scene.start(20, hours=1).timestamp()),
    )
    service.kaltura.link(again["id"], scene.recording["resource"]["id"])
    service.client.get(f"/resources/{scene.room}/upcoming")
    (extra,) = eventually(lambda: drift_of(service, scene.path), 60.0)
    assert (extra["kind"], extra["event_id"]) == ("extra", again["id"])
    shown = found(service.client.post(f"{scene.path}/resume"))
    assert (shown["status"], shown["chain"]["operation"], shown["problem"]) == ("cancelled", "clear", None)
    assert shown["drift"] == []
    assert standing(scene) == [one for one in standing(scene) if one["startDate"] < datetime.now(UTC).timestamp()]
    eventually(lambda: drift_of(service, scene.path) == [], 60.0)
    assert len(scene.past()) == PAST
    problem(service.client.post(f"{scene.path}/resume"), 409, "nothing_to_resume")


def left_over(service: Lectern, recording_id: str, event_id: int) -> None:
    """Found as drift, in a room that nobody asks for: a look at it would clear what was written by hand."""
    about: dict[str, Any] = {
        "resource_id": 0,
        "key": f"event:{event_id}",
        "booking_id": recording_id,
        "event_id": event_id,
    }
    with service.app.state.database.write() as session:
        session.add(Drift(**about, kind="extra", confirmed=True))


def test_a_clearing_that_waits_for_kaltura_is_taken_up_by_resume(service: Lectern) -> None:
    scene = begun(service)
    scene.deleted()
    again = service.kaltura.add_event(referenceId=f"lectern-{scene.id}-1")
    left_over(service, scene.id, again["id"])
    service.fault("http_500", "schedule_scheduleEvent", "cancel")
    found(service.client.post(f"{scene.path}/resume", headers={"Prefer": "wait=0"}), 202)

    def waits() -> bool:
        return bool(service.get(scene.path)["chain"]["status"] == "waiting")

    eventually(waits)
    service.heal()
    assert found(service.client.post(f"{scene.path}/resume"))["chain"]["status"] == "succeeded"
    assert [one["operation"] for one in service.get(f"{scene.path}/history")["items"]].count("clear") == 1


@pytest.mark.parametrize("over", ["cancelled", "failed"])
def test_a_clearing_that_was_stuck_is_no_problem_any_more_in_the_answer_of_resume(service: Lectern, over: str) -> None:
    scene = begun(service)
    recording_id = scene.id
    if over == "cancelled":
        scene.deleted()
    else:
        answer = service.schedule(document(scene, reference_id=None))
        recording_id = problem(answer, 409, "schedule_conflict")["recording_id"]
    path = f"/recordings/{recording_id}"
    before = service.get(path)["problem"]
    again = service.kaltura.add_event(referenceId=f"lectern-{recording_id}-1")
    left_over(service, recording_id, again["id"])
    service.fault("http_500", "schedule_scheduleEvent", "cancel")
    found(service.client.post(f"{path}/resume", headers={"Prefer": "wait=0"}), 202)
    eventually(lambda: service.get(path)["chain"]["status"] == "waiting")
    with service.app.state.database.write() as session:
        session.execute(update(Chain).where(col(Chain.subject) == recording_id).values(tried=1e9))
    eventually(lambda: service.get(path)["chain"]["status"] == "stuck")
    assert service.get(path)["problem"]["code"] == "stuck"
    service.heal()
    shown = found(service.client.post(f"{path}/resume"))
    assert (shown["status"], shown["problem"], shown["drift"]) == (over, before, [])


@pytest.mark.parametrize("mine", [True, False])
def test_what_stands_of_a_failed_recording_is_cancelled_by_resume_and_it_stays_failed(
    service: Lectern, mine: bool
) -> None:
    scene = to_come(service)
    failed = problem(service.schedule(document(scene, reference_id=None)), 409, "schedule_conflict")["recording_id"]
    before = service.get(f"/recordings/{failed}")
    again = service.kaltura.add_event(referenceId=f"lectern-{failed if mine else scene.id}-1")
    left_over(service, failed, again["id"])
    shown = found(service.client.post(f"/recordings/{failed}/resume"), 200 if mine else 202)
    assert shown["status"] == "failed"
    assert shown["problem"]["code"] == (before["problem"]["code"] if mine else "not_ours")
    event = service.kaltura("schedule_scheduleEvent", "get", scheduleEventId=again["id"])
    assert event["status"] == (1 if mine else 2)
