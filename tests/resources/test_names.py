"""A resource is found by what Kaltura says now: by its id, or by any name."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlmodel import col, select

from app.database.database import Database
from app.database.types import database_now
from app.resources.feed.versions import Versions
from app.resources.lookup import is_id, known_resources, remember
from app.resources.models import Resource, Round
from app.resources.naming import as_id
from app.resources.rounds import RESOURCES
from app.sandbox.seed.seed import RESOURCE_ID
from tests.keys import bearer, key
from tests.recordings.documents import SINGLE, example
from tests.resources.polls import make_round, poll
from tests.service import Lectern, eventually, found, lectern, problem

OTHER_ID = 562932  # EXTRON-200-DEF
CAMERA = "KalturaCameraScheduleResource"


def add(service: Lectern, system_name: str, kind: str = CAMERA) -> int:
    """Somebody adds a device in Kaltura; its id."""
    given = {"objectType": kind, "name": f"The {system_name}", "systemName": system_name}
    made: int = service.kaltura("schedule_scheduleResource", "add", scheduleResource=given)["id"]
    return made


def rename(service: Lectern, resource_id: int, system_name: str) -> None:
    given = {"objectType": CAMERA, "systemName": system_name}
    service.kaltura("schedule_scheduleResource", "update", scheduleResourceId=resource_id, scheduleResource=given)


def delete(service: Lectern, resource_id: int) -> None:
    service.kaltura("schedule_scheduleResource", "delete", scheduleResourceId=resource_id)


def means(service: Lectern, reference: str, **headers: str) -> int:
    """The id that every path with it answers for."""
    named = quote(reference, safe="").replace(".", "%2E")
    one = found(service.client.get(f"/resources/{named}", headers=headers))["id"]
    for _ in range(2):  # the second time from memory
        shown = found(poll(service, path=f"/resources/{named}/upcoming", **headers))["resource"]["id"]
        assert shown == one
        assert poll(service, path=f"/resources/{named}/upcoming.ics", **headers).status_code == 200
    resource_id: int = one
    return resource_id


def is_nothing(service: Lectern, reference: str, **headers: str) -> None:
    for more in ("", "/upcoming", "/upcoming.ics"):
        problem(service.client.get(f"/resources/{reference}{more}", headers=headers), 404, "not_found")


# What changes in Kaltura


def test_a_device_that_is_replaced_under_its_name_is_the_new_one(service: Lectern) -> None:
    assert means(service, "EXTRON-100-ABC") == means(service, str(RESOURCE_ID)) == RESOURCE_ID
    delete(service, RESOURCE_ID)
    new = add(service, "EXTRON-100-ABC")
    make_round(service)
    assert means(service, "EXTRON-100-ABC") == means(service, "extron-100-abc") == new
    is_nothing(service, str(RESOURCE_ID))
    assert means(service, str(new)) == new


def test_two_names_that_are_swapped_and_one_that_changes_are_right(service: Lectern) -> None:
    assert (means(service, "EXTRON-100-ABC"), means(service, "EXTRON-200-DEF")) == (RESOURCE_ID, OTHER_ID)
    for resource_id, name in (
        (RESOURCE_ID, "for a moment"),
        (OTHER_ID, "EXTRON-100-ABC"),
        (RESOURCE_ID, "EXTRON-200-DEF"),
    ):
        rename(service, resource_id, name)
    third = means(service, "PEARL-300-GHI")
    rename(service, third, "PEARL-301")
    make_round(service)
    assert (means(service, "EXTRON-100-ABC"), means(service, "EXTRON-200-DEF")) == (OTHER_ID, RESOURCE_ID)
    assert means(service, "PEARL-301") == third
    is_nothing(service, "PEARL-300-GHI")


def test_the_list_is_read_again_within_a_minute_while_somebody_asks(service: Lectern) -> None:
    means(service, "EXTRON-100-ABC")
    make_round(service)
    with service.app.state.database.read() as session:
        due_in = session.execute(
            select(col(Round.due_at) - database_now()).where(col(Round.name) == RESOURCES)
        ).scalar_one()
    assert 0 < due_in <= 60


def test_recordings_are_found_by_what_a_name_means_now(service: Lectern) -> None:
    old = service.made(SINGLE)["id"]
    delete(service, RESOURCE_ID)
    assert found_on(service, "EXTRON-100-ABC") == [old]
    new_id = add(service, "EXTRON-100-ABC")
    make_round(service)
    assert found_on(service, "EXTRON-100-ABC") == []
    assert found_on(service, str(RESOURCE_ID)) == [old]  # it means nothing else
    new = service.made(SINGLE | {"resource": "EXTRON-100-ABC"})["id"]
    assert found_on(service, "EXTRON-100-ABC") == found_on(service, str(new_id)) == [new]


def found_on(service: Lectern, resource: str) -> list[str]:
    return [one["id"] for one in service.get("/recordings", resource=resource)["items"]]


def test_whoever_reads_a_renamed_resource_alone_has_the_list_read(service: Lectern) -> None:
    means(service, "EXTRON-100-ABC")
    make_round(service)
    rename(service, RESOURCE_ID, "RENAMED")
    assert service.made(SINGLE | {"resource": "RENAMED"})["resource"]["id"] == RESOURCE_ID
    assert eventually(lambda: service.client.get("/resources/RENAMED/upcoming").status_code == 200)
    assert eventually(lambda: service.client.get("/resources/EXTRON-100-ABC").status_code == 404)


# Any name


@pytest.mark.parametrize(
    "name",
    ["A/B", "/", ".", "..", "../..", "A%2FB", "%2e", "what?", "#1", "a b", "Hörsaal/ß", "upcoming", "A/upcoming.ics"],
)
def test_any_name_can_be_asked_for(service: Lectern, name: str) -> None:
    assert means(service, name_of(service, name)) == known_id(service, name)


def name_of(service: Lectern, name: str) -> str:
    add(service, name)
    return name


def known_id(service: Lectern, name: str) -> int:
    ids: list[int] = [one["id"] for one in service.get("/resources")["items"] if one["system_name"] == name]
    return ids[0]


def test_a_slash_that_is_not_encoded_is_no_name(service: Lectern) -> None:
    add(service, "A/B")
    problem(service.client.get("/resources/A/B/upcoming"), 404, "not_found")


def test_pages_of_a_room_with_any_name_follow_each_other(service: Lectern) -> None:
    room = add(service, "A/%?B")
    service.made(example() | {"resource": room})
    path = "/resources/A%2F%25%3FB/upcoming?from=2027-01-01T00:00:00Z&to=2027-06-01T00:00:00Z&limit=30"
    first = poll(service, path=path)
    following = first.headers["Link"].split(">")[0].removeprefix("<")
    assert following.startswith("/resources/A%2F%25%3FB/upcoming?")
    shown = [*found(first)["occurrences"], *found(poll(service, path=following))["occurrences"]]
    assert len({one["uid"] for one in shown}) == 36


# Numbers


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        (7, 7),
        ("7", 7),
        ("2147483647", 2**31 - 1),
        ("2147483648", None),
        ("0", None),
        ("007", None),
        ("7a", None),
        ("٧", None),
    ],
)
def test_what_could_be_an_id(reference: int | str, number: int | None) -> None:
    assert as_id(reference) == number


def test_a_number_is_an_id_if_there_is_such_a_resource_and_else_a_name(service: Lectern) -> None:
    room = add(service, str(OTHER_ID))
    assert means(service, str(room)) == room  # SQL has seen this one, and not the other
    assert means(service, str(OTHER_ID)) == OTHER_ID
    make_round(service)
    assert means(service, str(OTHER_ID)) == OTHER_ID
    made = [
        service.made(SINGLE | {"resource": named, "start": f"2027-01-13T{hour}:00:00"})
        for hour, named in ((10, OTHER_ID), (12, str(OTHER_ID)))
    ]
    assert [one["resource"]["id"] for one in made] == [OTHER_ID, OTHER_ID]
    assert len(found_on(service, str(OTHER_ID))) == 2
    delete(service, OTHER_ID)
    make_round(service)
    assert means(service, str(OTHER_ID)) == room
    assert found_on(service, str(OTHER_ID)) == []
    for hour, named in ((10, OTHER_ID), (12, str(OTHER_ID))):
        document = SINGLE | {"resource": named, "start": f"2027-01-13T{hour}:00:00"}
        preview = found(service.client.post("/recordings/preview", json=document))
        assert preview["conflicts"] == []
        assert service.made(document)["resource"]["id"] == room
    assert len(found_on(service, str(OTHER_ID))) == 2


def test_an_object_names_its_resource_by_a_system_name_alone(service: Lectern) -> None:
    made = service.made(SINGLE | {"resource": {"system_name": str(OTHER_ID), "name": "A room"}})
    assert made["resource"]["id"] not in (OTHER_ID, None)
    assert made["resource"]["system_name"] == str(OTHER_ID)


def test_before_the_list_was_read_nobody_knows_that_a_number_is_no_id(database: Database) -> None:
    with database.write() as session:
        remember(session, [Resource(id=5, system_name="77", name="r", kind="camera")])
        assert (known_resources(session, "77"), is_id(session, "77")) == ([], True)
        session.add(Round(name=RESOURCES, as_of=1.0))
        session.flush()
        assert ([one.id for one in known_resources(session, "77")], is_id(session, "77")) == ([5], False)
    versions = Versions(database)
    _, listed, rows = versions._read(0.0)
    versions._learn(rows)
    assert (listed, versions.named("77"), versions.is_id("77")) == (True, [], True)  # as long as it has not looked
    versions._listed = True
    assert ([one.id for one in versions.named("77")], versions.is_id("77")) == ([5], False)
    versions.close()


# Keys


@pytest.fixture
def campus(tmp_path: Path, database_url: str) -> Iterator[Lectern]:
    with lectern(tmp_path, database_url=database_url, api_keys=f"all={ALL}") as running:
        yield running


ALL = "a-key-that-is-long-enough-for-anybody"


def narrowed(service: Lectern, *resources: str) -> dict[str, str]:
    return bearer(key(service, "encoder", "schedule:read", resources=list(resources)))


def test_a_key_for_an_id_does_not_read_the_room_that_is_named_so(campus: Lectern) -> None:
    room = add(campus, str(OTHER_ID))
    mine, everybody = narrowed(campus, str(OTHER_ID)), bearer(ALL)
    for _ in range(2):
        is_nothing(campus, str(room), **mine)
        assert means(campus, str(OTHER_ID), **mine) == OTHER_ID
        assert means(campus, str(room), **everybody) == room  # it is kept in memory now
        shown = found(campus.client.get("/resources", headers=mine))["items"]
        assert [one["id"] for one in shown] == [OTHER_ID]
        make_round(campus)
    delete(campus, OTHER_ID)
    make_round(campus)
    assert means(campus, str(room), **mine) == means(campus, str(OTHER_ID), **mine) == room


def test_a_key_for_a_name_follows_the_name(campus: Lectern) -> None:
    mine = narrowed(campus, "EXTRON-100-ABC")
    assert means(campus, "EXTRON-100-ABC", **mine) == RESOURCE_ID
    delete(campus, RESOURCE_ID)
    new = add(campus, "EXTRON-100-ABC")
    make_round(campus)
    assert means(campus, "EXTRON-100-ABC", **mine) == means(campus, str(new), **mine) == new


def test_a_narrowed_key_is_not_told_of_others_that_have_its_room_s_name(campus: Lectern) -> None:
    one, other = add(campus, "HALL"), add(campus, "HALL", "KalturaLocationScheduleResource")
    third = narrowed(campus, "EXTRON-100-ABC")
    for _ in range(2):
        for resource_id in (one, other):
            assert means(campus, "HALL", **narrowed(campus, str(resource_id))) == resource_id
            assert means(campus, str(resource_id), **bearer(ALL)) == resource_id
        is_nothing(campus, "HALL", **third)
        for path in ("/resources/HALL", "/resources/HALL/upcoming", "/resources/HALL/upcoming.ics"):
            answer = problem(campus.client.get(path, headers=bearer(ALL)), 409, "ambiguous_resource")
            assert answer["resource_ids"] == [one, other]
        problem(campus.client.get("/resources/HALL", headers=narrowed(campus, "HALL")), 409, "ambiguous_resource")
        make_round(campus)


def test_a_narrowed_key_does_not_learn_what_is_known_while_kaltura_is_away(campus: Lectern) -> None:
    mine = narrowed(campus, "EXTRON-100-ABC", "NEW")
    means(campus, "EXTRON-200-DEF", **bearer(ALL))
    campus.fault("drop_before")
    for reference in ("EXTRON-200-DEF", str(OTHER_ID), "PEARL-300-GHI", "NOWHERE"):
        is_nothing(campus, reference, **mine)
    problem(campus.client.get("/resources/NEW/upcoming", headers=mine), 503, "kaltura_unavailable")
    problem(campus.client.get("/resources/NOWHERE/upcoming", headers=bearer(ALL)), 503, "kaltura_unavailable")
