"""Many rows of one table in a statement that is always the same one.

PostgreSQL takes them as one JSON value. With a parameter for each value it would be another statement for each number
of rows, which its driver and the server read anew each time: of forty sessions that took longer than to write them.
SQLite has no server that reads them; there a statement is prepared once and run for each row.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from typing import Any

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

from app.db import in_utc

Row = Mapping[str, Any]
"""By column. All rows of one call have the same columns; what is left out takes its default."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if connection.dialect.name == "sqlite" or len(rows) < 2:
        if rows:
            connection.execute(_insert(table), rows)
    else:
        connection.execute(_insert_as_json(table, tuple(rows[0])), {"rows": _as_json(rows)})


def update_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Each row's columns beside its primary key are written where that is."""
    if connection.dialect.name == "sqlite" or len(rows) < 2:
        if rows:
            connection.execute(_update(table, tuple(rows[0])), [_prefixed(row) for row in rows])
    else:
        connection.execute(_update_as_json(table, tuple(rows[0])), {"rows": _as_json(rows)})


# Statements are built once: building one costs more than running it.


@cache
def _insert(table: Table) -> Insert:
    return insert(table)


@cache
def _insert_as_json(table: Table, names: tuple[str, ...]) -> Insert:
    return insert(table).from_select(names, select(*_rows_of(table, names).c))


@cache
def _update(table: Table, names: tuple[str, ...]) -> Update:
    given = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    keys = table.primary_key.columns
    return update(table).where(*(key == given.pop(key.name) for key in keys)).values(given)


@cache
def _update_as_json(table: Table, names: tuple[str, ...]) -> Update:
    rows, keys = _rows_of(table, names), table.primary_key.columns
    changes = {name: rows.c[name] for name in names if name not in keys}
    return update(table).where(*(key == rows.c[key.name] for key in keys)).values(changes)


def _rows_of(table: Table, names: Sequence[str]) -> FromClause:
    """The JSON value `rows` as a table with columns like those of `table`."""
    columns = [column(name, table.c[name].type) for name in names]
    found = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    return found.table_valued(*columns).render_derived(name="given", with_types=True)


def _prefixed(row: Row) -> dict[str, Any]:
    """SQLAlchemy keeps the columns' own names for itself."""
    return {f"new_{name}": value for name, value in row.items()}


def _as_json(rows: Sequence[Row]) -> str:
    return json.dumps(rows, default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return in_utc(value).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no {type(value).__name__} in a row")
