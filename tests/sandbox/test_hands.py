"""What people do by hand in Kaltura, as measured (`semantics.md`): devices replaced and swapped, entries deleted."""

from typing import Any

import pytest

from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import HOUR, MONDAY, Kaltura, weekly

EVENT, RESOURCE = "schedule_scheduleEvent", "schedule_scheduleResource"


def resource(kaltura: Kaltura, action: str, number: int | None = None, **values: Any) -> Any:
    given: dict[str, Any] = {} if number is None else {"scheduleResourceId": number}
    if values:
        given["scheduleResource"] = {"objectType": "KalturaCameraScheduleResource", **values}
    return kaltura(RESOURCE, action, **given)


def named(kaltura: Kaltura, name: str) -> list[int]:
    found = kaltura(RESOURCE, "list", filter={"systemNameEqual": name})["objects"]
    return [one["id"] for one in found]


def on_room(kaltura: Kaltura, number: int) -> int:
    total: int = kaltura.events(resourceIdsLike=number, statusEqual=2, recurrenceTypeIn="0,2")["totalCount"]
    return total


def test_a_device_is_replaced_under_its_name_and_events_stay_with_the_old_one(kaltura: Kaltura) -> None:
    old = resource(kaltura, "add", name="A", systemName="DEV-A")["id"]
    kaltura.link(kaltura.add_event(**weekly(2))["id"], old)
    assert resource(kaltura, "delete", old)["status"] == 3
    new = resource(kaltura, "add", name="A", systemName="dev-a")["id"]
    assert new != old
    assert resource(kaltura, "get", old)["code"] == "INVALID_OBJECT_ID"
    assert (named(kaltura, "DEV-A"), on_room(kaltura, old), on_room(kaltura, new)) == ([new], 2, 0)


def test_two_devices_swap_their_names_and_keep_their_events(kaltura: Kaltura) -> None:
    a, b = (resource(kaltura, "add", name=name, systemName=name)["id"] for name in ("DEV-A", "DEV-B"))
    kaltura.link(kaltura.add_event()["id"], a)
    assert resource(kaltura, "update", a, systemName="DEV-B")["code"] == "SYSTEM_NAME_ALREADY_EXISTS"
    for number, name in ((a, "DEV-X"), (b, "DEV-A"), (a, "DEV-B")):
        assert resource(kaltura, "update", number, systemName=name)["systemName"] == name
    assert (named(kaltura, "DEV-A"), named(kaltura, "DEV-B")) == ([b], [a])
    assert (on_room(kaltura, a), on_room(kaltura, b)) == (1, 0)
    assert kaltura.events(resourceSystemNamesLike="DEV-B")["totalCount"] == 1


def test_a_device_is_renamed(kaltura: Kaltura) -> None:
    kaltura.link(kaltura.add_event()["id"], RESOURCE_ID)
    resource(kaltura, "update", RESOURCE_ID, systemName="NEW-NAME", name="New")
    assert (named(kaltura, "EXTRON-100-ABC"), named(kaltura, "NEW-NAME")) == ([], [RESOURCE_ID])
    assert on_room(kaltura, RESOURCE_ID) == 1


@pytest.mark.parametrize("values", [{}, weekly(2)])
def test_a_template_entry_is_deleted_and_its_events_stay_until_they_get_another(
    kaltura: Kaltura, values: dict[str, Any]
) -> None:
    old, new = (kaltura("media", "add", entry={"mediaType": 1, "name": name})["id"] for name in ("old", "new"))
    made = kaltura.add_event(**values, templateEntryId=old)
    kaltura("media", "delete", entryId=old)
    sent = {"objectType": "KalturaMediaEntry", "name": "x"}
    assert kaltura("media", "update", entryId=old, mediaEntry=sent)["code"] == "ENTRY_ID_NOT_FOUND"
    assert kaltura(EVENT, "get", scheduleEventId=made["id"])["templateEntryId"] == old
    before = kaltura.events()["objects"]
    assert kaltura.update(made["id"], templateEntryId=new)["templateEntryId"] == new
    after = kaltura.events()["objects"]
    assert [one["id"] for one in after] == [one["id"] for one in before]
    assert {one["templateEntryId"] for one in after} == {new}


def test_the_new_template_s_slot_is_taken(kaltura: Kaltura) -> None:
    made = [kaltura.add_event(templateEntryId=entry)["id"] for entry in ("0_a", "0_b")]
    assert kaltura.update(made[1], templateEntryId="0_a")["code"] == "SCHEDULE_TIME_IN_USE"
    later = {"startDate": MONDAY + HOUR, "endDate": MONDAY + 2 * HOUR}
    assert kaltura.update(made[1], templateEntryId="0_a", **later)["templateEntryId"] == "0_a"


def test_a_link_can_be_updated_and_changes_nothing(kaltura: Kaltura, sandbox: Sandbox) -> None:
    event = kaltura.add_event()["id"]
    linked = kaltura.link(event, RESOURCE_ID)
    sent = {"objectType": "KalturaScheduleEventResource"}
    ids = {"scheduleEventId": event, "scheduleResourceId": RESOURCE_ID}
    service = "schedule_scheduleEventResource"
    assert kaltura(service, "update", **ids, scheduleEventResource=sent) == linked
    assert kaltura(service, "list")["objects"] == [linked]
    unknown = ids | {"scheduleEventId": 1}
    assert kaltura(service, "update", **unknown, scheduleEventResource=sent)["code"] == "INVALID_OBJECT_ID"
