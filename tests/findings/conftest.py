from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.findings.world import Told, watched
from tests.service import Lectern


@pytest.fixture
def both(tmp_path: Path, database_url: str) -> Iterator[tuple[Lectern, Told]]:
    with watched(tmp_path, database_url=database_url) as running:
        yield running


@pytest.fixture
def service(both: tuple[Lectern, Told]) -> Lectern:
    return both[0]


@pytest.fixture
def told(both: tuple[Lectern, Told]) -> Told:
    return both[1]
