"""Signs of life: a poll is noted in memory, and all that were noted are written once a minute, in one statement.

    poll ──▶ memory of the process ──── every WRITE_EVERY ───▶ encoder.polled_at
                                                         └──▶ listening: somebody has been there to be polled

What is not yet written is lost with a process that is killed; the encoder polls again within a minute. Nobody polled
later than now: a clock that was ahead for a while hides no silence.
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import (
    BigInteger,
    Float,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, SQLModel

from app.access.keys import LOCAL, Client
from app.database.database import Database
from app.database.types import insert, milliseconds
from app.resources.models import Listening

log = structlog.get_logger(__name__)

WRITE_EVERY = 60.0  # seconds
GAP = timedelta(minutes=3)  # without a write: nobody was there, as while the service was stopped

_ENCODER, _LISTENING = (SQLModel.metadata.tables[name] for name in ("encoder", "listening"))
_NOT_LATER = update(_ENCODER).where(_ENCODER.c.polled_at > bindparam("ahead")).values(polled_at=bindparam("now"))
# One value holds all rows, `{"<resource_id>": <milliseconds since 1970>, …}`: ten thousand parameters, or times that
# are put into words here, cost more than the rows do. SQLite keeps times as a text with microseconds.
_ROWS = bindparam("rows", type_=Text)
_EACH = func.json_each(_ROWS).table_valued("key", "value")
_FROM_SQLITE = select(
    cast(_EACH.c.key, BigInteger),
    func.strftime("%Y-%m-%d %H:%M:%f", _EACH.c.value / 1000.0, "unixepoch").op("||")("000"),
).where(true())
_TEXTS = func.json_each_text(cast(_ROWS, postgresql.JSON)).table_valued("key", "value")
_FROM_POSTGRESQL = select(cast(_TEXTS.c.key, BigInteger), func.to_timestamp(cast(_TEXTS.c.value, Float(53)) / 1000))


class Signs:
    """One a process. The event loop notes, another thread writes."""

    def __init__(self, database: Database, clock: Callable[[], int] = milliseconds) -> None:
        self._database = database
        self._clock = clock
        self._polled: dict[int, int] = {}  # when each did, since it was last written
        self._write_at = 0.0  # by this machine's own seconds
        rows = _FROM_SQLITE if database.is_sqlite else _FROM_POSTGRESQL
        polled = insert(database.kind, _ENCODER).from_select(["resource_id", "polled_at"], rows)
        later = or_(_ENCODER.c.polled_at.is_(None), _ENCODER.c.polled_at < polled.excluded.polled_at)
        self._write = polled.on_conflict_do_update(
            index_elements=["resource_id"], set_={"polled_at": polled.excluded.polled_at}, where=later
        )
        there = insert(database.kind, _LISTENING).values(id=1, since=bindparam("now"), until=bindparam("now"))
        gone_on = and_(_LISTENING.c.until >= bindparam("alive"), _LISTENING.c.since <= bindparam("ahead"))
        self._listen = there.on_conflict_do_update(
            index_elements=["id"],
            set_={"since": case((gone_on, _LISTENING.c.since), else_=there.excluded.since), "until": bindparam("now")},
        )

    def poll(self, client: Client, resource_id: int) -> None:
        """Somebody has asked what this resource has to record: its encoder, if the key is for some resources alone.

        Of an open service whoever asks is.
        """
        if client.resources is not None or client is LOCAL:
            self._polled[resource_id] = self._clock()

    def latest(self, resource_id: int, written: datetime | None) -> datetime | None:
        """When its encoder last polled: as it is written, or later, as it is known here."""
        noted = self._polled.get(resource_id)
        if noted is None:
            return written
        return max(_instant(noted), written) if written else _instant(noted)

    def write_if_due(self) -> None:
        if time.monotonic() >= self._write_at:
            self.write()

    def write(self) -> None:
        """Of what cannot be written nothing is forgotten."""
        polled, self._polled = self._polled, {}
        now = _instant(self._clock())
        try:
            with self._database.transaction() as connection:
                connection.execute(self._listen, {"now": now, "alive": now - GAP, "ahead": now + GAP})
                connection.execute(_NOT_LATER, {"now": now, "ahead": now + GAP})
                if polled:  # sorted: processes that write at once lock their rows in one order
                    connection.execute(self._write, {"rows": json.dumps(polled, sort_keys=True)})
        except SQLAlchemyError as error:
            self._polled = polled | self._polled
            log.warning("polls_not_written", kind=type(error).__name__)
        else:
            self._write_at = time.monotonic() + WRITE_EVERY


def _instant(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def listening_since(session: Session, now: datetime) -> datetime | None:
    """Since when somebody has been there to be polled, without a gap; None while that is not known."""
    row = session.execute(select(Listening)).scalars().one_or_none()
    return row.since if row and row.until >= now - GAP else None
