"""`GET /notices`: what became of what was asked for, without asking again and again."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from httpx2 import Response

from app.http.threads import Threads
from app.notices import listening
from app.notices.telling import tell
from tests.keys import bearer, key
from tests.recordings.documents import SINGLE
from tests.service import Json, Lectern, eventually, found, lectern, pointers, problem

pytestmark = pytest.mark.both_databases


@pytest.fixture
def service(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lectern]:
    monkeypatch.setattr(listening, "LOOK_EVERY", 0.02)
    with lectern(tmp_path, database_url=database_url) as running:
        yield running


def read(service: Lectern, **query: Any) -> Json:
    page: Json = service.get("/notices", **query)
    return page


def told(service: Lectern) -> list[tuple[str, str, str]]:
    """Each notice of a recording: its type, what has ended, and what the recording is now."""
    return [
        (one["type"].removeprefix("recording."), one["data"]["operation"], one["data"]["status"])
        for one in read(service)["items"]
    ]


def test_a_recording_s_life_is_told(service: Lectern) -> None:
    made = service.made(SINGLE | {"reference_id": "r"})
    path = f"/recordings/{made['id']}"
    (session,) = service.get(f"{path}/occurrences")["items"]
    found(service.client.patch(path, json={"title": "new"}))
    found(service.client.patch(f"{path}/occurrences/{session['id']}", json={"start": "2027-01-14T09:00:00"}))
    found(service.client.delete(path))
    assert told(service) == [
        ("scheduled", "schedule", "scheduled"),
        ("changed", "update", "scheduled"),
        ("changed", "move_occurrence", "scheduled"),
        ("cancelled", "cancel", "cancelled"),
    ]
    for number, one in enumerate(read(service)["items"]):
        assert one["client"] == "local"
        data = one["data"]
        assert (data["recording_id"], data["reference_id"], data["problem"]) == (made["id"], "r", None)
        assert data["title"] == ("new" if number else "t")


def test_a_refused_document_is_told_with_its_problem(service: Lectern) -> None:
    service.fault("error", "media", "add", code="INVALID_FIELD_VALUE")
    problem(service.schedule(SINGLE), 422, "refused_by_kaltura")
    (one,) = read(service)["items"]
    assert (one["type"], one["data"]["status"]) == ("recording.failed", "failed")
    assert one["data"]["problem"]["code"] == "refused_by_kaltura"
    assert "INVALID_FIELD_VALUE" in one["data"]["problem"]["detail"]


def test_a_refused_change_is_told_and_says_that_the_recording_is_as_it_was(service: Lectern) -> None:
    made = service.made(SINGLE)
    service.fault("error", "media", "update", code="INVALID_FIELD_VALUE")
    problem(service.client.patch(f"/recordings/{made['id']}", json={"title": "new"}), 422, "refused_by_kaltura")
    (_, one) = read(service)["items"]
    assert told(service)[1] == ("failed", "update", "scheduled")
    assert one["data"]["problem"]["code"] == "refused_by_kaltura"
    assert one["data"]["title"] == "t"


def test_a_recording_that_is_stuck_is_told_and_that_it_goes_on(service: Lectern) -> None:
    made = service.made(SINGLE)
    event = made["kaltura"]["events"][0]["id"]
    (mine,) = (one["referenceId"] for one in service.sandbox.state()["events"] if one["id"] == event)
    service.kaltura.update(event, referenceId="stranger")
    service.client.delete(f"/recordings/{made['id']}")
    assert told(service)[1] == ("stuck", "cancel", "stuck")
    service.kaltura.update(event, referenceId=mine)
    service.client.post(f"/recordings/{made['id']}/resume")
    service.until(made["id"], "cancelled")
    assert told(service)[2:] == [("cancelled", "cancel", "cancelled")]


def test_a_document_that_is_cancelled_on_its_way_is_told_once(service: Lectern) -> None:
    """Not also as failed, which it is only because it was cancelled."""
    service.fault("http_500", "media", "add")
    made = found(service.schedule(SINGLE, prefer="respond-async"), 202)
    service.client.delete(f"/recordings/{made['id']}", headers={"Prefer": "respond-async"})
    service.heal()
    service.until(made["id"], "cancelled", 30.0)
    assert told(service) == [("cancelled", "cancel", "cancelled")]


def test_what_ends_after_it_was_cancelled_is_not_told(service: Lectern) -> None:
    cancelled = Event()

    def late(*_call: str) -> None:  # the first of all calls is answered when the recording is cancelled
        service.sandbox.watch = None
        cancelled.wait(10)

    service.sandbox.watch = late
    made = found(service.schedule(SINGLE, prefer="respond-async"), 202)
    eventually(lambda: service.sandbox.watch is None)
    path = f"/recordings/{made['id']}"
    service.client.delete(path, headers={"Prefer": "respond-async"})
    service.until(made["id"], "cancelled")
    cancelled.set()
    eventually(lambda: all(one["finished_at"] for one in service.get(f"{path}/history")["items"]))
    assert told(service) == [("cancelled", "cancel", "cancelled")]


# Reading on


def test_pages_follow_each_other_and_the_last_cursor_lives_on(service: Lectern) -> None:
    for number in range(3):
        tell_of(service, "local", f"rec_{number}")
    first = read(service, limit=2)
    second = read(service, limit=2, after=first["next_cursor"])
    assert [len(first["items"]), len(second["items"])] == [2, 1]
    last = read(service, after=second["next_cursor"])
    assert (last["items"], last["next_cursor"]) == ([], second["next_cursor"])
    tell_of(service, "local", "rec_3")
    assert len(read(service, after=last["next_cursor"])["items"]) == 1


def at(number: int) -> str:
    """A cursor there."""
    return base64.urlsafe_b64encode(f"n{number}".encode()).decode().rstrip("=")


def test_a_cursor_that_was_never_given_out_is_refused(service: Lectern) -> None:
    for cursor in ("", "nonsense", "é", "=", at(-1), at(10**30), "A" * 201):
        shown = problem(service.client.get("/notices", params={"after": cursor}), 422, "invalid_document")
        assert pointers(shown) == ["/query/after"]


def test_a_cursor_of_another_database_is_refused_before_anybody_waits_for_ever(service: Lectern) -> None:
    asked = service.client.get("/notices", params={"after": at(1000)}, headers={"Prefer": "wait=30"})
    assert pointers(problem(asked, 422, "invalid_document")) == ["/query/after"]


def tell_of(service: Lectern, client: str | None, subject: str) -> None:
    with service.app.state.database.write() as session:
        tell(session, "recording.changed", client, subject, {"recording_id": subject})


def waiting(service: Lectern, headers: dict[str, str]) -> Response:
    return service.client.get("/notices", headers=headers | {"Prefer": "wait=30"})


def sleepers(service: Lectern) -> int:
    return sum(map(len, service.app.state.listening._sleepers.values()))


def test_who_waits_is_answered_when_there_is_something_and_holds_no_thread(service: Lectern) -> None:
    """More wait than there are threads for reading, and others read meanwhile."""
    many = 3 * Threads().reading.count
    registrar, other, admin = (
        bearer(key(service, "registrar", "recordings:read")),
        bearer(key(service, "library", "recordings:read")),
        bearer(key(service, "ops", "admin")),
    )
    with ThreadPoolExecutor(many + 1) as pool:
        asked = [pool.submit(waiting, service, registrar) for _ in range(many)]
        all_of_it = pool.submit(waiting, service, admin)
        eventually(lambda: sleepers(service) == many + 1)
        tell_of(service, "library", "rec_b")
        assert [one["client"] for one in found(all_of_it.result())["items"]] == ["library"]
        assert found(service.client.get("/recordings", headers=other))["items"] == []
        assert not any(one.done() for one in asked)
        tell_of(service, "registrar", "rec_a")
        for one in asked:
            assert [notice["data"]["recording_id"] for notice in found(one.result())["items"]] == ["rec_a"]
    assert sleepers(service) == 0


def test_who_waits_in_vain_is_answered_with_an_empty_page(service: Lectern) -> None:
    asked = service.client.get("/notices", headers={"Prefer": "wait=1"})
    assert found(asked)["items"] == []


def test_a_stop_answers_who_waits(service: Lectern) -> None:
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(waiting, service, {})
        eventually(lambda: sleepers(service) == 1)
        service.app.state.listening.stop(0.0)
        assert found(asked.result())["items"] == []


def test_others_notices_are_not_there(service: Lectern) -> None:
    tell_of(service, "library", "rec_b")
    tell_of(service, None, "mirror")
    mine = bearer(key(service, "registrar", "recordings:read"))
    page = found(service.client.get("/notices", headers=mine))
    assert (page["items"], page["next_cursor"]) == ([], at(0))
