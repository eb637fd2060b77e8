"""A calendar that changes: who is changed, who is not, and what stays as somebody decided it."""

from time import sleep
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlmodel import Session, col

from app.calendars import fan_out
from app.calendars.fan_out import FanOut
from app.chains.models import Chain
from app.chains.store import Store
from app.recordings.changing import requests
from app.recordings.models import Recording
from tests.calendars.campus import MONDAY, NAME, day, held, operations, reasons, say, section, sessions
from tests.chains.troubled import first_in_line
from tests.crash.rehearsal import look_at_no_room
from tests.resources.polls import refresh
from tests.service import Json, Lectern, eventually, found

pytestmark = pytest.mark.both_databases

OF_ROUNDS = {"scheduleResource.list", "media.list"}  # the mirror's
ALL = [day(week) for week in range(8)]


def without(*gone: str) -> list[str]:
    return [one for one in ALL if one not in gone]


def put(service: Lectern, document: Json) -> Any:
    return service.client.put(f"/recordings/by-reference/{document['reference_id']}", json=document)


@pytest.mark.always("sqlite")
def test_a_snow_day_is_one_call_and_touches_nobody_else(service: Lectern) -> None:
    say(service)
    mondays = [service.made(section(f"MONDAY-{number}")) for number in range(20)]
    tuesdays = [service.made(section(f"TUESDAY-{number}", "TU")) for number in range(30)]
    etags = {one["id"]: service.client.get(f"/recordings/{one['id']}").headers["ETag"] for one in tuesdays}
    service.get("/resources")
    service.trips()
    said = say(service, {"name": "Snow day", "date": day(2)})
    assert (said["recordings"], said["done"], said["failed"]) == (50, 50, 0)
    trips = [trip for trip in service.trips() if not set(trip) <= OF_ROUNDS]
    assert [call for trip in trips for call in trip].count("scheduleEvent.cancel") == len(mondays)
    assert len(trips) <= 3 * len(mondays)
    for recording in mondays:
        assert held(service, recording) == without(day(2))
        assert reasons(service, recording) == {day(2): "campus: Snow day"}
        assert operations(service, recording) == ["schedule", "calendar"]
    for recording in tuesdays:
        assert operations(service, recording) == ["schedule"]
        assert service.client.get(f"/recordings/{recording['id']}").headers["ETag"] == etags[recording["id"]]
    assert say(service)["done"] == 50
    for recording in mondays:
        assert held(service, recording) == ALL


def test_a_day_added_takes_two_trips_and_a_day_removed_three(service: Lectern) -> None:
    """For each recording: what is asked, what is made, and what is linked, with what is asked of it on the way."""
    say(service)
    recording = service.made(section("ROOM-1"))
    service.get("/resources")
    look_at_no_room(service.app.state.settings.database_url)
    for days, at_most in (([day(2)], 2), ([], 3), ([day(2), day(5)], 3), ([day(5)], 3), ([], 3)):
        service.trips()
        say(service, *days)
        chain = [trip for trip in service.trips() if not set(trip) <= OF_ROUNDS]
        assert len(chain) <= at_most, chain
        assert held(service, recording) == without(*days)


def test_what_was_decided_by_hand_stays(service: Lectern) -> None:
    say(service, day(5))
    recording = service.made(section("ROOM-1"))
    path = f"/recordings/{recording['id']}/occurrences"
    ids = {one["local_start"][:10]: one["id"] for one in service.get(path)["items"]}
    found(service.client.delete(f"{path}/{ids[day(2)]}"))
    found(service.client.patch(f"{path}/{ids[day(3)]}", json={"start": f"{day(3)}T14:00:00"}))
    found(service.client.post(f"{path}/{ids[day(5)]}/restore"))
    say(service, {"name": "Closed", "from": day(2), "to": day(5)})
    now = sessions(service, recording)
    assert [now[day(week)] for week in (2, 3, 4, 5)] == ["cancelled", "scheduled", "excluded", "scheduled"]
    say(service)
    assert held(service, recording) == without(day(2))
    assert sessions(service, recording)[day(2)] == "cancelled"


def test_one_session_alone_goes_and_comes_back(service: Lectern) -> None:
    say(service)
    once = section("ROOM-1")
    del once["recurrence"]
    recording = service.made(once)
    say(service, day(0))
    assert held(service, recording) == []
    shown = service.get(f"/recordings/{recording['id']}")
    assert (shown["status"], shown["occurrence_count"]) == ("scheduled", 0)
    say(service)
    assert held(service, recording) == [day(0)]


def test_a_document_takes_the_newest_itself_and_is_not_changed_twice(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(service)
    document = section("ROOM-1")
    recording = service.made(document)
    other = service.made(section("ROOM-2"))
    monkeypatch.setattr(FanOut, "run", lambda _self: 0)  # nobody brings them up meanwhile
    assert say(service, day(2), status=202, wait=0)["done"] == 0
    found(service.client.patch(f"/recordings/{recording['id']}", json={"title": "Another title"}))
    assert held(service, recording) == without(day(2))
    assert found(put(service, section("ROOM-2")))["id"] == other["id"]
    assert held(service, other) == without(day(2))
    monkeypatch.undo()
    service.calls()
    assert say(service, day(2))["done"] == 2
    assert service.writes() == []
    assert operations(service, recording) == ["schedule", "update"]
    assert operations(service, other) == ["schedule", "calendar"]


def test_the_same_document_with_the_same_calendars_makes_no_call(service: Lectern) -> None:
    say(service, day(2))
    document = section("ROOM-1", calendars=[NAME])
    recording = service.made(document)
    say(service, day(2), day(4, 2))  # no session is on that Wednesday
    refresh(service, recording["resource"]["id"])  # else this may be asked for meanwhile
    service.calls()
    assert [put(service, document).status_code for _ in range(2)] == [204, 204]
    assert service.calls() == []


def test_a_document_that_is_sent_while_the_calendar_changes_it_is_changed_by_the_calendar_alone(
    service: Lectern,
) -> None:
    """The chain that the calendar began goes on, and nothing else is begun for the same days."""
    say(service)
    document = section("ROOM-1")
    recording = service.made(document)
    service.fault("http_500", "schedule_scheduleEvent", "cancel")
    assert say(service, day(2), status=202, wait=1)["done"] == 0
    assert put(service, document).status_code in (204, 409)
    service.heal()
    service.client.post(f"/recordings/{recording['id']}/resume")
    service.until(recording["id"], "scheduled", 20)
    assert say(service, day(2))["done"] == 1
    assert [put(service, document).status_code for _ in range(2)] == [204, 204]
    assert held(service, recording) == without(day(2))
    assert operations(service, recording) == ["schedule", "calendar"]


def test_one_that_is_busy_is_changed_when_it_has_come_to_rest(service: Lectern) -> None:
    say(service)
    service.fault("http_500", "schedule_scheduleEvent", "add")
    recording = found(service.schedule(section("ROOM-1"), prefer="respond-async"), 202)
    said = say(service, day(2), status=202, wait=1)
    assert (said["recordings"], said["done"], said["failed"]) == (1, 0, 0)
    service.heal()
    service.client.post(f"/recordings/{recording['id']}/resume")
    service.until(recording["id"], "scheduled", 20)
    assert say(service, day(2))["done"] == 1
    assert held(service, recording) == without(day(2))


def test_two_calendars_each_have_their_say(service: Lectern) -> None:
    say(service, day(1))
    say(service, {"name": "Exams", "date": day(2)}, name="faculty")
    recording = service.made(section("ROOM-1", calendars=["faculty", NAME]))
    assert held(service, recording) == without(day(1), day(2))
    say(service)
    assert held(service, recording) == without(day(2))
    found(service.client.patch(f"/recordings/{recording['id']}", json={"calendars": [NAME]}))
    assert held(service, recording) == ALL
    assert service.get("/calendars/faculty")["recordings"] == 0


def test_a_make_up_day_is_held_by_one_and_left_out_by_the_other(service: Lectern) -> None:
    say(service)
    monday, tuesday, both = (service.made(section(f"ROOM-{days}", days)) for days in ("MO", "TU", "MO,TU"))
    closed = {"name": "Presidents' Day", "date": day(2)}
    makes_up = {"name": "Monday schedule", "date": day(2, 1), "meets_as": "MO"}
    body = {"days": [closed, makes_up]}
    shown = found(service.client.post(f"/calendars/{NAME}/preview", json=body))
    assert (shown["touched"], shown["dropped"], shown["restored"]) == (3, 3, 1)
    assert say(service, closed, makes_up)["done"] == 3
    assert held(service, monday) == sorted([*without(day(2)), day(2, 1)])
    assert held(service, tuesday) == [day(week, 1) for week in range(8) if week != 2]
    assert held(service, both) == sorted([*without(day(2)), *(day(week, 1) for week in range(8))])
    said = "campus: Monday schedule (meets as MO)"
    assert reasons(service, monday) == {day(2): "campus: Presidents' Day", day(2, 1): said}
    assert reasons(service, tuesday) == {day(2, 1): said}
    assert say(service)["done"] == 3
    assert held(service, monday) == ALL
    assert held(service, tuesday) == [day(week, 1) for week in range(8)]


@pytest.mark.parametrize("known", ["before", "after"])
def test_a_make_up_day_is_held_whatever_is_changed_afterwards(service: Lectern, known: str) -> None:
    makes_up = {"date": day(2, 1), "meets_as": "MO"}
    say(service, *([makes_up] if known == "before" else []))
    recording = service.made(section("ROOM-1"))
    say(service, makes_up)
    path = f"/recordings/{recording['id']}"
    for patch in ({"title": "Another"}, {"include": [day(1)]}, {"start": f"{day(0)}T10:00:00"}):
        found(service.client.patch(path, json=patch))
        assert held(service, recording) == sorted([*ALL, day(2, 1)])
    change = {"changes": [{"id": recording["id"], "patch": {"title": "In a batch"}}]}
    found(service.client.post("/recordings/batch", json=change))
    assert held(service, recording) == sorted([*ALL, day(2, 1)])


def test_an_included_session_is_held_whatever_a_calendar_says(service: Lectern) -> None:
    say(service, {"from": day(2), "to": day(2, 4)})
    recording = service.made(section("ROOM-1", include=[{"date": day(2, 2), "start": "14:00"}]))
    assert held(service, recording) == sorted([*without(day(2)), day(2, 2)])


def test_one_that_meets_a_mistake_of_ours_keeps_no_other_from_following(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(service)
    # By id, as they are brought up: the first is the one with the mistake.
    first, *others = sorted((service.made(section(f"ROOM-{n}")) for n in range(4)), key=lambda one: one["id"])
    catch_up = requests.catch_up

    def mistaken(session: Session, store: Store, recording: Recording) -> Any:
        if recording.id == first["id"]:
            raise ZeroDivisionError
        return catch_up(session, store, recording)

    monkeypatch.setattr(requests, "catch_up", mistaken)
    shown = say(service, day(2))
    assert (shown["done"], shown["failed"]) == (3, 1)
    assert [held(service, one) for one in others] == [without(day(2))] * 3
    assert held(service, first) == ALL
    monkeypatch.undo()
    say(service, day(2))
    assert held(service, first) == without(day(2))


def test_while_kaltura_is_away_not_all_are_begun_that_would_go_before_a_single_document(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "WAITERS", 2)
    most = 2 * 2  # two run at once
    say(service)
    there = [service.made(section(f"S-{hour}") | {"start": f"{MONDAY}T{hour:02}:00:00"}) for hour in range(8, 15)]
    service.fault("drop_before")
    say(service, day(2), wait=0, status=202)

    def waiting() -> int:
        with service.app.state.database.read() as session:
            many: int = session.execute(select(func.count()).where(col(Chain.finished_at).is_(None))).scalar_one()
            return many

    eventually(lambda: waiting() >= most)
    sleep(2 * fan_out.POLL)  # it looks again, and begins no more
    assert waiting() == most
    service.heal()
    eventually(lambda: all(held(service, one) == without(day(2)) for one in there), 60.0)


def test_a_room_that_somebody_s_chain_in_trouble_holds_keeps_no_other_from_following(service: Lectern) -> None:
    """More recordings stand in its line than chains are begun at once."""
    say(service)
    resources = {one["system_name"]: one["id"] for one in service.get("/resources")["items"]}
    there = [
        service.made(section(f"HELD-{hour}") | {"resource": "EXTRON-100-ABC", "start": f"{MONDAY}T{hour:02}:00:00"})
        for hour in range(8, 16)
    ]
    others = [
        service.made(section(f"FREE-{hour}") | {"resource": "EXTRON-200-DEF", "start": f"{MONDAY}T{hour:02}:00:00"})
        for hour in range(8, 10)
    ]
    with first_in_line(service.app.state.database, resources["EXTRON-100-ABC"]):
        say(service, day(2), wait=0, status=202)
        eventually(lambda: all(held(service, one) == without(day(2)) for one in others))
        assert [held(service, one) for one in there] == [ALL] * len(there)
    eventually(lambda: all(held(service, one) == without(day(2)) for one in there))
