"""Chains that earlier versions left, in each state of each operation, come to their right end under this one.

Each operation is tried on both databases in one state: what migrations do to its rows differs from database to
database, what the chain does then does not.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from app.recordings.changing.operations import DEFINITIONS
from tests.chains.stored import STORED, bench, fill_database, fill_sandbox, tables_of
from tests.conftest import Databases
from tests.sampling import in_turn
from tests.service import Json

FILES = sorted(STORED.glob("*/*.json"))


def chains() -> Iterator[tuple[str, Path, str]]:
    for path in FILES:
        for state in json.loads(path.read_text(encoding="utf-8"))["chains"]:
            yield f"{path.parent.name}-{path.stem}-{state}", path, state


ALL = list(chains())
CASES = [
    pytest.param(
        *(path, state),
        id=name,
        marks=[*([pytest.mark.both_databases] if state == "stuck" else []), in_turn(number, 4)],
    )
    for number, (name, path, state) in enumerate(ALL)
]


@pytest.fixture(scope="module")
def tables(databases: Databases) -> Iterator[Callable[[str], str]]:
    """The URL of a database with the tables of a revision, by that: to be copied."""
    with ExitStack() as stack:

        @cache
        def at(revision: str) -> str:
            url = stack.enter_context(databases.one(with_tables=False))
            tables_of(url, revision)
            return url

        yield at


@pytest.mark.parametrize(("path", "state"), CASES)
def test_it_ends_as_it_would_have_ended(
    tmp_path: Path, databases: Databases, tables: Callable[[str], str], path: Path, state: str
) -> None:
    left = json.loads(path.read_text(encoding="utf-8"))
    stored: Json = left["chains"][state]
    url = databases.place.create(tables(left["revision"]))
    fill_database(url, stored)
    with bench(tmp_path, database_url=url) as it:
        fill_sandbox(it.service.sandbox, stored)
        it.run_to_the_end()
        assert it.outcome() == stored["ends"]
    databases.place.drop(url)


def test_each_operation_is_there_as_it_is_begun_interrupted_and_given_up_on() -> None:
    """An operation of this version that is not is to be added by tests/data/chains/make.py."""
    found = {(path.stem, state) for _, path, state in ALL}
    for operation in DEFINITIONS.keys() - {"end_occurrence"}:  # of what runs: it would be over when it is taken up
        states = {state for of, state in found if of == operation}
        assert {"queued", "waiting", "stuck"} <= states, operation
        assert any(state.startswith("running-") for state in states), operation
