"""What an encoder says of itself, and what is shown of a resource: its encoder, what runs, what comes next."""

from pathlib import Path

import pytest

from app.resources.models import EncoderState
from tests.findings.world import soon
from tests.keys import bearer, key
from tests.resources.polls import book, refresh, upcoming
from tests.service import Lectern, found, lectern, pointers, problem

ROOM = "/resources/EXTRON-100-ABC"


@pytest.mark.both_databases
@pytest.mark.parametrize("state", EncoderState)
def test_a_state_is_shown_until_another_is_said(service: Lectern, state: str) -> None:
    service.client.put(f"{ROOM}/state", json={"state": "recording", "detail": "Before", "occurrence": "occ_1"})
    said = found(service.client.put(f"{ROOM}/state", json={"state": state, "detail": "Two\nlines"}))
    assert (said["state"], said["detail"]) == (state, "Two\nlines")
    assert said["said_at"] is not None
    assert service.get(ROOM)["encoder"] == said
    assert service.get("/resources")["items"][0]["encoder"] == said
    assert found(service.client.put(f"{ROOM}/state", json={"state": state}))["detail"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/state"),
        ({"state": "asleep"}, "/state"),
        ({"state": None}, "/state"),
        ({"state": "idle", "mood": "good"}, "/mood"),
        ({"state": "idle", "detail": "x" * 2001}, "/detail"),
        ({"state": "idle", "detail": 7}, "/detail"),
        ({"state": "idle", "occurrence": "x" * 257}, "/occurrence"),
    ],
)
def test_what_makes_no_sense_is_refused(service: Lectern, body: object, pointer: str) -> None:
    assert pointers(problem(service.client.put(f"{ROOM}/state", json=body), 422, "invalid_document")) == [pointer]


def test_a_key_for_one_room_says_the_state_of_that_room_alone(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        device = bearer(key(service, "device", "schedule:read", resources=["EXTRON-100-ABC"]))
        reader = bearer(key(service, "reader", "recordings:read"))
        found(service.client.put(f"{ROOM}/state", json={"state": "idle"}, headers=device))
        other = service.client.put("/resources/EXTRON-200-DEF/state", json={"state": "idle"}, headers=device)
        problem(other, 404, "not_found")
        problem(service.client.put(f"{ROOM}/state", json={"state": "idle"}, headers=reader), 403, "forbidden")
        problem(service.client.put(f"{ROOM}/state", json={"state": "idle"}), 401, "unauthorized")


@pytest.mark.both_databases
def test_the_session_that_runs_and_the_next_one(service: Lectern) -> None:
    assert (service.get(ROOM)["now"], service.get(ROOM)["next"]) == (None, None)
    start = soon(90).replace(second=0)
    made = service.made({"title": "Ours", "resource": 562931, "start": start.isoformat(), "duration_minutes": 50})
    for minutes in (-30, -200, 60, 200):
        book(service, soon(minutes), summary=f"Theirs {minutes}")
    refresh(service)
    running, first, second, _ = upcoming(service)
    for shown in (service.get(ROOM), service.get("/resources")["items"][0]):
        assert shown["now"] == {name: running[name] for name in shown["now"]}
        assert (shown["now"]["title"], shown["now"]["source"]) == ("Theirs -30", "kaltura")
        assert shown["next"] == {name: first[name] for name in shown["next"]}
    service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=first["event_id"])
    refresh(service)
    assert service.get(ROOM)["next"] == {name: second[name] for name in shown["next"]}
    assert service.get(ROOM)["next"]["recording_id"] == made["id"]
    assert service.get("/resources/EXTRON-200-DEF")["next"] is None


def test_a_session_with_a_title_of_its_own_is_shown_by_it(service: Lectern) -> None:
    start = soon(90).replace(second=0)
    made = service.made({"title": "Ours", "resource": 562931, "start": start.isoformat(), "duration_minutes": 50})
    (session,) = service.get(f"/recordings/{made['id']}/occurrences")["items"]
    found(service.client.patch(f"/recordings/{made['id']}/occurrences/{session['id']}", json={"title": "Guest"}))
    assert service.get(ROOM)["next"]["title"] == "Guest"
    assert service.get("/resources")["items"][0]["next"]["title"] == "Guest"
