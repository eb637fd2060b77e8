"""Problems: one shape for everything that goes wrong, and nothing of ours shows through it."""

import ast
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.exceptions import HTTPException
from httpx2 import Client
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.testing import capture_logs

from app.http import errors, problems
from app.http.errors import CATALOGUE, Internal, Problem, responses
from app.http.logs import add_request_ids
from app.http.problems import add_handlers
from tests.client import client_of
from tests.service import Lectern, lectern, problem

SECRET = "swordfish"
KINDS = sorted(CATALOGUE.values(), key=lambda kind: kind.code)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("errors")) as running:
        yield running


@contextmanager
def raising(error: Exception) -> Iterator[Client]:
    """A service whose only address, `/`, raises that."""
    app = FastAPI(redirect_slashes=False)
    add_handlers(app)
    add_request_ids(app)

    @app.get("/")
    def address() -> None:
        raise error

    with client_of(app) as client:
        yield client


# The tree


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_kind_is_rendered_whole(kind: type[Problem]) -> None:
    with raising(kind("What to do.", recording_id="rec_1")) as client:
        answer = client.get("/")
        shown = problem(answer, kind.status, kind.code)
    assert shown["detail"] == "What to do."
    assert shown["recording_id"] == "rec_1"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.get("Retry-After") == (str(kind.retry_after) if kind.retry_after else None)
    assert ("WWW-Authenticate" in answer.headers) == (kind.status == 401)


@pytest.mark.parametrize("kind", [one for one in KINDS if one.status == 422], ids=lambda kind: kind.code)
def test_a_422_always_names_a_place(kind: type[Problem]) -> None:
    """The whole document (RFC 6901: an empty pointer), where nobody knows a part of it."""
    (error,) = kind("What to do.").document()["errors"]
    assert error["detail"] == "What to do."
    assert error["pointer"] == ("/header/Idempotency-Key" if kind.code == "idempotency_key_reused" else "")
    named = [{"pointer": "/start", "detail": "What is wrong there."}]
    assert kind("What to do.", errors=named).document()["errors"] == named


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_kind_has_a_name_of_its_own_and_a_title(kind: type[Problem]) -> None:
    assert re.fullmatch("[a-z]+(_[a-z]+)*", kind.code)
    assert re.fullmatch(r"[A-Z].*[^.]", kind.title)
    assert 400 <= kind.status < 600
    assert kind().detail, "there is always something to read"
    assert sum(other.code == kind.code for other in KINDS) == 1


def test_the_drawing_of_the_tree_is_the_tree() -> None:
    drawn = set(re.findall(r"\b[A-Z][a-z]+[A-Za-z]*\b", (errors.__doc__ or "").split("A problem says")[0]))
    assert {kind.__name__ for kind in KINDS} <= drawn


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_what_is_stored_of_a_problem_is_that_problem(kind: type[Problem]) -> None:
    stored = {"code": kind.code, "detail": "d", "step": "links"}
    again = errors.problem(json.loads(json.dumps(stored)))
    assert type(again) is kind
    assert again.document().items() >= (stored | {"status": kind.status}).items()


def test_operations_document_each_status_once_with_its_codes() -> None:
    found = responses(errors.NotFound, errors.ReferenceInUse, errors.ScheduleConflict)
    assert list(found) == [404, 409]
    assert all(code in found[409]["description"] for code in ("reference_in_use", "schedule_conflict"))
    assert list(found[409]["content"]) == [errors.MEDIA_TYPE]


# The catalogue

ROOT = Path(__file__).parents[2]
OPENAPI = json.loads((ROOT / "openapi/openapi.json").read_text(encoding="utf-8"))
EVERYWHERE = {"headers_too_large", "too_many_connections", "bad_request", "method_not_allowed", "internal"}
# Which stand in a recording, in a part of a batch, or in an item of an apply, alone.
STORED = {"batch_refused", "cancelled", "stale", "stuck"}


def documented() -> set[str]:
    """The codes that some operation may answer with."""
    return {
        code
        for operations in OPENAPI["paths"].values()
        for operation in operations.values()
        for answer in operation["responses"].values()
        if errors.MEDIA_TYPE in answer.get("content", {})
        for code in re.findall(r"`([a-z_]+)`: ", answer["description"])
    }


@cache
def written() -> tuple[set[str], set[str]]:
    """The names, and the codes in `{"code": …}` and `at(…)`, that stand in the service's sources."""
    names, codes = set[str](), set[str]()
    for path in (ROOT / "app").rglob("*.py"):
        if "sandbox" in path.parts or path.name == "errors.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    names.add(name)
                case ast.Dict(keys=keys, values=values):
                    pairs = [(key, value) for key, value in zip(keys, values, strict=True) if key is not None]
                    codes |= {
                        str(value.value)
                        for key, value in pairs
                        if isinstance(key, ast.Constant) and key.value == "code" and isinstance(value, ast.Constant)
                    }
                case ast.Call(func=ast.Name(id="at"), args=[ast.Constant(value=str(code)), *_]):
                    codes.add(code)
    return names, codes


def test_every_code_that_an_operation_answers_is_in_the_catalogue_and_no_other_is() -> None:
    assert documented() | EVERYWHERE | STORED == set(CATALOGUE)


def test_every_code_that_a_chain_ends_with_is_in_the_catalogue() -> None:
    _, codes = written()
    assert {"stuck", "cancelled", "schedule_differs", "category_not_found"} <= codes <= set(CATALOGUE)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_kind_is_used(kind: type[Problem]) -> None:
    names, codes = written()
    assert kind.__name__ in names or kind.code in codes


def test_the_schema_names_every_code() -> None:
    described = OPENAPI["components"]["schemas"]["Problem"]["properties"]["code"]["description"]
    assert set(re.findall("`([a-z_]+)`", described)) == set(CATALOGUE)


def test_the_page_shows_the_catalogue() -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- errors:[^>]*-->\n(.*?)\n<!-- /errors -->", page, re.DOTALL)
    assert shown == problems.table(), "paste what app.http.problems.table() answers"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_kind_says_when_it_comes_and_what_to_do(kind: type[Problem]) -> None:
    for said in (kind.when, kind.advice):
        assert re.fullmatch(r"[A-Z`].*\.", said)
        assert "|" not in said


# What was not foreseen


@pytest.mark.parametrize(
    "error",
    [RuntimeError(SECRET), ValueError(f"ks={SECRET}"), KeyError(SECRET), HTTPException(500, SECRET)],
    ids=lambda error: type(error).__name__,
)
def test_a_mistake_of_ours_shows_nothing_of_itself(error: Exception) -> None:
    with raising(error) as client, capture_logs():
        answer = client.get("/", headers={"X-Request-ID": "mine-1"})
    assert problem(answer, 500, "internal")["request_id"] == "mine-1"
    assert SECRET not in answer.text + str(answer.headers)
    assert Internal.advice == answer.json()["detail"]


def test_a_mistake_in_the_service_itself_is_a_problem_too(service: Lectern) -> None:
    class Broken:
        def read(self) -> None:
            raise RuntimeError(SECRET)

    kept, service.app.state.database = service.app.state.database, Broken()
    try:
        with capture_logs() as logs:
            answer = service.client.get("/recordings")
    finally:
        service.app.state.database = kept
    problem(answer, 500, "internal")
    assert SECRET not in answer.text
    (mistake,) = (line for line in logs if line["event"] == "mistake")
    assert SECRET in str(mistake["exc_info"]), "the log says what it was"


@pytest.mark.parametrize(
    "error", [OperationalError("SELECT 1", {}, Exception(SECRET)), PoolTimeout(SECRET)], ids=lambda e: type(e).__name__
)
def test_a_database_that_does_not_answer_is_a_503(error: Exception) -> None:
    with raising(error) as client:
        answer = client.get("/")
    problem(answer, 503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert SECRET not in answer.text


# Addresses and methods


@pytest.mark.parametrize(
    "path",
    ["/nowhere", "/recordings/", "/resources/", "/recordings/rec_1/nothing", "/recording", "/static/none.js"],
)
def test_an_unknown_address_is_a_404_and_none_is_redirected(service: Lectern, path: str) -> None:
    answer = service.client.get(path, headers={"Host": "evil.example"}, follow_redirects=False)
    problem(answer, 404, "not_found")
    assert "evil" not in str(answer.headers)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/recordings", {"GET", "HEAD", "POST"}),
        ("DELETE", "/recordings", {"GET", "HEAD", "POST"}),
        ("POST", "/recordings/rec_1/history", {"GET", "HEAD"}),
        ("GET", "/recordings/rec_1/resume", {"POST"}),
        ("PUT", "/recordings/rec_1", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("PUT", "/recordings/batch", {"POST"}),
        ("POST", "/resources", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("POST", "/docs", {"GET", "HEAD"}),
        ("POST", "/openapi.json", {"GET", "HEAD"}),
        ("DELETE", "/static/docs.html", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_ones(
    service: Lectern, method: str, path: str, allowed: set[str]
) -> None:
    answer = service.client.request(method, path)
    problem(answer, 405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("status", [400, 403, 404, 406, 418, 500, 503])
def test_what_the_framework_refuses_is_a_problem(status: int) -> None:
    with raising(HTTPException(status, SECRET)) as client:
        answer: Any = client.get("/")
    assert answer.headers["Content-Type"] == errors.MEDIA_TYPE
    assert answer.json()["status"] == answer.status_code
    assert (answer.status_code >= 500) == (status >= 500)
    assert SECRET not in answer.text
