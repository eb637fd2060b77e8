"""The mirror follows what somebody else books, moves and cancels in Kaltura itself."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from app.database.database import Database
from app.resources.conflicts import find_conflicts, known_bookings
from app.sandbox.seed.seed import RESOURCE_ID
from tests.resources.mirrored import DAY, OTHER_ROOM, OWN, START, Json, Room, at, room_of
from tests.sandbox.kaltura import HOUR, MONDAY

pytestmark = pytest.mark.both_databases


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        yield found


def starts(shown: list[Json]) -> list[str]:
    return [each["start"] for each in shown]


# What is booked


def test_a_single_event_of_somebody_else_is_shown(room: Room) -> None:
    made = room.book(summary="Faculty meeting", description="Bring cake", tags="dean, cake", templateEntryId="1_abc")
    (shown,) = room.refresh()
    assert shown == {
        "uid": f"evt_{RESOURCE_ID}_{made['id']}",
        "status": "upcoming",
        "kind": "recording",
        "title": "Faculty meeting",
        "description": "Bring cake",
        "start": at(),
        "end": at(hour=1),
        "local_start": "2027-01-13T15:00:00+01:00",
        "time_zone": "Europe/Zurich",
        "duration_seconds": 3600,
        "recording_id": None,
        "event_id": made["id"],
        "series_id": None,
        "template_entry_id": "1_abc",
        "tags": ["dean", "cake"],
        "location": None,
        "organizer": None,
        "contact": None,
        "owner": "lectern",
        "source": "kaltura",
    }


def test_of_a_series_its_occurrences_are_shown_with_the_words_they_inherit(room: Room) -> None:
    series = room.book(3, summary="Seminar", templateEntryId="1_abc", tags="t1")
    shown = room.refresh()
    assert starts(shown) == [at(0), at(7), at(14)]
    assert [each["event_id"] for each in shown] == [child["id"] for child in room.kaltura.children(series)]
    assert {(each["series_id"], each["title"], each["template_entry_id"], *each["tags"]) for each in shown} == {
        (series["id"], "Seminar", "1_abc", "t1")
    }


def test_the_zone_is_the_series_own_and_the_service_s_where_it_names_none(room: Room) -> None:
    rule = {"frequency": "weeks", "count": 1}
    for hour, zone in enumerate(("America/New_York", "Nowhere/At_All", None)):
        start = MONDAY + 2 * hour * HOUR
        named = rule | ({"timeZone": zone} if zone else {})
        room.book(recurrenceType=1, recurrence=named, startDate=start, endDate=start + HOUR)
    assert [each["time_zone"] for each in room.refresh()] == ["America/New_York", "Europe/Zurich", "Europe/Zurich"]


def test_live_streams_are_shown_as_such_and_blackouts_are_not(room: Room) -> None:
    room.book(objectType="KalturaLiveStreamScheduleEvent", summary="Graduation")
    room.book(objectType="KalturaBlackoutScheduleEvent", resource_id=None)
    assert [(each["title"], each["kind"]) for each in room.refresh()] == [("Graduation", "live")]


@pytest.mark.parametrize(
    "values",
    [
        {"objectType": "KalturaBlackoutScheduleEvent"},
        {"objectType": "KalturaMeetingScheduleEvent"},
        {"endDate": MONDAY},
        {"objectType": "KalturaLiveStreamScheduleEvent", "endDate": MONDAY},
    ],
    ids=["blackout", "meeting", "no length", "stream without length"],
)
def test_what_is_no_encoder_s_business_is_not_shown_and_keeps_the_room(room: Room, values: Json) -> None:
    room.book(summary="lecture", startDate=MONDAY + 2 * HOUR, endDate=MONDAY + 3 * HOUR)
    made = room.book(summary="not for encoders", **values)
    for _ in range(2):
        assert [each["title"] for each in room.refresh()] == ["lecture"]
    assert room.row().failure is None
    with room.database.read() as session:
        known = known_bookings(session, RESOURCE_ID, START - timedelta(hours=1), START + timedelta(hours=2))
    assert [(one.title, one.event_id, one.source) for one in known] == [("not for encoders", made["id"], "kaltura")]
    assert find_conflicts([(START - timedelta(minutes=5), START + timedelta(minutes=5))], known)


def test_what_becomes_an_encoder_s_business_is_shown(room: Room) -> None:
    made = room.book(endDate=MONDAY)
    assert room.refresh() == []
    room.kaltura.update(made["id"], endDate=MONDAY + HOUR)
    assert starts(room.refresh()) == [at()]
    room.kaltura.update(made["id"], endDate=MONDAY)
    assert room.refresh() == []


def test_what_is_no_encoder_s_business_does_not_fill_a_page(room: Room) -> None:
    for _ in range(3):
        room.book(objectType="KalturaMeetingScheduleEvent")
    room.book(startDate=MONDAY + HOUR, endDate=MONDAY + 2 * HOUR)
    room.refresh()
    assert starts(room.shown(limit=1)) == [at(hour=1)]


def test_an_event_in_two_rooms_is_shown_in_both(room: Room) -> None:
    made = room.book(2)
    room.kaltura.link(made["id"], OTHER_ROOM)
    assert starts(room.refresh()) == starts(room.refresh(OTHER_ROOM)) == [at(0), at(7)]
    room.unlink(made)
    assert room.refresh() == []
    assert starts(room.refresh(OTHER_ROOM)) == [at(0), at(7)]


def test_a_session_in_a_room_of_its_own_is_shown_there_alone(room: Room) -> None:
    first, _ = room.kaltura.children(room.book(2))
    room.kaltura.link(first["id"], OTHER_ROOM)
    assert (starts(room.refresh()), starts(room.refresh(OTHER_ROOM))) == ([at(7)], [at(0)])


def test_what_runs_is_shown_and_what_is_over_is_not(room: Room) -> None:
    room.book(2)
    room.now = START + timedelta(minutes=30)
    assert [each["status"] for each in room.refresh()] == ["recording_now", "upcoming"]
    room.now = START + timedelta(hours=1)
    assert [each["status"] for each in room.shown()] == ["upcoming"]
    room.now = START + timedelta(hours=2)
    assert starts(room.refresh()) == [at(7)]


def test_all_pages_are_read(room: Room) -> None:
    room.book(601, recurrence={"frequency": "days", "count": 601, "timeZone": "UTC"})
    assert starts(room.refresh()) == [at(day) for day in range(601)]


# What changes


def test_a_change_of_words_is_followed(room: Room) -> None:
    series = room.book(2, summary="Seminar")
    before = room.refresh()
    room.kaltura.update(series["id"], summary="Colloquium", description="new", tags="a,b")
    after = room.refresh()
    words = [(each["title"], each["description"], each["tags"]) for each in after]
    assert words == [("Colloquium", "new", ["a", "b"])] * 2
    assert [each["uid"] for each in after] == [each["uid"] for each in before]


def test_one_session_s_own_words_are_its_own(room: Room) -> None:
    series = room.book(3, summary="Seminar")
    room.refresh()
    room.kaltura.update(room.kaltura.children(series)[1]["id"], summary="Guest lecture")
    assert [each["title"] for each in room.refresh()] == ["Seminar", "Guest lecture", "Seminar"]


def test_what_is_cancelled_deleted_or_unlinked_is_gone(room: Room) -> None:
    series, single, elsewhere = room.book(3), room.book(summary="single"), room.book(summary="elsewhere")
    assert len(room.refresh()) == 5
    room.cancel(room.kaltura.children(series)[1])
    room.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=single["id"])
    room.unlink(elsewhere)
    assert starts(room.refresh()) == [at(0), at(14)]
    room.cancel(series)
    assert room.refresh() == []


def test_a_whole_term_that_is_cancelled_is_gone_at_once(room: Room) -> None:
    series = room.book(30)
    assert len(room.refresh()) == 30
    room.cancel(series)
    assert room.refresh() == []
    assert room.row().failure is None


def test_a_whole_term_that_moves_to_another_room_is_gone_at_once(room: Room) -> None:
    series = room.book(30)
    room.refresh()
    room.unlink(series)
    room.kaltura.link(series["id"], OTHER_ROOM)
    assert (len(room.refresh()), len(room.refresh(OTHER_ROOM))) == (0, 30)


# Uids


def test_a_session_that_is_moved_keeps_its_uid(room: Room) -> None:
    series = room.book(3)
    room.refresh()
    before = room.uids()
    moved = room.kaltura.children(series)[1]
    room.kaltura.update(moved["id"], startDate=MONDAY + 8 * DAY, endDate=MONDAY + 8 * DAY + HOUR)
    room.refresh()
    assert room.uids() == {at(0): before[at(0)], at(8): before[at(7)], at(14): before[at(14)]}


def test_a_series_at_another_hour_keeps_the_uids_of_its_days(room: Room) -> None:
    series = room.book(3)
    old = [each["event_id"] for each in room.refresh()]
    before = room.uids()
    room.retime(series, MONDAY + 2 * HOUR)
    new = [each["event_id"] for each in room.refresh()]
    assert not set(old) & set(new)
    assert room.uids() == {at(day, 2): before[at(day)] for day in (0, 7, 14)}


def test_a_moved_session_that_an_update_puts_back_keeps_its_uid(room: Room) -> None:
    series = room.book(3)
    room.refresh()
    before = room.uids()
    moved = room.kaltura.children(series)[1]
    room.kaltura.update(moved["id"], startDate=MONDAY + 9 * DAY, endDate=MONDAY + 9 * DAY + HOUR)
    room.refresh()
    room.kaltura.update(series["id"], summary="Renamed")
    room.refresh()
    assert room.uids() == before


def test_two_sessions_of_a_series_on_one_day_keep_their_order(room: Room) -> None:
    rule = {"frequency": "hours", "interval": 3, "count": 2, "timeZone": "Europe/Zurich"}
    series = room.book(recurrenceType=1, recurrence=rule)
    room.refresh()
    before = room.uids()
    room.retime(series, MONDAY + HOUR)
    room.refresh()
    assert room.uids() == {at(0, 1): before[at(0)], at(0, 4): before[at(0, 3)]}


def test_sessions_on_other_days_are_others(room: Room) -> None:
    series = room.book(2)
    room.refresh()
    before = room.uids()
    room.retime(series, MONDAY + DAY)
    room.refresh()
    assert not set(before.values()) & set(room.uids().values())


def test_everybody_has_a_uid_of_their_own(room: Room) -> None:
    for _ in range(3):
        room.book(2)
    room.book()
    shown = room.refresh()
    assert len({each["uid"] for each in shown}) == len(shown) == 7


# Lectern's own


def test_lectern_s_own_are_there_once_and_keep_their_uids(room: Room) -> None:
    series = room.own(3)
    theirs = room.book(summary="Theirs", startDate=MONDAY + 2 * HOUR, endDate=MONDAY + 3 * HOUR)
    before = room.uids()
    assert set(before.values()) == {"occ_0", "occ_1", "occ_2"}
    shown = room.refresh()
    assert [(each["source"], each["recording_id"]) for each in shown] == [
        ("lectern", OWN),
        ("kaltura", None),
        ("lectern", OWN),
        ("lectern", OWN),
    ]
    room.kaltura.update(theirs["id"], startDate=MONDAY + 5 * HOUR, endDate=MONDAY + 6 * HOUR)
    room.retime(series, MONDAY + HOUR)  # somebody meddles: Lectern's word stands until it is mended
    room.refresh()
    room.refresh()
    uids = room.uids()
    assert {uids[start] for start in before} == {"occ_0", "occ_1", "occ_2"}
    assert len(uids) == 4


def test_lectern_s_own_are_known_by_their_ids_too(room: Room) -> None:
    series = room.own(2)
    room.kaltura.update(series["id"], referenceId="overwritten")
    assert [each["source"] for each in room.refresh()] == ["lectern", "lectern"]


def test_what_has_lectern_s_id_by_now_at_another_time_is_somebody_else_s(room: Room) -> None:
    """After Kaltura was restored, or a sandbox emptied: ids are given anew."""
    series = room.own(2)
    later = {name: series[name] + 7200 for name in ("startDate", "endDate")}
    room.kaltura.update(series["id"], referenceId="other-1", **later)
    assert [each["source"] for each in room.refresh()] == ["lectern", "kaltura"] * 2


def test_a_recording_of_another_lectern_is_somebody_else_s(room: Room) -> None:
    room.book(referenceId="lectern-rec_01kaaaaaaaaaaaaaaaaaaaaaaa-1")
    assert [(each["source"], each["recording_id"]) for each in room.refresh()] == [("kaltura", None)]


def test_a_recording_that_somebody_puts_into_another_room_is_shown_there(room: Room) -> None:
    room.kaltura.link(room.own(2)["id"], OTHER_ROOM)
    assert [each["source"] for each in room.refresh()] == ["lectern", "lectern"]
    assert [each["source"] for each in room.refresh(OTHER_ROOM)] == ["kaltura", "kaltura"]


def test_a_recording_that_a_chain_works_on_is_left_alone(room: Room) -> None:
    room.book(2, referenceId=f"lectern-{OWN}-2")
    room.busy.add(OWN)
    assert room.refresh() == []
    room.busy.clear()
    assert len(room.refresh()) == 2


# Versions


def test_the_version_changes_when_what_is_shown_does_and_not_otherwise(room: Room) -> None:
    series = room.book(2)
    versions = [room.row().version]

    def changed() -> bool:
        room.refresh()
        versions.append(room.row().version)
        return versions[-1] != versions[-2]

    assert changed()
    assert not changed()
    room.book(resource_id=OTHER_ROOM)
    assert not changed()
    room.kaltura.update(series["id"], summary="Renamed")
    assert changed()
    room.cancel(room.kaltura.children(series)[0])
    assert changed()
    room.own(1)
    assert changed()
    assert not changed()


def test_a_refresh_says_when_it_was(room: Room) -> None:
    assert room.row().as_of is None
    room.refresh()
    assert room.row().as_of == room.now
    room.now += timedelta(minutes=1)
    room.refresh()
    assert room.row().as_of == room.now
