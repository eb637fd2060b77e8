"""`GET /resources/{id}/upcoming`: what an encoder is to record next, answered whether Kaltura is up or not."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.database.types import utc_now
from tests.conftest import Databases
from tests.recordings.documents import LEFT_OUT, SINGLE, example
from tests.service import Json, Lectern, epoch, eventually, found, lectern, pointers, problem, utc

Query = dict[str, str | int]
PATH = "/resources/EXTRON-100-ABC/upcoming"
TERM: Query = {"from": "2027-01-13T00:00:00Z", "to": "2027-06-01T00:00:00Z", "limit": 500}


def upcoming(service: Lectern, **query: Any) -> list[Json]:
    listed: list[Json] = service.get(PATH, **query)["occurrences"]
    return listed


def ago(**span: float) -> str:
    return (utc_now() - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%S")


def test_the_example_s_thirty_six_sessions_are_listed_in_order(service: Lectern) -> None:
    recording = service.made()
    shown = service.get(PATH, **TERM)
    starts = [each["start"] for each in shown["occurrences"]]
    assert len(starts) == 36
    assert starts == sorted(starts)
    assert shown["resource"] == {"id": 562931, "system_name": "EXTRON-100-ABC", "name": "EXTRON-100-ABC"}
    assert (shown["from"], shown["to"]) == (TERM["from"], TERM["to"])
    assert shown["stale"] is False
    assert shown["as_of"] <= shown["server_time"]
    theirs = {each["id"]: each for each in service.sandbox.state()["events"] if "parentId" in each}
    for each in shown["occurrences"]:
        event = theirs[each["event_id"]]
        assert (event["status"], event["startDate"], event["endDate"]) == (2, epoch(each["start"]), epoch(each["end"]))
    series = recording["kaltura"]["events"][0]["id"]
    first = shown["occurrences"][0]
    assert first == {
        "uid": first["uid"],
        "status": "upcoming",
        "title": "MATH-123 Linear Algebra",
        "description": "Section 01, fall term",
        "start": "2027-01-13T14:00:00Z",
        "end": "2027-01-13T14:50:00Z",
        "local_start": "2027-01-13T09:00:00-05:00",
        "time_zone": "America/New_York",
        "duration_seconds": 3000,
        "recording_id": recording["id"],
        "event_id": first["event_id"],
        "series_id": series,
        "template_entry_id": recording["kaltura"]["template_entry_id"],
        "tags": ["mathematics", "kaltura"],
        "location": "Room 702",
        "organizer": "Registrar",
        "contact": "av@campus.example",
        "owner": "lecturer1",
        "source": "lectern",
    } | {name: first[name] for name in first if name == "kind"}
    sessions = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    kept = [each["id"] for each in sessions if each["status"] == "scheduled"]
    assert [each["uid"] for each in shown["occurrences"]] == kept


def test_a_single_event_is_in_no_series(service: Lectern) -> None:
    recording = service.made(SINGLE)
    (session,) = upcoming(service, **TERM)
    assert (session["series_id"], session["event_id"]) == (None, recording["kaltura"]["events"][0]["id"])


def test_excluded_days_are_not_there(service: Lectern) -> None:
    service.made()
    days = {each["start"][:10] for each in upcoming(service, **TERM)}
    assert not days & {"2027-02-15", "2027-03-22", "2027-03-24", "2027-03-26"}


# The window


def test_without_a_window_it_is_the_next_fourteen_days(service: Lectern) -> None:
    first = (utc_now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:00")
    service.made(SINGLE | {"start": first, "recurrence": {"frequency": "daily", "count": 20}})
    shown = service.get(PATH)
    assert len(shown["occurrences"]) == 14
    assert utc(shown["to"]) - utc(shown["from"]) == timedelta(days=14)
    assert timedelta(0) <= utc(shown["server_time"]) - utc(shown["from"]) < timedelta(seconds=2)


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    """One service for all that only look: 09:00 to 09:50 on five days from 13 January on."""
    with databases.one() as url, lectern(tmp_path_factory.mktemp("week"), database_url=url) as running:
        running.made(SINGLE | {"recurrence": {"frequency": "daily", "count": 5}})
        yield running


@pytest.mark.parametrize(
    ("query", "days"),
    [
        ({"from": "2027-01-14T09:50:00Z"}, [15, 16, 17]),  # the one that ends then is over
        ({"from": "2027-01-14T09:49:59Z"}, [14, 15, 16, 17]),
        ({"from": "2027-01-13T00:00:00Z", "to": "2027-01-15T09:00:00Z"}, [13, 14]),  # not the one that begins then
        ({"from": "2027-01-13T00:00:00Z", "to": "2027-01-15T09:00:01Z"}, [13, 14, 15]),
        ({"from": "2027-01-13T00:00:00Z", "limit": 2}, [13, 14]),
        ({"from": "2027-01-15T00:00:00+01:00", "limit": 1}, [15]),
        ({"from": "2027-02-15T00:00:00Z"}, []),
        ({}, []),
    ],
)
def test_the_window_takes_what_touches_it(week: Lectern, query: Query, days: list[int]) -> None:
    assert [int(each["start"][8:10]) for each in upcoming(week, **query)] == days


def test_an_occurrence_that_runs_is_there_and_one_that_is_over_is_not(service: Lectern) -> None:
    service.made_in_time(SINGLE | {"title": "over", "start": ago(hours=2)})
    service.made(SINGLE | {"title": "runs", "start": ago(minutes=20)})
    service.made(SINGLE | {"title": "comes", "start": ago(minutes=-40)})
    told = [(each["title"], each["status"]) for each in upcoming(service)]
    assert told == [("runs", "recording_now"), ("comes", "upcoming")]
    assert [each["title"] for each in upcoming(service, **{"from": ago(days=1) + "Z"})] == ["runs", "comes"]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"from": "now"}, "/query/from"),
        ({"from": "2027-01-13T00:00:00"}, "/query/from"),
        ({"to": 5}, "/query/to"),
        ({"limit": 0}, "/query/limit"),
        ({"limit": 1001}, "/query/limit"),
        ({"from": "2027-06-01T00:00:00Z", "to": "2027-05-31T23:59:59Z"}, "/query/to"),
        ({"to": "2020-01-01T00:00:00Z"}, "/query/to"),
    ],
)
def test_a_window_that_makes_no_sense_is_refused_not_empty(week: Lectern, query: Query, pointer: str) -> None:
    assert pointers(problem(week.client.get(PATH, params=query), 422, "invalid_document")) == [pointer]


# When a recording is there


def test_a_recording_appears_only_when_it_is_linked(service: Lectern) -> None:
    seen: list[int] = []

    def look(_name: str, action: str, phase: str) -> None:
        if phase == "before" and action != "list":  # once it is linked, it is looked at in Kaltura
            seen.append(len(upcoming(service, **TERM)))

    service.get(PATH)  # from now on it is answered without Kaltura
    service.sandbox.watch = look
    service.made()
    service.sandbox.watch = None
    assert len(seen) > 8
    assert set(seen) == {0}
    assert len(upcoming(service, **TERM)) == 36


def test_what_failed_never_appears(service: Lectern) -> None:
    service.fault("error", "schedule_scheduleEventResource", "add", code="INVALID_FIELD_VALUE")
    problem(service.schedule(), 422, "refused_by_kaltura")
    service.heal()
    assert upcoming(service, **TERM) == []


def test_it_is_answered_while_kaltura_is_away(service: Lectern) -> None:
    service.made()
    service.get(PATH)  # from now on it is answered without Kaltura
    service.fault("drop_before")
    assert len(upcoming(service, **TERM)) == 36


def test_other_rooms_sessions_are_not_there(service: Lectern) -> None:
    service.made(SINGLE | {"resource": "EXTRON-200-DEF"})
    assert upcoming(service, **TERM) == []


# ETag


def test_an_etag_is_answered_304_until_something_shown_changes(service: Lectern) -> None:
    service.made(example(exclude=LEFT_OUT, recurrence=LEFT_OUT))
    first = service.client.get(PATH, params=TERM)
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = service.client.get(PATH, params=TERM, headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert service.client.get(PATH, params=TERM).headers["ETag"] == tag
    service.made(SINGLE | {"start": "2027-02-01T09:00:00"})
    changed = service.client.get(PATH, params=TERM, headers={"If-None-Match": tag})
    assert len(found(changed)["occurrences"]) == 2
    assert changed.headers["ETag"] != tag
    assert changed.json()["schedule_version"] != first.json()["schedule_version"]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("{tag}", 304),
        ("W/{tag}", 304),
        ('"x", {tag}', 304),
        ('W/"x",W/{tag} , "y"', 304),
        ("*", 304),
        ('"x"', 200),
        ('W/"x"', 200),
        ("", 200),
        ("x", 200),
    ],
)
def test_if_none_match_is_read_as_rfc_9110_says(week: Lectern, given: str, status: int) -> None:
    tag = week.client.get(PATH, params=TERM).headers["ETag"]
    answer = week.client.get(PATH, params=TERM, headers={"If-None-Match": given.format(tag=tag)})
    assert answer.status_code == status


def test_the_etag_is_of_what_is_shown_and_not_of_the_window(service: Lectern) -> None:
    service.made(SINGLE)  # 09:00 on 13 January

    def tag(first: str, last: str) -> str:
        window = {"from": f"2027-01-{first}:00:00Z", "to": f"2027-01-{last}:00:00Z"}
        return service.client.get(PATH, params=window).headers["ETag"]

    without, within = tag("12T08", "13T09"), tag("12T09", "13T10")
    assert without != within, "it has entered the window"
    assert within == tag("13T08", "14T10")
    assert without == tag("01T00", "02T00") == tag("13T10", "14T10")


def test_what_begins_to_run_changes_the_etag(service: Lectern) -> None:
    service.made(SINGLE | {"start": ago(seconds=-3)})
    tags: dict[str, str] = {}

    def begun() -> bool | None:
        answer = service.client.get(PATH)
        (session,) = found(answer)["occurrences"]
        assert tags.setdefault(session["status"], answer.headers["ETag"]) == answer.headers["ETag"]
        return session["status"] == "recording_now" or None

    eventually(begun)
    assert len(set(tags.values())) == len(tags)
