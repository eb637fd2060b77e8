"""``python -m tests.storm memory``: many polls and many chains, one after another, and how much memory that leaves.

What a service keeps it has after a while; from then on it may not grow. Documents are made and cancelled, so that
there is always as much to show.
"""

import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Event, Lock

import httpx
from sqlalchemy import create_engine, func, select
from sqlmodel import col

from app.chains.models import Chain
from tests.processes import Program, start_sandbox, start_service
from tests.storm.crowd import document
from tests.storm.watch import resident

ROOMS, WINDOWS = 40, 5
KEPT = 50  # recordings of each client, before the oldest is cancelled
PATIENCE = 600.0  # seconds for all of it
GROWTH = 20.0  # MB, at most
SETTINGS = {"LECTERN_KALTURA_CALLS_PER_SECOND": "1000", "LECTERN_LOG_LEVEL": "WARNING"}


@dataclass(frozen=True)
class Plan:
    """`warm`: seconds until the memory is first looked at, or the share of the chains that is over by then."""

    polls: int = 20_000
    chains: int = 2_000
    warm: float = 60.0
    share: float = 0.25


@dataclass
class Story:
    """`memory`: (seconds, MB, chains that were over), each second or so. `first` is from when on it should not grow."""

    polls: Counter[int] = field(default_factory=Counter)
    changes: Counter[int] = field(default_factory=Counter)
    memory: list[tuple[float, float, int]] = field(default_factory=list)
    first: float = 0.0
    wrong: list[str] = field(default_factory=list)

    @property
    def grown(self) -> float:
        """The most that it has grown since then, at its end: what comes and goes is no leak."""
        return min(megabytes for _, megabytes, _ in self.memory[-3:]) - self.first


def repeat(folder: Path, database_url: str, plan: Plan) -> Story:
    story, numbers, over, lock = Story(), count(), Event(), Lock()
    with (
        start_sandbox(folder) as sandbox,
        start_service(folder, sandbox.url, {**SETTINGS, "LECTERN_DATABASE_URL": database_url}) as service,
        ThreadPoolExecutor(8) as threads,
    ):
        working = [threads.submit(_post, service, story, numbers, over, lock) for _ in range(4)]
        working += [threads.submit(_poll, service, story, over, lock) for _ in range(4)]
        try:
            _weigh(service, database_url, plan, story)
        finally:
            over.set()
        for one in working:
            one.result()
    story.wrong += [
        f"{many} changes: {status}" for status, many in story.changes.items() if status not in (200, 201, 202)
    ]
    # 404: its room is not made yet; 503: it was never looked at.
    story.wrong += [
        f"{many} polls: {status}" for status, many in story.polls.items() if status not in (200, 304, 404, 503)
    ]
    if story.grown > GROWTH:
        story.wrong.append(f"memory has grown by {story.grown:.0f} MB")
    return story


def _weigh(service: Program, database_url: str, plan: Plan, story: Story) -> None:
    """Until all is done."""
    engine = create_engine(database_url)
    over = select(func.count()).where(col(Chain.finished_at).is_not(None))
    began = time.monotonic()
    while True:
        seconds = time.monotonic() - began
        with engine.connect() as connection:
            done = connection.execute(over).scalar_one()
        story.memory.append((seconds, resident(service.pid), done))
        if not story.first and (seconds >= plan.warm or done >= plan.chains * plan.share):
            story.first = story.memory[-1][1]
        if done >= plan.chains and story.polls.total() >= plan.polls:
            break
        if seconds > PATIENCE:
            story.wrong.append(f"{done} chains and {story.polls.total()} polls in {seconds:.0f} s")
            break
        time.sleep(1.0)
    engine.dispose()


def _post(service: Program, story: Story, numbers: "count[int]", over: Event, lock: Lock) -> None:
    """As much is cancelled as is made, so that there is always as much to show."""
    made = deque[str]()
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
        while not over.is_set():
            number = next(numbers)
            sent = {**document(f"MEMORY-{number % ROOMS}", number // ROOMS), "on_conflict": "allow"}
            answers = [client.post("/recordings", json=sent, headers={"Prefer": "wait=5"})]
            made.append(answers[0].json()["id"])
            if len(made) > KEPT:
                answers.append(client.delete(f"/recordings/{made.popleft()}", headers={"Prefer": "wait=5"}))
            with lock:
                story.changes.update(answer.status_code for answer in answers)


def _poll(service: Program, story: Story, over: Event, lock: Lock) -> None:
    """Rooms whose schedules change all the time, each in a few windows."""
    etags: dict[str, str] = {}
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as client:
        for number in count():
            if over.is_set():
                return
            room = f"MEMORY-{number % ROOMS}"
            path = f"/resources/{room}/upcoming?to=2028-03-01T00:00:00Z&limit={100 - number // ROOMS % WINDOWS}"
            answer = client.get(path, headers={"If-None-Match": etags.get(path, '"none"')})
            etags[path] = answer.headers.get("ETag", '"none"')
            with lock:
                story.polls[answer.status_code] += 1
            if answer.status_code == 404:
                time.sleep(0.2)  # its room is not made yet
