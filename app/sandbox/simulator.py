"""The sandbox: one funnel that every request goes through, embedded or over the wire.

bytes ─► parameters ─► log ─► fault? ─► action(s), one transaction each ─► answer, held back by latency
                                             └── `watch` is called before and after, outside the lock
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from app.sandbox.actions import media
from app.sandbox.actions.services import SERVICES
from app.sandbox.calls import Call, perform
from app.sandbox.errors import DoneError, FatalError, KalturaError, KilledError
from app.sandbox.schedule.events import show
from app.sandbox.schedule.reservations import Reservations
from app.sandbox.seed import seed_file
from app.sandbox.seed import upload as uploads
from app.sandbox.seed.seed import DEFAULT_SEED, Seed, plant
from app.sandbox.sessions import Sessions
from app.sandbox.store.fulltext import matches
from app.sandbox.store.state import Store
from app.sandbox.trouble.faults import NOTHING_DONE, OF_A_PART, Fault, Faults, read_faults
from app.sandbox.trouble.locks import Locks
from app.sandbox.trouble.modes import Modes
from app.sandbox.types import DELETED
from app.sandbox.wire import protocol
from app.sandbox.wire.protocol import Parameters
from app.sandbox.wire.reading import text

SERVER_ZONE = "America/New_York"
LOG_LENGTH = 20_000
SECRET_NAMES = frozenset({"ks", "secret", "token", "tokenhash", "session"})
HTML_PAGE = b"<!DOCTYPE html><html><head><title>Service unavailable</title></head><body>Back soon</body></html>"
JSON_TYPE, XML_TYPE, HTML_TYPE = "application/json; charset=utf-8", "text/xml; charset=utf-8", "text/html"
# Errors whose code Kaltura repeats in a header.
DIE_CODES = ("SERVICE_FORBIDDEN",)

Phase = Literal["before", "after"]


@dataclass
class Answer:
    """What goes back: `closed` means nothing at all but a closed connection; `wait` seconds before any of it."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0.0
    closed: bool = False


class Sandbox:
    """A Kaltura of one's own. Threads may share it; its state is the database at `database` (a path, or ":memory:").

    `alone`: it must be the only one that uses that database, else ValueError. Several may share one otherwise, as
    `lectern check` does with the service beside it.

    `watch(service, action, phase)`, if set, is called before an action is done and after it is done but before
    its answer is sent; it may well end the process.
    """

    def __init__(
        self,
        database: str = ":memory:",
        *,
        clock: Callable[[], float] = time.time,
        seed: Seed = DEFAULT_SEED,
        server_zone: str = SERVER_ZONE,
        alone: bool = False,
    ) -> None:
        self.watch: Callable[[str, str, Phase], None] | None = None
        self._clock = clock
        self._seed = seed
        self._server_zone = server_zone
        self._lock = threading.Lock()
        self._store = Store(database, alone=alone)
        self._store.connection.create_function("full_text", 2, matches, deterministic=True)
        self._store.connection.create_function("casefold", 1, _casefold, deterministic=True)
        self._sessions = Sessions(self._store)
        self._reservations = Reservations()
        self._locks = Locks()
        self._faults = Faults()
        self._calls = itertools.count(1)
        self._trips = itertools.count(1)
        self._log: deque[tuple[str, str, Parameters, float, int]] = deque(maxlen=LOG_LENGTH)
        self._plant()

    def close(self) -> None:
        with self._lock:
            self._store.close()

    def _plant(self) -> None:
        with self._store.transaction():
            if not self._store.meta("planted"):
                plant(self._call(), self._seed)
                self._store.set_meta("planted", "1")

    @property
    def identity(self) -> str:
        """Tells it from all others, in which the same ids mean something else. A reset gives it a new one."""
        with self._lock, self._store.transaction():
            return self._store.identity()

    def _call(self) -> Call:
        return Call(
            store=self._store,
            sessions=self._sessions,
            reservations=self._reservations,
            locks=self._locks,
            modes=self._faults.modes,
            time=self._clock(),
            server_zone=self._faults.modes.server_zone or self._server_zone,
            entry_prefix=self._seed.entry_prefix,
        )

    # --- the funnel

    def handle(self, path: str, query: str, content_type: str, body: bytes) -> Answer:
        """Answer one request below /api_v3; every HTTP method is the same to Kaltura."""
        if path != "/api_v3" and not path.startswith("/api_v3/"):
            return Answer(404, b"Not found", "text/plain")
        parameters = protocol.read_parameters(path, query, content_type, body)
        calls = protocol.steps(parameters) if protocol.is_multirequest(parameters) else [parameters]
        names = [(text(step.get("service")), text(step.get("action"))) for step in calls]
        fault = self._note(names, calls, parameters)
        answer = self._answer(parameters, calls, fault)
        answer.wait += self._faults.latency
        return answer

    def _note(self, names: list[tuple[str, str]], calls: list[Parameters], parameters: Parameters) -> Fault | None:
        """Log the calls, and find the fault that strikes this request, if any."""
        now = self._clock()
        with self._lock:
            trip = next(self._trips)
            for (service, action), step in zip(names, calls, strict=True):
                params = {key: value for key, value in step.items() if key not in ("service", "action")}
                self._log.append((service, action, params, now, trip))
            if not protocol.is_multirequest(parameters):
                return self._faults.striking(*names[0])
            struck = (self._faults.striking(*name, but=OF_A_PART) for name in names)
            return self._faults.striking("multirequest", "") or next((fault for fault in struck if fault), None)

    def _answer(self, parameters: Parameters, calls: list[Parameters], fault: Fault | None) -> Answer:
        if fault is not None and fault.fault in NOTHING_DONE:
            return _instead(fault, parameters)
        try:
            if protocol.is_multirequest(parameters):
                result = self._results(calls, protocol.first_step(parameters))
            else:
                result = self._result(parameters)
        except FatalError:
            return Answer(500, b"", "text/html")
        except KilledError as killed:
            return Answer(502, HTML_PAGE, HTML_TYPE) if killed.answer == "http_502" else Answer(closed=True)
        answer = _written(result, parameters)
        answer.headers["X-Kaltura-Session"] = f"{next(self._calls)}, {int(self._clock())}"
        match fault.fault if fault else "":
            case "drop_after":
                answer.closed = True
            case "truncated":
                answer.body = answer.body[: len(answer.body) // 2]
            case "delay" if fault:
                answer.wait += fault.seconds
        return answer

    def _results(self, calls: list[Parameters], first: int) -> list[Any]:
        """A multirequest: later steps run whatever became of earlier ones, and there is no transaction."""
        results: list[Any] = []
        for step in calls:
            with self._lock:
                service, action = text(step.get("service")), text(step.get("action"))
                fault = self._faults.striking(service, action, only=OF_A_PART)
            if fault is None:
                results.append(self._result(protocol.resolve(step, results, first)))
            elif fault.fault == "error":
                results.append(KalturaError.on_purpose(fault.code).as_object())
            else:
                raise FatalError
        return results

    def _result(self, parameters: Parameters) -> Any:
        """One action's result, or its error as an object."""
        try:
            service, action = protocol.named(parameters)
            self._tell(service, action, "before")
            try:
                return self._perform(service, action, parameters)
            finally:
                self._tell(service, action, "after")
        except KalturaError as error:
            return error.as_object()

    def _perform(self, service: str, action: str, parameters: Parameters) -> Any:
        with self._lock:
            done: DoneError | KilledError | None = None
            with self._store.transaction():
                try:
                    result = perform(self._call(), SERVICES, service, action, parameters)
                except (DoneError, KilledError) as error:  # the transaction is committed all the same
                    done = error
            if done:
                raise done
            return result

    def _tell(self, service: str, action: str, phase: Phase) -> None:
        if self.watch:
            self.watch(service, action, phase)

    # --- looking in from outside

    def requests(self, after: int = 0) -> list[dict[str, Any]]:
        """What was called, in order, without secrets: [{"service", "action", "params", "at", "trip"}].

        `at` is in epoch seconds; what was called in one request has the same `trip`.
        `after`: but for so many that were first.
        """
        with self._lock:
            logged = list(self._log)[after:]
        return [
            {"service": service, "action": action, "params": without_secrets(params), "at": at, "trip": trip}
            for service, action, params, at, trip in logged
        ]

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """All that is not deleted, of all partners, as the API shows it; a series' children are events too."""
        with self._lock:
            call = self._call()
            call.modes = Modes()
            store = self._store
            return {
                "entries": [
                    media.show(call, body) for body in store.bodies("SELECT body FROM entries ORDER BY number")
                ],
                "events": [
                    show(call, body)
                    for body in store.bodies("SELECT body FROM events WHERE status != ? ORDER BY id", (DELETED,))
                ],
                "resources": store.bodies("SELECT body FROM resources ORDER BY id"),
                "event_resources": store.bodies("SELECT body FROM event_resources ORDER BY number"),
                "categories": store.bodies("SELECT body FROM categories ORDER BY id"),
            }

    def holds(self) -> dict[str, int]:
        """How many there are of each kind; a series is one event."""
        with self._lock:
            return {
                "resources": self._store.one("SELECT count(*) FROM resources")[0],
                "categories": self._store.one("SELECT count(*) FROM categories")[0],
                "entries": self._store.one("SELECT count(*) FROM entries")[0],
                "events": self._store.one(
                    "SELECT count(*) FROM events WHERE parent IS NULL AND status != ?", (DELETED,)
                )[0],
            }

    def load(self, document: Any) -> dict[str, int]:
        """Add what a seed file holds, all of it or nothing; how many of each kind. Raises ValueError."""
        with self._lock, self._store.transaction():
            return seed_file.load(self._call(), document)

    def upload(self, document: Any) -> dict[str, Any]:
        """What an encoder does after a session, as `POST /_sandbox/upload` says it: the entry. Raises ValueError."""
        with self._lock, self._store.transaction():
            return uploads.upload(self._call(), document)

    def set_faults(self, document: Any) -> None:
        """Replace latency, faults and modes by those of a `PUT /_sandbox/faults` document; raises ValueError."""
        faults = read_faults(document)
        with self._lock:
            self._faults = faults

    def expire_sessions(self) -> None:
        """Make every session that was given out so far an expired one."""
        with self._lock:
            self._sessions.expire_all()

    def reset(self) -> None:
        """Empty it and plant the seed again; sessions stay valid, faults stay set."""
        with self._lock:
            kept = {name: self._store.meta(name) for name in ("signing_key", "session_epoch")}
            self._store.clear()
            self._reservations = Reservations()
            self._locks = Locks()
            for name, value in kept.items():
                if value is not None:
                    self._store.set_meta(name, value)
            self._log.clear()
            self._plant()


def _casefold(value: str | None) -> str | None:
    return None if value is None else value.casefold()


def without_secrets(value: Any) -> Any:
    """Parameters without sessions, secrets and tokens, however deep."""
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items() if key.lower() not in SECRET_NAMES}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value


def _instead(fault: Fault, parameters: Parameters) -> Answer:
    """The answer to a call of which nothing is done."""
    match fault.fault:
        case "drop_before":
            return Answer(closed=True)
        case "http_429":
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return Answer(429, b"", HTML_TYPE, headers)
        case "html":
            return Answer(200, HTML_PAGE, HTML_TYPE)
        case "error":
            return _written(KalturaError.on_purpose(fault.code).as_object(), parameters)
        case _:
            return Answer(500, b"", HTML_TYPE)


def _written(result: Any, parameters: Parameters) -> Answer:
    headers = {}
    if isinstance(result, dict) and result.get("code") in DIE_CODES:
        headers["X-Kaltura"] = f"error-{result['code']}"
    if protocol.answer_format(parameters) == protocol.JSON_FORMAT:
        return Answer(200, protocol.as_json(result), JSON_TYPE, headers)
    return Answer(200, protocol.as_xml(result), XML_TYPE, headers)
