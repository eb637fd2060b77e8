"""Threads behind the requests outlive whatever goes wrong in their work."""

import threading

import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from app.database import background
from app.database.background import Background
from tests.service import eventually


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "AFTER_FAILURE", 0.0)


@pytest.mark.parametrize("error", [ValueError("a mistake"), OperationalError("", {}, Exception())])
def test_it_goes_on_after_a_failure(error: Exception) -> None:
    done: list[int] = []

    def work() -> float:
        done.append(len(done))
        if len(done) == 1:
            raise error
        return 0.0

    thread = Background("working", work)
    thread.start()
    eventually(lambda: len(done) > 2)
    thread.stop(10.0)
    assert thread.stopping


def test_a_failure_is_told_once_until_it_goes_well_again_or_something_else_goes_wrong() -> None:
    away, mistake = OperationalError("", {}, Exception()), ValueError("a mistake")
    turns = iter([away, away, mistake, mistake, away, None, away, None])
    over = threading.Event()

    def work() -> float:
        try:
            error = next(turns)
        except StopIteration:
            over.set()
            return 3600.0
        if error is not None:
            raise error
        return 0.0

    thread = Background("working", work)
    with capture_logs() as logs:
        thread.start()
        assert over.wait(20.0)
        thread.stop(20.0)
    told = [(line["event"], line["thread"]) for line in logs]
    assert told == [(event, "working") for event in ("cannot_work", "work_left", "cannot_work", "cannot_work")]


def test_a_rest_ends_when_it_is_woken_or_stopped() -> None:
    done = threading.Semaphore(0)

    def work() -> float:
        done.release()
        return 3600.0

    thread = Background("resting", work, rest=3600.0)
    thread.start()
    assert not done.acquire(blocking=False)
    for _ in range(2):
        thread.wake()
        assert done.acquire(timeout=20.0)
    thread.stop(20.0)
    assert not done.acquire(blocking=False)


def test_one_that_never_began_is_stopped_all_the_same() -> None:
    Background("never", lambda: 0.0).stop(1.0)
