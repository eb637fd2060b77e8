"""A preview is as strict as POST: the same conflicts, and the same refusals in the same words."""

from pathlib import Path

import pytest
from httpx2 import Response

from tests.recordings.document.previews import LECTURE, TELESCOPE, asked, previewed, warned
from tests.recordings.documents import LEFT_OUT, example, weekly
from tests.service import Json, Lectern, found, lectern, problem

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
