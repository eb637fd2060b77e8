"""Faults, the same through both ways in."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from app.sandbox.trouble.modes import Modes
from tests.sandbox.kaltura import HOUR, MONDAY, Kaltura, embedded, event, weekly
from tests.service import eventually

ADD = {"service": "schedule_scheduleEvent", "action": "add"}
PARTS = {
    "1": {**ADD, "scheduleEvent": event()},
    "2": {**ADD, "scheduleEvent": event(startDate=MONDAY + HOUR, endDate=MONDAY + 2 * HOUR)},
    "3": {"service": "system", "action": "ping"},
}


@pytest.fixture(params=["embedded", "alone"])
def either(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Kaltura]:
    if request.param == "embedded":
        caller = embedded(sandbox).sign_in()
        yield caller
        caller.client.close()
        return
    with running(sandbox) as url, httpx.Client(base_url=url) as client:
        yield Kaltura(client).sign_in()


def one_fault(sandbox: Sandbox, fault: str, **more: Any) -> None:
    wanted = {"service": "schedule_scheduleEvent", "action": "add", "fault": fault, "times": 1}
    sandbox.set_faults({"faults": [wanted | more]})


def events(sandbox: Sandbox) -> int:
    return len(sandbox.state()["events"])


@pytest.mark.parametrize(("fault", "done"), [("drop_before", 0), ("drop_after", 1)])
def test_a_dropped_call_is_a_closed_connection(sandbox: Sandbox, either: Kaltura, fault: str, done: int) -> None:
    one_fault(sandbox, fault)
    with pytest.raises(httpx.RemoteProtocolError):
        either.add_event()
    assert events(sandbox) == done
    assert either.add_event()["status"] == 2  # and only once


@pytest.mark.parametrize(
    ("fault", "status", "body"), [("http_500", 500, ""), ("http_429", 429, ""), ("html", 200, "<!DOCTYPE html>")]
)
def test_a_proxy_in_between_answers_and_nothing_is_done(
    sandbox: Sandbox, either: Kaltura, fault: str, status: int, body: str
) -> None:
    one_fault(sandbox, fault)
    response = either.post("schedule_scheduleEvent", "add")
    assert (response.status_code, response.text[: len(body)]) == (status, body)
    assert events(sandbox) == 0


def test_too_many_requests_name_a_time(sandbox: Sandbox, either: Kaltura) -> None:
    one_fault(sandbox, "http_429", retry_after=7)
    assert either.post("schedule_scheduleEvent", "add").headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("wanted", "message", "args"),
    [
        ("SCHEDULE_TIME_IN_USE", "Another event is already scheduled during this time", []),
        ("INVALID_OBJECT_ID", "Invalid object id []", {"ID": ""}),
        ("SOMETHING_{NEW}", "SOMETHING_{NEW}", []),
    ],
)
def test_an_error_is_refused_with_its_code(
    sandbox: Sandbox, either: Kaltura, wanted: str, message: str, args: object
) -> None:
    one_fault(sandbox, "error", code=wanted)
    answer = either.add_event()
    assert (answer["code"], answer["message"], answer["args"]) == (wanted, message, args)
    assert events(sandbox) == 0


def test_a_truncated_answer_is_no_json_though_it_was_done(sandbox: Sandbox, either: Kaltura) -> None:
    one_fault(sandbox, "truncated")
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        either.add_event()
    assert events(sandbox) == 1


def test_a_delayed_answer_times_out_though_it_was_done(sandbox: Sandbox, either: Kaltura) -> None:
    one_fault(sandbox, "delay", seconds=5)
    either.client.timeout = 0.3
    with pytest.raises(httpx.ReadTimeout):
        either.add_event()
    assert eventually(lambda: events(sandbox) == 1)


def test_latency_is_for_every_call(sandbox: Sandbox, either: Kaltura) -> None:
    sandbox.set_faults({"latency": 5})
    either.client.timeout = 0.3
    with pytest.raises(httpx.ReadTimeout):
        either("system", "ping")


def test_the_first_fault_that_matches_strikes(sandbox: Sandbox, kaltura: Kaltura) -> None:
    sandbox.set_faults(
        {
            "faults": [
                {"service": "SYSTEM", "fault": "http_500", "times": 2},
                {"service": "*", "action": "*", "fault": "error", "code": "X"},
                {"service": "system", "fault": "html", "probability": 0},
            ]
        }
    )
    assert kaltura.post("system", "ping").status_code == 500
    assert kaltura.post("media", "get").json()["code"] == "X"
    assert kaltura.post("system", "ping").status_code == 500
    assert kaltura.post("system", "ping").json()["code"] == "X"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ([], "JSON object"),
        ({"faults": [{"fault": "explode"}]}, "fault must be one of"),
        ({"faults": [{"service": "media"}]}, "each needs a fault"),
        ({"faults": [{"fault": "html", "often": 1}]}, "often is not known"),
        ({"faults": [{"fault": "html", "times": -1}]}, "times must be"),
        ({"faults": [{"fault": "html", "probability": 1.5}]}, "probability must be"),
        ({"latency": "slow"}, "latency must be"),
        ({"modes": {"index_lag": "long"}}, "index_lag must be"),
        ({"modes": {"search_down": 1}}, "search_down must be"),
        ({"modes": []}, "modes must be an object"),
        ({"modes": {"half": {}}}, "half is not known; known are index_lag"),
        ({"modes": {"engine_down": "committed"}}, "engine_down must be true or false"),
        ({"modes": {"totals_lag": -1}}, "totals_lag must be a number"),
        ({"modes": {"lock_timeout": True}}, "lock_timeout must be a number"),
        ({"modes": {"server_zone": "New York"}}, "server_zone must be the IANA name"),
        ({"modes": {"server_zone": 1}}, "server_zone must be the IANA name"),
        ({"modes": {"half_add": 19}}, "half_add must be an object"),
        ({"modes": {"half_add": {"times": 1}}}, "half_add needs children or indexed"),
        ({"modes": {"half_add": {"children": 1.5}}}, "half_add: children must be a whole number"),
        ({"modes": {"half_add": {"indexed": 1, "answer": "lost"}}}, "half_add: answer must be one of success, none"),
        ({"modes": {"half_add": {"indexed": 1, "seconds": 1}}}, "half_add: seconds is not known"),
        ({"modes": {"half_entry": True}}, "half_entry must be an object"),
        ({"modes": {"half_entry": {"indexed": 1}}}, "half_entry: indexed must be true or false"),
        ({"modes": {"half_link": {"times": 1}}}, "half_link needs indexed"),
        ({"modes": {"half_link": {"indexed": -1}}}, "half_link: indexed must be a whole number"),
        ({"modes": {"half_delete": "yes"}}, "half_delete must be"),
        ({"modes": {"half_delete": {"times": "one"}}}, "half_delete: times must be a whole number"),
    ],
)
def test_what_is_no_fault_is_refused_and_changes_nothing(
    sandbox: Sandbox, kaltura: Kaltura, document: object, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        sandbox.set_faults(document)
    assert kaltura("system", "ping") is True


def test_a_mode_that_is_null_or_false_is_off(sandbox: Sandbox, kaltura: Kaltura) -> None:
    sandbox.set_faults({"modes": dict.fromkeys(Modes.__dataclass_fields__) | {"half_delete": False}})
    assert kaltura.events()["totalCount"] == 0
    made = kaltura.add_event(**weekly(2))
    assert kaltura("schedule_scheduleEvent", "delete", scheduleEventId=made["id"])["status"] == 3


def test_of_a_multirequest_one_part_is_refused_and_the_others_are_done(sandbox: Sandbox, kaltura: Kaltura) -> None:
    sandbox.set_faults({"faults": [{"fault": "error", "action": "add", "times": 1, "code": "INVALID_PARAMETER_CHAR"}]})
    first, second, ping = kaltura("multirequest", "", **PARTS)
    assert (first["code"], second["objectType"], ping) == ("INVALID_PARAMETER_CHAR", "KalturaRecordScheduleEvent", True)


def test_of_a_multirequest_the_parts_before_a_php_error_are_done(sandbox: Sandbox, kaltura: Kaltura) -> None:
    """Exchange 596."""
    sandbox.set_faults({"faults": [{"fault": "http_500", "action": "ping"}]})
    response = kaltura.post("multirequest", "", **PARTS)
    assert (response.status_code, response.content) == (500, b"")
    assert kaltura.events()["totalCount"] == 2
