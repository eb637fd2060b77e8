"""Errors of the database in words for whoever runs it."""

import sqlite3

from sqlalchemy.exc import ArgumentError, ProgrammingError, SQLAlchemyError

FULL, READ_ONLY = "its disk is full", "it can only be read"
_SQLITE = {sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_READONLY: READ_ONLY}
_POSTGRESQL = {"53100": FULL, "25006": READ_ONLY}

BROKEN = (
    "its file is broken, or none of SQLite's",
    "Check LECTERN_DATABASE_URL. If it names the right file, restore a backup: docs/operating.md.",
)
_FILE = {
    sqlite3.SQLITE_CANTOPEN: (
        "its file cannot be opened",
        "Its folder must be there, on a file system that is not read-only, and this user be allowed to write in it: "
        "SQLite makes two more files there.",
    ),
    sqlite3.SQLITE_IOERR: (
        "its file cannot be read or written",
        "See whether its disk is full, at a quota, broken or gone: the system's log says more.",
    ),
    sqlite3.SQLITE_PERM: ("its file cannot be opened", "Give this user the right to write it."),
    sqlite3.SQLITE_BUSY: ("another process holds it", "Try again, or look which one uses its file."),
    sqlite3.SQLITE_CORRUPT: BROKEN,
    sqlite3.SQLITE_NOTADB: BROKEN,
}
"""SQLite's errors that are about the file: what is wrong, and what to do."""

ADDRESS = "Check LECTERN_DATABASE_URL."


def unwritable(error: SQLAlchemyError) -> str:
    """Why nothing can be written, as a clause; empty if something else is wrong."""
    said = getattr(error, "orig", None)
    if isinstance(said, sqlite3.Error):
        return _SQLITE.get(_code(said), "")
    return _POSTGRESQL.get(getattr(said, "sqlstate", None) or "", "")


def in_short(error: SQLAlchemyError) -> str:
    """What is wrong, as a clause that a stranger may read, or else the error's name."""
    driver = getattr(error, "orig", None)
    file, _ = _FILE.get(_code(driver), ("", "")) if isinstance(driver, sqlite3.Error) else ("", "")
    return unwritable(error) or file or type(driver or error).__name__


def wrong(error: SQLAlchemyError) -> tuple[str, str]:
    """What is wrong, as a clause, and what to do, as a sentence. It holds no value of a row, and no secret.

    What the driver says is told, but for what it says of the options in the address: what it takes for an option may
    be a part of a password that was not escaped.
    """
    if why := unwritable(error):
        return f"the database cannot be written: {why}", "Make room, or the right to write, where it is kept."
    driver = getattr(error, "orig", None)
    said = str(driver or error).partition("\n")[0]
    if isinstance(driver, sqlite3.Error):
        why, todo = _FILE.get(_code(driver), ("it does not do what it is asked", ADDRESS))
        return f"the database cannot be used: {why} ({said})", todo
    if isinstance(error, ArgumentError) or (isinstance(error, ProgrammingError) and driver and not driver.sqlstate):
        return "LECTERN_DATABASE_URL has an option that cannot be used", "See PostgreSQL's connection parameters."
    return f"the database does not do what it is asked ({said})", f"{ADDRESS[:-1]}, and that the database runs."


def refuses(error: SQLAlchemyError) -> str:
    """The sentences with which a command ends."""
    what, todo = wrong(error)
    return f"{what[0].upper()}{what[1:]}. {todo}"


def _code(said: sqlite3.Error) -> int:
    """The kind of error, without what SQLite says more exactly of it."""
    return getattr(said, "sqlite_errorcode", 0) & 0xFF
