"""Errors of the database in words for whoever runs it."""

import sqlite3

from sqlalchemy.exc import SQLAlchemyError

FULL, READ_ONLY = "its disk is full", "it can only be read"
_SQLITE = {sqlite3.SQLITE_FULL: FULL, sqlite3.SQLITE_READONLY: READ_ONLY}
_POSTGRESQL = {"53100": FULL, "25006": READ_ONLY}


def unwritable(error: SQLAlchemyError) -> str:
    """Why nothing can be written, as a clause; empty if something else is wrong."""
    said = getattr(error, "orig", None)
    if isinstance(said, sqlite3.Error):
        return _SQLITE.get(getattr(said, "sqlite_errorcode", 0) & 0xFF, "")
    return _POSTGRESQL.get(getattr(said, "sqlstate", None) or "", "")


def refuses(error: SQLAlchemyError) -> str:
    """The sentence with which a command ends."""
    if why := unwritable(error):
        return f"The database cannot be written: {why}. Make room, or the right to write, where it is kept."
    said = str(getattr(error, "orig", None) or error).partition("\n")[0]  # names the server, and no value of a row
    return (
        f"The database does not do what it is asked ({said}). Check LECTERN_DATABASE_URL, and that the database runs."
    )
