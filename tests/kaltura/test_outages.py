"""The gate in use: Kaltura goes away under twenty threads and under the whole service, and all ends by itself."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError, SignInFailed, Transient
from app.kaltura.gate import LONGEST, OUTAGES, SPREAD, Gate
from app.kaltura.session import Credentials, Sessions
from app.kaltura.transport import http_client
from app.kaltura.types import Resource
from app.recordings.schemas import EXAMPLE
from app.sandbox import ADMIN_SECRET, PARTNER_ID, RESOURCE_ID, Sandbox, SandboxTransport
from tests.service import Json, eventually, lectern, problem

THREADS = 20
OUTAGE: dict[str, dict[str, Any]] = {
    "drop_before": {},
    "http_500": {},
    "http_429": {},
    "html": {},
    "error": {"code": "INTERNAL_DATABASE_ERROR"},
}


class Campus:
    """Twenty clients of one sandbox behind one gate, on a clock of their own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sandbox = Sandbox()
        self.transport = SandboxTransport(self.sandbox)
        gate = Gate(1e6, clock=lambda: self.now, sleep=self.passes)
        http = [http_client("http://sandbox", transport=self.transport) for _ in range(THREADS + 1)]
        credentials = Credentials(PARTNER_ID, admin_secret=ADMIN_SECRET)
        self.sessions = Sessions(http.pop(), credentials, gate=gate, clock=lambda: self.now)
        self.clients = [KalturaClient(own, self.sessions) for own in http]

    def passes(self, seconds: float) -> None:
        self.now += seconds

    def ask(self, client: KalturaClient) -> Resource | KalturaError | None:
        """Each asks something else: what one call meets again and again is its own trouble."""
        try:
            return client.list_resources(ids=[RESOURCE_ID, 1_000_000 + self.clients.index(client)])[0]
        except KalturaError as error:
            return error

    def all_ask(self) -> list[Resource | KalturaError | None]:
        """What each of the twenty gets when all ask at once."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self.ask, self.clients))

    def all_keep_asking(self, seconds: float) -> int:
        """Each asks whenever it is told to come again, for a while or until it is answered. How many were."""
        until, due, answered = self.now + seconds, [(self.now, n) for n in range(THREADS)], 0
        while due and (first := min(due))[0] < until:
            due.remove(first)
            self.now, number = first
            got = self.ask(self.clients[number])
            if isinstance(got, Transient):
                due.append((self.now + (got.retry_after if got.retry_after and got.outage else 1.0), number))
            else:
                answered += isinstance(got, Resource)
        self.now = until if due else self.now
        return answered

    @property
    def calls(self) -> int:
        return len(self.sandbox.requests())

    def fault(self, name: str, service: str = "*", **more: object) -> None:
        self.sandbox.set_faults({"faults": [{"fault": name, "service": service, **more}]})

    def heal(self) -> None:
        self.sandbox.set_faults({})


@pytest.fixture
def campus() -> Iterator[Campus]:
    campus = Campus()
    assert all(isinstance(got, Resource) for got in campus.all_ask())
    yield campus
    for client in campus.clients:
        client.close()
    campus.sessions.close()
    campus.sandbox.close()


@pytest.mark.parametrize("fault", OUTAGE)
def test_an_outage_of_five_minutes_costs_a_dozen_calls_and_ends_by_itself(campus: Campus, fault: str) -> None:
    campus.fault(fault, **OUTAGE[fault])
    before = campus.calls
    assert campus.all_keep_asking(300) == 0
    assert campus.calls - before <= OUTAGES + 11  # pauses of 1, 2, 4 … 32 seconds, then about a minute each
    campus.heal()
    before, since = campus.calls, campus.now
    assert campus.all_keep_asking(1000) == THREADS
    assert campus.now - since <= 1.25 * LONGEST + 6 + SPREAD
    assert campus.calls - before == THREADS


def test_twenty_threads_together_cost_one_call_at_a_time(campus: Campus) -> None:
    campus.fault("drop_before")
    before = campus.calls
    assert all(isinstance(got, Transient) for got in campus.all_ask())
    assert OUTAGES <= campus.calls - before <= THREADS
    for _ in range(3):
        before = campus.calls
        campus.all_ask()
        assert campus.calls == before
        campus.passes(2 * LONGEST)
        campus.all_ask()
        assert campus.calls == before + 1


def test_no_call_is_made_before_the_moment_that_kaltura_names(campus: Campus) -> None:  # 7
    campus.fault("http_429", times=1, retry_after=7)
    assert isinstance(campus.ask(campus.clients[0]), Transient)
    before = campus.calls
    for _ in range(7):
        assert all(isinstance(got, Transient) for got in campus.all_ask())
        campus.passes(0.99)
    assert campus.calls == before
    assert campus.all_keep_asking(8) == THREADS


def test_a_session_that_ends_in_an_outage_is_renewed_once_after_it(campus: Campus) -> None:  # 10
    campus.fault("drop_before")
    campus.all_keep_asking(100)
    campus.sandbox.expire_sessions()
    campus.heal()
    before = campus.calls
    assert campus.all_keep_asking(1000) == THREADS
    assert campus.calls - before == THREADS + 2  # one finds the session ended, and one signs in


def test_refused_sign_ins_cost_little_and_no_dead_session_is_sent(campus: Campus) -> None:  # 11
    campus.fault("error", "session", code="START_SESSION_ERROR")
    campus.sandbox.expire_sessions()
    before = campus.calls
    got = campus.all_ask()
    assert all(isinstance(one, SignInFailed) for one in got)
    assert campus.calls - before <= THREADS + 1
    before = campus.calls
    assert campus.all_keep_asking(300) == 0
    assert {request["action"] for request in campus.sandbox.requests()[before:]} == {"start"}
    assert campus.calls - before <= 11
    assert campus.sessions.problem
    campus.heal()
    assert campus.all_keep_asking(1.25 * LONGEST + SPREAD) == THREADS
    assert campus.sessions.problem is None


# The service


def test_the_service_holds_its_breath_and_says_so(tmp_path: Path) -> None:  # 7
    with lectern(tmp_path) as service:
        service.get("/resources")  # signs in, and gives the mirror nothing to look at
        service.fault("http_429", times=1, retry_after=2)
        service.calls()
        problem(service.client.get("/resources"), 503, "kaltura_unavailable")
        named, asked = monotonic() + 2, service.calls()
        assert asked == ["scheduleResource.list"]

        problem(service.client.get("/resources"), 503, "kaltura_unavailable")
        shown = service.get("/readyz")
        assert shown["status"] == "degraded"
        wanted = r"no answer for 0 s; next try in [12] s; chains wait: Kaltura asks for fewer calls \(HTTP 429\)"
        assert re.fullmatch(wanted, shown["parts"]["kaltura"]["detail"])

        later = {**EXAMPLE, "reference_id": "another", "start": "2027-09-01T09:00:00"}
        made = service.schedule(later, prefer="respond-async").json()
        step = eventually(lambda: waiting_step(service.get(f"/recordings/{made['id']}")))
        assert step["error"]["detail"] == "Kaltura asks for fewer calls (HTTP 429); all calls wait"
        assert step["next_attempt_at"]
        assert service.calls() == []
        assert monotonic() < named, "too slow a machine for this test"

        service.until(made["id"], "scheduled", 15)
        assert monotonic() > named
        assert service.get("/readyz")["parts"]["kaltura"] == {"state": "ok", "detail": "answers"}


def waiting_step(recording: Json) -> Json | None:
    return next((step for step in recording["chain"]["steps"] if step["status"] == "waiting"), None)
