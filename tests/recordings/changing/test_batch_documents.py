"""Batches of references and whole documents: for a client that knows no ids of ours."""

from typing import Any

import pytest
from httpx2 import Response
from sqlmodel import col, update

from app.chains.models import Chain
from tests.recordings.changing.scene import Scene, begun, document
from tests.recordings.changing.together import REFUSAL, are_as, outcomes, where
from tests.service import Json, Lectern, eventually, found, pointers, problem

NEVER = "SIS-never"


def send(service: Lectern, *changes: Json, **headers: str) -> Response:
    return service.client.post("/recordings/batch", json={"changes": changes}, headers=headers)


def by_document(scene: Scene, **changes: Any) -> Json:
    return {"document": document(scene, **changes)}


def beside(scene: Scene, **changes: Any) -> Json:
    """A new recording in the scene's room, at the same times."""
    return {"document": document(scene, reference_id=f"{scene.reference}-new", title="New", **changes)}


@pytest.fixture
def scenes(service: Lectern) -> list[Scene]:
    """Two recordings at the same times, each in a room of its own."""
    return [begun(service), begun(service)]


@pytest.mark.parametrize("kind", ["patches", "documents", "both"])
def test_two_rooms_are_swapped_by_who_knows_references_alone(service: Lectern, scenes: list[Scene], kind: str) -> None:
    first, second = scenes
    changes = [
        {"reference_id": one.reference, "patch": {"resource": other.room}} for one, other in (scenes, scenes[::-1])
    ]
    if kind != "patches":
        changes[1] = by_document(second, resource=first.room)
    if kind == "documents":
        changes[0] = by_document(first, resource=second.room)
    shown = found(send(service, *changes))["items"]
    assert [(one["id"], one["outcome"]) for one in shown] == [(first.id, "applied"), (second.id, "applied")]
    are_as(service, scenes, [second.room, first.room])


def new_one(service: Lectern, scene: Scene, shown: Json) -> Scene:
    """The scene of a new recording that has the room of another."""
    made = Scene(service, scene.number, scene.began)
    made.look(shown)
    return made


def test_a_document_makes_a_recording_that_is_not_there(service: Lectern, scenes: list[Scene]) -> None:
    (scene, _) = scenes
    answer = send(service, beside(scene, resource=scene.other), {"id": scene.id, "patch": {"title": "Changed"}})
    made, changed = found(answer)["items"]
    assert (made["status"], made["outcome"], made["chain"]["operation"]) == ("scheduled", "applied", "schedule")
    assert made["reference_id"] == f"{scene.reference}-new"
    assert (changed["title"], changed["outcome"]) == ("Changed", "applied")
    again = found(send(service, beside(scene, resource=scene.other)))["items"]
    assert [(one["id"], one["outcome"]) for one in again] == [(made["id"], "applied")]


@pytest.mark.parametrize("new_first", [True, False])
def test_a_new_recording_takes_the_room_that_another_one_leaves(
    service: Lectern, scenes: list[Scene], new_first: bool
) -> None:
    (scene, _) = scenes
    leaves = {"reference_id": scene.reference, "patch": {"resource": scene.other}}
    changes = [beside(scene), leaves] if new_first else [leaves, beside(scene)]
    shown = found(send(service, *changes))["items"]
    assert {one["outcome"] for one in shown} == {"applied"}
    (made,) = (one for one in shown if one["id"] != scene.id)
    assert made["status"] == "scheduled"
    assert made["chain"]["operation"] == "schedule_together"
    are_as(service, [scene], [scene.other])
    upcoming = service.get(f"/resources/{scene.room}/upcoming")["occurrences"]
    assert {one["recording_id"] for one in upcoming} == {made["id"]}
    assert len(upcoming) == 14


@pytest.mark.parametrize("refused", ["the new one", "the one that leaves"])
def test_if_one_is_refused_nobody_enters_and_nobody_leaves(service: Lectern, scenes: list[Scene], refused: str) -> None:
    (scene, _) = scenes
    before, left = where([scene]), service.left()
    of_new, of_old = (REFUSAL, {}) if refused == "the new one" else ({}, REFUSAL)
    leaves = {"reference_id": scene.reference, "patch": {"resource": scene.other} | of_old}
    answer = send(service, beside(scene, **of_new), leaves)
    made, stays = found(answer, 207)["items"]
    expected = ["refused", "not_applied"]
    assert outcomes(answer) == (expected if refused == "the new one" else expected[::-1])
    assert (made["status"], stays["status"]) == ("failed", "scheduled")
    are_as(service, [scene], before)
    assert {one["id"] for one in service.left()["entries"]} == {one["id"] for one in left["entries"]}
    upcoming = service.get(f"/resources/{scene.room}/upcoming")["occurrences"]
    assert {one["recording_id"] for one in upcoming} == {scene.id}


def test_a_conflict_of_the_final_state_makes_nothing(service: Lectern, scenes: list[Scene]) -> None:
    first, second = scenes
    service.calls()
    answer = send(service, beside(first), {"reference_id": second.reference, "patch": {"title": "Changed"}})
    pairs = problem(answer, 409, "schedule_conflict")["conflicts"]
    told = {(pair["recording_id"], pair["reference_id"], pair["booked"]["recording_id"]) for pair in pairs}
    assert told == {(None, f"{first.reference}-new", first.id)}
    both = beside(first, resource=first.other), by_document(second, resource=first.other)
    pairs = problem(send(service, *both), 409, "schedule_conflict")["conflicts"]
    assert {(pair["recording_id"], pair["booked"]["title"]) for pair in pairs} == {
        (None, "Linear Algebra"),
        (second.id, "New"),
    }
    problem(service.client.get(f"/recordings/by-reference/{first.reference}-new"), 404, "not_found")
    assert service.writes() == []
    are_as(service, scenes, [first.room, second.room])


def test_what_is_as_its_document_says_is_left_alone(service: Lectern, scenes: list[Scene]) -> None:
    service.calls()
    shown = found(send(service, *map(by_document, scenes)))["items"]
    assert [(one["outcome"], one["chain"]["operation"]) for one in shown] == [("applied", "schedule")] * 2
    assert service.writes() == []


def test_a_document_whose_recording_is_stuck_is_taken_up(service: Lectern, scenes: list[Scene]) -> None:
    first, second = scenes
    service.fault("http_500", "media", "add")
    new = beside(first, resource=first.other)
    (pending,) = found(send(service, new, prefer="wait=0"), 202)["items"]
    path = f"/recordings/{pending['id']}"
    eventually(lambda: service.get(path)["chain"]["status"] == "waiting")
    assert outcomes(send(service, new, prefer="wait=0")) == ["pending"]
    with service.app.state.database.write() as session:
        session.execute(update(Chain).where(col(Chain.subject) == pending["id"]).values(tried=1e9))
    service.until(pending["id"], "stuck")
    (taken_up,) = found(send(service, new, prefer="wait=0"), 202)["items"]
    assert (taken_up["id"], taken_up["outcome"], taken_up["status"]) == (pending["id"], "pending", "scheduling")
    service.heal()

    def answered() -> Response | None:
        """Unless its chain goes on at this very moment: whoever sends a batch is told to send it again."""
        answer = send(service, by_document(second, title="Changed"), new, prefer="wait=20")
        return None if answer.status_code == 409 else answer

    changed, taken_up = found(eventually(answered))["items"]
    assert (changed["outcome"], changed["status"], taken_up["status"]) == ("applied", "scheduled", "scheduled")


def title(text: str) -> Json:
    return {"patch": {"title": text}}


@pytest.mark.parametrize(
    ("change", "status", "code", "place"),
    [
        ({"reference_id": NEVER, **title("New")}, 404, "not_found", "/changes/1/reference_id"),
        ({"id": "rec_0", **title("New")}, 404, "not_found", "/changes/1/id"),
        ({"id": "rec_0", "reference_id": NEVER, **title("New")}, 422, "invalid_document", "/changes/1/reference_id"),
        (title("New"), 422, "invalid_document", "/changes/1/id"),
        ({"reference_id": NEVER}, 422, "invalid_document", "/changes/1/patch"),
        ({"reference_id": " ", **title("New")}, 422, "invalid_document", "/changes/1/id"),
        ({"document": {"title": "t"}}, 422, "invalid_document", "/changes/1/document/resource"),
        ({"document": {}, **title("New")}, 422, "invalid_document", "/changes/1/document/title"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(scene: Scene, change: Json, status: int, code: str, place: str) -> None:
    scene.service.calls()
    answer = send(scene.service, {"reference_id": scene.reference, **title("New")}, change)
    assert place in pointers(problem(answer, status, code))
    assert scene.service.writes() == []


def test_what_is_wrong_with_a_document_is_told_with_its_place(scene: Scene) -> None:
    for changes, status, code, place in (
        ({"reference_id": None}, 422, "invalid_document", "reference_id"),
        ({"resource": "NO-SUCH"}, 422, "resource_not_found", "resource"),
        ({"start": "2026-01-01T09:00:00", "recurrence": None}, 422, "nothing_ahead", ""),
        ({"duration_minutes": None}, 422, "invalid_document", "duration_minutes"),
    ):
        wanted = {"reference_id": f"{scene.reference}-new", "resource": scene.other} | changes
        shown = problem(send(scene.service, by_document(scene, **wanted)), status, code)
        assert pointers(shown) == [f"/changes/0/document/{place}".rstrip("/")]


def test_no_two_changes_are_of_one_recording_however_it_is_named(scene: Scene) -> None:
    by_id, by_reference = {"id": scene.id, **title("New")}, {"reference_id": scene.reference, **title("New")}
    for other in (by_reference, by_document(scene)):
        shown = problem(send(scene.service, by_id, other), 422, "invalid_document")
        assert pointers(shown) == ["/changes/1"]
    shown = problem(send(scene.service, by_reference, by_document(scene)), 422, "invalid_document")
    assert pointers(shown) == ["/changes/1"]


def test_what_cannot_be_changed_now_is_told_with_its_place(service: Lectern, scenes: list[Scene]) -> None:
    first, second = scenes
    second.deleted()
    changes = {"reference_id": first.reference, **title("New")}, {"reference_id": second.reference, **title("New")}
    assert pointers(problem(send(service, *changes), 409, "not_changeable")) == ["/changes/1"]
    first.holds()
