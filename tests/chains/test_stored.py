"""Chains that earlier versions left, in each state of each operation, come to their right end under this one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.recordings.changing.operations import DEFINITIONS
from tests.chains.stored import STORED, bench, fill_database, fill_sandbox
from tests.conftest import Databases
from tests.service import Json

pytestmark = pytest.mark.both_databases

FILES = sorted(STORED.glob("*/*.json"))


def chains() -> Iterator[tuple[str, Path, str]]:
    for path in FILES:
        for state in json.loads(path.read_text(encoding="utf-8"))["chains"]:
            yield f"{path.parent.name}-{path.stem}-{state}", path, state


ALL = list(chains())


@pytest.mark.parametrize(("path", "state"), [one[1:] for one in ALL], ids=[name for name, *_ in ALL])
def test_it_ends_as_it_would_have_ended(tmp_path: Path, databases: Databases, path: Path, state: str) -> None:
    left = json.loads(path.read_text(encoding="utf-8"))
    stored: Json = left["chains"][state]
    with databases.one(with_tables=False) as url:
        fill_database(url, left["revision"], stored)
        with bench(tmp_path, database_url=url) as it:
            fill_sandbox(it.service.sandbox, stored)
            it.run_to_the_end()
            assert it.outcome() == stored["ends"]


def test_each_operation_is_there_as_it_is_begun_interrupted_and_given_up_on() -> None:
    """An operation of this version that is not is to be added by tests/data/chains/make.py."""
    found = {(path.stem, state) for _, path, state in ALL}
    for operation in DEFINITIONS:
        states = {state for of, state in found if of == operation}
        assert {"queued", "waiting", "stuck"} <= states, operation
        assert any(state.startswith("running-") for state in states), operation
