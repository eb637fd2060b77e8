from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import Lectern, lectern


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    with lectern(tmp_path) as running:
        yield running
