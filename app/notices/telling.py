"""How a notice comes to be. Whoever makes something true tells it, in the same transaction.

tell(session, "finding.raised", "registrar", "encoder_silent:562931", {"kind": "encoder_silent", …})
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, insert
from sqlmodel import Session, SQLModel

from app.database.counters import count
from app.database.types import database_now, new_id
from app.notices.models import NoticeKind

NOTICES = "notice"  # what they are counted under

# Built once: building a statement costs more than running it.
_NOTICE = SQLModel.metadata.tables["notice"]
_GIVEN = ("number", "id", "kind", "client", "subject", "data")
_TELL = insert(_NOTICE).values({name: bindparam(name) for name in _GIVEN} | {"told_at": database_now()})


def tell(session: Session, kind: str, client: str | None, subject: str, data: Mapping[str, Any]) -> None:
    """Writes a notice of this `kind` (app/notices/models.py) for `client`; None: for those alone who see all.

    `subject` names what it is about: notices of one subject reach everybody in order. `data` is what whoever is told
    gets to see of it: JSON, small, and nothing of another client's.

    To be called last in a transaction. Who has counted holds the counter until it ends, and everybody else who has
    something to tell waits for that: who then waited for a row of theirs would wait for ever.
    Raises ValueError for an unknown kind.
    """
    values = {"number": count(session, NOTICES), "id": new_id("ntc"), "kind": NoticeKind(kind).value}
    session.connection().execute(_TELL, {**values, "client": client, "subject": subject, "data": dict(data)})
