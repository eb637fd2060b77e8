"""A chain has one owner at a time; who was silent for too long has lost it, and changes nothing more."""

import re
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql
from sqlmodel import SQLModel

from app.chains import store
from app.chains.models import ChainStatus
from app.chains.store import Claim, LeaseLost, latest_chains
from tests.chains.world import NOTES, House, refused, retry

pytestmark = pytest.mark.both_databases


def snapshot(house: House) -> list[list[Any]]:
    tables = [*SQLModel.metadata.sorted_tables, NOTES]
    with house.database.read() as session:
        return [list(session.execute(table.select())) for table in tables]


def test_a_chain_is_claimed_once(house: House) -> None:
    house.create()
    claim = house.claim("first")
    assert house.store("second").claim() is None
    chain = house.chain()
    assert (chain.id, chain.owner, chain.fence) == (claim.chain_id, "first", claim.fence)


def test_twenty_claim_at_once_and_each_chain_has_one_owner(house: House) -> None:
    for number in range(30):
        house.create(str(number))
    claimed: list[Claim] = []
    begin = threading.Barrier(20)

    def work(number: int) -> None:
        mine = house.store(f"owner-{number}")
        begin.wait()
        while (claim := mine.claim()) is not None:
            claimed.append(claim)

    threads = [threading.Thread(target=work, args=[number]) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len({claim.chain_id for claim in claimed}) == 30


def test_on_postgresql_owners_skip_what_others_are_just_claiming() -> None:
    """In a CTE, which locks one row: a plain IN (SELECT … LIMIT 1) may be evaluated again and claim more than one."""
    statement = str(store._CLAIM.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]
    assert re.match(r"WITH due AS\s+\(SELECT .* LIMIT \S+ FOR UPDATE SKIP LOCKED\)", statement, re.DOTALL)
    assert "clock_timestamp" not in statement


def test_who_has_been_due_longest_comes_first(house: House) -> None:
    ids = [house.create(str(number)) for number in range(3)]
    for seconds, chain_id in zip((30, 10, 20), ids, strict=True):
        house.sql("UPDATE chain SET next_attempt_at = :at WHERE id = :id", at=seconds, id=chain_id)
    assert [house.claim().chain_id for _ in ids] == [ids[1], ids[2], ids[0]]


@pytest.mark.parametrize("fast", [timedelta(), timedelta(hours=1), timedelta(hours=-1)], ids=str)
def test_row_21_a_chain_is_taken_over_when_its_lease_has_run_out_whatever_an_owner_s_clock_says(
    house: House, monkeypatch: pytest.MonkeyPatch, fast: timedelta
) -> None:
    monkeypatch.setattr("app.chains.store.utc_now", lambda: datetime.now(UTC) + fast)
    house.create()
    first = house.claim("first")
    seconds = house.seconds_until("lease_until")
    assert house.lease - 1 < seconds <= house.lease
    assert house.store("second").claim() is None
    house.sql("UPDATE chain SET lease_until = lease_until - :lease", lease=house.lease)
    second = house.claim("second")
    assert (second.chain_id, second.fence) == (first.chain_id, first.fence + 1)


@pytest.mark.parametrize("how", ["taken over", "given back", "over"])
def test_an_old_owner_s_checkpoint_changes_nothing(house: House, how: str) -> None:
    house.world.script["make", "thing"] = [retry()]
    house.create("one", "room")
    mine = house.store("stale")
    stale = mine.claim()
    assert stale is not None
    if how == "taken over":
        house.let_time_pass()
        house.claim("second")
    elif how == "given back":
        house.engine(mine).run(stale, house.world)
    else:
        house.engine(mine).run(stale, house.world)
        house.run_to_the_end()
    before, sent = snapshot(house), len(house.world.calls)

    def write() -> None:
        with mine.checkpoint(stale, status=ChainStatus.FAILED) as session:
            mine.end(session, stale, ChainStatus.FAILED, None)

    with pytest.raises(LeaseLost):
        write()
    assert not house.engine(mine).run(stale, house.world)
    mine.renew([stale])
    assert snapshot(house) == before
    assert len(house.world.calls) == sent


def test_nothing_is_sent_by_who_cannot_know_whether_it_still_owns_the_chain(house: House) -> None:
    house.create()
    claim = house.claim()
    claim.valid_until = time.monotonic() - 0.001
    with pytest.raises(LeaseLost):
        claim.guard()


def test_the_guard_stands_before_each_sending_and_each_undoing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.world.script["make", "y"] = [refused()]
    house.create("one", "room")
    events: list[str] = []
    monkeypatch.setattr(Claim, "guard", lambda _claim: events.append("guard"))
    house.world.tick = events.append
    house.run()
    sendings = [number for number, event in enumerate(events) if event == "sending"]
    assert len(sendings) == 8 + 5
    assert all(events[number - 1] == "guard" for number in sendings)


def test_each_checkpoint_renews_the_lease(house: House) -> None:
    house.lease = 30.0
    house.create()
    mine = house.store()
    claim = mine.claim()
    assert claim is not None
    house.sql("UPDATE chain SET lease_until = 1")
    claim.valid_until = time.monotonic()
    with mine.checkpoint(claim):
        pass
    assert claim.valid_until > time.monotonic() + 29
    assert house.store("second").claim() is None


def test_a_heartbeat_keeps_what_is_still_owned_and_nothing_else(house: House) -> None:
    for number in range(3):
        house.create(str(number))
    mine = house.store("first")
    kept, lost, released = (house.claim("first") for _ in range(3))
    house.sql("UPDATE chain SET lease_until = 1 WHERE id = :id", id=lost.chain_id)
    assert house.claim("second").chain_id == lost.chain_id
    with mine.checkpoint(released) as session:
        mine.release(session, released, 0)
    for claim in (kept, lost, released):
        claim.valid_until = 0.0
    house.sql("UPDATE chain SET lease_until = 1 WHERE id = :id", id=kept.chain_id)
    mine.renew([kept, lost, released])
    assert kept.valid_until > time.monotonic() + 29
    assert lost.valid_until == 0.0
    assert released.valid_until == 0.0
    assert house.claim("third").chain_id == released.chain_id, "what was given back is free at once"
    assert house.store("third").claim() is None


def test_a_row_that_others_hold_keeps_no_other_lease_from_being_renewed(house: House) -> None:
    """On PostgreSQL one transaction may hold a chain's row for longer than a lease lasts: nobody waits for it."""
    house.create("held")
    house.create("free")
    mine, held, free = house.store(), house.claim(), house.claim()
    until = free.valid_until
    if house.database.is_sqlite:  # which has one writer
        mine.renew([held, free])
    else:
        with house.database.write() as session:
            mine.lock_chains(session, "held")
            mine.renew([held, free])
    assert free.valid_until > until


def test_a_chain_that_somebody_holds_comes_to_no_checkpoint(house: House) -> None:
    house.create()
    claim, engine = house.claim(), house.engine()
    runs = threading.Thread(target=engine.run, args=[claim, house.world])
    with house.database.write() as session:
        house.store().lock_chains(session, "one")
        runs.start()
        runs.join(0.1)
        assert runs.is_alive()
        assert house.world.calls == []
    runs.join()
    assert house.world.is_built()


def test_a_chain_is_made_in_its_caller_s_transaction(house: House) -> None:
    def change_one_s_mind() -> None:
        with house.database.write() as session:
            house.store().create(session, "one", "build", ["look"], {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_one_s_mind()
    assert house.store().claim() is None
    assert house.sql("SELECT * FROM chain") == house.sql("SELECT * FROM chain_step") == []


def test_the_latest_chain_of_each_subject(house: House) -> None:
    ids = []
    for subject in ("one", "two", "one", "three", "two", "one"):
        ids.append((subject, house.create(subject)))
        time.sleep(0.002)  # ids sort by milliseconds
    with house.database.read() as session:
        latest = latest_chains(session, ["one", "two", "nobody"])
    assert {subject: chain.id for subject, chain in latest.items()} == {"one": ids[5][1], "two": ids[4][1]}
