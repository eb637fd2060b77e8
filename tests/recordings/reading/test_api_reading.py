"""Reading recordings: lists with filters and pages, one recording, its sessions and history; and resuming one."""

import base64
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.chains.models import Chain
from app.database.database import Database
from app.database.types import utc_now
from tests.conftest import Databases
from tests.recordings.documents import SINGLE, example
from tests.service import Json, Lectern, eventually, found, lectern, pointers, problem

KEYS = {name: f"{name}-key-{'0123456789abcdef' * 2}" for name in ("registrar", "library")}


def titles(listed: Json) -> list[str]:
    return [item["title"] for item in listed["items"]]


# Lists


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    """Four recordings: one: on another camera; two: failed; three: in February; four: a week long, tagged."""
    documents: list[Json] = [
        {"title": "one", "resource": "EXTRON-200-DEF", "reference_id": "R-1", "tags": ["maths"]},
        {"title": "two", "categories": [404], "reference_id": "R-2"},
        {"title": "three", "start": "2027-02-13T09:00:00", "tags": ["history", "Kant"]},
        {
            "title": "four",
            "start": "2027-01-14T09:00:00",
            "recurrence": {"frequency": "daily", "count": 7},
            "tags": ["maths", "ETH"],
        },
    ]
    with databases.one() as url, lectern(tmp_path_factory.mktemp("filled"), database_url=url) as running:
        for document in documents:
            assert running.schedule(SINGLE | document).status_code in (201, 422)
        yield running


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["four", "three", "two", "one"]),
        ({"status": "failed"}, ["two"]),
        ({"status": "scheduled"}, ["four", "three", "one"]),
        ({"status": "stuck"}, []),
        ({"resource": "EXTRON-200-DEF"}, ["one"]),
        ({"resource": "extron-200-def"}, ["one"]),
        ({"resource": "562932"}, ["one"]),
        ({"resource": "562931"}, ["four", "three", "two"]),
        ({"resource": "NOWHERE"}, []),
        ({"reference_id": "R-1"}, ["one"]),
        ({"reference_id": "R-2"}, ["two"]),
        ({"reference_id": "r-1"}, []),
        ({"tag": "maths"}, ["four", "one"]),
        ({"tag": "ETH"}, ["four"]),
        ({"tag": "math"}, []),
        ({"from": "2027-01-20T09:00:00Z"}, ["four", "three"]),
        ({"from": "2027-01-20T10:00:00+00:10"}, ["three"]),  # 09:50Z, when the last of four ends
        ({"to": "2027-01-14T09:00:00Z"}, ["two", "one"]),
        ({"from": "2027-01-13T10:00:00Z", "to": "2027-02-01T00:00:00Z"}, ["four"]),
        ({"tag": "maths", "resource": "562931"}, ["four"]),
    ],
)
def test_recordings_are_listed_latest_first_and_filtered(filled: Lectern, query: Json, expected: list[str]) -> None:
    listed = filled.get("/recordings", **query)
    assert titles(listed) == expected
    assert listed["next_cursor"] is None


def test_a_list_is_read_page_by_page(filled: Lectern) -> None:
    answer = filled.client.get("/recordings", params={"limit": 2, "from": "2027-01-01T00:00:00+00:00"})
    assert titles(found(answer)) == ["four", "three"]
    following = answer.links["next"]["url"]
    assert following.startswith("/recordings?"), "an address of this service, whatever Host the client named"
    second = filled.client.get(following)
    assert titles(found(second)) == ["two", "one"]
    assert second.json()["next_cursor"] is None
    assert "Link" not in second.headers
    cursor = answer.json()["next_cursor"]
    assert titles(filled.get("/recordings", limit=1, cursor=cursor)) == ["two"]


def test_the_next_page_never_names_a_foreign_host(filled: Lectern) -> None:
    answer = filled.client.get("/recordings", params={"limit": 1}, headers={"Host": "evil.example"})
    assert "evil" not in answer.headers["Link"]


def test_a_page_is_not_shifted_by_what_comes_in_meanwhile(service: Lectern) -> None:
    for number in range(3):
        service.made(SINGLE | {"title": str(number), "on_conflict": "allow"})
    first = service.get("/recordings", limit=2)
    service.made(SINGLE | {"title": "new", "on_conflict": "allow"})
    assert titles(first) + titles(service.get("/recordings", cursor=first["next_cursor"])) == ["2", "1", "0"]


def forged(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"cursor": "x"}, "/query/cursor"),
        ({"cursor": "é" * 8}, "/query/cursor"),
        ({"cursor": "a" * 201}, "/query/cursor"),
        ({"cursor": forged(b"rec_' OR 1=1 --")}, "/query/cursor"),
        ({"cursor": forged(b"rec_\x00")}, "/query/cursor"),
        ({"cursor": forged(b"\xff\xfe")}, "/query/cursor"),
        ({"cursor": forged(b"chn_01kantf3wr8q0vdzn6y5h2x9ms")}, "/query/cursor"),
        ({"limit": 0}, "/query/limit"),
        ({"limit": 101}, "/query/limit"),
        ({"limit": "many"}, "/query/limit"),
        ({"status": "done"}, "/query/status"),
        ({"from": "2027-01-13T09:00:00"}, "/query/from"),
        ({"to": "tomorrow"}, "/query/to"),
        ({"from": 1799848800}, "/query/from"),
        ({"tag": "a\x00b"}, "/query/tag"),
        ({"resource": ""}, "/query/resource"),
        ({"reference_id": "r" * 257}, "/query/reference_id"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_pointed_at(filled: Lectern, query: Json, pointer: str) -> None:
    answer = filled.client.get("/recordings", params=query)
    assert pointers(problem(answer, 422, "invalid_document")) == [pointer]


# One recording


def test_a_recording_has_the_etag_that_guards_changes(service: Lectern) -> None:
    answer = service.schedule()
    path = answer.headers["Location"]
    tag = service.client.get(path).headers["ETag"]
    assert tag == answer.headers["ETag"]
    for given, status in (('"other"', 412), (tag, 200)):
        changed = service.client.patch(path, json={"title": "another"}, headers={"If-Match": given})
        assert changed.status_code == status, changed.text
    assert service.client.get(path).headers["ETag"] != tag


def test_history_shows_every_step_of_every_chain(service: Lectern) -> None:
    recording = service.made()
    history = service.get(f"/recordings/{recording['id']}/history")
    assert history == {"items": [recording["chain"]], "next_cursor": None}
    (chain,) = history["items"]
    by_name = {step["name"]: step for step in chain["steps"]}
    assert {step["attempts"] for name, step in by_name.items() if name != "exclusions"} == {1}
    assert by_name["resource"]["kaltura_id"] == 562931
    assert by_name["template_entry"]["kaltura_id"] == recording["kaltura"]["template_entry_id"]
    assert by_name["events"]["kaltura_id"] == recording["kaltura"]["events"][0]["id"]
    moments = [moment for step in chain["steps"] for moment in (step["started_at"], step["finished_at"])]
    assert moments == sorted(moments)


def test_what_a_step_notes_besides_is_not_shown_as_an_id_of_kaltura(service: Lectern) -> None:
    """A change of hour and owner notes when it took over, whose the entry was, and what it retired."""
    path = f"/recordings/{service.made(SINGLE | {'categories': [86105441]})['id']}"
    found(service.client.patch(path, json={"duration_minutes": 55, "owner": "prof1", "categories": []}))
    newest = service.get(f"{path}/history")["items"][0]
    ids = {step["name"] for step in newest["steps"] if step["kaltura_id"] is not None}
    assert (newest["operation"], ids - {"resource", "template_entry", "events"}) == ("update", set())


def test_sessions_that_are_over_are_past(service: Lectern) -> None:
    first = (utc_now() - timedelta(days=1, hours=1)).strftime("%Y-%m-%dT%H:%M:00")
    recording = service.made(SINGLE | {"start": first, "recurrence": {"frequency": "daily", "count": 3}})
    listed = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    assert [each["status"] for each in listed] == ["past", "past", "scheduled"]


@pytest.mark.parametrize("path", ["", "/occurrences", "/history"])
@pytest.mark.parametrize(
    "recording_id", ["rec_01kantf3wq5m2c7j8e9g0h1k3p", "rec_%00", "x", "%F0%9F%98%80", "562931", "rec_" + "0" * 5_000]
)
def test_a_recording_that_is_not_there_is_a_404(filled: Lectern, recording_id: str, path: str) -> None:
    problem(filled.client.get(f"/recordings/{recording_id}{path}"), 404, "not_found")


def test_a_failed_recording_shows_what_a_client_would_have_been_told(filled: Lectern) -> None:
    (failed,) = filled.get("/recordings", status="failed")["items"]
    assert failed["problem"]["code"] == "category_not_found"
    assert failed == filled.get(f"/recordings/{failed['id']}")
    assert (failed["occurrence_count"], failed["first_start"]) == (0, None)


# Clients


def test_another_client_s_recording_is_not_there(tmp_path: Path, database_url: str) -> None:
    pairs = ",".join(f"{name}={key}" for name, key in KEYS.items())
    with lectern(tmp_path, database_url=database_url, api_keys=pairs) as service:

        def call(client: str, method: str, path: str, **more: Any) -> Any:
            headers = {"Authorization": f"Bearer {KEYS[client]}", "Idempotency-Key": "k"}
            return service.client.request(method, path, headers=headers, **more)

        mine = found(call("registrar", "POST", "/recordings", json=example()), 201)
        for path in ("", "/occurrences", "/history"):
            found(call("registrar", "GET", f"/recordings/{mine['id']}{path}"))
            problem(call("library", "GET", f"/recordings/{mine['id']}{path}"), 404, "not_found")
        problem(call("library", "POST", f"/recordings/{mine['id']}/resume"), 404, "not_found")
        assert found(call("library", "GET", "/recordings"))["items"] == []
        # Keys and references are each client's own.
        theirs = found(call("library", "POST", "/recordings", json=example(on_conflict="allow")), 201)
        assert theirs["id"] != mine["id"]
        assert [item["id"] for item in found(call("registrar", "GET", "/recordings"))["items"]] == [mine["id"]]


# Resume


def stuck(service: Lectern) -> Json:
    """A recording whose chain has met a Kaltura that was away for longer than Lectern's patience."""
    service.fault("drop_before", "media", "add")
    recording = found(service.schedule(prefer="respond-async"), 202)
    eventually(lambda: service.get(f"/recordings/{recording['id']}")["chain"]["status"] == "waiting" or None)
    database: Database = service.app.state.database
    with database.write() as session:
        session.execute(update(Chain).where(col(Chain.subject) == recording["id"]).values(tried=1e9))
    return service.until(recording["id"], "stuck")


def test_a_stuck_recording_says_what_it_is_stuck_at_and_can_be_taken_up_again(service: Lectern) -> None:
    recording = stuck(service)
    assert recording["problem"]["code"] == "stuck"
    assert recording["problem"]["step"] == "template_entry"
    assert recording["problem"]["status"] == 503
    assert recording["chain"]["status"] == "stuck"
    assert recording["chain"]["finished_at"] is None
    service.heal()
    taken_up = found(service.client.post(f"/recordings/{recording['id']}/resume"), 200)
    assert (taken_up["id"], taken_up["status"], taken_up["problem"]) == (recording["id"], "scheduled", None)
    assert taken_up["chain"]["id"] == recording["chain"]["id"], "the same chain, from its open step"
    assert len(service.left()["entries"]) == 1
    assert found(service.schedule(), 200)["id"] == recording["id"]


def test_a_stuck_recording_keeps_its_reference(service: Lectern) -> None:
    recording = stuck(service)
    service.heal()
    assert found(service.schedule(), 200)["status"] == "stuck"
    shown = problem(service.schedule(example(title="another")), 409, "reference_in_use")
    assert shown["recording_id"] == recording["id"]


def test_resuming_answers_within_its_wait(service: Lectern) -> None:
    recording = stuck(service)
    answer = service.client.post(f"/recordings/{recording['id']}/resume", headers={"Prefer": "respond-async"})
    assert found(answer, 202)["status"] == "scheduling"
    assert answer.headers["Location"] == f"/recordings/{recording['id']}"
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_waiting_chain_is_tried_at_once(service: Lectern) -> None:
    service.fault("error", "schedule_scheduleEventResource", "add", code="RESOURCE_IS_RESERVED")  # for five seconds
    recording = found(service.schedule(prefer="wait=0"), 202)
    eventually(lambda: service.get(f"/recordings/{recording['id']}")["chain"]["status"] == "waiting" or None)
    service.heal()
    answer = service.client.post(f"/recordings/{recording['id']}/resume", headers={"Prefer": "wait=3"})
    assert found(answer, 200)["status"] == "scheduled"


def test_a_failed_recording_has_nothing_to_resume(filled: Lectern) -> None:
    (failed,) = filled.get("/recordings", status="failed")["items"]
    problem(filled.client.post(f"/recordings/{failed['id']}/resume"), 409, "nothing_to_resume")


def test_what_is_scheduled_and_without_drift_has_nothing_to_resume(service: Lectern) -> None:
    recording = service.made()
    service.calls()
    problem(service.client.post(f"/recordings/{recording['id']}/resume"), 409, "nothing_to_resume")
    assert service.get(f"/recordings/{recording['id']}") == recording
    assert service.writes() == []


def test_resuming_what_is_not_there_is_a_404(service: Lectern) -> None:
    problem(service.client.post("/recordings/rec_01kantf3wq5m2c7j8e9g0h1k3p/resume"), 404, "not_found")


@pytest.mark.parametrize("at_first", [True, False], ids=["made so", "changed so"])
def test_a_recording_begins_and_ends_with_sessions_that_are_held(service: Lectern, at_first: bool) -> None:
    """Not with one that is excluded, by a filter's word either."""
    document = SINGLE | {"recurrence": {"frequency": "daily", "count": 4}}  # from 13 to 16 January
    excluded = {"exclude": ["2027-01-13", "2027-01-16"]}
    made = service.made(document | (excluded if at_first else {}))
    if not at_first:
        found(service.client.patch(f"/recordings/{made['id']}", json=excluded))
    for before, after, is_listed in (
        ("2027-01-13T23:00:00Z", "2027-01-01T00:00:00Z", False),
        ("2027-01-14T23:00:00Z", "2027-01-01T00:00:00Z", True),
        ("2027-02-01T00:00:00Z", "2027-01-15T01:00:00Z", True),
        ("2027-02-01T00:00:00Z", "2027-01-15T23:00:00Z", False),
    ):
        assert bool(service.get("/recordings", **{"to": before, "from": after})["items"]) is is_listed
    shown = service.get(f"/recordings/{made['id']}")
    assert (shown["first_start"][:10], shown["last_end"][:10]) == ("2027-01-14", "2027-01-15")
