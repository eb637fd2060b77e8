"""``python -m tests.bench``: what Lectern costs over the bare calls to Kaltura.

A sandbox in a process of its own takes 50 ms for each call. The service, in another, is measured against a loop of the
same calls over httpx (``kaltura.py``), one after the other in the same run: other load on the machine meets both.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from tests.bench.kaltura import Room, make_rooms, recorded, replay, requests_so_far, sign_in
from tests.processes import start_sandbox, start_service

LATENCY = 0.05
PAIRS = 15
AT_ONCE = 20
ROUNDS = 3
IN_A_ROW = 4  # what each of them does in a round: a throughput is what is kept up
ROOMS = 3 + 2 * PAIRS + 2 * AT_ONCE * IN_A_ROW * (ROUNDS + 1)

SERIAL_AT_MOST = 1.12
PARALLEL_AT_LEAST = 0.75


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


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def one_at_a_time(service: Callable[[], object], floor: Callable[[], object]) -> None:
    pairs = [(seconds(service), seconds(floor)) for _ in range(PAIRS)]
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    ours, bare = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"one at a time, {PAIRS} pairs: service {ours * 1000:.0f} ms, bare calls {bare * 1000:.0f} ms")
    print(f"  ratio of times       {ratio:.3f}  (asked for: at most {SERIAL_AT_MOST})")


def many_at_once(service: Callable[[int], object], floor: Callable[[int], object]) -> None:
    """``service`` and ``floor`` are told which of AT_ONCE lanes calls them."""
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def all_lanes(side: Callable[[int], object]) -> float:
            def in_a_row(lane: int) -> None:
                for _ in range(IN_A_ROW):
                    side(lane)

            return seconds(lambda: list(pool.map(in_a_row, range(AT_ONCE))))

        all_lanes(service), all_lanes(floor)  # connections and caches are warm afterwards
        pairs = [(all_lanes(service), all_lanes(floor)) for _ in range(ROUNDS)]
    ratio = statistics.median(bare / ours for ours, bare in pairs)
    ours, bare = (AT_ONCE * IN_A_ROW / statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"{AT_ONCE} at a time, {ROUNDS} rounds of {IN_A_ROW} each: service {ours:.1f}/s, bare calls {bare:.1f}/s")
    print(f"  ratio of throughputs {ratio:.3f}  (asked for: at least {PARALLEL_AT_LEAST})")


def main() -> None:
    with ExitStack() as stack:
        tmp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lectern-bench-")))
        sandbox = stack.enter_context(start_sandbox(tmp))
        service = stack.enter_context(start_service(tmp, sandbox.url, {"LECTERN_WORKERS": str(AT_ONCE)}))

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
        before = len(requests_so_far(kaltura[0]))
        room = next(rooms)
        made = post(lectern[0], room, next(numbers))
        original = recorded(kaltura[0], requests_so_far(kaltura[0])[before:], made, room)
        replay(kaltura[0], ks, original, next(rooms), next(numbers))
        print(f"{os.cpu_count()} cores; {len(original.calls)} calls a recording, {LATENCY * 1000:.0f} ms each:")
        print("  " + ", ".join(original.names))

        one_at_a_time(
            lambda: post(lectern[0], next(rooms), next(numbers)),
            lambda: replay(kaltura[0], ks, original, next(rooms), next(numbers)),
        )
        many_at_once(
            lambda lane: post(lectern[lane], next(rooms), next(numbers)),
            lambda lane: replay(kaltura[lane], ks, original, next(rooms), next(numbers)),
        )


if __name__ == "__main__":
    main()
