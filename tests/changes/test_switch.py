"""The moment of the switch: what has begun by then, in that very second too, stays as it was."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import pytest

from app import db
from tests.changes.scene import COUNT, HOUR, TODAY, Scene, begun, watched
from tests.clocks import HostClock
from tests.service import Lectern, utc

LATER = range(TODAY + 1, COUNT)


@dataclass
class Clock(HostClock):
    """It stands still at `stopped`."""

    stopped: datetime | None = None

    def now(self, zone: tzinfo) -> datetime:
        return self.stopped.astimezone(zone) if self.stopped else super().now(zone)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(db, "datetime", found)
    return found


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
