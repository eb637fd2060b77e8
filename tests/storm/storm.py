"""One storm: a crowd asks for everything at once, while Kaltura takes long for every answer and many chains wait.

crowd (a process) ─▶ one service, or several on one database ─▶ sandbox, each answer late
probes ────────────▶     /healthz, and a poll that knows what there is
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Engine, create_engine, select
from sqlmodel import col

from app.recordings.models import Recording
from tests.processes import Program, replicas, start_sandbox
from tests.storm.crowd import Crowd, Seen, document, run
from tests.storm.watch import Leases, Probe, probing, resident

ROOM = "EXTRON-100-ABC"
STOP_SECONDS = 30.0  # a supervisor's patience
SETTLE = 90.0  # seconds until all that was accepted is over, once Kaltura answers again
REFUSALS = ("503 busy", "503 kaltura_unavailable")
"""How a request may end besides well. The latter, where an answer needs Kaltura and it takes too long."""

SETTINGS = {
    "LECTERN_LEASE_SECONDS": "5",  # much less than Kaltura takes
    "LECTERN_KALTURA_CALLS_PER_SECOND": "1000",
    "LECTERN_REQUEST_SECONDS": "5",
    "LECTERN_LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True)
class Plan:
    """`late`: seconds that Kaltura takes. `settles`: whether it is waited for what was accepted."""

    processes: int
    seconds: float
    late: float = 20.0
    chains: int = 300
    crowd: Mapping[str, int] = field(default_factory=dict)
    settles: bool = False


@dataclass
class Story:
    """What was seen. `memory`: of each service MB before the crowd came, at half time and at its end."""

    probes: list[Probe] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    leases: Leases | None = None
    memory: list[list[float]] = field(default_factory=list)
    told_to_stop: float = 0.0  # monotonic
    stops: list[float] = field(default_factory=list)
    complaints: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def storm(folder: Path, database_url: str, plan: Plan) -> Story:
    story = Story()
    with ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(folder))
        environment = {**SETTINGS, "LECTERN_DATABASE_URL": database_url}
        services = stack.enter_context(replicas(folder, sandbox.url, environment, plan.processes))
        engine = create_engine(database_url)
        stack.callback(engine.dispose)
        recordings = [_made(services[0], f"READ-{number}") for number in range(3)]
        etag = _known(services)
        _slow(sandbox, plan.late)
        waiting = _chains(services, plan.chains)
        story.leases = Leases(engine)
        for service in services:
            story.probes += [
                Probe("healthz", service.url, "/healthz", {}, 200),
                Probe("known poll", service.url, f"/resources/{ROOM}/upcoming", {"If-None-Match": etag}, 304),
            ]
        _rage(folder, services, recordings, plan, story)
        _stop(services, story)
        _slow(sandbox, 0.0)
        if plan.settles:
            _settle(services, engine, [*waiting, *story.seen.accepted], story)
        story.complaints = Counter(_complaints(services))
    story.wrong += _judged(story)
    return story


def _rage(folder: Path, services: Sequence[Program], recordings: Sequence[str], plan: Plan, story: Story) -> None:
    def weigh() -> None:
        story.memory.append([resident(service.pid) for service in services])

    come, over = folder / "come", folder / "over"
    crowd = Crowd([one.url for one in services], recordings, ROOM, come, over, plan.seconds, **plan.crowd)
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        seen = apart.submit(run, crowd)
        weigh()
        assert story.leases is not None
        with probing(story.probes, story.leases.work):
            _wait(come, seen)
            time.sleep(plan.seconds / 2)
            weigh()
            _wait(over, seen)
        weigh()
        story.told_to_stop = time.monotonic()
        for service in services:
            service.process.terminate()
        story.seen = seen.result()


def _wait(sign: Path, seen: Future[Seen]) -> None:
    while not sign.exists():
        if seen.done():
            seen.result()  # which tells why there is none
        time.sleep(0.05)


def _stop(services: Sequence[Program], story: Story) -> None:
    for service in services:
        code = service.process.wait(2 * STOP_SECONDS)
        story.stops.append(time.monotonic() - story.told_to_stop)
        if code:
            story.wrong.append(f"{service.name} ended with {code}")


def _settle(services: Sequence[Program], engine: Engine, accepted: Sequence[str], story: Story) -> None:
    """Started again, they bring all that was accepted to its end."""
    for service in services:
        service.restart()
    found = select(col(Recording.status)).where(col(Recording.id).in_(accepted))
    deadline = time.monotonic() + SETTLE
    while True:
        with engine.connect() as connection:
            statuses = Counter(str(status) for (status,) in connection.execute(found))
        if statuses == {"scheduled": len(accepted)}:
            return
        if time.monotonic() > deadline:
            story.wrong.append(f"of {len(accepted)} that were accepted: {dict(statuses)}")
            return
        time.sleep(0.2)


def _judged(story: Story) -> Iterator[str]:
    """What must hold, and did not."""
    for probe in story.probes:
        yield from (f"{probe.name} of {probe.url}: {count} times {what}" for what, count in probe.wrong.items())
    for what, ends in story.seen.ends.items():
        for how, count in ends.items():
            if what != "dawdle" and not how.startswith("2") and how not in ("304", *REFUSALS):
                yield f"{what}: {count} times {how}"
    if story.seen.unadvised:
        yield f"{story.seen.unadvised} answers with 503 did not say when to come again"
    leases = story.leases
    if leases is None or not leases.looks or not leases.held:
        yield "no chain was seen at work"
    elif leases.lost:
        yield f"{leases.lost} times the lease of a chain was over"
    yield from (f"the log tells of {what}, {count} times" for what, count in story.complaints.items())
    yield from (f"a stop took {seconds:.0f} s" for seconds in story.stops if seconds > STOP_SECONDS)


def _complaints(services: Sequence[Program]) -> Iterator[str]:
    """Lost leases, and what is an error."""
    for service in services:
        for line in service.log.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                yield f"something that is no line of it: {line[:80]}"
                continue
            if said["level"] == "error" or "lease_lost" in said["event"]:
                yield said["event"].strip()


# The scene


def _post(client: httpx.Client, sent: Any, prefer: str) -> str:
    answer = client.post("/recordings", json=sent, headers={"Prefer": prefer})
    assert answer.status_code in (201, 202), answer.text
    return str(answer.json()["id"])


def _made(service: Program, name: str) -> str:
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
        return _post(client, document(name), "wait=30")


def _known(services: Sequence[Program]) -> str:
    """The ETag of a room's schedule, once each service has it in memory."""
    etags = set()
    for service in services:
        with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
            deadline = time.monotonic() + SETTLE
            while (answer := client.get(f"/resources/{ROOM}/upcoming")).status_code != 200:
                assert time.monotonic() < deadline, answer.text
                time.sleep(0.2)
        etags.add(answer.headers["ETag"])
    (etag,) = etags
    return etag


def _slow(sandbox: Program, seconds: float) -> None:
    httpx.put(f"{sandbox.url}/_sandbox/faults", json={"latency": seconds}, trust_env=False).raise_for_status()


def _chains(services: Sequence[Program], count: int) -> list[str]:
    """More of them than there are workers: they wait."""
    with ExitStack() as stack, ThreadPoolExecutor(4) as threads:
        clients = [stack.enter_context(httpx.Client(base_url=one.url, timeout=60, trust_env=False)) for one in services]

        def post(number: int) -> str:
            sent = document(f"WAITING-{number % 50}", number // 50)
            return _post(clients[number % len(clients)], sent, "respond-async")

        return list(threads.map(post, range(count)))
