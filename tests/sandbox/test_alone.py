"""The sandbox alone: over real sockets, with its own pages, and living on after a restart."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from app.sandbox.seed.seed import APP_TOKEN, CATEGORY_ID, RESOURCE_ID
from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import Clock, Kaltura, embedded


@pytest.fixture
def url(sandbox: Sandbox) -> Iterator[str]:
    with running(sandbox) as base:
        yield base


@pytest.fixture
def alone(url: str) -> Iterator[Kaltura]:
    with httpx.Client(base_url=url) as client:
        yield Kaltura(client).sign_in()


def test_the_seed_makes_the_first_try_work(alone: Kaltura) -> None:
    state = alone.client.get("/_sandbox/state").json()
    assert [(one["id"], one["systemName"]) for one in state["resources"]] == [
        (RESOURCE_ID, "EXTRON-100-ABC"),
        (RESOURCE_ID + 1, "EXTRON-200-DEF"),
        (RESOURCE_ID + 2, "PEARL-300-GHI"),
    ]
    assert [one["fullName"] for one in state["categories"]] == [
        "Mathematics",
        "Canvas",
        "Canvas>site",
        "Canvas>site>channels",
        "Canvas>site>channels>1234",
    ]
    assert state["categories"][0]["id"] == CATEGORY_ID
    assert (state["entries"], state["events"], state["event_resources"]) == ([], [], [])


def test_requests_are_told_in_order_without_secrets(alone: Kaltura) -> None:
    alone("multirequest", "", **{"1": {"service": "system", "action": "ping", "ks": "secret-session"}})
    alone("appToken", "startSession", id="0_x", tokenHash="secret-hash")
    told = alone.client.get("/_sandbox/requests").json()
    assert [(one["service"], one["action"]) for one in told] == [
        ("session", "start"),
        ("system", "ping"),
        ("appToken", "startSession"),
    ]
    assert told[2]["params"] == {"format": 1, "id": "0_x"}
    shown = str(told)
    for secret in ("sandbox-secret", "secret-session", "secret-hash", APP_TOKEN, str(alone.ks)):
        assert secret not in shown


def test_faults_are_set_over_the_wire(alone: Kaltura) -> None:
    assert alone.client.put("/_sandbox/faults", json={"faults": [{"fault": "http_500", "times": 1}]}).status_code == 200
    assert alone.post("system", "ping").status_code == 500
    refused = alone.client.put("/_sandbox/faults", json={"faults": [{"fault": "explode"}]})
    assert (refused.status_code, "fault must be one of" in refused.json()["error"]) == (400, True)
    assert alone.client.put("/_sandbox/faults", content=b"{").status_code == 400
    assert alone.client.delete("/_sandbox/faults").status_code == 405
    assert alone.client.get("/_sandbox/secrets").status_code == 404
    assert alone.client.get("/elsewhere").status_code == 404


def test_an_upload_is_asked_for_over_the_wire(alone: Kaltura) -> None:
    made = alone.client.post("/_sandbox/upload", json={"template_entry_id": "0_any", "duration_seconds": 60}).json()
    assert alone("media", "get", entryId=made["id"]) == made
    assert alone.client.post("/_sandbox/upload", json={}).status_code == 400
    assert alone.client.get("/_sandbox/upload").status_code == 405


def test_the_state_outlives_a_restart_and_so_do_sessions(tmp_path: Path, clock: Clock) -> None:
    path = str(tmp_path / "sandbox.db")
    first = Sandbox(path, clock=clock)
    caller = embedded(first).sign_in()
    made = caller.add_event()
    first.close()
    second = Sandbox(path, clock=clock)
    again = embedded(second)
    again.ks = caller.ks
    assert again("schedule_scheduleEvent", "get", scheduleEventId=made["id"]) == made
    assert again.add_event()["id"] == made["id"] + 1
    assert len(second.state()["resources"]) == 3
    second.reset()
    assert second.state()["events"] == []
    second.close()


def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    """Whoever tries Lectern out may do it with a real timetable."""
    with closing(Sandbox(str(tmp_path / "sandbox.db"))):
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
        assert modes == dict.fromkeys(modes, 0o600)
        assert "sandbox.db" in modes


def test_the_state_of_another_version_is_emptied(tmp_path: Path) -> None:
    path = str(tmp_path / "sandbox.db")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE events (id); PRAGMA user_version = 99")
    sandbox = Sandbox(path)
    assert len(sandbox.state()["resources"]) == 3
    sandbox.close()


def test_a_connection_is_kept_and_takes_chunks(url: str) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=2) as connection:
        stream = connection.makefile("rb")
        for body in (
            b"Content-Length: 12\r\n\r\n" + b'{"format":1}',
            b'Transfer-Encoding: chunked\r\n\r\n6\r\n{"form\r\n6\r\nat":1}\r\n0\r\n\r\n',
        ):
            connection.sendall(
                b"POST /api_v3/service/system/action/ping HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                + body
            )
            head = b"".join(iter(stream.readline, b"\r\n"))
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert stream.read(4) == b"true"
        connection.sendall(b"NONSENSE\r\n\r\n")
        assert stream.read() == b""
        stream.close()


def test_watch_is_told_before_and_after(sandbox: Sandbox, kaltura: Kaltura) -> None:
    seen: list[tuple[str, str, str, int]] = []
    sandbox.watch = lambda service, action, phase: seen.append((service, action, phase, len(sandbox.state()["events"])))
    kaltura.add_event()
    assert seen == [
        ("schedule_scheduleEvent", "add", "before", 0),
        ("schedule_scheduleEvent", "add", "after", 1),
    ]
