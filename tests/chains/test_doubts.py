"""A refusal that may have left something behind is believed the third time in a row, and looked up each time."""

import pytest

from app.chains.models import ChainStatus
from app.chains.steps import Outcome, Unknown
from tests.chains.world import REFUSAL, House, retry

DOUBT = Unknown("refused, perhaps", refusal=REFUSAL)
OTHER = Unknown("refused, perhaps", refusal={**REFUSAL, "detail": "Something else."})


def test_it_is_believed_the_third_time_and_the_chain_is_undone(house: House) -> None:
    house.world.script["make", "thing"] = [DOUBT] * 3
    house.create()
    chain = house.run_to_the_end()
    assert (chain.status, chain.error) == (ChainStatus.FAILED, {**REFUSAL, "step": "thing"})
    assert house.world.is_empty()
    assert house.world.count("make")["thing"] == 3
    assert house.world.count("find")["thing"] == 3 * 2  # two looks after each, also after the one that is believed


@pytest.mark.parametrize(
    "answers",
    [[DOUBT], [DOUBT] * 2, [DOUBT, DOUBT, OTHER, DOUBT], [DOUBT, DOUBT, retry(), DOUBT, DOUBT]],
    ids=["once", "twice", "another between", "a pause between"],
)
def test_until_then_it_is_tried_again(house: House, answers: list[Outcome]) -> None:
    house.world.script["make", "thing"] = list(answers)
    house.create()
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.count("make")["thing"] == len(answers) + 1


@pytest.mark.parametrize("key", ["x", "look"])
def test_steps_that_look_nothing_up_are_told_as_often(house: House, key: str) -> None:
    house.world.script["make", key] = [DOUBT] * 3
    house.create()
    assert house.run_to_the_end().status == ChainStatus.FAILED
    assert house.world.count("make")[key] == 3
