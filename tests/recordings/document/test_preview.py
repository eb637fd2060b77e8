"""`POST /recordings/preview`: what a document would come to, and nothing is made of it."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import inspect, text

from app.sandbox.seed.seed import RESOURCE_ID
from tests.conftest import Databases
from tests.recordings.documents import LEFT_OUT, SINGLE, example, weekly
from tests.service import Json, Lectern, epoch, eventually, found, lectern, problem

NEW_YORK = "America/New_York"
PAGE = Path(__file__).parents[3] / "docs/recordings.md"
LECTURE = SINGLE | {"time_zone": NEW_YORK}
NIGHTS = LECTURE | {"start": "2027-03-12T02:30:00", "recurrence": {"frequency": "daily", "count": 4}}
DAYS = {"start": "2027-03-12T09:00:00", "duration_minutes": 1440, "recurrence": {"frequency": "daily", "count": 4}}
TELESCOPE = "🔭"  # four bytes of UTF-8


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    """One service for all that leave nothing behind."""
    with databases.one() as url, lectern(tmp_path_factory.mktemp("preview"), database_url=url) as running:
        yield running


def asked(service: Lectern, document: object) -> Response:
    return service.client.post("/recordings/preview", json=document)


def previewed(service: Lectern, document: object) -> Json:
    preview: Json = found(asked(service, document))
    return preview


def scheduled(preview: Json) -> list[tuple[str, str]]:
    return [(one["start"], one["end"]) for one in preview["occurrences"] if one["status"] == "scheduled"]


def warned(preview: Json) -> list[tuple[str, str, str]]:
    return [(one["code"], one["pointer"], one["detail"]) for one in preview["warnings"]]


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


# Warnings


SPRING = "02:30 does not exist on 14 March 2027: that session begins at 03:30."
STORED = "are stored by Kaltura as ????."


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({}, []),
        (NIGHTS, [("gap", "/start", SPRING)]),
        (NIGHTS | {"exclude": ["2027-03-14"]}, []),
        (
            NIGHTS | {"start": "2027-11-06T01:30:00"},
            [("overlap", "/start", "01:30 happens twice on 7 November 2027: that session begins at the first.")],
        ),
        (
            {
                "recurrence": {"frequency": "weekly", "count": 2},
                "exclude": ["2027-01-21", "2027-01-20", {"from": "2027-01-14", "to": "2027-01-19"}],
            },
            [
                ("exclusion_unused", "/exclude/0", "No session falls on 2027-01-21."),
                ("exclusion_unused", "/exclude/2", "No session falls on 2027-01-14 to 2027-01-19."),
            ],
        ),
        (
            {"recurrence": {"frequency": "weekly", "days": ["MO", "FR"], "count": 4}},
            [
                (
                    "first_day",
                    "/start",
                    "13 January 2027 is not one of the recurrence's days: the first session is on 15 January 2027.",
                )
            ],
        ),
        (
            {
                "start": "2027-03-12T09:00:00",
                "duration_minutes": 1440,
                "recurrence": {"frequency": "daily", "count": 4},
            },
            [
                (
                    "sessions_overlap",
                    "/duration_minutes",
                    "The session of 13 March 2027 ends 60 minute(s) after that of 14 March 2027 has begun: they "
                    "overlap, and both are recorded.",
                )
            ],
        ),
        (DAYS | {"exclude": ["2027-03-14"]}, []),
        (DAYS | {"start": "2027-11-05T09:00:00"}, []),
        ({"title": "Größe – 日本"}, []),  # at most three bytes each
        (
            {
                "reference_id": TELESCOPE,
                "title": f"Nights {TELESCOPE}{TELESCOPE}",
                "description": TELESCOPE,
                "organizer": TELESCOPE,
                "contact": TELESCOPE,
                "location": TELESCOPE,
                "tags": ["stars", f"a{TELESCOPE}"],
            },
            [
                ("characters", "/title", f"2 character(s), such as emoji, {STORED}"),
                *(
                    ("characters", pointer, f"1 character(s), such as emoji, {STORED}")
                    for pointer in ("/description", "/organizer", "/contact", "/location", "/reference_id", "/tags/1")
                ),
            ],
        ),
        (
            {"resource": {"system_name": "NEW-1", "name": "New", "description": TELESCOPE}},
            [
                ("new_resource", "/resource", "Kaltura does not know this resource yet: it will be made."),
                ("characters", "/resource/description", f"1 character(s), such as emoji, {STORED}"),
            ],
        ),
        # Kaltura knows it: what else is said of it makes no difference.
        ({"resource": {"system_name": "EXTRON-100-ABC", "name": TELESCOPE}}, []),
    ],
)
def test_what_may_not_be_meant_is_told(quiet: Lectern, changes: Json, warnings: list[tuple[str, str, str]]) -> None:
    assert warned(previewed(quiet, LECTURE | changes)) == warnings


@pytest.mark.parametrize("character", ["\ufffd", "\U00010000"])
def test_the_characters_that_are_told_are_those_that_kaltura_stores_as_question_marks(
    service: Lectern, character: str
) -> None:
    document = LECTURE | {"title": f"a{character}"}
    told = bool(warned(previewed(service, document)))
    service.made(document)
    (event,) = service.left()["events"]
    assert (event["summary"] == "a????") == told


# Kaltura away


@pytest.mark.parametrize("fault", ["drop_before", "http_500", "http_429", "html"])
def test_kaltura_away_is_a_warning_and_all_else_is_shown(service: Lectern, fault: str) -> None:
    service.fault(fault)
    preview = previewed(service, example())
    assert len(preview["occurrences"]) == 40
    assert preview["plan"] == "one weekly series, 40 occurrences"
    assert warned(preview) == [
        ("resource_unchecked", "/resource", "Kaltura does not answer, so the resource could not be looked up.")
    ]


@pytest.mark.parametrize(
    "resource", [RESOURCE_ID, "EXTRON-100-ABC", "extron-100-abc", {"system_name": "EXTRON-100-ABC"}]
)
def test_conflicts_on_a_resource_that_lectern_has_seen_are_known_all_the_same(
    service: Lectern, resource: object
) -> None:
    service.made(LECTURE)
    service.fault("drop_before")
    assert len(previewed(service, LECTURE | {"resource": resource})["conflicts"]) == 1


def test_a_refusal_of_kaltura_s_is_told_as_post_tells_it(service: Lectern) -> None:
    service.fault("error", "schedule_scheduleResource", "list", code="SERVICE_FORBIDDEN")
    shown = problem(asked(service, example()), 422, "refused_by_kaltura")
    assert shown["kaltura_code"] == "SERVICE_FORBIDDEN"


# Conflicts


def test_conflicts_are_those_that_post_would_answer(service: Lectern) -> None:
    service.made(LECTURE | {"title": "first", "recurrence": {"frequency": "daily", "count": 5}})
    document = LECTURE | {"start": "2027-01-12T09:30:00", "recurrence": weekly(count=5, days=["TU", "WE", "FR"])}
    preview = previewed(service, document)
    assert [(one["start"], one["booked"]["title"], one["booked"]["source"]) for one in preview["conflicts"]] == [
        ("2027-01-13T14:30:00Z", "first", "lectern"),
        ("2027-01-15T14:30:00Z", "first", "lectern"),
    ]
    refused = problem(service.schedule(document), 409, "schedule_conflict")
    assert preview["conflicts"] == refused["conflicts"]
    assert previewed(service, document | {"on_conflict": "allow"})["conflicts"] == refused["conflicts"]


def test_what_others_have_booked_is_known_as_soon_as_the_mirror_has_seen_it(service: Lectern) -> None:
    event = service.kaltura.add_event(startDate=epoch("2027-01-13T14:30:00Z"), endDate=epoch("2027-01-13T15:00:00Z"))
    service.kaltura.link(event["id"], RESOURCE_ID)
    assert previewed(service, LECTURE)["conflicts"] == []
    service.get("/resources")
    service.app.state.mirror.ask([RESOURCE_ID])
    (pair,) = eventually(lambda: previewed(service, LECTURE)["conflicts"])
    assert (pair["start"], pair["booked"]["source"], pair["booked"]["event_id"]) == (
        "2027-01-13T14:00:00Z",
        "kaltura",
        event["id"],
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"start": "2027-01-13T09:50:00"},
        {"start": "2027-01-13T08:10:00"},
        {"resource": "EXTRON-200-DEF"},
        {"resource": {"system_name": "NEW-1"}},
        {"recurrence": {"frequency": "daily", "count": 2}, "exclude": ["2027-01-13"]},
    ],
)
def test_neighbours_other_rooms_and_excluded_days_are_no_conflicts(service: Lectern, changes: Json) -> None:
    service.made(LECTURE)
    assert previewed(service, LECTURE | changes)["conflicts"] == []


def test_a_document_that_is_a_recording_already_does_not_conflict_with_it(service: Lectern) -> None:
    recording = service.made(example())
    preview = previewed(service, example(start="2027-01-13T09:10:00"))
    assert preview["conflicts"] == []
    assert warned(preview) == [
        (
            "reference_in_use",
            "/reference_id",
            f"{recording['id']} has this reference_id already: only the document that made it can be sent again.",
        )
    ]
    assert len(previewed(service, example(reference_id=LEFT_OUT))["conflicts"]) == 36


def test_another_client_s_reference_is_not_told(tmp_path: Path) -> None:
    keys = {name: f"lct_{name}_{digit * 43}" for name, digit in (("registrar", "a"), ("library", "b"))}
    with lectern(tmp_path, api_keys=",".join(f"{name}={key}" for name, key in keys.items())) as service:

        def call(client: str, path: str) -> Response:
            return service.client.post(path, json=example(), headers={"Authorization": f"Bearer {keys[client]}"})

        found(call("registrar", "/recordings"), 201)
        codes = {name: [code for code, _, _ in warned(found(call(name, "/recordings/preview")))] for name in keys}
        assert codes == {"registrar": ["reference_in_use"], "library": []}
        problem(service.client.post("/recordings/preview", json=example()), 401, "unauthorized")


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
    service.calls()
    before, theirs = rows(service), service.sandbox.state()
    assert {"recording", "occurrence", "chain"} <= before.keys()
    previewed(service, example(resource=resource))
    asked_for = "scheduleResource.get" if isinstance(resource, int) else "scheduleResource.list"
    assert service.calls() == [asked_for, "category.get", "category.list"]
    assert (rows(service), service.sandbox.state()) == (before, theirs)


def test_nothing_is_reserved(quiet: Lectern) -> None:
    previewed(quiet, example())
    event = quiet.kaltura.add_event()
    assert quiet.kaltura.link(event["id"], RESOURCE_ID)["eventId"] == event["id"]


# What is refused


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        example(title=""),
        example(title=f"{TELESCOPE}\x00"),
        example(colour="red"),
        example(start="2027-01-13"),
        example(time_zone="Mars/Olympus"),
        example(end="2027-01-13T08:00:00"),
        example(recurrence=weekly(count=0), exclude=["2027-02-30"]),
        example(recurrence="FREQ=WEEKLY;INTERVAL=0;COUNT=2"),
        example(recurrence={"frequency": "monthly", "month_days": [30], "days": ["5MO"], "positions": [2], "count": 1}),
        example(exclude=[{"from": "2027-01-01", "to": "2027-12-31"}]),
        example(resource="NOWHERE"),
        example(resource="999"),  # neither an id nor a name
        example(resource=999),
        example(categories=[86105441, 77], on_conflict="allow"),
        example(categories=["Canvas>site>channels>1234", "Canvas>nowhere"], on_conflict="allow"),
        example(resource={"system_name": "NEW-1"}, categories=["Canvas>nowhere"]),
    ],
)
def test_what_post_refuses_is_refused_in_the_same_words(quiet: Lectern, document: object) -> None:
    assert_same(quiet, document, 422)


def test_an_ambiguous_resource_is_refused_in_the_same_words(service: Lectern) -> None:
    for kind in ("KalturaCameraScheduleResource", "KalturaLocationScheduleResource"):
        sent = {"objectType": kind, "name": "R", "systemName": "ROOM"}
        service.kaltura("schedule_scheduleResource", "add", scheduleResource=sent)
    for resource in ("room", {"system_name": "ROOM"}):
        assert_same(service, example(resource=resource), 409)


def assert_same(service: Lectern, document: object, status: int) -> None:
    """Both answer one problem, but for what tells of the recording that POST has made of it."""
    refused, preview = service.schedule(document).json(), asked(service, document).json()
    for answer in (refused, preview):
        for name in ("request_id", "recording_id", "step"):
            answer.pop(name, None)
    assert preview == refused
    assert preview["status"] == status
    assert preview["errors"]


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
