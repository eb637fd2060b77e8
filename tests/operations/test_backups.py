"""Backups of SQLite's file: whole, private, made again and again while the service runs; put back while it does not."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.access import keys
from app.cli.main import main
from app.database.database import Database
from app.database.migrating import migrate
from app.operations import backups
from tests.service import lectern, logs_as_they_are

HOLDS = """
import sqlite3, sys
kept = sqlite3.connect("lectern.db", isolation_level=None)
kept.execute("PRAGMA journal_mode=WAL")
kept.execute("PRAGMA wal_autocheckpoint=0")
kept.execute("CREATE TABLE held (word)")
kept.execute("INSERT INTO held VALUES ('in the log')")
print(flush=True)
sys.stdin.read()
"""
"""Another process that has the database open, and what it has written is in the log alone."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LECTERN_DATABASE_URL", "sqlite:///lectern.db")
    with logs_as_they_are():
        yield tmp_path


def run(*words: str) -> Result:
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert "Traceback" not in done.output
    return done


def refused(*words: str) -> str:
    """The sentence; nothing is left of it, and nothing is changed."""
    before = {path.name: path.stat().st_mtime_ns for path in Path().iterdir()}
    done = run(*words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert {path.name: path.stat().st_mtime_ns for path in Path().iterdir()} == before
    (told,) = done.stderr.splitlines()
    return told


def made(name: str = "first") -> None:
    """A database with a key of that name."""
    database = Database("sqlite:///lectern.db")
    migrate(database)
    with database.write() as session:
        keys.create(session, name, ["admin"])
    database.close()


def names(file: str = "lectern.db") -> list[str]:
    database = Database(f"sqlite:///{file}")
    with database.read() as session:
        found = [one.name for one in keys.every(session)]
    database.close()
    return found


@contextmanager
def held() -> Iterator["subprocess.Popen[str]"]:
    given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", HOLDS], **given) as other:  # type: ignore[call-overload]
        try:
            other.stdout.readline()
            yield other
        finally:
            other.kill()


def mode(file: str) -> int:
    return stat.S_IMODE(Path(file).stat().st_mode)


def test_a_backup_is_made_again_and_again_while_the_service_runs(folder: Path) -> None:
    before = os.umask(0)
    try:
        with lectern(folder) as service:
            for name in ("first", "second"):
                with service.app.state.database.write() as session:
                    keys.create(session, name, ["admin"])
                assert run("backup", "copy.db").exit_code == 0
                assert mode("copy.db") == 0o600
    finally:
        os.umask(before)
    assert names("copy.db") == ["first", "second"]
    assert {path.name for path in folder.iterdir() if "copy" in path.name} <= {"copy.db", "copy.db-wal", "copy.db-shm"}


def test_what_is_restored_is_the_backup_and_nothing_of_what_came_later(folder: Path) -> None:
    made()
    run("backup", "copy.db")
    made("later")
    assert names() == ["first", "later"]
    done = run("restore", "copy.db", "--yes")
    assert (done.exit_code, "revoke them once more" in done.stdout) == (0, True)
    assert names() == ["first"]
    Path("lectern.db").unlink()
    assert run("restore", "copy.db").exit_code == 0, "nothing to be asked: there is none"
    assert names() == ["first"]


def test_the_log_of_a_service_that_was_killed_is_taken_away(folder: Path) -> None:
    """With another file it would make a broken database of it."""
    made()
    run("backup", "copy.db")
    with held():
        pass
    assert Path("lectern.db-wal").stat().st_size
    run("restore", "copy.db", "--yes")
    assert not Path("lectern.db-wal").exists()
    assert not Path("lectern.db-shm").exists()
    with closing(sqlite3.connect("lectern.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'held'").fetchall()


def test_what_stands_in_the_log_alone_is_in_a_backup(folder: Path) -> None:
    made()
    with held():
        run("backup", "copy.db")
    with closing(sqlite3.connect("copy.db")) as connection:
        assert connection.execute("SELECT word FROM held").fetchall() == [("in the log",)]


def test_it_is_refused_while_another_process_has_the_database_open(folder: Path) -> None:
    made()
    run("backup", "copy.db")
    with held():
        assert "is in use: stop every Lectern" in refused("restore", "copy.db", "--yes")
    assert names() == ["first"]


def test_a_broken_database_is_replaced(folder: Path) -> None:
    made()
    run("backup", "copy.db")
    os.truncate("lectern.db", 5000)
    assert run("restore", "copy.db", "--yes").exit_code == 0
    assert names() == ["first"]


def test_whose_it_was_it_stays(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made()
    run("backup", "copy.db")
    Path("lectern.db").chmod(0o644)
    given = list[tuple[int, int]]()
    monkeypatch.setattr(os, "chown", lambda _path, user, group: given.append((user, group)))
    whose = Path("lectern.db").stat()
    run("restore", "copy.db", "--yes")
    assert given == [(whose.st_uid, whose.st_gid)]
    assert mode("lectern.db") == 0o600


def test_somebody_is_asked_before_a_database_is_lost(folder: Path) -> None:
    made()
    run("backup", "copy.db")
    made("later")
    assert CliRunner().invoke(main, ["restore", "copy.db"], input="n\n").exit_code == 1
    assert names() == ["first", "later"]


def test_what_is_no_backup_changes_nothing(folder: Path) -> None:
    made()
    Path("text.db").write_text("not a database, but long enough to be taken for one at first sight" * 10)
    Path("empty.db").touch()
    shutil.copyfile("lectern.db", "cut.db")
    os.truncate("cut.db", 5000)
    assert refused("restore", "text.db", "--yes").startswith("Nothing was restored: text.db cannot be copied")
    assert refused("restore", "cut.db", "--yes").startswith("Nothing was restored: cut.db cannot be copied")
    assert refused("restore", "empty.db", "--yes") == "empty.db is no database of Lectern's."
    assert refused("restore", "none.db", "--yes") == "There is no file none.db."
    assert refused("restore", "lectern.db", "--yes").endswith("lectern.db is the database itself.")
    assert refused("backup", "lectern.db") == "lectern.db is the database itself."
    assert "cannot be used: No such file or directory" in refused("backup", "no/such/folder/copy.db")
    assert names() == ["first"]


def test_where_there_is_none_no_backup_is_made(folder: Path) -> None:
    assert refused("backup", "copy.db") == "There is no file lectern.db."


def test_postgresql_has_its_own_ways(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LECTERN_DATABASE_URL", "postgresql+psycopg://lectern@127.0.0.1:1/lectern")
    for words in (("backup", "copy.db"), ("restore", "copy.db")):
        assert refused(*words) == "LECTERN_DATABASE_URL is PostgreSQL's: use pg_dump and pg_restore."


def test_who_is_killed_leaves_the_old_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of the copy: an older backup is as it was, and what was begun is taken away."""
    made()
    run("backup", "copy.db")
    made("later")

    def stopped(_descriptor: int) -> None:
        raise SystemExit(143)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", stopped)
        with pytest.raises(SystemExit):
            backups.back_up(Path("lectern.db"), Path("copy.db"))
    assert names("copy.db") == ["first"]
    assert not list(folder.glob(".copy.db.*"))
