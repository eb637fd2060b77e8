"""Documents, batches and cancellations, sent by clients that try again, while everything goes wrong.

clients ──POST, DELETE──▶ processes, each killed at times and started again ──▶ sandbox, with faults on a share of all
                          and each with a clock of its own                      calls, bad days, and what others have
                                    └──────────── one database ────────────┘
"""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select
from sqlmodel import col

from app.chains.models import Chain
from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from tests.clocks import OFF_BY
from tests.crash.rehearsal import rows
from tests.processes import Program, start_service
from tests.soak.accounts import Accounts, Feeds, draw_up, span
from tests.soak.clients import Family, Story
from tests.soak.documents import FAMILY, ROOMS, UNTIL, Json, room
from tests.soak.fleet import Fleet
from tests.soak.others import Others, move_in, never_found
from tests.soak.weather import BAD_DAYS, bad_weather

SETTINGS = {
    "LECTERN_LEASE_SECONDS": "2",
    "LECTERN_SWEEP_SECONDS": "5",
    "LECTERN_KALTURA_READ_TIMEOUT": "2",
    "LECTERN_KALTURA_CALLS_PER_SECOND": "1000",
    "LECTERN_REFRESHES_PER_SECOND": "20",
    "LECTERN_LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True)
class Plan:
    """`storm`: seconds after which nobody is killed any more; `faults_end`: nor any call struck; `limit`: in which all
    must be over, the feeds too. A recording may take longer than `storm` by chance alone: its pauses double with each
    fault it meets. `clocks`: by how many seconds each process's is off; there are as many processes.
    """

    families: int
    clocks: tuple[float, ...]
    storm: float
    faults_end: float
    limit: float
    others: int = 200  # events that others have in Kaltura
    faults: float = 0.2  # of all calls
    kill_every: float = 1.0  # seconds
    bad_days: Sequence[Json] = BAD_DAYS
    seed: int = 5

    @property
    def documents(self) -> int:
        return self.families * FAMILY


def soak(folder: Path, database_url: str, plan: Plan) -> tuple[Story, Accounts]:
    """Carries the plan out."""
    story, database = Story(), folder / "sandbox.db"
    with ExitStack() as stack:
        # Here, and not as a command: that would let nobody else read its file.
        url = stack.enter_context(running(Sandbox(str(database))))
        kaltura = stack.enter_context(httpx.Client(base_url=url, timeout=30, trust_env=False))
        others = move_in(kaltura, database, plan.others)
        story.others = len(others.rows)

        def start(number: int) -> Program:
            own = {**SETTINGS, "LECTERN_DATABASE_URL": database_url, OFF_BY: str(plan.clocks[number])}
            return start_service(folder, url, own, f"service-{number}")

        starters = stack.enter_context(ThreadPoolExecutor(len(plan.clocks)))
        programs = [stack.enter_context(program) for program in starters.map(start, range(len(plan.clocks)))]
        fleet, began = Fleet(programs, random.Random(plan.seed), starters), time.monotonic()
        stack.enter_context(fleet.client)

        with bad_weather(kaltura, plan.faults, plan.bad_days, plan.seed, plan.faults_end) as story.weather:
            with fleet.killing(plan.kill_every, plan.storm), ThreadPoolExecutor(plan.families) as clients:
                until, limit = began + plan.faults_end, began + plan.limit
                families = [Family(fleet, story, number, until, limit) for number in range(plan.families)]
                list(clients.map(Family.live, families))
                _until_over(database_url, began + plan.storm)
            _until_over(database_url, until)
        story.kills = fleet.kills
        _resume(fleet, database_url)
        _until_over(database_url, limit)
        story.calls = len(kaltura.get("/_sandbox/requests").json())
        accounts = _close(fleet, kaltura, others, database, story, limit)
        accounts.wrong += [f"not over after {plan.limit:.0f} s: {chain}" for chain in _open(database_url)]
        accounts.wrong += story.odd
        accounts.wrong += [f"of others, is not as it was: {row}" for row in others.changed(database)]
        story.seconds = time.monotonic() - began
        return story, accounts


def _close(
    fleet: Fleet, kaltura: httpx.Client, others: Others, database: Path, story: Story, deadline: float
) -> Accounts:
    """The accounts when they are right, or as they are at the deadline: the feeds come after the chains."""
    while True:
        state = others.without(kaltura.get("/_sandbox/state").json())
        recordings = _listed(fleet)
        lost = never_found(database) - {one["kaltura"]["template_entry_id"] for one in recordings}
        state["entries"] = [one for one in state["entries"] if one["id"] not in lost]
        accounts = draw_up(recordings, state, story.asked)
        accounts.never_found = len(lost)
        due: Feeds = {name: [(one, None) for one in others.bookings(name)] for name in map(room, range(ROOMS))}
        for name, found in accounts.feeds.items():
            due[name] += found
        wanted = {name: sorted(found, key=str) for name, found in due.items() if found}
        accounts.wrong += [
            f"the feed of {name}: {there}, not {found}"
            for name, found in wanted.items()
            if (there := _fed(fleet, name)) != found
        ]
        if not accounts.wrong or time.monotonic() > deadline:
            return accounts
        time.sleep(1.0)


def _fed(fleet: Fleet, name: str) -> list[tuple[tuple[int, int], str | None]]:
    items = fleet.get(f"/resources/{name}/upcoming?to={UNTIL}&limit=1000")["occurrences"]
    return sorted(((span(one), one["recording_id"]) for one in items), key=str)


def _open(database_url: str) -> list[Any]:
    """Chains that have not come to their end, of any kind; also those that look for what was made unseen."""
    columns = (Chain.id, Chain.operation, Chain.subject, Chain.status, Chain.waiting_for, Chain.next_attempt_at)
    unfinished = select(*map(col, columns)).where(col(Chain.finished_at).is_(None))
    return [tuple(row) for row in rows(database_url, unfinished)]


def _until_over(database_url: str, deadline: float) -> bool:
    """Whether every chain has come to its end by then."""
    while _open(database_url):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


def _resume(fleet: Fleet, database_url: str) -> None:
    """As a person does who knows that Kaltura is well again."""
    for chain_id, *_ in _open(database_url):
        url = fleet.programs[0].url + f"/chains/{chain_id}/resume"
        fleet.client.post(url, headers={"Prefer": "respond-async"})


def _listed(fleet: Fleet) -> list[Json]:
    """Every recording there is, with its occurrences and its chains."""
    recordings = fleet.items("/recordings")
    for recording in recordings:
        path = f"/recordings/{recording['id']}"
        recording["occurrences"] = fleet.get(f"{path}/occurrences")["items"]
        recording["history"] = fleet.get(f"{path}/history")["items"]
    return recordings
