"""SQLite's writes that wait for each other: committed together, and each still whole or not at all."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, MetaData, String, Table, event, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlmodel import Session

import app.database.database
from app.database.database import Database, unavailable

TABLES = MetaData()
NAMES = Table("name", TABLES, Column("name", String, primary_key=True))

Write = Callable[[Session], object]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'together.db'}")
    TABLES.create_all(made.engine)
    yield made
    made.close()


@pytest.fixture
def commits(database: Database) -> list[Connection]:
    """Grows with each commit."""
    found: list[Connection] = []
    event.listen(database.engine, "commit", found.append)
    return found


def add(name: str) -> Write:
    return lambda session: session.execute(insert(NAMES).values(name=name))


def fail(session: Session) -> None:
    add("failed")(session)
    raise ZeroDivisionError


def give_up(session: Session) -> None:
    """As SQLite does it by itself when a disk is full."""
    session.connection().exec_driver_sql("ROLLBACK")


def names(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.execute(select(NAMES.c.name)).scalars())


def together(database: Database, first: Write, *others: Write) -> list[Future[None]]:
    """What became of writes of which the first does not end before the others wait, in this order."""
    begun = threading.Event()

    def write(work: Write, last: bool = True) -> None:
        with database.write() as session:
            begun.set()
            work(session)
            while not last and len(database._line._waiting) < len(others):
                time.sleep(0.001)

    with ThreadPoolExecutor(1 + len(others)) as pool:
        futures = [pool.submit(write, first, last=False)]
        assert begun.wait(5)
        for number, work in enumerate(others):
            futures.append(pool.submit(write, work))
            while len(database._line._waiting) <= number and not futures[0].done():
                time.sleep(0.001)
    return futures


def test_those_who_wait_are_committed_with_the_first(database: Database, commits: list[Connection]) -> None:
    for done in together(database, add("a"), add("b"), add("c"), add("d")):
        done.result()
    assert names(database) == {"a", "b", "c", "d"}
    assert len(commits) == 1
    with database.write() as session:
        add("e")(session)
    assert len(commits) == 2


def test_nobody_has_ended_before_the_commit(database: Database) -> None:
    """What a write that has ended has written, every reader sees."""
    with ThreadPoolExecutor(20) as pool:

        def work(lane: int) -> None:
            for number in range(10):
                with database.write() as session:
                    add(f"{lane}-{number}")(session)
                assert f"{lane}-{number}" in names(database)

        for done in [pool.submit(work, lane) for lane in range(20)]:
            done.result()
    assert len(names(database)) == 200


@pytest.mark.parametrize("failing", [0, 1, 3])
def test_who_fails_takes_nobody_along(database: Database, failing: int) -> None:
    works: list[Write] = [add("a"), add("b"), add("c"), add("d")]
    works[failing] = fail
    ended = together(database, *works)
    with pytest.raises(ZeroDivisionError):
        ended.pop(failing).result()
    for done in ended:
        done.result()
    assert names(database) == {"a", "b", "c", "d"} - {"abcd"[failing]}


def test_what_the_database_refuses_is_refused_to_one_alone(database: Database) -> None:
    first, twice, last = together(database, add("a"), add("a"), add("b"))
    first.result()
    last.result()
    with pytest.raises(IntegrityError):
        twice.result()
    assert names(database) == {"a", "b"}


@pytest.mark.parametrize("giving_up", [0, 1, 2])
def test_a_transaction_that_sqlite_gave_up_is_nobodys_success(database: Database, giving_up: int) -> None:
    """Whoever was in it is told, and nothing of it is there; those who come later are not concerned."""
    works: list[Write] = [add("a"), add("b"), add("c")]
    works[giving_up] = give_up
    told = []
    for done in together(database, *works):
        with pytest.raises(OperationalError) as caught:
            done.result()
        told.append(unavailable(caught.value))
    assert all(told)
    assert names(database) == set()
    with database.write() as session:
        add("later")(session)
    assert names(database) == {"later"}


def test_who_waits_too_long_leaves_the_line(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.database.database, "BUSY_TIMEOUT", 0.05)
    with database.write() as session:
        add("b")(session)
        with pytest.raises(WaitedTooLong), database.write():
            pass
    with database.write() as session:
        add("c")(session)
    assert names(database) == {"b", "c"}
