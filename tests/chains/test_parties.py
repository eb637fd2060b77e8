"""Chains of a party: they hold their lanes as one, and it is decided once for all whether they go on."""

import threading
from collections import Counter
from collections.abc import Iterable, MutableMapping
from dataclasses import replace
from time import sleep
from typing import Any

import pytest
from sqlmodel import Session

from app.chains import lanes as lane
from app.chains.parties import SECONDARY, Verdict, decide, standing_of
from app.chains.steps import Call, Context, Done, Failed, Outcome, Retry, Step
from tests.chains.test_lanes import lanes, statuses
from tests.chains.world import STEPS, Crash, House, World, refused, retry
from tests.sampling import sampled

pytestmark = pytest.mark.both_databases


def _free(_session: Session, _chains: object, _at: int) -> Verdict | None:
    return None


@pytest.fixture(autouse=True, params=[0, lane.FEW], ids=["many lanes", "few lanes"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where lanes are many, one stands beside another in all of them at once."""
    monkeypatch.setattr(lane, "FEW", request.param)


@pytest.fixture(autouse=True)
def meeting(house: House) -> None:
    """Before the last step all of a party meet; who is of none, goes on. Then there is no way back."""

    def meet(context: Context[World], _call: Call) -> Outcome:
        with house.database.read() as session:
            standing = standing_of(session, context.chain_id, "meet")
        if standing.is_open:
            return Retry("others are on their way", pause=0.01)
        with house.database.write() as session:
            verdict = decide(session, context.chain_id, "meet", _free)
        if verdict is None:
            return Retry("others are being written", pause=0.01)
        return Done() if verdict["go"] else Failed({"code": SECONDARY, "detail": str(verdict["subject"])})

    step = Step("meet", lambda _: [Call("meet")], meet, announced=True)
    house.steps = [*STEPS[:-1], step, replace(STEPS[-1], final=True)]


def party_of(house: House, *subjects: str, name: str = "party", rooms: tuple[str, ...] = ("room",)) -> dict[str, str]:
    """Their chains' ids."""
    names, given = [step.name for step in house.steps], {"lane": list(rooms)}
    with house.database.write() as session:
        create = house.store().create
        made = {one: create(session, one, "build", names, given, party=name) for one in subjects}
    for place, one in enumerate(subjects):  # one after another: at one moment they would come in any order
        house.sql(
            "UPDATE chain SET next_attempt_at = next_attempt_at - 1 + :n WHERE id = :id", n=place / 100, id=made[one]
        )
    return made


def due(house: House, chain_id: str) -> None:
    house.sql("UPDATE chain SET next_attempt_at = 0 WHERE id = :id", id=chain_id)


def settle(house: House) -> None:
    """Runs all that is due until nothing is, as if all pauses were over."""
    for number in range(100):
        claim = house.store(f"owner-{number}").claim()
        if claim is None:
            house.sql("UPDATE chain SET lease_until = 0")
            house.sql("UPDATE chain SET next_attempt_at = 0 WHERE next_attempt_at >= 0")
            claim = house.store(f"owner-{number}").claim()
        if claim is None:
            return
        try:
            house.engine().run(claim, house.world)
        except Crash:
            continue
    raise AssertionError("they do not end")


# Lanes


def test_what_one_of_them_holds_the_others_share(house: House) -> None:
    house.world.script["make", "thing"] = [retry(1000.0), retry(1000.0)]
    party_of(house, "one", "two")
    assert (house.run(), house.run()) == (False, False)
    assert house.sql("SELECT place, count(*) FROM lane GROUP BY place") == [(1, 2)]
    assert house.world.count("make")["thing"] == 2


def test_a_stranger_waits_until_the_last_of_them_has_ended(house: House) -> None:
    house.world.script["make", "thing"] = [retry(1000.0)]
    party_of(house, "one", "two")
    assert not house.run()
    stranger = house.create("stranger", "room")
    assert not house.run()  # two, which comes to the meeting
    assert not house.run()
    assert house.chain(stranger).waiting_for == "room"
    settle(house)
    assert set(statuses(house).values()) == {"succeeded"}
    calls = [key for verb, key in house.world.calls if verb == "make" and key in ("place", "x")]
    assert calls == ["place", "place", "x", "x", "place", "x"]
    assert lanes(house) == {}


def test_what_one_of_them_held_that_has_ended_the_others_keep(house: House) -> None:
    """Though a stranger came before they did."""
    ids = party_of(house, "one", "two")
    house.world.script["make", "thing"] = [retry(1000.0), retry(1000.0), refused()]
    house.sql("UPDATE chain SET next_attempt_at = next_attempt_at + 1000 WHERE id = :id", id=ids["two"])
    assert not house.run()
    stranger = house.create("stranger", "room")
    assert not house.run()
    due(house, ids["two"])
    assert not house.run()
    due(house, ids["one"])
    assert house.run()
    assert statuses(house) == {"one": "failed", "two": "waiting", "stranger": "queued"}
    assert lanes(house) == {"room": "two"}
    assert house.store().claim() is None
    settle(house)
    assert statuses(house) == {"one": "failed", "two": "failed", "stranger": "succeeded"}
    assert house.chain(stranger).error is None
    assert lanes(house) == {}


def test_a_lane_that_a_stranger_gives_up_lets_all_of_them_in(house: House) -> None:
    house.world.script["make", "thing"] = [retry(1000.0)]
    stranger = house.create("stranger", "room")
    assert not house.run()
    ids = party_of(house, "one", "two")
    assert (house.run(), house.run()) == (False, False)
    assert {house.chain(one).waiting_for for one in ids.values()} == {"room"}
    due(house, stranger)
    assert house.run()
    assert {house.claim().chain_id, house.claim().chain_id} == set(ids.values())
    settle(house)
    assert set(statuses(house).values()) == {"succeeded"}


# The verdict


def test_they_go_on_when_all_have_come(house: House) -> None:
    party_of(house, "one", "two", "three")
    for _ in range(2):
        assert not house.run()
    assert "x" not in house.world.count("make")
    settle(house)
    assert set(statuses(house).values()) == {"succeeded"}
    assert house.world.made() == Counter({"thing": 3, "a": 3, "b": 3, "c": 3})


@pytest.mark.parametrize("key", ["look", "thing", "c"])
def test_one_that_is_refused_takes_all_back(house: House, key: str) -> None:
    party_of(house, "one", "two", "three")
    house.world.script["make", key] = [refused()]
    settle(house)
    assert set(statuses(house).values()) == {"failed"}
    assert house.world.is_empty()
    errors = [house.sql("SELECT error FROM chain WHERE subject = :s", s=one) for one in ("one", "two", "three")]
    assert sum(SECONDARY in str(error) for error in errors) == 2
    assert lanes(house) == {}


def test_one_that_is_asked_to_stop_before_takes_all_back(house: House) -> None:
    ids = party_of(house, "one", "two")
    assert not house.run()
    with house.database.write() as session:
        house.store().ask_to_stop(session, ids["two"])
    settle(house)
    assert statuses(house) == {"one": "failed", "two": "failed"}
    assert house.world.is_empty()


def test_one_that_is_asked_to_stop_after_goes_on_all_the_same(house: House) -> None:
    ids = party_of(house, "one", "two")
    assert (house.run(), house.run()) == (False, True)  # two came last
    with house.database.write() as session:
        house.store().ask_to_stop(session, ids["one"])
    settle(house)
    assert statuses(house) == {"one": "succeeded", "two": "succeeded"}


def test_one_that_is_stuck_takes_the_others_back_and_itself_when_it_is_resumed(house: House) -> None:
    ids = party_of(house, "one", "two")
    house.world.script["make", "thing"] = [retry()]
    house.sql("UPDATE chain SET tried = 1e9 WHERE id = :id", id=ids["one"])
    assert house.run()
    assert statuses(house)["one"] == "stuck"
    settle(house)
    assert statuses(house) == {"one": "stuck", "two": "failed"}
    with house.database.write() as session:
        assert house.store().make_due(session, ids["one"])
    settle(house)
    assert statuses(house) == {"one": "failed", "two": "failed"}
    assert house.world.is_empty()


def test_one_that_is_resumed_before_anybody_gave_up_because_of_it_goes_on(house: House) -> None:
    ids = party_of(house, "one", "two")
    house.world.script["make", "thing"] = [retry()]
    house.sql("UPDATE chain SET tried = 1e9 WHERE id = :id", id=ids["one"])
    assert house.run()
    with house.database.write() as session:
        assert house.store().make_due(session, ids["one"])
    settle(house)
    assert set(statuses(house).values()) == {"succeeded"}


def test_who_is_written_just_now_is_not_waited_for(house: House) -> None:
    """Nor is it passed over: the verdict comes when it can be seen."""
    if house.database.is_sqlite:
        return  # one writes at a time
    ids = party_of(house, "one", "two")
    assert not house.run()
    with house.database.write() as session:
        house.store().lock_chains(session, "one")
        assert not house.run()
        assert standing_of(session, ids["two"], "meet").verdict is None
    settle(house)
    assert set(statuses(house).values()) == {"succeeded"}


# All at once


def work(house: House, number: int, begin: threading.Barrier) -> None:
    mine = house.store(f"owner-{number}")
    engine = house.engine(mine)
    begin.wait()
    idle = 0
    while idle < 60:
        claim = mine.claim()
        if claim is not None:
            idle = -1
            engine.run(claim, house.world)
        idle += 1
        sleep(0.025 if idle else 0)


def stop(house: House, chains: Iterable[str], begin: threading.Barrier) -> None:
    begin.wait()
    for chain_id in chains:
        sleep(0.05)
        with house.database.write() as session:
            house.store().ask_to_stop(session, chain_id)


@pytest.mark.parametrize("trouble", sampled(["asked to stop", "refused", "none"], 3))
def test_eight_owners_at_once_never_decide_differently(
    house: House, logged: list[MutableMapping[str, Any]], trouble: str
) -> None:
    """Twelve parties, strangers in between who want their lanes, and somebody who stops one of each."""
    first, rooms = [], ("a", "b")
    for number in range(12):
        ids = party_of(house, *(f"{number}:{one}" for one in "xyz"), name=f"party {number}", rooms=rooms)
        first += [next(iter(ids.values()))] if trouble == "asked to stop" else []
        house.create(f"stranger {number}", *rooms[number % 2 :])
    if trouble == "refused":
        house.world.script["make", "b"] = [*([None] * 5), refused(), *([None] * 7), refused()]
    begin = threading.Barrier(9)
    threads = [threading.Thread(target=work, args=[house, number, begin]) for number in range(8)]
    threads.append(threading.Thread(target=stop, args=[house, first, begin]))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = statuses(house)
    of_parties = [{found[f"{number}:{one}"] for one in "xyz"} for number in range(12)]
    assert [one for one in of_parties if one not in ({"succeeded"}, {"failed"})] == []
    assert trouble == "refused" or {found[f"stranger {number}"] for number in range(12)} == {"succeeded"}
    assert lanes(house) == {}
    assert [log for log in logged if log["event"] in ("chain_raised", "step_raised", "lease_lost")] == []
