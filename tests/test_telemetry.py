"""How the service says how it is: request ids, health, logs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
        service.client.post("/recordings", content=b"x" * 70_000),
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
    shown = service.get("/readyz")
    assert shown["status"] == "ok"
    assert {name: part["state"] for name, part in shown["parts"].items()} == dict.fromkeys(shown["parts"], "ok")
    assert {"database", "kaltura", "workers"} <= set(shown["parts"])
    assert service.calls() == [], "it looks, and asks nobody"


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
    assert service.calls() == [], "nothing is begun that cannot be remembered"
    (tmp_path / "lectern.db").rmdir()
    for file in tmp_path.glob("awaylectern.db*"):
        file.rename(file.with_name(file.name.removeprefix("away")))
    assert service.get("/readyz")["parts"]["database"]["state"] == "ok"
    assert service.made()["occurrence_count"] == 36


# Logs


def logged(code: str) -> list[dict[str, object]]:
    """The lines of a process that configured its logs and then ran that code."""
    program = f"from app.telemetry import configure_logs\nconfigure_logs('INFO')\nimport logging, structlog\n{code}"
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
