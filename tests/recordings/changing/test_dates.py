"""Dates and inclusions under way: patched, retimed, put into another room, and what is decided by hand for them."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from app.recordings.changing.difference import EXCLUDED, SCHEDULED
from tests.recordings.changing.occurrences import aimed, applied, as_rows, days, schedule, starts
from tests.recordings.changing.scene import COUNT, PAST, Scene, begun
from tests.recordings.documents import SINGLE
from tests.service import Json, Lectern, found, utc

MEETINGS = [16, 17, 18, 20, 22, 24, 26, 27]  # ahead, by the numbers of a scene's days


def irregular(scene: Scene, *more: int, without: int | None = None) -> Json:
    """Every past day, and those ahead that meet."""
    return {"dates": [scene.day(number) for number in sorted({*range(PAST), *MEETINGS, *more} - {without})]}


def rule_gone(scene: Scene, dates: Json) -> Json:
    """A merge patch from a rule to dates."""
    return {**dict.fromkeys(scene.recording["recurrence"]), **dates}


@pytest.fixture
def scene(service: Lectern) -> Scene:
    """A series that meets on dates from now on; what is past was daily."""
    scene = begun(service)
    scene.changed(recurrence=rule_gone(scene, irregular(scene)))
    return scene


def ids(scene: Scene, *numbers: int) -> list[Any]:
    return [scene.uids[number]["id"] for number in numbers]


def scheduled_ids(scene: Scene) -> list[Any]:
    return [one["id"] for one in scene.scheduled()]


def test_a_session_keeps_its_id_on_its_date_whatever_says_it(scene: Scene) -> None:
    assert scheduled_ids(scene) == ids(scene, *MEETINGS)
    scene.holds()
    scene.changed(recurrence={"dates": None, "frequency": "daily", "count": COUNT})
    assert [one for one in scheduled_ids(scene) if one in ids(scene, *MEETINGS)] == ids(scene, *MEETINGS)
    assert len(scene.scheduled()) == COUNT - PAST
    scene.holds()


def test_a_date_more_and_a_date_less(scene: Scene) -> None:
    scene.changed(recurrence=irregular(scene, 29, without=20))
    assert scheduled_ids(scene)[:-1] == ids(scene, *(number for number in MEETINGS if number != 20))
    assert scene.starts()[-1] == scene.start(29)
    scene.holds()


@pytest.mark.parametrize("what", ["later", "room", "both"])
def test_dates_and_inclusions_follow_a_retime_and_a_change_of_room(scene: Scene, what: str) -> None:
    own = {"date": scene.day(25), "start": f"{scene.began + timedelta(hours=1):%H:%M}", "duration_minutes": 30}
    scene.changed(include=[scene.day(19), own])
    before = scheduled_ids(scene)
    changes: Json = {"start": scene.local(hours=2)} if what != "room" else {}
    scene.changed(**changes, **({"resource": scene.other} if what != "later" else {}))
    assert scheduled_ids(scene) == before
    hours = 2 if what != "room" else 0
    usual = [scene.start(number, hours=hours) for number in (*MEETINGS[:3], 19, *MEETINGS[3:6])]
    assert scene.starts() == [
        *usual,
        scene.start(25, hours=1),
        scene.start(26, hours=hours),
        scene.start(27, hours=hours),
    ]
    scene.holds()


def test_what_was_moved_or_cancelled_by_hand_stays_so(scene: Scene) -> None:
    scene.changed(include=[scene.day(19)])
    included = next(one for one in scene.scheduled() if utc(one["start"]) == scene.start(19))
    moved = scene.service.client.patch(
        f"{scene.path}/occurrences/{included['id']}", json={"start": scene.local(19, hours=3)}
    )
    assert moved.status_code == 200
    assert scene.cancel(20).status_code == 200
    scene.changed(start=scene.local(hours=2), include=[])
    assert scene.start(19, hours=3) in scene.starts()
    assert scene.status(20) == "cancelled"
    scene.holds()


def test_an_inclusion_brings_a_holiday_back_with_its_id_and_goes_again(service: Lectern) -> None:
    scene = begun(service, holidays=[18, 22])
    holiday = scene.uids[22]["id"]
    scene.changed(include=[scene.day(22)])
    assert scene.status(22) == "scheduled"
    assert holiday in scheduled_ids(scene)
    scene.holds()
    scene.changed(include=[])
    assert scene.status(22) == "excluded"
    scene.holds()


def test_an_own_time_takes_the_usual_session_s_place_and_id_and_gives_it_back(service: Lectern) -> None:
    scene = begun(service)
    at = f"{scene.began + timedelta(hours=2):%H:%M}"
    scene.changed(include=[{"date": scene.day(20), "start": at}])
    assert scheduled_ids(scene) == ids(scene, *range(PAST, COUNT))
    assert scene.starts()[20 - PAST] == scene.start(20, hours=2)
    scene.holds()
    scene.changed(include=None)
    assert scheduled_ids(scene) == ids(scene, *range(PAST, COUNT))
    assert scene.starts()[20 - PAST] == scene.start(20)
    scene.holds()


TEXTS = {
    "yearly": "FREQ=YEARLY;BYMONTH=2,3;BYDAY=1MO,3WE;COUNT=6",
    "a set": "FREQ=WEEKLY;BYDAY=MO;COUNT=6\nFREQ=MONTHLY;BYDAY=1FR;COUNT=3\nRDATE:20270601\nEXDATE:20270118",
    "week numbers": "FREQ=YEARLY;BYWEEKNO=8,9;BYDAY=MO,TU;COUNT=8",
}
_ROOMS = count(1)
YEARS = {"from": "2027-01-01T00:00:00Z", "to": "2029-12-31T00:00:00Z", "limit": "500"}


def recorded(service: Lectern, document: Json) -> list[tuple[str, str]]:
    """What a new room records of a document that is made."""
    room = f"DATES-{next(_ROOMS)}"
    service.made(document | {"resource": {"system_name": room}})
    feed = service.get(f"/resources/{room}/upcoming", **YEARS)
    return [(one["start"], one["end"]) for one in feed["occurrences"]]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Sydney"])
def test_a_string_and_its_dates_come_back_exactly(service: Lectern, text: str, zone: str) -> None:
    document = SINGLE | {"time_zone": zone, "recurrence": text}
    preview = found(service.client.post("/recordings/preview", json=document))
    sessions = [one for one in preview["occurrences"] if one["status"] == "scheduled"]
    wanted = [(one["start"], one["end"]) for one in sessions]
    assert recorded(service, document) == wanted
    local = [one["local_start"] for one in sessions]
    dates = {"start": local[0][:19], "recurrence": {"dates": [each[:10] for each in reversed(local)]}}
    assert recorded(service, document | dates) == wanted


# The difference alone


def test_one_that_is_added_and_stays_parts_no_series_that_is_made() -> None:
    """The Saturday at ten keeps its event; all others are retimed, in one series."""
    extra = {"include": [{"date": "2027-01-30", "start": "10:00"}]}
    rows = as_rows(schedule(**extra))
    target = aimed(rows, schedule(**extra, start="2027-01-11T10:30:00"))
    assert days(target.left) == ["01-22", "01-25", "01-27", "01-29", "02-01", "02-03", "02-05"]
    assert len(target.made) == 1


def test_what_is_included_no_more_is_dropped_or_excluded_or_usual_again() -> None:
    said = {
        "exclude": ["2027-01-27"],
        "include": ["2027-01-27", "2027-01-30", {"date": "2027-02-01", "start": "12:00"}],
    }
    rows = as_rows(schedule(**said))
    target = aimed(rows, schedule(exclude=said["exclude"]))
    assert days(target.dropped) == ["01-30"]
    assert days(target.left) == ["01-27", "01-30", "02-01"]
    after = {str(row.slot): row.status for row in applied(rows, target)}
    assert (after["2027-01-27"], after["2027-02-01"]) == (EXCLUDED, SCHEDULED)
    assert starts(target) == [["02-01 09:00"]]
