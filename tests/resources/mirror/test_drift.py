"""Drift: what somebody changed in Kaltura of what Lectern scheduled there."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.database.database import Database
from app.resources.models import Occurrence
from tests.resources.mirrored import DAY, OTHER_ROOM, START, Json, Room, room_of
from tests.sandbox.kaltura import HOUR, MONDAY


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        yield found


def twice(room: Room) -> list[tuple[str, str | None]]:
    room.refresh()
    assert room.drift() == []  # once may be a lagging index
    room.refresh()
    return kinds(room)


def kinds(room: Room) -> list[tuple[str, str | None]]:
    return [(each["kind"], each["occurrence_id"]) for each in room.drift()]


def status(room: Room, occurrence_id: str, value: str) -> None:
    with room.database.write() as session:
        session.execute(update(Occurrence).where(col(Occurrence.id) == occurrence_id).values(status=value))


def test_what_is_as_it_should_be_is_no_drift(room: Room) -> None:
    room.own(3)
    room.kaltura.update(room.book(3)["id"], summary="somebody else's")
    assert twice(room) == []


def test_a_session_that_was_cancelled_in_kaltura_is_missing(room: Room) -> None:
    series = room.own(3)
    room.cancel(room.kaltura.children(series)[1])
    assert twice(room) == [("missing", "occ_1")]
    (shown,) = room.drift()
    start = START + timedelta(days=7)
    assert shown == {
        "kind": "missing",
        "occurrence_id": "occ_1",
        "start": start,
        "end": start + timedelta(hours=1),
        "event_id": None,
        "found_start": None,
        "found_end": None,
        "since": room.now,
    }


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_a_series_that_is_gone_is_missing_whole(room: Room, how: str) -> None:
    series = room.own(3)
    room.kaltura("schedule_scheduleEvent", how, scheduleEventId=series["id"])
    assert twice(room) == [("missing", f"occ_{number}") for number in range(3)]


def test_what_somebody_took_off_the_room_is_missing(room: Room) -> None:
    series = room.own(3)
    room.unlink(series)
    room.kaltura.link(series["id"], OTHER_ROOM)
    assert [kind for kind, _ in twice(room)] == ["missing"] * 3


def test_a_session_that_was_moved_is_moved(room: Room) -> None:
    moved = room.kaltura.children(room.own(3))[1]
    room.kaltura.update(moved["id"], startDate=MONDAY + 9 * DAY, endDate=MONDAY + 9 * DAY + HOUR)
    assert twice(room) == [("moved", "occ_1")]
    (shown,) = room.drift()
    assert shown["event_id"] == moved["id"]
    assert shown["start"] == START + timedelta(days=7)
    assert shown["found_start"] == START + timedelta(days=9)


def test_sessions_that_kaltura_made_anew_at_another_hour_are_moved(room: Room) -> None:
    series = room.own(3)
    room.retime(series, MONDAY + HOUR)
    assert twice(room) == [("moved", f"occ_{number}") for number in range(3)]
    assert [each["event_id"] for each in room.drift()] == [child["id"] for child in room.kaltura.children(series)]


def test_sessions_that_kaltura_made_anew_at_the_same_time_are_replaced(room: Room) -> None:
    series = room.own(3)
    room.retime(series, MONDAY + HOUR)
    room.retime(series, MONDAY)
    assert twice(room) == [("replaced", f"occ_{number}") for number in range(3)]


@pytest.mark.parametrize("was", ["excluded", "cancelled"])
def test_a_session_that_came_back_is_extra(room: Room, was: str) -> None:
    room.own(3)
    status(room, "occ_1", was)
    assert twice(room) == [("extra", "occ_1")]


def test_sessions_that_lectern_never_asked_for_are_extra(room: Room) -> None:
    series = room.own(3)
    room.retime(series, MONDAY, count=4)
    assert twice(room) == [("extra", None)]
    (shown,) = room.drift()
    assert (shown["start"], shown["found_start"]) == (None, START + timedelta(days=21))


def test_what_is_over_is_no_drift(room: Room) -> None:
    room.cancel(room.kaltura.children(room.own(3))[0])
    room.now = START + timedelta(hours=2)
    assert twice(room) == []


def test_what_a_chain_works_on_is_no_drift(room: Room) -> None:
    room.cancel(room.own(3))
    room.busy.add("rec_01kantf3wq5m2c7j8e9g0h1k3p")
    assert twice(room) == []


def test_an_index_that_lags_once_is_no_drift(room: Room) -> None:
    room.sandbox.set_faults({"modes": {"index_lag": 1000}})
    room.own(3)
    room.refresh()
    room.heal()
    room.refresh()
    room.refresh()
    assert room.drift() == []


def test_what_differs_in_another_way_is_looked_at_again(room: Room) -> None:
    moved = room.kaltura.children(room.own(3))[1]
    room.kaltura.update(moved["id"], startDate=MONDAY + 9 * DAY, endDate=MONDAY + 9 * DAY + HOUR)
    room.refresh()
    room.cancel(moved)
    assert twice(room) == [("missing", "occ_1")]


def test_what_was_told_and_is_wrong_in_another_way_goes_on_being_told(room: Room) -> None:
    """Until the next look a person would read that all is well, and `resume` would have nothing to do."""
    moved = room.kaltura.children(room.own(3))[1]
    room.kaltura.update(moved["id"], startDate=MONDAY + 9 * DAY, endDate=MONDAY + 9 * DAY + HOUR)
    assert twice(room) == [("moved", "occ_1")]
    room.cancel(moved)
    room.refresh()
    assert kinds(room) == [("missing", "occ_1")]


def test_drift_that_is_mended_is_gone_and_what_stays_keeps_its_date(room: Room) -> None:
    series = room.own(3)
    moved, cancelled = room.kaltura.children(series)[1:]
    room.kaltura.update(moved["id"], startDate=MONDAY + 9 * DAY, endDate=MONDAY + 9 * DAY + HOUR)
    room.cancel(cancelled)
    since = room.now
    assert twice(room) == [("moved", "occ_1"), ("missing", "occ_2")]
    room.kaltura.update(moved["id"], startDate=MONDAY + 7 * DAY, endDate=MONDAY + 7 * DAY + HOUR)
    room.now += timedelta(minutes=5)
    room.refresh()
    assert [(each["kind"], each["since"]) for each in room.drift()] == [("missing", since)]


def test_a_failed_refresh_says_nothing_of_drift(room: Room) -> None:
    room.cancel(room.kaltura.children(room.own(3))[0])
    found = twice(room)
    room.fault("html")
    room.refresh()
    assert kinds(room) == found == [("missing", "occ_0")]


def test_nobody_else_s_recordings_have_drift(room: Room) -> None:
    events: list[Json] = [room.own(2), room.book(2)]
    for event in events:
        room.cancel(event)
    assert {kind for kind, _ in twice(room)} == {"missing"}
    assert len(room.drift()) == 2
