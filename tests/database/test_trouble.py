"""A database that cannot be written, or would forget what it has acknowledged, is told; its file is private."""

import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, make_url, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from typer.testing import CliRunner

import app.database.database
from app.chains.models import Chain, ChainStatus
from app.cli.main import main
from app.database import counters
from app.database.database import Database
from app.database.migrating import MIGRATIONS, migrate
from app.database.trouble import FULL, READ_ONLY, refuses, unwritable
from app.operations import checks, readiness
from tests.conftest import Databases
from tests.keys import bearer, key
from tests.postgres import Server
from tests.service import Lectern, eventually, found, lectern, logs_as_they_are, problem

pytestmark = pytest.mark.both_databases

ROOT = Path(__file__).parents[2]


@contextmanager
def read_only(databases: Databases) -> Iterator[None]:
    """Whoever connects meanwhile may only read, as from a server that is another's copy, or on a disk that is so."""

    def on_sqlite(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA query_only=ON")

    def on_postgresql(connection: Connection) -> None:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")

    listener = ("connect", on_sqlite) if databases.kind == "sqlite" else ("begin", on_postgresql)
    event.listen(Engine, *listener)
    try:
        yield
    finally:
        event.remove(Engine, *listener)


def part(service: Lectern) -> dict[str, str]:
    answer = service.client.get("/readyz")
    shown: dict[str, str] = answer.json()["parts"]["database"]
    assert answer.status_code == (503 if shown["state"] == "down" else 200)
    return shown


def test_a_database_that_can_only_be_read_is_not_ready(tmp_path: Path, databases: Databases, database_url: str) -> None:
    with lectern(tmp_path, database_url=database_url) as service:
        engine = service.app.state.database.engine
        assert part(service) == {"state": "ok", "detail": "answers"}
        with read_only(databases):
            if databases.kind == "sqlite":
                engine.dispose()
            shown = part(service)
            assert shown == {"state": "down", "detail": f"answers, but nothing can be written: {READ_ONLY}"}
            assert service.get("/healthz") == {"status": "ok"}
            problem(service.schedule(), 503, "database_unavailable")
        if databases.kind == "sqlite":
            engine.dispose()
        assert eventually(lambda: part(service)["state"] == "ok")
        service.made()


def test_a_start_on_one_ends_in_a_sentence(
    tmp_path: Path, databases: Databases, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_DATABASE_URL", database_url)
    with read_only(databases), logs_as_they_are():
        done = CliRunner().invoke(main, ["serve", "--port", "0"], catch_exceptions=False)
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith(f"The database cannot be written: {READ_ONLY}.")


def test_a_start_where_nothing_can_be_written_ends_in_a_sentence(tmp_path: Path) -> None:
    """No file may grow: as on a full disk."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LECTERN_PORT": "0"}
    for kept in (":memory:", str(tmp_path / "sandbox.db")):
        done = subprocess.run(
            [sys.executable, "-c", "from app.cli.main import main; main(['serve'])"],
            cwd=tmp_path,
            env=environment | {"LECTERN_SANDBOX_DATABASE": kept},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
        )
        assert done.returncode == 2, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.splitlines()[-1].startswith(
            ("The database cannot be used: its file cannot be read or written", "The sandbox cannot keep its state")
        )


def test_what_a_full_disk_comes_to_is_known(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'full.db'}")
    migrate(database)
    event.listen(database.engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1"))
    with pytest.raises(OperationalError) as raised, database.transaction() as connection:
        connection.execute(text("INSERT INTO counter (name, value) VALUES (hex(zeroblob(1000000)), 1)"))
    assert unwritable(raised.value) == FULL
    assert refuses(raised.value).startswith(f"The database cannot be written: {FULL}.")
    counters.write(database)
    database.close()


def no_folder(folder: Path) -> str:
    return f"sqlite:///{folder}/no/such/folder/lectern.db"


def broken(folder: Path) -> str:
    """Its first page is there, and no other."""
    path = folder / "lectern.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    database.close()
    os.truncate(path, 4096)
    return f"sqlite:///{path}"


def no_database(folder: Path) -> str:
    (folder / "lectern.db").write_text("a list of rooms, which somebody named so\n" * 100)
    return f"sqlite:///{folder}/lectern.db"


@pytest.mark.parametrize(
    ("make", "says", "advises"),
    [
        (no_folder, "its file cannot be opened (unable to open database file)", "Its folder must be there"),
        (broken, "its file is broken, or none of SQLite's (database disk image is malformed)", "restore a backup"),
        (no_database, "its file is broken, or none of SQLite's (file is not a database)", "names the right file"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_sqlite_s_words_too(
    tmp_path: Path, make: Callable[[Path], str], says: str, advises: str
) -> None:
    database = Database(make(tmp_path))
    (told,) = checks._database(database, MIGRATIONS, 5.0, True)
    assert (told.ok, told.checked) == (False, f"the database cannot be used: {says}")
    assert advises in told.what_to_do
    assert "that the database runs" not in told.what_to_do
    with pytest.raises(SQLAlchemyError) as raised:
        migrate(database)
    assert refuses(raised.value) == f"T{told.checked[1:]}. {told.what_to_do}"
    part = readiness.database_part(database)
    assert (part.state, part.detail) == ("down", f"does not answer ({says.partition(' (')[0]})")
    database.close()


def test_another_process_that_holds_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.database.database, "BUSY_TIMEOUT", 0.05)
    database = Database(f"sqlite:///{tmp_path}/lectern.db")
    migrate(database)
    with closing(sqlite3.connect(tmp_path / "lectern.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        (told,) = (one for one in checks._database(database, MIGRATIONS, 5.0, True) if not one.ok)
    assert told.checked == "the database cannot be used: another process holds it (database is locked)"
    database.close()


def test_a_disk_that_is_nearly_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lectern(tmp_path) as service:
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=readiness.LEAST_FREE_BYTES - 1))
        assert part(service) == {"state": "degraded", "detail": "its disk is nearly full: 63 MB are left"}


# Whose the file is


def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    for old in (False, True):  # one of an older version
        folder = tmp_path / str(old)
        folder.mkdir()
        path = folder / "lectern.db"
        if old:
            path.touch(0o644)
        with lectern(folder):
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
        assert modes == dict.fromkeys(("lectern.db", "lectern.db-wal", "lectern.db-shm"), 0o600)


# What is acknowledged is on disk


@pytest.fixture
def forgetful(postgres: Server) -> Iterator[str]:
    """A database whose server acknowledges what is not on disk yet."""
    url = postgres.create()
    postgres.sql(f'ALTER DATABASE "{make_url(url).database}" SET synchronous_commit = off')
    yield url
    postgres.drop(url)


def setting(database: Database) -> str:
    with database.write() as session:
        return str(session.execute(text("SHOW synchronous_commit")).scalar_one())


def test_on_postgresql_sessions_that_write_wait_for_the_disk(forgetful: str) -> None:
    stricter = make_url(forgetful).update_query_dict({"options": "-c synchronous_commit=remote_write"})
    for url, means in ((forgetful, "on"), (stricter.render_as_string(hide_password=False), "remote_write")):
        database = Database(url)
        assert setting(database) == means
        database.close()


def test_check_says_whether_what_is_acknowledged_is_on_disk(forgetful: str) -> None:
    database = Database(forgetful)
    migrate(database)

    def found(about: str) -> checks.Finding:
        (one,) = [finding for finding in checks._database(database, MIGRATIONS, 5.0, True) if about in finding.checked]
        return one

    assert found("can be written").ok
    assert found("synchronous_commit").ok
    # A pooler in between has its own mind.
    event.listen(database.engine, "begin", lambda opened: opened.exec_driver_sql("SET synchronous_commit = off"))
    assert not found("synchronous_commit").ok
    assert "pooler" in found("synchronous_commit").what_to_do
    database.close()


def test_check_says_that_nothing_can_be_written(databases: Databases, database_url: str) -> None:
    with read_only(databases):
        database = Database(database_url)
        findings = list(checks._database(database, MIGRATIONS, 5.0, True))
        database.close()
    assert [finding.checked for finding in findings if not finding.ok] == [
        f"the database cannot be written: {READ_ONLY}"
    ]


# What is stuck


def stuck(database: Database, count: int) -> None:
    """So many chains that were given up on, each with a document."""
    with database.write() as session:
        session.add_all(
            Chain(
                id=f"chn_{number:06d}",
                subject=f"rec_{number:06d}",
                number=1,
                operation="schedule",
                status=ChainStatus.STUCK,
                input={"document": "x" * 1000},
                next_attempt_at=None,
            )
            for number in range(count)
        )


def test_of_thousands_that_are_stuck_few_are_named_and_no_document_is_read(tmp_path: Path, database_url: str) -> None:
    with lectern(tmp_path, database_url=database_url) as service:
        database = service.app.state.database
        stuck(database, 3000)
        sent = list[str]()
        event.listen(database.engine, "before_cursor_execute", note := lambda *given: sent.append(given[2]))
        detail = service.get("/readyz")["parts"]["chains"]["detail"]
        event.remove(database.engine, "before_cursor_execute", note)
        assert detail.startswith(
            "3000 stuck, to be resumed: rec_000000 (schedule, chn_000000), rec_000001 (schedule, chn_000001)"
        )
        assert detail.endswith(f" and {3000 - readiness.MOST} more")
        assert detail.count("rec_") == readiness.MOST
        assert not [statement for statement in sent if "chain.input" in statement]
        with database.read() as session:
            assert len(list(checks._findings(session, 5.0, True))) == checks.MOST + 1


def test_strangers_are_not_told_what_is_stuck(tmp_path: Path, database_url: str) -> None:
    with lectern(tmp_path, database_url=database_url) as service:
        stuck(service.app.state.database, 2)
        mine = key(service, "registrar", "recordings:read")
        encoder = key(service, "hall", "schedule:read")

        def told(headers: dict[str, str]) -> str:
            answer = found(service.client.get("/readyz", headers=headers))
            assert set(answer["parts"]["chains"]) == {"state", "detail"}
            return str(answer["parts"]["chains"]["detail"])

        assert told({}) == told(bearer("nobody's")) == told(bearer(encoder)) == "2 stuck, to be resumed"
        assert "rec_000000 (schedule, chn_000000), rec_000001 (schedule, chn_000001)" in told(bearer(mine))
