"""The database: instants in UTC, its own clock, ids, and transactions that are whole or not at all."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, event, insert, make_url, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlmodel import Session, col

import app.database.database
from app.chains.models import Chain
from app.chains.store import Store
from app.database import types
from app.database.database import Database, unavailable
from app.database.types import UtcDateTime, database_now, new_id
from tests.conftest import Databases
from tests.postgres import Server

pytestmark = pytest.mark.both_databases

TABLES = MetaData()
INSTANTS = Table("instant", TABLES, Column("at", UtcDateTime))
COUNTERS = Table("counter", TABLES, Column("value", Integer))


@pytest.fixture
def url(databases: Databases) -> Iterator[str]:
    with databases.one(with_tables=False) as found:
        yield found


@pytest.fixture
def own(url: str) -> Iterator[Database]:
    with opened(url) as database:
        yield database


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Database]:
    with opened(f"sqlite:///{tmp_path / 'own.db'}") as database:
        yield database


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    made = postgres.create()
    yield made
    postgres.drop(made)


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """A database with the tables of these tests."""
    database = Database(url)
    TABLES.create_all(database.engine)
    with database.write() as session:
        session.execute(insert(COUNTERS).values(value=0))
    yield database
    database.close()


def change(database: Database, turn: str | None = None) -> None:
    with database.write(turn) as session:
        session.execute(update(COUNTERS).values(value=5))


def value(database: Database) -> int:
    with database.read() as session:
        return int(session.execute(select(COUNTERS.c.value)).scalar_one())


# Instants


@pytest.mark.parametrize("offset", [-8, 0, 5.5, 13])
def test_an_instant_comes_back_as_the_same_one_in_utc(own: Database, offset: float) -> None:
    given = datetime(2027, 1, 13, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=offset)))
    with own.write() as session:
        session.execute(insert(INSTANTS).values(at=given))
    with own.read() as session:
        got = session.execute(select(INSTANTS.c.at)).scalar_one()
    assert got == given
    assert got.tzinfo is UTC


def test_an_instant_may_be_missing_but_never_without_a_zone(own: Database) -> None:
    with own.write() as session:
        session.execute(insert(INSTANTS).values(at=None))
        assert session.execute(select(INSTANTS.c.at)).scalar_one() is None
        with pytest.raises(StatementError, match="needs a zone"):
            session.execute(insert(INSTANTS).values(at=datetime(2027, 1, 13)))  # noqa: DTZ001


def test_instants_sort_and_compare_by_time(own: Database) -> None:
    times = [datetime(2027, 1, 13, hour, tzinfo=timezone(timedelta(hours=hour % 5))) for hour in range(10)]
    with own.write() as session:
        session.execute(insert(INSTANTS), [{"at": at} for at in times])
        assert list(session.execute(select(INSTANTS.c.at).order_by(INSTANTS.c.at)).scalars()) == sorted(times)
        later = session.execute(select(INSTANTS.c.at).where(INSTANTS.c.at > times[4])).scalars()
        assert sorted(later) == sorted(at for at in times if at > times[4])


def test_the_database_tells_the_time(database: Database) -> None:
    with database.read() as session:
        before, now, after = time.time(), session.execute(select(database_now())).scalar_one(), time.time()
    assert before - 0.01 <= now <= after + 0.01


# Ids


def test_ids_sort_by_time_and_never_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({new_id("rec") for _ in range(10_000)}) == 10_000
    instants = [0, 1_700_000_000_000, 1_700_000_000_001, 2_000_000_000_000, 2**48 - 1]
    ids = []
    for at in instants:
        monkeypatch.setattr("time.time_ns", lambda at=at: at * 1_000_000)
        ids.append(new_id("rec"))
    assert ids == sorted(ids)
    assert {len(made) for made in ids} == {30}
    assert all(made.startswith("rec_") and set(made[4:]) <= set(types._ALPHABET) for made in ids)


# Transactions


def test_a_write_is_whole_or_not_at_all(own: Database) -> None:
    def fail() -> None:
        with own.write() as session:
            session.execute(update(COUNTERS).values(value=5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert value(own) == 0
    with own.write() as session:
        session.execute(update(COUNTERS).values(value=7))
        assert value(own) == 0, "nobody sees it before its end"
    assert value(own) == 7


def test_what_is_changed_while_reading_is_lost_or_refused(own: Database) -> None:
    with nullcontext() if own.is_sqlite else pytest.raises(DBAPIError, match="read-only"), own.read() as session:
        session.execute(update(COUNTERS).values(value=5))
    assert value(own) == 0


def test_a_reader_sees_one_state_and_holds_up_nobody(database: Database) -> None:
    def chains(session: Session) -> int:
        return len(session.execute(select(col(Chain.id))).all())

    with database.read() as session:
        assert chains(session) == 0
        with database.write() as other:
            Store(database, "me", 10.0).create(other, "one", "build", ["look"], {})
        assert chains(session) == 0
    with database.read() as session:
        assert chains(session) == 1


@pytest.mark.parametrize("processes", [1, 3])
def test_twenty_read_and_write_in_turn_and_none_is_lost(own: Database, url: str, processes: int) -> None:
    """Databases of the same URL stand for processes: they share no lock but the database's own."""
    databases = [own, *(Database(url) for _ in range(processes - 1))]
    failures: list[Exception] = []

    def work(number: int) -> None:
        for _ in range(10):
            try:
                with databases[number % processes].write("count") as session:
                    seen = session.execute(select(COUNTERS.c.value)).scalar_one()
                    session.execute(update(COUNTERS).values(value=seen + 1))
            except OperationalError as error:
                failures.append(error)

    threads = [threading.Thread(target=work, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert value(own) == 200
    for other in databases[1:]:
        other.close()


def test_nobody_waits_for_ever(own: Database, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither behind the writes of this process nor behind another's."""
    monkeypatch.setattr(app.database.database, "BUSY_TIMEOUT", 0.1)
    other = Database(url)
    with own.write("change") as session:
        session.execute(update(COUNTERS).values(value=1))
        with pytest.raises(WaitedTooLong):
            change(own, "change")
        with pytest.raises(OperationalError, match="lock"):
            change(other, "change")
        with pytest.raises(OperationalError, match="lock"):
            change(other)
    change(own, "change")
    change(other)
    other.close()


def test_sqlite_keeps_what_it_has_committed(on_sqlite: Database) -> None:
    def pragma(name: str) -> Any:
        with on_sqlite.read() as session:
            return session.execute(text(f"PRAGMA {name}")).scalar_one()

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2, "FULL: not even a power cut loses a checkpoint"
    assert pragma("foreign_keys") == 1
    assert pragma("busy_timeout") == 5000
    assert pragma("cache_size") == -512, "KB: 64 connections with 2 MB each would be most of the memory there is"


def test_sqlite_s_new_file_may_be_opened_by_several_at_once(tmp_path: Path) -> None:
    """As by services that start together. Without care each fifth time one is refused: "database is locked"."""

    def opens(url: str, start: threading.Barrier) -> None:
        database = Database(url)
        start.wait()
        with database.read():
            pass
        database.close()

    with ThreadPoolExecutor(3) as pool:
        for number in range(40):
            url, start = f"sqlite:///{tmp_path / str(number)}.db", threading.Barrier(3)
            for opening in [pool.submit(opens, url, start) for _ in range(3)]:
                opening.result()


# PostgreSQL


def test_on_postgresql_only_those_of_one_turn_wait_for_each_other(postgres_url: str) -> None:
    with opened(postgres_url) as own, own.write("one"):
        change(own)
        other = Database(postgres_url)
        change(other, "another")
        other.close()


def test_on_postgresql_who_stops_in_a_transaction_holds_its_locks_for_seconds_only(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And finds, when it wakes, that nothing was changed."""

    def stop_within() -> None:
        with sleeper.write() as session:
            session.execute(update(COUNTERS).values(value=1))
            change(own)  # waits until the sleeper's transaction is over

    with opened(postgres_url) as own:
        monkeypatch.setattr(app.database.database, "IDLE_TIMEOUT", 0.2)
        sleeper = Database(postgres_url)
        with pytest.raises(DBAPIError) as raised:
            stop_within()
        assert unavailable(raised.value)
        assert value(own) == 5
        sleeper.close()


def test_on_postgresql_no_statement_goes_on_for_ever(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.database.database, "STATEMENT_TIMEOUT", 0.1)
    with opened(postgres_url) as own, own.read() as session, pytest.raises(OperationalError, match="timeout"):
        session.execute(text("SELECT pg_sleep(30)"))


def test_on_postgresql_nobody_waits_for_ever_for_a_connection(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.database.database, "CONNECTIONS", 1)
    monkeypatch.setattr(app.database.database, "BUSY_TIMEOUT", 0.1)
    with opened(postgres_url) as own:
        with own.read() as session:
            session.execute(select(COUNTERS.c.value))
            with pytest.raises(WaitedTooLong):
                change(own)
        change(own)


def test_on_postgresql_a_restart_is_survived(postgres: Server, postgres_url: str) -> None:
    with opened(postgres_url) as own:
        for _ in range(2):
            with postgres.away(postgres_url), pytest.raises(OperationalError):
                change(own)
            change(own)
        assert value(own) == 5


def test_on_postgresql_what_the_url_says_comes_first(postgres_url: str) -> None:
    given = make_url(postgres_url).update_query_dict({"application_name": "mine", "options": "-c work_mem=5MB"})
    database = Database(given.render_as_string(hide_password=False))
    with database.read() as session:
        shown = [session.execute(text(f"SHOW {name}")).scalar_one() for name in ("application_name", "work_mem")]
    database.close()
    assert shown == ["mine", "5MB"]


# What must not be told, and what must be in order


def test_an_error_names_no_value(own: Database) -> None:
    with pytest.raises(DBAPIError) as caught, own.write() as session:
        session.execute(text("SELECT :said FROM no_such_table"), {"said": "a lecturer's name"})
    assert "no_such_table" in str(caught.value)
    assert "lecturer" not in str(caught.value)


def test_its_address_is_told_without_a_secret() -> None:
    """`lectern keys create` says where a key was made."""
    for given in (
        "postgresql+psycopg://lectern:swordfish@db.campus.example/lectern?sslmode=require",
        "postgresql+psycopg:///lectern?host=db.campus.example&user=lectern&password=swordfish&sslpassword=swordfish",
    ):
        database = Database(given)
        assert "swordfish" not in database.address
        assert "db.campus.example" in database.address
        database.close()


def test_turns_are_taken_in_order_so_that_nobody_waits_in_a_ring(postgres_url: str) -> None:
    names, taken = [f"client-{number:02}" for number in range(20)], list[str]()

    def note(_connection: object, _cursor: object, statement: str, values: Any, *_more: object) -> None:
        if "pg_advisory_xact_lock" in statement:
            taken.append(values["turn"])

    with opened(postgres_url) as database:
        event.listen(database.engine, "before_cursor_execute", note)
        for turns in (names, names[::-1], set(names)):
            taken.clear()
            with database.write(turns):
                assert taken == names
