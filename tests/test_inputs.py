"""Inputs and what is answered: the tables in tests/data/inputs*.json, one request a row.

    {"name", "method", "path", "query"?, "headers"?, "body"? or "raw"?,
     "status", "code"?, "pointer"?, "detail_contains"?: [words]}

`raw` is the body as text, each character a byte; `{"repeat": ["d", 65535]}` there, or in `body`, is a long text.
`code`, `pointer` and the words of `detail_contains` are a problem's; of an answer that is none they are those of one of
its `warnings`. In a path `{id}` is a recording that is made for the row of the README's example, and `{occurrence}` its
first session. A row leaves nothing behind that the next could meet.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from httpx2 import Response

from tests.conftest import Databases
from tests.service import PROBLEM, Json, Lectern, lectern

TABLES = sorted(Path(__file__).parent.glob("data/inputs*.json"))
ROWS = [pytest.param(row, id=f"{path.stem}: {row['name']}") for path in TABLES for row in json.loads(path.read_text())]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    with databases.one() as url, lectern(tmp_path_factory.mktemp("inputs"), database_url=url) as service:
        yield service


@pytest.fixture
def service(running: Lectern) -> Iterator[Lectern]:
    yield running
    for recording in running.get("/recordings", limit=100)["items"]:
        if recording["status"] != "cancelled":
            running.client.delete(f"/recordings/{recording['id']}")


def path_of(service: Lectern, row: Mapping[str, Any]) -> str:
    path: str = row["path"]
    if "{id}" in path:
        recording = service.made()["id"]
        (first, *_) = service.get(f"/recordings/{recording}/occurrences")["items"]
        path = path.replace("{id}", recording).replace("{occurrence}", first["id"])
    return path


def written(value: Any) -> Any:
    """With long texts written out."""
    if isinstance(value, dict):
        text, times = value["repeat"] if value.keys() == {"repeat"} else ("", None)
        return {name: written(one) for name, one in value.items()} if times is None else text * times
    return [written(one) for one in value] if isinstance(value, list) else value


def sent(service: Lectern, row: Mapping[str, Any]) -> Response:
    body = written(row.get("raw", "")).encode("latin-1")
    if "body" in row:
        body = json.dumps(written(row["body"])).encode()
    headers = ({"Content-Type": "application/json"} if body else {}) | row.get("headers", {})
    return service.client.request(
        row["method"], path_of(service, row), params=row.get("query"), content=body, headers=headers
    )


def said(shown: Json) -> list[tuple[str, str, str]]:
    """Each code, pointer and detail of an answer."""
    if "code" not in shown:
        return [(one["code"], one.get("pointer", ""), one["detail"]) for one in shown.get("warnings", [])]
    return [
        (shown["code"], "", shown["detail"]),
        *((shown["code"], one["pointer"], one["detail"]) for one in shown.get("errors", [])),
    ]


@pytest.mark.parametrize("row", ROWS)
def test_every_input_is_answered_as_the_tables_say(service: Lectern, row: Mapping[str, Any]) -> None:
    answer = sent(service, row)
    assert answer.status_code == row["status"], answer.text
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == PROBLEM
    if not {"code", "pointer", "detail_contains"} & row.keys():
        return
    found = [
        detail
        for code, pointer, detail in said(answer.json())
        if row.get("code", code) == code and row.get("pointer", pointer) == pointer
    ]
    assert found, answer.text
    words = row.get("detail_contains", [])
    assert any(all(word in detail for word in words) for detail in found), answer.text


def test_the_tables_are_long_enough_and_name_each_row_once() -> None:
    assert len(ROWS) >= 150
    assert len({row.id for row in ROWS}) == len(ROWS)
