"""What a list leaves out is looked up in Kaltura's database; what it shows is followed, and soon looked at again."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.database.database import Database
from app.database.types import database_now
from app.resources.mirror.doubts import LONG, LOOKS
from app.resources.mirror.refresh import EVERY
from app.resources.models import Mirror as Row
from app.sandbox.seed.seed import RESOURCE_ID
from tests.resources.mirror.test_trouble import fewer, garble, nothing, shorter
from tests.resources.mirrored import DAY, OTHER_ROOM, Json, Room, at, room_of
from tests.sandbox.kaltura import HOUR, MONDAY, weekly

pytestmark = pytest.mark.both_databases


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        found.mirror.ask([RESOURCE_ID])
        yield found


def starts(shown: list[Json]) -> list[str]:
    return [each["start"] for each in shown]


def next_look(room: Room) -> float:
    """In so many seconds."""
    with room.database.read() as session:
        due_in = select(col(Row.due_at) - database_now()).where(col(Row.resource_id) == RESOURCE_ID)
        seconds: float = session.execute(due_in).scalar_one()
    return seconds


def asked(room: Room) -> list[str]:
    """What one refresh asks Kaltura."""
    before = len(room.sandbox.requests())
    room.refresh()
    return [f"{one['service'].removeprefix('schedule_')}.{one['action']}" for one in room.sandbox.requests()[before:]]


def some_time(room: Room) -> None:
    """The list has been odd for long."""
    with room.database.write() as session:
        session.execute(update(Row).values(doubted_at=col(Row.doubted_at) - LONG))


def down(room: Room, *, engine: bool) -> None:
    room.sandbox.set_faults({"modes": {"engine_down": engine}})


def delete(room: Room, event: Json) -> None:
    room.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=event["id"])


def believed_at(room: Room) -> int:
    """After how many looks a list that stays as it is counts as one."""
    as_of = room.row().as_of
    room.now += timedelta(minutes=1)
    for look in range(1, 10):
        room.refresh()
        if room.row().as_of != as_of:
            return look
        some_time(room)
    raise AssertionError("never")


# What has vanished


def test_an_empty_list_takes_no_small_room_s_sessions_away(room: Room) -> None:
    room.book(10)
    before = room.refresh()
    garble(room, nothing)
    assert room.refresh() == before
    assert next_look(room) < 5


def test_what_vanished_and_is_gone_is_believed_at_once(room: Room) -> None:
    series, single = room.book(3), room.book(summary="single")
    room.own(2, resource_id=RESOURCE_ID)
    assert len(room.refresh()) == 6
    room.cancel(room.kaltura.children(series)[1])
    delete(room, single)
    room.now += timedelta(minutes=1)
    assert len(room.refresh()) == 4
    assert (room.row().as_of, room.row().failure) == (room.now, None)
    assert next_look(room) == pytest.approx(EVERY, abs=5)


def test_what_vanished_costs_one_call_for_all_and_one_for_where_they_are(room: Room) -> None:
    room.book(30)
    room.own(30)
    room.refresh()
    assert asked(room) == ["scheduleEvent.list"]
    garble(room, nothing)
    gone, where, lately = "scheduleEvent.list", "scheduleEventResource.list", "scheduleEventResource.list"
    assert asked(room)[:4] == ["scheduleEvent.list", gone, where, lately]
    assert len(asked(room)) < 12


def test_more_than_can_be_asked_for_wait_for_their_turn(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    series = room.book(9)
    room.own(3)
    assert len(room.refresh()) == 12
    monkeypatch.setattr("app.resources.mirror.doubts.MOST_ASKED", 5)
    delete(room, series)
    garble(room, nothing)
    counts = [len(room.refresh()) for _ in range(5)]
    assert counts[0] > counts[1] >= counts[-1] == 3
    assert room.drift() == []


def test_what_left_the_room_is_not_kept(room: Room) -> None:
    series = room.book(3)
    first, *_ = room.kaltura.children(series)
    assert len(room.refresh()) == 3
    room.kaltura.link(first["id"], OTHER_ROOM)
    garble(room, nothing)
    assert starts(room.refresh()) == [at(7), at(14)]
    room.unlink(series)
    assert room.refresh() == []


def test_what_was_moved_and_is_not_listed_is_where_it_is(room: Room) -> None:
    room.book(2)
    moved = room.book(summary="moved")
    before = {each["title"]: each["uid"] for each in room.refresh()}
    room.kaltura.update(moved["id"], startDate=MONDAY + 2 * DAY, endDate=MONDAY + 2 * DAY + HOUR)
    garble(room, nothing)
    assert [each["start"] for each in room.refresh() if each["uid"] == before["moved"]] == [at(2)]


def test_sessions_of_a_busy_recording_are_not_asked_for(room: Room) -> None:
    room.own(3)
    room.refresh()
    room.busy.add("rec_01kantf3wq5m2c7j8e9g0h1k3p")
    garble(room, nothing)
    assert asked(room) == ["scheduleEvent.list"]


# Whether a list counts


@pytest.mark.parametrize("spoil", [shorter, fewer, nothing])
def test_a_list_that_stays_odd_is_believed_after_several_looks(room: Room, spoil: object) -> None:
    room.book(20)
    before = room.refresh()
    garble(room, spoil)  # type: ignore[arg-type]
    assert believed_at(room) == LOOKS + 1
    assert room.shown() == before
    assert room.row().failure is None
    assert believed_at(room) == 1


def test_several_looks_in_no_time_are_not_enough(room: Room) -> None:
    room.book(20)
    room.refresh()
    as_of = room.row().as_of
    room.now += timedelta(minutes=1)
    garble(room, shorter)
    for _ in range(2 * LOOKS):
        room.refresh()
    assert room.row().as_of == as_of


def much_shorter(page: Json) -> None:
    shorter(page)
    shorter(page)


def test_a_list_that_gets_odder_is_doubted_anew(room: Room) -> None:
    room.book(20)
    room.refresh()
    garble(room, shorter)
    assert believed_at(room) == LOOKS + 1
    garble(room, much_shorter)
    assert believed_at(room) == LOOKS + 1
    garble(room, dict)
    assert believed_at(room) == 1
    garble(room, shorter)
    assert believed_at(room) == LOOKS + 1


def test_the_next_look_at_an_odd_list_comes_within_seconds_and_then_ever_later(room: Room) -> None:
    room.book(20)
    room.refresh()
    garble(room, shorter)
    pauses = []
    for _ in range(8):
        room.refresh()
        pauses.append(round(next_look(room)))
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_room_that_was_never_read_is_asked_for_less_and_less(room: Room) -> None:
    room.fault("error", code="SOMETHING_ELSE")
    pauses = []
    for _ in range(7):
        room.refresh()
        pauses.append(round(next_look(room)))
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    room.heal()
    room.refresh()
    assert room.row().as_of == room.now
    assert next_look(room) == pytest.approx(EVERY, abs=5)


def test_a_room_that_was_never_read_and_whose_list_is_short_is_known_after_several_looks(room: Room) -> None:
    room.book(3)
    garble(room, shorter)
    assert believed_at(room) == LOOKS + 1
    assert len(room.shown()) == 3


def test_what_lectern_has_just_linked_does_not_keep_a_new_room_unknown(room: Room) -> None:
    room.own(3)
    garble(room, nothing)
    assert len(room.refresh()) == 3
    assert room.row().as_of == room.now


# Kaltura's bad days


def test_a_series_deleted_while_the_search_engine_was_down_is_gone(room: Room) -> None:
    room.book(6, summary="stays")
    gone = room.book(3, summary="gone", startDate=MONDAY + 2 * HOUR, endDate=MONDAY + 3 * HOUR)
    assert len(room.refresh()) == 9
    down(room, engine=True)
    delete(room, gone)
    down(room, engine=False)
    room.book(summary="new", startDate=MONDAY + 5 * HOUR, endDate=MONDAY + 6 * HOUR)
    titles = [each["title"] for each in room.refresh()]
    assert sorted(titles) == ["new", *["stays"] * 6]
    assert believed_at(room) == LOOKS
    assert believed_at(room) == 1


def test_what_was_booked_while_the_search_engine_was_down_is_there_as_soon_as_the_list_is_odd(room: Room) -> None:
    gone = room.book(3, summary="gone")
    room.refresh()
    down(room, engine=True)
    delete(room, gone)
    single = {"summary": "single", "startDate": MONDAY + 2 * HOUR, "endDate": MONDAY + 3 * HOUR}
    series = {"summary": "series", "startDate": MONDAY + 4 * HOUR, "endDate": MONDAY + 5 * HOUR}
    for values in (single, series | weekly(2)):
        unanswered(room, **values)
    down(room, engine=False)
    shown = room.refresh()
    assert sorted(each["title"] for each in shown) == ["series", "series", "single"]
    assert room.refresh() == shown
    assert believed_at(room) == LOOKS - 1
    assert room.shown() == shown


def unanswered(room: Room, **values: object) -> None:
    """Booked on the room, though adding it answers an error; a series with all that it has."""
    before = {one["id"] for one in room.sandbox.state()["events"]}
    room.kaltura.add_event(**values)
    made = min(one["id"] for one in room.sandbox.state()["events"] if one["id"] not in before)
    room.kaltura.link(made, RESOURCE_ID)


def test_sessions_that_were_cancelled_while_the_search_engine_was_down_are_gone(room: Room) -> None:
    first, *_ = room.kaltura.children(room.book(3))
    room.refresh()
    down(room, engine=True)
    room.cancel(first)
    down(room, engine=False)
    assert starts(room.refresh()) == [at(7), at(14)]


def test_a_room_of_lectern_s_own_series_that_was_linked_by_halves_shows_all_of_it(room: Room) -> None:
    room.sandbox.set_faults({"modes": {"half_link": {"indexed": 1}}})
    room.own(3)
    room.heal()
    assert len(room.refresh()) == 3
    assert (room.row().as_of, room.drift()) == (room.now, [])


def test_totals_that_lag_take_nothing_away_and_keep_nothing(room: Room) -> None:
    room.book(3, summary="stays")
    gone = room.book(2, summary="gone", startDate=MONDAY + 2 * HOUR, endDate=MONDAY + 3 * HOUR)
    room.refresh()
    room.sandbox.set_faults({"modes": {"totals_lag": 1000}})
    delete(room, gone)
    as_of = room.row().as_of
    room.now += timedelta(minutes=1)
    assert [each["title"] for each in room.refresh()] == ["stays"] * 3
    assert room.row().as_of == as_of
    assert "shorter" in str(room.row().failure)
    room.heal()
    room.refresh()
    assert (room.row().as_of, room.row().failure) == (room.now, None)
