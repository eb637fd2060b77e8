"""Every operation refuses query parameters that it does not take, by name."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Lectern, lectern, pointers, problem

DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi/openapi.json").read_text(encoding="utf-8"))
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_unknown_query_parameter_is_refused_by_name(service: Lectern, method: str, path: str) -> None:
    address = path.replace("{", "").replace("}", "")
    answer = service.client.request(method, address, params={"staus": "failed", "limit ": "1"})
    shown = problem(answer, 422, "invalid_document")
    assert set(pointers(shown)) >= {"/query/limit ", "/query/staus"}


def test_the_refusal_names_what_is_known(service: Lectern) -> None:
    answer = service.client.get("/resources/EXTRON-100-ABC/upcoming?until=2027-01-01")
    shown = problem(answer, 422, "invalid_document")
    assert shown["errors"][0]["detail"].startswith(
        "is not a parameter here; known: cursor, cutoff, from, limit, tag, to"
    )
    shown = problem(service.client.get("/healthz?verbose"), 422, "invalid_document")
    assert shown["errors"] == [{"pointer": "/query/verbose", "detail": "is not a parameter here; there is none"}]


def test_a_poll_with_a_misspelt_parameter_is_no_answer_from_memory(service: Lectern) -> None:
    address = "/resources/EXTRON-100-ABC/upcoming"
    assert service.client.get(address).status_code == 200
    assert service.client.get(address).status_code == 200
    problem(service.client.get(f"{address}?form=2027-01-01T00:00:00Z"), 422, "invalid_document")
