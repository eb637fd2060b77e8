"""Documents posted by clients that try again, while Kaltura's answers get lost and processes are killed.

clients ──POST──▶ processes, each killed at times and started again ──▶ sandbox, with faults on a share of all calls
                           └──────────── one database ────────────┘
"""

import itertools
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import httpx

from tests.processes import Program, start_sandbox, start_service
from tests.soak.accounts import Accounts, Json, draw_up

ROOMS = 100
REFUSED = 0.04  # of all links: refused for good, so that everything made before is undone
READ_TIMEOUT, LATE = 2, 2.5  # seconds
SETTINGS = {
    "LECTERN_LEASE_SECONDS": "1",
    "LECTERN_KALTURA_READ_TIMEOUT": str(READ_TIMEOUT),
    "LECTERN_KALTURA_CALLS_PER_SECOND": "1000",
    "LECTERN_LOG_LEVEL": "WARNING",
}


@dataclass(frozen=True)
class Plan:
    """`storm`: seconds after which nobody is killed any more; `faults_end`: nor any call struck; `limit`: in which all
    must be over. A recording may take longer than `storm` by chance alone: its pauses double with each fault it meets.
    """

    documents: int
    processes: int
    storm: float
    faults_end: float
    limit: float
    clients: int = 10
    faults: float = 0.2  # of all calls
    kill_every: float = 1.0  # seconds
    seed: int = 5


@dataclass
class Story:
    """What happened on the way. `posts`: how they ended."""

    kills: int = 0
    posts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    calls: int = 0


def weather(share: float) -> Json:
    """Faults on this share of all calls, each kind as often as any other; and a few links that are refused."""
    kinds: list[Json] = [
        {"fault": "drop_before"},
        {"fault": "http_500"},
        {"fault": "http_429"},
        {"fault": "html"},
        {"fault": "error"},
        {"fault": "drop_after"},
        {"fault": "truncated"},
        {"fault": "delay", "seconds": LATE},
    ]
    refused = {
        "service": "schedule_scheduleEventResource",
        "action": "add",
        "fault": "error",
        "code": "SCHEDULE_RESOURCE_ID_NOT_FOUND",
        "probability": REFUSED,
    }
    each = share / len(kinds)
    # The first that strikes a call is the only one: later ones see the rest alone.
    return {
        "faults": [refused, *({**kind, "probability": each / (1 - n * each)} for n, kind in enumerate(kinds))],
    }


def document(number: int) -> Json:
    """Each in its own hour of one of the rooms; a few want the hour of another, or a category that is not there."""
    hour, room = divmod(number, ROOMS)
    kind = number % 10
    shape: Json = {"recurrence": {"frequency": "weekly", "days": ["MO", "WE"], "count": 6}, "exclude": ["2027-01-20"]}
    if kind == 3:  # across the spring gap: two series and a single event
        shape = {"start": "2027-03-12T02:30:00", "recurrence": {"frequency": "daily", "count": 4}}
    if kind == 7:
        shape["categories"] = ["No>Such>Category"]
    if kind == 9 and hour:
        hour -= 1
    name = f"SOAK-{room:03d}"
    return {
        "reference_id": f"SOAK-{number:04d}",
        "title": f"Soak {number}",
        "resource": {"system_name": name, "name": name},
        "start": f"2027-01-13T{8 + hour:02d}:00:00",
        "time_zone": "America/New_York",
        "duration_minutes": 50,
        "on_conflict": "reject" if kind != 3 else "allow",
    } | shape


@dataclass
class Fleet:
    """Processes that are killed at random, one at a time, and started again."""

    programs: list[Program]
    chance: random.Random
    starters: ThreadPoolExecutor
    starting: dict[int, Future[None]] = field(default_factory=dict)
    kills: int = 0

    def kill_one(self) -> None:
        """Of those that are up. One that is down at the moment is on its way up."""
        up = [number for number in range(len(self.programs)) if self._is_up(number)]
        if up:
            number = self.chance.choice(up)
            self.programs[number].kill()
            self.kills += 1
            self.starting[number] = self.starters.submit(self.programs[number].restart)

    def all_up(self) -> None:
        """Returns when all run. Raises RuntimeError if one cannot be started."""
        for start in self.starting.values():
            start.result()

    def _is_up(self, number: int) -> bool:
        start = self.starting.get(number)
        if start is None or not start.done():
            return start is None
        start.result()
        return True


@contextmanager
def _storm(fleet: Fleet, plan: Plan) -> Iterator[None]:
    """Kills until the block is left, or the storm is over."""
    calm, began = Event(), time.monotonic()

    def rage() -> None:
        while not calm.wait(plan.kill_every * fleet.chance.uniform(0.5, 1.5)):
            if time.monotonic() - began > plan.storm:
                return
            fleet.kill_one()

    thread = Thread(target=rage)
    thread.start()
    try:
        yield
    finally:
        calm.set()
        thread.join()
        fleet.all_up()


def soak(folder: Path, database_url: str, plan: Plan) -> tuple[Story, Accounts]:
    """Carries the plan out. Raises AssertionError if it is not over within its limit, or something is refused oddly."""
    story, began = Story(), time.monotonic()
    with ExitStack() as stack:
        sandbox = stack.enter_context(start_sandbox(folder))
        environment = {**SETTINGS, "LECTERN_DATABASE_URL": database_url}
        names = [f"service-{number}" for number in range(plan.processes)]
        starters = stack.enter_context(ThreadPoolExecutor(plan.processes))
        programs = list(starters.map(lambda name: start_service(folder, sandbox.url, environment, name), names))
        for program in programs:
            stack.enter_context(program)
        fleet = Fleet(programs, random.Random(plan.seed), starters)
        kaltura = stack.enter_context(httpx.Client(base_url=sandbox.url, timeout=30, trust_env=False))
        kaltura.put("/_sandbox/faults", json=weather(plan.faults)).raise_for_status()

        with _storm(fleet, plan), ThreadPoolExecutor(plan.clients) as clients:
            list(clients.map(lambda number: _post(fleet, story, document(number), number), range(plan.documents)))
            _until_over(fleet, began + plan.storm)
        if not _until_over(fleet, began + plan.faults_end):
            kaltura.put("/_sandbox/faults", json={}).raise_for_status()
            _resume(fleet)
            assert _until_over(fleet, began + plan.limit), f"not over after {plan.limit:.0f} s: {_open(fleet)}"
        kaltura.put("/_sandbox/faults", json={}).raise_for_status()
        story.kills, story.seconds = fleet.kills, time.monotonic() - began
        story.calls = len(kaltura.get("/_sandbox/requests").json())
        return story, draw_up(_listed(fleet), kaltura.get("/_sandbox/state").json())


def _post(fleet: Fleet, story: Story, sent: Json, number: int) -> None:
    """As a client does that must not lose a document: again, with the same reference_id, until it gets an answer.

    Some clients wait for the end, some do not.
    """
    wait = "wait=2" if number % 3 == 0 else "respond-async"
    for attempt in itertools.count():
        at = fleet.programs[(number + attempt) % len(fleet.programs)]
        try:
            with httpx.Client(base_url=at.url, timeout=20, trust_env=False, verify=False) as client:  # noqa: S501
                answer = client.post("/recordings", json=sent, headers={"Prefer": wait})
        except httpx.TransportError:
            story.posts["cut off"] += 1
            time.sleep(0.1)
            continue
        story.posts[str(answer.status_code)] += 1
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            time.sleep(0.2)
            continue
        known = answer.json().get("code") in ("schedule_conflict", "category_not_found", "refused_by_kaltura")
        assert answer.status_code in (200, 201, 202) or known, answer.text
        return


def _get(fleet: Fleet, path: str) -> Json:
    """From any process that answers."""
    for at in itertools.cycle(fleet.programs):
        try:
            answer = httpx.get(at.url + path, timeout=20, trust_env=False, verify=False)  # noqa: S501
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if answer.status_code == httpx.codes.OK:
            found: Json = answer.json()
            return found
    raise AssertionError


def _until_over(fleet: Fleet, deadline: float) -> bool:
    """Whether every chain has come to its end by then."""
    while _get(fleet, "/recordings?status=scheduling&limit=1")["items"]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _open(fleet: Fleet) -> list[Json]:
    found: list[Json] = _get(fleet, "/recordings?status=scheduling&limit=100")["items"]
    return found


def _resume(fleet: Fleet) -> None:
    """As a person does who knows that Kaltura is well again."""
    for recording in _open(fleet):
        url = fleet.programs[0].url + f"/recordings/{recording['id']}/resume"
        httpx.post(url, headers={"Prefer": "respond-async"}, trust_env=False, verify=False)  # noqa: S501


def _listed(fleet: Fleet) -> list[Json]:
    """Every recording there is, with its occurrences."""
    recordings: list[Json] = []
    path = "/recordings?limit=100"
    while True:
        page = _get(fleet, path)
        recordings += page["items"]
        if page["next_cursor"] is None:
            break
        path = f"/recordings?limit=100&cursor={page['next_cursor']}"
    for recording in recordings:
        recording["occurrences"] = _get(fleet, f"/recordings/{recording['id']}/occurrences")["items"]
    return recordings
