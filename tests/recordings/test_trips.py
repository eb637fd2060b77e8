"""How many requests to Kaltura there are for what clients do, and what is in each: counts, and no clock."""

from copy import deepcopy
from itertools import count
from typing import Any

import pytest

from app.kaltura.client import KalturaClient
from app.recordings.document.document import EXAMPLE
from tests.crash.rehearsal import look_at_no_room
from tests.service import Json, Lectern, found

HOURS = count(6)
LIST, CONFLICTS, LINK = "scheduleEvent.list", "scheduleEvent.getConflicts", "scheduleEventResource.add"
FIRST = ["scheduleResource.list", LIST, CONFLICTS, LIST, "category.list"]


@pytest.fixture
def quiet(service: Lectern) -> Lectern:
    """Each call that Kaltura sees is a chain's, and the example's room was seen."""
    service.get("/resources")
    look_at_no_room(service.app.state.settings.database_url)
    return service


def document(**more: Any) -> Json:
    """The example, at an hour of its own."""
    hour = next(HOURS)
    return {**deepcopy(EXAMPLE), "reference_id": f"TRIPS-{hour}", "start": f"2027-01-13T{hour:02}:00:00", **more}


def made(service: Lectern, **more: Any) -> tuple[Json, list[list[str]]]:
    service.trips()
    return service.made(document(**more)), service.trips()


def changed(service: Lectern, method: str, path: str, **body: Any) -> list[list[str]]:
    service.trips()
    found(service.client.request(method, path, json=body or None))
    return service.trips()


def test_the_example_takes_six(quiet: Lectern) -> None:
    _, trips = made(quiet)
    assert trips == [
        FIRST,
        ["media.add"],
        ["scheduleEvent.add"],
        [LIST],
        ["scheduleEvent.cancel"] * 4 + [CONFLICTS],
        [LINK, LIST],
    ]


def test_thirty_excluded_days_take_no_more(quiet: Lectern) -> None:
    _, trips = made(quiet, exclude=[{"from": "2027-01-20", "to": "2027-03-31"}])
    assert len(trips) == 6
    assert trips[4].count("scheduleEvent.cancel") >= 30


def test_a_plan_of_six_events_takes_no_more(quiet: Lectern) -> None:
    """Sundays at 02:30, which do not exist three times: each of these is an event of its own."""
    sundays = {"frequency": "weekly", "days": ["SU"], "count": 115}
    recording, trips = made(quiet, start="2027-01-03T02:30:00", recurrence=sundays, exclude=["2027-02-07"])
    assert len(recording["kaltura"]["events"]) == 6
    assert trips[2:] == [
        ["scheduleEvent.add"] * 6,
        [LIST] * 6,
        ["scheduleEvent.cancel"] + [CONFLICTS] * 6,
        [LINK] * 6 + [LIST],
    ]


def test_without_excluded_days_there_is_one_less(quiet: Lectern) -> None:
    _, trips = made(quiet, exclude=[])
    assert trips[3:] == [[LIST, CONFLICTS], [LINK, LIST]]


def test_one_session_takes_four(quiet: Lectern) -> None:
    """What it comes to is asked by when it is: its id need not be known."""
    _, trips = made(quiet, recurrence=None, exclude=[])
    assert trips == [FIRST, ["media.add"], ["scheduleEvent.add", LIST, CONFLICTS], [LINK, LIST]]


def test_where_many_begin_at_once_it_is_found_by_its_series(quiet: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of those that begin then need not show the one that was made."""
    monkeypatch.setattr(KalturaClient, "newest_occurrences_at", lambda _self, _start: [])
    recording, _ = made(quiet)
    session = quiet.get(f"/recordings/{recording['id']}/occurrences")["items"][5]
    path = f"/recordings/{recording['id']}/occurrences/{session['id']}"
    assert ["scheduleEvent.add", CONFLICTS] in changed(quiet, "PATCH", path, start="2027-05-03T13:00:00Z")
    last = quiet.get(f"/recordings/{recording['id']}/occurrences")["items"][-1]
    assert (last["id"], last["status"], last["start"]) == (session["id"], "scheduled", "2027-05-03T13:00:00Z")


def test_a_room_that_was_never_seen_takes_one_more(quiet: Lectern) -> None:
    room = {"objectType": "KalturaCameraScheduleResource", "name": "NEVER-SEEN", "systemName": "NEVER-SEEN"}
    quiet.kaltura("schedule_scheduleResource", "add", scheduleResource=room)
    _, trips = made(quiet, resource="NEVER-SEEN")
    assert len(trips) == 7
    assert trips[1] == [LIST, CONFLICTS]


def test_changes(quiet: Lectern) -> None:
    recording, _ = made(quiet)
    path = f"/recordings/{recording['id']}"
    assert len(changed(quiet, "PATCH", path, title="Another")) <= 3
    assert len(changed(quiet, "PATCH", path, start="2027-01-13T05:10:00")) <= 8
    sessions = quiet.get(f"{path}/occurrences")["items"]
    ahead = [one["id"] for one in sessions if one["status"] == "scheduled"]
    assert len(changed(quiet, "PATCH", f"{path}/occurrences/{ahead[5]}", start="2027-01-31T10:00:00")) <= 4
    assert len(changed(quiet, "DELETE", f"{path}/occurrences/{ahead[6]}")) <= 3
    assert len(changed(quiet, "DELETE", path)) <= 3


def test_a_title_that_looks_like_a_reference_stays_what_it_is(quiet: Lectern) -> None:
    """Kaltura would put a part of another answer in its place (exchanges 594, 600, 690 to 692)."""
    title, sundays = "Sets {1:result:id} and {1:result}", {"frequency": "weekly", "days": ["SU"], "count": 12}
    recording, _ = made(quiet, title=title, start="2027-01-03T02:30:00", recurrence=sundays, exclude=["2027-02-07"])
    changed(quiet, "PATCH", f"/recordings/{recording['id']}", description="See {2:result:totalCount}")
    left = quiet.left()
    assert {one["summary"] for one in left["events"]} == {title}
    assert {(one["name"], one["description"]) for one in left["entries"]} == {(title, "See {2:result:totalCount}")}
