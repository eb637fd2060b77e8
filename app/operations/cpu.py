"""One CPU at a time for the whole process: the one that the system finds for it.

Only one thread of a process runs Python at a moment. Where its threads are spread over several CPUs, whoever lets go of
the interpreter for as long as a statement of SQLite takes finds it in the hands of a thread on another CPU, waits until
that one lets go, and goes on with cold caches. On one CPU nobody is woken for so little. Measured with twenty
chains at once on two CPUs: a quarter less CPU for each recording, and a quarter of the changes of threads.

Which CPU is for the system to say: one thread that may run on any of them sleeps, and where it is woken the others
follow. So two services that meet on one CPU part as soon as another is idle.
"""

import os
import sys
import threading
import time
from contextlib import suppress

import structlog

log = structlog.get_logger(__name__)

EVERY = 5.0  # seconds between two looks: moving costs no more than filling a cache


def keep_to_one_cpu() -> None:
    """From now on, where the system lets a process choose (Linux) and Python's threads take turns."""
    if sys.platform == "linux" and getattr(sys, "_is_gil_enabled", lambda: True)():
        threading.Thread(target=_lead, name="cpu", daemon=True).start()


def _lead() -> None:
    try:
        while True:
            _gather(_here())
            time.sleep(EVERY)
    except OSError as error:  # a container, or a filter on system calls, that does not allow it
        log.info("not_on_one_cpu", kind=type(error).__name__)


def _here() -> int:
    """The CPU that this thread runs on: field 39 of proc_pid_stat(5). After the name, in parentheses, comes field 3."""
    with open("/proc/thread-self/stat", "rb") as stat:
        return int(stat.read().rpartition(b") ")[2].split()[39 - 3])


def _gather(cpu: int) -> None:
    """All other threads run there from now on, and what they start later does, too."""
    if sys.platform == "linux":
        for thread in map(int, os.listdir("/proc/self/task")):
            if thread != threading.get_native_id():
                with suppress(ProcessLookupError):  # it has ended meanwhile
                    os.sched_setaffinity(thread, {cpu})
