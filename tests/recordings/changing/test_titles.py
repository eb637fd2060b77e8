"""A session's own title: shown wherever the session is, and kept whatever happens to the series."""

from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from app.resources.models import Mirror
from tests.recordings.changing.scene import Scene, begun, to_come
from tests.service import Json, Lectern, eventually, found, pointers, problem

DAY, GUEST = 20, "Guest: Dr. Vera Rubin"


@pytest.fixture
def named(service: Lectern) -> Scene:
    """A recording of which one session has a title."""
    scene = begun(service, holidays=[25])
    assert found(scene.move(DAY, title=GUEST))["title"] == GUEST
    return scene


def in_kaltura(scene: Scene) -> dict[int, str]:
    """What each session that is recorded from now on is called there, by its event."""
    events = dict[int, str]()
    for one in scene.active(scene.recording["resource"]["system_name"]):
        event: Json = scene.service.kaltura("schedule_scheduleEvent", "get", scheduleEventId=one.event_id)
        events[one.event_id] = event["summary"]
    return events


def titles(scene: Scene) -> set[tuple[str, str]]:
    """The title of every session ahead, in occurrences and in Kaltura, as `(day's id, title)`; they must agree."""
    shown = {one["event_id"]: (one["id"], one["title"]) for one in scene.scheduled()}
    there = in_kaltura(scene)
    assert {event_id: title for event_id, (_, title) in shown.items()} == there
    return set(shown.values())


def called(scene: Scene, *numbers: int, title: str = GUEST) -> bool:
    """Whether these sessions, and no others, have the title."""
    return {one for one, name in titles(scene) if name == title} == {scene.uids[number]["id"] for number in numbers}


def test_it_is_an_update_of_that_event_alone(service: Lectern) -> None:
    scene = begun(service)
    service.calls()
    found(scene.move(DAY, title=GUEST))
    assert service.writes() == ["scheduleEvent.update"]
    assert called(scene, DAY)
    assert service.get(scene.path)["title"] == "Linear Algebra"
    found(scene.move(DAY, title=GUEST))
    assert service.writes() == []
    scene.holds()


def test_the_feed_and_calendars_show_it(named: Scene) -> None:
    service = named.service

    def fed() -> bool:
        service.app.state.feed.versions.expire()
        found = service.client.get(f"/resources/{named.room}/upcoming", params={"limit": 100})
        return found.status_code == 200 and GUEST in {one["title"] for one in found.json()["occurrences"]}

    eventually(fed)
    for path in (f"/resources/{named.room}/upcoming.ics", f"{named.path}/calendar.ics"):
        assert service.client.get(path).text.count(f"SUMMARY:{GUEST}") == 1
    link = service.client.post(f"{named.path}/calendar-link").json()["url"]
    assert service.client.get(link).text.count(f"SUMMARY:{GUEST}") == 1


def test_null_takes_it_back(named: Scene) -> None:
    assert found(named.move(DAY, title=None))["title"] == "Linear Algebra"
    assert called(named)
    named.changed(title="New")
    assert called(named, *[number for number in range(16, 30) if number != 25], title="New")
    assert found(named.move(DAY, duration_minutes=None))["title"] == "New"


@pytest.mark.parametrize(
    "change",
    [
        {"title": "New"},
        {"start": 2},
        {"resource": "other"},
        {"exclude": None},
        {"duration_minutes": 90},
        {"recurrence": {"count": 24}},
        {"resource": "other", "title": "New", "start": 2},
    ],
)
def test_it_survives_what_happens_to_the_series(named: Scene, change: dict[str, Any]) -> None:
    said: dict[str, Any] = dict(change)
    if "start" in said:
        said["start"] = named.local(hours=said["start"])
    if "resource" in said:
        said["resource"] = named.other
    named.changed(**said)
    assert called(named, DAY)
    named.holds()


def test_it_survives_what_is_done_to_the_session(named: Scene) -> None:
    found(named.move(DAY, start=named.local(DAY, hours=5)))
    assert called(named, DAY)
    found(named.cancel(DAY))
    assert called(named)
    found(named.move(DAY, title="Another"))
    assert named.status(DAY) == "cancelled"
    found(named.restore(DAY))
    assert called(named, DAY, title="Another")
    named.changed(exclude=[named.day(DAY)], title="New")
    named.holds()


def test_what_is_excluded_for_a_while_has_it_again(named: Scene) -> None:
    named.changed(exclude=[named.day(DAY)])
    assert called(named)
    named.changed(exclude=None)
    assert called(named, DAY)
    named.holds()


def test_together_with_a_move(service: Lectern) -> None:
    scene = begun(service)
    shown = found(scene.move(DAY, title=GUEST, start=scene.local(DAY, hours=5), resource=scene.other))
    assert (shown["title"], shown["start"]) == (GUEST, f"{scene.start(DAY, hours=5):%Y-%m-%dT%H:%M:%SZ}")
    (one,) = scene.active(scene.other)
    event = service.kaltura("schedule_scheduleEvent", "get", scheduleEventId=one.event_id)
    assert event["summary"] == GUEST
    scene.changed(title="New")
    event = service.kaltura("schedule_scheduleEvent", "get", scheduleEventId=one.event_id)
    assert event["summary"] == GUEST
    scene.holds()


def test_a_single_event_keeps_it_too(service: Lectern) -> None:
    scene = to_come(service, recurrence=None)
    assert found(scene.move(0, title=GUEST))["title"] == GUEST
    scene.changed(title="New")
    assert called(scene, 0)
    found(scene.move(0, title=None))
    assert called(scene, 0, title="New")


def test_what_kaltura_refuses_leaves_it_as_it_was(service: Lectern) -> None:
    scene = begun(service)
    service.fault("error", "schedule_scheduleEvent", "update", code="UNSAFE_HTML_TAGS")
    problem(scene.move(DAY, title="<b>Guest</b>"), 422, "refused_by_kaltura")
    service.heal()
    assert called(scene)
    service.fault("error", "schedule_scheduleEventResource", "add", code="INVALID_PARAMETER_CHAR")
    problem(scene.move(DAY, title=GUEST, start=scene.local(DAY, hours=3)), 422, "refused_by_kaltura")
    service.heal()
    assert called(scene)
    scene.holds()


def seen_twice(scene: Scene) -> list[str]:
    """The drift of a recording, after two looks at its resource."""
    state, resource_id = scene.service.app.state, scene.recording["resource"]["id"]
    for _ in range(2):
        with state.database.write() as session:
            due = {"asked_at": None, "due_at": 0.0, "claimed_at": 0.0, "lease_until": 0.0}
            session.execute(update(Mirror).where(col(Mirror.resource_id) == resource_id).values(due))
        while claim := state.mirror.claim():
            state.mirror.refresh(state.kaltura, claim)
    return [one["kind"] for one in scene.service.get(scene.path)["drift"]]


def test_it_is_no_drift_and_resume_gives_it_to_what_was_made_anew(named: Scene) -> None:

    assert seen_twice(named) == []
    event_id = next(one["event_id"] for one in named.occurrences() if one["id"] == named.uids[DAY]["id"])
    named.service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=event_id)
    assert eventually(lambda: seen_twice(named) == ["missing"])
    found(named.service.client.post(f"{named.path}/resume"))
    assert called(named, DAY)
    named.holds()


@pytest.mark.parametrize(
    ("title", "rule"),
    [("x" * 257, "256 bytes"), ("two\nlines", ""), (5, ""), (["a"], "")],
    ids=lambda one: str(one)[:9],
)
def test_a_title_is_one_line_of_text(service: Lectern, title: Any, rule: str) -> None:
    scene = begun(service)
    shown = problem(scene.move(DAY, title=title), 422, "invalid_document")
    assert pointers(shown) == ["/title"]
    assert rule in shown["errors"][0]["detail"]
