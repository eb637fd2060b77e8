"""A session that runs is stopped or extended: in the feed at once, in Kaltura by an update of that event alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from app.database.types import utc_now
from tests.recordings.changing.scene import TODAY, Scene, begun
from tests.recordings.changing.test_conflicts import book, record
from tests.recordings.changing.test_titles import seen_twice
from tests.service import Lectern, eventually, found, problem, utc

MINUTES = timedelta(minutes=1)
AGO = timedelta(minutes=-10)


@pytest.fixture
def ongoing(service: Lectern) -> Scene:
    """A recording of which a session has run for ten minutes, and is to run for fifty more."""
    return begun(service, ahead=AGO)


def ends(scene: Scene) -> datetime:
    """When today's session ends in Kaltura, and in SQL, which must agree, under one id."""
    uid = scene.uids[TODAY]["id"]
    (row,) = (one for one in scene.occurrences() if one["id"] == uid)
    (there,) = (one for one in scene.sessions() if one.start == scene.start(TODAY) and one.status == "active")
    assert (there.event_id, there.end) == (row["event_id"], utc(row["end"]))
    return there.end


def fed(scene: Scene) -> list[str]:
    """What the feed says is recorded now: when it ends."""
    found: list[str] = []

    def look() -> bool:
        scene.service.app.state.feed.versions.expire()
        answer = scene.service.client.get(f"/resources/{scene.room}/upcoming")
        if answer.status_code != 200:
            return False
        found[:] = [one["end"] for one in answer.json()["occurrences"] if one["status"] == "recording_now"]
        return True

    eventually(look)
    return found


def after(scene: Scene, minutes: float) -> datetime:
    return scene.start(TODAY, minutes=minutes)


def shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize("minutes", [40, 90])
def test_its_end_moves_by_an_update_of_that_event_alone(ongoing: Scene, minutes: int) -> None:
    before = [one for one in ongoing.sessions() if one.start != ongoing.start(TODAY)]
    ongoing.service.calls()
    answer = found(ongoing.move(TODAY, duration_minutes=minutes))
    assert (answer["end"], answer["status"]) == (shown(after(ongoing, minutes)), "scheduled")
    assert ongoing.service.writes() == ["scheduleEvent.update"]
    assert ends(ongoing) == after(ongoing, minutes)
    assert fed(ongoing) == [shown(after(ongoing, minutes))]
    assert [one for one in ongoing.sessions() if one.start != ongoing.start(TODAY)] == before
    found(ongoing.move(TODAY, duration_minutes=minutes))
    assert ongoing.service.writes() == []


@pytest.mark.parametrize(
    "act", [lambda scene: scene.cancel(TODAY), lambda scene: scene.move(TODAY, duration_minutes=5)]
)
def test_it_is_stopped_now(ongoing: Scene, act: Callable[[Scene], Any]) -> None:
    before = utc_now().replace(microsecond=0)
    assert found(act(ongoing))["status"] == "past"
    assert before <= ends(ongoing) <= utc_now()
    assert fed(ongoing) == []
    assert found(ongoing.cancel(TODAY))["status"] == "past"  # harmless to repeat
    problem(ongoing.move(TODAY, duration_minutes=90), 409, "occurrence_over")
    assert len(ongoing.scheduled()) == 13


@pytest.mark.parametrize("away", [True, False])
def test_the_feed_shows_it_at_once_whatever_kaltura_says(ongoing: Scene, away: bool) -> None:
    assert fed(ongoing) == [shown(after(ongoing, 60))]
    if away:
        ongoing.service.fault("http_500")
    headers = {"Prefer": "respond-async"}
    path = f"{ongoing.path}/occurrences/{ongoing.uids[TODAY]['id']}"
    found(ongoing.service.client.patch(path, json={"duration_minutes": 90}, headers=headers), 202)
    assert fed(ongoing) == [shown(after(ongoing, 90))]
    ongoing.service.heal()
    ongoing.until_settled()
    assert ends(ongoing) == after(ongoing, 90)


@pytest.mark.parametrize("whose", [record, book])
def test_it_is_not_extended_over_somebody_else_s_session(ongoing: Scene, whose: Callable[..., Any]) -> None:
    whose(ongoing, after(ongoing, 70), ongoing.room)
    pairs = problem(ongoing.move(TODAY, duration_minutes=90), 409, "schedule_conflict")["conflicts"]
    assert [pair["booked"]["start"] for pair in pairs] == [shown(after(ongoing, 70))]
    assert ends(ongoing) == after(ongoing, 60)
    assert fed(ongoing) == [shown(after(ongoing, 60))]
    found(ongoing.move(TODAY, duration_minutes=70))
    problem(ongoing.move(TODAY, duration_minutes=90), 409, "schedule_conflict")
    assert ends(ongoing) == after(ongoing, 70)
    assert found(ongoing.move(TODAY, duration_minutes=60))["end"] == shown(after(ongoing, 60))


def test_nor_into_a_blackout_nor_into_its_own_next_session(ongoing: Scene) -> None:
    start = int(after(ongoing, 80).timestamp())
    blackout = {"objectType": "KalturaBlackoutScheduleEvent", "recurrenceType": 0, "summary": "Closed"}
    made = ongoing.service.kaltura(
        "schedule_scheduleEvent", "add", scheduleEvent={**blackout, "startDate": start, "endDate": start + 600}
    )
    problem(ongoing.move(TODAY, duration_minutes=90), 409, "schedule_conflict")
    ongoing.service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=made["id"])
    found(ongoing.move(20, start=ongoing.local(TODAY, minutes=80)))
    problem(ongoing.move(TODAY, duration_minutes=90), 409, "schedule_conflict")
    found(ongoing.move(TODAY, duration_minutes=80))
    assert ends(ongoing) == after(ongoing, 80)


def test_with_allow_it_is(service: Lectern) -> None:
    scene = begun(service, ahead=AGO, on_conflict="allow")
    record(scene, scene.start(TODAY, minutes=70), scene.room)
    found(scene.move(TODAY, duration_minutes=90))
    assert ends(scene) == after(scene, 90)


@pytest.mark.parametrize(
    "change", [{"title": "New"}, {"start": 3}, {"resource": "other"}, {"recurrence": {"count": 24}}, {"exclude": [22]}]
)
@pytest.mark.parametrize("minutes", [40, 90])
def test_it_survives_later_changes_of_the_series(ongoing: Scene, change: dict[str, Any], minutes: int) -> None:
    found(ongoing.move(TODAY, duration_minutes=minutes, title="Guest"))
    said: dict[str, Any] = dict(change)
    if "start" in said:
        said["start"] = ongoing.local(hours=said["start"])
    if "resource" in said:
        said["resource"] = ongoing.other
    if "exclude" in said:
        said["exclude"] = [ongoing.day(22)]
    ongoing.changed(**said)
    assert ends(ongoing) == after(ongoing, minutes)
    event_id = next(one["event_id"] for one in ongoing.occurrences() if one["id"] == ongoing.uids[TODAY]["id"])
    event = ongoing.service.kaltura("schedule_scheduleEvent", "get", scheduleEventId=event_id)
    assert event["summary"] == "Guest"
    found(ongoing.service.client.delete(ongoing.path))
    assert ends(ongoing) == after(ongoing, minutes)


def test_a_refused_change_of_the_series_sets_it_again_as_well(ongoing: Scene) -> None:
    found(ongoing.move(TODAY, duration_minutes=90))
    ongoing.service.fault("error", "schedule_scheduleEventResource", "add", code="INVALID_PARAMETER_CHAR")
    problem(ongoing.patch(title="New", resource=ongoing.other), 422, "refused_by_kaltura")
    ongoing.service.heal()
    assert ends(ongoing) == after(ongoing, 90)


def test_what_kaltura_refuses_ends_as_before(ongoing: Scene) -> None:
    found(ongoing.move(TODAY, duration_minutes=70))
    ongoing.service.fault("error", "schedule_scheduleEvent", "update", code="INVALID_PARAMETER_CHAR")
    problem(ongoing.move(TODAY, duration_minutes=90), 422, "refused_by_kaltura")
    ongoing.service.heal()
    assert ends(ongoing) == after(ongoing, 70)
    ongoing.changed(title="New")
    assert ends(ongoing) == after(ongoing, 70)


def test_it_is_no_drift_and_resume_sets_it_again(ongoing: Scene) -> None:
    found(ongoing.move(TODAY, duration_minutes=90))

    assert seen_twice(ongoing) == []
    (series,) = (one for one in ongoing.recording["kaltura"]["events"] if one["kind"] == "series")
    ongoing.service.kaltura.update(series["id"], summary="Somebody's")
    assert eventually(lambda: seen_twice(ongoing) == ["moved"])
    found(ongoing.service.client.post(f"{ongoing.path}/resume"))
    assert ends(ongoing) == after(ongoing, 90)


def test_stopped_and_then_all_of_it_cancelled_while_kaltura_is_away_it_is_stopped(ongoing: Scene) -> None:
    ongoing.service.fault("http_500")
    headers = {"Prefer": "respond-async"}
    path = f"{ongoing.path}/occurrences/{ongoing.uids[TODAY]['id']}"
    found(ongoing.service.client.patch(path, json={"duration_minutes": 40}, headers=headers), 202)
    found(ongoing.service.client.delete(ongoing.path, headers=headers), 202)
    ongoing.service.heal()
    ongoing.until_settled()
    assert ongoing.service.get(ongoing.path)["status"] == "cancelled"
    assert ends(ongoing) == after(ongoing, 40)
