"""Single sessions: moved, cancelled, restored, and what becomes of that when the recording changes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.resources.models import Occurrence
from tests.recordings.changing.scene import COUNT, PAST, TODAY, Scene, begun, to_come
from tests.service import Lectern, found, pointers, problem, utc

NEW_YORK = ZoneInfo("America/New_York")


def events_of(scene: Scene) -> list[tuple[str, int]]:
    return [(event["kind"], event["occurrences"]) for event in scene.service.get(scene.path)["kaltura"]["events"]]


# Moved


@pytest.mark.parametrize(
    ("day", "hours", "minutes"),
    [(20, 3, None), (20, 0, 90), (20, 0, 15), (21, 5, 30), (60, 0, None)],
    ids=["later that day", "longer", "shorter", "the next day", "beyond the rule"],
)
def test_a_session_is_moved_and_keeps_its_id(scene: Scene, day: int, hours: int, minutes: int | None) -> None:
    wanted = {"start": scene.local(day, hours=hours), "duration_minutes": minutes}
    moved = found(scene.move(20, **wanted))
    start = scene.start(day, hours=hours)
    assert (utc(moved["start"]), utc(moved["end"])) == (start, start + timedelta(minutes=minutes or 60))
    assert (moved["id"], moved["status"]) == (scene.occurrence(20)["id"], "scheduled")
    assert events_of(scene) == [("series", COUNT), ("series", 1)]
    assert scene.service.get(scene.path)["recurrence"] == scene.recording["recurrence"]
    assert scene.service.writes() == ["scheduleEvent.add", "scheduleEventResource.add", "scheduleEvent.cancel"]
    scene.holds()


def test_a_time_with_an_offset_is_that_instant(scene: Scene) -> None:
    wanted = scene.start(20, hours=4)
    moved = found(scene.move(20, start=wanted.astimezone(NEW_YORK).isoformat()))
    assert utc(moved["start"]) == wanted
    scene.holds()


def test_a_move_of_a_session_that_was_moved_leaves_nothing_of_the_first(scene: Scene) -> None:
    for hours in (3, 4, 5):
        found(scene.move(20, start=scene.local(20, hours=hours)))
        assert events_of(scene) == [("series", COUNT), ("series", 1)]
        scene.holds()


def test_a_move_back_to_its_own_time(scene: Scene) -> None:
    found(scene.move(20, start=scene.local(21, hours=5)))
    back = found(scene.move(20, start=scene.local(20)))
    assert utc(back["start"]) == scene.start(20)
    scene.holds()


@pytest.mark.parametrize("wanted", [{}, {"duration_minutes": 60}, {"start": "as it is"}])
def test_a_move_to_where_it_is_changes_nothing(scene: Scene, wanted: dict[str, Any]) -> None:
    said = {**wanted, "start": scene.local(20)} if "start" in wanted else wanted
    assert found(scene.move(20, **said)) == scene.occurrence(20)
    assert scene.asked() == []


def test_the_only_session_of_a_recording_is_moved(service: Lectern) -> None:
    scene = to_come(service, recurrence=None)
    found(scene.move(0, start=scene.local(0, minutes=30)))
    assert events_of(scene) == [("series", 1)]
    scene.holds()


def test_what_is_over_or_runs_is_not_moved_nor_anything_into_the_past(service: Lectern) -> None:
    scene = begun(service, ahead=timedelta(minutes=-10))
    for number in (0, TODAY):
        problem(scene.move(number, start=scene.local(40)), 409, "occurrence_over")
    problem(scene.cancel(0), 409, "occurrence_over")
    problem(scene.move(0, title="Late"), 409, "occurrence_over")
    assert "over: it ended at" in problem(scene.move(0, duration_minutes=50), 409, "occurrence_over")["detail"]
    moved = scene.move(TODAY, start=scene.local(TODAY, hours=2), duration_minutes=90)
    assert "running: it began at" in problem(moved, 409, "occurrence_over")["detail"]
    problem(scene.move(20, start=scene.local(3)), 409, "occurrence_over")
    assert service.writes() == []
    scene.holds()


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"start": 5}, "/start"),
        ({"start": "2027-02-30T09:00:00"}, "/start"),
        ({"duration_minutes": 0}, "/duration_minutes"),
        ({"duration_minutes": 1441}, "/duration_minutes"),
        ({"status": "cancelled"}, "/status"),
    ],
)
def test_a_bad_move_is_refused(scene: Scene, wanted: dict[str, Any], pointer: str) -> None:
    assert pointers(problem(scene.move(20, **wanted), 422, "invalid_document")) == [pointer]


# Cancelled and restored


def test_a_session_is_cancelled_and_restored_under_its_id(scene: Scene) -> None:
    assert found(scene.cancel(20))["status"] == "cancelled"
    assert scene.service.writes() == ["scheduleEvent.cancel"]
    scene.holds()
    restored = found(scene.restore(20))
    assert (restored["id"], restored["status"]) == (scene.occurrence(20)["id"], "scheduled")
    assert utc(restored["start"]) == scene.start(20)
    scene.holds()
    assert found(scene.cancel(20))["status"] == "cancelled"
    assert events_of(scene) == [("series", COUNT)]
    scene.holds()


def test_cancelling_and_restoring_twice_is_harmless(scene: Scene) -> None:
    first = found(scene.cancel(20))
    scene.service.calls()
    assert found(scene.cancel(20)) == first
    assert scene.asked() == []
    first = found(scene.restore(20))
    scene.service.calls()
    assert found(scene.restore(20)) == first
    assert scene.asked() == []
    scene.holds()


def test_a_holiday_is_restored_and_survives_other_changes(service: Lectern) -> None:
    scene = begun(service, holidays=[20, 22])
    assert found(scene.restore(20))["status"] == "scheduled"
    scene.changed(title="New")
    assert (scene.status(20), scene.status(22)) == ("scheduled", "excluded")
    scene.changed(start=scene.local(hours=2), resource=scene.other)
    assert scene.start(20, hours=2) in scene.starts()
    scene.holds()


def test_the_last_of_all_sessions_is_cancelled_and_restored(service: Lectern) -> None:
    scene = to_come(service, recurrence=None)
    found(scene.cancel(0))
    assert scene.sessions() == []
    assert scene.service.get(scene.path)["status"] == "scheduled"
    found(scene.restore(0))
    scene.holds()


def test_a_moved_session_is_cancelled_and_restored_where_it_was(scene: Scene) -> None:
    found(scene.move(20, start=scene.local(20, hours=5)))
    found(scene.cancel(20))
    scene.changed(title="New")
    assert utc(found(scene.restore(20))["start"]) == scene.start(20, hours=5)
    scene.holds()


# And then the recording changes


def test_a_moved_session_stays_when_the_series_is_retimed(scene: Scene) -> None:
    found(scene.move(20, start=scene.local(21, hours=5), duration_minutes=30))
    scene.changed(start=scene.local(hours=2))
    expected = [scene.start(number, hours=2) for number in range(PAST, COUNT) if number != 20]
    assert scene.starts() == sorted([*expected, scene.start(21, hours=5)])
    scene.holds()


def test_a_moved_session_comes_along_to_another_room(scene: Scene) -> None:
    found(scene.move(20, start=scene.local(21, hours=5)))
    scene.changed(resource=scene.other)
    assert scene.start(21, hours=5) in [one.start for one in scene.active(scene.other)]
    scene.holds()


def test_a_cancelled_session_stays_cancelled_when_the_series_is_retimed_again_and_again(scene: Scene) -> None:
    found(scene.cancel(20))
    for hours in (2, 4, 0):
        scene.changed(start=scene.local(hours=hours))
        assert scene.status(20) == "cancelled"
        assert len(scene.starts()) == COUNT - PAST - 1
        scene.holds()


def test_a_cancelled_session_is_restored_at_the_new_time(scene: Scene) -> None:
    found(scene.cancel(20))
    scene.changed(start=scene.local(hours=2))
    assert utc(found(scene.restore(20))["start"]) == scene.start(20, hours=2)
    scene.holds()


def test_a_session_moved_off_a_holiday_is_held_when_the_document_learns_of_the_holiday(scene: Scene) -> None:
    """17 March is moved to the 18th by hand; then the timetable excludes the 17th, and later does not any more."""
    found(scene.move(20, start=scene.local(21, hours=5)))
    for holidays in ([scene.day(20)], [], [scene.day(20), scene.day(22)]):
        scene.changed(exclude=holidays)
        assert scene.start(21, hours=5) in scene.starts()
        assert (scene.status(20), scene.start(20) in scene.starts()) == ("scheduled", False)
        scene.holds()


@pytest.mark.parametrize("act", ["moved", "cancelled", "restored"])
def test_a_decision_outlives_a_timetable_that_leaves_its_date_out(scene: Scene, act: str) -> None:
    """Then another room, and the date comes back at another time."""
    if act == "moved":
        found(scene.move(COUNT - 2, start=scene.local(20, hours=5)))
    else:
        found(scene.cancel(COUNT - 2))
    if act == "restored":
        found(scene.restore(COUNT - 2))
    status = "cancelled" if act == "cancelled" else "scheduled"
    shorter = {"frequency": "daily", "count": COUNT - 5}
    for change in (
        {"recurrence": shorter},
        {"resource": scene.other, "recurrence": shorter},
        {"recurrence": {**shorter, "count": COUNT}, "start": scene.local(hours=2)},
    ):
        scene.changed(**change)
        assert scene.status(COUNT - 2) == status
        scene.holds()
    where = {"moved": [scene.start(20, hours=5)], "cancelled": [], "restored": [scene.start(COUNT - 2, hours=2)]}
    usual = [scene.start(number, hours=2) for number in range(PAST, COUNT) if number != COUNT - 2]
    assert scene.starts() == sorted([*usual, *where[act]])


def test_a_session_that_was_cancelled_and_restored_is_held_on_a_holiday_that_comes_later(scene: Scene) -> None:
    found(scene.cancel(20))
    found(scene.restore(20))
    scene.changed(exclude=[scene.day(20), scene.day(22)])
    assert (scene.status(20), scene.status(22)) == ("scheduled", "excluded")
    found(scene.cancel(20))
    scene.changed(exclude=[])
    assert (scene.status(20), scene.status(22)) == ("cancelled", "scheduled")
    scene.holds()


def test_a_session_moved_ahead_survives_its_own_date(service: Lectern) -> None:
    """Today's session was put off to next week; then today passes, and the title changes."""
    scene = begun(service, ahead=timedelta(minutes=2))
    found(scene.move(TODAY, start=scene.local(23, hours=2)))
    with service.app.state.database.write() as session:  # as if that had been long ago
        row = session.get_one(Occurrence, scene.uids[TODAY]["id"])
        row.slot = date.fromisoformat(scene.day(-1))
        session.add(row)
    wanted = {"start": scene.local(-1), "recurrence": {"count": COUNT + 1}, "title": "New"}
    scene.changed(**wanted)
    assert scene.start(23, hours=2) in scene.starts()
    scene.holds()


def test_nobody_s_session_and_another_recording_s_are_not_found(scene: Scene) -> None:
    other = begun(scene.service)
    stranger = other.uids[20]["id"]
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/restore")):
        for uid in (stranger, "occ_none", "%00"):
            answer = scene.service.client.request(method, f"{scene.path}/occurrences/{uid}{path}", json={})
            problem(answer, 404, "not_found")


# Where clocks change


@pytest.mark.parametrize("change", ["room", "time", "length"])
def test_sessions_at_clock_changes_follow_like_all_others(service: Lectern, change: str) -> None:
    """01:30 in New York: single events where the clocks repeat that hour, which Kaltura checks against each other."""
    scene = to_come(service)
    daily = {
        "start": "2027-11-05T01:30:00",
        "time_zone": NEW_YORK.key,
        "recurrence": {"frequency": "daily", "count": 4},
        "duration_minutes": 25,
    }
    made = service.made({"title": "t", "resource": scene.other, **daily})
    assert [event["kind"] for event in made["kaltura"]["events"]] == ["series", "single", "series"]
    mine = Scene(service, scene.number, scene.began, recording=made)
    mine.look()
    wanted = {"room": {"resource": scene.room, "on_conflict": "allow"}, "time": {"start": "2027-11-05T01:20:00"}}
    mine.changed(**wanted.get(change, {"duration_minutes": 20}))
    minute = 20 if change == "time" else 30
    assert mine.starts() == [
        *(datetime(2027, 11, day, 5, minute, tzinfo=UTC) for day in (5, 6, 7)),
        datetime(2027, 11, 8, 6, minute, tzinfo=UTC),
    ]
    assert [one["id"] for one in mine.scheduled()] == [one["id"] for one in mine.uids]


def test_a_session_moved_to_where_the_clocks_repeat_is_at_the_first_instant(service: Lectern) -> None:
    scene = to_come(service)
    made = service.made(
        {
            "title": "t",
            "resource": scene.other,
            "start": "2027-11-05T09:00:00",
            "time_zone": NEW_YORK.key,
            "recurrence": {"frequency": "daily", "count": 4},
            "duration_minutes": 20,
        }
    )
    mine = Scene(service, scene.number, scene.began, recording=made)
    mine.look()
    assert found(mine.move(2, start="2027-11-07T01:10:00"))["start"] == "2027-11-07T05:10:00Z"
    assert found(mine.move(2, start="2027-11-07T01:20:00"))["start"] == "2027-11-07T05:20:00Z"
    found(mine.cancel(2))
    assert found(mine.restore(2))["start"] == "2027-11-07T05:20:00Z"
    assert [one.start for one in mine.active(mine.other)] == mine.starts()
