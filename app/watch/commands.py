"""Commands, each a shell in a process group of its own: it outlives whoever started it, and is ended as a whole."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc/self/stat")  # Linux
# It does nothing before it is told to go on, and nothing at all if whoever was to tell it has died.
_HELD = 'read -r go && exec /bin/sh -c "$0" </dev/null'


@dataclass
class Command:
    """One that was started, perhaps by an earlier process: then `child` is None, and its exit code is what that one has
    `seen`. If it ended later, nobody learns it.

    `born` tells it from a later process with the same number.
    """

    pid: int
    born: str
    child: "subprocess.Popen[bytes] | None" = None
    seen: int | None = None

    @property
    def code(self) -> int | None:
        """Its exit code, as far as it has ended and is known."""
        return self.child.poll() if self.child else self.seen

    @property
    def alive(self) -> bool:
        """Whether anything of it still runs. As long as it does, no other process gets its number."""
        if born := _born(self.pid):
            return born == self.born
        if self.child:
            self.child.wait()  # it has ended, and stays as a zombie until somebody asks
        return _has_members(self.pid)

    @property
    def lost(self) -> bool:
        """Whether it has ended, and nobody learns how."""
        return self.child is None and self.seen is None and not self.alive

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.alive:
            _signalled(self.pid, how)


def hold(command: str, environment: Mapping[str, str]) -> Command:
    """A command that is there, and waits for `release`. Raises OSError."""
    child = subprocess.Popen(  # noqa: S603 - to run what its user says is what it is for
        ["/bin/sh", "-c", _HELD, command],
        stdin=subprocess.PIPE,
        env=dict(environment),
        start_new_session=True,
    )
    return Command(child.pid, _born(child.pid), child)


def release(command: Command) -> None:
    if command.child and command.child.stdin:
        with suppress(BrokenPipeError):  # it was killed; its exit code tells
            command.child.stdin.write(b"go\n")
            command.child.stdin.close()


def _signalled(group: int, how: int) -> bool:
    """Whether there is such a group, which has got that signal then."""
    try:
        os.killpg(group, how)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _born(pid: int) -> str:
    """When a process was started, in words that no other of that number has; "" if it is not there any more."""
    if not _PROC.exists():
        asked = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
        shown = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        return shown.stdout.strip()
    stat = _stat(pid)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return f"{boot} {stat[19]}" if stat else ""


def _has_members(group: int) -> bool:
    """Whether anything in a group still runs. A zombie does not: where nobody collects them, they stay."""
    if not _PROC.exists():
        return _signalled(group, 0)
    numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal())
    return any(stat[2] == str(group) for stat in map(_stat, numbers) if stat)


def _stat(pid: int) -> list[str]:
    """What proc(5) says of a process, from its state on: its group is the third, its start the twentieth.

    Nothing of a zombie, or of one that is gone.
    """
    try:
        found = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
    return found if found and found[0] != "Z" else []
