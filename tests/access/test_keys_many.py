"""Thousands of keys cost nothing: a process reads those that have changed since it last looked."""

import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, insert, text, update
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, SQLModel

from app.access import keys
from app.access.keys import ApiKey, Keys
from app.database.counters import Counter, last
from app.database.database import Database
from app.database.types import utc_now
from tests.service import settings

pytestmark = pytest.mark.both_databases

MANY = 10_000


@pytest.fixture
def known(tmp_path: Path, database: Database) -> Keys:
    return Keys(settings(tmp_path), database, sandboxed=True)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with the id of each key that is read."""
    found, real = list[str](), keys._client

    def note(key_id: str, *given: Any) -> keys.Client:
        found.append(key_id)
        return real(key_id, *given)

    monkeypatch.setattr(keys, "_client", note)
    return found


def made(database: Database) -> tuple[str, str]:
    """A new key's id, and the key."""
    with database.write() as session:
        row, key = keys.create(session, "registrar", ["recordings:read"])
    return row.id, key


def test_of_ten_thousand_keys_those_that_changed_are_read(database: Database, known: Keys, read: list[str]) -> None:
    row = {"name": "old", "digest": "", "scopes": ["admin"], "created_at": utc_now(), "change": 0}
    with database.write() as session:
        table = SQLModel.metadata.tables["api_key"]
        session.execute(insert(table), [{"id": f"{number:x}", **row} for number in range(MANY)])
    first_id, first = made(database)
    known.look()
    assert len(read) == MANY + 1
    read.clear()

    sent = list[str]()
    event.listen(database.engine, "before_cursor_execute", seen := lambda *given: sent.append(given[2]))
    for _ in range(5):
        known.look()
    event.remove(database.engine, "before_cursor_execute", seen)
    assert not [statement for statement in sent if "api_key." in statement], "nothing has changed"

    second_id, second = made(database)
    known.look()
    assert read == [second_id]
    with database.write() as session:
        keys.revoke(session, first_id)
    known.look()
    assert read == [second_id], "a revoked one is not read, only dropped"
    assert (known.owner(first), getattr(known.owner(second), "name", None)) == (None, "registrar")
    assert known.count == MANY + 1


def test_what_two_make_at_once_is_seen_whichever_ends_first(database: Database, known: Keys) -> None:
    """Numbers become visible in their order: nobody's key is passed by."""
    if database.is_sqlite:
        return  # writes are one after another anyway

    def quick() -> None:
        with database.write() as session:
            session.execute(text("SET LOCAL lock_timeout = 100"))  # milliseconds
            keys.create(session, "quick", ["admin"])

    known.look()
    with database.write() as session:
        keys.create(session, "slow", ["admin"])
        with pytest.raises(OperationalError, match="lock timeout"):
            quick()
    quick()
    known.look()
    assert known.count == 2


def test_a_look_that_began_earlier_undoes_nothing(
    database: Database, known: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def slow(session: Session, name: str) -> int:
        number = last(session, name)
        if not begun.is_set():
            begun.set()
            goes_on.wait(10.0)
        return number

    monkeypatch.setattr(keys, "last", slow)
    looks = [threading.Thread(target=known.look) for _ in range(2)]
    looks[0].start()
    assert begun.wait(10.0)
    _, key = made(database)
    looks[1].start()
    looks[1].join(0.3)  # it may wait for the first one
    goes_on.set()
    for look in looks:
        look.join()
    assert known.owner(key)
    assert not known.is_open


def test_after_a_backup_was_put_back_all_are_read_anew(database: Database, known: Keys) -> None:
    _, lost = made(database)
    kept_id, kept = made(database)
    known.look()
    with database.write() as session:
        session.execute(delete(ApiKey).where(ApiKey.__table__.c.id != kept_id))  # type: ignore[attr-defined]
        session.execute(update(Counter).values(value=1))
    known.look()
    assert known.owner(lost) is None
    assert known.owner(kept)
    assert not known.is_open


def test_a_service_is_open_until_there_was_a_key(database: Database, known: Keys) -> None:
    known.look()
    assert known.is_open
    key_id, _ = made(database)
    known.look()
    assert not known.is_open
    with database.write() as session:
        keys.revoke(session, key_id)
        keys.revoke(session, key_id)
    known.look()
    assert not known.is_open
    assert known.count == 0
