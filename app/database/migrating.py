"""Brings a database's tables to this version's, by the steps in `migrations/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from app.database.database import Database
from app.database.sqlite import BEGIN_WRITING

MIGRATIONS = Path(__file__).parents[2] / "migrations"
MIGRATION_LOCK = 5_264_361  # any number: one process at a time migrates a PostgreSQL database


def migrate(database: Database) -> None:
    """Brings the database's tables to this version's. Harmless to repeat, and to run in several processes at once.

    Raises ValueError, in words, if they are a newer version's.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection, _alterable(database, connection), connection.begin():
        if database.is_sqlite:
            connection.exec_driver_sql(BEGIN_WRITING)
        else:
            # However long it takes: another process may be at it, and tables may be large.
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        if MigrationContext.configure(connection).get_current_heads() == _newest():
            return
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError:  # it knows of no such revision
            raise ValueError("The database's tables are a newer version's. Run that version of Lectern.") from None


@cache
def _newest() -> tuple[str, ...]:
    """The revision of this version's tables."""
    return tuple(ScriptDirectory(str(MIGRATIONS)).get_heads())


@contextmanager
def _alterable(database: Database, connection: Connection) -> Iterator[None]:
    """SQLite alters a table by copying and dropping it, which rows that refer to it would forbid."""
    driver: Any = connection.connection.driver_connection  # the pragma counts outside a transaction only
    if database.is_sqlite:
        driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        if database.is_sqlite:
            driver.execute("PRAGMA foreign_keys=ON")
