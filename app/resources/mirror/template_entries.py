"""Template entries that recordings still need, and that somebody has deleted in Kaltura.

One list asks for many. It is the search engine's, which may never have heard of an entry that is there; so what it
leaves out is asked for by its id, a few in each round, and is gone only if Kaltura's database says so, too.
"""

import random
from datetime import datetime

from sqlalchemy import bindparam, func, select
from sqlmodel import Session, col

from app.database.database import Database
from app.database.many_rows import portions
from app.kaltura.calls import PAGE_SIZE
from app.kaltura.client import KalturaClient
from app.resources.mirror import drift
from app.resources.mirror.compare import DriftKind
from app.resources.models import Booking, Drift, Occurrence, OccurrenceStatus
from app.resources.rounds import Busy, Write

EVERY = 120.0  # seconds
ASKED_FOR = 50  # of those that are missing in the list, in one round

_AHEAD = (
    select(func.min(col(Occurrence.resource_id)))
    .where(
        col(Occurrence.booking_id) == col(Booking.id),
        col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
        col(Occurrence.end) > bindparam("now"),
    )
    .correlate(Booking)
    .scalar_subquery()
)
_NEEDED = select(col(Booking.id), col(Booking.template_entry_id), _AHEAD.label("resource_id")).where(
    col(Booking.source) == "lectern", col(Booking.template_entry_id).is_not(None), _AHEAD.is_not(None)
)
_GONE = select(col(Drift.template_entry_id)).where(col(Drift.kind) == DriftKind.TEMPLATE_ENTRY_GONE)


def read(database: Database, client: KalturaClient, busy: Busy, now: datetime) -> Write:
    """Asks Kaltura for the entries of all recordings that have occurrences ahead. Returns what writes their drift.

    Raises KalturaError.
    """
    with database.read() as session:
        needed = {row.template_entry_id for row in session.execute(_NEEDED, {"now": now})}
        gone = needed.intersection(session.execute(_GONE).scalars())  # they do not come back
    asked = sorted(needed - gone)
    there = set[str]()
    for some in portions(asked, PAGE_SIZE):
        there.update(entry.id for entry in client.list_entries(some))
    missing = [entry_id for entry_id in asked if entry_id not in there]
    sample = random.sample(missing, min(ASKED_FOR, len(missing)))  # so that each has its turn
    gone |= {entry_id for entry_id in sample if client.get_entry(entry_id) is None}

    def write(session: Session) -> None:
        found = {
            (row.resource_id, row.id): row.template_entry_id
            for row in session.execute(_NEEDED, {"now": now})
            if row.template_entry_id in gone
        }
        drift.write_whole(session, DriftKind.TEMPLATE_ENTRY_GONE, found, busy, now)

    return write
