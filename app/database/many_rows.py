"""Many rows of one table in a statement that is always the same one; many values in portions.

On PostgreSQL all rows are one JSON value. With a parameter for each value it would be another statement for each
number of rows, and psycopg and PostgreSQL would read it anew each time: of forty occurrences that took longer than to
write them. A statement run once for each row is hardly better there. SQLite is as quick with SQLAlchemy's own way
(decision 136).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    Connection,
    FromClause,
    Insert,
    Table,
    Text,
    Update,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
    update,
)

from app.database.types import in_utc

T = TypeVar("T")
Row = Mapping[str, Any]
"""By column, the same ones in all rows of one call. What is left out takes its default; None is NULL, also as JSON."""


# PostgreSQL keeps these in a column of JSON, and does not take such JSON apart: NUL, and half a character.
_NOT_READ = re.compile(r"\\u0000|[\ud800-\udfff]")


def portions(values: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """All of them, so many at a time: one question takes only so many values."""
    return (values[first : first + size] for first in range(0, len(values), size))


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Writes new rows."""
    if not rows:
        return
    if given := _as_json(connection, rows):
        connection.execute(_insert_all(table, tuple(rows[0])), given)
    else:
        connection.execute(_insert_each(table), rows)


def update_rows(connection: Connection, table: Table, rows: Sequence[Row], **among: Any) -> None:
    """Writes each row's other columns where its primary key is.

    All are among those that have these values in these columns, which an index finds: PostgreSQL cannot know how few
    rows it is given, and would read a table of some ten thousand whole.
    """
    if not rows:
        return
    names, there = (tuple(rows[0]), tuple(among)), {f"among_{name}": value for name, value in among.items()}
    if given := _as_json(connection, rows):
        connection.execute(_update_all(table, *names), given | there)
    else:
        each = [{f"new_{name}": value for name, value in row.items()} | there for row in rows]
        connection.execute(_update_each(table, *names), each)


def _as_json(connection: Connection, rows: Sequence[Row]) -> dict[str, str] | None:
    """The parameter of a statement for all rows; None where SQLAlchemy is to write them by itself."""
    if len(rows) == 1 or connection.dialect.name == "sqlite":
        return None
    text = json.dumps(rows, ensure_ascii=False, default=_as_text)
    return None if _NOT_READ.search(text) else {"rows": text}


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return in_utc(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no {type(value).__name__} in a row")


# Built once: building a statement costs more than running it.


@cache
def _insert_each(table: Table) -> Insert:
    return insert(table)


@cache
def _insert_all(table: Table, names: tuple[str, ...]) -> Insert:
    return insert(table).from_select(names, select(*_given(table, names).c))


@cache
def _update_each(table: Table, names: tuple[str, ...], among: tuple[str, ...]) -> Update:
    given = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}  # SQLAlchemy needs the names
    return _where_they_are(table, names, given, among)


@cache
def _update_all(table: Table, names: tuple[str, ...], among: tuple[str, ...]) -> Update:
    return _where_they_are(table, names, dict(_given(table, names).c.items()), among)


def _where_they_are(table: Table, names: Sequence[str], given: Mapping[str, Any], among: Sequence[str]) -> Update:
    keys = table.primary_key.columns
    changes = {name: given[name] for name in names if name not in keys}
    ours = [table.c[name] == bindparam(f"among_{name}") for name in among]
    return update(table).where(*ours, *(key == given[key.name] for key in keys)).values(changes)


def _given(table: Table, names: Sequence[str]) -> FromClause:
    """The parameter `rows` as a table with columns like those of `table`."""
    columns = [column(name, table.c[name].type) for name in names]
    rows = cast(bindparam("rows", type_=Text), JSON)
    return func.json_to_recordset(rows).table_valued(*columns).render_derived("given", with_types=True)
