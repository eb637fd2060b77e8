"""A process keeps to one CPU, whichever the system finds best."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.operations import cpu
from tests.processes import start_service
from tests.service import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process choose its CPU")

NO_KALTURA = "http://127.0.0.1:1"
THREADED = """
import sys, threading, time
from app.operations import cpu
cpu.EVERY = 0.01
for _ in range(5):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
cpu.keep_to_one_cpu()
sys.stdin.read()
"""


def threads(pid: int) -> dict[int, set[int]]:
    """Where each thread of a process may run."""
    return {int(path.name): os.sched_getaffinity(int(path.name)) for path in Path(f"/proc/{pid}/task").iterdir()}


def together(pid: int, followers: int) -> bool:
    """Whether all threads of a process but one, and so many at least, run on one CPU."""
    *places, _leader_s = sorted(threads(pid).values(), key=len)
    return len(places) >= followers and len(set[int]().union(*places)) == 1


def all_on(pid: int, place: int) -> bool:
    return all(places == {place} for places in threads(pid).values())


@pytest.fixture
def process() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", THREADED], stdin=subprocess.PIPE) as running:
        yield running.pid
        running.kill()


def test_all_threads_run_on_one_cpu_but_the_one_that_looks_for_it(process: int) -> None:
    eventually(lambda: together(process, followers=6))


def test_where_the_system_wakes_the_one_the_others_follow(process: int) -> None:
    eventually(lambda: together(process, followers=6))
    leader = max(threads(process))  # the last one that was started
    for elsewhere in os.sched_getaffinity(0):
        os.sched_setaffinity(leader, {elsewhere})
        eventually(partial(all_on, process, elsewhere))


def test_a_service_does_unless_it_is_told_not_to(tmp_path: Path) -> None:
    with start_service(tmp_path, NO_KALTURA) as service:
        eventually(lambda: together(service.pid, followers=10))
        service.stop()
        service.restart({"LECTERN_ONE_CPU": "false"})
        places = threads(service.pid).values()
        assert all(place == os.sched_getaffinity(0) for place in places)


def test_where_it_may_not_it_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: int, _cpus: set[int]) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()  # one that would follow
    with capture_logs() as logs:
        cpu._lead()
    assert logs == [{"event": "not_on_one_cpu", "kind": "PermissionError", "log_level": "info"}]
