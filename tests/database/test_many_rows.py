"""Many rows in one statement: on every kind of database what is written is what was given, however many they are."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Column, Date, Enum, Float, MetaData, String, Table, event, select
from sqlalchemy.exc import StatementError

from app.database.database import Database
from app.database.many_rows import insert_rows, portions, update_rows
from app.database.types import UtcDateTime
from tests.conftest import Databases

pytestmark = pytest.mark.both_databases


class Kind(StrEnum):
    ONE = "one"
    OTHER = "other"


NOON, EVENING = datetime(2027, 1, 13, 12, tzinfo=UTC), datetime(2027, 1, 13, 18, tzinfo=UTC)
TABLES = MetaData()
THINGS = Table(
    "thing",
    TABLES,
    Column("owner", String, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("kind", Enum(Kind, native_enum=False, values_callable=list)),
    Column("end", UtcDateTime),  # a word of SQL's
    Column("day", Date),
    Column("ratio", Float(53)),
    Column("held", JSON(none_as_null=True)),
    Column("moved", Boolean, default=False),
    Column("changed", UtcDateTime, default=lambda: NOON, onupdate=lambda: EVENING),
)
HERE = timezone(timedelta(hours=-5))


def thing(number: int, **values: Any) -> dict[str, Any]:
    given = {
        "owner": "it's",
        "number": 2**40 + number,
        "kind": Kind.OTHER,
        "end": datetime(2027, 1, 13, 9, 0, 0, 123456, tzinfo=HERE) + timedelta(days=number),
        "day": date(2027, 1, 13),
        "ratio": 0.1 + number,
        "held": {"text": 'ä"\\\u2028😀', "list": [1, None, True, {"deep": 1.5}]},
    }
    return given | values


NOTHING: dict[str, Any] = dict.fromkeys(("kind", "end", "day", "ratio", "held"))


@pytest.fixture
def database(databases: Databases) -> Iterator[Database]:
    with databases.one(with_tables=False) as url:
        made = Database(url)
        TABLES.create_all(made.engine)
        yield made
        made.close()


def written(database: Database) -> list[dict[str, Any]]:
    with database.read() as session:
        return [dict(row._mapping) for row in session.execute(select(THINGS).order_by(THINGS.c.number))]


@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_rows_are_inserted_as_they_are_with_defaults_for_what_is_left_out(database: Database, count: int) -> None:
    rows = [thing(number, **(NOTHING if number % 3 == 1 else {})) for number in range(count)]
    with database.transaction() as connection:
        insert_rows(connection, THINGS, rows)
    assert written(database) == [{**row, "moved": False, "changed": NOON} for row in rows]


@pytest.mark.parametrize("count", [0, 1, 2, 500])
def test_rows_are_updated_where_their_primary_keys_are_and_nowhere_else(database: Database, count: int) -> None:
    changed = [thing(number, **(NOTHING if number % 2 else {"kind": Kind.ONE})) for number in range(count)]
    other = thing(2**20, owner="somebody else")
    with database.transaction() as connection:
        insert_rows(connection, THINGS, [*(thing(number) for number in range(count)), other])
        update_rows(connection, THINGS, [*reversed(changed)])
    assert written(database) == [
        *({**row, "moved": False, "changed": EVENING} for row in changed),
        {**other, "moved": False, "changed": NOON},
    ]


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_not_among_those_that_are_meant_is_left_as_it_is(database: Database, count: int) -> None:
    rows = [thing(number, kind=Kind.ONE if number == 0 else Kind.OTHER) for number in range(count)]
    with database.transaction() as connection:
        insert_rows(connection, THINGS, rows)
        update_rows(connection, THINGS, [{**row, "ratio": 7.0} for row in rows], kind=Kind.OTHER)
    assert [row["ratio"] for row in written(database)] == [rows[0]["ratio"], 7.0][:count]


@pytest.mark.parametrize("text", ["a\u0000b", "a\ud800b", "a\\u0000b"], ids=["NUL", "half a character", "a backslash"])
@pytest.mark.parametrize("count", [1, 2])
def test_json_is_kept_whatever_is_in_it(database: Database, text: str, count: int) -> None:
    """A chain that could not write down what it has come to would try for ever."""
    rows = [thing(number, held={text: [text]}) for number in range(count)]
    with database.transaction() as connection:
        insert_rows(connection, THINGS, rows)
        update_rows(connection, THINGS, [{**row, "ratio": 7.0} for row in rows], owner="it's")
    assert [(row["ratio"], row["held"]) for row in written(database)] == [(7.0, {text: [text]})] * count


def test_on_postgresql_it_is_one_statement_for_any_number_of_rows(database: Database) -> None:
    statements: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        statements.append(statement)

    for numbers in (range(2), range(2, 300)):
        with database.transaction() as connection:
            insert_rows(connection, THINGS, [thing(number) for number in numbers])
    made = [statement for statement in statements if statement.startswith("INSERT")]
    assert len(made) == 2
    assert database.is_sqlite or made[0] == made[1]


@pytest.mark.parametrize("count", [1, 2])
def test_an_instant_without_a_zone_is_none(database: Database, count: int) -> None:
    rows = [thing(number, end=datetime(2027, 1, 13)) for number in range(count)]  # noqa: DTZ001
    with pytest.raises((ValueError, StatementError), match="needs a zone"), database.transaction() as connection:
        insert_rows(connection, THINGS, rows)
    assert written(database) == []


def test_what_no_column_takes_is_refused(database: Database) -> None:
    with pytest.raises((TypeError, StatementError)), database.transaction() as connection:
        insert_rows(connection, THINGS, [thing(number, held={"set": {1}}) for number in range(2)])


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (2, [2]), (3, [3]), (7, [3, 3, 1])])
def test_portions_are_all_values_in_their_order(count: int, sizes: list[int]) -> None:
    found = list(portions(list(range(count)), 3))
    assert ([len(some) for some in found], [one for some in found for one in some]) == (sizes, list(range(count)))
