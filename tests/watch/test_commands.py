"""Real commands: held until they are known, ended as a whole, and told from others with the same number."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.watch.commands import Command, hold, release
from tests.service import eventually

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LECTERN_TITLE": "A \"b\" $(touch x) 'c'; touch y"}


@pytest.fixture
def made() -> Iterator[list[Command]]:
    commands: list[Command] = []
    yield commands
    for command in commands:
        command.end(signal.SIGKILL)
        if command.child:
            command.child.wait()
            if command.child.stdin:
                command.child.stdin.close()


def test_what_was_never_told_to_go_on_does_nothing(tmp_path: Path, made: list[Command]) -> None:
    """Its starter dies before it is known on disk."""
    command = hold(f"touch {tmp_path / 'begun'}", ENVIRONMENT)
    made.append(command)
    assert command.alive
    assert command.child
    assert command.child.stdin
    command.child.stdin.close()
    assert command.child.wait() != 0
    assert not (tmp_path / "begun").exists()


def test_a_title_is_a_word_and_no_command(tmp_path: Path, made: list[Command]) -> None:
    command = hold(f'cd {tmp_path}; echo "$LECTERN_TITLE" > title', ENVIRONMENT)
    made.append(command)
    release(command)
    assert eventually(lambda: command.code == 0)
    assert (tmp_path / "title").read_text() == ENVIRONMENT["LECTERN_TITLE"] + "\n"
    assert [path.name for path in tmp_path.iterdir()] == ["title"]


def test_all_of_it_is_ended_also_by_a_later_process(tmp_path: Path, made: list[Command]) -> None:
    command = hold(f"sleep 600 & echo $! > {tmp_path / 'other'}; wait", ENVIRONMENT)
    made.append(command)
    release(command)
    written = tmp_path / "other"
    other = int(eventually(lambda: written.read_text() if written.exists() else ""))
    later = Command(command.pid, command.born)
    assert later.alive
    assert later.code is None
    later.end()
    assert eventually(lambda: command.code is not None)
    assert eventually(lambda: not _there(other))
    assert not later.alive


def test_another_process_with_the_same_number_is_left_alone(made: list[Command]) -> None:
    command = hold("sleep 600", ENVIRONMENT)
    made.append(command)
    release(command)
    earlier = Command(command.pid, "some other boot 12345")
    assert not earlier.alive
    earlier.end(signal.SIGKILL)
    assert command.alive


def _there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
