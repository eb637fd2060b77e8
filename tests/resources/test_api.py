"""`/resources`: the encoders that Kaltura knows, found by id and by name."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Databases
from tests.recordings.documents import SINGLE
from tests.service import Json, Lectern, lectern, pointers, problem

EXTRON: Json = {
    "id": 562931,
    "system_name": "EXTRON-100-ABC",
    "name": "EXTRON-100-ABC",
    "description": "Camera in Classroom #702",
    "kind": "camera",
}
NOTHING = {
    "encoder": {"state": None, "detail": None, "last_poll_at": None, "said_at": None},
    "now": None,
    "next": None,
    "findings": 0,
}
EXTRON |= NOTHING


def add(service: Lectern, kind: str = "Camera", **values: Any) -> int:
    """A resource that somebody made in Kaltura itself."""
    resource = {"objectType": f"Kaltura{kind}ScheduleResource", "name": "R"} | values
    made: Json = service.kaltura("schedule_scheduleResource", "add", scheduleResource=resource)
    service.calls()
    return int(made["id"])


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    """One service for all that only look."""
    with databases.one() as url, lectern(tmp_path_factory.mktemp("resources"), database_url=url) as running:
        yield running


def test_every_resource_is_listed_by_id(service: Lectern) -> None:
    location = add(service, "Location", systemName="AULA", name="Aula")
    listed = service.get("/resources")
    assert listed["items"][0] == EXTRON
    assert [each["id"] for each in listed["items"]] == [562931, 562932, 562933, location]
    assert listed["items"][3] == {
        "id": location,
        "system_name": "AULA",
        "name": "Aula",
        "description": None,
        "kind": "location",
        **NOTHING,
    }
    assert listed["next_cursor"] is None


@pytest.mark.parametrize("name", ["562931", "EXTRON-100-ABC", "extron-100-abc", " EXTRON-100-ABC "])
@pytest.mark.parametrize("seen", [False, True], ids=["new to Lectern", "seen before"])
def test_a_resource_is_found_by_its_id_or_system_name(service: Lectern, name: str, seen: bool) -> None:
    if seen:
        service.get("/resources")
        service.fault("drop_before")  # it is not asked again
    assert service.get(f"/resources/{name}") == EXTRON


@pytest.mark.parametrize(
    ("system_name", "path"),
    [
        ("Hörsaal Ä", "H%C3%B6rsaal%20%C3%84"),
        ("教室", "%E6%95%99%E5%AE%A4"),
        ("50%", "50%25"),
        ("12_34", "12_34"),
    ],
)
def test_system_names_may_be_any_words(service: Lectern, system_name: str, path: str) -> None:
    made = add(service, systemName=system_name)
    assert service.get(f"/resources/{path}")["id"] == made
    service.fault("drop_before")
    assert service.get(f"/resources/{path}")["id"] == made
    assert service.get("/recordings", resource=system_name)["items"] == []


def test_a_name_in_another_case_is_asked_of_kaltura_where_sql_knows_no_case(service: Lectern) -> None:
    made = add(service, systemName="HÖRSAAL")
    service.get("/resources")
    assert service.get("/resources/hörsaal")["id"] == made


def test_a_number_is_an_id_before_it_is_a_name(service: Lectern) -> None:
    named = add(service, systemName="562932")
    assert service.get("/resources/562932")["system_name"] == "EXTRON-200-DEF"
    assert service.get(f"/resources/{named}")["system_name"] == "562932"


@pytest.mark.parametrize("path", ["NOWHERE", "1", "99999999999999999999", "0", "-1", "562931.0", "EXTRON-100"])
@pytest.mark.parametrize("more", ["", "/upcoming"])
def test_an_unknown_resource_is_a_404(same: Lectern, path: str, more: str) -> None:
    problem(same.client.get(f"/resources/{path}{more}"), 404, "not_found")


@pytest.mark.parametrize("path", ["%00", "a%0Ab", "%20", "x" * 257])
def test_what_can_be_no_name_is_pointed_at(same: Lectern, path: str) -> None:
    same.calls()
    shown = problem(same.client.get(f"/resources/{path}"), 422, "invalid_document")
    assert pointers(shown) == ["/path/id"]
    assert same.calls() == []


@pytest.mark.parametrize("more", ["", "/upcoming"])
def test_a_name_of_two_resources_is_ambiguous_and_an_id_is_not(service: Lectern, more: str) -> None:
    both = [add(service, kind, systemName="ROOM") for kind in ("Camera", "Location")]
    shown = problem(service.client.get(f"/resources/ROOM{more}"), 409, "ambiguous_resource")
    assert shown["resource_ids"] == both
    for each in both:
        service.get(f"/resources/{each}{more}")


@pytest.mark.parametrize("path", ["", "/EXTRON-100-ABC", "/EXTRON-100-ABC/upcoming"])
def test_kaltura_away_is_a_503_for_what_lectern_has_never_seen(service: Lectern, path: str) -> None:
    service.fault("drop_before")
    answer = service.client.get(f"/resources{path}")
    problem(answer, 503, "kaltura_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


def test_what_kaltura_refuses_is_told_with_its_code(service: Lectern) -> None:
    service.fault("error", "schedule_scheduleResource", "list", code="SERVICE_FORBIDDEN")
    shown = problem(service.client.get("/resources"), 422, "refused_by_kaltura")
    assert shown["kaltura_code"] == "SERVICE_FORBIDDEN"


def test_a_resource_that_a_recording_made_is_known(service: Lectern) -> None:
    service.made(SINGLE | {"resource": {"system_name": "NEW-1", "name": "New", "kind": "location"}})
    service.fault("drop_before")
    assert service.get("/resources/new-1")["kind"] == "location"
