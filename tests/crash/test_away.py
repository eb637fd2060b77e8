"""Kaltura is not there, or its session is over: scenarios 5, 10 and 11 of the fault table."""

from collections import Counter
from collections.abc import Iterator
from threading import Barrier, Event
from time import monotonic

import pytest

from app.sandbox.seed.seed import APP_TOKEN
from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from tests.crash.rehearsal import Json, rehearse, series
from tests.crash.stage import PATIENCE, Stage, client_of, database_in, environment
from tests.crash.watching import Phase
from tests.processes import free_port, start_service
from tests.service import eventually

pytestmark = pytest.mark.both_databases

REHEARSAL = rehearse(series)
WAIT = 1.0  # seconds that a client waits for its chain
LONGEST_TRIP = 5  # calls
ROOMS = 6


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def it(port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The service in front of a Kaltura that is not there, unless a test asks for it."""
    folder, sandbox = tmp_path_factory.mktemp("away"), Sandbox()
    with start_service(folder, f"http://127.0.0.1:{port}", environment()) as service, client_of(service) as client:
        with running(sandbox, port=port):
            it = Stage(sandbox, service, client, database_in(folder)).quiet()
        yield it
    sandbox.close()


@pytest.fixture
def kaltura(it: Stage, port: int) -> Iterator[None]:
    """It is there, and the service has a session."""
    with running(it.sandbox, port=port):
        it.get("/resources")
        yield
        it.sandbox.watch = None


def told_to_wait(it: Stage, name: str) -> str:
    """The id of a recording that goes on in the background, as nothing happens to it while its client waits."""
    began = monotonic()
    answer = it.post(series(name), prefer=f"wait={WAIT:.0f}")
    assert (answer.status_code, answer.json()["status"]) == (202, "scheduling")
    assert WAIT <= monotonic() - began < WAIT + 5
    return str(answer.json()["id"])


def readiness(it: Stage) -> Json:
    shown: Json = it.client.get("/readyz").json()["parts"]["kaltura"]
    return shown


def until_ready(it: Stage) -> None:
    """It is worked out once a second."""
    eventually(lambda: readiness(it)["state"] == "ok")


def sign_ins(it: Stage) -> int:
    return [request["action"] for request in it.sandbox.requests()].count("startSession")


def test_row_5_kaltura_is_not_there_and_comes_back(it: Stage, port: int) -> None:
    recording = told_to_wait(it, "AWAY")
    eventually(lambda: readiness(it)["state"] == "degraded")
    with running(it.sandbox, port=port):
        it.until(recording, "scheduled")
        until_ready(it)
    assert it.standing(recording) == REHEARSAL.left


@pytest.mark.usefixtures("kaltura")
@pytest.mark.parametrize("number", range(len(REHEARSAL.calls)), ids=str)
def test_row_10_a_session_that_expires_at_any_call_is_renewed_once(it: Stage, number: int) -> None:
    left = number

    def expire(_service: str, _action: str, phase: Phase) -> None:
        nonlocal left
        if phase == "before":
            if left == 0:
                it.sandbox.expire_sessions()
            left -= 1

    before, calls_before = sign_ins(it), len(it.calls())
    it.sandbox.watch = expire
    recording = it.accepted(series(f"EXPIRED-{number}"))
    it.until(recording, "scheduled")
    assert it.standing(recording) == REHEARSAL.left
    assert sign_ins(it) - before == 1
    asked = it.calls()[calls_before:]
    assert tuple(asked[: number + 1]) == REHEARSAL.calls[: number + 1]
    repeated = Counter(asked) - Counter(REHEARSAL.calls)  # with it what was behind it in its trip
    assert repeated[REHEARSAL.calls[number]] >= 1
    assert repeated.total() <= 2 * LONGEST_TRIP  # a new session may meet the reservation that the old one took


@pytest.mark.usefixtures("kaltura")
def test_row_10_one_renewal_serves_all_who_meet_the_expired_session_together(it: Stage) -> None:
    expired = Event()

    def expire_all() -> None:
        it.sandbox.expire_sessions()
        expired.set()

    together = Barrier(ROOMS, action=expire_all)

    def expire(service: str, action: str, phase: Phase) -> None:
        if (service, action, phase) == ("media", "add", "before") and not expired.is_set():
            together.wait(PATIENCE)

    before = sign_ins(it)
    it.sandbox.watch = expire
    recordings = [it.accepted(series(f"TOGETHER-{number}")) for number in range(ROOMS)]
    for recording in recordings:
        it.until(recording, "scheduled")
        assert it.standing(recording) == REHEARSAL.left
    assert sign_ins(it) - before == 1


@pytest.mark.usefixtures("kaltura")
def test_row_11_who_cannot_sign_in_waits_and_tells_no_secret(it: Stage) -> None:
    refused = {"service": "appToken", "action": "startSession", "fault": "error", "code": "INVALID_APP_TOKEN_HASH"}
    it.sandbox.set_faults({"faults": [refused]})
    it.sandbox.expire_sessions()
    recording = told_to_wait(it, "LOCKED-OUT")
    eventually(lambda: readiness(it)["state"] == "degraded")
    assert "sign-in" in readiness(it)["detail"]
    it.sandbox.set_faults({})
    it.until(recording, "scheduled")
    assert it.standing(recording) == REHEARSAL.left
    until_ready(it)
    assert APP_TOKEN not in it.service.log.read_text() + str(it.get(f"/recordings/{recording}/history"))
