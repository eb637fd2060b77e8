"""A session that stands wider in Kaltura, for the hour that its server repeats, is where it should be."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.database.database import Database
from app.resources.mirror.refresh import Mirror
from app.resources.models import Occurrence
from tests.resources.mirrored import OWN, Room, room_of

pytestmark = pytest.mark.both_databases

HOUR = datetime(2027, 11, 7, 6, tzinfo=UTC)
MINUTES = timedelta(minutes=1)


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    """With one session from 06:10 to 06:40, and one two hours later."""
    with room_of(database) as found:
        found.now = HOUR - timedelta(days=1)
        found.mirror = Mirror(database, "one", per_second=100, server_zone="America/New_York", clock=lambda: found.now)
        found.own(2)
        (first, second) = (child["id"] for child in found.kaltura.children({"id": _series(found)}))
        for uid, event_id, start, end, wider in (
            ("occ_0", first, 10, 40, (-1 / 60, 60)),
            ("occ_1", second, 130, 160, (130, 160)),
        ):
            begin, finish = (int((HOUR + minutes * MINUTES).timestamp()) for minutes in wider)
            found.kaltura.update(event_id, startDate=begin, endDate=finish)
            _set(found, uid, start=HOUR + start * MINUTES, end=HOUR + end * MINUTES, slot=HOUR.date())
        yield found


def _series(room: Room) -> int:
    with room.database.read() as session:
        return session.get_one(Occurrence, "occ_0").series_id or 0


def _set(room: Room, uid: str, **values: object) -> None:
    with room.database.write() as session:
        session.execute(update(Occurrence).where(col(Occurrence.id) == uid).values(**values))


def twice(room: Room) -> list[tuple[str, str | None]]:
    for _ in range(2):
        room.refresh()
    return [(each["kind"], each["occurrence_id"]) for each in room.drift()]


@pytest.mark.parametrize("minutes", [-600, -1, 5, 30, 41, 45, 59, 70, 300])
def test_it_is_no_drift_before_while_and_after_it_is_recorded(room: Room, minutes: int) -> None:
    """From 06:40 on it is over, while Kaltura says that it runs until 07:00: no event too many, nor a stranger's."""
    room.now = HOUR + minutes * MINUTES
    assert twice(room) == []
    assert {each["recording_id"] for each in room.shown()} <= {OWN}
    assert [each["start"][11:16] for each in room.shown()] == [
        start for start, end in (("06:10", 40), ("08:10", 160)) if end > minutes
    ]


@pytest.mark.parametrize("minutes", [45, 59])
def test_the_last_session_of_a_recording_is_not_taken_for_somebody_else_s(room: Room, minutes: int) -> None:
    _set(room, "occ_1", start=HOUR - timedelta(days=9), end=HOUR - timedelta(days=9) + MINUTES)
    room.now = HOUR + minutes * MINUTES
    room.refresh()
    assert [each for each in room.shown() if each["recording_id"] != OWN and "06:" in each["start"]] == []


def test_one_that_was_made_anew_in_its_place_is_replaced_and_one_elsewhere_is_moved(room: Room) -> None:
    _set(room, "occ_0", event_id=1)
    assert twice(room) == [("replaced", "occ_0")]
    first = room.kaltura.children({"id": _series(room)})[0]["id"]
    room.kaltura.update(first, startDate=int(HOUR.timestamp()) + 7200 + 600, endDate=int(HOUR.timestamp()) + 9000)
    assert twice(room) == [("moved", "occ_0")]


def test_one_at_its_true_time_is_right_too(room: Room) -> None:
    """As a server has it whose clocks repeat nothing, under a setting that is wrong."""
    room.sandbox.set_faults({"modes": {"server_zone": "UTC"}})
    first = room.kaltura.children({"id": _series(room)})[0]["id"]
    start = HOUR + 10 * MINUTES
    room.kaltura.update(first, startDate=int(start.timestamp()), endDate=int((start + 30 * MINUTES).timestamp()))
    assert twice(room) == []
