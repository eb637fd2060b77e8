"""A change that Kaltura says it has made, and has not: it is noticed, sent again, and then a failure that says so."""

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

from app.kaltura.client import KalturaClient
from app.kaltura.types import Entry, Event
from tests.recordings.changing.scene import Scene, begun, to_come
from tests.service import Lectern, found, problem


def ignore(monkeypatch: pytest.MonkeyPatch, method: str, times: int) -> None:
    """Kaltura answers with what stands there, and does nothing."""
    original, left = getattr(KalturaClient, method), [times]

    def ignoring(client: KalturaClient, one: Any, *more: Any) -> Event | Entry | None:
        if left[0] > 0:
            left[0] -= 1
            return client.get_entry(one) if isinstance(one, str) else client.get_event(one)
        shown: Event | Entry = original(client, one, *more)
        return shown

    monkeypatch.setattr(KalturaClient, method, ignoring)


@pytest.mark.parametrize("method", ["update_event", "update_entry"])
def test_words_that_are_ignored_are_sent_again(service: Lectern, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    scene = begun(service)
    ignore(monkeypatch, method, 1)
    assert scene.changed(title="New")["title"] == "New"
    assert {one["summary"] for one in scene.events()} == {scene.entry()["name"]} == {"New"}


def test_words_that_are_always_ignored_are_a_failure_that_says_so(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = begun(service)
    ignore(monkeypatch, "update_event", 4)
    patched = service.client.patch(scene.path, json={"title": "New"}, headers={"Prefer": "wait=30"})
    answer = problem(patched, 502, "schedule_differs")
    assert "shows it as it was" in answer["detail"]
    assert (service.get(scene.path)["title"], scene.entry()["name"]) == ("Linear Algebra", "Linear Algebra")
    scene.holds()


ENDS: dict[str, tuple[Callable[[Lectern], Scene], Callable[[Scene], Response]]] = {
    "update_event": (begun, lambda scene: scene.service.client.delete(scene.path)),
    "delete_event": (to_come, lambda scene: scene.service.client.delete(scene.path)),
    "cancel_event": (begun, lambda scene: scene.cancel(25)),
}


@pytest.mark.parametrize("method", ENDS)
def test_an_end_that_is_ignored_is_tried_again(service: Lectern, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    begin, act = ENDS[method]
    scene = begin(service)
    ignore(monkeypatch, method, 1)
    found(act(scene))
    scene.holds()


@pytest.mark.parametrize("title", ["Grüße 🎓", "a < b & c", "x" * 250, "trailing: ", "Русский", "<b>bold</b>"])
def test_a_title_that_kaltura_changes_by_itself_is_not_taken_for_an_ignored_one(scene: Scene, title: str) -> None:
    assert scene.changed(title=title)["title"] == title.strip()
