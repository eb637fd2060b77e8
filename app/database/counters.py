"""Numbers that the database counts on, each under its name: what got a higher one came later, whatever clocks say.

Who has counted holds that counter to the end of its transaction, so nobody sees a number before all lower ones.
"""

from sqlalchemy import BigInteger, Column, bindparam, select
from sqlmodel import Field, Session, SQLModel

from app.database.database import Database
from app.database.types import KINDS, insert

WRITTEN = "written"


class Counter(SQLModel, table=True):
    name: str = Field(primary_key=True)
    value: int = Field(sa_column=Column(BigInteger, nullable=False))


# Built once: building a statement costs more than running it.
_COUNTER = SQLModel.metadata.tables["counter"]
_LAST = select(_COUNTER.c.value).where(_COUNTER.c.name == bindparam("of"))
_NEXT = {
    kind: insert(kind, _COUNTER)
    .values(name=bindparam("of"), value=1)
    .on_conflict_do_update(index_elements=["name"], set_={"value": _COUNTER.c.value + 1})
    .returning(_COUNTER.c.value)
    for kind in KINDS
}


def count(session: Session, name: str) -> int:
    """Counts: the next number, from 1. The counter is locked until the transaction ends."""
    connection = session.connection()
    found: int = connection.execute(_NEXT[connection.dialect.name], {"of": name}).scalar_one()
    return found


def last(session: Session, name: str) -> int:
    """The latest number, 0 if there was none."""
    return session.connection().execute(_LAST, {"of": name}).scalar_one_or_none() or 0


def write(database: Database) -> None:
    """Tries whether the database can be written. Raises SQLAlchemyError if not, as on a full disk."""
    with database.write() as session:
        count(session, WRITTEN)
