"""What is to be recorded no more is gone from what encoders see at once, whether Kaltura is there or not."""

import pytest

from tests.calendars.campus import MONDAY, day, held, say, section
from tests.recordings.changing.test_refusals import CODE
from tests.service import Json, Lectern, eventually, found

pytestmark = pytest.mark.both_databases

ALL = [day(week) for week in range(8)]
ROOM = "ROOM-1"


def seen(service: Lectern) -> list[str]:
    """The dates on which the room's encoder would record."""
    shown = service.get(f"/resources/{ROOM}/upcoming", to=f"{day(9)}T00:00:00Z")["occurrences"]
    return [one["start"][:10] for one in shown]


def sees(service: Lectern, *gone: str) -> None:
    """What is shown is a quarter of a second old, at most."""
    eventually(lambda: seen(service) == [one for one in ALL if one not in gone])


def made(service: Lectern, **more: str) -> tuple[Json, str]:
    say(service)
    recording = service.made(section(ROOM, **more))
    sees(service)
    return recording, f"/recordings/{recording['id']}"


def asked(service: Lectern, path: str, **patch: object) -> None:
    found(service.client.patch(path, json=patch, headers={"Prefer": "respond-async"}), 202)


def test_a_snow_day_while_kaltura_is_away(service: Lectern) -> None:
    recording, path = made(service)
    service.fault("drop_before")
    say(service, day(2), status=202, wait=0)
    sees(service, day(2))
    service.heal()
    found(service.client.post(f"{path}/resume"))
    eventually(lambda: held(service, recording) == [one for one in ALL if one != day(2)])
    sees(service, day(2))
    say(service)
    sees(service)


def test_a_snow_day_that_is_taken_back_while_kaltura_is_away_is_shown_again(service: Lectern) -> None:
    """Its chain waits for Kaltura, and would keep the session from encoders for as long."""
    recording, path = made(service)
    service.fault("drop_before")
    say(service, day(2), status=202, wait=0)
    sees(service, day(2))
    say(service, day(5), status=202, wait=0)
    sees(service)
    service.heal()
    found(service.client.post(f"{path}/resume"))
    eventually(lambda: held(service, recording) == [one for one in ALL if one != day(5)], 20.0)
    sees(service, day(5))


def test_what_a_snow_day_does_not_take_away_stays(service: Lectern) -> None:
    """By hand: one was moved, one put in another room, one restored."""
    say(service, day(5))
    recording = service.made(section(ROOM))
    path = f"/recordings/{recording['id']}/occurrences"
    ids = {one["local_start"][:10]: one["id"] for one in service.get(path)["items"]}
    found(service.client.patch(f"{path}/{ids[day(3)]}", json={"start": f"{day(3)}T14:00:00"}))
    found(service.client.patch(f"{path}/{ids[day(4)]}", json={"resource": {"system_name": "ROOM-2"}}))
    found(service.client.post(f"{path}/{ids[day(5)]}/restore"))
    sees(service, day(4))
    service.fault("drop_before")
    say(service, {"name": "Closed", "from": day(2), "to": day(5)}, status=202, wait=0)
    sees(service, day(2), day(4))


@pytest.mark.parametrize(
    "patch",
    [
        {"exclude": [day(2)]},
        {"recurrence": f"FREQ=WEEKLY;BYDAY=MO;UNTIL={MONDAY.strftime('%Y%m%d')}"},
    ],
)
def test_a_patch_that_takes_sessions_away(service: Lectern, patch: Json) -> None:
    recording, path = made(service)
    service.fault("drop_before")
    asked(service, path, **patch)
    gone = patch.get("exclude", ALL[1:])
    sees(service, *gone)
    service.heal()
    found(service.client.post(f"{path}/resume"))
    eventually(lambda: held(service, recording) == [one for one in ALL if one not in gone])
    sees(service, *gone)


def test_a_patch_that_may_be_refused_in_the_end_takes_nothing_away_before(service: Lectern) -> None:
    """Something may be in the way of the new hour: better a session too many than none."""
    recording, path = made(service)
    service.fault("drop_before")
    asked(service, path, start=f"{day(0)}T10:00:00", exclude=[day(6), day(7)])
    sees(service)
    service.heal()
    found(service.client.post(f"{path}/resume"))
    eventually(lambda: held(service, recording) == ALL[:6])
    sees(service, day(6), day(7))


def test_what_is_refused_is_shown_again(service: Lectern) -> None:
    recording, _ = made(service)
    service.fault("error", "schedule_scheduleEvent", "add", code=CODE)
    assert say(service, day(2), {"date": day(2, 1), "meets_as": "MO"})["failed"] == 1
    sees(service)
    assert held(service, recording) == ALL
