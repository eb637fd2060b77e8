"""What one process of several does from time to time: whoever moves the row's time on first does it."""

from sqlalchemy import Executable
from sqlmodel import SQLModel

from app.database.database import Database
from app.database.types import database_now, insert

_UPKEEP = SQLModel.metadata.tables["upkeep"]


def claim(database: Database, name: str, seconds: float) -> Executable:
    """A statement that gives a row to one process, and to nobody else for so many seconds."""
    until, is_due = database_now() + seconds, _UPKEEP.c.due_at <= database_now()
    new = insert(database.kind, _UPKEEP).values(name=name, due_at=until)
    claimed = new.on_conflict_do_update(index_elements=["name"], set_={"due_at": until}, where=is_due)
    return claimed.returning(_UPKEEP.c.name)
