"""`POST /recordings`: one document in, a scheduled series out."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.resources.references import reference, token_of
from tests.conftest import Databases
from tests.recordings.documents import LEFT_OUT, SINGLE, example
from tests.service import Json, Lectern, epoch, found, lectern, pointers, problem, utc

NEW_YORK = "America/New_York"


def starts(service: Lectern, recording: Json, status: str = "scheduled") -> list[str]:
    listed = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    return [occurrence["start"] for occurrence in listed if occurrence["status"] == status]


def test_the_example_is_scheduled_within_two_seconds(service: Lectern) -> None:
    began = time.process_time()  # of service, sandbox and client together, however busy the machine is
    answer = service.schedule()
    assert time.process_time() - began < 2
    recording = found(answer, 201)
    assert {step["attempts"] for step in recording["chain"]["steps"]} == {1}, "nothing had to wait"
    assert answer.headers["Location"] == f"/recordings/{recording['id']}"
    assert service.get(answer.headers["Location"]) == recording
    assert recording["status"] == "scheduled"
    assert recording["problem"] is None
    assert recording["occurrence_count"] == 36
    assert (recording["first_start"], recording["last_end"]) == ("2027-01-13T14:00:00Z", "2027-04-14T13:50:00Z")
    assert recording["resource"] == {"id": 562931, "system_name": "EXTRON-100-ABC", "name": "EXTRON-100-ABC"}


def test_the_example_follows_new_york_s_clocks(service: Lectern) -> None:
    found = starts(service, service.made())
    assert len(found) == 36
    assert found == sorted(found)
    assert {start[10:] for start in found if start < "2027-03-14"} == {"T14:00:00Z"}
    assert {start[10:] for start in found if start > "2027-03-14"} == {"T13:00:00Z"}


def test_a_recording_shows_its_document_and_its_chain(service: Lectern) -> None:
    recording = service.made()
    document = example(resource=LEFT_OUT, recurrence=LEFT_OUT)
    assert {name: recording[name] for name in document} == document
    assert recording["chain"]["operation"] == "schedule"
    assert recording["chain"]["status"] == "succeeded"
    assert [(step["name"], step["status"], step["error"]) for step in recording["chain"]["steps"]] == [
        (name, "succeeded", None)
        for name in (
            "resource",
            "conflicts",
            "newest",
            "template_entry",
            "events",
            "occurrences",
            "exclusions",
            "links",
        )
    ]


# What reaches Kaltura


def test_all_words_and_people_reach_the_template_entry(service: Lectern) -> None:
    recording = service.made(example(publishers=["ta2", "ta3"], editors=["ta1", "ta4"]))
    (entry,) = service.sandbox.state()["entries"]
    assert entry["id"] == recording["kaltura"]["template_entry_id"]
    assert entry["referenceId"] == reference(recording["id"], 0, token_of(recording["chain"]["id"]))
    assert (entry["name"], entry["description"]) == ("MATH-123 Linear Algebra", "Section 01, fall term")
    assert entry["tags"] == "mathematics, kaltura"
    assert entry["userId"] == "lecturer1"
    assert (entry["entitledUsersEdit"], entry["entitledUsersPublish"]) == ("ta1,ta4", "ta2,ta3")


def test_all_words_reach_the_series_and_each_of_its_sessions(service: Lectern) -> None:
    recording = service.made(example(related_entries=["1_abcd1234", "0_zyxw9876"]))
    state = service.sandbox.state()
    (event,) = recording["kaltura"]["events"]
    assert (event["kind"], event["occurrences"]) == ("series", 40)
    series = next(each for each in state["events"] if each["id"] == event["id"])
    children = [each for each in state["events"] if each.get("parentId") == event["id"]]
    assert len(children) == 40
    for each in (series, *children):
        assert each["objectType"] == "KalturaRecordScheduleEvent"
        assert (each["summary"], each["description"]) == ("MATH-123 Linear Algebra", "Section 01, fall term")
        assert each["tags"] == "mathematics,kaltura"
        assert (each["organizer"], each["contact"], each["location"]) == ("Registrar", "av@campus.example", "Room 702")
        assert each["classificationType"] == 1
        assert each["entryIds"] == "1_abcd1234,0_zyxw9876"
        assert each["comment"] == "SIS-2026F-MATH123-01"
        assert each["templateEntryId"] == recording["kaltura"]["template_entry_id"]
        assert each["referenceId"] == reference(recording["id"], 1, token_of(recording["chain"]["id"]))
    assert [(link["eventId"], link["resourceId"]) for link in state["event_resources"]] == [(event["id"], 562931)]


@pytest.mark.parametrize(("visibility", "classification"), [("public", 1), ("private", 2), ("confidential", 3)])
def test_visibility_is_the_classification(service: Lectern, visibility: str, classification: int) -> None:
    service.made(SINGLE | {"visibility": visibility})
    (event,) = service.sandbox.state()["events"]
    assert event["classificationType"] == classification


def test_categories_by_id_and_by_name_are_resolved_and_none_is_made(service: Lectern) -> None:
    before = service.sandbox.state()["categories"]
    service.made(example(categories=["canvas > SITE>channels>1234", 86105441]))
    state = service.sandbox.state()
    by_name = {category["fullName"]: str(category["id"]) for category in before}
    sent = service.sent("media", "add")["entry"]
    assert sent["categoriesIds"].split(",") == [by_name["Canvas>site>channels>1234"], by_name["Mathematics"]]
    assert "categories" not in sent
    assert set(state["entries"][0]["categories"].split(",")) == {"Mathematics", "Canvas>site>channels>1234"}
    assert [category["fullName"] for category in state["categories"]] == list(by_name)


def test_what_a_document_leaves_out_is_not_sent(service: Lectern) -> None:
    recording = service.made(SINGLE)
    assert set(service.sent("media", "add")["entry"]) == {"objectType", "mediaType", "name", "referenceId"}
    event = service.sent("schedule_scheduleEvent", "add")["scheduleEvent"]
    assert not {"description", "tags", "organizer", "contact", "location", "comment", "entryIds"} & set(event)
    assert (recording["visibility"], recording["on_conflict"]) == ("public", "reject")
    assert (recording["reference_id"], recording["description"], recording["tags"]) == (None, None, [])


def test_excluded_days_are_cancelled_in_kaltura_and_only_those(service: Lectern) -> None:
    recording = service.made()
    (event,) = recording["kaltura"]["events"]
    children = [each for each in service.sandbox.state()["events"] if each.get("parentId") == event["id"]]
    cancelled = sorted(each["startDate"] for each in children if each["status"] == 1)
    excluded = starts(service, recording, "excluded")
    assert [start[:10] for start in excluded] == ["2027-02-15", "2027-03-22", "2027-03-24", "2027-03-26"]
    assert cancelled == [epoch(start) for start in excluded]
    assert sorted(each["startDate"] for each in children if each["status"] == 2) == [
        epoch(start) for start in starts(service, recording)
    ]


def test_each_session_has_kaltura_s_own_id(service: Lectern) -> None:
    recording = service.made()
    listed = service.get(f"/recordings/{recording['id']}/occurrences")
    theirs = {each["id"]: each["startDate"] for each in service.sandbox.state()["events"] if "parentId" in each}
    assert {each["event_id"]: epoch(each["start"]) for each in listed["items"]} == theirs
    assert len({each["id"] for each in listed["items"]}) == 40
    assert listed["next_cursor"] is None
    first = listed["items"][0]
    assert (first["local_start"], first["time_zone"]) == ("2027-01-13T09:00:00-05:00", NEW_YORK)


# Resources


@pytest.mark.parametrize(
    "resource",
    [
        562932,
        "EXTRON-200-DEF",
        "extron-200-def",
        {"system_name": "EXTRON-200-DEF"},
        {"system_name": "EXTRON-200-DEF", "name": "another", "kind": "location"},
    ],
)
def test_a_resource_that_kaltura_knows_is_used(service: Lectern, resource: object) -> None:
    recording = service.made(SINGLE | {"resource": resource})
    assert recording["resource"] == {"id": 562932, "system_name": "EXTRON-200-DEF", "name": "EXTRON-200-DEF"}
    assert "scheduleResource.add" not in service.writes()
    (link,) = service.sandbox.state()["event_resources"]
    assert link["resourceId"] == 562932


@pytest.mark.parametrize(
    ("given", "kind", "name", "description"),
    [
        ({}, "KalturaCameraScheduleResource", "NEW-1", None),
        ({"kind": "camera", "name": "Hörsaal 1"}, "KalturaCameraScheduleResource", "Hörsaal 1", None),
        ({"kind": "location", "description": "big"}, "KalturaLocationScheduleResource", "NEW-1", "big"),
    ],
)
def test_an_unknown_resource_is_made_from_an_object(
    service: Lectern, given: Json, kind: str, name: str, description: str | None
) -> None:
    recording = service.made(SINGLE | {"resource": {"system_name": "NEW-1", **given}})
    (made,) = (each for each in service.sandbox.state()["resources"] if each["systemName"] == "NEW-1")
    assert (made["objectType"], made["name"], made.get("description") or None) == (kind, name, description)
    assert recording["resource"] == {"id": made["id"], "system_name": "NEW-1", "name": name}


@pytest.mark.parametrize("resource", [999, "NOWHERE", "999"])
def test_an_unknown_resource_by_id_or_name_is_refused(service: Lectern, resource: object) -> None:
    shown = problem(service.schedule(SINGLE | {"resource": resource}), 422, "resource_not_found")
    assert pointers(shown) == ["/resource"]
    assert shown["step"] == "resource"
    assert service.writes() == []


def test_a_system_name_of_two_resources_is_ambiguous_and_an_id_is_not(service: Lectern) -> None:
    both = [
        service.kaltura(
            "schedule_scheduleResource",
            "add",
            scheduleResource={"objectType": kind, "name": "R", "systemName": "ROOM"},
        )["id"]
        for kind in ("KalturaCameraScheduleResource", "KalturaLocationScheduleResource")
    ]
    service.calls()
    for resource in ("ROOM", {"system_name": "ROOM"}):
        shown = problem(service.schedule(SINGLE | {"resource": resource}), 409, "ambiguous_resource")
        assert pointers(shown) == ["/resource"]
        assert "by its id" in shown["detail"]
        assert not any(str(each) in str(shown) for each in both)  # keys of this client may be narrowed to other rooms
        assert service.writes() == []
    assert service.made(SINGLE | {"resource": both[1]})["resource"]["id"] == both[1]


# Time


def days(first: str, steps: list[int], hour: int) -> list[str]:
    """Starts `steps` days after `first`, at an hour of UTC."""
    begin = utc(f"{first}T00:00:00Z") + timedelta(hours=hour)
    return [(begin + timedelta(days=step)).isoformat().replace("+00:00", "Z") for step in steps]


@pytest.fixture(scope="module")
def booked(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    """One service for all that look at nothing but their own recording."""
    with databases.one() as url, lectern(tmp_path_factory.mktemp("booked"), database_url=url) as running:
        yield running


WEEKLY = {"frequency": "weekly"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, days("2027-01-13", [0], 14)),
        ({"time_zone": "Asia/Kolkata", "start": "2027-01-13T09:30"}, days("2027-01-13", [0], 4)),
        ({"start": "2027-01-13T15:00:00+01:00"}, days("2027-01-13", [0], 14)),
        ({"recurrence": {"frequency": "daily", "count": 3}}, days("2027-01-13", [0, 1, 2], 14)),
        ({"recurrence": {"frequency": "daily", "count": 3, "interval": 2}}, days("2027-01-13", [0, 2, 4], 14)),
        (
            {"recurrence": {"frequency": "daily", "count": 4, "days": ["WE", "TH", "MO"]}},
            days("2027-01-13", [0, 1, 5, 7], 14),
        ),
        ({"recurrence": {"frequency": "daily", "until": "2027-01-15"}}, days("2027-01-13", [0, 1, 2], 14)),
        ({"recurrence": WEEKLY | {"count": 3}}, days("2027-01-13", [0, 7, 14], 14)),
        ({"recurrence": WEEKLY | {"until": "2027-01-27"}}, days("2027-01-13", [0, 7, 14], 14)),
        ({"recurrence": WEEKLY | {"count": 3, "interval": 2}}, days("2027-01-13", [0, 14, 28], 14)),
        (
            {"recurrence": WEEKLY | {"count": 4, "interval": 2, "days": ["SU", "WE"]}},
            days("2027-01-13", [0, 4, 14, 18], 14),
        ),
        (
            {"recurrence": WEEKLY | {"count": 4, "interval": 2, "days": ["SU", "WE"], "week_start": "SU"}},
            days("2027-01-13", [0, 11, 14, 25], 14),
        ),
        ({"recurrence": WEEKLY | {"count": 2, "days": ["FR"]}}, days("2027-01-13", [2, 9], 14)),
        (
            {"recurrence": WEEKLY | {"count": 4}, "exclude": ["2027-01-20"]},
            days("2027-01-13", [0, 14, 21], 14),
        ),
        (
            {"recurrence": WEEKLY | {"count": 3}, "start": "2027-03-07T09:00:00"},
            [*days("2027-03-07", [0], 14), *days("2027-03-07", [7, 14], 13)],
        ),
        (
            {"recurrence": WEEKLY | {"count": 3}, "start": "2027-04-01T09:00", "time_zone": "Australia/Lord_Howe"},
            ["2027-03-31T22:00:00Z", "2027-04-07T22:30:00Z", "2027-04-14T22:30:00Z"],
        ),
        ({"recurrence": "FREQ=WEEKLY;BYDAY=WE,FR;COUNT=3"}, days("2027-01-13", [0, 2, 7], 14)),
        ({"recurrence": "RRULE:FREQ=DAILY;UNTIL=20270115T140000Z"}, days("2027-01-13", [0, 1, 2], 14)),
    ],
)
def test_sessions_are_where_the_document_puts_them(booked: Lectern, changes: Json, expected: list[str]) -> None:
    recording = booked.made(SINGLE | {"time_zone": NEW_YORK, "on_conflict": "allow"} | changes)
    assert starts(booked, recording) == expected
    assert (recording["occurrence_count"], recording["first_start"]) == (len(expected), expected[0])
    recorded = [
        each
        for each in booked.sandbox.state()["events"]
        if recording["id"] in each["referenceId"] and each["recurrenceType"] in (0, 2) and each["status"] == 2
    ]
    assert sorted(each["startDate"] for each in recorded) == [epoch(start) for start in expected]
    assert {each["endDate"] - each["startDate"] for each in recorded} == {50 * 60}


@pytest.mark.parametrize(
    ("times", "seconds"),
    [({"duration_minutes": 1440}, 86_400), ({"duration_minutes": LEFT_OUT, "end": "2027-01-13T10:15:00"}, 75 * 60)],
)
def test_a_session_lasts_as_long_as_the_document_says(service: Lectern, times: Json, seconds: int) -> None:
    document: dict[str, Any] = {name: value for name, value in (SINGLE | times).items() if value is not LEFT_OUT}
    service.made(document)
    (event,) = service.sandbox.state()["events"]
    assert event["endDate"] - event["startDate"] == event["duration"] == seconds


def test_a_document_without_a_zone_is_in_the_service_s(service: Lectern) -> None:
    recording = service.made(SINGLE)
    assert (recording["time_zone"], recording["first_start"]) == ("UTC", "2027-01-13T09:00:00Z")
