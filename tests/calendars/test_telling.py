"""What is told of a calendar when nothing more comes of it by itself."""

import pytest

from app.calendars.fan_out import FanOut
from tests.calendars.campus import NAME, day, say, section
from tests.service import Json, Lectern, eventually, found

pytestmark = pytest.mark.both_databases


def told(service: Lectern, count: int) -> list[Json]:
    """The notices of calendars, once there are so many."""

    def look() -> list[Json]:
        return [one for one in service.get("/notices")["items"] if one["type"] == "calendar.applied"]

    assert eventually(lambda: len(look()) >= count)
    return look()


def test_each_change_of_a_calendar_is_told_once_after_the_recordings_that_it_changed(service: Lectern) -> None:
    say(service, title="Campus")
    told(service, 1)
    recording = service.made(section("ROOM-1"))
    service.made(section("ROOM-2", "TU"))
    shown = say(service, day(2), title="Campus")
    told(service, 2)
    say(service, day(2), title="Another title")
    service.app.state.calendars.fan_out.run()
    first, second = told(service, 2)
    assert [one["data"]["recordings"] for one in (first, second)] == [0, 2]
    assert second["client"] == "local"
    counts = {"recordings": 2, "done": 2, "failed": 0}
    assert second["data"] == {"calendar": NAME, "title": "Campus", "version": shown["version"], **counts}
    order = [(one["type"], one["data"].get("recording_id")) for one in service.get("/notices")["items"]]
    changed = order.index(("recording.changed", recording["id"]))
    assert changed < order.index(("calendar.applied", None), order.index(("calendar.applied", None)) + 1)


def test_what_is_tried_again_is_told_again(service: Lectern) -> None:
    say(service, day(2))
    service.made(section("ROOM-1"))
    taken = section("ROOM-1", reference_id="taken", calendars=[], start=f"{day(2)}T09:00:00")
    del taken["recurrence"]
    other = service.made(taken)
    say(service)
    told(service, 2)
    found(service.client.delete(f"/recordings/{other['id']}"))
    say(service)
    told(service, 3)
    say(service)  # nothing had failed
    service.app.state.calendars.fan_out.thread.wake()
    assert [(one["data"]["done"], one["data"]["failed"]) for one in told(service, 3)[1:]] == [(1, 0), (1, 0)]


def test_nothing_is_told_while_one_is_still_to_be_changed(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    say(service)
    told(service, 1)
    service.made(section("ROOM-1"))
    with monkeypatch.context() as nobody_works:
        nobody_works.setattr(FanOut, "run", lambda _self: 0)
        say(service, day(2), status=202, wait=2)
        assert len(told(service, 1)) == 1
    assert len(told(service, 2)) == 2
