"""Sessions that were left out (`on_conflict: skip`) come back when the document is sent again, and their place is free.

A document that was sent before changes nothing. So it must be known at once, from SQL alone, whether it would bring one
back: if so, a chain is begun as for a change, which asks Kaltura.
"""

from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from app.database.types import utc_now
from app.recordings.document.fields import OnConflict
from app.recordings.models import Recording
from app.resources.conflicts import find_conflicts, known_bookings
from app.resources.mirror.freshness import STALE_AFTER
from app.resources.models import Mirror, Occurrence, OccurrenceStatus


def may_come_back(session: Session, recording: Recording) -> bool:
    """Whether, as far as is known, nothing is in the way any more of a session that was left out.

    What others have booked is known from the copy of the resource's schedule. One that is old is no reason to wait.
    """
    if recording.document.get("on_conflict") != OnConflict.SKIP:
        return False
    now = utc_now()
    mine = (col(Occurrence.booking_id) == recording.id, col(Occurrence.start) > now)
    out = (col(Occurrence.status) == OccurrenceStatus.EXCLUDED, col(Occurrence.in_the_way).is_not(None))
    return any(
        _is_free(session, recording, one.resource_id if one.placed else recording.resource_id, one, now)
        for one in session.execute(select(Occurrence).where(*mine, *out)).scalars()
    )


def _is_free(session: Session, recording: Recording, resource_id: int | None, one: Occurrence, now: datetime) -> bool:
    if resource_id is None:
        return True
    mirror = session.get(Mirror, resource_id)
    is_new = mirror is not None and mirror.as_of is not None and mirror.as_of > now - STALE_AFTER
    there = known_bookings(session, resource_id, one.start, one.end, but=[recording.id])
    return not find_conflicts([(one.start, one.end)], [other for other in there if is_new or other.source == "lectern"])
