"""`lectern watch` is started again while a session lasts, and its command runs, has failed, or is gone."""

import json
import signal
from collections.abc import Callable

import pytest

from tests.service import eventually
from tests.watch.conftest import MORNING
from tests.watch.world import Encoder, World

Make = Callable[..., Encoder]
DEVICE = 'echo "start $LECTERN_UID $(cat {now})" >> {log}'  # it records by itself, and its command ends at once


@pytest.fixture
def host(world: World, encoder: Make) -> Encoder:
    """It has recorded for a minute; the session lasts for ten."""
    world.book("a", MORNING + 60, 10)
    host = encoder()
    host.until(MORNING + 120)
    assert len(starts(host)) == 1
    return host


def starts(host: Encoder) -> list[float]:
    return [when for what, _, when in host.logged() if what == "start"]


def kill(host: Encoder) -> None:
    """As a machine that has too little memory does, or that is switched off."""
    command = host.runs.running["a"].command
    assert command
    command.end(signal.SIGKILL)
    eventually(lambda: not command.alive)
    host.log.write_text(host.log.read_text() + f"end a {host.world.now}\n")  # which it did not write itself


def test_a_capture_that_was_killed_together_with_watch_is_started_again(host: Encoder) -> None:
    kill(host)
    host.boot()
    host.until(MORNING + 180)
    first, second = starts(host)
    assert first < MORNING + 120 < second < MORNING + 130
    assert "The command on-start has ended, and nobody saw how. (Lecture a, a)" in host.said
    host.until(MORNING + 800)
    assert [what for what, _, _ in host.logged()] == ["start", "end", "start", "end", "upload"]
    assert host.world.states[-1] == ("idle", None)


@pytest.mark.parametrize("stopped", [True, False])
def test_a_capture_that_dies_under_a_later_watch_is_started_again(host: Encoder, stopped: bool) -> None:
    if stopped:
        host.watch.leave()
    host.boot()
    host.until(MORNING + 240)
    assert len(starts(host)) == 1
    kill(host)
    host.until(MORNING + 300)
    assert MORNING + 240 < starts(host)[1] < MORNING + 270


def test_another_process_that_has_its_number_is_not_taken_for_it(host: Encoder) -> None:
    kept = json.loads(host.path.read_text())
    kept["running"]["a"]["born"] = "some other boot 12345"
    kill(host)
    kept["running"]["a"]["pid"] = 1
    host.path.write_text(json.dumps(kept))
    host.boot()
    host.until(MORNING + 180)
    assert len(starts(host)) == 2


def test_a_device_that_was_told_to_record_is_not_told_again(world: World, encoder: Make) -> None:
    world.book("a", MORNING + 60, 10)
    host = encoder(on_start=DEVICE)
    for minute in range(2, 9):
        host.until(MORNING + minute * 60)
        host.boot()
    assert len(starts(host)) == 1
    assert {state for state, _ in world.states} == {"idle", "recording"}


def test_who_is_told_to_stop_looks_once_more_what_has_ended(world: World, encoder: Make) -> None:
    world.book("a", MORNING + 60, 10)
    host = encoder(on_start=DEVICE)
    host.until(MORNING + 50)
    world.pass_by(10)
    host.watch.turn()
    command = host.runs.running["a"].command
    assert command
    assert eventually(lambda: command.code == 0)
    host.watch.leave()
    host.boot()
    host.until(MORNING + 300)
    assert len(starts(host)) == 1


def test_a_command_that_had_failed_before_is_started_again(world: World, encoder: Make) -> None:
    """A device that is still booting; watch is restarted while it waits for the next try."""
    world.book("a", MORNING + 60, 10)
    host = encoder(on_start=DEVICE + "; test $(grep -c start {log}) -ge 3 || exit 7")
    host.until(MORNING + 60.5)
    host.boot()
    host.until(MORNING + 62)
    host.boot()
    host.until(MORNING + 300)
    assert len(starts(host)) == 3
    assert world.states[-1] == ("recording", "a")
