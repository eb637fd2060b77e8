"""The gate in use: Kaltura goes away under twenty threads and under the whole service, and all ends by itself."""

import re
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from app.kaltura.errors import SignInFailed, Transient
from app.kaltura.gate import LONGEST, OUTAGES, SPREAD
from app.recordings.document.document import EXAMPLE
from tests.kaltura.campus import THREADS, Campus
from tests.service import Json, eventually, lectern, problem

OUTAGE: dict[str, dict[str, Any]] = {
    "drop_before": {},
    "http_500": {},
    "http_429": {},
    "html": {},
    "error": {"code": "INTERNAL_DATABASE_ERROR"},
}


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
