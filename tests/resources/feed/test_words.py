"""The words of a session in the feed, what a poll chooses by them, and when a calendar says that they have changed."""

import time
from datetime import UTC, datetime
from typing import Any

import icalendar
import pytest

from app.database.database import Database
from app.resources.feed.page import Window, page
from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource
from tests.recordings.documents import SINGLE, example
from tests.resources.polls import PATH, book, refresh, upcoming
from tests.service import Json, Lectern, found, pointers, problem, utc

TERM = {"from": "2027-01-13T00:00:00Z", "to": "2027-06-01T00:00:00Z"}
MORE = ("location", "organizer", "contact", "owner")


def said(session: Json) -> tuple[Any, ...]:
    return tuple(session[name] for name in MORE)


def test_what_a_document_leaves_out_is_null(service: Lectern) -> None:
    service.made(SINGLE)
    assert [said(each) for each in upcoming(service, **TERM)] == [(None, None, None, None)]


def test_the_words_of_others_are_kaltura_s(service: Lectern) -> None:
    words: Json = {"location": "Aula", "organizer": "Dean", "contact": "dean@campus.example", "ownerId": "somebody"}
    made = book(service, utc("2027-02-01T20:00:00Z"), **words)
    service.kaltura.update(made["id"], ownerId="somebody")
    refresh(service)
    assert [said(each) for each in upcoming(service, **TERM)] == [("Aula", "Dean", "dean@campus.example", "somebody")]
    uid = upcoming(service, **TERM)[0]["uid"]
    service.kaltura.update(made["id"], location="Lab")
    refresh(service)
    (session,) = upcoming(service, **TERM)
    assert (session["uid"], session["location"]) == (uid, "Lab")


def test_they_follow_a_change(service: Lectern) -> None:
    path = f"/recordings/{service.made(SINGLE | {'location': 'Old', 'owner': 'lecturer1'})['id']}"
    found(service.client.patch(path, json={"location": "New", "organizer": "Dean", "owner": "lecturer2"}))
    assert [said(each) for each in upcoming(service, **TERM)] == [("New", "Dean", None, "lecturer2")]


def test_a_session_in_another_room_is_where_that_is(service: Lectern) -> None:
    path = f"/recordings/{service.made(SINGLE | {'location': 'Room 702', 'contact': 'AV'})['id']}/occurrences"
    (one,) = service.get(path)["items"]
    found(service.client.patch(f"{path}/{one['id']}", json={"resource": "EXTRON-200-DEF"}))
    (session,) = service.get("/resources/EXTRON-200-DEF/upcoming", **TERM)["occurrences"]
    assert said(session) == ("EXTRON-200-DEF", None, "AV", None)
    found(service.client.patch(f"{path}/{one['id']}", json={"resource": "EXTRON-100-ABC"}))
    assert [said(each) for each in upcoming(service, **TERM)] == [("Room 702", None, "AV", None)]


# Tags


@pytest.fixture
def tagged(service: Lectern) -> Lectern:
    for number, tags in enumerate((["physics"], ["Ästhetik", "arts"], ["physics", "lab"], [])):
        service.made(SINGLE | {"tags": tags, "title": f"{number}", "start": f"2027-02-0{number + 1}T09:00:00"})
    book(service, utc("2027-02-05T20:00:00Z"), tags="lab,theirs", summary="4")
    refresh(service)
    return service


@pytest.mark.parametrize(
    ("tags", "titles"),
    [
        (["physics"], "02"),
        (["PHYSICS"], "02"),
        (["lab"], "24"),
        (["arts", "theirs"], "14"),
        (["ÄSTHETIK"], "1"),
        (["phys"], ""),
        (["none"], ""),
        (["physics", "none"], "02"),
    ],
)
def test_a_tag_chooses_in_both_forms(tagged: Lectern, tags: list[str], titles: str) -> None:
    shown = tagged.get(PATH, **TERM, tag=tags)
    assert "".join(each["title"] for each in shown["occurrences"]) == titles
    calendar = tagged.client.get(f"{PATH}.ics", params=TERM | {"tag": tags})
    events = icalendar.Calendar.from_ical(calendar.content).walk("VEVENT")
    assert "".join(str(event["SUMMARY"]) for event in events) == titles


def test_pages_of_a_tag_go_on_with_it(tagged: Lectern) -> None:
    first = tagged.client.get(PATH, params=TERM | {"tag": ["lab", "physics"], "limit": "2"})
    assert [each["title"] for each in first.json()["occurrences"]] == ["0", "2"]
    rest = tagged.client.get(first.links["next"]["url"])
    assert [each["title"] for each in rest.json()["occurrences"]] == ["4"]
    assert "next" not in rest.links


def test_what_has_another_tag_fills_no_page(database: Database) -> None:
    with database.write() as session:
        session.add(Resource(id=7, name="r", kind="camera"))
        for number in range(5):
            session.add(Booking(id=f"b{number}", source="kaltura", title="t", time_zone="UTC", tags=[f"t{number}"]))
        session.flush()
        for number in range(5):
            about: Json = {"id": f"o{number}", "booking_id": f"b{number}", "resource_id": 7}
            start, end = (datetime(2027, 1, 1 + number, hour, tzinfo=UTC) for hour in (9, 10))
            session.add(Occurrence(**about, start=start, end=end, status=OccurrenceStatus.SCHEDULED))
    now = datetime(2027, 1, 1, tzinfo=UTC)
    with database.read() as session:
        seen = page(session, 7, Window(limit=1, tags=("t3",)), now)
        assert ([row.id for row, _ in seen.rows], seen.more) == (["o3"], None)


# Cutoff


def milliseconds(text: str) -> str:
    return str(int(utc(text).timestamp() * 1000))


@pytest.mark.parametrize("form", ["", ".ics"])
def test_a_cutoff_is_another_spelling_of_to(service: Lectern, form: str) -> None:
    service.made()
    begins, ends = TERM["from"], "2027-02-01T00:00:00Z"
    by_to, by_cutoff = (
        service.client.get(f"{PATH}{form}", params={"from": begins, **end})
        for end in ({"to": ends}, {"cutoff": milliseconds(ends)})
    )
    assert by_to.status_code == by_cutoff.status_code == 200
    assert by_to.headers["ETag"] == by_cutoff.headers["ETag"]
    assert 0 < by_to.text.count("MATH-123") == by_cutoff.text.count("MATH-123") < 36


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"cutoff": "soon"}, "/query/cutoff"),
        ({"cutoff": "-1"}, "/query/cutoff"),
        ({"cutoff": "4102444800000"}, "/query/cutoff"),
        ({"cutoff": "1000"}, "/query/cutoff"),  # before now
        ({"cutoff": "1812240000000", "to": "2027-06-01T00:00:00Z"}, "/query/cutoff"),
        ({"to": "2020-06-01T00:00:00Z"}, "/query/to"),
        ({"tag": ""}, "/query/tag"),
    ],
)
@pytest.mark.parametrize("form", ["", ".ics"])
def test_what_makes_no_sense_is_refused_where_it_stands(
    service: Lectern, form: str, query: dict[str, str], pointer: str
) -> None:
    assert pointers(problem(service.client.get(f"{PATH}{form}", params=query), 422, "invalid_document")) == [pointer]


# When it has changed


def stamps(service: Lectern, path: str) -> dict[str, tuple[datetime, datetime]]:
    answer = service.client.get(path, params=TERM if path.startswith("/resources") else {})
    events: list[Any] = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    return {str(event["UID"]): (event["DTSTAMP"].dt, event["LAST-MODIFIED"].dt) for event in events}


UNSEEN: dict[str, Json] = {
    "editors": {"editors": ["ta2"]},
    "publishers": {"publishers": ["ta2"]},
    "categories": {"categories": []},
    "visibility": {"visibility": "private"},
    "related entries": {"related_entries": []},
    "a conflict's rule": {"on_conflict": "allow"},
    "its reference": {"reference_id": "another"},
}
SEEN: dict[str, Json] = {
    "title": {"title": "New"},
    "description": {"description": "New"},
    "location": {"location": "New"},
    "contact": {"contact": "new@campus.example"},
    "tags": {"tags": ["new"]},
    "time": {"start": "2027-01-13T09:05:00"},
    "room": {"resource": "EXTRON-200-DEF"},
}


@pytest.fixture
def paths(service: Lectern) -> list[str]:
    """A recording, its calendar, and its room's; a second later."""
    path = f"/recordings/{service.made(example())['id']}"
    time.sleep(1.1)
    return [path, f"{path}/calendar.ics", f"{PATH}.ics"]


@pytest.mark.parametrize("change", UNSEEN)
def test_a_change_of_what_calendars_do_not_show_changes_nothing_of_them(
    service: Lectern, paths: list[str], change: str
) -> None:
    path, *calendars = paths
    asked = [{}, TERM]  # a recording's calendar is always whole
    before = [service.client.get(each, params=params) for each, params in zip(calendars, asked, strict=True)]
    found(service.client.patch(path, json=UNSEEN[change]))
    after = [service.client.get(each, params=params) for each, params in zip(calendars, asked, strict=True)]
    assert [each.content for each in after] == [each.content for each in before]
    assert [each.headers["ETag"] for each in after] == [each.headers["ETag"] for each in before]


@pytest.mark.parametrize("change", SEEN)
def test_a_change_of_what_calendars_show_changes_both_stamps(service: Lectern, paths: list[str], change: str) -> None:
    path, calendar, _ = paths
    before = stamps(service, calendar)
    found(service.client.patch(path, json=SEEN[change]))
    after = stamps(service, calendar)
    assert after.keys() == before.keys()
    for uid, both in after.items():
        assert both[0] == both[1] > before[uid][0]


def test_a_session_that_is_moved_changes_its_own_stamp_alone(service: Lectern, paths: list[str]) -> None:
    path, calendar, room = paths
    uid = service.get(f"{path}/occurrences")["items"][3]["id"]
    before = stamps(service, calendar)
    found(service.client.patch(f"{path}/occurrences/{uid}", json={"start": "2027-01-20T12:00:00"}))
    after = stamps(service, calendar)
    assert {each for each in after if after[each] != before[each]} == {f"{uid}@lectern"}
    assert stamps(service, room) == after


def test_what_is_made_anew_in_kaltura_at_its_time_keeps_its_stamp(service: Lectern, paths: list[str]) -> None:
    """Somebody deletes the template entry, the next change makes another, and gives it to the events."""
    path, calendar, _ = paths
    before = stamps(service, calendar)
    service.kaltura("media", "delete", entryId=service.get(path)["kaltura"]["template_entry_id"])
    changed = found(service.client.patch(path, json={"editors": ["ta2"]}))
    assert changed["kaltura"]["template_entry_id"]
    assert stamps(service, calendar) == before
