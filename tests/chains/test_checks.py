"""A step's check is asked before the first of its calls, once in each run; and what no trying again would help."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from app.chains.models import ChainStatus
from app.chains.steps import Call, Done, Failed, Outcome, Step, Unknown
from tests.chains.world import REFUSAL, STEPS, THINGS, TIES, Crash, Ctx, House, refused, retry

FOREIGN = {"code": "not_ours", "detail": "Not ours."}


class Asked(list[tuple[str, ...]]):
    """What the checks were asked about, in order; `answers` are those to give first."""

    answers: list[Outcome | BaseException]

    def check(self, _context: Ctx, calls: Sequence[Call]) -> Outcome:
        self.append(tuple(call.key for call in calls))
        answer = self.answers.pop(0) if self.answers else Done()
        if isinstance(answer, BaseException):
            raise answer
        return answer


def checked(asked: Asked, *names: str, final: str = "") -> Sequence[Step[Any]]:
    return [
        replace(step, check=asked.check if step.name in names else None, final=step.name == final) for step in STEPS
    ]


@pytest.fixture
def asked() -> Asked:
    made = Asked()
    made.answers = []
    return made


def test_it_is_asked_about_all_calls_of_its_step_and_not_at_all_about_none(house: House, asked: Asked) -> None:
    house.steps = checked(asked, "parts", "nothing", "ties")
    house.create()
    assert house.run()
    assert asked == [("a", "b", "c"), TIES]
    assert house.world.is_built()


def test_a_later_run_asks_again_about_what_is_left(house: House, asked: Asked) -> None:
    house.steps = checked(asked, "parts", "ties")
    house.world.script["make", "b"] = [retry()]
    house.world.script["make", "y"] = [Crash()]
    house.create()
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert asked == [("a", "b", "c"), ("b", "c"), TIES, ("y",)]
    assert house.world.is_built()


@pytest.mark.parametrize("answer", [retry(), Unknown("no answer"), Crash(), ValueError("a mistake")])
def test_what_is_not_known_is_asked_again_and_nothing_is_sent_before(
    house: House, asked: Asked, answer: Outcome | BaseException
) -> None:
    house.steps = checked(asked, "ties")
    asked.answers = [answer]
    house.create()
    with contextlib.suppress(Crash):
        house.run()
    assert house.world.ties == set()
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert asked == [TIES, TIES]


def test_what_it_refuses_is_undone_and_nothing_of_the_step_was_sent(house: House, asked: Asked) -> None:
    house.steps = checked(asked, "ties")
    asked.answers = [Failed(FOREIGN, hopeless=True)]
    house.create()
    assert house.run()
    chain = house.chain()
    assert (chain.status, chain.error) == (ChainStatus.FAILED, {**FOREIGN, "step": "ties"})
    assert house.world.is_empty()


@pytest.mark.parametrize("by", ["check", "call"])
def test_past_the_point_of_no_return_what_is_hopeless_is_stuck_at_once(house: House, asked: Asked, by: str) -> None:
    house.steps = checked(asked, "ties", final="nothing")
    hopeless = Failed(FOREIGN, hopeless=True)
    if by == "check":
        asked.answers = [hopeless]
    else:
        house.world.script["make", "x"] = [hopeless]
    chain_id = house.create("one", "room")
    assert house.run()
    chain = house.chain()
    assert (chain.status, chain.error) == (ChainStatus.STUCK, {**FOREIGN, "step": "ties"})
    assert house.rows()["ties"].error == FOREIGN
    assert house.notes()[-1] == "one stuck not_ours"
    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()


def test_any_other_refusal_is_tried_again_there(house: House, asked: Asked) -> None:
    house.steps = checked(asked, "ties", final="nothing")
    asked.answers = [refused()]
    house.create()
    assert not house.run()
    assert (house.chain().status, house.rows()["ties"].error) == (ChainStatus.WAITING, {"detail": REFUSAL["detail"]})
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED


def test_a_run_knows_what_it_has_made_itself(house: House) -> None:
    """And no more: what an earlier run made is not among it."""
    known = list[set[tuple[str, str]]]()

    def look(context: Ctx, _calls: Sequence[Call]) -> Outcome:
        known.append(set(context.done_in_this_run))
        return Done()

    house.steps = [replace(step, check=look if step.name == "ties" else None) for step in STEPS]
    house.world.script["make", "b"] = [retry()]
    house.create()
    assert not house.run()
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert known == [{("parts", "b"), ("parts", "c")}]
    assert set(THINGS) == set(house.world.made())
