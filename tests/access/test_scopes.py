"""The scope matrix: every operation of the OpenAPI document, asked with every kind of key.

`NEEDS` is the whole of it, written out: a new operation has no place in it, and fails, until somebody decides who may.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from httpx2 import Response

from tests.keys import bearer, key, revoke
from tests.service import Lectern, lectern, problem

READ, WRITE, SCHEDULE, ADMIN = "recordings:read", "recordings:write", "schedule:read", "admin"
CALENDARS = "calendars:write"

NEEDS: dict[str, str | None] = {
    "GET /recordings": READ,
    "GET /recordings/{id}": READ,
    "GET /recordings/{id}/calendar.ics": READ,
    "GET /recordings/{id}/history": READ,
    "GET /recordings/{id}/occurrences": READ,
    "POST /recordings/{id}/calendar-link": READ,  # it gives away what the key may read
    "DELETE /recordings/{id}/calendar-link": READ,
    "POST /recordings": WRITE,
    "POST /recordings/preview": WRITE,
    "POST /recordings/batch": WRITE,
    "GET /recordings/by-reference/{reference_id}": READ,
    "PUT /recordings/by-reference/{reference_id}": WRITE,
    "PATCH /recordings/by-reference/{reference_id}": WRITE,
    "DELETE /recordings/by-reference/{reference_id}": WRITE,
    "PATCH /recordings/{id}": WRITE,
    "DELETE /recordings/{id}": WRITE,
    "POST /recordings/{id}/resume": WRITE,
    "POST /chains/{id}/resume": ADMIN,
    "PATCH /recordings/{id}/occurrences/{occurrence_id}": WRITE,
    "DELETE /recordings/{id}/occurrences/{occurrence_id}": WRITE,
    "POST /recordings/{id}/occurrences/{occurrence_id}/restore": WRITE,
    "GET /notices": READ,
    "GET /findings": READ,
    "GET /resources": SCHEDULE,
    "GET /resources/{id}": SCHEDULE,
    "PUT /resources/{id}/state": SCHEDULE,
    "GET /resources/{id}/upcoming": SCHEDULE,
    "GET /resources/{id}/upcoming.ics": SCHEDULE,
    "POST /resources/{id}/calendar-link": SCHEDULE,
    "DELETE /resources/{id}/calendar-link": SCHEDULE,
    "GET /calendar-links/{token}.ics": None,  # the address is the key
    "GET /calendars": READ,
    "GET /calendars/{name}": READ,
    "PUT /calendars/{name}": CALENDARS,
    "POST /calendars/{name}/preview": CALENDARS,  # it shows what a change would come to for everybody
    "DELETE /calendars/{name}": CALENDARS,
    "GET /terms/{term}": READ,
    "PUT /terms/{term}": WRITE,
    "POST /terms/{term}/plans": WRITE,
    "GET /terms/{term}/plans/{plan_id}": READ,
    "GET /terms/{term}/plans/{plan_id}/items": READ,
    "POST /terms/{term}/plans/{plan_id}/apply": WRITE,
    "GET /terms/{term}/applies/{apply_id}": READ,
    "POST /terms/{term}/applies/{apply_id}/stop": WRITE,
    "POST /terms/{term}/applies/{apply_id}/resume": WRITE,
    "GET /terms/{term}/sections/{section}": READ,
    "PUT /terms/{term}/opt-outs/{who}/{id}": WRITE,
    "DELETE /terms/{term}/opt-outs/{who}/{id}": WRITE,
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /metrics": READ,  # counts alone: a monitoring system need not be an admin
}
UNLISTED = {"/docs", "/static", "/openapi.json"}  # the API's page: whoever reads it learns nothing of anybody's

HOLDS: dict[str, set[str]] = {
    "reader": {READ},
    "writer": {WRITE},
    "reader and writer": {READ, WRITE},
    "registrar": {CALENDARS},
    "encoder": {SCHEDULE},
    "narrowed encoder": {SCHEDULE},
    "admin": {READ, WRITE, SCHEDULE, CALENDARS, ADMIN},
    "given": {READ, WRITE, SCHEDULE, CALENDARS, ADMIN},  # in LECTERN_API_KEYS
}
GIVEN = "given-key-0123456789abcdef0123456789"
DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi/openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("scopes"), api_keys=f"given={GIVEN}") as running:
        yield running


@pytest.fixture(scope="module")
def sent(service: Lectern) -> dict[str, dict[str, str]]:
    """Each kind of key, as it is sent."""
    made = {
        "reader": key(service, "r", READ),
        "writer": key(service, "w", WRITE),
        "reader and writer": key(service, "rw", READ, WRITE),
        "registrar": key(service, "c", CALENDARS),
        "encoder": key(service, "e", SCHEDULE),
        "narrowed encoder": key(service, "n", SCHEDULE, resources=["extron-100-abc"]),
        "admin": key(service, "a", ADMIN),
        "given": GIVEN,
        "revoked": key(service, "a", ADMIN),
    }
    revoke(service, made["revoked"])
    stranger = made["admin"][:17] + "A" * (len(made["admin"]) - 17)
    strangers = {"unknown": "lct_0123456789ab_" + "A" * 43, "another's id": stranger, "another's secret": stranger[:-1]}
    assert stranger.split("_")[1] == made["admin"].split("_")[1]
    return {"none": {}} | {kind: bearer(each) for kind, each in (made | strangers).items()}


def ask(service: Lectern, operation: str, headers: dict[str, str]) -> Response:
    """Whoever may is told that there is no such recording, or that the document is empty. Kaltura stays as it is."""
    method, path = operation.split(" ")
    values = {"id": "EXTRON-100-ABC" if "resources" in path else "rec_0", "occurrence_id": "occ_0"}
    values |= {"reference_id": "r", "token": "t", "name": "c"}
    values |= {"term": "t", "plan_id": "pln_0", "apply_id": "apl_0", "section": "s", "who": "sections"}
    body: Any = {"json": {}} if method in ("POST", "PUT", "PATCH") else {}
    return service.client.request(method, path.format_map(values), headers=headers, **body)


def test_every_operation_has_its_place_here() -> None:
    assert set(OPERATIONS) == set(NEEDS)


def test_every_route_is_an_operation_or_a_page(service: Lectern) -> None:
    """tests/console says who sees which page."""
    operations = {path.split(" ")[1] for path in NEEDS}
    routes = list(iter_route_contexts(service.app.routes))
    assert len(routes) > len(operations)
    for route in routes:
        path = (route.path or "").replace(":path}", "}")
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            assert path in operations
        else:
            is_page = path == "/" or path.startswith(("/console", "/static/console"))
            assert is_page or path in operations | UNLISTED, path


@pytest.mark.parametrize("kind", HOLDS)
def test_a_key_does_what_its_scopes_say_and_nothing_else(
    service: Lectern, sent: dict[str, dict[str, str]], kind: str
) -> None:
    service.calls()
    for operation, scope in NEEDS.items():
        answer = ask(service, operation, sent[kind])
        if scope is None or scope in HOLDS[kind]:
            assert answer.status_code in (200, 201, 204, 404, 422), (operation, answer.text)
        else:
            assert problem(answer, 403, "forbidden")["scope"] == scope, operation
            assert scope in answer.json()["detail"]
    assert service.writes() == []


@pytest.mark.parametrize("kind", ["none", "unknown", "revoked", "another's id", "another's secret"])
def test_without_a_key_that_counts_nothing_is_told(
    service: Lectern, sent: dict[str, dict[str, str]], kind: str
) -> None:
    service.calls()
    for operation, scope in NEEDS.items():
        answer = ask(service, operation, sent[kind])
        if scope is None:
            assert answer.status_code == (404 if "calendar-links" in operation else 200)
        else:
            problem(answer, 401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == 'Bearer realm="lectern", Basic realm="lectern"'
    assert service.writes() == []


@pytest.mark.parametrize("body", [b"{", b"x" * 100_000, b"\xff"])
def test_a_stranger_s_body_is_not_read(service: Lectern, body: bytes) -> None:
    for method, path in (("POST", "/recordings"), ("PATCH", "/recordings/rec_0"), ("PUT", "/nowhere")):
        problem(service.client.request(method, path, content=body), 401, "unauthorized")


@pytest.mark.parametrize("operation", NEEDS)
def test_the_document_tells_each_operation_s_scope(operation: str) -> None:
    scope, shown = NEEDS[operation], OPERATIONS[operation]
    if scope is None:
        assert "security" not in shown
        return
    assert shown["security"] == [{"HTTPBearer": [scope]}, {"HTTPBasic": [scope]}]
    assert {"401", "403", "429"} <= set(shown["responses"])


def test_the_document_tells_how_keys_are_sent() -> None:
    schemes = DOCUMENT["components"]["securitySchemes"]
    assert {name: (way["type"], way["scheme"]) for name, way in schemes.items()} == {
        "HTTPBearer": ("http", "bearer"),
        "HTTPBasic": ("http", "basic"),
    }
