from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.database.database import Database
from tests.chains.world import House


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """What is logged meanwhile."""
    with capture_logs() as logs:
        yield logs
