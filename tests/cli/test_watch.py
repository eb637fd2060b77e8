"""`lectern watch` as a process, against a service as another."""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from app.cli.main import main
from app.watch import cache
from tests import processes
from tests.processes import Process, start_sandbox, start_service
from tests.service import eventually

ROOM = "EXTRON-100-ABC"
START = 'echo "start $LECTERN_TITLE $LECTERN_RESOURCE $LECTERN_TEMPLATE_ENTRY_ID ${LECTERN_KEY-}" >> log; sleep 600'
STOP = 'echo "stop $LECTERN_UID" >> log'


@contextmanager
def watching(folder: Path, url: str, key: str) -> Iterator[Process]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LECTERN_")}
    environment |= {"LECTERN_URL": url, "LECTERN_KEY": key, "PYTHONUNBUFFERED": "1"}
    words = ["watch", ROOM, "--on-start", START, "--on-stop", STOP]
    process = processes.launch(words, folder, environment, folder / "watch.log")
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_session_is_recorded_once_over_kills_and_restarts(tmp_path: Path) -> None:
    said, log = tmp_path / "watch.log", tmp_path / "log"
    key = "k" * 32
    with (
        start_sandbox(tmp_path) as sandbox,
        start_service(tmp_path, sandbox.url, {"LECTERN_API_KEYS": f"registrar={key}"}) as service,
        httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client,
    ):
        begun = datetime.now(UTC) - timedelta(minutes=10)
        document = {"title": "Optics; $(touch x)", "resource": ROOM, "start": f"{begun:%Y-%m-%dT%H:%M:%SZ}"}
        made = client.post("/recordings", json=document | {"duration_minutes": 60}, headers={"Prefer": "wait=30"})
        assert made.status_code == 201, made.text
        entry = made.json()["kaltura"]["template_entry_id"]

        with watching(tmp_path, service.url, key):
            eventually(lambda: log.exists() and log.read_text(), 30)
        with watching(tmp_path, service.url, key) as process:  # the one before was killed
            eventually(lambda: "From before: Optics" in said.read_text(), 30)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        assert "goes on without me" in said.read_text()
        assert log.read_text() == f"start Optics; $(touch x) {ROOM} {entry} \n"

        (uid,) = [one["id"] for one in client.get(made.headers["Location"] + "/occurrences").json()["items"]]
        with closing(sqlite3.connect(tmp_path / "lectern.db", isolation_level=None)) as database:
            database.execute("UPDATE occurrence SET withdrawn = 1")  # it is cancelled while it runs
        eventually(lambda: client.get(f"/resources/{ROOM}/upcoming").json()["occurrences"] == [])
        with watching(tmp_path, service.url, key):
            eventually(lambda: "stop" in log.read_text(), 30)
        assert log.read_text().splitlines()[1:] == [f"stop {uid}"]
    assert not (tmp_path / "x").exists()
    assert key not in said.read_text() + (tmp_path / f"lectern-watch-{ROOM}.json").read_text()
    left = subprocess.run(["pgrep", "-fx", "sleep 600"], capture_output=True, text=True, check=False).stdout.split()
    assert not [pid for pid in left if Path(f"/proc/{pid}/cwd").resolve() == tmp_path]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: str) -> str:
    done = CliRunner().invoke(main, ["watch", ROOM, "--on-start", "true", *words], catch_exceptions=False)
    assert done.exit_code == 1, done.output
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    "url", ["lectern.campus.example", "ftp://x", "https://user:secret@x", "https://x?key=secret", "https://x:y"]
)
def test_an_address_that_is_none(folder: Path, url: str) -> None:
    assert said("--url", url).startswith("The service's address ")
    assert "secret" not in said("--url", url)


def test_two_at_once_would_start_everything_twice(folder: Path) -> None:
    with cache.alone(folder / "it.json"):
        told = said("--url", "http://127.0.0.1:1", "--cache", "it.json")
    assert told == "Another `lectern watch` uses it.json. End it, or name another file with --cache."


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"of": "HALL-2 at http://127.0.0.1:1"}'])
def test_a_file_of_something_else_is_left_alone(folder: Path, content: str) -> None:
    (folder / "it.json").write_text(content)
    assert said("--url", "http://127.0.0.1:1", "--cache", "it.json").startswith("it.json is ")
    assert (folder / "it.json").read_text() == content


def test_a_folder_that_is_not_there(folder: Path) -> None:
    assert said("--url", "http://127.0.0.1:1", "--cache", "no/it.json") == (
        "no/it.json.lock cannot be used: No such file or directory."
    )
