"""``python -m tests.bench.sockets [sqlite] [postgresql]``: polls as encoders send them, over connections that are kept.

A server in a process of its own has the service and, beside it, a bare FastAPI endpoint. CONNECTIONS of this process
ask for one and the other in turns, so that other load on the machine meets both. With a key, and without.
"""

import asyncio
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

import uvloop

from app.access.keys import LOCAL
from app.database.database import Database
from app.http.logs import configure_logs
from app.http.serving.server import Server, bound
from app.main import create_app
from app.resources.encoders.signs import Signs
from app.settings import Settings
from tests.bench.feed import FULL, database, fill

CONNECTIONS = 32
ROUNDS = 7
REQUESTS = 4000  # a round
RESOURCES = 100
OCCURRENCES = 60

ENCODERS = 10_000  # that poll once a minute: what their signs of life cost is compared with what their polls do

UNCHANGED_AT_LEAST = 1.5
FULL_AT_LEAST = 0.8
SIGNS_AT_MOST = 0.05  # of the service's CPU


def serve(url: str, key: str) -> None:
    """The service and `/bare`, on a port that is printed. `key`: of a client that may do everything, or empty."""
    keys = f"encoder={key}" if key else ""
    settings = Settings(
        _env_file=None, database_url=url, kaltura_url="", sandbox_database=":memory:", port=0, api_keys=keys
    )
    app = create_app(settings)

    @app.get("/bare")
    async def bare() -> dict[str, str]:
        return {"status": "ok"}

    configure_logs("WARNING")  # lines of the log would cost more than the bare endpoint does
    sockets = bound(settings.host, settings.port)
    sockets[0].listen()
    print(sockets[0].getsockname()[1], flush=True)
    app.state.keys.look()
    server = Server(app, settings)
    server.config.lifespan = "off"  # nothing is asked of Kaltura: the embedded one has none of these resources
    server.run(sockets)


@contextmanager
def running(url: str, key: str) -> Iterator[tuple[int, int]]:
    """Its port, and its process' id."""
    command = [sys.executable, "-m", "tests.bench.sockets", "serve", url, key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline()), process.pid
        finally:
            process.terminate()


class Caller(asyncio.Protocol):
    """One connection, on which one request follows the other. Parses no more than it has to."""

    transport: asyncio.Transport
    answer: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.got, self.length = cast(asyncio.Transport, transport), b"", -1

    def data_received(self, data: bytes) -> None:
        self.got += data
        if self.length < 0 and (end := self.got.find(b"\r\n\r\n")) >= 0:
            head = self.got[:end].lower()
            _, _, after = head.partition(b"content-length: ")
            self.length = end + 4 + int(after.partition(b"\r\n")[0] or 0)
        if len(self.got) == self.length:
            got, self.got, self.length = self.got, b"", -1
            self.answer.set_result(got)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc or ConnectionError("The server has closed the connection."))

    async def ask(self, request: bytes) -> bytes:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.answer


def get(path: str, key: str, etag: str = "") -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "User-Agent: encoder", "Accept: */*"]
    lines += [f"Authorization: Bearer {key}"] if key else []
    lines += [f"If-None-Match: {etag}"] if etag else []
    return "\r\n".join([*lines, "", ""]).encode()


async def seconds(callers: Sequence[Caller], requests: Sequence[bytes], status: bytes) -> float:
    """A request, of REQUESTS that the callers share."""

    async def some(caller: Caller, first: int) -> None:
        for number in range(first, REQUESTS, len(callers)):
            answer = await caller.ask(requests[number % len(requests)])
            assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]

    begun = time.perf_counter()
    await asyncio.gather(*(some(caller, first) for first, caller in enumerate(callers)))
    return (time.perf_counter() - begun) / REQUESTS


def cpu(pid: int) -> float:
    """Seconds of CPU that a process has had, in user mode and in the kernel's (proc(5): the 14th and the 15th)."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def signs_of_life(url: str) -> float:
    """Seconds of CPU: a poll of each of ENCODERS is noted, and then all are written, as is done once a minute."""
    fill(url, ENCODERS, 1)
    database, times = Database(url), []
    signs = Signs(database)
    for _ in range(ROUNDS):
        begun = time.process_time()
        for number in range(1, ENCODERS + 1):
            signs.poll(LOCAL, number)
        signs.write()
        times.append(time.process_time() - begun)
    database.close()
    return min(times)


async def measure(port: int, pid: int, key: str) -> dict[str, float]:
    """Seconds a request: `bare`, `unchanged`, `full`; and how many times as fast as the bare endpoint: `…_ratio`.

    `cpu`: seconds of the service's CPU that an unchanged poll costs.
    """
    loop = asyncio.get_running_loop()
    callers = [(await loop.create_connection(Caller, "127.0.0.1", port))[1] for _ in range(CONNECTIONS)]
    paths = [f"/resources/ROOM-{number}/upcoming" for number in range(1, RESOURCES + 1)]
    etags = []
    for path in paths:
        head = (await callers[0].ask(get(path, key))).partition(b"\r\n\r\n")[0].decode()
        etags += [line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("etag: ")]
    asked = {
        "bare": ([get("/bare", key, etag) for etag in etags], b"200"),
        "unchanged": ([get(path, key, etag) for path, etag in zip(paths, etags, strict=True)], b"304"),
        "full": ([get(f"{path}?limit={FULL}", key) for path in paths], b"200"),
    }
    times: dict[str, list[float]] = {name: [] for name in (*asked, "cpu")}
    for _ in range(ROUNDS):
        for name, (requests, status) in asked.items():
            begun = cpu(pid)
            times[name].append(await seconds(callers, requests, status))
            if name == "unchanged":
                times["cpu"].append((cpu(pid) - begun) / REQUESTS)
    for caller in callers:
        caller.transport.abort()
        caller.answer = loop.create_future()
        caller.answer.cancel()
    ratios = {
        f"{name}_ratio": statistics.median(one / other for one, other in zip(times["bare"], times[name], strict=True))
        for name in ("unchanged", "full")
    }
    return {name: min(values) for name, values in times.items()} | ratios  # other load only adds


def tell(kind: str) -> None:
    print(f"polls over {CONNECTIONS} connections, {kind}, {ROUNDS} rounds of {REQUESTS} requests:")
    for name, key in (("without a key", ""), ("with a key", secrets.token_hex(16))):
        with database(kind) as url:
            fill(url, RESOURCES, OCCURRENCES)
            with running(url, key) as (port, pid), closing(uvloop.new_event_loop()) as loop:
                found = loop.run_until_complete(measure(port, pid, key))
        speeds = ", ".join(f"{one} {1 / found[one]:,.0f}/s" for one in ("bare", "unchanged", "full"))
        print(f"  {name}: {speeds}")
        print(f"    unchanged to bare    {found['unchanged_ratio']:.2f}  (asked for: at least {UNCHANGED_AT_LEAST})")
        print(f"    full to bare         {found['full_ratio']:.2f}  (asked for: at least {FULL_AT_LEAST})")
        with database(kind) as url:
            signs, polls = signs_of_life(url), found["cpu"] * ENCODERS
        told = f"{signs * 1e3:.0f} ms of CPU beside {polls:.2f} s for {ENCODERS:,} polls"
        print(f"    signs of life        {signs / polls:.1%}  (asked for: under {SIGNS_AT_MOST:.0%}): {told}")


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["serve"]:
        serve(arguments[1], arguments[2])
        return
    for kind in arguments or ("sqlite", "postgresql"):
        tell(kind)


if __name__ == "__main__":
    main(sys.argv[1:])
