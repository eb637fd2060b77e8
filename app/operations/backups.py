"""Backups of SQLite's file: made while the service runs, and put back while it does not.

SQLite itself writes the copy, so that what is still in the file's write-ahead log is in it, and what is broken is
noticed. The copy stands beside the file that it is to replace, and is renamed when it is whole and on disk: whoever is
killed on the way leaves the old file as it was.
"""

import fcntl
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BESIDE = ("-wal", "-shm", "-journal")  # what SQLite keeps of a file beside it, and would put into any that has its name
LOCKED = 510, 0x4000_0002  # how many bytes whoever has the file open holds a lock on, and from which on: SQLite's os.h


def back_up(database: Path, to: Path) -> None:
    """Writes a copy to `to`, over an older one, readable for its owner alone. Raises ValueError, OSError."""
    _ensure_two(database, to)
    with _copy(database, to, "No backup was made") as copy:
        copy.replace(to)
    _keep_names(to.parent)


def restore(database: Path, backup: Path) -> None:
    """Puts the backup where the database is, or was, with the same owner. Raises ValueError, OSError.

    It is refused while another process has the database open. This one must not: closing a file frees its locks.
    """
    database = database.resolve()
    _ensure_two(backup, database)
    with _copy(backup, database, "Nothing was restored") as copy:
        _ensure_lecterns(copy, backup)
        whose = (database if database.exists() else database.parent).stat()
        os.chown(copy, whose.st_uid, whose.st_gid)
        with _alone(database):
            for end in BESIDE:  # first: with what is new they would make a broken one
                database.with_name(database.name + end).unlink(missing_ok=True)
            copy.replace(database)
    _keep_names(database.parent)


def _ensure_two(source: Path, to: Path) -> None:
    if not source.is_file():
        raise ValueError(f"There is no file {source}.")
    if to.exists() and to.samefile(source):
        raise ValueError(f"{to} is the database itself.")


@contextmanager
def _copy(source: Path, to: Path, otherwise: str) -> Iterator[Path]:
    """The source as a new file beside `to`, on disk; gone afterwards, unless it was renamed."""
    descriptor, name = tempfile.mkstemp(prefix=f".{to.name}.", dir=to.parent)  # with mode 0600
    copy = Path(name)
    try:
        with closing(_opened(source)) as connection:
            connection.execute("VACUUM INTO ?", [name])
        os.fsync(descriptor)
        yield copy
    except sqlite3.Error as error:
        raise ValueError(f"{otherwise}: {source} cannot be copied to {to.parent} ({error}).") from None
    finally:
        os.close(descriptor)
        copy.unlink(missing_ok=True)


def _opened(file: Path) -> sqlite3.Connection:
    """`rw`: what is not there is not made, and what a process that was killed has left in the log is read."""
    return sqlite3.connect(f"{file.resolve().as_uri()}?mode=rw", uri=True, isolation_level=None)


def _ensure_lecterns(copy: Path, backup: Path) -> None:
    with closing(_opened(copy)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            raise ValueError(f"{backup} is no database of Lectern's.")


@contextmanager
def _alone(database: Path) -> Iterator[None]:
    """Nobody else has the file open, or opens it meanwhile. Raises ValueError."""
    if not database.exists():
        yield
        return
    with database.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, *LOCKED)
        except (BlockingIOError, PermissionError):
            raise ValueError(f"{database} is in use: stop every Lectern that runs on it first.") from None
        yield


def _keep_names(folder: Path) -> None:
    """A file's new name is on disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
