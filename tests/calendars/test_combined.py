"""Everything that a document can say at once, and everything that is decided by hand, while its calendars change."""

from datetime import timedelta
from typing import Any

import pytest

from tests.calendars.campus import say
from tests.recordings.changing.scene import COUNT, TODAY, Scene, begun, document
from tests.recordings.changing.test_conflicts import record
from tests.service import Json, Lectern, found, utc

pytestmark = pytest.mark.both_databases

MADE_UP, INCLUDED, AT_ITS_TIME, EXCLUDED, TAKEN = COUNT + 5, COUNT + 2, 18, 19, 20
NAMED, CANCELLED, MOVED, RESTORED = 22, 23, 24, 25


def whole(scene: Scene, **changes: Any) -> Json:
    """A document with a bit of everything."""
    said = {
        "resource": scene.other,
        "on_conflict": "skip",
        "exclude": [scene.day(EXCLUDED)],
        "include": [scene.day(INCLUDED), {"date": scene.day(AT_ITS_TIME), "start": "20:00", "duration_minutes": 30}],
        "calendars": ["campus", "faculty"],
    }
    return document(scene, **{**said, **changes})


def put(scene: Scene, **changes: Any) -> int:
    answer = scene.service.client.put(f"/recordings/by-reference/{scene.reference}", json=whole(scene, **changes))
    assert answer.status_code < 300, answer.text
    return int(answer.status_code)


def unchanged(scene: Scene, **changes: Any) -> None:
    """The same document once more is nothing to be done, and Kaltura is not asked for anything."""
    past = scene.past()
    assert [one._replace(event_id=0) for one in past] == [one._replace(event_id=0) for one in scene.before]
    scene.before = past  # a session that was stopped may be there under another id, as it was
    scene.holds()
    scene.service.calls()
    if not any((one["reason"] or "").startswith("in the way") for one in scene.occurrences()):
        assert put(scene, **changes) == 204
    assert scene.asked() == []


def days_not_held(scene: Scene) -> dict[int, str]:
    """What is not to be recorded, by its number, and as what it is shown."""
    return {number: status for number in range(TODAY, COUNT) if (status := scene.status(number)) != "scheduled"}


@pytest.fixture
def scene(service: Lectern) -> Scene:
    """One whose session of today was stopped ten minutes after its begin, and of which four others are decided."""
    say(service)
    say(service, name="faculty")
    there = begun(service, ahead=-timedelta(minutes=10))
    other = record(there, there.start(TAKEN, minutes=30), there.other)
    assert put(there) == 200
    found(there.cancel(TODAY))
    found(there.move(NAMED, title="Guest"))
    found(there.cancel(CANCELLED))
    found(there.move(MOVED, start=there.local(MOVED, hours=2)))
    found(there.cancel(RESTORED))
    found(there.restore(RESTORED))
    found(service.client.delete(f"/recordings/{other}"))
    there.before = there.past()
    return there


def test_what_calendars_close_and_open_again_leaves_all_else_as_it_is(scene: Scene) -> None:
    service = scene.service
    usual = {TODAY: "past", EXCLUDED: "excluded", TAKEN: "excluded", CANCELLED: "cancelled"}
    assert days_not_held(scene) == usual
    assert put(scene) == 200  # its place is free now
    del usual[TAKEN]
    assert days_not_held(scene) == usual
    unchanged(scene)
    closed = {"name": "Break", "from": scene.day(AT_ITS_TIME), "to": scene.day(INCLUDED)}
    assert say(service, closed)["done"] == 1
    kept = {AT_ITS_TIME, MOVED, RESTORED}
    over = {number for number in range(TODAY + 1, COUNT) if number >= AT_ITS_TIME and number not in kept}
    assert days_not_held(scene) == {**dict.fromkeys(over, "excluded"), CANCELLED: "cancelled", TODAY: "past"}
    unchanged(scene)
    say(service, closed, name="faculty")
    unchanged(scene)
    say(service)
    assert days_not_held(scene).keys() == {TODAY, CANCELLED, *over}, "the other calendar closes them as well"
    found(scene.restore(CANCELLED))
    found(scene.cancel(RESTORED))
    scene.changed(title="Another title")
    unchanged(scene, title="Another title")
    say(service, name="faculty")
    assert days_not_held(scene) == {TODAY: "past", EXCLUDED: "excluded", RESTORED: "cancelled"}
    unchanged(scene, title="Another title")
    (named,) = (one for one in scene.occurrences() if one["title"] == "Guest")
    assert named["id"] == scene.uids[NAMED]["id"]
    (moved,) = (one for one in scene.occurrences() if one["id"] == scene.uids[MOVED]["id"])
    assert utc(moved["start"]) == scene.start(MOVED, hours=2)
    assert put(scene, calendars=[], include=[], exclude=[]) == 200
    unchanged(scene, calendars=[], include=[], exclude=[])
    scene.deleted()
    assert scene.scheduled() == []


def test_a_calendar_that_closes_everything_ahead_can_be_followed_and_taken_back(scene: Scene) -> None:
    service = scene.service
    put(scene, include=[])
    before = days_not_held(scene)
    say(service, {"from": scene.day(TODAY), "to": scene.day(COUNT)})
    assert set(days_not_held(scene)) == set(range(TODAY, COUNT)) - {MOVED, RESTORED}
    unchanged(scene, include=[])
    found(scene.cancel(MOVED))
    found(scene.cancel(RESTORED))
    assert scene.scheduled() == []
    unchanged(scene, include=[])
    found(scene.restore(NAMED))
    unchanged(scene, include=[])
    say(service)
    assert days_not_held(scene) == {**before, MOVED: "cancelled", RESTORED: "cancelled"}
    unchanged(scene, include=[])
