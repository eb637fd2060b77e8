"""Sessions that were left out because something was in their way come back when somebody asks for that, and their
place is free.

A document that was sent before changes nothing. So it must be known at once, from SQL alone, whether it would bring one
back: if so, a chain is begun as for a change, which asks Kaltura.

`on_conflict: skip` leaves out whatever is met. With `reject` a document gets all of its sessions, or is refused. But
what a calendar lets come back, nobody has asked for just now, and a change is not refused for it: `may_stay_out`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.database.types import utc_now
from app.recordings.changing.difference import SCHEDULED, Row, Target, slot_of
from app.recordings.changing.placement import resource_of
from app.recordings.document.campus import Campus
from app.recordings.document.document import RecordingDocument
from app.recordings.document.fields import OnConflict
from app.recordings.models import Recording
from app.resources.conflicts import Booked, known_bookings
from app.resources.mirror.freshness import STALE_AFTER
from app.resources.models import Mirror, Occurrence, OccurrenceStatus


def may_come_back(session: Session, recording: Recording) -> bool:
    """Whether, as far as is known, nothing is in the way any more of a session that was left out."""
    mine = (col(Occurrence.booking_id) == recording.id, col(Occurrence.start) > utc_now())
    out = (col(Occurrence.status) == OccurrenceStatus.EXCLUDED, col(Occurrence.in_the_way).is_not(None))
    return any(
        not surely_booked(session, resource_of(recording, one), one.start, one.end, but=[recording.id])
        for one in session.execute(select(Occurrence).where(*mine, *out)).scalars()
    )


def may_stay_out(recording: Recording, change: Mapping[str, Any], rows: Sequence[Row], target: Target) -> set[str]:
    """The sessions that are to be held and are not yet, though the document that the recording has already wants them:
    their ids. They were left out before, or its calendars let them come back, or put them elsewhere."""
    known = set(rows)
    new = [row for row in target.rows if row.status == SCHEDULED and not row.moved and row not in known]
    if "document" not in change or not new:
        return set()
    before, wanted = map(RecordingDocument.model_validate, (recording.document, change["document"]))
    if wanted.on_conflict == OnConflict.ALLOW:
        return set()
    if before.on_conflict == OnConflict.SKIP and wanted.on_conflict == OnConflict.REJECT:
        return set()  # who takes that back asks for all of them
    out = {row.slot for row in rows if row.left_out}
    if before.calendars and before.calendars == wanted.calendars:
        campus = Campus.read(change.get("campus"))
        asked = {slot_of(one): one for one in campus.on(before.schedule(recording.time_zone)).wanted}
        held = {row.slot: (row.start, row.end) for row in rows if row.status == SCHEDULED}
        out |= {slot for slot, one in asked.items() if held.get(slot) != (one.start, one.end)}
    return {row.id for row in new if row.slot in out}


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
