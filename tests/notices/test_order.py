"""Notices are numbered by the database: whoever reads on from a number has missed none, however late others commit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from app.access.keys import Client
from app.database.database import Database
from app.notices.models import Notice
from app.notices.reading import KEPT_SECONDS, NoticePage, forget, page
from app.notices.telling import tell
from tests.service import eventually

pytestmark = pytest.mark.both_databases

REGISTRAR, ADMIN = Client("registrar"), Client("ops", sees_all=True)


def told(database: Database, subject: str, client: str | None = "registrar") -> None:
    with database.write() as session:
        tell(session, "recording.changed", client, subject, {})


def read(database: Database, after: str | None = None, client: Client = REGISTRAR, limit: int = 100) -> NoticePage:
    with database.read() as session:
        return page(session, client, after, limit)


def test_a_notice_that_is_committed_late_is_not_skipped(database: Database) -> None:
    """One is told and not yet committed; another, told later, is not seen before it."""
    told_first, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with database.write() as session:
            tell(session, "recording.changed", "registrar", "slow", {})
            told_first.set()
            assert go_on.wait(10)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(slow)
        assert told_first.wait(10)
        second = pool.submit(told, database, "fast")
        seen = [read(database) for _ in range(20)]
        assert not second.done()
        go_on.set()
        first.result()
        second.result()
    assert all(one.items == [] for one in seen)
    with database.read() as session:
        subjects = list(session.execute(select(col(Notice.subject)).order_by(col(Notice.number))).scalars())
    assert subjects == ["slow", "fast"]


def test_many_who_tell_at_once_and_one_who_reads_on_all_the_time(database: Database) -> None:
    found: list[str] = []
    after: str | None = None
    with ThreadPoolExecutor() as pool:
        for number in range(60):
            pool.submit(told, database, f"rec_{number}")

        def all_read() -> bool:
            nonlocal after
            got = read(database, after, limit=7)
            found.extend(one.id for one in got.items)
            after = got.next_cursor
            return len(found) == 60

        eventually(all_read)
    assert len(set(found)) == 60


def test_what_is_rolled_back_was_never_told(database: Database) -> None:
    def undone() -> None:
        with database.write() as session:
            tell(session, "recording.changed", "registrar", "rec_a", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        undone()
    assert read(database).items == []


def test_a_kind_that_there_is_not_is_a_mistake(database: Database) -> None:
    with pytest.raises(ValueError, match=r"recording\.renamed"), database.write() as session:
        tell(session, "recording.renamed", "registrar", "rec_a", {})


def test_each_client_reads_its_own_and_who_sees_all_reads_all(database: Database) -> None:
    for subject, client in (("a", "registrar"), ("b", "library"), ("mirror", None)):
        told(database, subject, client)
    assert [one.client for one in read(database).items] == ["registrar"]
    assert [one.client for one in read(database, client=Client("library")).items] == ["library"]
    assert read(database, client=Client("nobody")).items == []
    assert [one.client for one in read(database, client=ADMIN).items] == ["registrar", "library", None]


def test_old_notices_are_deleted_and_a_cursor_lives_on(database: Database) -> None:
    for subject in "abc":
        told(database, subject)
    first = read(database, limit=1)
    with database.write() as session:
        old = update(Notice).where(col(Notice.subject) != "c")
        session.execute(old.values(told_at=col(Notice.told_at) - KEPT_SECONDS))
    with database.write() as session:
        assert forget(session, 1) == 1
        assert forget(session, 10) == 1
        assert forget(session, 10) == 0
    assert len(read(database).items) == len(read(database, first.next_cursor).items) == 1
