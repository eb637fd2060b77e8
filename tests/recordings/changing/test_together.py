"""Recordings that depend on each other's leaving are changed together, or not at all."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.recordings.changing.scene import Scene, begun, watched
from tests.recordings.changing.test_deleting import lose_patience
from tests.recordings.changing.together import are_as, nobody_meets, outcomes, rotated, send, where
from tests.service import Json, Lectern, eventually, found

CODE = "INVALID_PARAMETER_CHAR"
WRITES = {
    "media.update": ("media", "update"),
    "scheduleEvent.update": ("schedule_scheduleEvent", "update"),
    "scheduleEvent.add": ("schedule_scheduleEvent", "add"),
    "scheduleEvent.cancel": ("schedule_scheduleEvent", "cancel"),
    "scheduleEventResource.add": ("schedule_scheduleEventResource", "add"),
}


def several(service: Lectern, count: int, **changes: Any) -> list[Scene]:
    """So many recordings at the same times, each in a room of its own, with a holiday that is to be cancelled."""
    return [begun(service, holidays=[22], **changes) for _ in range(count)]


@pytest.mark.parametrize("after", [0, 1], ids=["the first", "the second"])
@pytest.mark.parametrize("call", WRITES)
def test_a_swap_of_which_kaltura_refuses_one_part_swaps_nothing(service: Lectern, call: str, after: int) -> None:
    scenes = several(service, 2)
    before = where(scenes)
    changes = [(scene, {**patch, "title": "New"}) for scene, patch in rotated(scenes)]
    refuse = {"fault": "error", "service": WRITES[call][0], "action": WRITES[call][1], "code": CODE, "times": 1}
    skipped = {**refuse, "fault": "delay", "code": CODE, "seconds": 0.0, "times": after}
    service.sandbox.set_faults({"faults": [skipped, refuse]})
    answer = send(service, *changes)
    service.heal()
    items = found(answer, 207)["items"]
    assert sorted(outcomes(answer)) == ["not_applied", "refused"]
    by_outcome = {one["outcome"]: (place, one) for place, one in enumerate(items)}
    (place, refused), (_, other) = by_outcome["refused"], by_outcome["not_applied"]
    assert (refused["problem"]["code"], refused["problem"]["kaltura_code"]) == ("refused_by_kaltura", CODE)
    assert other["problem"]["code"] == "batch_refused"
    assert [one["pointer"] for one in other["problem"]["errors"]] == [f"/changes/{place}"]
    assert [(one["status"], one["title"]) for one in items] == [("scheduled", "Linear Algebra")] * 2
    are_as(service, scenes, before)
    found(send(service, *changes))
    are_as(service, scenes, before[::-1])


@pytest.mark.parametrize("refused", range(3))
def test_a_ring_of_which_one_part_is_refused_stays_where_it_is(service: Lectern, refused: int) -> None:
    scenes = several(service, 3)
    before = where(scenes)
    answer = send(service, *rotated(scenes, refused))
    found(answer, 207)
    assert outcomes(answer) == ["refused" if number == refused else "not_applied" for number in range(3)]
    are_as(service, scenes, before)


@pytest.mark.parametrize("refused", [None, 0, 1, 2])
def test_a_row_of_changes_of_which_each_needs_the_next(service: Lectern, refused: int | None) -> None:
    first, second, third = scenes = several(service, 3)
    rooms = [second.room, third.room, third.other]
    before = where(scenes)
    changes = [
        (scene, {"resource": room, **({"categories": ["No such"]} if number == refused else {})})
        for number, (scene, room) in enumerate(zip([first, second, third], rooms, strict=True))
    ]
    answer = send(service, *changes)
    found(answer, 200 if refused is None else 207)
    are_as(service, scenes, rooms if refused is None else before)


@pytest.mark.parametrize("refused", [0, 2])
def test_what_depends_on_nothing_is_decided_by_itself(service: Lectern, refused: int) -> None:
    """A swap, and two changes beside it of which one leaves its room, and one changes its title."""
    first, second, third, fourth = scenes = several(service, 4)
    changes = [*rotated([first, second]), (third, {"resource": third.other}), (fourth, {"title": "New"})]
    changes[refused][1]["categories"] = ["No such"]
    answer = send(service, *changes)
    found(answer, 207)
    if refused == 0:
        assert outcomes(answer) == ["refused", "not_applied", "applied", "applied"]
        are_as(service, scenes, [first.room, second.room, third.other, fourth.room])
    else:
        assert outcomes(answer) == ["applied", "applied", "refused", "applied"]
        are_as(service, scenes, [second.room, first.room, third.room, fourth.room])


def test_times_that_are_swapped_in_one_room_depend_on_each_other(service: Lectern) -> None:
    first = begun(service)
    second = begun(service, resource=first.room, start=first.local(hours=1))
    changes = (first, {"start": first.local(hours=1), "categories": ["No such"]}), (second, {"start": first.local()})
    answer = send(service, *changes)
    found(answer, 207)
    assert outcomes(answer) == ["refused", "not_applied"]
    assert first.starts() == [first.start(number) for number in range(16, 30)]
    assert second.starts() == [first.start(number, hours=1) for number in range(16, 30)]


def test_a_room_that_is_made_for_one_frees_its_own_for_the_other(service: Lectern) -> None:
    first, second = scenes = several(service, 2)
    new: Json = {"resource": {"system_name": f"made-{second.number}"}}
    changes = (first, {"resource": second.room}), (second, new)
    assert outcomes(send(service, *changes)) == ["applied", "applied"]
    are_as(service, scenes, [second.room, f"made-{second.number}"])


def test_two_swaps_of_the_same_rooms_at_once_are_done_one_after_another(service: Lectern) -> None:
    """Their times differ, so that they do not depend on each other; the lanes of their rooms are the same."""
    early = several(service, 2)
    late = [begun(service, resource=scene.room, start=scene.local(hours=2)) for scene in early]
    changes = [*rotated(early), (late[0], {"resource": early[1].room}), (late[1], {"resource": early[0].room})]
    assert outcomes(send(service, *changes)) == ["applied"] * 4
    are_as(service, [*early, *late], [early[1].room, early[0].room] * 2)


# One of them is cancelled meanwhile


def delete(scene: Scene) -> None:
    found(scene.service.client.delete(scene.path, headers={"Prefer": "respond-async"}), 202)


def settled(scenes: Sequence[Scene]) -> None:
    def over() -> bool:
        return all(
            chain["finished_at"] for scene in scenes for chain in scene.service.get(f"{scene.path}/history")["items"]
        )

    eventually(over, 30.0)


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("call", ["scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.update"])
def test_one_that_is_cancelled_in_mid_flight_leaves_no_room_booked_twice(
    service: Lectern, call: str, phase: str
) -> None:
    """Until they are to go on both stay; from then on (`scheduleEvent.update` ends an old series) both go."""
    first, second = scenes = several(service, 2)
    before = where(scenes)
    with watched(service, call, phase, lambda: delete(first)):
        found(send(service, *rotated(scenes), prefer="respond-async"), 202)
        settled(scenes)
    assert [service.get(scene.path)["status"] for scene in scenes] == ["cancelled", "scheduled"]
    gone = call == "scheduleEvent.update"
    assert where([second]) == [before[0] if gone else before[1]]
    assert service.get(f"{first.path}/history")["items"][1]["status"] == ("succeeded" if gone else "failed")
    nobody_meets(service, scenes)
    assert first.active(before[0]) == first.active(before[1]) == []
    second.holds()


def test_one_that_is_stuck_takes_the_others_back_and_is_taken_back_when_it_is_resumed(service: Lectern) -> None:
    first, second = scenes = several(service, 2)
    before = where(scenes)
    service.fault("http_429", "schedule_scheduleEventResource", "add")
    found(send(service, *rotated(scenes), prefer="respond-async"), 202)
    eventually(lambda: all(service.get(scene.path)["chain"]["status"] == "waiting" for scene in scenes))
    lose_patience(first)
    eventually(lambda: service.get(first.path)["status"] == "stuck", 30.0)
    service.heal()
    eventually(lambda: service.get(second.path)["chain"]["status"] == "failed", 30.0)
    assert service.get(second.path)["status"] == "scheduled"
    second.holds()
    service.client.post(f"{first.path}/resume")
    settled(scenes)
    assert [service.get(scene.path)["status"] for scene in scenes] == ["scheduled", "scheduled"]
    are_as(service, scenes, before)
