"""Our own mistakes, and a database that fails in the middle: nothing is sent without a durable intent."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, SQLModel

import app.database.database
from app.chains.models import ChainStatus
from app.chains.steps import Call, Context, Done, Outcome, Step
from app.database.database import Database
from tests.chains.world import LOST, SENDINGS, STEPS, House, World, refused, retry

Ctx = Context[World]


class Hook:
    """A hook that raises as often as it is told, and is none the worse for it."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self) -> None:
        self.times -= 1
        if self.times >= 0:
            raise KeyError("a mistake of ours")


def with_hook(kind: str, at: int, raises: Hook) -> Sequence[Step[World]]:
    """The steps, of which the one at `at` calls the hook in its `calls`, `lanes` or `save`."""

    def calls(context: Ctx) -> Sequence[Call]:
        raises()
        return STEPS[at].calls(context)

    def lanes(context: Ctx) -> Sequence[str]:
        raises()
        return ["room"]

    def save(session: Session, context: Ctx) -> None:
        raises()

    given: dict[str, Any] = {"calls": calls, "lanes": lanes, "save": save}
    return [*STEPS[:at], replace(STEPS[at], **{kind: given[kind]}), *STEPS[at + 1 :]]


HOOKS = [("calls", 0), ("calls", 2), ("calls", 4), ("calls", 5), ("lanes", 1), ("save", 0), ("save", 2), ("save", 5)]


@pytest.mark.parametrize(("kind", "at"), HOOKS)
def test_a_hook_that_raises_lets_the_chain_wait(house: House, kind: str, at: int) -> None:
    house.steps = with_hook(kind, at, Hook(2))
    house.create()
    assert not house.run()
    chain = house.chain()
    assert (chain.status, chain.owner) == (ChainStatus.WAITING, None)
    assert house.store().claim() is None, "not before its pause is over"
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
    assert house.statuses() == ["succeeded"] * 6
    assert {row.failures for row in house.rows().values()} == {0}
    assert {row.next_attempt_at for row in house.rows().values()} == {None}


@pytest.mark.parametrize(("kind", "at"), HOOKS)
def test_a_hook_that_goes_on_raising_makes_the_chain_stuck(house: House, kind: str, at: int) -> None:
    house.steps = with_hook(kind, at, Hook(99))
    chain_id = house.create()
    for _ in range(3):
        house.let_time_pass()
        assert not house.run()
    house.let_time_pass()
    house.lose_patience()
    assert house.run()
    chain = house.chain()
    assert chain.status == ChainStatus.STUCK
    assert chain.error is not None
    assert (chain.error["code"], chain.error["detail"]) == (
        "stuck",
        "Lectern made a mistake in this step; its log says more.",
    )
    house.steps = STEPS  # a version that knows better
    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert house.run()
    assert house.world.is_built()


@pytest.mark.parametrize("way", ["build", "undo"])
def test_an_end_that_raises_lets_the_chain_wait(house: House, way: str) -> None:
    if way == "undo":
        house.world.script["make", "y"] = [refused()]
    house.before_end = Hook(2)
    house.create()
    assert not house.run()
    assert house.run_to_the_end().finished_at is not None
    assert house.world.is_empty() if way == "undo" else house.world.is_built()
    assert len([text for text in house.notes() if text.startswith("one ")]) == 1


def test_when_not_even_being_stuck_can_be_said_the_lease_runs_out(house: House) -> None:
    house.world.script["make", "thing"] = [LOST, retry()]
    house.before_end = Hook(2)
    house.create()
    house.lose_patience()
    with pytest.raises(KeyError):
        house.run()
    assert house.store().claim() is None
    house.let_time_pass()
    assert house.run()
    assert house.world.is_built()


def test_what_json_cannot_hold_is_a_mistake_too(house: House) -> None:
    house.world.script["make", "thing"] = [Done(object())]
    house.create()
    assert not house.run()
    assert house.states()["thing"] == "sent"
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()


# The database


def test_a_database_that_is_busy_within_a_step_is_no_mistake_of_ours(house: House, logged: list[Any]) -> None:
    (at,) = (number for number, step in enumerate(STEPS) if step.name == "thing")
    busy = [OperationalError("SELECT 1", None, sqlite3.OperationalError("database is locked"))]

    def send(context: Ctx, call: Call) -> Outcome:
        if busy:
            raise busy.pop()
        return STEPS[at].send(context, call)

    house.steps = [*STEPS[:at], replace(STEPS[at], send=send), *STEPS[at + 1 :]]
    house.create()
    assert not house.run()
    error = house.rows()["thing"].error
    assert error is not None
    assert error["detail"] == "Lectern's database did not answer in time; the step is tried again."
    assert "step_raised" not in [entry["event"] for entry in logged]
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A house with a database file of its own, which is quick to give up when somebody else holds a lock."""
    monkeypatch.setattr(app.database.database, "BUSY_TIMEOUT", 0.05)
    database = Database(f"sqlite:///{tmp_path / 'own.db'}")
    SQLModel.metadata.create_all(database.engine)
    yield House(database)
    database.close()


@pytest.fixture
def other(own: House) -> Iterator[sqlite3.Connection]:
    """Another process with the same file open."""
    connection = sqlite3.connect(str(own.database.engine.url.database), isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


@pytest.mark.parametrize("key", SENDINGS)
def test_locked_after_a_call(own: House, other: sqlite3.Connection, key: str) -> None:
    """Its result is not durable, nor is the next intent: nothing more is sent, and what was done is found."""

    def lock(moment: str) -> None:
        if moment == "done" and own.world.calls[-1] == ("make", key):
            other.execute("BEGIN IMMEDIATE")

    own.create("one", "room")
    own.world.tick = lock
    with pytest.raises(OperationalError):
        own.run()
    assert own.world.calls[-1] == ("make", key)
    other.execute("ROLLBACK")
    own.world.tick = lambda _moment: None
    assert own.states()[key] == "sent"
    assert own.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert own.world.is_built()


def test_row_20_on_a_full_disk_nothing_is_sent_and_reading_goes_on(own: House) -> None:
    engine = own.database.engine
    pages = 10_000_000

    @event.listens_for(engine, "checkout")
    def _limit(connection: Any, _record: object, _proxy: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    big = replace(STEPS[2], calls=lambda _context: [Call("thing", {"of": "x" * 100_000})])
    own.steps = [*STEPS[:2], big, *STEPS[3:]]
    own.create()
    [(pages,)] = own.sql("PRAGMA page_count")
    assert not own.run()
    assert own.world.calls == [("make", "look"), ("make", "place")]
    assert own.chain().status == ChainStatus.WAITING
    with pytest.raises(OperationalError, match="full"):
        own.create("another" * 100_000)
    assert own.chain().subject == "one"

    pages = 10_000_000  # somebody has made room
    assert own.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert own.world.is_built()
    assert own.world.count("make")["thing"] == 1


def test_an_error_of_the_database_tells_no_document(own: House, other: sqlite3.Connection) -> None:
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError) as raised:
        own.create("confidential")
    assert "confidential" not in str(raised.value)
