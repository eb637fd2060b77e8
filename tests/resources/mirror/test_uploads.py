"""Was it recorded? What encoders upload is found for its session, and what nobody has uploaded is known."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from app.database.database import Database
from app.kaltura.errors import Refused
from app.kaltura.types import Entry
from app.resources.mirror.uploads import Begun, not_recorded, since
from app.resources.models import Booking, Occurrence, Round, Upload
from app.resources.rounds import UPLOADS
from app.sandbox.seed.seed import RESOURCE_ID
from tests.resources.mirrored import OWN, START, Json, Room, room_of

pytestmark = pytest.mark.both_databases
HOUR = timedelta(hours=1)


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        yield found


def with_sessions(room: Room, count: int = 3, apart: timedelta = timedelta(days=7)) -> str:
    """Sessions of an hour, of one template entry; its id. `occ_0` is the first."""
    words = {"name": "Own", "tags": "optics", "description": "About light"}
    made: Json = room.kaltura("media", "add", entry={"objectType": "KalturaMediaEntry", "mediaType": 1, **words})
    room.own(count)
    with room.database.write() as session:
        session.get_one(Booking, OWN).template_entry_id = made["id"]
        for number in range(count):
            row = session.get_one(Occurrence, f"occ_{number}")
            row.start, row.end = START + number * apart, START + number * apart + HOUR
    template: str = made["id"]
    return template


def upload(room: Room, made: datetime, **how: Any) -> str:
    entry: str = room.sandbox.upload({"created_at": made.isoformat(), **how})["id"]
    return entry


def look(room: Room, after: timedelta) -> list[str]:
    """A round, so long after the first session's start: what it asks Kaltura."""
    room.now = START + after
    room.client.ping()
    before = len(room.sandbox.requests())
    room.round(UPLOADS)
    with room.database.write() as session:
        session.execute(update(Round).values(as_of=room.now.timestamp()))
    return [f"{one['service'].removeprefix('schedule_')}.{one['action']}" for one in room.sandbox.requests()[before:]]


def recorded(room: Room) -> dict[str, tuple[str, bool, int | None]]:
    with room.database.read() as session:
        rows = session.execute(select(Upload)).scalars()
        return {row.occurrence_id: (row.entry_id, row.arrived, row.duration_seconds) for row in rows}


def missing(room: Room) -> list[str]:
    with room.database.read() as session:
        return [row.id for row in not_recorded(session, room.now)]


def test_an_entry_that_names_the_template_is_the_recording(room: Room) -> None:
    template = with_sessions(room)
    assert look(room, -HOUR) == []
    assert look(room, HOUR / 2) == []  # it runs
    entry = upload(room, START + HOUR, template_entry_id=template, duration_seconds=3590)
    assert look(room, HOUR * 1.1) == ["media.list"]
    assert recorded(room) == {"occ_0": (entry, True, 3590)}
    assert look(room, HOUR * 1.2) == []  # nothing is left to ask


def test_each_session_finds_its_own(room: Room) -> None:
    template = with_sessions(room)
    entries = []
    for number in range(3):
        week = timedelta(days=7 * number)
        entries.append(upload(room, START + week + HOUR, template_entry_id=template))
        look(room, week + 2 * HOUR)
    assert {one: entry for one, (entry, _, _) in recorded(room).items()} == {
        f"occ_{number}": entry for number, entry in enumerate(entries)
    }


def test_an_entry_that_the_event_names_is_the_recording_but_none_that_was_there_before(room: Room) -> None:
    """`entryIds` also has what the document relates to."""
    with_sessions(room)
    related = upload(room, START - timedelta(days=30), template_entry_id="")
    with room.database.read() as session:
        event = session.get_one(Occurrence, "occ_0").event_id
    assert event
    room.kaltura.update(event, entryIds=related)
    assert look(room, 1.5 * HOUR) == ["media.list", "scheduleEvent.list", "media.list"]
    assert recorded(room) == {}
    entry = upload(room, START + HOUR, event_id=event)
    room.sandbox.set_faults({"modes": {"index_lag": 1}})  # the event says it, whatever the search engine knows
    look(room, 1.6 * HOUR)
    assert recorded(room)["occ_0"][0] == entry


def test_two_that_were_uploaded_late_find_both_their_sessions(room: Room) -> None:
    template = with_sessions(room, 2, timedelta(hours=4))
    first = upload(room, START + 9 * HOUR, template_entry_id=template)
    second = upload(room, START + 9.1 * HOUR, template_entry_id=template)
    look(room, 10 * HOUR)
    assert {one: entry for one, (entry, _, _) in recorded(room).items()} == {"occ_0": first, "occ_1": second}


def test_a_second_part_is_not_taken_for_last_week_s_recording(room: Room) -> None:
    template = with_sessions(room, 2, timedelta(days=2))
    part = upload(room, START + timedelta(days=2) + HOUR / 2, template_entry_id=template)
    upload(room, START + timedelta(days=2) + HOUR, template_entry_id=template)
    look(room, timedelta(days=2, hours=2))
    assert list(recorded(room)) == ["occ_1"]
    assert part != recorded(room)["occ_1"][0]


def test_what_is_only_announced_is_looked_at_until_it_is_there(room: Room) -> None:
    template = with_sessions(room)
    entry = upload(room, START + HOUR, template_entry_id=template, uploading=True)
    look(room, 1.5 * HOUR)
    assert recorded(room) == {"occ_0": (entry, False, None)}
    room.sandbox.upload({"entry_id": entry, "duration_seconds": 3601.4})
    assert look(room, 2 * HOUR) == ["media.list"]
    assert recorded(room) == {"occ_0": (entry, True, 3601)}


def test_an_upload_belongs_to_no_other_template_and_to_no_cancelled_session(room: Room) -> None:
    template = with_sessions(room)
    upload(room, START + HOUR, template_entry_id="0_somebodyelses")
    look(room, 2 * HOUR)
    with room.database.write() as session:
        session.execute(update(Occurrence).values(status="cancelled"))
    upload(room, START + HOUR, template_entry_id=template)
    assert look(room, 2 * HOUR) == []
    assert recorded(room) == {}


def test_what_is_shown_to_encoders_does_not_change(room: Room) -> None:
    template = with_sessions(room)
    before = room.row().version
    upload(room, START + HOUR, template_entry_id=template)
    look(room, 2 * HOUR)
    assert recorded(room)
    assert room.row().version == before


def test_a_session_that_goes_takes_its_upload_along(room: Room) -> None:
    template = with_sessions(room)
    upload(room, START + HOUR, template_entry_id=template)
    look(room, 2 * HOUR)
    with room.database.write() as session:
        session.execute(delete(Occurrence))
    assert recorded(room) == {}


def test_one_list_for_all_is_all_that_a_round_costs(room: Room) -> None:
    template = with_sessions(room, 3, timedelta(hours=2))
    for number in range(3):
        upload(room, START + (2 * number + 1) * HOUR, template_entry_id=template)
    assert look(room, 6 * HOUR) == ["media.list"]
    assert len(recorded(room)) == 3


def test_more_entries_than_a_list_shows_are_no_end(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    template = with_sessions(room)
    listed = room.client.list_entries_since

    def most(moment: datetime) -> list[Entry]:
        if moment < room.now - 1.1 * HOUR:
            raise Refused("QUERY_EXCEEDED_MAX_MATCHES_ALLOWED", "more than 10000 objects")
        return listed(moment)

    monkeypatch.setattr(room.client, "list_entries_since", most)
    entry = upload(room, START + HOUR, template_entry_id=template)
    look(room, 1.5 * HOUR)
    assert recorded(room)["occ_0"][0] == entry


def test_what_has_no_recording_an_hour_after_its_end_is_missing_where_one_was_ever_seen(room: Room) -> None:
    template = with_sessions(room)
    look(room, 5 * HOUR)
    assert missing(room) == []  # nobody uploads from there
    upload(room, START + 5 * HOUR, template_entry_id=template)
    look(room, 6 * HOUR)
    assert missing(room) == []
    week = timedelta(days=7)
    look(room, week + 1.9 * HOUR)
    assert missing(room) == []
    look(room, week + 2 * HOUR)
    assert missing(room) == ["occ_1"]
    upload(room, START + week + 2 * HOUR, template_entry_id=template, uploading=True)
    look(room, week + 3 * HOUR)
    assert missing(room) == ["occ_1"]  # announced is not recorded
    room.sandbox.upload({"entry_id": recorded(room)["occ_1"][0]})
    look(room, week + 4 * HOUR)
    assert missing(room) == []
    room.now = START + 2 * week + 3 * HOUR  # Kaltura was not asked since
    assert missing(room) == []
    look(room, 2 * week + timedelta(days=4))
    assert missing(room) == []  # too old to look for


def test_what_was_seen_before_is_not_asked_for_again() -> None:
    now = START + timedelta(days=1)
    over = Begun("a", RESOURCE_ID, now - 3 * HOUR, now - HOUR / 2, None, "0_a")
    last = now - HOUR / 30
    assert since([], last, now) == last - HOUR - timedelta(minutes=10)
    assert since([over], last, now) == over.start - timedelta(minutes=10)  # its entry was made while it ran, perhaps
    assert since([], None, now) == now - timedelta(days=3, minutes=10)
    assert since([], datetime(2020, 1, 1, tzinfo=UTC), now) == now - timedelta(days=4)
