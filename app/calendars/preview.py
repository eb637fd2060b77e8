"""What a calendar would come to, recording by recording. Changes nothing."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from app.calendars.days import Said
from app.calendars.keeping import ignored, warnings, with_emptied
from app.calendars.schemas import CalendarPreview, DayView, SessionView, TouchedView
from app.recordings.changing.decide import aim, events_of, rows_of
from app.recordings.changing.difference import SCHEDULED, Row, slot_of
from app.recordings.document.campus import Campus, CampusDay, look_up
from app.recordings.document.document import RecordingDocument
from app.recordings.document.fields import OnConflict
from app.recordings.models import Calendar, Recording, RecordingCalendar, RecordingStatus
from app.recordings.reading.views import RoomView
from app.recordings.whose import discreet
from app.recurrence.occurrences import zone
from app.recurrence.server import STEADY
from app.resources.conflicts import first_conflicts, in_the_way, known_bookings
from app.resources.models import Resource

FOLLOWING = (RecordingStatus.SCHEDULED, RecordingStatus.STUCK, RecordingStatus.SCHEDULING)


def preview(session: Session, owns: Callable[[str], bool], name: str, said: Said, now: datetime) -> CalendarPreview:
    """What the calendar `name` would drop and restore, did it say this."""
    statement = (
        select(Recording, Resource)
        .join(RecordingCalendar, col(RecordingCalendar.recording_id) == col(Recording.id))
        .outerjoin(Resource, col(Resource.id) == col(Recording.resource_id))
        .where(col(RecordingCalendar.calendar) == name, col(Recording.status).in_(FOLLOWING))
        .order_by(col(Recording.first_start), col(Recording.id))
    )
    days = tuple(CampusDay(name, day.first, day.last, day.name, day.meets_as) for day in said.days)
    found = session.execute(statement).all()
    touched = [
        one for recording, resource in found if (one := _touched(session, recording, resource, name, days, now, owns))
    ]
    return CalendarPreview(
        recordings=len(found),
        touched=len(touched),
        dropped=sum(len(one.dropped) for one in touched),
        restored=sum(len(one.restored) for one in touched),
        items=touched,
        days=[DayView(name=day.name, first=day.first, last=day.last, meets_as=day.meets_as) for day in said.days],
        ignored=ignored(said.ignored),
        warnings=warnings(with_emptied(session.get(Calendar, name), said).warnings),
    )


def _touched(
    session: Session,
    recording: Recording,
    resource: Resource | None,
    name: str,
    days: tuple[CampusDay, ...],
    now: datetime,
    owns: Callable[[str], bool],
) -> TouchedView | None:
    document, told = RecordingDocument.model_validate(recording.document), owns(recording.client)
    others = look_up(session, [other for other in document.calendars if other != name])
    campus = Campus({}, (*others.days, *days)).within(document, recording.time_zone)
    change = {"document": recording.document, "zone": recording.time_zone, "campus": campus.as_json()}
    rows = {row.id: row for row in rows_of(session, recording.id, events_of(session, recording.id))}
    target = aim(change, list(rows.values()), now, STEADY, same_resource=True)
    after = {row.id: row for row in target.rows}
    gone = [rows[one] for one in target.dropped if rows[one].status == SCHEDULED]
    gone += [rows[one] for one, row in after.items() if one in rows and _is_held(rows[one]) and not _is_held(row)]
    back = [
        row
        for one, row in after.items()
        if _is_held(row) and not (one in rows and (_is_held(rows[one]) or rows[one].left_out))
    ]
    if not gone and not back:
        return None
    back.sort(key=_by_start)
    taken = _in_their_way(session, owns, recording, back) if document.on_conflict != OnConflict.ALLOW else {}
    why = {
        slot_of(one): one.excluded_by.reason
        for one in campus.on(document.schedule(recording.time_zone)).occurrences
        if one.excluded_by is not None
    }
    return TouchedView(
        recording_id=recording.id if told else None,
        reference_id=recording.reference_id if told else None,
        title=recording.document["title"] if told else None,
        resource=RoomView(
            id=recording.resource_id,
            system_name=resource.system_name if resource else None,
            name=resource.name if resource else None,
        ),
        dropped=[_shown(row, why.get(row.slot) if row.slot else None) for row in sorted(gone, key=_by_start)],
        restored=[_shown(row, taken.get(row.id)) for row in back],
    )


def _in_their_way(
    session: Session, owns: Callable[[str], bool], recording: Recording, back: Sequence[Row]
) -> dict[str, str]:
    """What is in the way of sessions that would come back, by start, as far as SQL knows: they stay out, whatever is
    said. By their ids."""
    places, found = defaultdict[int, list[Row]](list), dict[str, dict[str, Any]]()
    for row in back:
        if (resource_id := row.own_resource or recording.resource_id) is not None:
            places[resource_id].append(row)
    for resource_id, here in places.items():
        during = here[0].start, max(row.end for row in here)
        known = known_bookings(session, resource_id, *during, but=[recording.id])
        met = first_conflicts([(row.start, row.end) for row in here], known)
        found |= {here[place].id: pair for place, pair in met.items()}
    told = discreet(session, owns, list(found.values()))
    return {one: in_the_way(pair, zone(recording.time_zone)) for one, pair in zip(found, told, strict=True)}


def _is_held(row: Row) -> bool:
    return row.status == SCHEDULED


def _by_start(row: Row) -> datetime:
    return row.start


def _shown(row: Row, reason: str | None) -> SessionView:
    return SessionView(start=row.start, end=row.end, reason=reason)
