"""The service in this process, in front of a sandbox in memory: what the tests of the HTTP contract talk to."""

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any, TypeVar
from unittest import mock

import structlog
from fastapi import FastAPI
from httpx2 import Client, Response
from sqlalchemy import event

from app.chains.pauses import Pauses
from app.database.database import Database
from app.database.migrating import migrate
from app.main import create_app
from app.recordings.document.document import EXAMPLE
from app.sandbox.seed.seed import DEFAULT_SEED, Seed
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from app.settings import PREFIX, Settings
from tests.client import client_of
from tests.sandbox.kaltura import Kaltura, embedded

IMPATIENT = partial(Pauses, first=0.1, look=0.3)  # for what waits for nothing but the time between two attempts
PROBLEM = "application/problem+json"
READING = {
    "list",
    "get",
    "getConflicts",
    "listByReferenceId",
    "ping",
    "getTime",
    "startSession",
    "startWidgetSession",
    "start",
}

Json = dict[str, Any]
T = TypeVar("T")


@dataclass
class Lectern:
    """`client` sends requests to the service, `kaltura` calls its sandbox directly, as somebody else would."""

    app: FastAPI
    client: Client
    sandbox: Sandbox
    kaltura: Kaltura
    _seen: int = field(default=0)

    def schedule(self, document: object = EXAMPLE, **headers: str) -> Response:
        """`POST /recordings`; a header is named `prefer`, `idempotency_key`."""
        return self.client.post(
            "/recordings", json=document, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    def made(self, document: object = EXAMPLE, **headers: str) -> Json:
        """The recording of a document that must be scheduled."""
        recording: Json = found(self.schedule(document, **headers), 201)
        return recording

    def made_in_time(self, document: object) -> Json:
        """The same, as if it had been sent before its last session was over."""
        with mock.patch("app.recordings.scheduling.accept.ensure_ahead"):
            return self.made(document)

    def get(self, path: str, **query: Any) -> Any:
        return found(self.client.get(path, params=query))

    def until(self, recording_id: str, status: str, seconds: float = 10.0) -> Json:
        """The recording as soon as it has that status."""

        def look() -> Json | None:
            shown: Json = self.get(f"/recordings/{recording_id}")
            return shown if shown["status"] == status else None

        return eventually(look, seconds)

    def calls(self) -> list[str]:
        """What Kaltura was asked since the last look, in order: `media.add`."""
        new = self.sandbox.requests(self._seen)
        self._seen += len(new)
        return [f"{request['service'].removeprefix('schedule_')}.{request['action']}" for request in new]

    def empty_sandbox(self) -> None:
        """As it was planted; it holds no reservation and no lock any more, and no call is remembered."""
        self.sandbox.reset()
        self._seen = 0

    def trips(self) -> list[list[str]]:
        """The same, by requests; without sign-ins."""
        new = self.sandbox.requests(self._seen)
        self._seen += len(new)
        found = [one for one in new if one["service"] not in ("session", "appToken")]
        return [
            [f"{one['service'].removeprefix('schedule_')}.{one['action']}" for one in trip]
            for _, trip in groupby(found, key=itemgetter("trip"))
        ]

    def writes(self) -> list[str]:
        """Those of `calls()` that change something in Kaltura."""
        return [call for call in self.calls() if call.split(".")[1] not in READING]

    def sent(self, service: str, action: str) -> Json:
        """The parameters of the only such call there was."""
        (found,) = (r for r in self.sandbox.requests() if (r["service"], r["action"]) == (service, action))
        params: Json = found["params"]
        return params

    def fault(self, fault: str, service: str = "*", action: str = "*", **more: Any) -> None:
        """Instead of all faults before."""
        one = {"service": service, "action": action, "fault": fault, **more}
        self.sandbox.set_faults({"faults": [one]})

    def heal(self) -> None:
        self.sandbox.set_faults({})

    def left(self) -> dict[str, list[Json]]:
        """What stands in Kaltura beside its resources and categories."""
        state = self.sandbox.state()
        return {kind: state[kind] for kind in ("entries", "events", "event_resources")}


NOTHING: dict[str, list[Json]] = {"entries": [], "events": [], "event_resources": []}


def found(response: Response, status: int = 200) -> Any:
    """The JSON of an answer that must have this status."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/json"
    return response.json()


def problem(response: Response, status: int, code: str) -> Json:
    """The problem in an answer: RFC 9457, with the request's id, and with nothing of ours showing through."""
    assert (response.status_code, response.headers["Content-Type"]) == (status, PROBLEM), response.text
    shown: Json = response.json()
    assert (shown["status"], shown["code"], shown["type"]) == (status, code, f"urn:lectern:problem:{code}")
    assert shown["title"]
    assert shown["detail"]
    assert shown["request_id"] == response.headers["X-Request-ID"]
    assert "Traceback" not in response.text
    return shown


def pointers(shown: Json) -> list[str]:
    return [error["pointer"] for error in shown["errors"]]


def eventually(look: Callable[[], T | None], seconds: float = 10.0) -> T:
    """What `look` finds as soon as it finds something."""
    until, pause = monotonic() + seconds, 0.01
    while not (seen := look()):
        assert monotonic() < until, "it never came to that"
        sleep(pause)
        pause = min(pause * 1.2, 0.2)  # looking costs the service time, too
    return seen


def settings(folder: Path, **values: Any) -> Settings:
    """Settings that no environment and no `.env` has a say in; all files in `folder`."""
    clean = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    own: Json = {"database_url": f"sqlite:///{folder / 'lectern.db'}", "sandbox_database": ":memory:", "workers": 4}
    own["allowed_hosts"] = "*"  # the test client calls it testserver
    with mock.patch.dict(os.environ, clean, clear=True):
        return Settings(_env_file=None, **own | values)


@cache
def tables() -> bytes:
    """A SQLite database that has them: making them takes longer than most tests."""
    with TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/template.db")
        migrate(database)
        database.close()
        return Path(folder, "template.db").read_bytes()


def with_tables(folder: Path) -> Path:
    """The folder, in which is a database that `settings` names."""
    path = folder / "lectern.db"
    if not path.exists():
        path.write_bytes(tables())
    return folder


def hurry(database: Database) -> None:
    """A crash of the machine is none of those that are tried here."""
    if database.is_sqlite:
        event.listen(database.engine, "connect", lambda opened, _record: opened.execute("PRAGMA synchronous=OFF"))


_known = defaultdict[str, list[Database]](list)  # by URL; nobody uses them now


@contextmanager
def database_at(url: str, *, again: bool) -> Iterator[Database]:
    """Where a service keeps its state. `again`: other services are at this URL before and after it, and use this one:
    to compile all statements anew takes longer than most tests."""
    known = _known[url] if again else []
    if not known:
        known.append(Database(url))
        hurry(known[0])
    database = known.pop()
    yield database
    known.append(database)


@contextmanager
def lectern(
    folder: Path,
    *,
    seed: Seed = DEFAULT_SEED,
    server_zone: str = "UTC",
    pauses: Callable[..., Pauses] = Pauses,
    **values: Any,
) -> Iterator[Lectern]:
    """The service, started; stopped at the end. A mistake in it is an answer 500, as it is in production.

    Kaltura's server is where clocks never change: elsewhere it loses an hour each autumn (exchange 216), and tests that
    count from now would meet that one.
    """
    sandbox = Sandbox(seed=seed, server_zone=server_zone)
    kaltura = embedded(sandbox).sign_in()
    values.setdefault("kaltura_server_time_zone", server_zone)
    given = "database_url" in values
    chosen = settings(folder if given else with_tables(folder), **values)
    with database_at(chosen.database_url, again=given) as database:
        with mock.patch("app.main.Pauses", pauses), mock.patch("app.main.Database", return_value=database):
            app = create_app(chosen, transport=SandboxTransport(sandbox))
        with client_of(app) as client:
            service = Lectern(app, client, sandbox, kaltura)
            service.calls()
            yield service
    kaltura.client.close()
    sandbox.close()


@contextmanager
def logs_as_they_are() -> Iterator[None]:
    """Undoes what a command in this process does to logging."""
    root, kept = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        structlog.configure(**kept)
        root.handlers[:] = handlers
        root.setLevel(level)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def epoch(text: str) -> int:
    return int(utc(text).timestamp())
