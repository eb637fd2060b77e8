"""What goes wrong for a command is said in one sentence, without a traceback, and ends it with another code than 0."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.main import main
from tests.sampling import sampled
from tests.service import logs_as_they_are

HOUSE = Path(__file__).parents[2]
AWAY = "postgresql+psycopg://lectern@127.0.0.1:1/lectern"
COMMANDS = (
    ["keys", "list"],
    ["webhooks", "list"],
    ["account", "move", "--yes"],
    ["migrate"],
    ["check"],
    ["serve", "--port", "0"],
)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with logs_as_they_are():
        yield


def said(*words: str) -> str:
    """The last line; one that is no more than a sentence is the only one on standard error."""
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code in (1, 2), done.output
    assert "Traceback" not in done.output
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]  # those are the log's
    assert len(lines) == (words[0] != "check" or not done.stdout), done.output
    return (lines or done.stdout.splitlines())[-1]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    "url",
    [AWAY, "sqlite:////no/such/folder/lectern.db", "sqlite:///folder", "sqlite:///text.db", AWAY + ":", AWAY + "?x=1"],
    ids=["away", "no folder", "a folder", "no database", "no address", "no option"],
)
def test_a_database_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, words: list[str], url: str) -> None:
    Path("folder").mkdir()
    Path("text.db").write_text("not a database, but long enough to be taken for one at first sight" * 10)
    monkeypatch.setenv("LECTERN_DATABASE_URL", url.replace(":1/lectern:", ":port/lectern"))
    assert said(*words)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("options", ["password=swordfish&fish=sword", "password=sword&port=fish"])
def test_what_is_taken_for_an_option_is_not_told(
    monkeypatch: pytest.MonkeyPatch, words: list[str], options: str
) -> None:
    monkeypatch.setenv("LECTERN_DATABASE_URL", f"{AWAY}?{options}")
    told = said(*words)
    assert "fish" not in told


@pytest.mark.parametrize("words", [["check"], ["serve", "--port", "0"]], ids=" ".join)
@pytest.mark.parametrize("name", ["no/such/folder.db", "text.db"])
def test_a_sandbox_that_cannot_be_kept(monkeypatch: pytest.MonkeyPatch, words: list[str], name: str) -> None:
    Path("text.db").write_text("not a database, but long enough to be taken for one at first sight" * 10)
    monkeypatch.setenv("LECTERN_SANDBOX_DATABASE", name)
    assert said(*words).startswith("The sandbox cannot keep its state (")


def test_a_port_in_use(tmp_path: Path) -> None:
    """It is found out before anything is made."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = said("serve", "--port", str(port))
    assert told.startswith(f"Lectern cannot listen on 127.0.0.1, port {port}: Address already in use.")
    assert "--port" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_an_address_that_is_not_this_machine_s(host: str) -> None:
    assert said("serve", "--host", host, "--port", "0").startswith(f"Lectern cannot listen on {host}, port 0: ")


def test_a_port_that_is_none_is_refused() -> None:
    assert CliRunner().invoke(main, ["serve", "--port", "65536"]).exit_code == 2


@pytest.mark.parametrize("name", ["no/such/folder.json", "folder"])
def test_a_file_that_cannot_be_written(name: str) -> None:
    Path("folder").mkdir()
    assert said("openapi", name).startswith(f"{name} cannot be used: ")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_env_file_that_cannot_be_read(words: list[str]) -> None:
    Path(".env").write_bytes(b"LECTERN_TIME_ZONE=\xff\n")
    assert said(*words).startswith(".env cannot be read: ")


@pytest.mark.parametrize("words", sampled([["openapi"], ["check"], ["account", "show"]], 3), ids=" ".join)
def test_where_nobody_reads_on_it_ends_without_a_word(tmp_path: Path, words: list[str]) -> None:
    """As in `lectern check | head -1`: with the code that a shell gives to a program that SIGPIPE has ended."""
    reading, writing = os.pipe()
    os.close(reading)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LECTERN_")}
    done = subprocess.run(
        [sys.executable, "-c", "from app.cli.main import main; main()", *words],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(HOUSE)},
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")
