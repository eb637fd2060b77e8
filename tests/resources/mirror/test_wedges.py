"""No list wedges a room's mirror: what it has twice, what cannot be read, and a mistake of ours each pass by."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col
from structlog.testing import capture_logs

from app.database.database import Database
from app.resources.mirror import compare
from app.resources.mirror.freshness import freshness
from app.resources.models import Booking
from app.sandbox.seed.seed import RESOURCE_ID
from tests.resources.mirror.test_trouble import garble
from tests.resources.mirrored import DAY, Json, Room, room_of
from tests.sandbox.kaltura import MONDAY

pytestmark = pytest.mark.both_databases


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        found.mirror.ask([RESOURCE_ID])
        yield found


def twice(page: Json) -> None:
    """The first event once more, with other words."""
    page["objects"].append({**page["objects"][0], "summary": "other words"})
    page["totalCount"] += 1


def bookings(room: Room) -> list[str]:
    with room.database.read() as session:
        return sorted(session.execute(select(col(Booking.id)).where(col(Booking.source) == "kaltura")).scalars())


def titles(shown: list[Json]) -> list[str]:
    return sorted(each["title"] for each in shown)


def test_a_list_that_has_an_event_twice_with_different_words_wedges_nothing(room: Room) -> None:
    room.book(summary="one")
    room.book(summary="two", startDate=MONDAY + DAY, endDate=MONDAY + DAY + 3600)
    garble(room, twice)
    for _ in range(3):
        assert titles(room.refresh()) == ["other words", "two"]
        assert len(bookings(room)) == 2
    garble(room, lambda _page: None)
    assert titles(room.refresh()) == ["one", "two"]
    assert (room.row().as_of, room.row().failure, len(bookings(room))) == (room.now, None, 2)


def test_a_booking_that_was_left_behind_is_in_nobody_s_way(room: Room) -> None:
    """As an older version left it: nothing refers to it, and it is wanted again."""
    room.book(summary="one")
    room.refresh()
    (left,) = bookings(room)
    with room.database.write() as session:
        row = session.get_one(Booking, left)
        kept = row.model_dump()
    room.kaltura.update(_only(room), summary="otherwise")
    assert titles(room.refresh()) == ["otherwise"]
    with room.database.write() as session:
        session.add(Booking(**kept))
    room.kaltura.update(_only(room), summary="one")
    assert titles(room.refresh()) == ["one"]
    assert (bookings(room), room.row().failure) == ([left], None)


def _only(room: Room) -> int:
    (event,) = room.sandbox.state()["events"]
    found: int = event["id"]
    return found


def test_a_mistake_of_ours_is_told_keeps_the_old_state_and_clears_what_is_unused(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.book(2, summary="one")
    before = room.refresh()
    with room.database.write() as session:
        words: Json = {"source": "kaltura", "title": "left", "time_zone": "UTC"}
        session.add(Booking(id=f"kal_{RESOURCE_ID}_9_left", **words))
        session.add(Booking(id=f"kal_{RESOURCE_ID}0_9_another_room_s", **words))

    def mistaken(*_given: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(compare, "follow", mistaken)
    with capture_logs() as logs:
        assert room.refresh() == before
    assert [line["event"] for line in logs] == ["mirror_mistake", "mirror_not_refreshed"]
    assert len(bookings(room)) == 2
    assert "a mistake of ours (ZeroDivisionError)" in str(room.row().failure)
    assert told(room) == {RESOURCE_ID: room.row().failure}
    monkeypatch.undo()
    assert room.refresh() == before
    assert (room.row().failure, told(room)) == (None, {})


def told(room: Room) -> dict[int, str | None]:
    """What is told of rooms in trouble."""
    with room.database.read() as session:
        found = freshness(session, room.now, 5.0)
    assert found.troubled == len(found.troubles)
    return dict(found.troubles)


# What cannot be read


def unreadable(number: int, **odd: Any) -> Any:
    """A spoiler: one event, by its place in the list, has a value that no event has."""

    def spoil(page: Json) -> None:
        if len(page["objects"]) > number:
            page["objects"][number].update(odd or {"startDate": -1})

    return spoil


def test_an_event_that_cannot_be_read_freezes_nothing_and_stays_as_it_was(room: Room) -> None:
    room.book(3, summary="one")
    room.own(3)
    before = room.refresh()
    room.now = room.now.replace(minute=1)
    garble(room, unreadable(0))
    new = {"startDate": MONDAY + 2 * DAY, "endDate": MONDAY + 2 * DAY + 3600}
    room.book(summary="new", **new)
    with capture_logs() as logs:
        shown = room.refresh()
    assert [each for each in shown if each["title"] != "new"] == before
    assert len(shown) == len(before) + 1
    assert (room.row().as_of, room.row().failure, room.drift()) == (room.now, None, [])
    assert [line["event"] for line in logs] == ["mirror_unreadable"]
    why = "1 event(s) of it cannot be read: startDate is not as expected (value_error)"
    assert told(room) == {RESOURCE_ID: why}
    garble(room, lambda _page: None)
    assert room.refresh() == shown
    assert told(room) == {}


@pytest.mark.parametrize("odd", [{"id": "not even this"}, {"id": None}], ids=str)
def test_nor_does_one_of_which_not_even_the_id_can_be_read(room: Room, odd: Json) -> None:
    room.book(3, summary="one")
    before = room.refresh()

    def spoil(page: Json) -> None:
        page["objects"][0].update(odd)

    garble(room, spoil, everywhere=True)
    for _ in range(2):
        assert room.refresh() == before
    assert (room.row().as_of, room.row().failure) == (room.now, None)
    assert RESOURCE_ID in told(room)


def test_what_is_really_gone_goes_beside_one_that_cannot_be_read(room: Room) -> None:
    room.book(3, summary="one")
    gone = room.book(summary="gone", startDate=MONDAY + 2 * DAY, endDate=MONDAY + 2 * DAY + 3600)
    room.refresh()
    garble(room, unreadable(0))
    room.cancel(gone)
    assert titles(room.refresh()) == ["one"] * 3
