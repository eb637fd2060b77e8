"""`on_conflict`: what stands in the way, whoever booked it, is told before anything is made."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.kaltura import calls
from app.resources.conflicts import Booked, known_bookings
from tests.recordings.documents import SINGLE, example
from tests.service import Json, Lectern, epoch, eventually, found, problem

CAMERA = 562931
TWO_DAYS = SINGLE | {"recurrence": {"frequency": "daily", "count": 2}}  # 09:00 to 09:50, UTC


def book(service: Lectern, start: str, end: str, **values: Any) -> int:
    """An event that somebody made in Kaltura itself."""
    times = {"startDate": epoch(start), "endDate": epoch(end)}
    event: Json = service.kaltura.add_event(**{"summary": "Faculty meeting"} | times | values)
    service.kaltura.link(event["id"], CAMERA)
    service.calls()
    return int(event["id"])


def test_a_booking_of_lectern_s_own_is_a_conflict(service: Lectern) -> None:
    first = service.made(SINGLE | {"title": "first"})
    service.calls()
    shown = problem(service.schedule(TWO_DAYS | {"start": "2027-01-12T09:30:00"}), 409, "schedule_conflict")
    event_id = first["kaltura"]["events"][0]["id"]
    assert shown["conflicts"] == [
        {
            "start": "2027-01-13T09:30:00Z",
            "end": "2027-01-13T10:20:00Z",
            "booked": {
                "start": "2027-01-13T09:00:00Z",
                "end": "2027-01-13T09:50:00Z",
                "title": "first",
                "source": "lectern",
                "recording_id": first["id"],
                "event_id": event_id,
            },
        }
    ]
    assert "on_conflict" in shown["detail"]
    assert service.writes() == []


def test_an_event_made_in_kaltura_itself_is_a_conflict(service: Lectern) -> None:
    event_id = book(service, "2027-01-14T09:49:00Z", "2027-01-14T11:00:00Z")
    shown = problem(service.schedule(TWO_DAYS), 409, "schedule_conflict")
    assert [(pair["start"], pair["booked"]) for pair in shown["conflicts"]] == [
        (
            "2027-01-14T09:00:00Z",
            {
                "start": "2027-01-14T09:49:00Z",
                "end": "2027-01-14T11:00:00Z",
                "title": "Faculty meeting",
                "source": "kaltura",
                "recording_id": None,
                "event_id": event_id,
            },
        )
    ]
    assert service.writes() == []


def test_each_pair_is_told_in_order_of_time(service: Lectern) -> None:
    book(service, "2027-01-13T09:40:00Z", "2027-01-13T10:00:00Z")
    book(service, "2027-01-13T09:45:00Z", "2027-01-14T09:10:00Z", summary="long")
    shown = problem(service.schedule(TWO_DAYS), 409, "schedule_conflict")
    told = [(pair["start"][8:10], pair["booked"]["title"]) for pair in shown["conflicts"]]
    assert sorted(told) == [("13", "Faculty meeting"), ("13", "long"), ("14", "long")]
    assert [day for day, _ in told] == ["13", "13", "14"]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2027-01-13T08:00:00Z", "2027-01-13T09:00:00Z"),
        ("2027-01-13T09:50:00Z", "2027-01-14T09:00:00Z"),
        ("2027-01-14T09:50:00Z", "2027-01-14T11:00:00Z"),
    ],
)
def test_back_to_back_is_free(service: Lectern, start: str, end: str) -> None:
    book(service, start, end)
    service.made(TWO_DAYS)


def test_another_room_is_free(service: Lectern) -> None:
    service.made(SINGLE)
    service.made(SINGLE | {"resource": "EXTRON-200-DEF"})


def test_what_lies_on_an_excluded_day_is_no_conflict(service: Lectern) -> None:
    book(service, "2027-02-15T13:00:00Z", "2027-02-15T20:00:00Z")
    book(service, "2027-03-22T00:00:00Z", "2027-03-22T23:00:00Z")
    assert service.made()["occurrence_count"] == 36


def test_a_recording_s_own_excluded_day_is_free_for_others(service: Lectern) -> None:
    service.made()
    service.made(SINGLE | {"start": "2027-02-15T14:00:00Z"})


def test_a_cancelled_event_is_no_conflict(service: Lectern) -> None:
    event_id = book(service, "2027-01-13T09:00:00Z", "2027-01-13T10:00:00Z")
    service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=event_id)
    service.made(SINGLE)


def test_on_conflict_allow_schedules_anyway(service: Lectern) -> None:
    service.made(SINGLE)
    book(service, "2027-01-13T09:00:00Z", "2027-01-13T10:00:00Z")
    recording = service.made(SINGLE | {"on_conflict": "allow", "title": "second"})
    assert recording["on_conflict"] == "allow"
    assert "scheduleEvent.getConflicts" not in service.calls()
    assert len(service.sandbox.state()["event_resources"]) == 3


def test_a_conflict_leaves_a_failed_recording_and_frees_the_reference(service: Lectern) -> None:
    book(service, "2027-01-13T14:00:00Z", "2027-01-13T15:00:00Z")
    shown = problem(service.schedule(), 409, "schedule_conflict")
    recording = service.get(f"/recordings/{shown['recording_id']}")
    assert (recording["status"], recording["problem"]["code"]) == ("failed", "schedule_conflict")
    assert recording["problem"]["conflicts"] == shown["conflicts"]
    service.made(example(on_conflict="allow"))


def booked_meanwhile(service: Lectern) -> list[int]:
    """The event with which somebody books the room in Kaltura, between Lectern's look and its link; once that is so."""

    def meanwhile(name: str, action: str, phase: str) -> None:
        if (name, action, phase) == ("media", "add", "before"):
            service.sandbox.watch = None
            meeting.append(book(service, "2027-01-20T14:30:00Z", "2027-01-20T15:00:00Z"))

    meeting: list[int] = []
    service.sandbox.watch = meanwhile
    return meeting


def test_what_is_booked_while_a_chain_runs_is_found_before_the_link(service: Lectern) -> None:
    """Everything is undone."""
    meeting = booked_meanwhile(service)
    shown = problem(service.schedule(), 409, "schedule_conflict")
    assert shown["step"] == "links"
    assert [pair["booked"]["event_id"] for pair in shown["conflicts"]] == meeting
    assert {kind: [each.get("id", each.get("eventId")) for each in them] for kind, them in service.left().items()} == {
        "entries": [],
        "events": meeting,
        "event_resources": meeting,
    }


@pytest.mark.parametrize("on_conflict", ["reject", "skip"])
def test_what_a_chain_has_met_is_in_the_mirror_soon(service: Lectern, on_conflict: str) -> None:
    """Also where nobody polls: else a term's next plan would not know of it."""
    wanted = TWO_DAYS | {"on_conflict": on_conflict}
    for day in ("2027-01-13", "2027-01-14"):
        event_id = book(service, f"{day}T09:00:00Z", f"{day}T10:00:00Z")
    problem(service.schedule(wanted), 409, "schedule_conflict")
    assert eventually(lambda: event_id in mirrored(service))


def test_what_is_met_before_the_link_is_in_the_mirror_soon(service: Lectern) -> None:
    meeting = booked_meanwhile(service)
    problem(service.schedule(), 409, "schedule_conflict")
    assert eventually(lambda: mirrored(service) == meeting)


def mirrored(service: Lectern) -> list[int]:
    """What others have on the camera, as SQL has it."""
    with service.app.state.database.read() as session:
        known = known_bookings(session, CAMERA, datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC))
    return [one.event_id for one in known if one.event_id and one.source == "kaltura"]


def test_a_conflict_after_a_202_is_in_the_recording(service: Lectern) -> None:
    book(service, "2027-01-13T14:00:00Z", "2027-01-13T15:00:00Z")
    recording = found(service.schedule(prefer="respond-async"), 202)
    failed = service.until(recording["id"], "failed")
    assert (failed["problem"]["status"], failed["problem"]["code"]) == (409, "schedule_conflict")
    assert len(failed["problem"]["conflicts"]) == 1


def test_a_room_with_more_events_than_kaltura_lists_is_read_in_halves(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PAGE_SIZE", 2)
    monkeypatch.setattr(calls, "MAX_MATCHES", 10)
    for day in range(13, 21):
        book(service, f"2027-01-{day}T12:00:00Z", f"2027-01-{day}T13:00:00Z")
        book(service, f"2027-01-{day}T15:00:00Z", f"2027-01-{day}T16:00:00Z")
    term: Json = {**TWO_DAYS, "recurrence": {"frequency": "daily", "count": 8}}
    made = service.made(term)
    assert made["occurrence_count"] == 8
    there = {**term, "start": "2027-01-13T12:30:00"}
    shown = problem(service.client.patch(f"/recordings/{made['id']}", json=there), 409, "schedule_conflict")
    assert len(shown["conflicts"]) == 8
    batch = {"changes": [{"id": made["id"], "patch": {"start": "2027-01-13T12:30:00"}}]}
    shown = problem(service.client.post("/recordings/batch", json=batch), 409, "schedule_conflict")
    assert len(shown["conflicts"]) == 8


def test_what_fills_a_room_is_not_compared_with_itself(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand sessions in a room would be a million comparisons for each document."""
    service.made(TWO_DAYS)
    compared = list[object]()
    monkeypatch.setattr(Booked, "__eq__", lambda one, _other: compared.append(one))
    service.made(SINGLE | {"start": "2027-01-12T12:00:00", "recurrence": {"frequency": "daily", "count": 4}})
    assert compared == []
