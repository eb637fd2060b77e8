"""What tables and statements share: instants in UTC, the database's clock, INSERT … ON CONFLICT, and ids."""

import secrets
import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Float, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. Takes aware date-times only and returns them in UTC, also on SQLite, which keeps no zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


def in_utc(instant: datetime) -> datetime:
    """Raises ValueError for a date-time without a zone, which is none."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return instant.astimezone(UTC)


class database_now(FunctionElement[float]):  # noqa: N801 - reads as a SQL function
    """The database's clock, in seconds since 1970: leases and back-off mean the same to every process."""

    type = Float(53)
    inherit_cache = True


@compiles(database_now, "sqlite")
def _now_sqlite(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "postgresql")
def _now_postgresql(element: database_now, compiler: SQLCompiler, **kw: Any) -> str:
    # Not clock_timestamp(), which is volatile and would keep indexes from being used.
    return "extract(epoch from statement_timestamp())::float8"


KINDS = ("sqlite", "postgresql")


def insert(kind: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """One that has `on_conflict_do_…`, which SQLAlchemy has for each kind of database alone."""
    return sqlite.insert(table) if kind == "sqlite" else postgresql.insert(table)


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


_PAIRS = [one + other for one in _ALPHABET for other in _ALPHABET]  # of digits, for 10 bits


def new_id(prefix: str) -> str:
    """`<prefix>_` and 26 characters that sort by time of making: 48 bits of milliseconds, 80 random ones."""
    number = milliseconds() << 80 | secrets.randbits(80)
    return prefix + "_" + "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def milliseconds() -> int:
    """The host's clock since 1970: for what is noted so often that a date-time would cost too much."""
    return time.time_ns() // 1_000_000


def utc_now() -> datetime:
    return datetime.now(UTC)
