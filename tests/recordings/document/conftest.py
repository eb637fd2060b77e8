from collections.abc import Iterator

import pytest

from app.resources.feed import polling
from tests.conftest import Databases
from tests.service import Lectern, lectern


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a preview finds what is booked."""
    monkeypatch.setattr(polling, "FIRST_WAIT", 30.0)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    """One service for all that leave nothing behind."""
    with databases.one() as url, lectern(tmp_path_factory.mktemp("preview"), database_url=url) as running:
        yield running
