"""Changes of a series that has begun: what lies ahead follows, what is past stays as it was recorded."""

from datetime import timedelta
from typing import Any

import pytest

from tests.recordings.changing.scene import COUNT, HOUR, PAST, TODAY, Scene, begun, to_come
from tests.service import Lectern, utc

AHEAD = range(PAST, COUNT)


def test_a_retime_in_week_three_with_two_holidays_and_one_cancellation(service: Lectern) -> None:
    scene = begun(service, holidays=[18, 22])
    assert scene.cancel(25).status_code == 200
    scene.look()
    scene.changed(start=scene.local(hours=2))
    kept = [number for number in AHEAD if number not in (18, 22, 25)]
    assert scene.starts() == [scene.start(number, hours=2) for number in kept]
    assert [one["id"] for one in scene.scheduled()] == [scene.uids[number]["id"] for number in kept]
    assert [scene.status(number) for number in (18, 22, 25)] == ["excluded", "excluded", "cancelled"]
    assert {one.status for one in scene.sessions() if one.start not in scene.starts()} == {"active", "cancelled"}
    ended, made = scene.recording["kaltura"]["events"]
    assert (ended["occurrences"], made["occurrences"]) == (PAST, len(AHEAD))
    scene.holds()


RETIMES = {
    "later": lambda scene: {"start": scene.local(hours=2)},
    "earlier": lambda scene: {"start": scene.local(hours=-1)},
    "overlapping itself": lambda scene: {"start": scene.local(minutes=30)},
    "longer": lambda _: {"duration_minutes": 75},
    "shorter": lambda _: {"duration_minutes": 30},
    "room": lambda scene: {"resource": scene.other},
    "a new room": lambda _: {"resource": {"system_name": "BRAND-NEW"}},
    "room and time": lambda scene: {"resource": scene.other, "start": scene.local(hours=2)},
    "another zone": lambda _: {"time_zone": "Asia/Dubai"},
}


@pytest.mark.parametrize("retime", RETIMES.values(), ids=RETIMES)
def test_what_lies_ahead_follows_and_keeps_its_ids(scene: Scene, retime: Any) -> None:
    scene.changed(**retime(scene))
    assert [one["id"] for one in scene.scheduled()] == [scene.uids[number]["id"] for number in AHEAD]
    assert scene.recording["occurrence_count"] == COUNT
    scene.holds()


def test_a_change_there_and_back_again(scene: Scene) -> None:
    scene.changed(start=scene.local(hours=2))
    scene.changed(start=scene.local())
    assert scene.starts() == [scene.start(number) for number in AHEAD]
    assert [event["occurrences"] for event in scene.recording["kaltura"]["events"]] == [PAST, len(AHEAD)]
    scene.holds()


def test_a_change_of_room_leaves_past_sessions_in_the_old_one(scene: Scene) -> None:
    old = scene.recording["kaltura"]["events"][0]["id"]
    scene.changed(resource=scene.other)
    assert {one.rooms for one in scene.past()} == {(scene.room,)}
    assert {one.rooms for one in scene.sessions() if one not in scene.past()} == {(scene.other,)}
    assert old in {link["eventId"] for link in scene.service.sandbox.state()["event_resources"]}
    assert scene.recording["resource"]["system_name"] == scene.other
    assert [one["status"] for one in scene.occurrences()[:PAST]] == ["past"] * PAST
    scene.holds()


def test_what_runs_now_stays_in_its_room_and_is_shown_there(service: Lectern) -> None:
    scene = begun(service, ahead=timedelta(minutes=-10))
    scene.changed(resource=scene.other, start=scene.local(hours=2))
    here = service.get(f"/resources/{scene.room}/upcoming")["occurrences"]
    assert [(one["uid"], one["status"]) for one in here] == [(scene.uids[TODAY]["id"], "recording_now")]
    assert scene.past() == scene.before
    assert [one.start for one in scene.active(scene.other)] == [scene.start(number, hours=2) for number in AHEAD[1:]]


def test_a_recording_that_has_not_begun_is_made_anew_and_its_old_series_is_gone(service: Lectern) -> None:
    scene = to_come(service)
    (old,) = scene.recording["kaltura"]["events"]
    scene.changed(start=scene.local(hours=2), resource=scene.other)
    (new,) = scene.recording["kaltura"]["events"]
    assert (new["id"] != old["id"], new["occurrences"]) == (True, COUNT)
    scene.holds()


def test_a_recording_that_is_over_has_nothing_to_retime(service: Lectern) -> None:
    scene = begun(service, ahead=timedelta(days=-COUNT))
    service.calls()
    scene.changed(start=scene.local(hours=2))
    assert service.writes() == []
    scene.holds()


# Length


def test_an_extension_keeps_the_series_and_adds_one(scene: Scene) -> None:
    old = scene.recording["kaltura"]["events"][0]
    scene.changed(recurrence={"count": COUNT + 10})
    assert scene.recording["kaltura"]["events"][0] == old
    assert [event["occurrences"] for event in scene.recording["kaltura"]["events"]] == [COUNT, 10]
    assert scene.starts() == [scene.start(number) for number in range(PAST, COUNT + 10)]
    scene.holds()


def test_a_shortening_ends_the_series_in_one_call_and_keeps_the_rest_of_it(scene: Scene) -> None:
    ids = [one["event_id"] for one in scene.scheduled()]
    scene.changed(recurrence={"count": 20})
    assert scene.service.writes() == ["scheduleEvent.update"]
    assert [one["event_id"] for one in scene.scheduled()] == ids[:4]
    assert [event["occurrences"] for event in scene.recording["kaltura"]["events"]] == [20]
    assert len(scene.occurrences()) == scene.recording["occurrence_count"] == 20
    scene.holds()


def test_what_was_dropped_comes_back_when_the_document_has_it_again(scene: Scene) -> None:
    assert scene.cancel(18).status_code == 200
    scene.changed(recurrence={"count": 20})
    scene.changed(recurrence={"count": COUNT})
    assert scene.starts() == [scene.start(number) for number in AHEAD if number != 18]
    scene.holds()


def test_a_series_that_becomes_a_single_session_keeps_that_one(scene: Scene) -> None:
    scene.changed(start=scene.local(20), recurrence=None)
    assert [one["id"] for one in scene.scheduled()] == [scene.uids[20]["id"]]
    scene.holds()


def test_a_single_session_becomes_a_series(service: Lectern) -> None:
    scene = to_come(service, recurrence=None)
    scene.changed(recurrence={"frequency": "daily", "count": 5})
    assert scene.scheduled()[0]["id"] == scene.uids[0]["id"]
    assert scene.starts() == [scene.start(number) for number in range(5)]
    scene.holds()


@pytest.mark.parametrize("retime", RETIMES.values(), ids=RETIMES)
def test_a_single_session_is_replaced_in_its_template_s_own_slot(service: Lectern, retime: Any) -> None:
    """Two single events of a template may not overlap (SCHEDULE_TIME_IN_USE), not even for a moment."""
    scene = to_come(service, recurrence=None)
    scene.changed(**retime(scene))
    assert scene.scheduled()[0]["id"] == scene.uids[0]["id"]
    scene.holds()


# Exclusions


def test_an_exclusion_that_is_added_cancels_that_session_alone(scene: Scene) -> None:
    ids = [one["event_id"] for one in scene.scheduled()]
    scene.changed(exclude=[scene.day(18)])
    assert scene.service.writes() == ["scheduleEvent.cancel"]
    assert [one["event_id"] for one in scene.scheduled()] == [*ids[:2], *ids[3:]]
    assert (scene.status(18), scene.recording["occurrence_count"]) == ("excluded", COUNT - 1)
    scene.holds()


def test_an_exclusion_that_is_removed_brings_the_session_back_under_its_id(service: Lectern) -> None:
    scene = begun(service, holidays=[18, 19, 20, 25])
    scene.changed(exclude=[])
    assert scene.starts() == [scene.start(number) for number in AHEAD]
    assert [scene.uids[number]["id"] for number in AHEAD] == [one["id"] for one in scene.scheduled()]
    assert [event["occurrences"] for event in scene.recording["kaltura"]["events"]] == [COUNT, 3, 1]
    scene.holds()


def test_an_exclusion_of_what_is_past_changes_nothing(scene: Scene) -> None:
    scene.changed(exclude=[scene.day(3)])
    assert scene.service.writes() == []
    assert scene.status(3) == "past"
    scene.holds()


def test_exclusions_are_added_and_removed_again_and_again(scene: Scene) -> None:
    for days in ([18, 19], [19, 20], [20], [], [18]):
        scene.changed(exclude=[scene.day(number) for number in days])
        assert scene.starts() == [scene.start(number) for number in AHEAD if number not in days]
        scene.holds()


# The clock


def test_a_session_of_today_whose_new_time_is_over_is_recorded_all_the_same(scene: Scene) -> None:
    scene.changed(start=scene.local(hours=-4))
    assert scene.starts() == [scene.start(TODAY), *(scene.start(number, hours=-4) for number in AHEAD[1:])]
    scene.holds()


def test_a_later_start_date_leaves_the_past_as_it_was(scene: Scene) -> None:
    scene.changed(start=scene.local(20), recurrence={"count": 10})
    assert scene.starts() == [scene.start(number) for number in range(20, COUNT)]
    assert [one["status"] for one in scene.occurrences()[:PAST]] == ["past"] * PAST
    scene.holds()


def test_what_begins_while_kaltura_is_away_stays_as_it_was(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """A retime is asked for right before a session, and Kaltura answers again after it has begun."""
    scene = begun(service, ahead=timedelta(minutes=2))
    soon = scene.start(TODAY)
    monkeypatch.setattr("app.recordings.changing.retire.utc_now", lambda: soon + timedelta(seconds=30))
    scene.changed(start=scene.local(hours=2), resource=scene.other)
    today = next(one for one in scene.sessions() if one.start == soon)
    assert (today.status, today.rooms, today.end - today.start) == ("active", (scene.room,), HOUR)
    assert utc(scene.occurrences()[TODAY]["start"]) == soon
    assert [one.start for one in scene.active(scene.other)] == [scene.start(number, hours=2) for number in AHEAD[1:]]
    assert scene.past() == scene.before
