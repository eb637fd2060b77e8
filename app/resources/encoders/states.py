"""What encoders say of themselves."""

from sqlalchemy import case
from sqlmodel import SQLModel

from app.database.database import Database
from app.database.types import KINDS, insert, utc_now
from app.resources.encoders.signs import Signs
from app.resources.models import Encoder
from app.resources.schemas import EncoderSaid, EncoderView

_ENCODER = SQLModel.metadata.tables["encoder"]
_NEW = {}
for _kind in KINDS:
    _said = insert(_kind, _ENCODER)
    _again = {name: _said.excluded[name] for name in ("state", "detail", "occurrence_id", "said_at")}
    _lasts = case((_ENCODER.c.state == _said.excluded.state, _ENCODER.c.since), else_=_said.excluded.since)
    _NEW[_kind] = _said.on_conflict_do_update(index_elements=["resource_id"], set_=_again | {"since": _lasts})


def say(database: Database, signs: Signs, resource_id: int, said: EncoderSaid) -> EncoderView:
    """Instead of what it said before."""
    now = utc_now()
    values = {
        "resource_id": resource_id,
        "state": said.state,
        "detail": said.detail,
        "said_at": now,
        "since": now,
        "occurrence_id": said.occurrence,
    }
    with database.write() as session:
        session.connection().execute(_NEW[database.kind], values)
        return shown(session.get_one(Encoder, resource_id), signs)


def shown(row: Encoder, signs: Signs) -> EncoderView:
    return EncoderView(
        state=row.state,
        detail=row.detail,
        last_poll_at=signs.latest(row.resource_id, row.polled_at),
        said_at=row.said_at,
    )
