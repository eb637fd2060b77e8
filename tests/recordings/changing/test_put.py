"""`PUT /recordings/by-reference/{reference_id}`: the nightly sync's friend."""

import os
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest
from httpx2 import Response

from tests.recordings.changing.scene import Scene, document, to_come
from tests.service import Json, Lectern, found, pointers, problem

DOCUMENTS = int(os.environ.get("LECTERN_TEST_SYNC_DOCUMENTS", "20"))  # a whole night's: 500
ROUND = 10.0  # seconds that the second round of a whole night's may take


def put(service: Lectern, reference: str, sent: Json, **headers: str) -> Response:
    return service.client.put(f"/recordings/by-reference/{reference}", json=sent, headers=headers)


def test_what_is_new_is_scheduled(scene: Scene) -> None:
    fresh = document(scene, reference_id=None, resource=scene.other)
    answer = put(scene.service, f"{scene.reference}-2", fresh)
    shown = found(answer, 201)
    assert (shown["status"], shown["reference_id"]) == ("scheduled", f"{scene.reference}-2")
    assert answer.headers["Location"] == f"/recordings/{shown['id']}"
    assert put(scene.service, f"{scene.reference}-2", fresh).status_code == 204


def test_what_is_as_it_was_is_204_without_a_call(scene: Scene) -> None:
    answer = put(scene.service, scene.reference, document(scene))
    assert (answer.status_code, answer.content, answer.headers["Location"]) == (204, b"", scene.path)
    spelt_otherwise = document(scene, recurrence="FREQ=DAILY;COUNT=30", visibility="public")
    assert put(scene.service, scene.reference, spelt_otherwise).status_code == 204
    assert scene.asked() == []


def test_what_differs_is_changed_and_the_next_time_as_it_was(scene: Scene) -> None:
    changed = document(scene, start=scene.local(hours=2), title="New")
    scene.recording = found(put(scene.service, scene.reference, changed))
    assert (scene.recording["title"], scene.recording["id"]) == ("New", scene.path.rpartition("/")[2])
    scene.holds()
    scene.service.calls()
    assert put(scene.service, scene.reference, changed).status_code == 204
    assert scene.asked() == []


def test_a_put_replaces_the_document_and_keeps_what_was_done_to_single_sessions(scene: Scene) -> None:
    found(scene.cancel(20))
    found(scene.move(21, start=scene.local(21, hours=5)))
    bare = {"title": "Bare", "resource": scene.room, "start": scene.local(), "time_zone": document(scene)["time_zone"]}
    sent = {**bare, "duration_minutes": 60, "recurrence": document(scene)["recurrence"]}
    shown = found(put(scene.service, scene.reference, sent))
    assert (shown["description"], shown["tags"], shown["categories"]) == (None, [], [])
    assert scene.status(20) == "cancelled"
    assert scene.start(21, hours=5) in scene.starts()
    scene.holds()


def test_a_patched_recording_is_put_back(scene: Scene) -> None:
    scene.changed(title="By hand")
    assert found(put(scene.service, scene.reference, document(scene)))["title"] == "Linear Algebra"


def test_a_cancelled_recording_s_reference_makes_a_new_one(scene: Scene) -> None:
    scene.deleted()
    shown = found(put(scene.service, scene.reference, document(scene, on_conflict="allow")), 201)
    assert shown["id"] != scene.id


def test_a_failed_one_is_tried_again(scene: Scene) -> None:
    clash = document(scene, reference_id=None)
    for _ in range(2):
        problem(put(scene.service, f"{scene.reference}-2", clash), 409, "schedule_conflict")
    assert put(scene.service, f"{scene.reference}-2", clash | {"resource": scene.other}).status_code == 201


def test_a_refusal_leaves_it_as_it_was(scene: Scene) -> None:
    other = to_come(scene.service)
    problem(put(scene.service, scene.reference, document(scene, categories=["No such"])), 422, "category_not_found")
    problem(put(scene.service, scene.reference, document(scene, resource="NO-SUCH")), 422, "resource_not_found")
    assert put(scene.service, scene.reference, document(scene)).status_code == 204
    assert other.id != scene.id
    scene.holds()


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [({"reference_id": "another"}, "/reference_id"), ({"title": ""}, "/title"), ({"start": 5}, "/start")],
    ids=str,
)
def test_a_bad_document_is_422(scene: Scene, changes: dict[str, Any], pointer: str) -> None:
    answer = put(scene.service, scene.reference, document(scene, **changes))
    assert pointers(problem(answer, 422, "invalid_document")) == [pointer]


@pytest.mark.parametrize("reference", ["with/slash", "with%20space", "%C3%BC", "a" * 255])
def test_any_reference_has_an_address(service: Lectern, reference: str) -> None:
    scene = to_come(service)
    fresh = document(scene, reference_id=None, resource=scene.other)
    shown = found(put(service, reference, fresh), 201)
    assert put(service, reference, fresh | {"reference_id": shown["reference_id"]}).status_code == 204


def test_a_reference_that_is_too_long_is_422(scene: Scene) -> None:
    answer = put(scene.service, "a" * 256, document(scene, reference_id=None))
    assert pointers(problem(answer, 422, "invalid_document")) == ["/path/reference_id"]


def test_respond_async_is_202(scene: Scene) -> None:
    answer = put(scene.service, scene.reference, document(scene, title="New"), prefer="respond-async")
    assert found(answer, 202)["title"] == "Linear Algebra"
    scene.until_settled()
    assert scene.service.get(scene.path)["title"] == "New"


def test_twenty_at_once_make_one(service: Lectern) -> None:
    scene = to_come(service)
    fresh = document(scene, reference_id=None, resource=scene.other)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: put(service, f"{scene.reference}-2", fresh), range(20)))
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(201), set(statuses)) == (1, {201, 204})
    assert len({answer.headers["Location"] for answer in answers}) == 1


def test_the_second_round_of_a_sync_writes_nothing_and_is_quick(service: Lectern) -> None:
    """500 documents within ten seconds; here as many as there is time for."""
    scene = to_come(service)
    sent = {
        f"{scene.reference}-{number}": document(
            scene,
            reference_id=None,
            title=f"Course {number}",
            resource={"system_name": f"SYNC-{number % 20}"},
            start=scene.local(number // 20 * 40),
        )
        for number in range(DOCUMENTS)
    }
    first = [put(service, reference, one, prefer="respond-async").status_code for reference, one in sent.items()]
    assert set(first) <= {201, 202}
    for reference in sent:
        listed = service.get("/recordings", reference_id=reference)["items"]
        service.until(listed[0]["id"], "scheduled", 60.0)
    service.calls()
    began = monotonic()
    second = [put(service, reference, one).status_code for reference, one in sent.items()]
    took = monotonic() - began
    assert (set(second), service.writes()) == ({204}, [])
    assert took < ROUND, f"{took:.1f} s for {DOCUMENTS}"


def test_what_was_refused_is_sent_again_and_what_stands_is_204(scene: Scene) -> None:
    new = document(scene, title="New", start=scene.local(hours=2))
    for _ in range(2):
        scene.service.fault("error", "schedule_scheduleEventResource", "add", code="INVALID_FIELD_VALUE")
        problem(put(scene.service, scene.reference, new), 422, "refused_by_kaltura")
        assert put(scene.service, scene.reference, document(scene)).status_code == 204
    scene.service.heal()
    assert found(put(scene.service, scene.reference, new))["title"] == "New"
    assert put(scene.service, scene.reference, new).status_code == 204
    scene.holds()


def test_what_is_being_scheduled_by_this_document_is_204(scene: Scene) -> None:
    fresh, reference = document(scene, reference_id=None, resource=scene.other), f"{scene.reference}-2"
    scene.service.fault("http_500", "media", "add")
    made = found(put(scene.service, reference, fresh, prefer="respond-async"), 202)
    assert put(scene.service, reference, fresh).status_code == 204
    assert put(scene.service, reference, fresh | {"title": "New"}).status_code == 409
    scene.service.heal()
    scene.service.client.post(f"/recordings/{made['id']}/resume")
    scene.service.until(made["id"], "scheduled")


def test_a_refused_change_does_not_take_back_a_reference_that_another_has_by_now(scene: Scene) -> None:
    scene.service.fault("http_500", "media", "update")
    wanted = {"reference_id": f"{scene.reference}-new", "title": "New"}
    found(scene.service.client.patch(scene.path, json=wanted, headers={"Prefer": "respond-async"}), 202)
    other = scene.service.made(document(scene, resource=scene.other))
    scene.service.fault("error", "media", "update", code="INVALID_FIELD_VALUE", times=1)
    scene.until_settled()
    shown = scene.service.get(scene.path)
    assert (shown["status"], shown["chain"]["status"], shown["title"]) == ("scheduled", "failed", "Linear Algebra")
    answer = put(scene.service, scene.reference, document(scene, resource=scene.other))
    assert (answer.status_code, answer.headers["Location"]) == (204, f"/recordings/{other['id']}")
    scene.service.heal()
    assert problem(scene.patch(title="New"), 409, "reference_in_use")["recording_id"] == other["id"]
    assert scene.changed(**wanted)["title"] == "New"
