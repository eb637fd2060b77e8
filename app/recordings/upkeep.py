"""What one process of several does from time to time: whoever moves the row's time on first does it."""

from sqlalchemy import Executable
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

from app.database.database import Database
from app.database.types import database_now

_UPKEEP = SQLModel.metadata.tables["upkeep"]


def claim(database: Database, name: str, seconds: float) -> Executable:
    """A statement that gives a row to one process, and to nobody else for so many seconds."""
    dialect, until = sqlite if database.is_sqlite else postgresql, database_now() + seconds
    new = dialect.insert(_UPKEEP).values(name=name, due_at=until)
    is_due = _UPKEEP.c.due_at <= database_now()
    claimed: Executable = new.on_conflict_do_update(
        index_elements=["name"], set_={"due_at": until}, where=is_due
    ).returning(_UPKEEP.c.name)
    return claimed
