"""`POST /recordings/batch`: several changes at once, whose conflicts are those of the final state of all of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import update
from sqlmodel import Session, col

from app.chains.store import Store
from app.recordings.models import Recording
from tests.recordings.changing.scene import CAMERA, HOUR, Scene, begun, watched
from tests.recordings.changing.test_conflicts import as_it_is, book, record
from tests.service import Json, Lectern, found, pointers, problem, utc


def send(service: Lectern, *changes: tuple[Scene | str, Json], **headers: str) -> Response:
    listed = [{"id": one if isinstance(one, str) else one.id, "patch": patch} for one, patch in changes]
    return service.client.post("/recordings/batch", json={"changes": listed}, headers=headers)


@pytest.fixture
def scenes(service: Lectern) -> list[Scene]:
    """Three recordings at the same times, each in a room of its own."""
    return [begun(service), begun(service), begun(service)]


def test_two_rooms_are_swapped(service: Lectern, scenes: list[Scene]) -> None:
    first, second, _ = scenes
    answer = send(service, (first, {"resource": second.room}), (second, {"resource": first.room}))
    shown = found(answer)["items"]
    assert [one["id"] for one in shown] == [first.id, second.id]
    assert [one["resource"]["system_name"] for one in shown] == [second.room, first.room]
    assert {(one["chain"]["status"], one["outcome"]) for one in shown} == {("succeeded", "applied")}
    for scene in scenes:
        scene.holds()


def test_its_answer_takes_one_connection_at_a_time(
    service: Lectern, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all that answer at once might wait for each other's second one."""
    database, mine = service.app.state.database, threading.local()
    read, within = database.read, list[bool]()

    @contextmanager
    def noting() -> Iterator[Session]:
        within.append(getattr(mine, "reads", False))
        mine.reads = True
        try:
            with read() as session:
                yield session
        finally:
            mine.reads = False

    monkeypatch.setattr(database, "read", noting)
    found(send(service, *((scene, {"title": "Another"}) for scene in scenes)))
    assert within
    assert not any(within)


def test_three_rooms_are_rotated(service: Lectern, scenes: list[Scene]) -> None:
    rooms = [scene.room for scene in scenes]
    changes = [(scene, {"resource": room}) for scene, room in zip(scenes, rooms[1:] + rooms[:1], strict=True)]
    found(send(service, *changes))
    for scene in scenes:
        scene.holds()


def test_times_are_swapped_in_one_room(service: Lectern) -> None:
    first = begun(service)
    second = begun(service, resource=first.room, start=first.local(hours=1))
    swap = (first, {"start": first.local(hours=1)}), (second, {"start": first.local()})
    found(send(service, *swap))
    assert first.starts() == [first.start(number, hours=1) for number in range(16, 30)]
    assert second.starts() == [first.start(number) for number in range(16, 30)]


def test_without_a_batch_a_swap_is_not_possible(scenes: list[Scene]) -> None:
    problem(scenes[0].patch(resource=scenes[1].room), 409, "schedule_conflict")


def test_moved_sessions_come_along(service: Lectern, scenes: list[Scene]) -> None:
    first, second, _ = scenes
    found(first.move(20, start=first.local(20, hours=5)))
    found(second.cancel(21))
    found(send(service, (first, {"resource": second.room}), (second, {"resource": first.room})))
    assert first.start(20, hours=5) in [one.start for one in first.active(second.room)]
    assert second.status(21) == "cancelled"
    for scene in scenes:
        scene.holds()


# What is in the way refuses all of it


def refused(
    service: Lectern,
    scenes: list[Scene],
    *changes: tuple[Scene, Json],
    code: str = "schedule_conflict",
    status: int = 409,
) -> Json:
    """The problem of a batch that changes nothing."""
    service.calls()
    before = [as_it_is(scene) for scene in scenes]
    shown = problem(send(service, *changes), status, code)
    assert [as_it_is(scene) for scene in scenes] == before
    assert service.writes() == []
    for scene in scenes:
        scene.holds()
    return shown


def test_one_conflict_refuses_the_batch(service: Lectern, scenes: list[Scene]) -> None:
    first, second, third = scenes
    pairs = refused(service, scenes, (first, {"resource": second.room}), (second, {"resource": third.room}))[
        "conflicts"
    ]
    assert {(pair["recording_id"], pair["booked"]["recording_id"]) for pair in pairs} == {(second.id, third.id)}
    assert len(pairs) == 14


def test_conflicts_among_the_batch_itself_are_told_from_both_sides(service: Lectern, scenes: list[Scene]) -> None:
    first, second, third = scenes
    pairs = refused(service, scenes, (first, {"resource": third.other}), (second, {"resource": third.other}))[
        "conflicts"
    ]
    told = {(pair["recording_id"], pair["booked"]["recording_id"]) for pair in pairs}
    assert told == {(first.id, second.id), (second.id, first.id)}


def test_two_changes_into_a_room_that_is_to_be_made_are_a_conflict(service: Lectern, scenes: list[Scene]) -> None:
    first, second, _ = scenes
    new: Json = {"resource": {"system_name": f"new-{first.number}"}}
    again: Json = {"resource": {"system_name": f"NEW-{first.number}"}}
    assert refused(service, scenes, (first, new), (second, again))["conflicts"]
    found(send(service, (first, new)))
    first.holds()


@pytest.mark.parametrize("theirs", ["recording", "event", "blackout"])
def test_what_others_have_booked_refuses_the_batch(service: Lectern, scenes: list[Scene], theirs: str) -> None:
    first, second, _ = scenes
    start = first.start(20, hours=2.5)
    if theirs == "recording":
        record(first, start, second.room)
    elif theirs == "event":
        book(first, start, second.room)
    else:
        times = {"startDate": int(start.timestamp()), "endDate": int((start + HOUR).timestamp())}
        blackout = {"objectType": "KalturaBlackoutScheduleEvent", "recurrenceType": 0, "summary": "Closed", **times}
        made = service.kaltura("schedule_scheduleEvent", "add", scheduleEvent=blackout)
    there = {"resource": second.room, "start": first.local(hours=2)}
    (pair,) = refused(service, scenes, (second, {"title": "New"}), (first, there))["conflicts"]
    assert (pair["recording_id"], utc(pair["booked"]["start"])) == (first.id, start)
    if theirs == "blackout":
        service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=made["id"])


def test_a_moved_session_that_would_meet_the_series_refuses_the_batch(service: Lectern, scenes: list[Scene]) -> None:
    first, second, _ = scenes
    found(first.move(20, start=first.local(21, hours=2)))
    later = {"start": first.local(hours=2)}
    (pair,) = refused(service, scenes, (first, later), (second, {"title": "New"}))["conflicts"]
    assert pair["booked"]["recording_id"] == first.id


def test_on_conflict_allow_is_each_change_s_own(service: Lectern, scenes: list[Scene]) -> None:
    first, second, third = scenes
    found(send(service, (first, {"resource": third.room, "on_conflict": "allow"}), (second, {"title": "New"})))
    first.holds()
    problem(send(service, (second, {"resource": third.room})), 409, "schedule_conflict")


def test_what_leaves_with_the_batch_is_in_nobody_s_way_but_what_runs_there_still_is(service: Lectern) -> None:
    first, second = begun(service, ahead=-HOUR / 6), begun(service)
    now_there = {"resource": first.room, "start": second.local(hours=-3, minutes=15)}
    answer = send(service, (first, {"resource": second.other}), (second, now_there))
    (pair,) = problem(answer, 409, "schedule_conflict")["conflicts"]
    assert utc(pair["booked"]["start"]) == first.start(16)


IMPOSSIBLE: list[tuple[Json, int, str, list[str]]] = [
    ({"title": ""}, 422, "invalid_document", ["/changes/1/patch/title"]),
    ({"recurrence": {"count": 0}}, 422, "invalid_document", ["/changes/1/patch/recurrence/count"]),
    (
        {"time_zone": None, "start": "2027-01-13T09:00:00", "end": "2027-01-13T08:00:00", "duration_minutes": None},
        422,
        "invalid_document",
        ["/changes/1/patch/end"],
    ),
    ({"nonsense": 1}, 422, "invalid_document", ["/changes/1/patch/nonsense"]),
    ({"nonsense": None}, 422, "invalid_document", ["/changes/1/patch/nonsense"]),
    ({"resource": "NO-SUCH"}, 422, "resource_not_found", ["/changes/1/patch/resource"]),
]


@pytest.mark.parametrize(("patch", "status", "code", "places"), IMPOSSIBLE, ids=str)
def test_one_impossible_patch_changes_nothing(
    service: Lectern, scenes: list[Scene], patch: Json, status: int, code: str, places: list[str]
) -> None:
    first, second, _ = scenes
    changes = (first, {"title": "New"}), (second, patch)
    assert pointers(refused(service, scenes, *changes, code=code, status=status)) == places


def test_someone_else_s_recording_is_404(service: Lectern, scenes: list[Scene]) -> None:
    problem(send(service, (scenes[0], {"title": "New"}), ("rec_none", {})), 404, "not_found")
    assert service.get(scenes[0].path)["title"] == "Linear Algebra"


def test_what_cannot_be_changed_now_refuses_the_batch(service: Lectern, scenes: list[Scene]) -> None:
    scenes[1].deleted()
    problem(send(service, (scenes[0], {"title": "New"}), (scenes[1], {"title": "New"})), 409, "not_changeable")
    assert service.get(scenes[0].path)["title"] == "Linear Algebra"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"changes": []}, "/changes"),
        ({"changes": [{"id": "rec_x", "patch": {}}] * 2}, "/changes/1"),
        ({"changes": [{"id": f"rec_{n}", "patch": {}} for n in range(101)]}, "/changes"),
        ({"changes": [{"id": "rec_x"}]}, "/changes/0/patch"),
        ({"changes": [{"patch": {}}]}, "/changes/0/id"),
        ({}, "/changes"),
    ],
    ids=["none", "twice", "too many", "no patch", "no id", "nothing"],
)
def test_a_bad_batch_is_422(service: Lectern, body: Json, pointer: str) -> None:
    answer = service.client.post("/recordings/batch", json=body)
    assert pointers(problem(answer, 422, "invalid_document")) == [pointer]


# What comes of it


def test_what_is_as_it_was_is_answered_among_the_others(service: Lectern, scenes: list[Scene]) -> None:
    first, second, third = scenes
    service.calls()
    shown = found(send(service, (first, {}), (second, {"title": "New"}), (third, {"title": "Linear Algebra"})))["items"]
    assert [one["title"] for one in shown] == ["Linear Algebra", "New", "Linear Algebra"]
    assert [one["chain"]["operation"] for one in shown] == ["schedule", "update", "schedule"]
    assert {one["outcome"] for one in shown} == {"applied"}
    assert service.writes() == ["media.update", "scheduleEvent.update"]


def test_what_kaltura_refuses_leaves_that_one_as_it_was_and_the_others_done(
    service: Lectern, scenes: list[Scene]
) -> None:
    first, second, _ = scenes
    shown = found(send(service, (first, {"categories": ["No such"]}), (second, {"title": "New"})), 207)["items"]
    assert [one["outcome"] for one in shown] == ["refused", "applied"]
    assert (shown[0]["problem"]["code"], shown[1]["problem"]) == ("category_not_found", None)
    assert [one["chain"]["status"] for one in shown] == ["failed", "succeeded"]
    assert [one["status"] for one in shown] == ["scheduled", "scheduled"]
    assert (shown[0]["categories"], shown[1]["title"]) == (first.recording["categories"], "New")
    for scene in scenes:
        scene.holds()


def test_respond_async_is_202(service: Lectern, scenes: list[Scene]) -> None:
    answer = send(service, (scenes[0], {"title": "New"}), prefer="respond-async")
    assert [one["outcome"] for one in found(answer, 202)["items"]] in (["pending"], ["applied"])
    assert int(answer.headers["Retry-After"]) > 0
    scenes[0].until_settled()
    assert service.get(scenes[0].path)["title"] == "New"


# Between the check and the change


def test_what_is_another_client_s_by_then_is_not_there(service: Lectern, scenes: list[Scene]) -> None:
    first, second, _ = scenes

    def give_away() -> None:
        with service.app.state.database.write() as session:
            session.execute(update(Recording).where(col(Recording.id) == second.id).values(client="library"))

    free = f"{first.other}-TOO"
    service.kaltura("schedule_scheduleResource", "add", scheduleResource={**CAMERA, "name": free, "systemName": free})
    before = service.get(first.path)
    with watched(service, "scheduleEvent.getConflicts", "after", give_away):
        problem(send(service, (first, {"title": "New"}), (second, {"resource": free})), 404, "not_found")
    assert service.get(first.path) == before


def test_every_recording_is_held_before_anything_is_begun(
    service: Lectern, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No chain of it comes to a checkpoint between what is read and what is decided by it."""
    held, create, hold = list[str](), Store.create, Store.lock_chains

    def noted(store: Store, session: Session, subject: str) -> None:
        held.append(subject)
        hold(store, session, subject)

    def begun(store: Store, session: Session, subject: str, *given: Any, **more: Any) -> str:
        if not subject.startswith("sweep:"):
            assert subject in held
        return create(store, session, subject, *given, **more)

    monkeypatch.setattr(Store, "lock_chains", noted)
    monkeypatch.setattr(Store, "create", begun)
    found(send(service, *((scene, {"title": "New"}) for scene in scenes)))
    assert set(held) >= {scene.id for scene in scenes}


def test_what_has_changed_by_then_refuses_the_batch(service: Lectern, scenes: list[Scene]) -> None:
    """What was checked is not what would be changed."""
    first, second, _ = scenes

    def write() -> None:
        with service.app.state.database.write() as session:
            session.execute(update(Recording).where(col(Recording.id) == first.id).values(problem=None))

    with watched(service, "scheduleEvent.getConflicts", "after", write):
        answer = send(service, (first, {"title": "New"}), (second, {"start": second.local(hours=5)}))
    assert first.id in problem(answer, 409, "chain_running")["detail"]
    assert [service.get(scene.path)["title"] for scene in scenes] == ["Linear Algebra"] * 3
    for scene in scenes:
        scene.holds()
