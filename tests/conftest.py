"""What tests of several parts share: a database with Lectern's tables, empty."""

from collections.abc import Iterator
from importlib import import_module

import pytest
from sqlmodel import SQLModel

from app.db import Database

for part in ("chains", "resources", "recordings"):
    import_module(f"app.{part}.models")


@pytest.fixture(scope="session", params=["sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where an empty database is. Another kind is another parameter."""
    return f"{request.param}:///{tmp_path_factory.mktemp('database') / 'lectern.db'}"


@pytest.fixture(scope="session")
def shared_database(database_url: str) -> Iterator[Database]:
    """One for all tests: a new engine would compile every statement anew, which takes longer than most tests."""
    database = Database(database_url)
    SQLModel.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def database(shared_database: Database) -> Database:
    with shared_database.write() as session:
        for table in reversed(SQLModel.metadata.sorted_tables):
            session.execute(table.delete())
    return shared_database
