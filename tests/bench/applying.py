"""A term that is applied beside single documents, and what a whole declaration takes of memory.

    python -m tests.bench.applying

The service is a process of its own, set up as it comes, with the sandbox embedded. Each measurement has a service anew.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from app.sandbox.simulator import Sandbox
from app.terms.applying.applier import LATELY
from tests.bench.terms import timetable
from tests.processes import Program, start_service
from tests.sandbox.kaltura import embedded
from tests.service import Json
from tests.terms.campus import TERM

MEETINGS = 500
ROUND = 125
AT_ONCE = 20
SINGLE = 30
BODY = 16 * 1024 * 1024  # bytes
TERM_PATH = "/terms/2027S"
ROOMS = {f"R{number}": f"CAM-{number}" for number in range(2 * MEETINGS // 50 + 1)}


@contextmanager
def service(rooms: Sequence[str] = ()) -> Iterator[tuple[Program, httpx.Client]]:
    with TemporaryDirectory(prefix="lectern-bench-") as folder:
        kept = Path(folder, "sandbox.db")
        sandbox = Sandbox(str(kept))
        kaltura = embedded(sandbox).sign_in()
        for name in rooms:
            camera = {"objectType": "KalturaCameraScheduleResource", "name": name, "systemName": name}
            kaltura("schedule_scheduleResource", "add", scheduleResource=camera)
        kaltura.client.close()
        sandbox.close()
        own = {"LECTERN_SANDBOX_DATABASE": str(kept), "LECTERN_KALTURA_URL": ""}
        limits = httpx.Limits(max_connections=AT_ONCE + 2)
        with (
            start_service(Path(folder), "", own) as program,
            httpx.Client(base_url=program.url, timeout=120, trust_env=False, limits=limits) as client,
        ):
            client.put(TERM_PATH, json={**TERM, "rooms": ROOMS}).raise_for_status()
            yield program, client


def document(section: Json) -> Json:
    """What a section of `timetable` becomes."""
    (meeting,) = section["meetings"]
    return {
        "title": section["title"],
        "owner": "jdoe1",
        "resource": ROOMS[meeting["room"]],
        "start": f"2027-01-11T{meeting['start']}:00",
        "duration_minutes": 50,
        "time_zone": "America/New_York",
        "recurrence": {"frequency": "weekly", "days": meeting["days"], "until": "2027-04-30"},
    }


def begun(client: httpx.Client, sections: Sequence[Json], new: int) -> str:
    """The address of the apply of these, of which so many are new."""
    plan = client.post(f"{TERM_PATH}/plans", json={"sections": sections}, headers={"Prefer": "wait=60"})
    assert plan.json()["counts"]["create"] == new, plan.text
    return client.post(f"{TERM_PATH}/plans/{plan.json()['id']}/apply", json={}).raise_for_status().headers["Location"]


def counts(client: httpx.Client, apply: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(apply).json()["counts"]
    return found


def seconds_of(client: httpx.Client, apply: str) -> float:
    """Waits for the apply's end as `lectern term apply` does, which asks every two seconds."""
    while (found := client.get(apply).json())["status"] == "running":
        time.sleep(2)
    assert found["counts"]["done"] == sum(found["counts"].values()), found
    return (datetime.fromisoformat(found["finished_at"]) - datetime.fromisoformat(found["created_at"])).total_seconds()


def rates() -> None:
    sections = timetable(2 * MEETINGS)
    of_term, single = sections[:MEETINGS], sections[MEETINGS:]

    def put(section: Json) -> None:
        path = f"/recordings/by-reference/{section['section']}"
        answer = client.put(path, json=document(section), headers={"Prefer": "wait=60"})
        assert answer.status_code == httpx.codes.CREATED, answer.text

    def puts(first: int) -> float:
        start = time.perf_counter()
        list(pool.map(put, single[first : first + ROUND]))
        return time.perf_counter() - start

    def applies(first: int) -> float:
        time.sleep(2 * LATELY)  # a term gives way to single documents, and to those of just now
        return seconds_of(client, begun(client, of_term[: first + ROUND], ROUND))

    with service(list(ROOMS.values())) as (_, client), ThreadPoolExecutor(AT_ONCE) as pool:
        by_put = applied = 0.0
        for first in range(0, MEETINGS, 2 * ROUND):  # what comes later meets more bookings: each comes first and last
            by_put += puts(first)
            applied += applies(first) + applies(first + ROUND)
            by_put += puts(first + ROUND)
    sys.stdout.write(
        f"terms: {MEETINGS} new meetings are applied in {applied:.1f} s, as many single PUTs, {AT_ONCE} at "
        f"a time, take {by_put:.1f} s\n    ratio of rates       {by_put / applied:.2f}  (asked for: at least 1)\n"
    )


def beside() -> None:
    sections = timetable(2 * MEETINGS)
    of_term, single = sections[:MEETINGS], iter(sections[MEETINGS:])

    def post() -> float:
        start = time.perf_counter()
        answer = client.post("/recordings", json=document(next(single)), headers={"Prefer": "wait=60"})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return time.perf_counter() - start

    with service(list(ROOMS.values())) as (_, client):
        post()  # signs in
        alone = statistics.median(post() for _ in range(SINGLE))
        apply, times = begun(client, of_term, len(of_term)), list[float]()
        while counts(client, apply)["pending"] and len(times) < SINGLE:
            times.append(post())
        busy = statistics.median(times)
    sys.stdout.write(
        f"terms: a single POST takes {alone * 1000:.0f} ms, and {busy * 1000:.0f} ms while a term is applied "
        f"({len(times)} of them)\n    ratio of times       {busy / alone:.2f}  (asked for: at most 2)\n"
    )


def memory() -> None:
    for count in (1_000, 5_000, 20_000):
        head = json.dumps({"complete": True})
        lines = [json.dumps(one | {"description": ""}) for one in timetable(count)]
        words = (BODY - len(head) - sum(len(line) + 1 for line in lines)) // count
        said = f'"description": "{"x" * words}"'
        body = "\n".join([head, *(line.replace('"description": ""', said) for line in lines)])
        rooms = {f"R{number}": f"CAM-{number}" for number in range(count // 50)}
        with service() as (program, client):
            client.put(TERM_PATH, json={**TERM, "rooms": rooms}).raise_for_status()
            client.post(f"{TERM_PATH}/plans", json={"sections": timetable(10)})  # what is imported at first
            before = resident(program, "VmRSS")
            Path(f"/proc/{program.pid}/clear_refs").write_text("5", encoding="ascii")
            start = time.perf_counter()
            headers = {"Content-Type": "application/x-ndjson", "Prefer": "wait=100"}
            answer = client.post(f"{TERM_PATH}/plans", content=body.encode(), headers=headers)
            assert answer.json()["declared"]["sections"] == count, answer.text
            seconds, most = time.perf_counter() - start, resident(program, "VmHWM")
        sys.stdout.write(
            f"terms: {len(body) / 2**20:.1f} MiB of NDJSON, {count} sections, all of them new: {seconds:.1f} s; the "
            f"process grows from {before} MB by {most - before} MB at most\n"
        )


def resident(program: Program, name: str) -> int:
    """MB of memory of the process: `VmRSS` now, `VmHWM` at most."""
    status = Path(f"/proc/{program.pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) // 1024


def main() -> None:
    rates()
    beside()
    memory()


if __name__ == "__main__":
    main()
