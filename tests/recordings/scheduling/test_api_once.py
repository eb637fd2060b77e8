"""Made once: the same document again, at once, under the same key; and how long an answer waits."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.recordings.documents import SINGLE, example
from tests.service import NOTHING, Lectern, found, pointers, problem

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


def test_a_key_is_kept_with_the_recording_that_a_reference_found(service: Lectern) -> None:
    first = service.made()
    assert found(service.schedule(**KEY), 200)["id"] == first["id"]
    problem(service.schedule(SINGLE, **KEY), 422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "k" * 257, "a\x7fb"])
def test_a_key_is_a_line_of_words(service: Lectern, key: str) -> None:
    shown = problem(service.schedule(SINGLE, idempotency_key=key), 422, "invalid_document")
    assert [error["pointer"] for error in shown["errors"]] == ["/header/Idempotency-Key"]
    assert service.calls() == []


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
