"""The `lectern` command in processes of its own that are forked from one which has run it (tests/nursery.py).

They are killed, stopped and restarted as any other; only the two seconds of getting to know it all are spent once.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

ROOT = str(Path(__file__).parents[1])
if ROOT not in sys.path:  # where a test is at work somewhere else, the nursery finds this module all the same
    sys.path.append(ROOT)
NURSERY = multiprocessing.get_context("forkserver")
NURSERY.set_forkserver_preload(["tests.forks", "tests.nursery"])


class Fork:
    """What of `subprocess.Popen` tests use."""

    def __init__(self, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
        self._process = NURSERY.Process(target=_run, args=(arguments, folder, environment, log), daemon=True)
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("lectern", timeout or 0.0)
        return code

    def send_signal(self, which: int) -> None:
        """Does nothing when it has ended already."""
        if self.poll() is None:
            os.kill(self.pid, which)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> None:
    from app.cli.main import main
    from tests.clocks import OFF_BY, set_clock

    if OFF_BY in environment:
        set_clock(float(environment[OFF_BY]), pytest.MonkeyPatch())
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout, sys.stderr = (open(number, "w", buffering=1, closefd=False) for number in (1, 2))  # noqa: SIM115
    main(arguments, prog_name="lectern")
