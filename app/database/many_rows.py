"""Many rows of one table in a statement that is always the same one: they are given as one JSON value.

With a parameter for each value it would be another statement for each number of rows, which SQLAlchemy, the driver
and PostgreSQL put together and read anew each time: of forty sessions that took longer than to write them. A statement
run once for each row is a trip to the server for each, or on SQLite a place in Python that is given up. A single row
has parameters: there is one statement for that, too.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache, partial
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Dialect,
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

Row = Mapping[str, Any]
"""By column, the same ones in all rows of one call; what is left out takes its default. JSON is a list or an object."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if len(rows) == 1:
        connection.execute(_insert_one(table), rows[0])
    elif rows:
        connection.execute(_insert(table, tuple(rows[0]), connection.dialect.name), _as_json(rows, connection.dialect))


def update_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Writes each row's other columns where its primary key is."""
    if len(rows) == 1:
        connection.execute(_update_one(table, tuple(rows[0])), {f"new_{name}": rows[0][name] for name in rows[0]})
    elif rows:
        connection.execute(_update(table, tuple(rows[0]), connection.dialect.name), _as_json(rows, connection.dialect))


# Built once: building a statement costs more than running it.


@cache
def _insert_one(table: Table) -> Insert:
    return insert(table)


@cache
def _insert(table: Table, names: tuple[str, ...], dialect: str) -> Insert:
    return insert(table).from_select(names, select(*_given(table, names, dialect).c))


@cache
def _update_one(table: Table, names: tuple[str, ...]) -> Update:
    given = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names}  # SQLAlchemy needs the names
    return _where_they_are(table, names, given)


@cache
def _update(table: Table, names: tuple[str, ...], dialect: str) -> Update:
    return _where_they_are(table, names, dict(_given(table, names, dialect).c.items()))


def _where_they_are(table: Table, names: Sequence[str], given: Mapping[str, Any]) -> Update:
    keys = table.primary_key.columns
    changes = {name: given[name] for name in names if name not in keys}
    return update(table).where(*(key == given[key.name] for key in keys)).values(changes)


def _given(table: Table, names: Sequence[str], dialect: str) -> FromClause:
    """The parameter `rows` as a table with columns like those of `table`."""
    rows = bindparam("rows", type_=Text)
    if dialect == "sqlite":
        row = func.json_each(rows).table_valued("value")
        return select(*(row.c.value.op("->>")(name).label(name) for name in names)).subquery("given")
    columns = [column(name, table.c[name].type) for name in names]
    return func.json_to_recordset(cast(rows, JSON)).table_valued(*columns).render_derived("given", with_types=True)


def _as_json(rows: Sequence[Row], dialect: Dialect) -> dict[str, str]:
    return {"rows": json.dumps(rows, default=partial(_as_text, dialect.name))}


def _as_text(dialect: str, value: object) -> str:
    """As the database reads it; SQLite keeps instants as text, in this form and without a zone."""
    if isinstance(value, datetime):
        text = in_utc(value).isoformat(" ", "microseconds")
        return text.removesuffix("+00:00") if dialect == "sqlite" else text
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no {type(value).__name__} in a row")
