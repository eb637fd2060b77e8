"""The sweep that follows a chain some outcome of which was unknown: when it begins, and what it is told."""

from collections.abc import Mapping
from typing import Any

import pytest
from sqlmodel import Session, select

from app.chains.engine import Engine
from app.chains.models import Chain, ChainStatus
from app.chains.pauses import Pauses
from app.chains.steps import Call, Context, Definition, Done, Outcome, Step
from tests.chains.world import LOST, STEPS, House, World, refused, retry

pytestmark = pytest.mark.both_databases


def _ended(_session: Session, _subject: str, _status: ChainStatus, _error: Mapping[str, Any] | None) -> None:
    """Nobody is told."""


def _look(_context: Context[World], _call: Call) -> Outcome:
    return Done()


DEFINITIONS = {
    "build": Definition("build", STEPS, _ended, sweep="sweep"),
    "sweep": Definition("sweep", (Step("look", lambda _context: [Call("look")], _look),), _ended),
}

UNSURE = [{"key": "thing", "request": {"of": "one"}}]


def run_to_the_end(house: House, definitions: Mapping[str, Definition[World]] = DEFINITIONS) -> None:
    """The only chain, in which the outcome of making `thing` is unknown for a while."""
    house.world.script["make", "thing"] = [LOST]
    house.create()
    engine = Engine(house.store(), definitions, Pauses(sweep=180.0))
    while not engine.run(house.claim(), house.world):
        house.let_time_pass()


def sweeps(house: House) -> list[Chain]:
    with house.database.read() as session:
        return list(session.exec(select(Chain).where(Chain.operation == "sweep")))


def test_a_sweep_spares_what_a_chain_that_succeeded_has_made(house: House) -> None:
    run_to_the_end(house)
    (sweep,) = sweeps(house)
    assert (sweep.subject, sweep.input["subject"]) == ("sweep:one", "one")
    assert sweep.input["results"]["thing"] == {"thing": 1}
    assert sweep.input["unsure"] == {"thing": UNSURE, "parts": []}


def test_a_sweep_spares_nothing_that_a_chain_that_failed_has_made(house: House) -> None:
    """What its undoing has removed is gone; should it stand there all the same, it goes now."""
    house.world.script["make", "y"] = [refused()]
    run_to_the_end(house)
    assert house.world.is_empty()
    (sweep,) = sweeps(house)
    assert (sweep.input["results"], sweep.input["unsure"]["thing"]) == ({}, UNSURE)


@pytest.mark.parametrize("fails", [False, True])
def test_a_sweep_begins_when_an_index_has_had_time_to_see_all(house: House, fails: bool) -> None:
    if fails:
        house.world.script["make", "y"] = [refused()]
    run_to_the_end(house)
    assert house.store().claim() is None
    house.let_time_pass()
    assert house.claim().subject == "sweep:one"


def test_a_chain_that_knew_all_outcomes_is_followed_by_no_sweep(house: House) -> None:
    house.create()
    assert Engine(house.store(), DEFINITIONS, Pauses(sweep=180.0)).run(house.claim(), house.world)
    assert sweeps(house) == []


def test_a_chain_that_is_stuck_is_swept_after_when_it_has_ended(house: House) -> None:
    """Until then it may adopt what a sweep would remove."""
    house.world.script = {("make", "thing"): [LOST], ("make", "b"): [retry(), retry()]}
    chain_id = house.create()
    engine = Engine(house.store(), DEFINITIONS, Pauses(sweep=180.0))
    while not house.world.count("make")["b"]:
        house.let_time_pass()
        engine.run(house.claim(), house.world)
    house.let_time_pass()
    house.lose_patience()
    assert engine.run(house.claim(), house.world)
    assert (house.chain(chain_id).status, sweeps(house)) == (ChainStatus.STUCK, [])
    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert engine.run(house.claim(), house.world)
    (sweep,) = sweeps(house)
    assert sweep.input["unsure"]["thing"] == UNSURE


def test_a_sweep_is_counted_under_the_subject_s_lock_and_there_before_the_end_is_told(house: House) -> None:
    """Two chains of one subject that end at once would count the same number; who tells holds everybody up."""
    seen = list[tuple[str, int]]()

    def note(what: str, session: Session) -> None:
        seen.append((what, len(session.exec(select(Chain).where(Chain.operation == "sweep")).all())))

    build = Definition(
        "build",
        STEPS,
        lambda session, *_: note("told", session),
        sweep="sweep",
        lock_subject=lambda session, _subject: note("locked", session),
    )
    run_to_the_end(house, {**DEFINITIONS, "build": build})
    assert seen[-2:] == [("locked", 0), ("told", 1)]
