"""`/recordings/by-reference/{reference_id}`: what the same verbs do by id."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.recordings.changing.scene import Scene, document, to_come
from tests.service import Json, Lectern, found, pointers, problem

ODD = [
    "A/B",
    "a?b#c",
    "50%",
    "%2F",
    "semester 1",
    "Zürich—é",
    "x/occurrences",
    "history",
    "a//b",
    "preview",
    ";'\"\\",
]


def path(reference: str) -> str:
    return f"/recordings/by-reference/{quote(reference, safe='')}"


def test_a_recording_is_shown_changed_and_cancelled_by_its_reference(service: Lectern) -> None:
    scene = to_come(service)
    address = path(scene.reference)
    by_id = service.client.get(scene.path)
    shown = service.client.get(address)
    assert found(shown) == found(by_id)
    assert shown.headers["ETag"] == by_id.headers["ETag"]
    changed = service.client.patch(address, json={"title": "New"}, headers={"If-Match": shown.headers["ETag"]})
    assert (found(changed)["id"], changed.json()["title"]) == (scene.id, "New")
    stale = {"If-Match": shown.headers["ETag"]}
    problem(service.client.patch(address, json={"title": "Newer"}, headers=stale), 412, "precondition_failed")
    problem(service.client.delete(address, headers=stale), 412, "precondition_failed")
    assert pointers(problem(service.client.patch(address, json={"title": ""}), 422, "invalid_document")) == ["/title"]
    assert found(service.client.delete(address))["status"] == "cancelled"


def test_a_reference_that_is_free_again_means_the_latest_that_had_it(service: Lectern) -> None:
    scene = to_come(service)
    address = path(scene.reference)
    for _ in range(2):  # harmless to repeat, as by id
        assert found(service.client.delete(address))["id"] == scene.id
    problem(service.client.patch(address, json={"title": "New"}), 409, "not_changeable")
    again = service.made(document(scene))
    assert found(service.client.get(address))["id"] == again["id"]
    assert found(service.client.delete(address))["id"] == again["id"]


def test_a_new_reference_is_the_recording_s_from_the_beginning_of_its_change(service: Lectern) -> None:
    scene = to_come(service)
    new = f"{scene.reference}/new"
    assert found(service.client.patch(path(scene.reference), json={"reference_id": new}))["reference_id"] == new
    assert found(service.client.get(path(new)))["id"] == scene.id
    problem(service.client.get(path(scene.reference)), 404, "not_found")


@pytest.mark.parametrize("reference", ODD)
def test_a_reference_may_hold_any_character(service: Lectern, reference: str) -> None:
    scene = to_come(service)
    wanted: Json = document(scene, reference_id=None, resource=scene.other)
    made = found(service.client.put(path(reference), json=wanted), 201)
    assert made["reference_id"] == reference
    assert found(service.client.get(path(reference)))["id"] == made["id"]
    assert found(service.client.patch(path(reference), json={"title": "New"}))["title"] == "New"
    assert found(service.client.delete(path(reference)))["id"] == made["id"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_not_there_is_a_404_and_what_can_be_no_reference_a_422(service: Lectern, method: str) -> None:
    body: Any = {"json": {}} if method == "PATCH" else {}
    problem(service.client.request(method, path("nobody's"), **body), 404, "not_found")
    for reference in ("\x00", "x" * 256, " "):
        shown = problem(service.client.request(method, path(reference), **body), 422, "invalid_document")
        assert pointers(shown) == ["/path/reference_id"]


def test_by_reference_alone_is_no_address_of_a_recording(scene: Scene) -> None:
    for address in ("/recordings/by-reference", "/recordings/by-reference/"):
        assert scene.service.client.get(address).status_code in (404, 422)
