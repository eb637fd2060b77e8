"""Calendar links: an address for programs that send no key, as good as a key for one calendar, and revocable."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import select

from app.resources.feed import polling
from app.resources.feed.links import CalendarLink
from app.sandbox.seed.seed import RESOURCE_ID
from tests.keys import bearer, key
from tests.recordings.documents import example
from tests.resources.polls import book, make_round, refresh
from tests.resources.test_names import add, delete, rename
from tests.service import Json, Lectern, found, lectern, problem, utc

ROOM = "/resources/EXTRON-100-ABC"
GIVEN = "given-key-0123456789abcdef0123456789"


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Lectern]:
    with lectern(tmp_path, database_url=database_url, api_keys=f"given={GIVEN}") as running:
        running.client.headers.update(bearer(GIVEN))
        yield running


def link(service: Lectern, path: str, **headers: str) -> str:
    made: Json = found(service.client.post(f"{path}/calendar-link", headers=headers), 201)
    address = made["url"]
    assert address.startswith("http://testserver/calendar-links/")
    assert address.endswith(".ics")
    assert len(address.rpartition("/")[2]) == 43 + len(".ics")
    return str(address)


def read(service: Lectern, address: str, **headers: str) -> str:
    """As a program reads it that has no key."""
    answer = service.client.get(address, headers={"Authorization": "", **headers})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    return answer.text


def gone(service: Lectern, address: str) -> None:
    problem(service.client.get(address, headers={"Authorization": ""}), 404, "not_found")


def test_a_recording_s_link_is_its_calendar_without_a_key(service: Lectern) -> None:
    path = f"/recordings/{service.made()['id']}"
    calendar = service.client.get(f"{path}/calendar.ics")
    address = link(service, path)
    assert read(service, address) == calendar.text
    unchanged = {"Authorization": "", "If-None-Match": calendar.headers["ETag"]}
    assert service.client.get(address, headers=unchanged).status_code == 304
    problem(service.client.get(f"{path}/calendar.ics", headers={"Authorization": ""}), 401, "unauthorized")


def test_a_resource_s_link_is_its_calendar_without_a_key(service: Lectern) -> None:
    refresh(service)
    address = link(service, ROOM)
    assert "VEVENT" not in read(service, address)
    book(service, utc(service.get(f"{ROOM}/upcoming")["from"]).replace(microsecond=0), summary="Theirs")
    refresh(service)
    assert read(service, address) == service.client.get(f"{ROOM}/upcoming.ics").text
    assert "SUMMARY:Theirs" in read(service, address)


def test_it_is_revoked_at_once_and_for_whoever_made_it_alone(service: Lectern) -> None:
    path = f"/recordings/{service.made()['id']}"
    service.get(f"{ROOM}/upcoming")
    other = bearer(key(service, "other", "schedule:read"))
    mine, again, room, theirs = (
        *(link(service, path), link(service, path), link(service, ROOM)),
        link(service, ROOM, **other),
    )
    assert mine != again
    for _ in range(2):
        answer = service.client.delete(f"{path}/calendar-link")
        assert (answer.status_code, answer.content, answer.headers.get("Content-Type")) == (204, b"", None)
    gone(service, mine)
    gone(service, again)
    read(service, room)
    assert service.client.delete("/resources/562931/calendar-link", headers=other).status_code == 204
    gone(service, theirs)
    read(service, room)
    admin = bearer(key(service, "admin", "admin"))
    assert service.client.delete(f"{ROOM}/calendar-link", headers=admin).status_code == 204
    gone(service, room)


def test_only_its_hash_is_kept_and_nothing_of_it_is_logged(
    service: Lectern, capsys: pytest.CaptureFixture[str]
) -> None:
    service.get(f"{ROOM}/upcoming")
    address = link(service, ROOM)
    read(service, address)
    gone(service, address.replace(".ics", "x.ics"))
    token = address.rpartition("/")[2].removesuffix(".ics")
    with service.app.state.database.read() as session:
        (row,) = session.execute(select(CalendarLink)).scalars()
    assert row.digest == sha256(token.encode()).hexdigest()
    assert token not in json.dumps(row.model_dump(mode="json"))
    told = capsys.readouterr()
    assert "/calendar-links/{token}.ics" in told.out + told.err
    assert token not in told.out + told.err
    assert not any(token.encode() in key[0] for key in service.app.state.feed.memory.answers)


def test_it_only_reads(service: Lectern) -> None:
    address = link(service, f"/recordings/{service.made()['id']}")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert service.client.request(method, address).status_code == 405
    token = address.rpartition("/")[2].removesuffix(".ics")
    for headers in (bearer(token), {"Authorization": ""}):
        problem(service.client.get("/recordings", headers=headers), 401, "unauthorized")


def test_nobody_makes_one_of_what_is_not_theirs(service: Lectern) -> None:
    path = f"/recordings/{service.made()['id']}"
    stranger = bearer(key(service, "stranger", "recordings:read"))
    narrowed = bearer(key(service, "encoder", "schedule:read", resources=["EXTRON-200-DEF"]))
    for of, who in ((path, stranger), (ROOM, narrowed), ("/resources/NOPE-1", narrowed)):
        for method in ("POST", "DELETE"):
            problem(service.client.request(method, f"{of}/calendar-link", headers=who), 404, "not_found")
    problem(service.client.post(f"{path}/calendar-link", headers=narrowed), 403, "forbidden")
    problem(service.client.post(f"{path}/calendar-link", headers={"Authorization": ""}), 401, "unauthorized")


@pytest.mark.parametrize("token", ["x", "%00", "%ff%fe", "a" * 5000, "..", "%2e%2e"])
def test_what_was_never_given_out_is_not_found(service: Lectern, token: str) -> None:
    gone(service, f"/calendar-links/{token}.ics")


def test_it_follows_the_device_that_has_the_name(service: Lectern) -> None:
    """The link is to what the room is called, as paths are."""
    service.get(f"{ROOM}/upcoming")
    address = link(service, ROOM)
    with service.app.state.database.read() as session:
        assert [one.resource for one in session.execute(select(CalendarLink)).scalars()] == ["EXTRON-100-ABC"]
    assert "X-WR-CALNAME:EXTRON-100-ABC" in read(service, address)


def test_where_the_schedule_is_unknown_it_says_so_and_is_not_empty(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "FIRST_WAIT", 0.5)
    service.fault("http_500", "schedule_scheduleEvent", "list")
    address = link(service, "/resources/EXTRON-200-DEF")
    problem(service.client.get(address, headers={"Authorization": ""}), 503, "schedule_unknown")


def test_the_recording_of_a_link_shows_its_own_sessions_alone(service: Lectern) -> None:
    first = service.made(example(reference_id="one"))
    second = service.made(example(reference_id="two", start="2027-01-13T11:00:00"))
    assert read(service, link(service, f"/recordings/{second['id']}")).count("BEGIN:VEVENT") == 36
    assert first["id"] != second["id"]


# A device that is replaced, renamed or taken away


def revokes(service: Lectern, path: str, **headers: str) -> None:
    answer = service.client.delete(f"{path}/calendar-link", headers=headers)
    assert answer.status_code == 204, answer.text


@pytest.mark.parametrize("named", ["EXTRON-100-ABC", "extron-100-abc", "the new one's id"])
def test_a_link_is_revoked_at_the_device_that_has_its_name_now(service: Lectern, named: str) -> None:
    address = link(service, ROOM)
    delete(service, RESOURCE_ID)
    new = add(service, "EXTRON-100-ABC")
    make_round(service)
    assert "VCALENDAR" in read(service, address)
    revokes(service, f"/resources/{new if named.startswith('the') else named}")
    gone(service, address)


def test_a_link_is_revoked_at_the_device_that_it_was_made_of(service: Lectern) -> None:
    """Also where another one has its name meanwhile; that one's own links are none of it."""
    address = link(service, ROOM)
    rename(service, RESOURCE_ID, "EXTRON-101")
    add(service, "EXTRON-100-ABC")
    make_round(service)
    other = link(service, ROOM)
    revokes(service, "/resources/EXTRON-101")
    gone(service, address)
    read(service, other)


@pytest.mark.parametrize("named", ["EXTRON-100-ABC", "extron-100-abc", str(RESOURCE_ID)])
def test_a_link_to_what_kaltura_has_no_more_is_revoked(service: Lectern, named: str) -> None:
    mine, theirs = link(service, ROOM), link(service, ROOM, **bearer(key(service, "other", "schedule:read")))
    delete(service, RESOURCE_ID)
    make_round(service)
    for _ in range(2):
        revokes(service, f"/resources/{named}")
    problem(service.client.delete("/resources/NOPE-1/calendar-link"), 404, "not_found")
    add(service, "EXTRON-100-ABC")
    make_round(service)
    gone(service, mine)
    read(service, theirs)


def test_a_link_by_a_name_that_nothing_has_any_more_is_revoked_by_it(service: Lectern) -> None:
    """The device is there, and is called otherwise."""
    address = link(service, ROOM)
    rename(service, RESOURCE_ID, "EXTRON-101")
    make_round(service)
    revokes(service, ROOM)
    gone(service, address)


def test_whose_key_is_narrowed_to_others_revokes_none_of_what_is_gone(service: Lectern) -> None:
    """Another key of the same client has made it."""
    address = link(service, ROOM, **bearer(key(service, "hall", "schedule:read")))
    narrowed = bearer(key(service, "hall", "schedule:read", resources=["EXTRON-200-DEF"]))
    delete(service, RESOURCE_ID)
    make_round(service)
    problem(service.client.delete(f"{ROOM}/calendar-link", headers=narrowed), 404, "not_found")
    add(service, "EXTRON-100-ABC")
    make_round(service)
    read(service, address)
