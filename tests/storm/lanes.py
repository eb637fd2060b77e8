"""``python -m tests.storm.lanes [seconds]``: two services on one PostgreSQL, documents for a few rooms, each cancelled
while it is on its way.

Nothing is injected. When it is over, every chain must have come to its end, and no lane be held: what is not so is
printed, and ends it with 1.
"""

import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine, text

from tests.postgres import server
from tests.processes import Program, replicas, start_sandbox

SECONDS = 240.0
SETTLE = 60.0  # seconds in which all that was begun must have ended
CLIENTS, ROOMS, HOURS = 12, 4, 12
SETTINGS = {
    "LECTERN_WORKERS": "12",
    "LECTERN_KALTURA_CALLS_PER_SECOND": "1000",
    "LECTERN_LOG_LEVEL": "WARNING",
}
UNFINISHED = "SELECT operation || ' ' || status, count(*) FROM chain WHERE finished_at IS NULL GROUP BY 1"
HELD = "SELECT count(*) FROM lane"


@dataclass
class Story:
    """What happened: `rounds` are documents that were posted and cancelled, `answers` how requests ended."""

    rounds: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def storm(folder: Path, database_url: str, seconds: float) -> Story:
    """Goes on for so long, and looks what is left when it has settled."""
    story = Story()
    with ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(folder))
        environment = {**SETTINGS, "LECTERN_DATABASE_URL": database_url}
        services = stack.enter_context(replicas(folder, sandbox.url, environment, 2))
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(lambda number: _client(services, story, number, until), range(CLIENTS)))
        engine = create_engine(database_url)
        deadline = time.monotonic() + SETTLE
        while (left := _left(engine)) and time.monotonic() < deadline:
            time.sleep(0.2)
        story.wrong += left
        if lines := _deadlocks(services):
            story.wrong.append(f"{len(lines)} lines of the logs tell of a deadlock")
        engine.dispose()
    return story


def _client(services: list[Program], story: Story, number: int, until: float) -> None:
    chance = random.Random(number)
    with ExitStack() as stack:
        clients = [stack.enter_context(httpx.Client(base_url=one.url, timeout=60, trust_env=False)) for one in services]
        while time.monotonic() < until:
            one, other = chance.sample(clients, 2)
            posted = _sent(one, story, "POST", "/recordings", json=_document(chance))
            time.sleep(chance.choice((0.0, 0.01, 0.05, 0.1)))
            _sent(chance.choice((one, other)), story, "DELETE", f"/recordings/{posted.json()['id']}")
            story.rounds += 1


def _sent(client: httpx.Client, story: Story, method: str, path: str, **more: Any) -> httpx.Response:
    """Again, while there is no time for it."""
    while True:
        answer = client.request(method, path, headers={"Prefer": "respond-async"}, **more)
        story.answers[f"{method} {answer.status_code}"] += 1
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            assert answer.status_code in (200, 202), answer.text
            return answer
        time.sleep(0.5)


def _document(chance: random.Random) -> Mapping[str, Any]:
    name = f"STORM-{chance.randrange(ROOMS)}"
    return {
        "title": "Storm",
        "resource": {"system_name": name, "name": name},
        "start": f"2027-01-13T{8 + chance.randrange(HOURS):02d}:00:00",
        "time_zone": "America/New_York",
        "duration_minutes": 50,
        "recurrence": {"frequency": "weekly", "count": 4},
        "on_conflict": "allow",
    }


def _left(engine: Any) -> list[str]:
    with engine.connect() as connection:
        chains = [f"{count} chains are {what}" for what, count in connection.execute(text(UNFINISHED))]
        held = connection.execute(text(HELD)).scalar_one()
    return chains + ([f"{held} lanes are held"] if held else [])


def _deadlocks(services: list[Program]) -> list[str]:
    return [
        line
        for one in services
        for line in one.log.read_text(encoding="utf-8", errors="replace").splitlines()
        if "deadlock" in line
    ]


def main(seconds: float = SECONDS) -> int:
    """How much was wrong."""
    with tempfile.TemporaryDirectory(prefix="lectern-storm-") as folder, server(secrets.token_hex(8)) as postgres:
        story = storm(Path(folder), postgres.create(), seconds)
    print(f"lanes: {story.rounds} rounds in {seconds:.0f} s; {dict(sorted(story.answers.items()))}")
    for line in story.wrong:
        print(f"  wrong: {line}")
    return len(story.wrong)


if __name__ == "__main__":
    sys.exit(1 if main(*map(float, sys.argv[1:2])) else 0)
