"""Bad days that last: an index that lags, a search engine or a reservation store that is away."""

from typing import Any

import pytest

from app.sandbox import RESOURCE_ID, Sandbox
from tests.sandbox.kaltura import Clock, Kaltura, weekly

BROKEN = "INTERNAL_SERVERL_ERROR"


def test_what_is_new_is_invisible_to_filters_while_the_index_lags(
    kaltura: Kaltura, sandbox: Sandbox, clock: Clock
) -> None:
    sandbox.set_faults({"modes": {"index_lag": 5}})
    series = kaltura.add_event(**weekly(2, referenceId="lag"))
    kaltura.link(series["id"], RESOURCE_ID)
    entry = kaltura("media", "add", entry={"mediaType": 1, "name": "t", "referenceId": "lag"})

    def seen() -> list[int]:
        answers = [
            kaltura.events(parentIdEqual=series["id"]),
            kaltura.events(referenceIdEqual="lag"),
            kaltura.events(resourceIdsLike=RESOURCE_ID),
            kaltura.conflicts(RESOURCE_ID),
            kaltura("baseEntry", "listByReferenceId", refId="lag"),
        ]
        return [answer["totalCount"] for answer in answers]

    assert seen() == [0, 0, 0, 0, 0]
    assert kaltura.events(idEqual=series["id"])["totalCount"] == 1
    assert kaltura.events(idIn=f"{series['id']},{series['id'] + 1}")["totalCount"] == 2
    assert kaltura("schedule_scheduleEvent", "get", scheduleEventId=series["id"]) == series | {"updatedAt": clock.now}
    assert kaltura("media", "get", entryId=entry["id"]) == entry
    clock.now += 4.9
    assert seen() == [0, 0, 0, 0, 0]
    clock.now += 0.2
    assert seen() == [2, 1, 3, 1, 1]


def test_what_is_changed_is_found_by_what_it_was(kaltura: Kaltura, sandbox: Sandbox, clock: Clock) -> None:
    made = kaltura.add_event(referenceId="old")["id"]
    sandbox.set_faults({"modes": {"index_lag": 5}})
    kaltura.update(made, referenceId="new")

    def seen() -> list[int]:
        return [kaltura.events(referenceIdEqual=reference)["totalCount"] for reference in ("old", "new")]

    assert seen() == [1, 0]
    sandbox.set_faults({})
    assert seen() == [0, 1]


@pytest.mark.parametrize("values", [{}, weekly(3)])
def test_without_the_search_engine_an_add_fails_and_is_committed(
    kaltura: Kaltura, sandbox: Sandbox, values: dict[str, Any]
) -> None:
    sandbox.set_faults({"modes": {"search_down": True}})
    assert kaltura.add_event(**values, referenceId="lost")["code"] == BROKEN
    sandbox.set_faults({})
    added = sandbox.state()["events"]
    assert len(added) == (4 if values else 1)
    assert kaltura.events(referenceIdEqual="lost")["totalCount"] == 0
    assert kaltura.events(idEqual=added[0]["id"])["totalCount"] == 1
    kaltura.update(added[0]["id"], summary="Touched")
    assert kaltura.events(referenceIdEqual="lost")["totalCount"] == 1


def test_an_event_with_a_template_fails_before_it_is_added(kaltura: Kaltura, sandbox: Sandbox) -> None:
    """Its slot has to be searched: the ids that followed #641 show that nothing was made."""
    sandbox.set_faults({"modes": {"search_down": True}})
    assert kaltura.add_event(templateEntryId="0_t")["code"] == BROKEN
    assert sandbox.state()["events"] == []


def test_without_the_search_engine_a_cancel_fails_and_is_committed(kaltura: Kaltura, sandbox: Sandbox) -> None:
    made = kaltura.add_event()["id"]
    sandbox.set_faults({"modes": {"search_down": True}})
    for action in ("cancel", "get"):
        assert kaltura("schedule_scheduleEvent", action, scheduleEventId=made)["code"] == BROKEN
    assert kaltura.events()["code"] == kaltura.conflicts(1)["code"] == BROKEN
    sandbox.set_faults({})
    stale = kaltura.events(statusEqual=2)
    assert [(one["id"], one["status"]) for one in stale["objects"]] == [(made, 1)]


def test_what_needs_no_search_goes_on_without_the_engine(kaltura: Kaltura, sandbox: Sandbox) -> None:
    made = kaltura.add_event()["id"]
    sandbox.set_faults({"modes": {"search_down": True}})
    assert kaltura.link(made, RESOURCE_ID)["eventId"] == made
    assert kaltura("schedule_scheduleResource", "list")["totalCount"] == 3
    entry = kaltura("media", "add", entry={"mediaType": 1, "referenceId": "r"})
    assert kaltura("media", "get", entryId=entry["id"])["id"] == entry["id"]
    assert kaltura("baseEntry", "listByReferenceId", refId="r")["code"] == BROKEN


def test_without_reservations_no_room_can_be_linked(kaltura: Kaltura, sandbox: Sandbox) -> None:
    made = kaltura.add_event()["id"]
    kaltura.link(made, RESOURCE_ID)
    sandbox.set_faults({"modes": {"reservations_down": True}})
    assert kaltura.conflicts(RESOURCE_ID)["totalCount"] == 1
    assert kaltura.conflicts(RESOURCE_ID + 1)["code"] == BROKEN
    assert kaltura.link(made, RESOURCE_ID + 1)["code"] == "RESOURCE_IS_RESERVED"
