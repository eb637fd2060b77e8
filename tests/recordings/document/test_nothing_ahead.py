"""A document that is over is refused, wherever it comes in; a recording that is over stays what it is."""

from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from app.database.types import utc_now
from app.recordings.models import Recording
from tests.recordings.documents import SINGLE
from tests.service import NOTHING, Json, Lectern, found, pointers, problem

PUT = "/recordings/by-reference/SIS-1"
DAILY = {"frequency": "daily", "count": 3}


def day(days: float) -> str:
    """So many days from now, as a document says it (UTC)."""
    return f"{utc_now() + timedelta(days=days):%Y-%m-%dT%H:%M:%S}"


def document(days: float, **changes: Any) -> Json:
    return {**SINGLE, "reference_id": "SIS-1", "start": day(days), "time_zone": "UTC", "recurrence": DAILY, **changes}


OVER = {
    "once": document(-1, recurrence=None),
    "a year too early": document(-365),
    "since a minute": document(-2.04),
    "but for what is excluded": document(-1.5, exclude=[{"from": day(-0.5)[:10], "to": day(2)[:10]}]),
}


@pytest.mark.parametrize("over", OVER)
def test_a_document_that_is_over_is_refused_by_post_put_and_preview_alike(service: Lectern, over: str) -> None:
    client, sent = service.client, OVER[over]
    answers = [service.schedule(sent), client.put(PUT, json=sent), client.post("/recordings/preview", json=sent)]
    refused = [problem(answer, 422, "nothing_ahead") for answer in answers]
    for one in refused:
        one.pop("request_id")
    assert refused[0] == refused[1] == refused[2]
    assert pointers(refused[0]) == ["/start"]
    assert "so there is nothing to record" in refused[0]["detail"]
    assert (service.get("/recordings")["items"], service.left()) == ([], NOTHING)


@pytest.mark.parametrize("days", [-1.5, -2.01])
def test_one_whose_first_sessions_are_over_or_whose_last_one_runs_is_accepted(service: Lectern, days: float) -> None:
    preview = found(service.client.post("/recordings/preview", json=document(days)))
    assert [one["code"] for one in preview["warnings"]] == ["past"]
    assert service.made(document(days))["occurrence_count"] == 3


def grown_old(service: Lectern) -> Json:
    """A recording that was made long ago, all of whose sessions are over by now."""
    recording = service.made(document(1))
    with service.app.state.database.write() as session:
        row = session.get_one(Recording, recording["id"])
        row.document = {**row.document, "start": day(-300)}
        session.add(row)
        old: Json = dict(row.document)
    return {"id": recording["id"], "document": old}


def test_the_document_of_a_recording_that_is_over_by_now_can_be_sent_again(service: Lectern) -> None:
    old = grown_old(service)
    assert found(service.schedule(old["document"]))["id"] == old["id"]
    assert service.client.put(PUT, json=old["document"]).status_code == 204
    preview = found(service.client.post("/recordings/preview", json=old["document"]))
    assert [one["code"] for one in preview["warnings"]] == ["past", "reference_in_use"]


def test_a_recording_that_is_over_by_now_still_gets_another_title(service: Lectern) -> None:
    old = grown_old(service)
    changed = found(service.client.patch(f"/recordings/{old['id']}", json={"title": "New"}))
    assert changed["title"] == "New"
    assert found(service.client.put(PUT, json={**old["document"], "title": "Newer"}))["title"] == "Newer"


def test_a_recording_that_is_over_by_now_can_begin_again(service: Lectern) -> None:
    old = grown_old(service)
    patched = found(service.client.patch(f"/recordings/{old['id']}", json={"start": day(10)}))
    assert patched["status"] == "scheduled"


def by_patch(service: Lectern, recording: Json, start: str) -> Response:
    return service.client.patch(f"/recordings/{recording['id']}", json={"start": start})


def by_put(service: Lectern, _recording: Json, start: str) -> Response:
    return service.client.put(PUT, json=document(0, start=start))


def by_batch(service: Lectern, recording: Json, start: str) -> Response:
    changes = [{"id": recording["id"], "patch": {"start": start}}]
    return service.client.post("/recordings/batch", json={"changes": changes})


@pytest.mark.parametrize(
    ("send", "pointer"), [(by_patch, "/start"), (by_put, "/start"), (by_batch, "/changes/0/patch")]
)
def test_a_change_does_not_end_what_lies_ahead(service: Lectern, send: Any, pointer: str) -> None:
    """A wrong year in a nightly list would drop a whole term. DELETE ends a recording."""
    recording = service.made(document(1))
    before = service.left()
    refused = problem(send(service, recording, day(-365)), 422, "nothing_ahead")
    assert pointers(refused) == [pointer]
    assert service.get(f"/recordings/{recording['id']}") == recording
    assert service.left() == before
