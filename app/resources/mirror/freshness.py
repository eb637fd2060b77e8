"""How old what encoders see is, and may be: of the resources that somebody has asked for in the last hour.

A copy is stale when a look at Kaltura has failed for ten minutes, or is overdue by the interval that the budget of
refreshes allows. The budget itself makes nothing stale: of many resources each is looked at less often.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlmodel import Session, SQLModel

from app.database.types import database_now
from app.resources.mirror.refresh import EVERY, INTEREST, Budget

STALE_AFTER = timedelta(minutes=10)
MOST = 3  # resources in trouble that are named

_MIRROR = SQLModel.metadata.tables["mirror"]
ASKED = _MIRROR.c.asked_at > database_now() - INTEREST
WANTED = select(func.count()).where(ASKED)


@dataclass(frozen=True, slots=True)
class Freshness:
    """`wanted` resources, `stale` ones among them; `oldest` is the age of the oldest copy in seconds, 0 without any.

    `failure` is why most of the stale ones could not be read, "" when that is not known. Each is looked at `every` so
    many seconds. `troubled` ones have something that a person should look at: `troubles` says what, of the first few.
    """

    wanted: int
    stale: int
    oldest: float
    failure: str
    every: float = EVERY
    troubled: int = 0
    troubles: tuple[tuple[int, str], ...] = ()


def interval(wanted: int, per_second: float) -> float:
    """Seconds between two looks at a resource, when `wanted` resources are asked for."""
    return max(EVERY, wanted / Budget(per_second).rate)


def longest(wanted: int, per_second: float) -> timedelta:
    """The age at which a copy is stale though no look has failed, when `wanted` resources are asked for."""
    return max(STALE_AFTER, timedelta(seconds=2 * interval(wanted, per_second)))


def freshness(session: Session, now: datetime, per_second: float) -> Freshness:
    """`per_second`: refreshes of all processes together, at most."""
    wanted, oldest = session.execute(select(func.count(), func.min(_MIRROR.c.as_of)).where(ASKED)).one()
    failed, as_of = _MIRROR.c.failure.is_not(None), _MIRROR.c.as_of
    stale = or_(
        and_(failed, or_(as_of.is_(None), as_of < now - STALE_AFTER)), as_of < now - longest(wanted, per_second)
    )
    failures = session.execute(
        select(_MIRROR.c.failure, func.count().label("times"))
        .where(ASKED, stale)
        .group_by(_MIRROR.c.failure)
        .order_by(func.count().desc(), _MIRROR.c.failure)
    ).all()
    troubled = (ASKED, _MIRROR.c.trouble.is_not(None))
    troubles = select(_MIRROR.c.resource_id, _MIRROR.c.trouble).where(*troubled).order_by(_MIRROR.c.resource_id)
    return Freshness(
        wanted,
        sum(row.times for row in failures),
        max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        next((row.failure for row in failures if row.failure), ""),
        interval(wanted, per_second),
        session.execute(select(func.count()).where(*troubled)).scalar_one(),
        tuple((number, what) for number, what in session.execute(troubles.limit(MOST))),
    )
