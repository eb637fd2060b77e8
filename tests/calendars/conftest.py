from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Lectern, lectern


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Lectern]:
    with lectern(tmp_path, database_url=database_url) as running:
        yield running
