"""Warnings stand in every answer that shows a recording, as its preview had them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from unittest import mock

import pytest

from app.recordings.models import Recording
from tests.recordings.documents import LEFT_OUT, SINGLE, example
from tests.service import Json, Lectern, found, lectern, problem

NIGHT = SINGLE | {
    "reference_id": "night",
    "start": "2027-03-13T02:30:00",
    "time_zone": "America/New_York",
    "recurrence": {"frequency": "daily", "count": 3},
    "exclude": ["2027-05-01"],
}
WEEKLY = {"frequency": "weekly", "count": 3}


def previewed(service: Lectern, document: Json) -> list[Json]:
    warnings: list[Json] = found(service.client.post("/recordings/preview", json=document))["warnings"]
    return warnings


def test_answers_show_the_warnings_that_the_preview_had(service: Lectern) -> None:
    warnings = previewed(service, NIGHT)
    assert [one["code"] for one in warnings] == ["gap", "exclusion_unused"]
    recording = service.made(NIGHT)
    path = f"/recordings/{recording['id']}"
    (listed,) = service.get("/recordings")["items"]
    assert recording["warnings"] == listed["warnings"] == service.get(path)["warnings"] == warnings
    longer = NIGHT | {"exclude": [], "title": "n \U0001f52d"}
    changed = found(service.client.put("/recordings/by-reference/night", json=longer))
    assert [one["code"] for one in changed["warnings"]] == ["gap", "characters"]
    patched = found(service.client.patch(path, json={"start": "2027-03-13T03:30:00", "title": "n"}))
    assert patched["warnings"] == []
    assert service.schedule(NIGHT, prefer="respond-async").json()["code"] == "reference_in_use"


def test_a_resource_that_was_made_is_told(service: Lectern) -> None:
    document = SINGLE | {"resource": {"system_name": "NEW-1"}}
    assert [one["code"] for one in previewed(service, document)] == ["new_resource"]
    (warning,) = service.made(document)["warnings"]
    assert (warning["code"], warning["pointer"]) == ("new_resource", "/resource")
    assert service.made(document | {"start": "2027-01-14T09:00:00"})["warnings"] == []


def test_sessions_grow_old_without_a_warning(service: Lectern) -> None:
    recording = service.made(NIGHT | {"exclude": []})
    later = datetime(2027, 3, 14, 12, tzinfo=UTC)
    with mock.patch("app.recordings.reading.queries.utc_now", return_value=later):
        assert [one["code"] for one in service.get(f"/recordings/{recording['id']}")["warnings"]] == ["gap"]


@pytest.fixture(scope="module")
def zurich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("zurich"), time_zone="Europe/Zurich") as running:
        yield running


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"time_zone": "EST"}, [("zone_without_rules", "/time_zone", "-05:00")]),
        ({"time_zone": "etc/gmt+5", "recurrence": WEEKLY}, [("zone_without_rules", "/time_zone", "-05:00")]),
        ({"time_zone": "GMT"}, [("zone_without_rules", "/time_zone", "+00:00")]),
        ({"time_zone": "UTC"}, []),
        ({"time_zone": "Eastern Standard Time"}, []),
        (
            {"start": "2027-01-13T09:00:00-05:00", "recurrence": WEEKLY},
            [("offset_without_zone", "/start", "Europe/Zurich")],
        ),
        ({"start": "2027-01-13T09:00:00-05:00"}, []),
        ({"start": "2027-01-13T09:00:00-05:00", "recurrence": WEEKLY, "time_zone": "America/New_York"}, []),
    ],
)
def test_a_zone_that_may_not_be_meant_is_told(zurich: Lectern, changes: Json, told: list[tuple[str, str, str]]) -> None:
    warnings = previewed(zurich, SINGLE | changes)
    assert [(one["code"], one["pointer"]) for one in warnings] == [(code, pointer) for code, pointer, _ in told]
    assert all(word in one["detail"] for one, (_, _, word) in zip(warnings, told, strict=True))


# Preview is as strict as POST


@pytest.mark.parametrize("category", [77, "Canvas>nowhere"])
def test_an_unknown_category_is_refused_by_both_in_the_same_words(service: Lectern, category: int | str) -> None:
    document = example(categories=["Canvas>site>channels>1234", category], resource={"system_name": "NEW-1"})
    preview = problem(service.client.post("/recordings/preview", json=document), 422, "category_not_found")
    refused = problem(service.schedule(document), 422, "category_not_found")
    assert [one["pointer"] for one in preview["errors"]] == ["/categories/1"]
    assert preview["errors"] == refused["errors"]


def test_categories_that_cannot_be_looked_up_are_a_warning(service: Lectern) -> None:
    for fault, more in (("drop_before", {}), ("error", {"code": "SERVICE_FORBIDDEN"})):
        service.fault(fault, "category", **more)
        assert [one["code"] for one in previewed(service, example())] == ["categories_unchecked"]
    assert previewed(service, example(categories=LEFT_OUT)) == []


# What is refused leaves no resource behind


def system_names(service: Lectern) -> set[str]:
    return {resource["systemName"] for resource in service.sandbox.state()["resources"]}


NEW = example(resource={"system_name": "NEW-1"}, categories=[77])


def test_a_refused_document_leaves_no_resource_behind_that_it_alone_made(service: Lectern) -> None:
    before = system_names(service)
    refused = problem(service.schedule(NEW), 422, "category_not_found")
    assert "scheduleResource.delete" in service.calls()
    assert system_names(service) == before
    history = service.get(f"/recordings/{refused['recording_id']}/history")["items"]
    assert history[0]["steps"][0]["status"] == "undone"
    recording = service.made(NEW | {"categories": []})
    assert recording["resource"]["system_name"] == "NEW-1"


def test_a_resource_that_may_not_be_deleted_stays_and_the_document_is_refused_all_the_same(service: Lectern) -> None:
    service.fault("error", "schedule_scheduleResource", "delete", code="SERVICE_FORBIDDEN")
    problem(service.schedule(NEW), 422, "category_not_found")
    assert "NEW-1" in system_names(service)


def test_a_resource_that_was_there_stays(service: Lectern) -> None:
    made = {"objectType": "KalturaCameraScheduleResource", "name": "theirs", "systemName": "NEW-1"}
    service.kaltura("schedule_scheduleResource", "add", scheduleResource=made)
    problem(service.schedule(NEW), 422, "category_not_found")
    assert "scheduleResource.delete" not in service.calls()


def the_new_one(service: Lectern) -> list[Json]:
    return [one for one in service.sandbox.state()["resources"] if one.get("systemName") == "NEW-1"]


def test_a_resource_that_somebody_uses_by_now_stays(service: Lectern) -> None:
    """Kaltura refuses the entry after somebody has linked an event to the new resource."""
    add_entry = "app.kaltura.client.KalturaClient.find_category"

    def booked(_client: object, _name: str) -> None:
        for made in the_new_one(service):  # it is asked ahead, too, when the resource is not there yet
            event = service.kaltura.add_event()
            service.kaltura.link(event["id"], made["id"])

    with mock.patch(add_entry, booked):
        problem(
            service.schedule(NEW | {"categories": ["Canvas>nowhere"], "on_conflict": "allow"}),
            422,
            "category_not_found",
        )
    assert "NEW-1" in system_names(service)


def test_a_resource_that_another_recording_is_on_stays(service: Lectern) -> None:
    other = SINGLE | {"resource": "NEW-1", "start": "2027-06-01T09:00:00"}
    asked: list[Json] = []

    def known(_client: object, _name: str) -> None:
        for made in the_new_one(service):  # it is asked ahead, too, when the resource is not there yet
            answer = service.client.post("/recordings", json=other, headers={"Prefer": "respond-async"})
            asked.append(found(answer, 202))
            with service.app.state.database.write() as session:
                session.get_one(Recording, asked[0]["id"]).resource_id = made["id"]

    with mock.patch("app.kaltura.client.KalturaClient.find_category", known):
        problem(service.schedule(NEW | {"categories": ["Canvas>nowhere"]}), 422, "category_not_found")
    service.until(asked[0]["id"], "scheduled")
    assert "NEW-1" in system_names(service)


def test_a_resource_that_another_document_is_on_its_way_to_stays(service: Lectern) -> None:
    """Its chain may have found it, and not written that down yet: deleted under it, it would lose its lecture."""
    other = SINGLE | {"resource": "new-1", "start": "2027-06-01T09:00:00"}
    asked: list[Json] = []

    def known(_client: object, _name: str) -> None:
        if the_new_one(service) and not asked:
            service.fault("http_500", "schedule_scheduleResource", "list")
            answer = service.client.post("/recordings", json=other, headers={"Prefer": "respond-async"})
            asked.append(found(answer, 202))

    with mock.patch("app.kaltura.client.KalturaClient.find_category", known):
        problem(service.schedule(NEW | {"categories": ["Canvas>nowhere"]}), 422, "category_not_found")
    assert "NEW-1" in system_names(service)
    service.heal()
    service.until(asked[0]["id"], "scheduled")


def test_a_refused_change_leaves_none_behind_either(service: Lectern) -> None:
    before = system_names(service)
    recording = service.made(example())
    patch = {"resource": {"system_name": "NEW-1"}, "categories": [77]}
    problem(service.client.patch(f"/recordings/{recording['id']}", json=patch), 422, "category_not_found")
    assert system_names(service) == before
    assert service.get(f"/recordings/{recording['id']}")["resource"]["system_name"] == "EXTRON-100-ABC"
