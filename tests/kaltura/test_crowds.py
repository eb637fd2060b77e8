"""A few at a time, where Kaltura was seen to let only one in; and all at once where it was not."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest

from app.kaltura.crowds import AT_ONCE, REMEMBERED, Crowds, names_of
from app.kaltura.errors import LockTimedOut, Unknown

NAMES = {"category:5"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as running:
        yield running


def time_out(crowds: Crowds, names: set[str] = NAMES) -> None:
    with pytest.raises(LockTimedOut), crowds.among(names):
        raise LockTimedOut("a lock")


def goes_in(crowds: Crowds, names: set[str] = NAMES) -> bool:
    with crowds.among(names):
        return True


def fill(stack: ExitStack, crowds: Crowds, names: set[str] = NAMES) -> None:
    for _ in range(AT_ONCE):
        stack.enter_context(crowds.among(names))


def test_what_is_not_known_to_be_crowded_keeps_nobody_waiting(clock: Clock) -> None:
    crowds = Crowds(patience=3600, clock=clock)
    with pytest.raises(Unknown), crowds.among(NAMES):
        raise Unknown("another trouble")
    with ExitStack() as stack:
        for _ in range(3):
            fill(stack, crowds)


def test_where_a_lock_timed_out_each_waits_until_one_has_left(clock: Clock, threads: ThreadPoolExecutor) -> None:
    crowds, begun = Crowds(patience=3600, clock=clock), Event()
    time_out(crowds, {*NAMES, "user:ta1"})

    def late() -> bool:
        begun.set()
        return goes_in(crowds)

    with ExitStack() as stack:
        fill(stack, crowds)
        waiting: Future[bool] = threads.submit(late)
        begun.wait()
        assert goes_in(crowds, {"category:6"})  # who shares nothing waits for nobody
        assert not waiting.done()
    assert waiting.result()


def test_nobody_waits_for_ever(clock: Clock) -> None:
    crowds = Crowds(patience=0.01, clock=clock)
    time_out(crowds)
    with ExitStack() as stack:
        fill(stack, crowds)
        assert goes_in(crowds)


def test_after_a_while_without_trouble_it_is_forgotten(clock: Clock) -> None:
    crowds = Crowds(patience=3600, clock=clock)
    time_out(crowds)
    clock.now += REMEMBERED
    with ExitStack() as stack:
        fill(stack, crowds)
        assert goes_in(crowds)


def test_what_an_entry_is_locked_by() -> None:
    sent = {"name": "n", "userId": "a", "entitledUsersEdit": "b,a", "entitledUsersPublish": "", "categoriesIds": "5,6"}
    assert names_of(sent) == {"category:5", "category:6", "user:a", "user:b"}
    assert names_of({"objectType": "KalturaMediaEntry", "name": "n"}) == set()
