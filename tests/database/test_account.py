"""A database belongs to one Kaltura account: under another one nothing starts, and nothing is sent there."""

import sqlite3
import sys
import threading
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
from structlog.testing import capture_logs
from typer.testing import CliRunner

from app.cli.main import main
from app.database.account import Account, kept_account, origin_of
from app.database.database import Database
from app.main import MIGRATIONS, create_app
from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.conftest import Databases
from tests.database.accounts import ACCOUNTS, NAMED, OTHER_PARTNER, REAL, environment
from tests.forks import NURSERY
from tests.processes import Program, free_port, start_service
from tests.service import Json, lectern, logs_as_they_are, settings

pytestmark = pytest.mark.both_databases

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
