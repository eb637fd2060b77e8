"""Who refreshes what, and when: one at a time across processes, within a budget, the longest waiting first."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlmodel import col

from app.database.database import Database
from app.database.types import database_now
from app.resources.mirror.refresh import EVERY, FIRST_PER_SECOND, INTEREST, TRIES, Mirror, MirrorClaim
from app.resources.mirror.threads import Refreshers
from app.resources.models import Mirror as Row
from app.resources.models import Occurrence, Resource
from app.resources.rounds import ENTRIES, RESOURCES, UPLOADS, RoundClaim
from app.sandbox.seed.seed import RESOURCE_ID
from tests.resources.mirrored import OTHER_ROOM, Room, room_of
from tests.service import eventually

pytestmark = pytest.mark.both_databases


@pytest.fixture
def room(database: Database) -> Iterator[Room]:
    with room_of(database) as found:
        yield found


LONG_AGO = datetime(2027, 1, 13, tzinfo=UTC)


def mirror(database: Database, owner: str = "one", per_second: float = 1000) -> Mirror:
    return Mirror(database, owner, per_second=per_second)


def now(database: Database) -> float:
    with database.read() as session:
        found: float = session.execute(select(database_now())).scalar_one()
    return found


def add(database: Database, *ids: int, **values: Any) -> None:
    """Resources whose mirrors are in that state; times are seconds from now."""
    at = now(database)
    values = {name: at + value if name.endswith(("_at", "_until")) else value for name, value in values.items()}
    with database.write() as session:
        for number in ids:
            session.add(Resource(id=number, name=str(number), kind="camera"))
        session.flush()
        if values:
            session.execute(update(Row).where(col(Row.resource_id).in_(ids)).values(**values))


def claimed(one: Mirror) -> int | None:
    claim = one.claim()
    return claim.resource_id if claim else None


def due_in(room: Room, resource_id: int = RESOURCE_ID) -> float | None:
    """Seconds until the next refresh; None when none is wanted."""
    due_at = room.row(resource_id).due_at
    return None if due_at is None else due_at - now(room.database)


# What is due


def test_nothing_is_due_that_nobody_asked_for(database: Database) -> None:
    add(database, 1, 2)
    assert claimed(mirror(database)) is None


def test_what_is_asked_for_is_due_and_then_again_after_a_minute(room: Room) -> None:
    room.mirror.ask([RESOURCE_ID])
    claim = room.mirror.claim()
    assert claim is not None
    room.mirror.refresh(room.client, claim)
    assert due_in(room) == pytest.approx(EVERY, abs=5)
    room.mirror.ask([RESOURCE_ID])  # it is fresh
    assert due_in(room) == pytest.approx(EVERY, abs=5)
    assert room.mirror.claim() is None


def test_what_nobody_has_asked_for_in_an_hour_is_left_alone(room: Room) -> None:
    room.mirror.ask([RESOURCE_ID])
    with room.database.write() as session:
        session.execute(update(Row).values(asked_at=now(room.database) - INTEREST - 1))
    room.refresh()
    assert due_in(room) is None
    room.mirror.ask([RESOURCE_ID])
    assert claimed_after_a_pause(room) == RESOURCE_ID


def claimed_after_a_pause(room: Room) -> int | None:
    with room.database.write() as session:
        session.execute(update(Row).values(claimed_at=0.0))
    return claimed(room.mirror)


def test_what_failed_is_due_again_soon_if_it_was_never_seen(room: Room) -> None:
    room.fault("html")
    room.refresh()
    assert due_in(room) == pytest.approx(2, abs=2)
    room.heal()
    room.mirror.ask([RESOURCE_ID])
    room.refresh()
    room.fault("html")
    room.refresh()
    assert due_in(room) == pytest.approx(EVERY, abs=5)


@pytest.mark.parametrize(
    ("asked", "failures", "due"),
    [(INTEREST + 1, 0, EVERY), (INTEREST + 1, TRIES - 1, None), (INTEREST - 60, TRIES - 1, EVERY)],
)
def test_what_fails_for_an_hour_in_which_nobody_asks_is_left_alone(
    room: Room, asked: float, failures: int, due: float | None
) -> None:
    """A change of Lectern's own is looked at until then, whoever asks."""
    room.mirror.ask([RESOURCE_ID])
    room.refresh()
    with room.database.write() as session:
        session.execute(update(Row).values(asked_at=now(room.database) - asked, failures=failures))
    room.fault("html")
    room.refresh()
    assert due_in(room) == (None if due is None else pytest.approx(due, abs=5))
    room.mirror.ask([RESOURCE_ID])
    assert (due_in(room) or 0) <= EVERY


def test_a_change_of_lectern_s_own_sessions_is_due_at_once(room: Room) -> None:
    room.own(1)
    assert claimed(room.mirror) == RESOURCE_ID
    room.refresh()
    assert due_in(room) is None
    with room.database.write() as session:
        session.execute(update(Occurrence).values(status="cancelled"))
    assert claimed_after_a_pause(room) == RESOURCE_ID


def test_the_longest_waiting_comes_first_and_what_is_urgent_before_that(database: Database) -> None:
    add(database, 1, due_at=-10)
    add(database, 2, due_at=-300)
    add(database, 3, due_at=-60)
    add(database, 4)
    add(database, 5, due_at=+10)
    one = mirror(database)
    one.ask([4])
    assert [claimed(one) for _ in range(5)] == [4, 2, 3, 1, None]


# One at a time


def test_a_resource_is_one_process_s_at_a_time(database: Database) -> None:
    add(database, 1, due_at=-10)
    assert [claimed(mirror(database, owner)) for owner in ("one", "two")] == [1, None]


def test_many_that_claim_at_once_get_each_resource_once(database: Database) -> None:
    add(database, *range(1, 21), due_at=-10)
    ready = threading.Barrier(4)

    def take(owner: int) -> list[int | None]:
        one = mirror(database, str(owner))
        ready.wait()
        return [claimed(one) for _ in range(6)]

    with ThreadPoolExecutor(4) as pool:
        taken = [number for numbers in pool.map(take, range(4)) for number in numbers if number]
    assert sorted(taken) == list(range(1, 21))


def test_a_process_that_died_loses_its_resource_after_a_while(database: Database) -> None:
    add(database, 1, due_at=-100, claimed_at=-70, lease_until=+5, owner="dead", fence=3)
    assert mirror(database).claim() is None
    with database.write() as session:
        session.execute(update(Row).values(lease_until=now(database) - 1))
    assert mirror(database).claim() == MirrorClaim(1, 4, 0)


def test_a_process_that_slept_past_its_lease_writes_nothing(room: Room) -> None:
    room.book(2)
    asleep = room.due()
    awake = room.due()
    room.mirror.refresh(room.client, asleep)
    assert (room.shown(), room.row().as_of, room.row().owner) == ([], None, "one")
    room.mirror.refresh(room.client, awake)
    assert len(room.shown()) == 2
    room.fault("html")
    room.mirror.refresh(room.client, asleep)
    assert room.row().failure is None


def test_what_a_chain_changed_meanwhile_is_read_again(room: Room) -> None:
    room.own(2)
    claim = room.due()

    def change(service: str, action: str, phase: str) -> None:
        if (action, phase) == ("list", "after"):
            with room.database.write() as session:
                session.execute(update(Occurrence).values(status="cancelled"))

    room.sandbox.watch = change
    room.mirror.refresh(room.client, claim)
    room.sandbox.watch = None
    assert room.row().as_of is None
    assert (due_in(room) or 0) < -1000
    room.refresh()
    assert room.row().as_of == room.now


# The budget


@pytest.mark.parametrize(("per_second", "at_once"), [(1, 1), (5, 5), (2.5, 2), (0.5, 1)])
def test_all_processes_together_keep_to_the_budget(database: Database, per_second: float, at_once: int) -> None:
    add(database, *range(1, 9), due_at=-100, as_of=LONG_AGO)
    both = [mirror(database, owner, per_second) for owner in ("one", "two")]
    taken = [claimed(both[turn % 2]) for turn in range(10)]
    assert len([number for number in taken if number]) == at_once
    with database.write() as session:
        session.execute(update(Row).values(claimed_at=col(Row.claimed_at) - max(1.0, 1 / per_second)))
    assert claimed(both[1]) is not None


def test_a_first_look_comes_before_all_that_waits_and_is_not_held_up_by_the_budget(database: Database) -> None:
    add(database, *range(1, 4), due_at=-7000, as_of=LONG_AGO)
    add(database, 4, due_at=-100)  # a chain has booked it already
    add(database, 5, 6)
    one = mirror(database, per_second=0.5)
    one.ask([4, 5])
    assert claimed(one) == 4
    one.ask([6])
    one.ask([5])  # again, which takes nobody's place
    assert [claimed(one) for _ in range(3)] == [5, 6, None]
    later(database, 2)
    assert claimed(one) == 1


def later(database: Database, seconds: float) -> None:
    with database.write() as session:
        session.execute(update(Row).values(claimed_at=col(Row.claimed_at) - seconds))


def test_first_looks_have_a_budget_too(database: Database) -> None:
    add(database, *range(1, 51))
    one = mirror(database, per_second=0.5)
    one.ask(range(1, 51))
    assert len([number for _ in range(50) if (number := claimed(one))]) == 2 * FIRST_PER_SECOND
    later(database, 2)
    assert claimed(one) is not None


def test_a_first_look_that_failed_waits_its_turn(database: Database) -> None:
    """Else what can never be read would starve all others."""
    add(database, 1, due_at=-10, failures=1)
    add(database, 2, due_at=-20, as_of=LONG_AGO)
    one = mirror(database)
    one.ask([1])
    assert [claimed(one) for _ in range(2)] == [2, 1]


# The threads


def test_the_threads_refresh_what_is_asked_for_and_stop(room: Room) -> None:
    room.book(2)
    made = []

    def client() -> Any:
        made.append(room.client)
        return room.client

    refreshers = Refreshers(room.mirror, room.rounds, client)
    refreshers.start()
    assert refreshers.alive
    refreshers.ask(RESOURCE_ID)
    assert eventually(lambda: len(room.shown()) == 2)
    assert room.shown(OTHER_ROOM) == []
    refreshers.stop(5)
    assert not refreshers.alive
    assert len(made) == 2


def test_a_stop_s_seconds_are_for_all_threads_together(room: Room) -> None:
    """Each may be waiting for Kaltura."""
    over = threading.Event()

    def client() -> Any:
        over.wait(60)
        return room.client

    refreshers = Refreshers(room.mirror, room.rounds, client, 20)
    refreshers.start()
    began = time.monotonic()
    refreshers.stop(0.5)
    assert time.monotonic() - began < 20 * 0.5
    assert refreshers.alive
    over.set()
    refreshers.stop(20)


def test_a_mistake_of_ours_ends_no_thread(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    refreshers = Refreshers(room.mirror, room.rounds, lambda: room.client, 1)
    failing = threading.Event()

    def mistaken(*_given: object) -> None:
        failing.set()
        raise ZeroDivisionError

    monkeypatch.setattr(room.mirror, "refresh", mistaken)
    refreshers.start()
    refreshers.ask(RESOURCE_ID)
    assert failing.wait(5)
    monkeypatch.undo()
    refreshers.ask(OTHER_ROOM)
    assert eventually(lambda: room.row(OTHER_ROOM).as_of is not None)
    refreshers.stop(5)


@pytest.mark.parametrize("error", [OperationalError(None, None, Exception()), WaitedTooLong()], ids=["cut", "full"])
def test_a_database_that_goes_away_in_the_middle_costs_no_lease(
    room: Room, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    room.mirror.ask([RESOURCE_ID])
    refreshers = Refreshers(room.mirror, room.rounds, lambda: room.client, 1)
    failing = threading.Event()

    def away(*_given: object) -> None:
        failing.set()
        monkeypatch.undo()
        raise error

    monkeypatch.setattr(room.mirror, "refresh", away)
    refreshers.start()
    assert failing.wait(5)
    assert eventually(lambda: room.row().as_of is not None)
    refreshers.stop(5)


def test_nor_does_it_cost_a_round_its_lease(room: Room) -> None:
    room.rounds.ask()
    claim = room.rounds.claim()
    assert claim is not None
    others = [room.rounds.claim() for _ in range(2)]
    assert {claim.name, *(other and other.name for other in others)} == {RESOURCES, ENTRIES, UPLOADS}
    room.rounds.give_back(claim)
    assert room.rounds.claim() == RoundClaim(claim.name, claim.fence + 1)
    room.rounds.give_back(claim)  # it is somebody else's by now
    assert room.rounds.claim() is None


def test_many_resources_are_each_refreshed(room: Room) -> None:
    add(room.database, *range(1, 31))
    room.mirror = Mirror(room.database, "one", per_second=1000, clock=lambda: room.now + timedelta(hours=1))
    refreshers = Refreshers(room.mirror, room.rounds, lambda: room.client)
    refreshers.start()
    for number in range(1, 31):
        refreshers.ask(number)
    assert eventually(lambda: all(room.row(number).as_of for number in range(1, 31)))
    refreshers.stop(5)
