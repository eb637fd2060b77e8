"""The moment of the switch: what has begun by then, in that very second too, stays as it was."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import pytest

from app.database import types
from tests.clocks import HostClock
from tests.recordings.changing.scene import COUNT, HOUR, TODAY, Scene, begun, to_come, watched
from tests.recordings.changing.together import are_as, outcomes, send
from tests.service import Lectern, found, utc

LATER = range(TODAY + 1, COUNT)


@dataclass
class Clock(HostClock):
    """It stands still at `stopped`."""

    stopped: datetime | None = None

    def now(self, zone: tzinfo) -> datetime:
        return self.stopped.astimezone(zone) if self.stopped else super().now(zone)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(types, "datetime", made)
    return made


def changed_at(scene: Scene, clock: Clock, moment: datetime, **changes: object) -> None:
    """A change that is decided on now, and comes to its switch at that moment."""

    def stop() -> None:
        clock.stopped = moment

    with watched(scene.service, "scheduleEventResource.add", "after", stop):
        scene.changed(**changes)
    clock.stopped = None


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_session_that_has_begun_by_the_switch_stays_in_its_room(
    service: Lectern, clock: Clock, seconds: float
) -> None:
    scene = begun(service, ahead=timedelta(minutes=2))
    begins = scene.start(TODAY)
    moment = begins + timedelta(seconds=seconds)
    changed_at(scene, clock, moment, start=scene.local(hours=2), resource=scene.other)
    today = next(one for one in scene.sessions() if one.start == begins)
    assert (today.status, today.rooms, today.end - today.start) == ("active", (scene.room,), HOUR)
    assert [one.start for one in scene.active(scene.other)] == [scene.start(number, hours=2) for number in LATER]


@pytest.mark.parametrize("seconds", [0, 30])
def test_a_session_whose_new_time_has_come_by_the_switch_keeps_its_old_one(
    service: Lectern, clock: Clock, seconds: float
) -> None:
    scene = begun(service, ahead=3 * HOUR)
    earlier = {"hours": -3, "minutes": 2}  # about a minute from now
    comes = scene.start(TODAY, **earlier)
    changed_at(scene, clock, comes + timedelta(seconds=seconds), start=scene.local(**earlier))
    assert utc(scene.occurrences()[TODAY]["start"]) == scene.start(TODAY)
    assert scene.starts() == [scene.start(TODAY), *(scene.start(number, **earlier) for number in LATER)]
    scene.holds()


def test_a_recording_that_is_cancelled_in_the_very_second_in_which_it_begins_keeps_its_entry(
    service: Lectern, clock: Clock
) -> None:
    """Its first session is recorded, with the entry's words."""
    scene = to_come(service)
    clock.stopped = scene.start(0)
    scene.deleted()
    assert [one.start for one in scene.sessions() if one.status == "active"] == [scene.start(0)]
    assert scene.entry()["name"] == "Linear Algebra"


# Recordings that are changed together look at one moment: that of their verdict


def swapped(
    service: Lectern, clock: Clock, moment: timedelta, *, elsewhere: bool = False, **second_s: int
) -> tuple[list[Scene], list[str]]:
    """Two that swap rooms, the second one's time may change as well. So long after today's begin is the verdict.

    `elsewhere`: the second one's session of today is in another room. What became of each.
    """
    clock.stopped = types.utc_now()  # so that they begin in the same minute
    first, second = scenes = [begun(service, ahead=timedelta(minutes=2)) for _ in range(2)]
    clock.stopped = None
    if elsewhere:
        found(second.move(TODAY, resource=second.other))

    def stop() -> None:
        clock.stopped = first.start(TODAY) + moment

    changes = (first, {"resource": second.room}), (second, {"resource": first.room, "start": second.local(**second_s)})
    with watched(service, "scheduleEventResource.add", "after", stop):
        answer = send(service, *changes)
    clock.stopped = None
    return scenes, outcomes(answer)


def test_who_would_meet_a_session_that_has_begun_meanwhile_and_so_stays_takes_all_back(
    service: Lectern, clock: Clock
) -> None:
    scenes, told = swapped(service, clock, timedelta(seconds=30), minutes=30)
    assert told == ["not_applied", "not_applied"]
    are_as(service, scenes, [scene.room for scene in scenes])


def test_whose_own_session_is_in_another_room_then_meets_nobody(service: Lectern, clock: Clock) -> None:
    """Both have begun in their rooms, and stay there; on the days to come nobody is in the way."""
    (first, second), told = swapped(service, clock, timedelta(seconds=30), elsewhere=True, minutes=30)
    assert told == ["applied", "applied"]
    assert [one.start for one in second.active(second.other)] == [first.start(TODAY)]
    assert [one.start for one in second.active(first.room)] == [first.start(number, minutes=30) for number in LATER]


def test_what_has_begun_meanwhile_on_both_sides_stays_and_the_rest_is_swapped(service: Lectern, clock: Clock) -> None:
    scenes, told = swapped(service, clock, timedelta(seconds=30))
    assert told == ["applied", "applied"]
    for scene, other in zip(scenes, reversed(scenes), strict=True):
        assert [one.start for one in scene.active(scene.room)] == [scene.start(TODAY)]
        assert [one.start for one in scene.active(other.room)] == [scene.start(number) for number in LATER]
