"""``python -m tests.bench.feed [sqlite] [postgresql]``: what a poll of `/resources/{id}/upcoming` costs.

The application is called in its own process, without sockets, so that nothing but its own work is measured; the measure
of that is a bare FastAPI endpoint (`async def`, a small dictionary) of the same application, called in turns with it.
Each state of the database is measured by a process of its own, which has not filled it.
"""

import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import insert, update
from sqlmodel import SQLModel

from app.access.keys import LOCAL
from app.database.database import Database
from app.database.migrating import migrate
from app.database.types import utc_now
from app.http.logs import configure_logs
from app.main import create_app
from app.settings import Settings
from tests.postgres import server

UNCHANGED_AT_LEAST = 1.0
FULL_AT_LEAST = 0.6
GROWTH_AT_MOST = 1.25
MEGABYTES_AT_MOST = 250
SIGNS_AT_MOST = 0.05  # of the CPU that polls cost

ROUNDS = 7
POLLS = 3000  # a round
STATES = ((100, 40), (10_000, 40), (100, 1000))
"""How many resources, with how many occurrences each."""
FULL = 50  # occurrences in a full answer

Poll = Callable[[], Awaitable[int]]


# Filling


def fill(url: str, resources: int, occurrences: int) -> None:
    """All of them within the next 13 days, so that a poll shows them all (or the first 100)."""
    database = Database(url)
    migrate(database)
    tables = SQLModel.metadata.tables
    now = utc_now().replace(microsecond=0)
    step = timedelta(days=13) / occurrences
    with database.write() as session:
        connection = session.connection()
        ids = range(1, resources + 1)
        connection.execute(
            insert(tables["resource"]),
            [{"id": n, "name": f"ROOM-{n}", "system_name": f"ROOM-{n}", "kind": "camera", "seen_at": now} for n in ids],
        )
        connection.execute(
            insert(tables["booking"]),
            [
                {
                    "id": f"rec_{n:026}",
                    "source": "lectern",
                    "kind": "recording",
                    "title": "MATH-123 Linear Algebra",
                    "description": "Section 01, fall term",
                    "tags": ["mathematics", "kaltura"],
                    "time_zone": "America/New_York",
                    "template_entry_id": "1_erl8rgx8",
                }
                for n in ids
            ],
        )
        for n in ids:
            connection.execute(
                insert(tables["occurrence"]),
                [
                    {
                        "id": f"occ_{n:010}{number:016}",
                        "booking_id": f"rec_{n:026}",
                        "resource_id": n,
                        "start": now + timedelta(hours=2) + number * step,
                        "end": now + timedelta(hours=2, minutes=5) + number * step,
                        "status": "scheduled",
                        "event_id": n * 1000 + number,
                        "series_id": n,
                        "moved": False,
                    }
                    for number in range(occurrences)
                ],
            )
        connection.execute(update(tables["mirror"]).values(as_of=now))
    database.close()


# Measuring


def megabytes() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def request(app: FastAPI, path: str, query: str = "", etag: str = "") -> Callable[[], Awaitable[tuple[int, str, int]]]:
    """Sends a GET to the application: its status, its ETag and how many bytes it sends."""
    headers = [(b"host", b"localhost"), (b"user-agent", b"encoder"), (b"accept", b"*/*")]
    headers += [(b"if-none-match", etag.encode())] if etag else []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send() -> tuple[int, str, int]:
        got: list[Any] = []

        async def take(message: Any) -> None:
            got.append(message)

        await app({**scope, "headers": headers.copy(), "state": {}}, receive, take)
        sent = dict(got[0]["headers"])
        return got[0]["status"], sent.get(b"etag", b"").decode(), sum(len(part.get("body", b"")) for part in got[1:])

    return send


async def seconds(polls: Sequence[Callable[[], Awaitable[tuple[int, str, int]]]], status: int) -> float:
    begun = time.perf_counter()
    for poll in polls:
        found, _, _ = await poll()
        assert found == status, found
    return time.perf_counter() - begun


def signs_of_life(app: FastAPI, resources: int) -> float:
    """Seconds of CPU: a poll of each resource is noted, and then all are written, as is done once a minute."""
    begun = time.process_time()
    for number in range(1, resources + 1):
        app.state.signs.poll(LOCAL, number)
    app.state.signs.write()
    return time.process_time() - begun


async def measure(url: str, resources: int) -> dict[str, float]:
    """Seconds a request, and the memory of it all."""
    app = create_app(Settings(_env_file=None, database_url=url, kaltura_url="", sandbox_database=":memory:"))

    app.state.keys.look()

    @app.get("/bare")
    async def bare() -> dict[str, str]:
        return {"status": "ok"}

    paths = [f"/resources/ROOM-{n}/upcoming" for n in range(1, resources + 1)]
    begun = time.perf_counter()
    etags = [(await request(app, path)())[1] for path in paths]
    first = (time.perf_counter() - begun) / resources

    unchanged = [request(app, path, "", etag) for path, etag in zip(paths, etags, strict=True)]
    full = [request(app, path, f"limit={FULL}") for path in paths[:100]]
    sizes = [(await poll())[2] for poll in full]
    # As many as there are polls: memory that is far apart costs both the same.
    bare_polls = [request(app, "/bare", "", etag) for etag in etags]
    times: dict[str, list[float]] = {"bare": [], "unchanged": [], "full": [], "polls_cpu": [], "signs_cpu": []}
    for _ in range(ROUNDS):
        begun = time.process_time()
        await seconds(unchanged, 304)
        times["polls_cpu"].append(time.process_time() - begun)
        times["signs_cpu"].append(signs_of_life(app, resources))
        times["bare"].append(await seconds(random.choices(bare_polls, k=POLLS), 200) / POLLS)
        times["unchanged"].append(await seconds(random.choices(unchanged, k=POLLS), 304) / POLLS)
        times["full"].append(await seconds(random.choices(full, k=POLLS), 200) / POLLS)
    ratios = {
        f"{name}_ratio": statistics.median(one / other for one, other in zip(times["bare"], times[name], strict=True))
        for name in ("unchanged", "full")
    }
    found = {name: min(values) for name, values in times.items()}  # other load only adds
    app.state.database.close()
    return {**found, **ratios, "first": first, "bytes": statistics.mean(sizes), "megabytes": megabytes()}


# Telling


@contextmanager
def database(kind: str) -> Iterator[str]:
    with ExitStack() as stack:
        if kind == "postgresql":
            place = stack.enter_context(server(f"bench-{os.getpid()}"))
            url = place.create()
            yield url
            place.drop(url)
        else:
            tmp = stack.enter_context(tempfile.TemporaryDirectory(prefix="lectern-bench-"))
            yield f"sqlite:///{tmp}/lectern.db"


def in_a_process(url: str, resources: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.feed", url, str(resources)], stdout=subprocess.PIPE, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def tell(kind: str) -> None:
    print(f"polls of what is to be recorded, {kind}, {ROUNDS} rounds of {POLLS} requests:")
    found = {}
    for resources, occurrences in STATES:
        with database(kind) as url:
            fill(url, resources, occurrences)
            one = found[resources, occurrences] = in_a_process(url, resources)
        print(
            f"  {resources:,} resources with {occurrences:,} occurrences: "
            f"bare endpoint {1 / one['bare']:,.0f}/s, unchanged {1 / one['unchanged']:,.0f}/s, "
            f"full ({one['bytes'] / 1000:.0f} kB) {1 / one['full']:,.0f}/s, first {1 / one['first']:,.0f}/s"
        )
    few, many, long = (found[state] for state in STATES)
    print(f"    unchanged to bare    {many['unchanged_ratio']:.2f}  (asked for: at least {UNCHANGED_AT_LEAST})")
    print(f"    full to bare         {long['full_ratio']:.2f}  (asked for: at least {FULL_AT_LEAST})")
    for name, one in (("100 to 10,000 resources", many), ("40 to 1,000 occurrences", long)):
        growth = (one["unchanged"] / one["bare"]) / (few["unchanged"] / few["bare"])
        print(f"    cost of a poll, {name}: times {growth:.2f}  (asked for: no growth; noise to {GROWTH_AT_MOST})")
    signs = many["signs_cpu"] / many["polls_cpu"]
    told = f"{many['signs_cpu'] * 1e3:.0f} ms of CPU a minute, to note and write, against {many['polls_cpu'] * 1e3:.0f}"
    print(f"    signs of life        {signs:.1%} of the polls' CPU  (asked for: under {SIGNS_AT_MOST:.0%}): {told}")
    print(f"    memory               {many['megabytes']:.0f} MB  (asked for: under {MEGABYTES_AT_MOST})")


def main(arguments: Sequence[str]) -> None:
    if arguments and "://" in arguments[0]:
        configure_logs("WARNING")  # the bare endpoint's lines would cost more than it does
        print(json.dumps(asyncio.run(measure(arguments[0], int(arguments[1])))))
        return
    for kind in arguments or ("sqlite", "postgresql"):
        tell(kind)


if __name__ == "__main__":
    main(sys.argv[1:])
