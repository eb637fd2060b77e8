"""getConflicts, and the reservation that an empty answer takes for five seconds."""

from typing import Any

import pytest

from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import HOUR, MONDAY, Clock, Kaltura, embedded, weekly

OTHER_ROOM = RESOURCE_ID + 1
WEEK = 7 * 86_400


@pytest.fixture
def other(sandbox: Sandbox) -> Kaltura:
    """A second session."""
    return embedded(sandbox).sign_in("other")


@pytest.fixture
def booked(kaltura: Kaltura) -> dict[str, Any]:
    """A weekly series in the room."""
    made = kaltura.add_event(**weekly(4))
    kaltura.link(made["id"], RESOURCE_ID)
    assert isinstance(made, dict)
    return made


def found(answer: Any) -> list[int]:
    return [one["startDate"] for one in answer["objects"]]


@pytest.mark.parametrize(
    ("start", "end", "conflicts"),
    [
        (0, HOUR, 1),
        (HOUR, 2 * HOUR, 0),
        (-HOUR, 0, 0),
        (600, 1200, 1),
        (-HOUR, 2 * HOUR, 1),
        (600, 600, 1),
        (0, 0, 0),
        (0, 3 * WEEK, 3),
    ],
)
def test_an_overlap_is_strict(kaltura: Kaltura, booked: dict[str, Any], start: int, end: int, conflicts: int) -> None:
    answer = kaltura.conflicts(RESOURCE_ID, startDate=MONDAY + start, endDate=MONDAY + end)
    assert answer["totalCount"] == conflicts
    assert {one["recurrenceType"] for one in answer["objects"]} <= {2}


def test_a_series_needs_its_duration(kaltura: Kaltura, booked: dict[str, Any]) -> None:
    candidate = weekly(2)
    assert kaltura.conflicts(RESOURCE_ID, **candidate)["totalCount"] == 0
    assert found(kaltura.conflicts(RESOURCE_ID, **candidate, duration=HOUR)) == [MONDAY, MONDAY + WEEK]


def test_cancelled_and_ignored_events_are_no_conflicts(kaltura: Kaltura, booked: dict[str, Any]) -> None:
    first, second, *_ = kaltura.children(booked)
    candidate = weekly(4, duration=HOUR)
    kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=first["id"])
    assert len(found(kaltura.conflicts(RESOURCE_ID, **candidate))) == 3
    assert len(found(kaltura.conflicts(RESOURCE_ID, **candidate, ignore=second["id"]))) == 2
    assert found(kaltura.conflicts(RESOURCE_ID, **candidate, ignore=booked["id"])) == []


def test_several_rooms_show_an_event_once(kaltura: Kaltura, booked: dict[str, Any]) -> None:
    kaltura.link(booked["id"], OTHER_ROOM)
    assert found(kaltura.conflicts(f"{RESOURCE_ID},{OTHER_ROOM}")) == [MONDAY]


@pytest.mark.parametrize(("kind", "shown"), [(1, 1), (2, 1), (3, 2)])
def test_blackouts_are_asked_for(kaltura: Kaltura, booked: dict[str, Any], kind: int, shown: int) -> None:
    kaltura.add_event(objectType="KalturaBlackoutScheduleEvent")
    sent = {"objectType": "KalturaRecordScheduleEvent", "startDate": MONDAY, "endDate": MONDAY + HOUR}
    answer = kaltura(
        "schedule_scheduleEvent",
        "getConflicts",
        resourceIds=RESOURCE_ID,
        scheduleEvent=sent,
        scheduleEventConflictType=kind,
    )
    assert answer["totalCount"] == shown


def test_two_ids_to_ignore_break_the_search(kaltura: Kaltura) -> None:
    sent = {"objectType": "KalturaRecordScheduleEvent"}
    asked = {"resourceIds": "1", "scheduleEvent": sent, "scheduleEventIdToIgnore": "1,2"}
    assert kaltura("schedule_scheduleEvent", "getConflicts", **asked)["code"] == "INTERNAL_SERVERL_ERROR"


class TestReservation:
    def test_an_empty_answer_reserves_the_room_for_five_seconds(
        self, kaltura: Kaltura, other: Kaltura, clock: Clock
    ) -> None:
        assert kaltura.conflicts(RESOURCE_ID)["totalCount"] == 0
        assert other.conflicts(RESOURCE_ID, startDate=0, endDate=1)["code"] == "RESOURCE_IS_RESERVED"
        assert other.link(other.add_event()["id"], RESOURCE_ID)["code"] == "RESOURCE_IS_RESERVED"
        assert other.conflicts(OTHER_ROOM)["totalCount"] == 0
        clock.now += 4
        assert kaltura.conflicts(RESOURCE_ID)["totalCount"] == 0
        clock.now += 4
        assert other.conflicts(RESOURCE_ID)["code"] == "RESOURCE_IS_RESERVED"
        clock.now += 1
        assert other.conflicts(RESOURCE_ID)["totalCount"] == 0

    def test_a_link_gives_it_back_and_a_failed_one_keeps_it(self, kaltura: Kaltura, other: Kaltura) -> None:
        made = kaltura.add_event()["id"]
        kaltura.link(made, RESOURCE_ID)
        assert other.conflicts(RESOURCE_ID, startDate=0, endDate=1)["totalCount"] == 0
        assert kaltura.link(999, OTHER_ROOM)["code"] == "SCHEDULE_EVENT_ID_NOT_FOUND"
        assert other.conflicts(OTHER_ROOM)["code"] == "RESOURCE_IS_RESERVED"

    @pytest.mark.usefixtures("booked")
    def test_conflicts_are_told_whoever_holds_the_room(self, kaltura: Kaltura, other: Kaltura) -> None:
        kaltura.conflicts(RESOURCE_ID, startDate=0, endDate=1)
        assert found(other.conflicts(RESOURCE_ID)) == [MONDAY]

    def test_of_two_rooms_none_is_kept_when_one_is_taken(self, kaltura: Kaltura, other: Kaltura) -> None:
        kaltura.conflicts(RESOURCE_ID)
        assert other.conflicts(f"{OTHER_ROOM},{RESOURCE_ID}")["code"] == "RESOURCE_IS_RESERVED"
        assert kaltura.conflicts(OTHER_ROOM)["totalCount"] == 0
