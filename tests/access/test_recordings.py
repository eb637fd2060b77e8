"""Whose recordings are whose: another client's are not there, whatever is asked; an admin's key sees all."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import inspect, text
from sqlmodel import Session

from app.chains.models import Chain, ChainStatus
from app.database.database import Database
from app.database.types import utc_now
from tests.conftest import Databases
from tests.keys import bearer, key
from tests.recordings.documents import SINGLE
from tests.service import Json, Lectern, epoch, found, lectern, problem

DOCUMENT = {
    "title": "MATH-123",
    "reference_id": "SIS-1",
    "tags": ["mathematics"],
    "resource": "EXTRON-100-ABC",
    "start": "2027-01-13T11:00:00",
    "duration_minutes": 50,
    "recurrence": {"frequency": "daily", "count": 2},
}
BOTH = ("recordings:read", "recordings:write")
GIVEN = "given-key-0123456789abcdef0123456789"


@dataclass(frozen=True)
class Caller:
    """A client with a key of its own."""

    service: Lectern
    key: str

    def __call__(self, method: str, path: str, json: object = None, **headers: str) -> Response:
        body: dict[str, Any] = {} if json is None else {"json": json}
        return self.service.client.request(method, path, headers=bearer(self.key) | headers, **body)


@dataclass(frozen=True)
class House:
    registrar: Caller
    library: Caller
    admin: Caller
    mine: Json  # a recording of the registrar's

    @property
    def path(self) -> str:
        return f"/recordings/{self.mine['id']}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[House]:
    folder, given = tmp_path_factory.mktemp("access"), f"given={GIVEN}"
    with databases.one() as url, lectern(folder, database_url=url, api_keys=given) as service:
        registrar, library, admin = (
            Caller(service, key(service, name, *scopes))
            for name, scopes in (("registrar", BOTH), ("library", BOTH), ("technician", ("admin",)))
        )
        yield House(registrar, library, admin, {})


@pytest.fixture
def house(running: House) -> Iterator[House]:
    """With one recording, the registrar's, which is cancelled at the end."""
    house = replace(running, mine=found(running.registrar("POST", "/recordings", DOCUMENT), 201))
    yield house
    for one in found(house.admin("GET", "/recordings?status=scheduled"))["items"]:
        house.admin("DELETE", f"/recordings/{one['id']}")


def session(house: House) -> str:
    """One of its sessions."""
    sessions = found(house.registrar("GET", f"{house.path}/occurrences"))["items"]
    return f"{house.path}/occurrences/{sessions[1]['id']}"


def patch_of(house: House) -> Json:
    return {"changes": [{"id": house.mine["id"], "patch": {"title": "Taken over"}}]}


def requests(house: House, one: str) -> dict[str, tuple[str, str, object]]:
    """Every way to get at one recording; `one` is the path of one of its sessions."""
    path, reference = house.path, f"/recordings/by-reference/{house.mine.get('reference_id', 'nobody')}"
    return {
        "get by reference": ("GET", reference, None),
        "patch by reference": ("PATCH", reference, {"title": "Taken over"}),
        "cancel by reference": ("DELETE", reference, None),
        "get": ("GET", path, None),
        "occurrences": ("GET", f"{path}/occurrences", None),
        "history": ("GET", f"{path}/history", None),
        "calendar": ("GET", f"{path}/calendar.ics", None),
        "resume": ("POST", f"{path}/resume", None),
        "batch": ("POST", "/recordings/batch", patch_of(house)),
        "move": ("PATCH", one, {"duration_minutes": 20}),
        "cancel one": ("DELETE", one, None),
        "restore": ("POST", f"{one}/restore", None),
        "patch": ("PATCH", path, {"title": "Taken over", "location": None}),
        "cancel": ("DELETE", path, None),
    }


def rows(service: Lectern) -> Mapping[str, list[str]]:
    """What stands in the database of recordings. When a key was used is written at any time."""
    with service.app.state.database.engine.connect() as connection:
        others = {"mirror", "resource", "drift", "alembic_version", "api_key"}
        tables = set(inspect(connection).get_table_names()) - others
        return {name: sorted(map(repr, connection.execute(text(f'SELECT * FROM "{name}"')))) for name in tables}  # noqa: S608


def test_another_client_s_recording_is_not_there_whatever_is_asked(house: House) -> None:
    service = house.library.service
    asked = requests(house, session(house))
    service.calls()
    before = rows(service)
    nobody_s = requests(replace(house, mine={"id": "rec_0"}), session(house).replace(house.mine["id"], "rec_0"))
    for name, (method, path, body) in asked.items():
        theirs, none = (
            problem(house.library(*one), 404, "not_found") for one in ((method, path, body), nobody_s[name])
        )
        assert theirs | {"request_id": ""} == none | {"request_id": ""}, name
    assert rows(service) == before
    assert service.writes() == []


def test_a_key_of_the_environment_resumes_no_chain_of_another_client_s(house: House) -> None:
    """It has every scope, `admin` as well, on what is its own: of others it sees as little as any."""
    service, resume = house.admin.service, "/chains/{}/resume"
    given = Caller(service, GIVEN)
    own = found(given("POST", "/recordings", DOCUMENT | {"on_conflict": "allow"}), 201)
    with service.app.state.database.write() as session:
        for recording in (house.mine, own):
            session.add(
                Chain(
                    id=f"{recording['chain']['id']}s",
                    subject=f"sweep:{recording['id']}",
                    number=1,
                    operation="sweep",
                    status=ChainStatus.SUCCEEDED,
                    input={},
                    next_attempt_at=None,
                    finished_at=utc_now(),
                )
            )
    service.calls()
    before = rows(service)
    nobody_s = problem(given("POST", resume.format("chn_0")), 404, "not_found")
    for end in ("", "s"):
        theirs = problem(given("POST", resume.format(house.mine["chain"]["id"] + end)), 404, "not_found")
        assert theirs | {"request_id": ""} == nobody_s | {"request_id": ""}
        for caller, recording in ((given, own), (house.admin, own), (house.admin, house.mine)):
            problem(caller("POST", resume.format(recording["chain"]["id"] + end)), 409, "nothing_to_resume")
    assert rows(service) == before
    assert service.writes() == []


def test_lists_hold_one_s_own(house: House) -> None:
    theirs = found(house.library("POST", "/recordings", DOCUMENT | {"on_conflict": "allow"}), 201)
    for query in ("", "?reference_id=SIS-1", "?resource=EXTRON-100-ABC", "?tag=mathematics"):
        for caller, wanted in ((house.registrar, {house.mine["id"]}), (house.library, {theirs["id"]})):
            shown = {one["id"] for one in found(caller("GET", f"/recordings{query}"))["items"]}
            assert shown & {house.mine["id"], theirs["id"]} == wanted
        everybody_s = {one["id"] for one in found(house.admin("GET", f"/recordings{query}"))["items"]}
        assert {house.mine["id"], theirs["id"]} <= everybody_s


def test_a_cursor_of_another_s_list_shows_nothing_of_it(house: House) -> None:
    for _ in range(2):
        found(house.registrar("POST", "/recordings", SINGLE | {"on_conflict": "allow"}), 201)
    cursor = found(house.registrar("GET", "/recordings?limit=1"))["next_cursor"]
    assert cursor
    items = found(house.library("GET", f"/recordings?cursor={cursor}"))["items"]
    assert house.mine["id"] not in {one["id"] for one in items}


def test_references_and_idempotency_keys_are_each_client_s_own(house: House) -> None:
    document = DOCUMENT | {"on_conflict": "allow", "title": "Another"}
    put = house.library("PUT", "/recordings/by-reference/SIS-1", document)
    assert found(put, 201)["id"] != house.mine["id"]
    again = {"Idempotency-Key": "k"}
    first = found(house.registrar("POST", "/recordings", SINGLE, **again), 201)
    second = found(house.library("POST", "/recordings", SINGLE | {"on_conflict": "allow"}, **again), 201)
    assert first["id"] != second["id"]
    # An admin's references are its own, too: it changes others' recordings by their ids.
    own = found(house.admin("PUT", "/recordings/by-reference/SIS-1", document), 201)
    assert own["id"] not in {house.mine["id"], put.json()["id"]}


# An admin


def test_an_admin_may_do_all_that_its_owner_may(house: House) -> None:
    for name, (method, path, body) in requests(house, session(house)).items():
        answer = house.admin(method, path, body)
        if name.endswith("by reference"):  # a client's own: who sees all has others' by their ids
            assert answer.json().get("id") != house.mine["id"], (name, answer.text)
            continue
        if name == "resume":  # allowed, and needless
            problem(answer, 409, "nothing_to_resume")
            continue
        assert answer.status_code == 200, (name, answer.text)
    shown = found(house.registrar("GET", house.path))
    assert (shown["title"], shown["status"]) == ("Taken over", "cancelled")


def test_what_an_admin_changes_stays_its_owner_s(house: House) -> None:
    theirs = found(house.registrar("POST", "/recordings", SINGLE | {"reference_id": "r"}), 201)
    taken = problem(house.admin("PATCH", house.path, {"reference_id": "r"}), 409, "reference_in_use")
    assert taken["recording_id"] == theirs["id"]
    found(house.admin("PATCH", house.path, {"reference_id": "new"}))
    assert found(house.registrar("GET", "/recordings?reference_id=new"))["items"][0]["id"] == house.mine["id"]
    assert found(house.admin("DELETE", house.path))["status"] == "cancelled"
    assert found(house.registrar("GET", house.path))["status"] == "cancelled"


def test_an_admin_swaps_rooms_of_two_clients(house: House) -> None:
    theirs = found(house.library("POST", "/recordings", DOCUMENT | {"resource": "EXTRON-200-DEF"}), 201)
    changes = [
        {"id": house.mine["id"], "patch": {"resource": "EXTRON-200-DEF"}},
        {"id": theirs["id"], "patch": {"resource": "EXTRON-100-ABC"}},
    ]
    problem(house.library("POST", "/recordings/batch", {"changes": changes}), 404, "not_found")
    items = found(house.admin("POST", "/recordings/batch", {"changes": changes}))["items"]
    assert [one["resource"]["system_name"] for one in items] == ["EXTRON-200-DEF", "EXTRON-100-ABC"]
    assert found(house.library("GET", f"/recordings/{theirs['id']}"))["resource"]["system_name"] == "EXTRON-100-ABC"


# What stands in the way

SECRET = "Disciplinary hearing"


def hidden(conflicts: list[Json]) -> None:
    """Each says when the room is taken, and not by whose recording."""
    assert conflicts
    for pair in conflicts:
        assert pair["booked"]["title"] is None
        assert pair["booked"]["recording_id"] is None
        assert pair["booked"]["source"] == "lectern"
        assert pair["booked"]["start"] < pair["booked"]["end"]
        assert isinstance(pair["booked"]["event_id"], int)


@pytest.fixture
def taken(house: House) -> House:
    """The registrar's recording has a title that is nobody else's business."""
    found(house.registrar("PATCH", house.path, {"title": SECRET, "reference_id": SECRET}))
    return house


def test_a_preview_does_not_tell_what_another_client_has_there(taken: House) -> None:
    answer = taken.library("POST", "/recordings/preview", DOCUMENT)
    hidden(found(answer)["conflicts"])
    assert SECRET not in answer.text
    for caller in (taken.registrar, taken.admin):
        pairs = found(caller("POST", "/recordings/preview", DOCUMENT | {"reference_id": "x"}))["conflicts"]
        assert {pair["booked"]["title"] for pair in pairs} == {SECRET}
        assert {pair["booked"]["recording_id"] for pair in pairs} == {taken.mine["id"]}


def test_a_refusal_does_not_either_nor_does_what_is_kept_of_it(taken: House) -> None:
    answer = taken.library("POST", "/recordings", DOCUMENT)
    refused = problem(answer, 409, "schedule_conflict")
    hidden(refused["conflicts"])
    kept = taken.library("GET", f"/recordings/{refused['recording_id']}")
    hidden(found(kept)["problem"]["conflicts"])
    history = taken.library("GET", f"/recordings/{refused['recording_id']}/history")
    for told in (answer, kept, history):
        assert SECRET not in told.text
        assert taken.mine["id"] not in told.text


def test_a_change_s_refusal_does_not_either(taken: House) -> None:
    theirs = found(taken.library("POST", "/recordings", DOCUMENT | {"resource": "EXTRON-200-DEF"}), 201)
    move = {"resource": "EXTRON-100-ABC"}
    hidden(problem(taken.library("PATCH", f"/recordings/{theirs['id']}", move), 409, "schedule_conflict")["conflicts"])
    batch = {"changes": [{"id": theirs["id"], "patch": move}]}
    answer = taken.library("POST", "/recordings/batch", batch)
    refused = problem(answer, 409, "schedule_conflict")
    assert {pair["recording_id"] for pair in refused["conflicts"]} == {theirs["id"]}
    hidden(refused["conflicts"])
    assert SECRET not in answer.text


def test_what_is_left_out_does_not_tell_whose_recording_is_in_its_way(taken: House) -> None:
    more = {"frequency": "daily", "count": 3}
    skipping = DOCUMENT | {"reference_id": "skip", "on_conflict": "skip", "recurrence": more}
    told = [taken.library("POST", "/recordings/preview", skipping), taken.library("POST", "/recordings", skipping)]
    path = f"/recordings/{told[1].json()['id']}"
    told += [taken.library("GET", f"{path}/occurrences"), taken.library("GET", f"{path}/history")]
    for answer in told:
        assert answer.status_code < 300, answer.text
        assert SECRET not in answer.text
        assert taken.mine["id"] not in answer.text
    for shown in (told[0].json()["occurrences"], told[2].json()["items"]):
        reasons = [one["reason"] for one in shown if one["status"] == "excluded"]
        assert [reason.startswith("in the way: another booking, ") for reason in reasons] == [True, True]
    own = skipping | {"reference_id": "own"}
    reasons = [one["reason"] for one in found(taken.registrar("POST", "/recordings/preview", own))["occurrences"]]
    assert reasons[0].startswith(f"in the way: '{SECRET}', ")


def test_what_somebody_booked_in_kaltura_is_told(house: House) -> None:
    kaltura = house.library.service.kaltura
    event = kaltura.add_event(
        summary="Faculty meeting", startDate=epoch("2027-05-11T14:00:00Z"), endDate=epoch("2027-05-11T15:00:00Z")
    )
    kaltura.link(event["id"], 562931)
    document = SINGLE | {"start": "2027-05-11T13:00:00", "duration_minutes": 180}
    refused = problem(house.library("POST", "/recordings", document), 409, "schedule_conflict")
    assert [pair["booked"]["title"] for pair in refused["conflicts"]] == ["Faculty meeting"]


# One after another


def test_an_admin_takes_the_turn_of_those_whose_recordings_it_changes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Theirs and its own requests decide by what is there one after another."""
    theirs = found(house.library("POST", "/recordings", DOCUMENT | {"resource": "EXTRON-200-DEF"}), 201)
    taken, write = set[str](), Database.write

    def noted(database: Database, turn: str | Collection[str] | None = None) -> AbstractContextManager[Session]:
        taken.update({turn} if isinstance(turn, str) else turn or ())
        return write(database, turn)

    monkeypatch.setattr(Database, "write", noted)
    changes = [{"id": one["id"], "patch": {"title": "New"}} for one in (house.mine, theirs)]
    for method, path, body, turns in (
        ("PATCH", house.path, {"title": "Newer"}, {"registrar"}),
        ("POST", "/recordings/batch", {"changes": changes}, {"registrar", "library"}),
        ("DELETE", house.path, None, {"registrar"}),
    ):
        taken.clear()
        found(house.admin(method, path, body))
        assert taken == turns
