"""Whose findings are whose: another client's are neither listed nor counted, whatever is asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.findings.world import kinds
from tests.keys import bearer, key
from tests.recordings.documents import SINGLE
from tests.service import Json, Lectern, found, lectern, problem
from tests.terms.campus import TERM

READ, WRITE, SCHEDULE = "recordings:read", "recordings:write", "schedule:read"
ROOM, OTHER = "EXTRON-100-ABC", "EXTRON-200-DEF"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    """The registrar's document was refused, and the encoder of another room is in trouble."""
    with lectern(tmp_path_factory.mktemp("findings")) as running:
        registrar = bearer(key(running, "registrar", READ, WRITE))
        for status in (201, 409):
            assert running.client.post("/recordings", json=SINGLE, headers=registrar).status_code == status
        device = bearer(key(running, "device", SCHEDULE, resources=[OTHER]))
        found(running.client.put(f"/resources/{OTHER}/state", json={"state": "error"}, headers=device))
        yield running


def listed(service: Lectern, name: str, *scopes: str, query: Json | None = None, **more: Any) -> list[str]:
    headers = bearer(key(service, name, *scopes, **more))
    return kinds(found(service.client.get("/findings", headers=headers, params=query))["items"])


def test_a_client_sees_its_own_and_an_admin_all(service: Lectern) -> None:
    assert listed(service, "registrar", READ) == ["recording_failed"]
    assert listed(service, "registrar", READ, SCHEDULE) == ["encoder_error", "recording_failed"]
    assert listed(service, "library", READ, WRITE) == []
    assert listed(service, "technician", "admin") == ["encoder_error", "recording_failed"]


@pytest.mark.parametrize(
    "query", [{"resource": ROOM}, {"kind": "recording_failed"}, {"severity": "soon"}, {"limit": 1}]
)
def test_no_filter_shows_anothers(service: Lectern, query: Json) -> None:
    assert listed(service, "library", READ, query=query) == []
    assert listed(service, "technician", "admin", query={"limit": 1}) == ["encoder_error"]


def test_what_is_about_a_resource_is_for_who_may_read_its_schedule(service: Lectern) -> None:
    assert listed(service, "library", READ, SCHEDULE) == ["encoder_error"]
    assert listed(service, "library", READ, SCHEDULE, resources=[OTHER]) == ["encoder_error"]
    assert listed(service, "library", READ, SCHEDULE, resources=[ROOM]) == []


def test_a_client_s_name_in_another_script_does_not_end_its_list(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        client = bearer(key(service, "Hochschule für 音楽", READ, WRITE))
        for term in ("2027S", "2027F"):
            assert service.client.put(f"/terms/{term}", json=TERM, headers=client).status_code == 201
            problem(service.client.post(f"/terms/{term}/plans", json={}, headers=client), 422, "invalid_document")
        first = found(service.client.get("/findings", params={"limit": 1}, headers=client))
        query = {"limit": 1, "cursor": first["next_cursor"]}
        second = found(service.client.get("/findings", params=query, headers=client))
    assert kinds(first["items"] + second["items"]) == ["term_refused", "term_refused"]
    assert first["items"] != second["items"]


def counted(service: Lectern, name: str, *scopes: str, **more: Any) -> dict[str, int]:
    headers = bearer(key(service, name, *scopes, **more))
    rows = found(service.client.get("/resources", headers=headers))["items"]
    one = {row["system_name"]: row["findings"] for row in rows}
    for name, count in one.items():
        assert found(service.client.get(f"/resources/{name}", headers=headers))["findings"] == count
    return {name: count for name, count in one.items() if count}


def test_counts_of_resources_are_of_what_one_may_see(service: Lectern) -> None:
    assert counted(service, "technician", "admin") == {ROOM: 1, OTHER: 1}
    assert counted(service, "registrar", READ, SCHEDULE) == {ROOM: 1, OTHER: 1}
    assert counted(service, "registrar", SCHEDULE) == {OTHER: 1}, "it may not read its client's recordings"
    assert counted(service, "library", READ, SCHEDULE) == {OTHER: 1}
    assert counted(service, "device", SCHEDULE, resources=[ROOM]) == {}


def test_a_key_without_the_scope_is_refused(service: Lectern) -> None:
    problem(service.client.get("/findings", headers=bearer(key(service, "e", SCHEDULE))), 403, "forbidden")
