"""A chain of somebody else that is in trouble, and has a resource meanwhile."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import delete
from sqlmodel import col

from app.chains.models import Chain, ChainStatus, Lane
from app.database.database import Database
from app.recordings.scheduling.lanes import resource_lane

THEIRS = "chn_theirs"


@contextmanager
def first_in_line(database: Database, resource_id: int, status: ChainStatus = ChainStatus.WAITING) -> Iterator[None]:
    """It is tried again in an hour; whoever comes to that resource meanwhile stands in line behind it."""
    with database.write() as session:
        theirs = Chain(id=THEIRS, subject="theirs", number=1, operation="schedule", input={})
        theirs.status, theirs.next_attempt_at = status, time.time() + 3600
        session.add(theirs)
        session.flush()
        session.add(Lane(key=resource_lane(resource_id), chain_id=THEIRS, place=1))
    yield
    with database.write() as session:
        session.execute(delete(Lane).where(col(Lane.chain_id) == THEIRS))
        session.execute(delete(Chain).where(col(Chain.id) == THEIRS))
