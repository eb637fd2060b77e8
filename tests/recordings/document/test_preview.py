"""`POST /recordings/preview`: what a document would come to, and nothing is made of it."""

import json
import re
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from sqlalchemy import inspect, text, update

from app.database.types import utc_now
from app.resources.feed import polling
from app.resources.models import Mirror
from app.sandbox.seed.seed import RESOURCE_ID
from tests.recordings.document.previews import LECTURE, NIGHTS, previewed, scheduled
from tests.recordings.documents import SINGLE, example, weekly
from tests.service import Json, Lectern, epoch, eventually, lectern, problem

PAGE = Path(__file__).parents[3] / "docs/recordings.md"


# Sessions


def test_every_session_is_shown_by_the_clocks_of_utc_and_of_its_zone(quiet: Lectern) -> None:
    shown = previewed(quiet, example())["occurrences"]
    assert len(shown) == 40
    assert shown[0] == {
        "start": "2027-01-13T14:00:00Z",
        "end": "2027-01-13T14:50:00Z",
        "local_start": "2027-01-13T09:00:00-05:00",
        "weekday": "WE",
        "status": "scheduled",
        "reason": None,
    }
    assert [(one["local_start"], one["weekday"]) for one in shown[25:28]] == [
        ("2027-03-12T09:00:00-05:00", "FR"),
        ("2027-03-15T09:00:00-04:00", "MO"),
        ("2027-03-17T09:00:00-04:00", "WE"),
    ]
    assert {one["local_start"][10:19] for one in shown} == {"T09:00:00"}
    assert [one["start"] for one in shown] == sorted(one["start"] for one in shown)


def test_an_excluded_session_says_what_excluded_it(quiet: Lectern) -> None:
    shown = previewed(quiet, example())["occurrences"]
    assert [(one["local_start"][:10], one["reason"]) for one in shown if one["status"] == "excluded"] == [
        ("2027-02-15", "excluded by 2027-02-15"),
        ("2027-03-22", "excluded by 2027-03-22 to 2027-03-26"),
        ("2027-03-24", "excluded by 2027-03-22 to 2027-03-26"),
        ("2027-03-26", "excluded by 2027-03-22 to 2027-03-26"),
    ]
    assert {one["reason"] for one in shown if one["status"] == "scheduled"} == {None}


@pytest.mark.parametrize(
    ("start", "local_start", "reason"),
    [
        (
            "2027-03-14T02:30:00",
            "2027-03-14T03:30:00-04:00",
            "02:30 does not exist on 14 March 2027: that session begins at 03:30.",
        ),
        (
            "2027-11-07T01:30:00",
            "2027-11-07T01:30:00-04:00",
            "01:30 happens twice on 7 November 2027: that session begins at the first.",
        ),
    ],
)
def test_a_time_that_the_clocks_skip_or_repeat_has_its_reason(
    quiet: Lectern, start: str, local_start: str, reason: str
) -> None:
    (shown,) = previewed(quiet, LECTURE | {"start": start})["occurrences"]
    assert (shown["local_start"], shown["status"], shown["reason"]) == (local_start, "scheduled", reason)


def test_a_document_without_a_zone_is_in_the_service_s(tmp_path: Path) -> None:
    with lectern(tmp_path, time_zone="Asia/Kolkata") as service:
        (shown,) = previewed(service, SINGLE)["occurrences"]
    assert (shown["start"], shown["local_start"]) == ("2027-01-13T03:30:00Z", "2027-01-13T09:00:00+05:30")


# The plan


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "one single event"),
        ({"recurrence": weekly()}, "one weekly series, 40 occurrences"),
        (
            NIGHTS,
            "one daily series, 2 occurrences, then one single event because 02:30 does not exist on 14 March 2027, "
            "then one series of one occurrence",
        ),
        # An event of which nothing is wanted is not made.
        (
            NIGHTS | {"exclude": ["2027-03-14"]},
            "one daily series, 2 occurrences, then one series of one occurrence",
        ),
        (
            {"recurrence": {"frequency": "daily", "count": 1000}},
            "2 daily series, 1,000 occurrences because Kaltura ends a series after two years",
        ),
    ],
)
def test_the_plan_is_told_in_words(quiet: Lectern, changes: Json, words: str) -> None:
    assert previewed(quiet, LECTURE | changes)["plan"] == words


@pytest.mark.parametrize(
    "document",
    [
        SINGLE,
        example(),
        NIGHTS,
        NIGHTS | {"exclude": ["2027-03-14"]},
        NIGHTS | {"start": "2027-10-29T01:30:00", "time_zone": "Europe/London"},
        NIGHTS | {"recurrence": "FREQ=MONTHLY;BYMONTHDAY=-1,15;COUNT=6"},
        LECTURE | {"start": "2027-01-12T09:00:00", "recurrence": {"frequency": "weekly", "days": ["WE"], "count": 2}},
    ],
)
def test_what_is_previewed_is_what_is_made(service: Lectern, document: Json) -> None:
    preview = previewed(service, document)
    recording = service.made(document)
    made = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    for part in ("start", "end", "local_start", "status"):
        assert [one[part] for one in preview["occurrences"]] == [one[part] for one in made]
    active = [one for one in service.left()["events"] if one["recurrenceType"] != 1 and one["status"] == 2]
    assert sorted((one["startDate"], one["endDate"]) for one in active) == [
        (epoch(start), epoch(end)) for start, end in scheduled(preview)
    ]
    words = preview["plan"].split(", then ")
    assert len(recording["kaltura"]["events"]) == len(words)


# Nothing is made


def rows(service: Lectern) -> dict[str, list[Any]]:
    """Every row of every table."""
    with service.app.state.database.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return {table: sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}")))) for table in tables}  # noqa: S608


@pytest.mark.parametrize("resource", ["EXTRON-100-ABC", "EXTRON-200-DEF", RESOURCE_ID, {"system_name": "NEW-1"}])
def test_nothing_is_written_and_kaltura_is_asked_for_resource_and_categories_alone(
    service: Lectern, resource: object
) -> None:
    service.get("/resources")  # Lectern has seen them all
    with service.app.state.database.write() as session:
        session.execute(update(Mirror).values(as_of=utc_now()))  # and what they have
    service.calls()
    before, theirs = rows(service), service.sandbox.state()
    assert {"recording", "occurrence", "chain"} <= before.keys()
    with mock.patch.object(service.app.state.feed, "_ask"):  # what keeps them fresh is not the preview's
        previewed(service, example(resource=resource))
    asked_for = "scheduleResource.get" if isinstance(resource, int) else "scheduleResource.list"
    assert service.calls() == [asked_for, "category.get", "category.list"]
    assert (rows(service), service.sandbox.state()) == (before, theirs)


# What is booked there


BOOKED = LECTURE | {"start": "2027-03-01T09:00:00"}  # 14:00 UTC


def book(service: Lectern, *days: str) -> None:
    for day in days:
        start = epoch(f"{day}T14:00:00Z")
        event = service.kaltura.add_event(startDate=start, endDate=start + 3000)
        service.kaltura.link(event["id"], RESOURCE_ID)


@pytest.mark.parametrize("resource", [RESOURCE_ID, "EXTRON-100-ABC", {"system_name": "EXTRON-100-ABC"}])
def test_what_is_booked_in_kaltura_on_a_resource_that_nobody_asked_for_is_found(
    service: Lectern, resource: object
) -> None:
    book(service, "2027-03-01")
    document = BOOKED | {"resource": resource}
    preview = previewed(service, document)
    refused = problem(service.schedule(document), 409, "schedule_conflict")
    assert preview["conflicts"] == refused["conflicts"]
    assert preview["warnings"] == []


def test_what_would_be_skipped_on_such_a_resource_is_found(service: Lectern) -> None:
    book(service, "2027-03-01")
    document = BOOKED | {"recurrence": {"frequency": "weekly", "count": 2}, "on_conflict": "skip"}
    preview = previewed(service, document)
    made = service.get(f"/recordings/{service.made(document)['id']}/occurrences")["items"]
    assert [one["status"] for one in preview["occurrences"]] == ["excluded", "scheduled"]
    assert [one["status"] for one in made] == ["excluded", "scheduled"]


def test_a_resource_whose_schedule_cannot_be_read_is_previewed_with_a_warning(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "FIRST_WAIT", 0.1)
    book(service, "2027-03-01")
    service.fault("http_500", "schedule_scheduleEvent", "list")
    preview = previewed(service, BOOKED)
    assert preview["conflicts"] == []
    assert [(one["code"], one["pointer"]) for one in preview["warnings"]] == [("bookings_unchecked", "/resource")]
    service.heal()
    assert eventually(lambda: previewed(service, BOOKED)["conflicts"])


def test_a_resource_that_is_to_be_made_is_not_waited_for(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.app.state.feed, "mirrored", None)
    preview = previewed(service, BOOKED | {"resource": {"system_name": "NEW-1"}})
    assert [one["code"] for one in preview["warnings"]] == ["new_resource"]


def test_nothing_is_reserved(quiet: Lectern) -> None:
    previewed(quiet, example())
    event = quiet.kaltura.add_event()
    assert quiet.kaltura.link(event["id"], RESOURCE_ID)["eventId"] == event["id"]


def test_a_thousand_sessions_are_previewed_in_less_than_a_second(quiet: Lectern) -> None:
    previewed(quiet, LECTURE)
    began = time.perf_counter()
    preview = previewed(quiet, NIGHTS | {"recurrence": {"frequency": "daily", "count": 1000}})
    assert time.perf_counter() - began < 1
    assert len(preview["occurrences"]) == 1000


# The hard case of docs/recordings.md


def test_the_page_shows_what_the_service_answers(service: Lectern) -> None:
    """A term across a change of the clocks, with a spring break; and the chain makes what was shown."""
    section = PAGE.read_text(encoding="utf-8").split("## A preview\n")[1].split("\n## ")[0]
    (sent,) = re.findall(r"-d '(.*?)'\n```", section, re.DOTALL)
    (shown,) = re.findall(r"```json\n(.*?)```", section, re.DOTALL)
    document = json.loads(sent)
    assert previewed(service, document) == json.loads(shown)
    recording = service.made(document)
    assert [event["kind"] for event in recording["kaltura"]["events"]] == ["series", "single", "series"]
    made = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    assert [(one["start"], one["status"]) for one in made] == [
        (one["start"], one["status"]) for one in json.loads(shown)["occurrences"]
    ]
