"""Resources that are to be read again, and at once: what SQL has of them is older than what a chain has met."""

from collections.abc import Collection

from sqlalchemy import Select, case, update
from sqlmodel import Session, SQLModel

from app.database.types import database_now
from app.resources.models import URGENT

_MIRROR = SQLModel.metadata.tables["mirror"]
_AT_ONCE = database_now() - URGENT


def read_again(session: Session, resource_ids: Collection[int] | Select[tuple[int]]) -> None:
    session.connection().execute(
        update(_MIRROR)
        .where(_MIRROR.c.resource_id.in_(resource_ids))
        .values(
            version=_MIRROR.c.version + 1,  # a refresh that has read Kaltura already is thrown away by it
            changed_at=database_now(),
            due_at=case((_MIRROR.c.due_at < _AT_ONCE, _MIRROR.c.due_at), else_=_AT_ONCE),
        )
    )
