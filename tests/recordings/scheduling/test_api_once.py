"""Made once: the same document again, at once, under the same key; and how long an answer waits."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from httpx2 import Response

from app.chains.models import Chain
from app.recordings.document.document import EXAMPLE
from tests.recordings.documents import SINGLE, example
from tests.service import NOTHING, Lectern, eventually, found, pointers, problem

KEY = {"idempotency_key": "5f0c3a52-4a08"}
OTHER_SPELLING = {
    "title": "  MATH-123 Linear Algebra ",
    "start": "2027-01-13T09:00",
    "recurrence": "FREQ=WEEKLY;BYDAY=FR,WE,MO;COUNT=40;WKST=WE",
    "exclude": [{"from": "2027-03-22", "to": "2027-03-26"}, "2027-02-15"],
    "publishers": [],
}


@pytest.mark.parametrize("again", [{}, OTHER_SPELLING], ids=["as it was", "spelt otherwise"])
def test_the_same_document_again_is_the_recording_that_is_there(service: Lectern, again: dict[str, Any]) -> None:
    first = service.made()
    service.calls()
    answer = service.schedule(example(**again))
    assert found(answer, 200) == first
    assert answer.headers["Location"] == f"/recordings/{first['id']}"
    assert service.writes() == []


def test_twenty_times_at_once_is_one_recording(service: Lectern) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: service.schedule(), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert service.writes().count("media.add") == 1
    assert len(service.get("/recordings")["items"]) == 1


def test_another_document_may_not_have_the_same_reference(service: Lectern) -> None:
    first = service.made()
    service.calls()
    shown = problem(service.schedule(example(title="another")), 409, "reference_in_use")
    assert shown["recording_id"] == first["id"]
    assert service.writes() == []
    assert service.get(f"/recordings/{first['id']}") == first


def test_documents_without_a_reference_are_all_new(service: Lectern) -> None:
    document = SINGLE | {"on_conflict": "allow"}
    assert service.made(document)["id"] != service.made(document)["id"]


def test_a_failed_recording_frees_its_reference(service: Lectern) -> None:
    service.fault("error", "media", "add", code="INVALID_FIELD_VALUE")
    failed = problem(service.schedule(), 422, "refused_by_kaltura")["recording_id"]
    service.heal()
    assert service.made(example(title="another"))["id"] != failed
    problem(service.client.get(f"/recordings/{failed}"), 404, "not_found")  # a refused document is kept once


# Idempotency-Key


def test_the_same_key_and_document_is_the_recording_that_is_there(service: Lectern) -> None:
    first = service.made(SINGLE, **KEY)
    service.calls()
    assert found(service.schedule(SINGLE, **KEY), 200) == first
    assert service.writes() == []


def test_row_15_the_same_key_with_another_document_is_refused(service: Lectern) -> None:
    first = service.made(SINGLE, **KEY)
    service.calls()
    shown = problem(service.schedule(SINGLE | {"title": "another"}, **KEY), 422, "idempotency_key_reused")
    assert shown["recording_id"] == first["id"]
    assert pointers(shown) == ["/header/Idempotency-Key"]
    assert service.writes() == []
    assert len(service.get("/recordings")["items"]) == 1


def test_a_repeated_key_answers_the_same_failure(service: Lectern) -> None:
    service.fault("error", "media", "add", code="INVALID_FIELD_VALUE", times=1)
    first = problem(service.schedule(SINGLE, **KEY), 422, "refused_by_kaltura")
    service.calls()
    again = problem(service.schedule(SINGLE, **KEY), 422, "refused_by_kaltura")
    assert again == first | {"request_id": again["request_id"]}
    assert again["request_id"] != first["request_id"]
    assert service.writes() == []
    assert service.left() == NOTHING
    assert service.made(SINGLE, idempotency_key="new")["id"] != first["recording_id"]


def test_what_is_refused_before_there_is_a_recording_binds_no_key(service: Lectern) -> None:
    service.made()
    problem(service.schedule(SINGLE | {"title": ""}, **KEY), 422, "invalid_document")
    problem(service.schedule(SINGLE | {"start": "2020-01-13T09:00:00"}, **KEY), 422, "nothing_ahead")
    problem(service.schedule(example(title="another"), **KEY), 409, "reference_in_use")
    assert service.made(SINGLE | {"on_conflict": "allow"}, **KEY)["status"] == "scheduled"


def test_a_key_is_kept_with_the_recording_that_a_reference_found(service: Lectern) -> None:
    first = service.made()
    assert found(service.schedule(**KEY), 200)["id"] == first["id"]
    problem(service.schedule(SINGLE, **KEY), 422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "k" * 257, "a\x7fb"])
def test_a_key_is_a_line_of_words(service: Lectern, key: str) -> None:
    shown = problem(service.schedule(SINGLE, idempotency_key=key), 422, "invalid_document")
    assert [error["pointer"] for error in shown["errors"]] == ["/header/Idempotency-Key"]
    assert service.calls() == []


# While the recording that is there is on its way out

BUSY = [{"service": "schedule_scheduleEvent", "action": name, "fault": "http_429"} for name in ("delete", "cancel")]
REFUSED = [
    {"service": "schedule_scheduleEvent", "action": "add", "fault": "error", "code": "INVALID_FIELD_VALUE"},
    {"service": "media", "action": "delete", "fault": "http_429"},
]
PATH = f"/recordings/by-reference/{EXAMPLE['reference_id']}"
AGAIN: dict[str, Callable[[Lectern], Response]] = {
    "post": lambda service: service.schedule(),
    "post with a key": lambda service: service.schedule(**KEY),
    "post of another document": lambda service: service.schedule(example(title="another")),
    "put": lambda service: service.client.put(PATH, json=EXAMPLE),
    "batch": lambda service: service.client.post("/recordings/batch", json={"changes": [{"document": EXAMPLE}]}),
}


def being_cancelled(service: Lectern) -> str:
    recording_id = str(service.made()["id"])
    service.sandbox.set_faults({"faults": BUSY})
    answer = service.client.delete(f"/recordings/{recording_id}", headers={"Prefer": "respond-async"})
    assert found(answer, 202)["status"] == "cancelling"
    return recording_id


def being_undone(service: Lectern) -> str:
    service.sandbox.set_faults({"faults": REFUSED})
    recording_id = str(found(service.schedule(prefer="respond-async"), 202)["id"])
    eventually(lambda: service.get(f"/recordings/{recording_id}")["chain"]["status"] == "undoing")
    return recording_id


def until_over(service: Lectern, recording_id: str, status: str) -> None:
    service.heal()
    service.client.post(f"/recordings/{recording_id}/resume")  # now, and not after the pause
    service.until(recording_id, status)


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize(("leaving", "end"), [(being_cancelled, "cancelled"), (being_undone, "failed")])
def test_a_document_is_not_answered_with_a_recording_that_is_on_its_way_out(
    service: Lectern, leaving: Callable[[Lectern], str], end: str, again: Callable[[Lectern], Response]
) -> None:
    recording_id = leaving(service)
    answer = again(service)
    problem(answer, 409, "chain_running")
    assert int(answer.headers["Retry-After"]) >= 1
    until_over(service, recording_id, end)
    assert service.made(**KEY)["id"] != recording_id


def test_the_key_that_made_what_is_being_cancelled_still_answers_with_it(service: Lectern) -> None:
    first = service.made(**KEY)
    service.sandbox.set_faults({"faults": BUSY})
    found(service.client.delete(f"/recordings/{first['id']}", headers={"Prefer": "respond-async"}), 202)
    assert found(service.schedule(prefer="respond-async", **KEY), 200)["id"] == first["id"]


def test_a_document_whose_cancellation_is_stuck_waits_for_a_person(service: Lectern) -> None:
    recording_id = being_cancelled(service)
    eventually(lambda: service.get(f"/recordings/{recording_id}")["chain"]["status"] == "waiting")
    with service.app.state.database.write() as session:
        chain = session.get_one(Chain, service.get(f"/recordings/{recording_id}")["chain"]["id"])
        chain.tried, chain.next_attempt_at = 1e9, 0.0
        session.add(chain)
    service.until(recording_id, "stuck")
    for again in AGAIN.values():
        problem(again(service), 409, "not_changeable")
    until_over(service, recording_id, "cancelled")
    assert service.made()["id"] != recording_id


# Prefer (RFC 7240)


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0", "return=minimal, respond-async", "Wait=0"])
def test_an_answer_can_be_had_at_once(service: Lectern, prefer: str) -> None:
    service.fault("delay", seconds=0.3)
    answer = service.schedule(prefer=prefer)
    recording = found(answer, 202)
    assert recording["status"] == "scheduling"
    assert answer.headers["Location"] == f"/recordings/{recording['id']}"
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    service.heal()
    assert service.until(recording["id"], "scheduled")["occurrence_count"] == 36


def test_it_waits_as_long_as_it_was_asked_to(service: Lectern) -> None:
    service.fault("drop_before")
    began = time.monotonic()
    recording = found(service.schedule(prefer="wait=1"), 202)
    assert 0.9 < time.monotonic() - began < 9
    service.heal()
    service.until(recording["id"], "scheduled")


@pytest.mark.parametrize(
    "prefer", ["wait=99999", "wait=999999999999", "wait=-1", "wait=soon", "wait", ";;=,", "respond-asynchronously"]
)
def test_nonsense_is_ignored_and_what_is_too_long_is_bounded(service: Lectern, prefer: str) -> None:
    found(service.schedule(SINGLE, prefer=prefer), 201)


def test_a_repeated_document_waits_like_the_first(service: Lectern) -> None:
    service.fault("delay", seconds=0.1)
    first = found(service.schedule(prefer="respond-async"), 202)
    again = found(service.schedule(), 200)
    assert (again["id"], again["status"]) == (first["id"], "scheduled")


# A resource that is to be made


def test_two_that_make_one_resource_under_names_that_differ_in_case_make_one(service: Lectern) -> None:
    """Kaltura takes no account of case, and would be asked by both before it has either."""
    service.fault("delay", "schedule_scheduleResource", seconds=0.5)
    documents = [
        SINGLE | {"resource": {"system_name": name}, "start": start}
        for name, start in (("Hall-New", "2027-01-13T09:00:00"), ("HALL-NEW", "2027-01-13T12:00:00"))
    ]
    with ThreadPoolExecutor(2) as threads:
        made = list(threads.map(service.made, documents))
    assert made[0]["resource"]["id"] == made[1]["resource"]["id"] is not None
    assert service.writes().count("scheduleResource.add") == 1


def test_a_resource_that_somebody_makes_at_the_same_moment_is_taken(service: Lectern) -> None:
    new = {"objectType": "KalturaCameraScheduleResource", "name": "Theirs", "systemName": "HALL-NEW"}

    def somebody(name: str, action: str, phase: str) -> None:
        if (name, action, phase) == ("schedule_scheduleResource", "add", "before"):
            service.sandbox.watch = None
            service.kaltura("schedule_scheduleResource", "add", scheduleResource=new)

    service.sandbox.watch = somebody
    made = service.made(SINGLE | {"resource": {"system_name": "HALL-NEW"}})
    assert made["resource"]["name"] == "Theirs"
    (only,) = (each for each in service.sandbox.state()["resources"] if each["systemName"] == "HALL-NEW")
    assert made["resource"]["id"] == only["id"]
