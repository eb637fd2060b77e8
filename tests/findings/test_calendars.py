"""Findings about calendars: who could not follow, and who was not reached."""

from datetime import UTC, datetime, timedelta

import pytest

from app.calendars.fan_out import FanOut
from app.database.types import utc_now
from app.findings.recordings import CALENDAR_LATE
from tests.calendars.campus import day, held, say, section
from tests.findings.test_recordings import mend
from tests.findings.world import Told, kinds, later, look
from tests.recordings.changing.test_refusals import CODE
from tests.service import Lectern, found

pytestmark = pytest.mark.both_databases


def test_a_session_whose_room_is_taken_until_it_is_resumed(service: Lectern, told: Told) -> None:
    say(service, day(2))
    recording = service.made(section("ROOM-1"))
    taken = section("ROOM-1", reference_id="taken", title="Exam", calendars=[], start=f"{day(2)}T09:00:00")
    del taken["recurrence"]
    other = service.made(taken)
    assert look(service) == []
    say(service)
    (one,) = look(service)
    assert (one["kind"], one["severity"]) == ("calendar_behind", "soon")
    assert one["subject"]["recording_id"] == recording["id"]
    assert one["subject"]["occurrence_id"] is not None
    assert one["detail"] == (
        f"“Section in ROOM-1” is not recorded on {day(2)} 09:00 (UTC), though its calendar allows it; "
        f"in the way: 'Exam', {day(2)} 09:00 to 09:50."
    )
    found(service.client.delete(f"/recordings/{other['id']}"))
    mend(service, told, one)
    assert held(service, recording) == [day(week) for week in range(8)]


def test_who_says_skip_is_not_told(service: Lectern) -> None:
    say(service, day(2))
    service.made(section("ROOM-1", on_conflict="skip"))
    taken = section("ROOM-1", reference_id="taken", calendars=[], start=f"{day(2)}T09:00:00")
    del taken["recurrence"]
    service.made(taken)
    say(service)
    assert look(service) == []


def test_a_calendar_that_reaches_nobody(service: Lectern, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    say(service)
    service.made(section("ROOM-1"))
    with monkeypatch.context() as nobody_works:
        nobody_works.setattr(FanOut, "run", lambda _self: 0)
        say(service, day(2), status=202, wait=0)
        assert look(service) == []
        later(service, CALENDAR_LATE + timedelta(seconds=1))
        (one,) = (one for one in look(service) if one["kind"] == "calendar_behind")
        assert one["detail"] == "The calendar campus has not come to 1 recording that names it for ten minutes."
    say(service, day(2))
    assert "calendar_behind" not in kinds(look(service))
    assert [each for each in told if each[1] == "calendar_behind"] == [
        ("raised", "calendar_behind"),
        ("cleared", "calendar_behind"),
    ]


def test_what_is_within_the_hour_cannot_wait(service: Lectern, told: Told) -> None:
    """A session of a snow day that could not be dropped; a later failure is told anew, whatever became of this one."""
    say(service, day(5))
    service.made(section("ROOM-1"))
    service.fault("error", "schedule_scheduleEvent", "add", code=CODE)
    for week, severity in ((0, "now"), (1, "soon")):
        first = datetime.fromisoformat(f"{day(0)}T08:30:00").replace(tzinfo=UTC)
        later(service, timedelta())
        assert say(service, day(week), {"date": day(2, 1), "meets_as": "MO"})["failed"] == 1
        later(service, first - utc_now())
        (one,) = (one for one in look(service) if one["kind"] == "calendar_behind")
        assert one["severity"] == severity
    assert [each for each in told if each[1] == "calendar_behind"] == [
        ("raised", "calendar_behind"),
        ("raised", "calendar_behind"),
        ("cleared", "calendar_behind"),
    ]


def test_a_taken_room_is_told_as_what_cannot_wait_within_the_hour(service: Lectern) -> None:
    say(service, day(2))
    service.made(section("ROOM-1"))
    taken = section("ROOM-1", reference_id="taken", calendars=[], start=f"{day(2)}T09:00:00")
    del taken["recurrence"]
    service.made(taken)
    say(service)
    later(service, datetime.fromisoformat(f"{day(2)}T08:30:00").replace(tzinfo=UTC) - utc_now())
    (one,) = (one for one in look(service) if one["kind"] == "calendar_behind")
    assert one["severity"] == "now"
