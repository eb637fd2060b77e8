"""Request ids and logs."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.service import Lectern, lectern, problem


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


# Logs


def logged(code: str) -> list[dict[str, object]]:
    """The lines of a process that configured its logs and then ran that code."""
    program = f"from app.http.logs import configure_logs\nconfigure_logs('INFO')\nimport logging, structlog\n{code}"
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
