"""The composition root and the command line: what is opened when, what is served, how it stops."""

import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from app.access.keys import Keys
from app.chains.worker import Workers
from app.cli.main import main
from app.database.background import Background
from app.http.serving.server import Server
from app.main import create_app
from app.notices.listening import Listening
from app.resources.mirror.threads import Refreshers
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from app.webhooks.deliverers import Deliverers
from tests.service import found, lectern, logs_as_they_are, problem, settings, with_tables


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("chain-")]


def test_nothing_is_opened_before_it_starts_and_all_is_stopped_after(tmp_path: Path) -> None:
    sandbox = Sandbox()
    app = create_app(settings(tmp_path, workers=3), transport=SandboxTransport(sandbox))
    assert list(tmp_path.iterdir()) == []
    assert workers() == []
    with TestClient(app) as client:
        assert (tmp_path / "lectern.db").exists()
        assert sorted(workers()) == ["chain-0", "chain-1", "chain-2", "chain-heart"]
        found(client.get("/healthz"))
    assert workers() == []
    assert sandbox.requests() == [], "Kaltura is asked when there is something to ask"
    sandbox.close()


@pytest.mark.parametrize(("seconds", "least"), [(2, 0), (120, 15)])
def test_a_call_under_way_has_the_time_that_is_set_for_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int, least: int
) -> None:
    given: list[float] = []

    def noting(stop: Callable[[Any, float], object]) -> Callable[[Any, float], None]:
        def stop_and_note(self: Any, timeout: float) -> None:
            given.append(timeout)
            stop(self, timeout)

        return stop_and_note

    for each in (Background, Deliverers, Listening, Refreshers, Workers):
        monkeypatch.setattr(each, "stop", noting(each.stop))
    with TestClient(create_app(settings(with_tables(tmp_path), stop_seconds=seconds))):
        pass
    assert least <= max(given) < seconds


def test_a_stop_waits_for_no_thread_for_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, over = threading.Semaphore(0), threading.Event()

    def wait(_self: object) -> None:
        reading.release()
        over.wait(30.0)

    with TestClient(create_app(settings(with_tables(tmp_path), stop_seconds=2))):
        for each in (Keys, Listening):
            monkeypatch.setattr(each, "look", wait)
        assert all(reading.acquire(timeout=20.0) for _ in range(2))
    assert {"keys", "notices"} <= {thread.name for thread in threading.enumerate()}
    over.set()


def test_who_asks_once_a_minute_keeps_its_connection(tmp_path: Path) -> None:
    """It may be sent on as it is closed otherwise, which no client can tell from a failure."""
    chosen = settings(tmp_path)
    assert Server(create_app(chosen), chosen).config.timeout_keep_alive > 60


def test_no_telemetry_leaves_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI would send errors with their texts to wherever the environment says, and look for that each time."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    chosen = create_app(settings(tmp_path))._telemetry
    assert not any((chosen["tracing"], chosen["metrics"], chosen["logs"], chosen["auto_configure"]))


def test_without_an_address_of_kaltura_the_sandbox_is_embedded(tmp_path: Path) -> None:
    kept = tmp_path / "sandbox.db"
    app = create_app(settings(tmp_path, sandbox_database=str(kept)))
    with TestClient(app) as client:
        names = [each["system_name"] for each in found(client.get("/resources"))["items"]]
    assert names == ["EXTRON-100-ABC", "EXTRON-200-DEF", "PEARL-300-GHI"]
    assert kept.exists()


def test_two_services_in_one_process_know_nothing_of_each_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with lectern(tmp_path / "one") as one, lectern(tmp_path / "two") as two:
        recording = one.made()
        problem(two.client.get(f"/recordings/{recording['id']}"), 404, "not_found")
        assert two.calls() == []


def test_the_example_on_every_database(tmp_path: Path, database_url: str) -> None:
    with lectern(tmp_path, database_url=database_url) as service:
        recording = service.made()
        term = {"from": "2027-01-13T00:00:00Z", "to": "2027-06-01T00:00:00Z"}
        assert recording["occurrence_count"] == 36
        assert len(service.get("/resources/extron-100-abc/upcoming", **term)["occurrences"]) == 36
        assert found(service.schedule(), 200) == recording


def test_the_default_zone_is_a_setting(tmp_path: Path) -> None:
    document = {"title": "t", "resource": 562931, "start": "2027-01-13T09:00:00", "duration_minutes": 50}
    with lectern(tmp_path, time_zone="Asia/Kolkata") as service:
        recording = service.made(document)
    assert (recording["time_zone"], recording["first_start"]) == ("Asia/Kolkata", "2027-01-13T03:30:00Z")


def test_docs_and_their_document_are_served(tmp_path: Path) -> None:
    with lectern(tmp_path, api_keys="registrar=" + "k" * 32) as service:
        page = service.client.get("/docs")
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert service.client.get("/" + path).status_code == 200, path
        assert service.get("/openapi.json") == service.app.openapi()
        problem(service.client.get("/redoc"), 404, "not_found")


# The command line


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CliRunner]:
    """In an empty folder, with nothing set but where the database is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_DATABASE_URL", f"sqlite:///{tmp_path / 'lectern.db'}")
    with logs_as_they_are():
        yield CliRunner()


def test_migrate_makes_the_tables(command: CliRunner, tmp_path: Path) -> None:
    for _ in range(2):
        assert command.invoke(main, ["migrate"], catch_exceptions=False).exit_code == 0
    with sqlite3.connect(tmp_path / "lectern.db") as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    database.close()
    assert {"recording", "chain", "chain_step", "occurrence", "resource", "alembic_version"} <= tables


@pytest.mark.parametrize("name", ["serve", "sandbox", "migrate", "openapi"])
def test_every_command_explains_itself(command: CliRunner, name: str) -> None:
    assert command.invoke(main, [name, "--help"]).exit_code == 0
    assert name in command.invoke(main, ["--help"]).output
