"""Sessions that were left out (`on_conflict: skip`) come back when the document is sent again, and their place is free.

A document that was sent before changes nothing. So it must be known at once, from SQL alone, whether it would bring one
back: if so, a chain is begun as for a change, which asks Kaltura.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from app.database.types import utc_now
from app.recordings.changing.placement import resource_of
from app.recordings.document.fields import OnConflict
from app.recordings.models import Recording
from app.resources.conflicts import Booked, known_bookings
from app.resources.mirror.freshness import STALE_AFTER
from app.resources.models import Mirror, Occurrence, OccurrenceStatus


def may_come_back(session: Session, recording: Recording) -> bool:
    """Whether, as far as is known, nothing is in the way any more of a session that was left out."""
    if recording.document.get("on_conflict") != OnConflict.SKIP:
        return False
    mine = (col(Occurrence.booking_id) == recording.id, col(Occurrence.start) > utc_now())
    out = (col(Occurrence.status) == OccurrenceStatus.EXCLUDED, col(Occurrence.in_the_way).is_not(None))
    return any(
        not surely_booked(session, resource_of(recording, one), one.start, one.end, but=[recording.id])
        for one in session.execute(select(Occurrence).where(*mine, *out)).scalars()
    )


def surely_booked(
    session: Session, resource_id: int | None, start: datetime, end: datetime, *, but: Collection[str] = ()
) -> list[Booked]:
    """What is on a resource between two instants, as SQL knows without a doubt; bookings in `but` left out.

    What others have booked counts only while the copy of the resource's schedule is new.
    """
    if resource_id is None:
        return []
    mirror = session.get(Mirror, resource_id)
    is_new = mirror is not None and mirror.as_of is not None and mirror.as_of > utc_now() - STALE_AFTER
    there = known_bookings(session, resource_id, start, end, but=but)
    return [one for one in there if is_new or one.source == "lectern"]
