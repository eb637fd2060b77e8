"""A restored backup gives an event's number twice: what bears the number of another chain's event is not adopted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chains.steps import Call, Context, Done
from app.kaltura.answers import Named
from app.kaltura.types import EventDraft
from app.recordings.scheduling.context import Tools
from app.recordings.scheduling.events import EVENTS
from app.recurrence.server import STEADY
from app.resources.references import recording_of, reference, token_of
from tests.recordings.changing.house import House, house
from tests.recordings.changing.scene import COUNT, Scene, to_come
from tests.service import Json, found

RECORDING = "rec_01kantf3wq5m2c7j8e9g0h1k3p"
EVENT = "schedule_scheduleEvent"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as found:
        yield found


def series(scene: Scene) -> list[Json]:
    return [one for one in scene.events() if one["recurrenceType"] == 1]


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_what_was_made_under_a_number_before_the_restore_is_not_taken_for_what_is_made_now(
    running: House, fault: str
) -> None:
    """Else it would be refused as another schedule, and its sessions deleted, which stand on the room."""
    scene = to_come(running)
    database, _sandbox = running.keep()
    found(scene.patch(start=scene.local(hours=2)), 202)
    running.settle()
    (before,) = series(scene)

    running.back_to((database,))
    found(scene.patch(start=scene.local(hours=5)), 202)
    running.fault(fault, EVENT, "add", times=1)
    running.settle()

    shown = running.get(scene.path)
    (made,) = (one["id"] for one in shown["kaltura"]["events"])
    assert (shown["chain"]["status"], shown["problem"]) == ("succeeded", None)
    assert made != before["id"]
    assert len([one for one in scene.events() if one.get("parentId") == before["id"] and one["status"] == 2]) == COUNT
    assert len([one for one in scene.events() if one.get("parentId") == made and one["status"] == 2]) == COUNT
    running.sweep()
    assert {one["id"] for one in series(scene)} == {before["id"], made}
    numbers = [one["referenceId"].rpartition("-")[0] for one in series(scene)]
    assert numbers[0] == numbers[1]


class Older:
    """A Kaltura in which an older version has begun to make an event."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def add_event(self, draft: EventDraft) -> Named:
        self.asked.append(draft.reference_id)
        return Named(id=7)

    def find_events(self, reference_id: str) -> list[Named]:
        self.asked.append(reference_id)
        return []


def test_a_chain_of_an_older_version_goes_on_with_the_reference_that_it_has_sent() -> None:
    old, kaltura = reference(RECORDING, 1), Older()
    planned = {"kind": "single", "start": 1_800_000_000, "end": 1_800_003_600, "recurrence": None, "occurrences": []}
    given = {"events": {"1": planned}, "event": {"summary": "t"}}
    tools = Tools(kaltura, None, STEADY)  # type: ignore[arg-type]
    context, call = Context("chn_1", RECORDING, given, {}, tools), Call("1", {"reference_id": old})
    assert EVENTS.send(context, call) == Done(7)
    assert EVENTS.find is not None
    assert EVENTS.find(context, call) is None
    assert kaltura.asked == [old, old]


@pytest.mark.parametrize("token", ["", token_of("chn_01kantf3wq5m2c7j8e9g0h1k3p"), token_of("chn_1", 2)])
@pytest.mark.parametrize("number", [0, 1, 17])
def test_a_reference_names_its_recording_with_a_token_and_without(number: int, token: str) -> None:
    assert recording_of(reference(RECORDING, number, token)) == RECORDING


@pytest.mark.parametrize(
    "mark",
    [
        *(
            None,
            "",
            "room-plan-17",
            RECORDING,
            f"lectern-{RECORDING}",
            f"lectern-{RECORDING}-",
            f"lectern-{RECORDING}-x",
        ),
        *(f"lectern-{RECORDING}-1-", f"lectern-{RECORDING}-1-ABC", f"lectern-{RECORDING}-1-a b", "lectern-check-write"),
        *(f"x-lectern-{RECORDING}-1", f"LECTERN-{RECORDING}-1", f"lectern-{RECORDING}-1-a-b", "lectern-sweep:1-1"),
    ],
)
def test_what_others_write_there_names_none(mark: str | None) -> None:
    assert recording_of(mark) is None


def test_a_token_is_a_chain_s_alone_and_of_each_time_that_something_is_made_anew() -> None:
    tokens = [token_of(f"chn_{number}", again) for number in range(100) for again in range(4)]
    assert len(set(tokens)) == len(tokens)
    assert token_of("chn_1") == token_of("chn_1", 0)
