"""What becomes of a chain, by what its calls answer: every outcome, at every call."""

from dataclasses import replace

import pytest

from app.chains.models import ChainStatus
from app.chains.steps import Call, Context, Failed, Outcome, Retry, Step, Unknown
from tests.chains.world import LOST, REFUSAL, SENDINGS, THINGS, House, World, refused, retry, step_of

BUILT = ["parts: {'a': 2, 'b': 3, 'c': 4}", "nothing: {}"]
MISTAKEN = ValueError("a mistake of ours")


def test_a_chain_does_its_steps_in_order_and_each_call_once(house: House) -> None:
    house.create("one", "room")
    assert house.run()
    assert house.world.calls == [("make", key) for key in SENDINGS]
    assert house.world.is_built()
    chain, rows = house.chain(), house.rows()
    assert (chain.status, chain.error, chain.owner, chain.next_attempt_at) == (ChainStatus.SUCCEEDED, None, None, None)
    assert chain.finished_at is not None
    assert house.statuses() == ["succeeded"] * 6
    assert [row.attempts for row in rows.values()] == [1, 1, 1, 1, 0, 1]
    assert all(row.started_at <= row.finished_at for row in rows.values() if row.started_at and row.finished_at)
    assert house.notes() == [*BUILT, "one succeeded"]


def test_nothing_is_left_to_claim_after_the_end(house: House) -> None:
    house.create()
    house.run()
    house.let_time_pass()
    assert house.store().claim() is None


def test_the_record_says_what_was_sent_and_what_came_of_it(house: House) -> None:
    house.create()
    house.run()
    assert house.rows()["thing"].calls == [
        {"key": "thing", "request": {"of": "one"}, "state": "made", "result": 1, "looks": 0}
    ]


@pytest.mark.parametrize("key", SENDINGS)
@pytest.mark.parametrize("answers", [[retry()], [retry(), retry(20.0), retry()]], ids=["once", "three times"])
def test_what_surely_was_not_done_is_sent_again_without_a_look(house: House, key: str, answers: list[Retry]) -> None:
    times = len(answers)
    house.world.script["make", key] = list(answers)
    house.create("one", "room")
    assert not house.run()
    assert house.chain().status == ChainStatus.WAITING
    row = house.rows()[step_of(key)]
    assert (row.status, row.error) == ("waiting", {"detail": "not now"})
    assert house.states()[key] == "pending"
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
    assert house.world.count("find") == {}
    assert house.world.count("make")[key] == times + 1
    row = house.rows()[step_of(key)]
    assert (row.status, row.error, row.failures, row.next_attempt_at) == ("succeeded", None, 0, None)


@pytest.mark.parametrize("key", THINGS)
@pytest.mark.parametrize(
    ("answer", "finds", "makes"),
    [(LOST, 1, 1), (Unknown("no answer"), 2, 2), (MISTAKEN, 2, 2)],
    ids=["done unseen", "not done", "we failed"],
)
def test_what_perhaps_was_done_is_looked_up_first(
    house: House, key: str, answer: object, finds: int, makes: int
) -> None:
    house.world.script["make", key] = [answer]
    house.create()
    assert not house.run()
    assert house.states()[key] == "sent"
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
    assert (house.world.count("find")[key], house.world.count("make")[key]) == (finds, makes)


@pytest.mark.parametrize("key", ["look", "place", "x", "y"])
@pytest.mark.parametrize("answer", [LOST, Unknown("no answer"), MISTAKEN], ids=["done unseen", "not done", "we failed"])
def test_what_is_harmless_to_repeat_is_sent_again(house: House, key: str, answer: object) -> None:
    house.world.script["make", key] = [answer]
    house.create()
    assert not house.run()
    assert house.run_to_the_end().status == ChainStatus.SUCCEEDED
    assert house.world.is_built()
    assert house.world.count("find") == {}
    assert house.world.count("make")[key] == 2


def test_one_look_in_vain_is_not_enough_for_an_index_may_lag(house: House) -> None:
    house.world.script["make", "thing"] = [LOST]
    house.world.blind = 1
    house.create()
    house.run()
    house.let_time_pass()
    assert not house.run()
    assert house.rows()["thing"].error == {"detail": "Looked up, and not found yet."}
    house.run_to_the_end()
    assert house.world.is_built()
    assert house.world.count("make")["thing"] == 1


@pytest.mark.parametrize("answer", [retry(), Unknown("no answer"), refused(), MISTAKEN])
def test_a_look_that_fails_says_nothing(house: House, answer: object) -> None:
    house.world.script = {("make", "thing"): [LOST], ("find", "thing"): [answer] * 3}
    house.create()
    house.run_to_the_end()
    assert house.world.is_built()
    assert (house.world.count("find")["thing"], house.world.count("make")["thing"]) == (4, 1)


@pytest.mark.parametrize("answer", [retry(), refused()], ids=["retry", "refused"])
def test_after_an_answer_was_lost_each_sending_is_preceded_by_looks(house: House, answer: object) -> None:
    """The first one was done, but the index showed it only after the second was refused."""
    house.world.script["make", "thing"] = [LOST, answer]
    house.world.blind = 2
    house.create()
    chain = house.run_to_the_end()
    assert house.world.count("make")["thing"] == 2
    assert house.world.is_empty() if isinstance(answer, Failed) else house.world.is_built()
    assert chain.status == (ChainStatus.FAILED if isinstance(answer, Failed) else ChainStatus.SUCCEEDED)


# Undo


@pytest.mark.parametrize("key", SENDINGS)
def test_a_refusal_undoes_what_was_made_newest_first(house: House, key: str) -> None:
    house.world.script["make", key] = [refused()]
    house.create("one", "room")
    assert house.run()
    assert house.world.is_empty()
    made = [other for other in SENDINGS[: SENDINGS.index(key)] if other not in ("look", "place")]
    assert [other for verb, other in house.world.calls if verb == "delete"] == made[::-1]
    chain = house.chain()
    assert (chain.status, chain.error) == (ChainStatus.FAILED, {**REFUSAL, "step": step_of(key)})
    assert house.rows()[step_of(key)].error == REFUSAL
    before = list(house.rows())[: list(house.rows()).index(step_of(key))]
    assert house.statuses() == [
        *("undone" if name in ("thing", "parts") else "succeeded" for name in before),
        "failed",
        *["pending"] * (5 - len(before)),
    ]
    assert house.notes()[-1] == "one failed refused_by_kaltura"


@pytest.mark.parametrize("key", THINGS)
@pytest.mark.parametrize(
    "answers", [[retry(9.0)], [Unknown("no answer")], [LOST], [refused()], [MISTAKEN], [retry(), LOST, retry()]]
)
def test_undoing_is_tried_until_it_is_done(house: House, key: str, answers: list[object]) -> None:
    tries = len(answers) + 1
    house.world.script = {("make", "y"): [refused()], ("delete", key): list(answers)}
    house.create()
    assert not house.run()
    chain, row = house.chain(), house.rows()[step_of(key)]
    assert (chain.status, chain.error) == (ChainStatus.UNDOING, {**REFUSAL, "step": "ties"})
    assert row.error is not None
    assert row.next_attempt_at is not None
    assert house.run_to_the_end().status == ChainStatus.FAILED
    assert house.world.is_empty()
    assert house.world.count("delete")[key] == tries
    assert house.rows()[step_of(key)].error is None


def test_what_was_sent_again_unseen_and_then_refused_is_undone_too(house: House) -> None:
    house.world.script["make", "x"] = [LOST, refused()]
    house.create()
    house.run_to_the_end()
    assert house.world.is_empty()
    assert house.world.count("delete")["x"] == 1


def test_after_a_refusal_undoing_has_all_its_patience(house: House) -> None:
    house.world.script = {("make", "y"): [refused()], ("delete", "a"): [retry()]}
    house.create()
    house.lose_patience()
    assert not house.run()
    assert house.chain().status == ChainStatus.UNDOING


# Pauses and patience


def test_pauses_double_with_jitter_up_to_the_longest(house: House) -> None:
    house.world.script["make", "thing"] = [retry()] * 12
    house.create()
    for expected in (1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300):
        house.let_time_pass()
        house.run()
        assert 0.74 * expected - 0.5 <= house.seconds_until("next_attempt_at") <= 1.26 * expected
        assert house.store().claim() is None


def test_pauses_differ_so_that_chains_do_not_come_back_in_step(house: House) -> None:
    assert len({house.pauses.after(3) for _ in range(20)}) > 10


@pytest.mark.parametrize("asked", [retry(500.0), Unknown("busy", after=500.0)], ids=["retry", "unknown"])
@pytest.mark.parametrize(("script", "verb"), [({}, "make"), ({("make", "thing"): [LOST]}, "find")])
def test_a_pause_is_never_shorter_than_what_was_asked_for(
    house: House, script: dict[tuple[str, str], list[object]], verb: str, asked: object
) -> None:
    house.world.script = {**script, (verb, "thing"): [asked]}
    if verb == "find":
        house.world.script["make", "thing"] = [LOST]
    house.create()
    house.run()
    if verb == "find":
        house.let_time_pass()
        house.run()
    assert 499 < house.seconds_until("next_attempt_at") <= 500


def test_two_looks_are_some_seconds_apart(house: House) -> None:
    house.world.script["make", "thing"] = [Unknown("no answer")]
    house.create()
    house.run()
    house.let_time_pass()
    house.run()
    assert 2.5 < house.seconds_until("next_attempt_at") <= house.pauses.look


def test_a_step_knows_how_long_it_has_been_tried(house: House) -> None:
    house.world.script["make", "thing"] = [retry()]
    house.create()
    house.run()
    house.sql("UPDATE chain_step SET started_at = '2020-01-01 00:00:00.000000' WHERE name = 'thing'")
    seen: dict[str, float] = {}

    def timed(step: Step[World]) -> Step[World]:
        def send(context: Context[World], call: Call) -> Outcome:
            seen[step.name] = context.step_seconds
            return step.send(context, call)

        return replace(step, send=send)

    house.steps = [timed(step) for step in house.steps]
    house.run_to_the_end()
    assert seen["thing"] > 1e6
    assert 0 <= seen["parts"] < 60


@pytest.mark.parametrize("key", ["look", "thing", "b", "y"])
@pytest.mark.parametrize("answer", [retry(), LOST])
def test_a_chain_whose_patience_is_over_is_stuck_until_somebody_takes_it_up(
    house: House, key: str, answer: object
) -> None:
    house.world.script["make", key] = [answer]
    chain_id = house.create("one", "room")
    house.lose_patience()
    assert house.run()
    chain = house.chain()
    assert (chain.status, chain.finished_at, chain.next_attempt_at) == (ChainStatus.STUCK, None, None)
    assert chain.error is not None
    assert (chain.error["code"], chain.error["step"]) == ("stuck", step_of(key))
    assert house.notes()[-1] == "one stuck stuck"
    house.let_time_pass()
    assert house.store().claim() is None

    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert house.chain().status == ChainStatus.QUEUED
    assert house.rows()[step_of(key)].failures == 0
    assert house.run()
    chain = house.chain()
    assert (chain.status, chain.error) == (ChainStatus.SUCCEEDED, None)
    assert house.world.is_built()
    assert house.notes()[-1] == "one succeeded"


def test_a_chain_that_is_stuck_while_undoing_goes_on_undoing(house: House) -> None:
    house.world.script = {("make", "y"): [refused()], ("delete", "b"): [retry(), retry()]}
    chain_id = house.create()
    house.run()
    house.let_time_pass()
    house.lose_patience()
    assert house.run()
    chain = house.chain()
    assert chain.status == ChainStatus.STUCK
    assert chain.error is not None
    assert chain.error["code"] == "stuck"
    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert house.run()
    chain = house.chain()
    assert (chain.status, chain.error) == (ChainStatus.FAILED, {**REFUSAL, "step": "ties"})
    assert house.world.is_empty()


@pytest.mark.parametrize("end", ["queued", "running", "succeeded", "failed"])
def test_there_is_nothing_to_take_up_in_a_chain_that_is_neither_stuck_nor_waiting(house: House, end: str) -> None:
    if end == "failed":
        house.world.script["make", "a"] = [refused()]
    chain_id = house.create()
    if end == "running":
        house.claim()
    elif end != "queued":
        house.run()
    with house.database.write() as session:
        assert not house.store().make_due(session, chain_id)


def test_a_waiting_chain_that_is_taken_up_is_due_at_once(house: House) -> None:
    house.world.script["make", "thing"] = [retry(5000.0)]
    chain_id = house.create()
    house.run()
    assert house.store().claim() is None
    with house.database.write() as session:
        assert house.store().make_due(session, chain_id)
    assert house.run()
