"""The database: instants in UTC, its own clock, ids, and transactions that are whole or not at all."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text, update
from sqlalchemy.exc import OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlmodel import Session, col

import app.db
from app.chains.models import Chain
from app.chains.store import Store
from app.db import Database, UtcDateTime, database_now, new_id

TABLES = MetaData()
INSTANTS = Table("instant", TABLES, Column("at", UtcDateTime))
COUNTERS = Table("counter", TABLES, Column("value", Integer))


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'own.db'}")
    TABLES.create_all(database.engine)
    with database.write() as session:
        session.execute(insert(COUNTERS).values(value=0))
    yield database
    database.close()


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
    assert all(made.startswith("rec_") and set(made[4:]) <= set(app.db._ALPHABET) for made in ids)


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


def test_what_is_changed_while_reading_is_lost(own: Database) -> None:
    with own.read() as session:
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
def test_twenty_read_and_write_at_once_and_none_is_lost(own: Database, processes: int) -> None:
    """Databases of the same file stand for processes: they share no lock but SQLite's own."""
    databases = [own, *(Database(str(own.engine.url)) for _ in range(processes - 1))]
    failures: list[Exception] = []

    def work(number: int) -> None:
        for _ in range(10):
            try:
                with databases[number % processes].write() as session:
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


def test_nobody_waits_for_ever(own: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither behind the writes of this process nor behind another's."""
    monkeypatch.setattr(app.db, "BUSY_TIMEOUT", 0.1)
    other = Database(str(own.engine.url))

    def try_to_write(database: Database) -> None:
        with database.write() as session:
            session.execute(update(COUNTERS).values(value=5))

    with own.write() as session:
        session.execute(update(COUNTERS).values(value=1))
        with pytest.raises(WaitedTooLong):
            try_to_write(own)
        with pytest.raises(OperationalError, match="locked"):
            try_to_write(other)
    try_to_write(own)
    try_to_write(other)
    other.close()


def test_sqlite_keeps_what_it_has_committed(own: Database) -> None:
    def pragma(name: str) -> Any:
        with own.read() as session:
            return session.execute(text(f"PRAGMA {name}")).scalar_one()

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2, "FULL: not even a power cut loses a checkpoint"
    assert pragma("foreign_keys") == 1
    assert pragma("busy_timeout") == 5000
