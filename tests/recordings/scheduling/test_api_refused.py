"""Kaltura refuses in the middle: nothing of the recording is left there, and the answer says what to do."""

from typing import Any

import pytest

from tests.recordings.documents import SINGLE, example
from tests.service import NOTHING, Json, Lectern, eventually, found, pointers, problem

EVENT, RESOURCE, LINK = "schedule_scheduleEvent", "schedule_scheduleResource", "schedule_scheduleEventResource"
NEW_ROOM = {"system_name": "NEW-1"}
THREE_EVENTS = SINGLE | {  # 02:30 does not exist in New York on 14 March: a series, a single event, a series
    "start": "2027-03-12T02:30:00",
    "time_zone": "America/New_York",
    "recurrence": {"frequency": "daily", "count": 6},
}


def told(service: Lectern, answer: Any, step: str, code: str = "INVALID_FIELD_VALUE") -> Json:
    """The problem says the step, Kaltura's code and what to do; the failed recording says the same."""
    shown = problem(answer, 422, "refused_by_kaltura")
    assert (shown["step"], shown["kaltura_code"]) == (step, code)
    assert code in shown["detail"]
    assert len(shown["detail"].split(". ")) >= 2, "what happened, and what to do"
    recording: Json = service.get(f"/recordings/{shown['recording_id']}")
    assert recording["status"] == "failed"
    assert recording["problem"] == {
        name: value for name, value in shown.items() if name not in ("request_id", "recording_id")
    }
    assert recording["kaltura"] == {"template_entry_id": None, "events": []}
    assert recording["occurrence_count"] == 0
    assert recording["chain"]["status"] == "failed"
    steps = {each["name"]: each for each in recording["chain"]["steps"]}
    assert steps[step]["status"] == "failed"
    assert steps[step]["error"]["kaltura_code"] == code
    return recording


@pytest.mark.parametrize(
    ("service_name", "action", "step", "undone"),
    [
        (RESOURCE, "add", "resource", []),
        (EVENT, "list", "conflicts", ["resource"]),
        ("category", "list", "template_entry", ["resource"]),
        ("media", "add", "template_entry", ["resource"]),
        (EVENT, "add", "events", ["resource", "template_entry"]),
        (EVENT, "cancel", "exclusions", ["resource", "template_entry", "events"]),
        (EVENT, "getConflicts", "conflicts", ["resource"]),
        (LINK, "add", "links", ["resource", "template_entry", "events"]),
    ],
)
def test_row_8_a_refusal_at_any_call_is_undone_and_told(
    service: Lectern, service_name: str, action: str, step: str, undone: list[str]
) -> None:
    service.fault("error", service_name, action, code="INVALID_FIELD_VALUE")
    recording = told(service, service.schedule(example(resource=NEW_ROOM)), step)
    assert service.left() == NOTHING
    assert [each["name"] for each in recording["chain"]["steps"] if each["status"] == "undone"] == undone


def test_the_undo_removes_the_resource_that_was_made_and_leaves_one_that_was_there(service: Lectern) -> None:
    before = service.sandbox.state()["resources"]
    service.fault("error", LINK, "add", code="INVALID_FIELD_VALUE")
    told(service, service.schedule(SINGLE | {"resource": NEW_ROOM}), "links")
    recording = told(service, service.schedule(SINGLE), "links")
    assert recording["chain"]["steps"][0]["status"] == "succeeded"
    assert service.sandbox.state()["resources"] == before


@pytest.mark.parametrize(("name", "action", "step"), [(EVENT, "add", "events"), (LINK, "add", "links")])
@pytest.mark.parametrize("after", [1, 2])
def test_a_refusal_in_the_middle_of_a_step_is_undone_too(
    service: Lectern, name: str, action: str, step: str, after: int
) -> None:
    done = []

    def count(called: str, act: str, phase: str) -> None:
        if (called, act, phase) == (name, action, "after"):
            done.append(act)
            if len(done) == after:
                service.fault("error", name, action, code="INVALID_FIELD_VALUE")

    service.sandbox.watch = count
    told(service, service.schedule(THREE_EVENTS), step)
    assert len(done) == after
    assert service.left() == NOTHING


def test_what_others_made_is_left_alone(service: Lectern) -> None:
    other = service.made(SINGLE | {"title": "other"})
    before = service.left()
    service.fault("error", LINK, "add", code="INVALID_FIELD_VALUE")
    told(service, service.schedule(), "links")
    assert service.left() == before
    assert service.get(f"/recordings/{other['id']}") == other


def test_undoing_goes_on_where_it_was_interrupted(service: Lectern) -> None:
    service.sandbox.set_faults(
        {
            "faults": [
                {"service": LINK, "action": "add", "fault": "error", "code": "INVALID_FIELD_VALUE"},
                {"service": "media", "action": "delete", "fault": "drop_before", "times": 1},
                {"service": EVENT, "action": "delete", "fault": "drop_after", "times": 1},
            ]
        }
    )
    told(service, service.schedule(), "links")
    assert service.left() == NOTHING


# Unknown categories


@pytest.mark.parametrize(
    ("categories", "pointer", "named"),
    [
        ([404], "/categories/0", "404"),
        ([86105441, 404], "/categories/1", "404"),
        (["Mathematics", "Canvas>nowhere"], "/categories/1", "Canvas>nowhere"),
        (["mathematic"], "/categories/0", "mathematic"),
    ],
)
def test_an_unknown_category_is_named_and_not_made(
    service: Lectern, categories: list[int | str], pointer: str, named: str
) -> None:
    before = service.sandbox.state()
    shown = problem(service.schedule(example(categories=categories)), 422, "category_not_found")
    assert pointers(shown) == [pointer]
    assert named in shown["detail"]
    assert shown["step"] == "template_entry"
    assert service.sandbox.state() == before
    recording = service.get(f"/recordings/{shown['recording_id']}")
    assert recording["problem"]["errors"] == shown["errors"]


# What is missing a right, and what is not Kaltura's last word


def test_a_missing_right_says_whom_to_ask(service: Lectern) -> None:
    service.fault("error", EVENT, "add", code="SERVICE_FORBIDDEN")
    recording = told(service, service.schedule(), "events", "SERVICE_FORBIDDEN")
    assert "account manager" in recording["problem"]["detail"]


@pytest.mark.parametrize(
    ("fault", "more"),
    [("http_500", {}), ("http_429", {"retry_after": 1}), ("truncated", {})],
)
def test_row_8_what_may_pass_is_tried_again_and_no_refusal(service: Lectern, fault: str, more: Json) -> None:
    service.fault(fault, RESOURCE, "list", times=1, **more)
    recording = service.made()
    assert recording["chain"]["steps"][0]["attempts"] == 2
    assert len(service.left()["entries"]) == 1


def test_kaltura_away_is_a_202_and_goes_on_by_itself(service: Lectern) -> None:
    service.fault("drop_before")
    recording = found(service.schedule(prefer="wait=1"), 202)

    def look() -> Json | None:
        shown: Json = service.get(f"/recordings/{recording['id']}")
        return shown if shown["chain"]["status"] == "waiting" else None

    waiting = eventually(look)
    assert (waiting["status"], waiting["problem"]) == ("scheduling", None)
    (step, *later) = waiting["chain"]["steps"]
    assert (step["status"], bool(step["next_attempt_at"]), bool(step["error"]["detail"])) == ("waiting", True, True)
    assert {each["status"] for each in later} == {"pending"}
    service.heal()
    assert service.until(recording["id"], "scheduled")["occurrence_count"] == 36


def test_a_session_that_expires_in_the_middle_is_renewed_once(service: Lectern) -> None:
    def expire(_name: str, action: str, phase: str) -> None:
        if (action, phase) == ("cancel", "before"):
            service.sandbox.watch = None
            service.sandbox.expire_sessions()

    service.made(SINGLE)
    service.calls()
    service.sandbox.watch = expire
    service.made()
    assert service.calls().count("appToken.startSession") == 1


def test_a_name_that_kaltura_takes_for_another_s_is_refused_and_not_tried_for_a_day(service: Lectern) -> None:
    """A database may compare names without their accents: what is taken is not what is found."""
    service.fault("error", RESOURCE, "add", code="SYSTEM_NAME_ALREADY_EXISTS")
    shown = problem(service.schedule(example(resource={"system_name": "CAFE-1"})), 422, "refused_by_kaltura")
    assert pointers(shown) == ["/resource"]
    assert "GET /resources" in shown["detail"]
    assert service.left() == NOTHING
