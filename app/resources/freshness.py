"""How old what encoders see is: of the resources that somebody has asked for in the last hour."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select
from sqlmodel import Session, SQLModel

from app.db import database_now
from app.resources.mirror import INTEREST
from app.resources.polling import STALE_AFTER

_MIRROR = SQLModel.metadata.tables["mirror"]


@dataclass(frozen=True, slots=True)
class Freshness:
    """`wanted` resources, `stale` ones among them; `oldest` is the age of the oldest copy in seconds, 0 without any.

    `failure` is why most of the stale ones could not be read, "" when that is not known.
    """

    wanted: int
    stale: int
    oldest: float
    failure: str


def freshness(session: Session, now: datetime) -> Freshness:
    asked = _MIRROR.c.asked_at > database_now() - INTEREST
    never_read = and_(_MIRROR.c.as_of.is_(None), _MIRROR.c.failure.is_not(None))
    stale = or_(_MIRROR.c.as_of < now - STALE_AFTER, never_read)
    wanted, oldest = session.execute(select(func.count(), func.min(_MIRROR.c.as_of)).where(asked)).one()
    failures = session.execute(
        select(_MIRROR.c.failure, func.count().label("times"))
        .where(asked, stale)
        .group_by(_MIRROR.c.failure)
        .order_by(func.count().desc(), _MIRROR.c.failure)
    ).all()
    return Freshness(
        wanted,
        sum(row.times for row in failures),
        max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        next((row.failure for row in failures if row.failure), ""),
    )
