"""How the service says how it is: request ids, health, logs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.operations import health
from tests.client import client_of
from tests.service import Json, Lectern, eventually, found, lectern, problem


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    with lectern(tmp_path) as running:
        yield running


# Request ids


@pytest.mark.parametrize("given", ["mine", "5f0c3a52-4a08-4c52-9b60-2d7d5a3f2f1e", "a.b_c-9", "x" * 128])
def test_a_client_s_own_request_id_is_answered(service: Lectern, given: str) -> None:
    for path in ("/healthz", "/recordings/rec_1"):
        answer = service.client.get(path, headers={"X-Request-ID": given})
        assert answer.headers.get_list("X-Request-ID") == [given]
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 129, "é", "<script>", "a\tb", '"'])
def test_any_other_is_replaced_by_a_new_one(service: Lectern, given: str | None) -> None:
    headers = [] if given is None else [(b"X-Request-ID", given.encode("latin-1"))]
    ids = [service.client.get("/healthz", headers=headers).headers["X-Request-ID"] for _ in range(2)]
    assert all(re.fullmatch("req_[0-9a-z]{26}", each) for each in ids)
    assert ids[0] < ids[1]


def test_every_answer_has_exactly_one(service: Lectern) -> None:
    answers = [
        service.client.get("/docs"),
        service.client.get("/openapi.json"),
        service.client.get("/nowhere"),
        service.client.put("/recordings"),
        service.client.post("/recordings", content=b"x" * 300_000),
        service.client.get("/resources/EXTRON-100-ABC/upcoming", headers={"If-None-Match": "*"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 405, 413, 304]
    assert all(len(answer.headers.get_list("X-Request-ID")) == 1 for answer in answers)


# Health


def test_a_process_that_answers_is_alive(service: Lectern) -> None:
    service.fault("drop_before")
    assert service.get("/healthz") == {"status": "ok"}
    assert service.calls() == []


def test_a_service_that_has_everything_is_ready(service: Lectern) -> None:
    service.calls()
    shown = service.get("/readyz")
    assert shown["status"] == "ok"
    assert {name: part["state"] for name, part in shown["parts"].items()} == dict.fromkeys(shown["parts"], "ok")
    assert set(shown["parts"]) == {"database", "kaltura", "workers", "mirror", "chains", "findings"}
    assert service.calls() == ["session.startWidgetSession", "appToken.startSession", "scheduleEvent.list"]
    assert service.get("/readyz") == shown
    assert service.calls() == [], "Kaltura was asked just now"


@pytest.mark.parametrize(
    ("fault", "service_name", "more"),
    [("drop_before", "*", {}), ("html", "*", {}), ("error", "appToken", {"code": "APP_TOKEN_ID_NOT_FOUND"})],
)
def test_kaltura_away_is_degraded_until_it_is_back(
    service: Lectern, fault: str, service_name: str, more: dict[str, str]
) -> None:
    service.fault(fault, service_name, **more)
    recording = found(service.schedule(prefer="wait=0"), 202)

    def look() -> Json | None:
        shown: Json = service.get("/readyz")
        return shown if shown["status"] == "degraded" else None

    ready = eventually(look)
    assert ready["parts"]["kaltura"]["state"] == "degraded"
    assert ready["parts"]["kaltura"]["detail"]
    assert ready["parts"]["database"]["state"] == "ok"
    assert "sandbox-token" not in str(ready)
    service.heal()
    service.until(recording["id"], "scheduled", 20)
    assert service.get("/readyz")["status"] == "ok"


def test_readiness_is_worked_out_once_a_second_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOK_EVERY", 1.0)
    now, looked = [1000.0], []
    monkeypatch.setattr(health, "monotonic", lambda: now[0])
    part = health.Part(state="ok", detail="answers")
    app = FastAPI()
    app.include_router(health.router)
    app.state.looking = health.Looking({"one": lambda: looked.append(now[0]) or part})  # type: ignore[func-returns-value]
    with client_of(app) as client, ThreadPoolExecutor(10) as many:
        for moment in (1000.0, 1000.9, 1001.0):
            now[0] = moment
            answers = list(many.map(lambda _: client.get("/readyz").json(), range(20)))
            assert answers == [{"status": "ok", "parts": {"one": {"state": "ok", "detail": "answers"}}}] * 20
    assert looked == [1000.0, 1001.0]


def test_a_database_away_is_not_ready(service: Lectern, tmp_path: Path) -> None:
    """The file is gone, and so are the connections that had it open."""
    service.app.state.database.engine.dispose()
    for file in tmp_path.glob("lectern.db*"):
        file.rename(file.with_name("away" + file.name))
    (tmp_path / "lectern.db").mkdir()
    shown = found(service.client.get("/readyz"), 503)
    assert (shown["status"], shown["parts"]["database"]["state"]) == ("down", "down")
    assert service.get("/healthz") == {"status": "ok"}
    for answer in (service.client.get("/recordings"), service.schedule()):
        problem(answer, 503, "database_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
    assert service.writes() == [], "nothing is begun that cannot be remembered"
    (tmp_path / "lectern.db").rmdir()
    for file in tmp_path.glob("awaylectern.db*"):
        file.rename(file.with_name(file.name.removeprefix("away")))
    assert service.get("/readyz")["parts"]["database"]["state"] == "ok"
    assert service.made()["occurrence_count"] == 36


# Logs


def logged(code: str) -> list[dict[str, object]]:
    """The lines of a process that configured its logs and then ran that code."""
    program = f"from app.http.requests import configure_logs\nconfigure_logs('INFO')\nimport logging, structlog\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_logs_are_json_lines_ours_and_those_of_libraries_alike() -> None:
    ours, theirs, failure = logged(
        "structlog.get_logger('app').info('ended', chain_id='chn_1')\n"
        "logging.getLogger('somebody').warning('%s happened', 'it')\n"
        "logging.getLogger('httpx').info('GET https://kaltura.example?ks=swordfish')\n"
        "logging.getLogger('somebody').debug('too small')\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError: structlog.get_logger('app').exception('mistake')\n"
    )
    assert (ours["event"], ours["chain_id"], ours["level"], ours["logger"]) == ("ended", "chn_1", "info", "app")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("it happened", "warning", "somebody")
    assert (failure["level"], "ZeroDivisionError" in str(failure["exception"])) == ("error", True)
    assert all(re.fullmatch(r"2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d.\d+Z", str(line["timestamp"])) for line in (ours, theirs))


PROGRAM = """
from fastapi.testclient import TestClient
from app.main import create_app
from app.recordings.document.document import EXAMPLE
from app.settings import Settings

folder, key = FOLDER, KEY
database = f"sqlite:///{folder}/lectern.db"
settings = Settings(_env_file=None, database_url=database, sandbox_database=":memory:", api_keys=f"registrar={key}")
headers = {"Authorization": f"Bearer {key}"}
with TestClient(create_app(settings), "http://127.0.0.1", headers=headers) as client:
    client.post("/recordings", json=EXAMPLE | {"title": "canary-title"}, headers={"X-Request-ID": "mine-1"})
    for _ in range(3):
        for path in ("/healthz", "/readyz", "/metrics", "/resources/EXTRON-100-ABC/upcoming"):
            client.get(path)
    client.get("/recordings/rec_nobody?canary=query")
    client.get("/recordings/rec_nobody")
    client.get("/resources/EXTRON-100-ABC/upcoming", headers={"Authorization": "Bearer canary-key"})
"""


def test_a_recording_s_story_can_be_read_from_the_log_and_nothing_else(tmp_path: Path) -> None:
    key = "k" * 32
    lines = logged(PROGRAM.replace("FOLDER", repr(str(tmp_path))).replace("KEY", repr(key)))

    (accepted,) = (line for line in lines if line["event"] == "accepted")
    assert accepted["request_id"] == "mine-1"
    chain = [line for line in lines if line.get("chain_id") == accepted["chain_id"] and line is not accepted]
    assert [line["event"] for line in chain] == ["chain_ended"]
    assert chain[0]["subject"] == accepted["recording_id"]

    requests = [line for line in lines if line["event"] == "request"]
    shown = [(line["method"], line["route"], line["status"], line["client"]) for line in requests]
    assert shown == [
        ("POST", "/recordings", 201, "registrar"),
        ("GET", "/recordings/{id}", 422, "registrar"),
        ("GET", "/recordings/{id}", 404, "registrar"),
        ("GET", "/resources/{id}/upcoming", 401, None),
    ], "polls fill no disk, unless they are refused"
    assert all(isinstance(line["milliseconds"], float) for line in requests)
    assert requests[0]["request_id"] == "mine-1"

    said = json.dumps([line for line in lines if line["logger"] != "httpx2"])  # the client's own
    for secret in ("canary", key, "sandbox-token", "MATH-123"):
        assert secret not in said


def test_a_request_by_a_wrong_name_leaves_a_line_without_the_name(tmp_path: Path) -> None:
    with lectern(tmp_path, allowed_hosts="lectern.campus.example") as service, capture_logs() as lines:
        problem(service.client.get("/recordings", headers={"Host": "canary.example"}), 400, "bad_request")
    assert [line["event"] for line in lines if line["log_level"] == "info"][:1] == ["host_refused"]
    assert "canary" not in str(lines)
