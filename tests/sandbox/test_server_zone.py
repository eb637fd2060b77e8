"""The hour that the server's zone repeats in autumn: what lies in it is answered an hour early (exchanges 216, 217)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import Kaltura


def at(day_and_time: str) -> int:
    """Epoch seconds of a time in UTC, e.g. `7T06:30` in November 2027."""
    day, _, time = day_and_time.partition("T")
    return int(datetime.fromisoformat(f"2027-11-{int(day):02}T{time}").replace(tzinfo=UTC).timestamp())


def times(event: dict[str, Any]) -> list[str]:
    return [f"{datetime.fromtimestamp(event[name], UTC):%-dT%H:%M:%S}" for name in ("startDate", "endDate")]


def series(zone: str, count: int, **values: Any) -> dict[str, Any]:
    rule = {"frequency": "weeks", "count": count, "timeZone": zone}
    return {"recurrenceType": 1, "recurrence": rule, **values}


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (("7T06:00:00", "7T06:59:59"), ["7T05:00:00", "7T05:59:59"]),
        (("7T06:30:00", "7T07:20:00"), ["7T05:30:00", "7T07:20:00"]),
        (("7T05:10:00", "7T06:15:00"), ["7T05:10:00", "7T05:15:00"]),
        (("7T05:30:00", "7T06:30:00"), ["7T05:30:00", "7T05:30:00"]),
        (("7T05:45:00", "7T06:15:00"), ["7T05:45:00", "7T05:15:00"]),
        (("7T05:59:59", "7T07:00:00"), ["7T05:59:59", "7T07:00:00"]),
        (("14T06:30:00", "14T07:30:00"), ["14T06:30:00", "14T07:30:00"]),
    ],
)
def test_what_lies_in_the_repeated_hour_is_answered_an_hour_early(
    kaltura: Kaltura, sent: tuple[str, str], answered: list[str]
) -> None:
    """What is sent is in order, so it is never refused for what becomes of it."""
    span = dict(zip(("startDate", "endDate"), map(at, sent), strict=True))
    made = kaltura.add_event(**span)
    assert times(made) == answered
    got = kaltura("schedule_scheduleEvent", "get", scheduleEventId=made["id"])
    assert got == made == kaltura.events()["objects"][0]
    assert times(kaltura.update(made["id"], summary="New")) == answered
    assert times(kaltura.update(made["id"], **span)) == answered


def test_an_end_before_the_start_is_refused_by_what_was_sent(kaltura: Kaltura) -> None:
    """Kept, the two would be in order."""
    sent = {"startDate": at("7T06:10:00"), "endDate": at("7T05:30:00")}
    assert kaltura.add_event(**sent)["code"] == "INVALID_SCHEDULE_END_BEFORE_START"


def test_a_zone_that_repeats_another_hour(kaltura: Kaltura, sandbox: Sandbox) -> None:
    sandbox.set_faults({"modes": {"server_zone": "Europe/Zurich"}})
    values = {"startDate": int(datetime(2027, 10, 31, 1, tzinfo=UTC).timestamp()), "endDate": at("1T00:00:00")}
    assert times(kaltura.add_event(**values)) == ["31T00:00:00", "1T00:00:00"]
    assert times(kaltura.add_event(startDate=at("7T06:30:00"), endDate=at("7T07:30:00")))[0] == "7T06:30:00"
    sandbox.set_faults({"modes": {"server_zone": "UTC"}})
    assert times(kaltura.add_event(**values))[0] == "31T01:00:00"


@pytest.mark.parametrize("zone", ["Europe/London", "Asia/Kolkata"])
def test_of_a_series_the_session_in_that_hour_alone_is_early(kaltura: Kaltura, zone: str) -> None:
    first = int(datetime(2027, 10, 31, 6, 30, tzinfo=UTC).timestamp())
    made = kaltura.add_event(**series(zone, 3, startDate=first, endDate=first + 3000))
    kaltura.link(made["id"], RESOURCE_ID)
    children = kaltura.children(made)
    assert [times(child)[0] for child in children] == ["31T06:30:00", "7T05:30:00", "14T06:30:00"]
    assert [times(child)[1] for child in children] == ["31T07:20:00", "7T07:20:00", "14T07:20:00"]
    assert made["duration"] == 3000
    kaltura.update(made["id"], summary="New")
    assert [child["id"] for child in kaltura.children(made)] == [child["id"] for child in children]


def test_a_series_that_begins_in_that_hour_keeps_its_duration(kaltura: Kaltura) -> None:
    made = kaltura.add_event(**series("America/New_York", 2, startDate=at("7T06:30:00"), endDate=at("7T07:20:00")))
    assert (times(made)[0], made["duration"]) == ("7T05:30:00", 3000)
    assert [times(child) for child in kaltura.children(made)][1] == ["14T06:30:00", "14T07:20:00"]
    kaltura.update(made["id"], summary="New")
    assert [child["id"] - made["id"] for child in kaltura.children(made)] == [1, 2]
