"""The service and the sandbox as real processes, for what can't be tried inside one: kills, restarts, speed.

    with start_sandbox(tmp) as sandbox, start_service(tmp, sandbox.url, {"LECTERN_WORKERS": "2"}) as service:
        httpx.post(f"{service.url}/recordings", json=...)
        service.kill()
        service.restart()

A program keeps its port, its files (all below ``tmp``) and its environment over restarts. What it writes goes into
``tmp/<name>.log``. Leaving the ``with`` block ends it.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import httpx

READY_SECONDS = 30.0  # two cores, and the suite beside it
STOP_SECONDS = 30.0

# The sandbox's own credentials.
SIGN_IN = {
    "LECTERN_KALTURA_PARTNER_ID": "101",
    "LECTERN_KALTURA_APP_TOKEN_ID": "0_sandbox1",
    "LECTERN_KALTURA_APP_TOKEN": "sandbox-token",
}


class Process(Protocol):
    """What of `subprocess.Popen` is used here."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


def command(arguments: Sequence[str], folder: Path, environment: Mapping[str, str], log: Path) -> Process:
    """The ``lectern`` command, as it was installed."""
    executable = Path(sys.executable).with_name("lectern")
    with log.open("ab") as file:
        return subprocess.Popen([executable, *arguments], cwd=folder, env=environment, stdout=file, stderr=file)


launch: Callable[[Sequence[str], Path, Mapping[str, str], Path], Process] = command
"""How a program is started. Under pytest: forked from a process that has imported it all (tests/forks.py)."""


class Program:
    """One ``lectern`` process. It is ready, or ``RuntimeError`` tells with the end of its log why it is not."""

    def __init__(
        self, name: str, tmp: Path, arguments: list[str], port: int, ready: str, environment: Mapping[str, str]
    ) -> None:
        self.name, self.url, self.log = name, f"http://127.0.0.1:{port}", tmp / f"{name}.log"
        self._ready, self._folder = self.url + ready, tmp
        self._arguments = arguments
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("LECTERN_")}
        self._environment |= {"PYTHONUNBUFFERED": "1", **environment}
        self.process = self._start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL: it gets no chance to do anything. Returns when it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, as a supervisor does it. Returns the exit code when it has ended by itself."""
        return self._end(signal.SIGTERM)

    def restart(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it (again), with ``environment`` over what it had. Returns when it answers."""
        assert self.process.poll() is not None, f"{self.name} still runs"
        self._environment |= environment or {}
        self.process = self._start()

    def tail(self) -> str:
        """The last of what it wrote."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:])

    def _start(self) -> "Process":
        process = launch(self._arguments, self._folder, self._environment, self.log)
        deadline = time.monotonic() + READY_SECONDS
        with httpx.Client(timeout=2, trust_env=False) as client:  # one: each loads all certificates
            while not self._answers(client):
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    raise RuntimeError(f"{self.name} is not ready (exit {process.wait()}): {self.tail()}")
                time.sleep(0.02)
        return process

    def _answers(self, client: httpx.Client) -> bool:
        try:
            return client.get(self._ready).is_success
        except httpx.TransportError:
            return False

    def _end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)  # does nothing when it has ended already
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"{self.name} did not end within {STOP_SECONDS:.0f} s: {self.tail()}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def start_sandbox(tmp: Path) -> Program:
    """``lectern sandbox`` alone; what it holds is in ``tmp/sandbox.db`` and outlives a restart."""
    port = free_port()
    environment = {"LECTERN_SANDBOX_DATABASE": str(tmp / "sandbox.db")}
    return Program("sandbox", tmp, ["sandbox", "--port", str(port)], port, "/_sandbox/requests", environment)


def start_service(
    tmp: Path, sandbox_url: str, environment: Mapping[str, str] | None = None, name: str = "service"
) -> Program:
    """``lectern serve`` in front of ``sandbox_url``, on SQLite in ``tmp`` unless ``environment`` says otherwise."""
    port = free_port()
    own = {
        "LECTERN_HOST": "127.0.0.1",
        "LECTERN_PORT": str(port),
        "LECTERN_KALTURA_URL": sandbox_url,
        "LECTERN_DATABASE_URL": f"sqlite:///{tmp / 'lectern.db'}",
        **SIGN_IN,
    }
    return Program(name, tmp, ["serve"], port, "/healthz", {**own, **(environment or {})})


def start_alone(tmp: Path, key: str) -> Program:
    """``lectern serve`` with the sandbox inside it; ``registrar`` has that key."""
    port = free_port()
    environment = {"LECTERN_PORT": str(port), "LECTERN_API_KEYS": f"registrar={key}"}
    return Program("service", tmp, ["serve"], port, "/healthz", environment)


@contextmanager
def replicas(tmp: Path, sandbox_url: str, environment: Mapping[str, str], count: int) -> Iterator[list[Program]]:
    """So many services on one database, started one after another."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(start_service(tmp, sandbox_url, environment, f"service-{number}"))
            for number in range(count)
        ]
