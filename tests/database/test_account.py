"""A database belongs to one Kaltura account: under another one nothing starts, and nothing is sent there."""

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command as alembic
from alembic.config import Config
from alembic.script import ScriptDirectory
from fastapi.testclient import TestClient
from sqlalchemy import text
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from app.cli.main import main
from app.database.account import Account, kept_account, origin_of, take
from app.database.database import Database
from app.main import MIGRATIONS, create_app
from app.sandbox.seed.seed import ADMIN_SECRET
from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from app.settings import PREFIX
from tests.conftest import Databases
from tests.forks import NURSERY
from tests.processes import Program, free_port, start_service
from tests.service import Json, lectern, logs_as_they_are, settings

pytestmark = pytest.mark.both_databases

REAL: Json = {
    "kaltura_url": "http://127.0.0.1:8100",
    "kaltura_partner_id": 101,
    "kaltura_admin_secret": ADMIN_SECRET,
}
ELSEWHERE = REAL | {"kaltura_url": "http://localhost:8100"}
OTHER_PARTNER = REAL | {"kaltura_partner_id": 102, "api_keys": "registrar=" + "k" * 32}  # which no sandbox is
NAMED = {
    "embedded": "the embedded sandbox",
    "real": "http://127.0.0.1:8100, partner 101",
    "elsewhere": "http://localhost:8100, partner 101",
    "other_partner": "http://127.0.0.1:8100, partner 102",
}
ACCOUNTS: dict[str, Json] = {"embedded": {}, "real": REAL, "elsewhere": ELSEWHERE, "other_partner": OTHER_PARTNER}
PAIRS = [
    ("embedded", "real"),
    ("real", "embedded"),
    ("real", "other_partner"),
    ("other_partner", "real"),
    ("real", "elsewhere"),
]
DOCUMENT = {
    "reference_id": "MATH-1",
    "title": "One",
    "resource": "EXTRON-100-ABC",
    "start": "2027-01-13T09:00:00",
    "duration_minutes": 50,
}


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://www.kaltura.com", "https://www.kaltura.com"),
        ("HTTPS://WWW.Kaltura.COM:443/", "https://www.kaltura.com"),
        ("https://www.kaltura.com./api_v3/service", "https://www.kaltura.com"),
        ("http://kaltura.example:80", "http://kaltura.example"),
        ("http://kaltura.example:443", "http://kaltura.example:443"),
        ("https://kaltura.example:8443/x", "https://kaltura.example:8443"),
        ("http://[::1]:8100/", "http://[::1]:8100"),
        ("http://[2001:DB8::1]", "http://[2001:db8::1]"),
    ],
)
def test_an_address_is_the_same_however_it_is_written(url: str, origin: str) -> None:
    assert origin_of(url) == origin


# Started with another account


def started(folder: Path, name: str, database_url: str, **more: Any) -> Sandbox:
    """The service was started and stopped under that account; Kaltura as it was meanwhile."""
    sandbox = Sandbox(server_zone="UTC")
    values = ACCOUNTS[name] | {"database_url": database_url} | more
    with TestClient(create_app(settings(folder, **values), transport=SandboxTransport(sandbox))) as client:
        client.get("/resources")
    return sandbox


@pytest.mark.parametrize(("first", "then"), PAIRS)
def test_an_application_does_not_start_under_another_account(
    tmp_path: Path, database_url: str, first: str, then: str
) -> None:
    started(tmp_path, first, database_url).close()
    sandbox = Sandbox()
    values = ACCOUNTS[then] | {"database_url": database_url}
    app = create_app(settings(tmp_path, **values), transport=SandboxTransport(sandbox))
    with pytest.raises(ValueError, match=r"^This database belongs to ") as caught, TestClient(app):
        pass
    assert f"This database belongs to {NAMED[first]}; " in str(caught.value)
    assert NAMED[then] in str(caught.value)
    assert sandbox.requests() == []
    assert [each.name for each in threading.enumerate() if each.name.startswith(("chain-", "mirror", "refresh"))] == []
    started(tmp_path, first, database_url).close()  # nothing has changed
    app.state.database.close()
    sandbox.close()


def environment(values: Json, url: str) -> dict[str, str]:
    """As settings in the environment, with `url`'s port instead of 8100; what is not named is empty."""
    port = url.rpartition(":")[2]
    empty = dict.fromkeys(("kaltura_url", "kaltura_partner_id", "kaltura_admin_secret", "kaltura_app_token"), "")
    return {
        PREFIX + name.upper(): str(value).replace("8100", port)
        for name, value in (empty | {"kaltura_app_token_id": ""} | values).items()
    }


@pytest.mark.parametrize(("first", "then"), PAIRS[:4])
def test_serve_and_check_name_both_and_ask_the_other_kaltura_for_nothing(
    tmp_path: Path, database_url: str, first: str, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = Sandbox()
    with running(sandbox) as url:
        port = url.rpartition(":")[2]
        own = {"LECTERN_DATABASE_URL": database_url}
        with start_service(tmp_path, url, own | environment(ACCOUNTS[first], url)) as service:
            if first != "other_partner":  # which the sandbox does not know
                assert httpx.post(f"{service.url}/recordings", json=DOCUMENT, timeout=30).status_code == 201
            assert service.stop() == 0
        before = len(sandbox.requests())
        with pytest.raises(RuntimeError, match=r"not ready \(exit 2\)"):
            start_service(tmp_path, url, own | environment(ACCOUNTS[then], url), name="other")
        told = (tmp_path / "other.log").read_text()
        assert len(told.splitlines()) == 1
        monkeypatch.chdir(tmp_path)
        for name, value in (own | environment(ACCOUNTS[then], url)).items():
            monkeypatch.setenv(name, value)
        with logs_as_they_are():
            checked = CliRunner().invoke(main, ["check", "--write"], catch_exceptions=False)
        assert checked.exit_code == 1
        for text_ in (told, checked.output):
            assert f"This database belongs to {NAMED[first].replace('8100', port)}; " in text_
            assert NAMED[then].replace("8100", port) in text_
            assert "LECTERN_DATABASE_URL" in text_
            assert "Traceback" not in text_
        assert len(sandbox.requests()) == before
    sandbox.close()


def test_a_first_try_and_a_real_account_in_one_folder_never_meet(tmp_path: Path) -> None:
    """Nobody has said where the database is: each has its own, and a document that one knows is new to the other."""
    sandbox = Sandbox(server_zone="UTC")

    def put(values: Json, name: str, url: str) -> int:
        port = free_port()
        given = environment(values, url) | {"LECTERN_PORT": str(port)}
        with Program(name, tmp_path, ["serve"], port, "/healthz", given) as service:
            path = f"{service.url}/recordings/by-reference/MATH-1"
            answer = httpx.put(path, json=DOCUMENT, timeout=30).status_code
            service.stop()
        return answer

    with running(sandbox) as url:
        assert put({}, "try", url) == 201
        assert sorted(path.name for path in tmp_path.glob("*.db")) == ["lectern-sandbox.db", "sandbox.db"]
        assert put(REAL, "real", url) == 201
        assert len(sandbox.state()["events"]) == 1
        assert put({}, "again", url) == 204
    sandbox.close()


def test_a_sandbox_that_was_reset_or_deleted_is_another_kaltura(tmp_path: Path) -> None:
    kept, database_url = tmp_path / "sandbox.db", f"sqlite:///{tmp_path / 'lectern.db'}"

    def start() -> None:
        app = create_app(settings(tmp_path, database_url=database_url, sandbox_database=str(kept)))
        with TestClient(app):
            app.state.database.close()

    start()
    start()
    with closing(Sandbox(str(kept))) as sandbox:
        sandbox.reset()
    with pytest.raises(ValueError, match=r"belongs to another embedded sandbox .* LECTERN_SANDBOX_DATABASE"):
        start()
    for path in tmp_path.glob("sandbox.db*"):
        path.unlink()
    with pytest.raises(ValueError, match="belongs to another embedded sandbox"):
        start()
    (tmp_path / "lectern.db").unlink()
    start()


def test_a_sandbox_of_an_older_version_gets_an_id_and_keeps_it(tmp_path: Path) -> None:
    kept = str(tmp_path / "sandbox.db")
    Sandbox(kept).close()
    with closing(sqlite3.connect(kept)) as connection, connection:
        connection.execute("DELETE FROM meta WHERE name = 'identity'")
    with closing(Sandbox(kept)) as one, closing(Sandbox(kept)) as other, closing(Sandbox()) as third:
        assert one.identity == other.identity == one.identity != third.identity


# Several at once


def _start(folder: Path, values: Json, start: Barrier) -> None:
    app = create_app(settings(folder, **values))
    start.wait()
    try:
        app.state.prepare()
    except ValueError as error:
        sys.exit(3 if "This database belongs to http" in str(error) else 4)


def test_of_processes_that_start_at_once_on_a_new_database_one_account_wins(
    tmp_path: Path, databases: Databases
) -> None:
    with databases.one(with_tables=False) as url:
        start = NURSERY.Barrier(4)
        chosen = [REAL, OTHER_PARTNER, REAL, OTHER_PARTNER]
        processes = [
            NURSERY.Process(target=_start, args=(tmp_path, values | {"database_url": url}, start)) for values in chosen
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        database = Database(url)
        kept = kept_account(database)
        database.close()
        assert kept in (Account(REAL["kaltura_url"], 101), Account(REAL["kaltura_url"], 102))
        wanted = [0 if values["kaltura_partner_id"] == kept.partner_id else 3 for values in chosen]
        assert [process.exitcode for process in processes] == wanted


# A database that is there already


def test_one_that_an_older_version_filled_goes_on_with_the_account_that_is_set_up(
    tmp_path: Path, database_url: str
) -> None:
    with lectern(tmp_path, database_url=database_url, **REAL) as service:
        recording = service.made()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    (before,) = [script.down_revision for script in scripts if script.path.endswith("_account.py")]
    database = Database(database_url)
    with database.engine.connect() as connection:
        if database.is_sqlite:  # which alters a table by dropping it
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        with connection.begin():
            config.attributes["connection"] = connection
            alembic.downgrade(config, str(before))
    assert kept_account(database) is None
    with capture_logs() as logs, lectern(tmp_path, database_url=database_url, **REAL) as service:
        assert service.get(f"/recordings/{recording['id']}") == recording
    (told,) = [line for line in logs if line["event"] == "account"]
    assert NAMED["real"] in told["detail"]
    assert told["had_recordings"]
    assert kept_account(database) == Account(REAL["kaltura_url"], 101)
    with capture_logs() as logs, lectern(tmp_path, database_url=database_url, **REAL):
        pass
    assert [line for line in logs if line["event"] == "account"] == []
    with (
        pytest.raises(ValueError, match=r"partner 101; .*partner 102"),
        lectern(tmp_path, database_url=database_url, **OTHER_PARTNER),
    ):
        pass
    database.close()


# The command


Command = Callable[..., Result]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[Command]:
    """`lectern …` over the test's own database, under the account that is named first."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_DATABASE_URL", database_url)

    def invoke(name: str, *words: str, answer: str | None = None) -> Result:
        for variable, value in environment(ACCOUNTS[name], ":8100").items():
            monkeypatch.setenv(variable, value)
        return CliRunner().invoke(main, list(words), input=answer, catch_exceptions=False)

    with logs_as_they_are():
        yield invoke


@pytest.fixture
def belongs(database_url: str) -> Callable[[str], None]:
    def set_(name: str) -> None:
        database = Database(database_url)
        url, partner = ACCOUNTS[name].get("kaltura_url", "sandbox:0123"), ACCOUNTS[name].get("kaltura_partner_id", 0)
        take(database, Account(url, partner))
        database.close()

    return set_


def test_show_names_the_database_s_account_and_the_settings(command: Command, belongs: Callable[[str], None]) -> None:
    shown = command("real", "account", "show")
    assert shown.exit_code == 0
    assert shown.output.splitlines() == [
        "This database belongs to no account yet: it takes the one that `lectern serve` is first started with.",
        "The settings name http://127.0.0.1:8100, partner 101.",
    ]
    belongs("elsewhere")
    assert command("embedded", "account", "show").output.splitlines() == [
        "This database belongs to http://localhost:8100, partner 101.",
        "The settings name the embedded sandbox.",
    ]


@pytest.mark.parametrize(("words", "answer"), [(["--yes"], None), ([], "y\n")])
def test_an_account_moves_to_another_address(
    command: Command, belongs: Callable[[str], None], words: list[str], answer: str | None
) -> None:
    belongs("real")
    moved = command("elsewhere", "account", "move", *words, answer=answer)
    assert moved.exit_code == 0
    assert moved.output.splitlines()[-1] == "This database belongs to http://localhost:8100, partner 101 now."
    assert "belongs to http://localhost:8100" in command("real", "account", "show").output


@pytest.mark.parametrize("answer", ["n\n", "\n", None])
def test_it_moves_only_when_somebody_says_so(
    command: Command, belongs: Callable[[str], None], answer: str | None
) -> None:
    belongs("real")
    asked = command("elsewhere", "account", "move", answer=answer)
    assert asked.exit_code == 1
    assert "This database belongs to http://127.0.0.1:8100, partner 101." in asked.output
    assert "Is http://localhost:8100, partner 101 that same account?" in asked.output
    assert "belongs to http://127.0.0.1:8100" in command("real", "account", "show").output


@pytest.mark.parametrize(
    ("first", "then", "says"),
    [
        (None, "real", "belongs to no account yet"),
        ("real", "real", "already: there is nothing to move"),
        ("real", "other_partner", "That is another account"),
        ("embedded", "real", "That is another account"),
        ("real", "embedded", "LECTERN_KALTURA_URL is empty"),
        ("embedded", "embedded", "LECTERN_KALTURA_URL is empty"),
    ],
)
def test_what_is_no_move_is_refused_in_words(
    command: Command, belongs: Callable[[str], None], database_url: str, first: str | None, then: str, says: str
) -> None:
    if first:
        belongs(first)
    before = command("real", "account", "show").output
    refused = command(then, "account", "move", "--yes")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert says in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert command("real", "account", "show").output == before


@pytest.mark.parametrize(
    "words", [["account", "show"], ["account", "move", "--yes"], ["serve"], ["migrate"], ["keys", "list"]]
)
def test_a_database_that_does_not_answer_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment(REAL, ":8100").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LECTERN_DATABASE_URL", "postgresql+psycopg://lectern:swordfish@127.0.0.1:1/lectern")
    with logs_as_they_are():
        done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code in (1, 2)
    assert done.stderr.startswith("The database does not do what it is asked (connection ")
    assert "127.0.0.1" in done.stderr
    assert "Check LECTERN_DATABASE_URL" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "swordfish" not in done.output


def test_a_database_of_a_newer_version_is_said_in_a_sentence(
    databases: Databases, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    with databases.one(with_tables=False) as url:
        monkeypatch.setenv("LECTERN_DATABASE_URL", url)
        assert command("embedded", "migrate").exit_code == 0
        database = Database(url)
        with database.write() as session:
            session.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
        database.close()
        for words in (["serve"], ["migrate"], ["keys", "list"]):
            done = command("embedded", *words)
            assert done.exit_code in (1, 2)
            assert done.stderr == "The database's tables are a newer version's. Run that version of Lectern.\n"


def test_to_look_makes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LECTERN_DATABASE_URL", *environment({}, "")):
        monkeypatch.delenv(name, raising=False)
    with logs_as_they_are():
        assert CliRunner().invoke(main, ["account", "show"], catch_exceptions=False).exit_code == 0
    assert list(tmp_path.iterdir()) == []
