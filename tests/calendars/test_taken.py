"""A session that a calendar lets come back, and whose room somebody has taken meanwhile: it alone is left out."""

from typing import Any

import pytest

from app.calendars.fan_out import FanOut
from tests.calendars.campus import NAME, day, held, operations, reasons, say, section, sessions
from tests.service import Json, Lectern, found, problem

pytestmark = pytest.mark.both_databases

ALL = [day(week) for week in range(8)]
ROOM = "ROOM-1"


def without(*gone: str) -> list[str]:
    return [one for one in ALL if one not in gone]


def taken(service: Lectern, week: int = 2, hour: int = 9) -> Json:
    """Another recording in the room, at the time of a session."""
    start = f"{day(week)}T{hour:02}:00:00"
    one = section(ROOM, reference_id=f"taken-{week}", title="Exam", calendars=[], start=start)
    del one["recurrence"]
    return service.made(one)


def left_out(service: Lectern, **more: Any) -> tuple[Json, Json]:
    """A recording that lacks a session, and what is in its way."""
    say(service, day(2))
    recording = service.made(section(ROOM, **more))
    other = taken(service)
    said = say(service)
    assert (said["recordings"], said["done"], said["failed"]) == (1, 1, 0)
    assert sessions(service, recording)[day(2)] == "excluded"
    assert reasons(service, recording)[day(2)] == f"in the way: 'Exam', {day(2)} 09:00 to 09:50"
    return recording, other


@pytest.mark.parametrize("on_conflict", ["reject", "skip"])
def test_it_keeps_no_later_snow_day_from_being_followed(service: Lectern, on_conflict: str) -> None:
    recording, _ = left_out(service, on_conflict=on_conflict)
    assert held(service, recording) == without(day(2))
    said = say(service, {"name": "Snow day", "date": day(3)})
    assert (said["done"], said["failed"]) == (1, 0)
    assert held(service, recording) == without(day(2), day(3))
    assert operations(service, recording) == ["schedule", "calendar", "calendar"]


def test_one_day_goes_as_another_could_not_come_back(service: Lectern) -> None:
    """All that is left is closed: no session is held, and nothing is refused for that."""
    say(service, *without(day(3)))
    recording = service.made(section(ROOM))
    taken(service)
    assert say(service, *without(day(2)))["done"] == 1
    assert held(service, recording) == []


@pytest.mark.parametrize("patch", [{"title": "Another"}, {"exclude": [day(5)]}, {"duration_minutes": 40}])
def test_a_patch_is_not_refused_for_it(service: Lectern, patch: Json) -> None:
    recording, _ = left_out(service)
    path = f"/recordings/{recording['id']}"
    found(service.client.patch(path, json=patch))
    assert held(service, recording) == without(day(2), *patch.get("exclude", ()))
    in_batch = {"changes": [{"id": recording["id"], "patch": {"title": "In a batch"}}]}
    found(service.client.post("/recordings/batch", json=in_batch))
    assert held(service, recording) == without(day(2), *patch.get("exclude", ()))


def test_a_patch_that_takes_the_calendar_s_news_itself_is_not_refused_either(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(service, day(2))
    recording = service.made(section(ROOM))
    taken(service)
    monkeypatch.setattr(FanOut, "run", lambda _self: 0)  # nobody brings it up meanwhile
    say(service, status=202, wait=0)
    found(service.client.patch(f"/recordings/{recording['id']}", json={"title": "Another"}))
    assert held(service, recording) == without(day(2))


def test_what_a_document_asks_for_is_refused_as_ever(service: Lectern) -> None:
    recording, _ = left_out(service, exclude=[day(5)])
    taken(service, 5)
    path = f"/recordings/{recording['id']}"
    problem(service.client.patch(path, json={"exclude": []}), 409, "schedule_conflict")
    taken(service, 4, hour=10)
    problem(service.client.patch(path, json={"start": f"{day(0)}T10:00:00"}), 409, "schedule_conflict")
    assert held(service, recording) == without(day(2), day(5))


def test_it_comes_back_when_its_room_is_free_and_the_calendar_is_sent_once_more(service: Lectern) -> None:
    recording, other = left_out(service)
    assert say(service)["done"] == 1
    assert operations(service, recording) == ["schedule", "calendar"], "it is known to be taken"
    found(service.client.delete(f"/recordings/{other['id']}"))
    assert say(service)["done"] == 1
    assert held(service, recording) == ALL
    assert reasons(service, recording) == {}


def test_it_comes_back_by_resume(service: Lectern) -> None:
    recording, other = left_out(service)
    path = f"/recordings/{recording['id']}/resume"
    problem(service.client.post(path), 409, "nothing_to_resume")
    found(service.client.delete(f"/recordings/{other['id']}"))
    found(service.client.post(path))
    assert held(service, recording) == ALL
    problem(service.client.post(path), 409, "nothing_to_resume")


def test_it_comes_back_with_its_document(service: Lectern) -> None:
    recording, other = left_out(service)
    document = section(ROOM)
    assert service.client.put(f"/recordings/by-reference/{ROOM}", json=document).status_code == 204
    found(service.client.delete(f"/recordings/{other['id']}"))
    found(service.client.put(f"/recordings/by-reference/{ROOM}", json=document))
    assert held(service, recording) == ALL


def test_a_day_that_is_closed_again_is_not_in_anybody_s_way(service: Lectern) -> None:
    recording, _ = left_out(service)
    assert say(service, {"name": "Closed", "date": day(2)})["done"] == 1
    assert reasons(service, recording) == {day(2): "campus: Closed"}


def test_a_make_up_day_in_a_room_that_is_taken(service: Lectern) -> None:
    say(service)
    recording = service.made(section(ROOM))
    one = section(ROOM, reference_id="taken", calendars=[], start=f"{day(2, 1)}T09:00:00")
    del one["recurrence"]
    service.made(one)
    assert say(service, day(2), {"date": day(2, 1), "meets_as": "MO"})["done"] == 1
    assert held(service, recording) == without(day(2))
    assert sessions(service, recording)[day(2, 1)] == "excluded"


def test_preview_says_what_is_in_the_way_as_far_as_it_is_known(service: Lectern) -> None:
    say(service, day(2), day(3))
    service.made(section(ROOM))
    taken(service)
    shown = found(service.client.post(f"/calendars/{NAME}/preview", json={"days": []}))
    told = {one["start"][:10]: one["reason"] for one in shown["items"][0]["restored"]}
    assert told == {day(2): f"in the way: 'Exam', {day(2)} 09:00 to 09:50", day(3): None}
