"""Sessions in the hour that Kaltura's server repeats: encoders get them at their time, whatever Kaltura can keep."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app.resources.models import Mirror
from app.sandbox.seed.seed import RESOURCE_ID
from tests.recordings.documents import SINGLE
from tests.service import NOTHING, Json, Lectern, eventually, found, lectern, problem

SERVER = "America/New_York"
HOUR = ("2027-11-07T05:59:59Z", "2027-11-07T07:00:00Z")
LONDON: Json = {
    "start": "2027-11-04T06:30:00",
    "time_zone": "Europe/London",
    "recurrence": {"frequency": "daily", "count": 6},
    "duration_minutes": 20,
}
KOLKATA: Json = {
    "start": "2027-10-24T12:00:00",
    "time_zone": "Asia/Kolkata",
    "recurrence": {"frequency": "weekly", "days": ["SU"], "count": 5},
    "duration_minutes": 50,
}
NIGHTS: Json = {
    "start": "2027-10-24T01:30:00",
    "time_zone": SERVER,
    "recurrence": {"frequency": "weekly", "days": ["SU"], "count": 5},
    "duration_minutes": 50,
}
# A document, its session in that hour, and that one as Kaltura has it.
CASES = {
    "London 06:30": (LONDON, ("2027-11-07T06:30:00Z", "2027-11-07T06:50:00Z"), HOUR),
    "Kolkata 12:00": (KOLKATA, ("2027-11-07T06:30:00Z", "2027-11-07T07:20:00Z"), (HOUR[0], "2027-11-07T07:20:00Z")),
    "New York 01:30": (NIGHTS, ("2027-11-07T05:30:00Z", "2027-11-07T06:20:00Z"), ("2027-11-07T05:30:00Z", HOUR[1])),
}
Span = tuple[str, str]


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Lectern]:
    with lectern(tmp_path, database_url=database_url, server_zone=SERVER) as running:
        yield running


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Json, Span, Span]:
    document, session, sent = CASES[request.param]
    return {**SINGLE, **document}, session, sent


def fed(service: Lectern, recording: Json) -> list[Span]:
    """What encoders get of it."""
    service.app.state.feed.versions.expire()
    span = {"from": "2027-10-01T00:00:00Z", "to": "2028-01-01T00:00:00Z", "limit": 500}
    shown = service.get(f"/resources/{RESOURCE_ID}/upcoming", **span)["occurrences"]
    return [(one["start"], one["end"]) for one in shown if one["recording_id"] == recording["id"]]


def in_kaltura(service: Lectern) -> list[Span]:
    events = service.left()["events"]
    active = [one for one in events if one["recurrenceType"] != 1 and one["status"] == 2]
    return sorted((shown(one["startDate"]), shown(one["endDate"])) for one in active)


def shown(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def sessions(service: Lectern, recording: Json) -> list[Json]:
    items: list[Json] = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    return items


def that_one(service: Lectern, recording: Json) -> Json:
    return next(one for one in sessions(service, recording) if one["start"].startswith("2027-11-07"))


def has_no_drift(service: Lectern, recording: Json) -> None:
    """After three more looks at Kaltura have begun, so that two of them are over, which is what it takes to confirm."""
    began = _looks(service)
    eventually(lambda: _looks(service) >= began + 3, 30)
    assert service.get(f"/recordings/{recording['id']}")["drift"] == []


def _looks(service: Lectern) -> int:
    """How often Lectern has looked at the room; it is to do so again at once."""
    with service.app.state.database.write() as session:
        session.execute(update(Mirror).values(due_at=0.0, claimed_at=0.0))
        fence: int = session.get_one(Mirror, RESOURCE_ID).fence
        return fence


def test_encoders_get_it_at_its_time_and_kaltura_has_it_wider(service: Lectern, case: tuple[Json, Span, Span]) -> None:
    document, session, sent = case
    recording = service.made(document)
    assert (recording["status"], len(recording["kaltura"]["events"])) == ("scheduled", 3)
    times = fed(service, recording)
    assert times == [(one["start"], one["end"]) for one in sessions(service, recording)]
    assert session in times
    assert in_kaltura(service) == sorted(sent if one == session else one for one in times)
    has_no_drift(service, recording)


def test_it_goes_through_every_change(service: Lectern, case: tuple[Json, Span, Span]) -> None:
    document, session, sent = case
    recording = service.made(document)
    path = f"/recordings/{recording['id']}"
    for changes in ({"title": "New"}, {"resource": "EXTRON-200-DEF"}, {"resource": RESOURCE_ID, "tags": ["stars"]}):
        found(service.client.patch(path, json=changes))
        assert sent in in_kaltura(service)
        assert len(in_kaltura(service)) == recording["occurrence_count"]
    assert session in fed(service, recording)
    later = document["start"].replace(":30:00", ":35:00").replace(":00:00", ":05:00")
    found(service.client.patch(path, json={"start": later}))
    times = fed(service, recording)
    assert len(times) == recording["occurrence_count"]
    assert {start[15] for start, _ in times} == {"5"}
    has_no_drift(service, recording)
    found(service.client.delete(path))
    assert service.left() == NOTHING


def test_it_is_cancelled_restored_and_moved_like_any_other(service: Lectern, case: tuple[Json, Span, Span]) -> None:
    document, session, sent = case
    recording = service.made(document)
    path = f"/recordings/{recording['id']}/occurrences/{that_one(service, recording)['id']}"
    found(service.client.delete(path))
    assert (session in fed(service, recording), sent in in_kaltura(service)) == (False, False)
    has_no_drift(service, recording)
    found(service.client.post(f"{path}/restore"))
    assert (session in fed(service, recording), sent in in_kaltura(service)) == (True, True)
    found(service.client.patch(path, json={"start": "2027-11-07T08:30:00Z"}))
    assert "2027-11-07T08:30:00Z" in [start for start, _ in fed(service, recording)]
    found(service.client.patch(path, json={"start": "2027-11-07T06:05:00Z", "duration_minutes": 10}))
    assert ("2027-11-07T06:05:00Z", "2027-11-07T06:15:00Z") in fed(service, recording)
    assert HOUR in in_kaltura(service)
    has_no_drift(service, recording)


def test_a_session_that_is_excluded_there_is_not_made(service: Lectern) -> None:
    recording = service.made({**SINGLE, **LONDON, "exclude": ["2027-11-07"]})
    assert [event["kind"] for event in recording["kaltura"]["events"]] == ["series", "series"]
    assert in_kaltura(service) == fed(service, recording)


def test_neighbours_within_the_hour_are_no_conflicts_and_true_ones_are(service: Lectern) -> None:
    """In Kaltura they overlap by up to an hour."""

    def lecture(start: str, minutes: int, **more: Any) -> Json:
        return {**SINGLE, "title": start, "start": f"2027-11-07T{start}Z", "duration_minutes": minutes, **more}

    made = [service.made(lecture(start, 20)) for start in ("06:20:00", "06:00:00", "06:40:00", "07:00:00", "05:40:00")]
    for recording in made:
        has_no_drift(service, recording)
    refused = problem(service.schedule(lecture("06:30:00", 20)), 409, "schedule_conflict")
    assert [(one["booked"]["start"], one["booked"]["end"]) for one in refused["conflicts"]] == [
        ("2027-11-07T06:20:00Z", "2027-11-07T06:40:00Z"),
        ("2027-11-07T06:40:00Z", "2027-11-07T07:00:00Z"),
    ]
    swap = {
        "changes": [
            {"id": made[0]["id"], "patch": {"start": "2027-11-07T06:40:00Z"}},
            {"id": made[2]["id"], "patch": {"start": "2027-11-07T06:20:00Z"}},
        ]
    }
    answer = found(service.client.post("/recordings/batch", json=swap))
    assert [one["first_start"] for one in answer["items"]] == ["2027-11-07T06:40:00Z", "2027-11-07T06:20:00Z"]
    (one,) = fed(service, made[0])
    assert one == ("2027-11-07T06:40:00Z", "2027-11-07T07:00:00Z")


SECOND_RUN: dict[str, Json] = {
    "a start in UTC": {"start": "2027-11-07T06:30:00Z"},
    "a start with the offset after the change": {"start": "2027-11-07T01:30:00-05:00"},
    "the first of a series": {"start": "2027-11-07T06:30:00Z", "recurrence": {"frequency": "daily", "count": 3}},
    "an RDATE in UTC": {"start": "2027-11-01T09:00:00", "recurrence": "RDATE:20271107T063000Z"},
    "an RDATE of London": {
        "start": "2027-11-01T09:00:00",
        "recurrence": "RDATE;TZID=Europe/London:20271107T063000",
    },
}


@pytest.mark.parametrize("case", SECOND_RUN)
def test_an_offset_names_the_second_run_of_the_room_s_own_repeated_hour(service: Lectern, case: str) -> None:
    document = {**SINGLE, "time_zone": SERVER, "duration_minutes": 20, "reference_id": "r", **SECOND_RUN[case]}
    preview = found(service.client.post("/recordings/preview", json=document))
    assert "2027-11-07T01:30:00-05:00" in [one["local_start"] for one in preview["occurrences"]]
    assert [one["detail"] for one in preview["warnings"] if one["code"] == "overlap"] == [
        "01:30 happens twice on 7 November 2027: that session begins at the second."
    ]
    recording = service.made(document)
    assert ("2027-11-07T06:30:00Z", "2027-11-07T06:50:00Z") in fed(service, recording)
    assert fed(service, recording) == [(one["start"], one["end"]) for one in preview["occurrences"]]
    assert HOUR in in_kaltura(service)
    has_no_drift(service, recording)
    assert service.schedule(document).status_code == 200


def test_the_two_runs_are_two_documents_and_a_patch_goes_from_one_to_the_other(service: Lectern) -> None:
    first, second = "2027-11-07T05:30:00Z", "2027-11-07T06:30:00Z"
    document = {**SINGLE, "time_zone": SERVER, "duration_minutes": 20, "reference_id": "r"}
    recording = service.made({**document, "start": "2027-11-07T01:30:00"})
    assert service.schedule({**document, "start": first}).status_code == 200
    problem(service.schedule({**document, "start": second}), 409, "reference_in_use")
    path = f"/recordings/{recording['id']}"
    for start in (second, first, second):
        assert found(service.client.patch(path, json={"start": start}))["first_start"] == start
        assert [one for one, _ in fed(service, recording)] == [start]
        has_no_drift(service, recording)


@pytest.mark.parametrize("minutes", [1440, 1380])
def test_sessions_of_a_day_are_made_too(service: Lectern, minutes: int) -> None:
    """Wider would be more than Kaltura's 24 hours."""
    recording = service.made({**SINGLE, **KOLKATA, "duration_minutes": minutes, "recurrence": LONDON["recurrence"]})
    recording = service.made(
        {**SINGLE, **LONDON, "title": "whole days", "resource": "EXTRON-200-DEF", "duration_minutes": minutes}
    )
    assert recording["occurrence_count"] == 6
    assert in_kaltura(service)


def test_the_preview_says_so(service: Lectern, case: tuple[Json, Span, Span]) -> None:
    document, session, sent = case
    preview = found(service.client.post("/recordings/preview", json=document))
    assert session in [(one["start"], one["end"]) for one in preview["occurrences"]]
    assert [(one["pointer"], one["detail"]) for one in preview["warnings"] if one["code"] == "server_hour"] == [
        (
            "/start",
            f"Kaltura's own clocks repeat an hour on 7 November 2027: there that session is from {sent[0][11:19]} to "
            f"{sent[1][11:19]} UTC, encoders get it at its own time.",
        )
    ]
    without = found(service.client.post("/recordings/preview", json={**document, "exclude": ["2027-11-07"]}))
    assert without["warnings"] == []


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_a_server_without_such_an_hour_gets_every_session_as_it_is(tmp_path: Path, zone: str) -> None:
    with lectern(tmp_path, server_zone=zone) as service:
        recording = service.made({**SINGLE, **LONDON})
        assert [event["kind"] for event in recording["kaltura"]["events"]] == ["series"]
        assert in_kaltura(service) == fed(service, recording)


def test_where_the_setting_is_wrong_the_document_fails_as_it_did(tmp_path: Path, database_url: str) -> None:
    """What Kaltura keeps is compared with what was sent; nothing is scheduled an hour early."""
    with lectern(tmp_path, database_url=database_url, server_zone=SERVER, kaltura_server_time_zone="UTC") as service:
        document = {**SINGLE, "start": "2027-11-07T06:30:00", "duration_minutes": 15}
        refused = problem(service.schedule(document), 502, "schedule_differs")
        assert refused["got"][0] == ["2027-11-07T05:30:00Z", "2027-11-07T05:45:00Z"]
        assert service.left() == NOTHING
