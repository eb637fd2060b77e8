"""The stage of an accident: the service as a process of its own, its sandbox in this one, where it can be watched."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import httpx

from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from tests.clocks import OFF_BY
from tests.crash.rehearsal import REFRESHES, Json, Rehearsal, look_at_no_room, standing
from tests.crash.watching import SIGN_IN, Point, Watch
from tests.processes import Program, start_service

PATIENCE = 90.0  # seconds for what takes three, on a machine that is busy with something else
LEASE = 5.0  # seconds: short enough to wait for, long enough that a busy machine's heart does not miss it
SETTINGS = {
    "workers": 16,  # each chain that is held keeps one
    "lease_seconds": LEASE,
    "kaltura_read_timeout": 120,  # nobody who is held gives up
    "refreshes_per_second": REFRESHES,
}


def environment(**settings: object) -> dict[str, str]:
    """Settings over those that all accidents have in common."""
    own = {**SETTINGS, **settings}
    own.setdefault("kaltura_calls_at_once", own["workers"])
    return {f"LECTERN_{name.upper()}": str(value) for name, value in own.items()}


@dataclass
class Stage:
    sandbox: Sandbox
    service: Program
    client: httpx.Client  # any number of threads may use it
    database_url: str
    before: int = 0  # requests that Kaltura had seen when the play began

    def post(self, document: Json, *, prefer: str = "respond-async", **headers: str) -> httpx.Response:
        """`POST /recordings`; a header is named `idempotency_key`."""
        sent = {"prefer": prefer, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.post("/recordings", json=document, headers=sent)

    def accepted(self, document: Json) -> str:
        """The id of a recording that goes on in the background."""
        answer = self.post(document)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def until(self, recording_id: str, status: str) -> Json:
        """The recording as soon as it has that status."""
        deadline = monotonic() + PATIENCE
        while (shown := self.get(f"/recordings/{recording_id}"))["status"] != status:
            assert monotonic() < deadline, f"still {shown['status']}: {shown['chain']}"
            sleep(0.1)
        return dict(shown)

    def standing(self, recording_id: str) -> Json:
        return standing(self.sandbox.state(), recording_id)

    def quiet(self) -> Self:
        """From now on each call that Kaltura sees is a chain's."""
        self.get("/resources")
        look_at_no_room(self.database_url)
        self.before = len(self.sandbox.requests())
        return self

    def calls(self) -> list[str]:
        """What chains have asked Kaltura for, in order: `media.add`."""
        return [
            f"{request['service'].removeprefix('schedule_')}.{request['action']}"
            for request in self.sandbox.requests()[self.before :]
            if request["service"] not in SIGN_IN
        ]

    def held(self, watch: Watch, rehearsal: Rehearsal, point: Point, name: str) -> str:
        """The id of a new recording, in a room of that name, whose chain is held at a point, or at its end is over."""
        watch.follow(point, rehearsal.meddling, name)
        recording_id = self.accepted(rehearsal.document(name))
        if point.phase == "end":
            self.until(recording_id, rehearsal.ends)
        else:
            watch.caught()
        return recording_id


@contextmanager
def stage(folder: Path, **settings: Any) -> Iterator[Stage]:
    """The service, started, in front of a sandbox in memory; its files are in `folder`."""
    with stages(folder, 1, **settings) as (it,):
        yield it


@contextmanager
def stages(folder: Path, count: int, *, off_by: Sequence[float] = (), **settings: object) -> Iterator[list[Stage]]:
    """The same with several services over one database; their clocks are off by so many seconds."""
    sandbox, url = Sandbox(), str(settings.setdefault("database_url", database_in(folder)))
    with running(sandbox) as kaltura_url, ExitStack() as stack:
        own, names = environment(**settings), ["service", *(f"replica-{number}" for number in range(1, count))]
        clocks = [{OFF_BY: str(seconds)} for seconds in off_by] or [{}] * count
        services = [
            stack.enter_context(start_service(folder, kaltura_url, own | clock, name))
            for name, clock in zip(names, clocks, strict=True)
        ]
        clients = [stack.enter_context(client_of(service)) for service in services]
        first = Stage(sandbox, services[0], clients[0], url).quiet()
        rest = zip(services[1:], clients[1:], strict=True)
        yield [first, *(replace(first, service=service, client=client) for service, client in rest)]
    sandbox.close()


def database_in(folder: Path) -> str:
    return f"sqlite:///{folder / 'lectern.db'}"


def client_of(service: Program) -> httpx.Client:
    return httpx.Client(base_url=service.url, timeout=PATIENCE, trust_env=False)
