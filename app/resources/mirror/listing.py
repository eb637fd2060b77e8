"""The list of all resources, by which ids and names mean what Kaltura says now.

A device that is replaced under its name, two names that are swapped, a resource that is renamed: no path, document, key
or filter is answered from a row that this list has outdated. What is missing in it is asked for by id before it is
believed to be gone; what stands there and cannot be read stays as it was. A recording with occurrences ahead on a
resource that is gone has drift.
"""

from collections.abc import Mapping
from datetime import datetime

import structlog
from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from app.database.database import Database
from app.database.many_rows import portions
from app.kaltura import types as kaltura
from app.kaltura.calls import PAGE_SIZE
from app.kaltura.client import KalturaClient
from app.resources.lookup import REVISED, as_row, remember
from app.resources.mirror import drift
from app.resources.mirror.compare import DriftKind
from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource
from app.resources.rounds import Busy, NotBelieved, Write

log = structlog.get_logger(__name__)

EVERY = 60.0  # seconds

_THERE = select(col(Resource.id)).where(col(Resource.gone_since).is_(None))
_LOST = (
    select(col(Occurrence.resource_id), col(Occurrence.booking_id))
    .distinct()
    .join(Resource, col(Resource.id) == col(Occurrence.resource_id))
    .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
    .where(
        col(Resource.gone_since).is_not(None),
        col(Booking.source) == "lectern",
        col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
        col(Occurrence.end) > bindparam("now"),
    )
)


def read(database: Database, client: KalturaClient, busy: Busy, now: datetime) -> Write:
    """Asks Kaltura for all resources, and returns what writes them.

    Raises KalturaError; NotBelieved if SQL has some and Kaltura lists none.
    """
    with database.read() as session:
        before = set(session.execute(_THERE).scalars())
    listed = client.list_resources(lenient=True)
    theirs, odd = {resource.id: resource for resource in listed}, list(listed.odd)
    if before and not theirs:
        raise NotBelieved(f"Kaltura lists no resource, and had {len(before)}")
    missing = sorted(before - theirs.keys() - {one.id for one in odd})
    for some in portions(missing, PAGE_SIZE):
        found = client.list_resources(ids=some, lenient=True)
        theirs |= {resource.id: resource for resource in found}
        odd += found.odd
    gone = before - theirs.keys() - {one.id for one in odd}
    if odd:
        log.warning("resources_unreadable", count=len(odd), reason=odd[0].why)
    if any(one.id is None for one in odd):  # it may be any of those that are missing
        gone = set()

    def write(session: Session) -> None:
        _revise(session, theirs, gone, now)
        lost = dict.fromkeys((row.resource_id, row.booking_id) for row in session.execute(_LOST, {"now": now}))
        drift.write_whole(session, DriftKind.RESOURCE_GONE, lost, busy, now)

    return write


def _revise(session: Session, theirs: Mapping[int, kaltura.Resource], gone: set[int], now: datetime) -> None:
    """`gone` were there before they were asked for: what somebody has made since is in neither."""
    known = {row.id: row for row in session.execute(select(Resource).order_by(col(Resource.id))).scalars()}
    new = [as_row(resource) for number, resource in theirs.items() if number not in known]
    if new:
        remember(session, new)
    for number, row in known.items():
        if number in gone:
            row.gone_since = row.gone_since or now
        elif number in theirs:
            row.gone_since = None
            for name in REVISED:
                setattr(row, name, getattr(theirs[number], name))
    session.flush()
