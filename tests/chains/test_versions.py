"""Chains that another version of Lectern began: they go on with the steps that they were begun with."""

from dataclasses import replace

import pytest

from app.chains.models import ChainStatus
from app.chains.steps import Step
from tests.chains.world import SENDINGS, STEPS, House, World, refused, retry, step_of

pytestmark = pytest.mark.both_databases

MORE: Step[World] = replace(STEPS[0], name="more")
OTHER_VERSIONS: dict[str, tuple[list[Step[World]], list[Step[World]]]] = {  # steps of new chains, retired ones
    "one more at the begin": ([MORE, *STEPS], []),
    "one more in the middle": ([*STEPS[:3], MORE, *STEPS[3:]], []),
    "one more at the end": ([*STEPS, MORE], []),
    "one less": ([*STEPS[:3], *STEPS[4:]], [STEPS[3]]),
    "one more and one less": ([*STEPS[:2], MORE, *STEPS[2:5]], [STEPS[5]]),
    "another order": ([*STEPS[:2], STEPS[3], STEPS[2], *STEPS[4:]], []),
}
UNKNOWN: dict[str, list[Step[World]]] = {
    "renamed": [*STEPS[:3], replace(STEPS[3], name="pieces"), *STEPS[4:]],
    "removed": list(STEPS[:-1]),
    "removed, and done already": list(STEPS[1:]),
}


@pytest.mark.parametrize("version", OTHER_VERSIONS)
@pytest.mark.parametrize("key", SENDINGS)
def test_a_chain_goes_on_with_the_steps_that_it_was_begun_with(house: House, key: str, version: str) -> None:
    house.world.script["make", key] = [retry()]
    house.create("one", "room")
    assert not house.run()
    begun = list(house.rows())
    house.steps, house.retired = OTHER_VERSIONS[version]
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
    assert list(house.rows()) == begun
    assert [done for verb, done in house.world.calls if verb == "make" and done != key] == [
        done for done in SENDINGS if done != key
    ], "in its own order"


@pytest.mark.parametrize("version", OTHER_VERSIONS)
def test_it_is_undone_by_them_too(house: House, version: str) -> None:
    house.world.script = {("make", "y"): [refused()], ("delete", "c"): [retry()]}
    house.create("one", "room")
    assert not house.run()
    house.steps, house.retired = OTHER_VERSIONS[version]
    assert house.run_to_the_end().status == ChainStatus.FAILED
    assert house.world.is_empty()
    assert [key for verb, key in house.world.calls if verb == "delete"] == ["x", "c", "c", "b", "a", "thing"]


@pytest.mark.parametrize("version", [*UNKNOWN, "unknown operation"])
@pytest.mark.parametrize("key", ["thing", "a", "y"])
def test_a_step_that_nobody_knows_is_refused_not_guessed_until_a_version_knows_it(
    house: House, key: str, version: str
) -> None:
    house.world.script["make", key] = [retry()]
    chain_id = house.create("one", "room")
    house.run()
    if version in UNKNOWN:
        house.steps = UNKNOWN[version]
    else:
        house.sql("UPDATE chain SET operation = 'demolish'")
    sent, _ = len(house.world.calls), house.notes()
    house.let_time_pass()
    assert house.run()
    chain = house.chain()
    assert chain.status == ChainStatus.STUCK
    assert chain.error is not None
    assert chain.error["code"] == "internal"
    assert len(house.world.calls) == sent
    assert house.notes() == (["one stuck internal"] if version in UNKNOWN else [])
    assert house.sql("SELECT * FROM lane") == []

    house.steps = STEPS
    house.sql("UPDATE chain SET operation = 'build'")
    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert house.run()
    assert house.world.is_built()


def test_taken_up_between_two_steps_it_takes_its_lanes_again_first(house: House) -> None:
    """It was stuck before its next step had begun, and has handed on what the steps before had taken."""
    house.world.script["make", "place"] = [retry()]
    chain_id = house.create("one", "room")
    house.run()
    house.steps = [replace(STEPS[0], name="renamed")]
    made = '[{"key": "place", "state": "made", "result": 1}]'
    house.sql("UPDATE chain_step SET status = 'succeeded', calls = :made WHERE name = 'place'", made=made)
    house.let_time_pass()
    assert house.run()
    house.world.script["make", "thing"] = [retry(1000.0)]
    house.steps = STEPS
    house.create("two", "room")
    house.run()
    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert not house.run()
    assert house.chain(chain_id).waiting_for == "room"
    assert step_of("thing") not in [name for name, row in house.rows(chain_id).items() if row.attempts]


def test_a_retired_step_has_a_name_of_its_own(house: House) -> None:
    house.retired = STEPS[:1]
    with pytest.raises(ValueError, match="same name"):
        house.engine()
