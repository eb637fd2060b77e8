"""The OpenAPI document: as the app makes it, as it is committed, and whole enough to be read as a manual."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter
from typer.testing import CliRunner

from app.cli.main import main
from app.http.errors import MEDIA_TYPE
from app.http.fields import In, Out
from app.http.problems import ProblemDocument
from app.recordings.document.document import EXAMPLE, DocumentFields

ROOT = Path(__file__).parents[2]
COMMITTED = json.loads((ROOT / "openapi/openapi.json").read_text(encoding="utf-8"))
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in COMMITTED["paths"].items()
    for method, operation in methods.items()
}
SCHEMAS = COMMITTED["components"]["schemas"]
FREE = {"GET /healthz", "GET /readyz"}
PROBLEM = {"$ref": "#/components/schemas/Problem"}


def test_what_is_committed_is_what_the_app_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment says; and making it opens nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_TIME_ZONE", "Mars/Olympus")
    done = CliRunner().invoke(main, ["openapi"], catch_exceptions=False)
    assert json.loads(done.output) == COMMITTED, "make openapi"
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_written_to_a_file(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["openapi", str(tmp_path / "openapi.json")], catch_exceptions=False)
    assert (tmp_path / "openapi.json").read_text("utf-8") == (ROOT / "openapi/openapi.json").read_text("utf-8")


# Operations


def test_the_operations_of_the_contract_are_there() -> None:
    assert {
        "POST /recordings",
        "GET /recordings",
        "GET /recordings/{id}",
        "GET /recordings/{id}/occurrences",
        "GET /recordings/{id}/history",
        "POST /recordings/{id}/resume",
        "GET /resources",
        "GET /resources/{id}",
        "GET /resources/{id}/upcoming",
        "GET /healthz",
        "GET /readyz",
    } <= set(OPERATIONS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described(name: str) -> None:
    operation = OPERATIONS[name]
    assert re.fullmatch(r"[A-Z][^\n]{3,60}[^.\n]", operation["summary"])
    assert len(operation["description"]) > 30
    assert operation["tags"]


def test_an_operation_s_id_is_its_function_s_name() -> None:
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "app").rglob("*.py"))
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids)
    for each in ids:
        assert len(re.findall(rf"\bdef {each}\(", sources)) >= 1, each


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_parameter_has_a_description_and_an_example(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", []):
        assert parameter["description"], parameter["name"]
        assert parameter["schema"]["examples"], parameter["name"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_problem_is_documented_as_a_problem_and_nothing_else(name: str) -> None:
    for status, answer in OPERATIONS[name]["responses"].items():
        assert answer["description"] not in ("", "Successful Response"), status
        if status >= "400" and (name not in FREE or status == "422"):
            assert list(answer["content"]) == [MEDIA_TYPE], status
            assert answer["content"][MEDIA_TYPE]["schema"] == PROBLEM
            codes = re.findall(r"`([a-z_]+)`: ", answer["description"])
            assert codes, "names its codes"
            assert list(answer["content"][MEDIA_TYPE]["examples"]) == codes, "shows each of them"
        elif "content" in answer:
            assert MEDIA_TYPE not in answer["content"]


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - FREE))
def test_every_problem_that_its_shape_allows_is_documented(name: str) -> None:
    operation = OPERATIONS[name]
    needed = {"422"} | (set() if name == "GET /calendar-links/{token}.ics" else {"401"})  # whatever the query
    if name != "GET /metrics":  # it answers without a database, too
        needed |= {"503"}
    if "{id}" in name:
        needed |= {"404"}
    if "requestBody" in operation:
        needed |= {"413", "415"}
    assert needed <= set(operation["responses"])


@pytest.mark.parametrize(("status", "headers"), [("201", {"Location"}), ("202", {"Location", "Retry-After"})])
def test_scheduling_documents_its_headers(status: str, headers: set[str]) -> None:
    assert set(OPERATIONS["POST /recordings"]["responses"][status]["headers"]) == headers


# Schemas


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_every_reference_leads_somewhere_and_no_schema_is_left_over() -> None:
    found = {reference.removeprefix("#/components/") for reference in references(COMMITTED)}
    examples = {f"examples/{code}" for code in COMMITTED["components"]["examples"]}
    assert found - examples == {f"schemas/{name}" for name in SCHEMAS}


PROPERTIES = [(name, field) for name, schema in SCHEMAS.items() for field in schema.get("properties", {})]


@pytest.mark.parametrize(("name", "field"), PROPERTIES, ids=".".join)
def test_every_field_has_a_description_and_an_example(name: str, field: str) -> None:
    """What is made of other schemas has theirs."""
    shown = SCHEMAS[name]["properties"][field]
    assert re.fullmatch(r"(?s)\S.*[.:]", shown["description"])
    assert shown.get("examples") or list(references(shown))


@pytest.mark.parametrize("name", [name for name, schema in SCHEMAS.items() if "properties" in schema])
def test_every_object_is_described(name: str) -> None:
    assert SCHEMAS[name]["description"]


def unions(node: object) -> Iterator[list[dict[str, Any]]]:
    """What each union is made of; null, and null or blank, are left out."""
    if isinstance(node, dict):
        if "anyOf" in node:
            yield [each for each in node["anyOf"] if each.get("type") not in ("null", ["string", "null"])]
        for inner in node.values():
            yield from unions(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from unions(inner)


def test_each_part_of_a_union_says_in_words_what_it_is() -> None:
    found = [parts for parts in unions(COMMITTED) if len(parts) > 1]
    assert len(found) > 5
    for part in (part for parts in found for part in parts):
        shown = SCHEMAS[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        assert re.search(r"[.]", shown.get("description", "")), part


def test_a_cursor_is_promised_only_where_a_list_takes_one() -> None:
    """Whole lists have the field, and it is null."""
    for name, operation in OPERATIONS.items():
        content = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
        schema = SCHEMAS.get(content.get("schema", {}).get("$ref", "").rpartition("/")[2], {})
        if "next_cursor" in schema.get("properties", {}):
            takes = any(each["name"] in ("cursor", "after") for each in operation.get("parameters", []))
            assert (schema["properties"]["next_cursor"].get("type") != "null") == takes, name


def test_the_example_is_ready_to_execute() -> None:
    body = OPERATIONS["POST /recordings"]["requestBody"]["content"]
    assert list(body) == ["application/json"]
    assert body["application/json"]["schema"] == {"$ref": "#/components/schemas/RecordingDocument"}
    shown = next(iter(body["application/json"]["examples"].values()))["value"]
    assert json.dumps(shown) == json.dumps(EXAMPLE), "in the order of the manual"
    assert SCHEMAS["RecordingDocument"]["examples"] == [EXAMPLE]


def models(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield root
    for child in root.__subclasses__():
        yield from models(child)


EXAMPLES = sorted(
    {
        (f"{model.__name__}.{field}", json.dumps(example))
        for root in (In, Out, DocumentFields, ProblemDocument)
        for model in models(root)
        if not model.__pydantic_generic_metadata__["parameters"]
        for field, info in model.model_fields.items()
        for example in info.examples or []
    }
)
FIELDS: dict[str, Any] = {
    f"{model.__name__}.{field}": info
    for root in (In, Out, DocumentFields, ProblemDocument)
    for model in models(root)
    for field, info in model.model_fields.items()
}


@pytest.mark.parametrize(("field", "example"), EXAMPLES)
def test_every_example_is_one_that_its_field_takes(field: str, example: str) -> None:
    adapter(field).validate_json(example)


@cache
def adapter(field: str) -> TypeAdapter[Any]:
    return TypeAdapter(FIELDS[field].rebuild_annotation())
