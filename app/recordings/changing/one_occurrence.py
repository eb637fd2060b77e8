"""One occurrence of a recording: moved, cancelled or restored, by a chain of its recording."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session, col

from app.chains.store import Store
from app.database.types import utc_now
from app.http.errors import NotChangeable, NotFound, OccurrenceOver
from app.http.fields import In
from app.http.times import LocalTime
from app.recordings.changing.placement import another_resource, is_gone, resource_of
from app.recordings.changing.requests import (
    CANCELLED,
    SCHEDULED,
    already_done,
    common_input,
    ensure_at_rest,
    ensure_changeable,
    hide_from_encoders,
    start_chain,
)
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import words
from app.recordings.document.fields import Resource
from app.recordings.models import Recording, RecordingStatus
from app.recordings.scheduling.accept import Accepted
from app.recurrence.occurrences import place, zone
from app.resources.models import Occurrence


class OccurrenceChange(In):
    """What is to become of one session: another time, length or resource. What is left out stays as it is."""

    start: LocalTime | None = Field(
        None,
        description="When it begins: wall-clock time in the recording's zone, or a time with an offset. As it is, if "
        "left out.",
        examples=["2027-01-20T11:00:00"],
    )
    duration_minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] | None = Field(
        None, description="How long it lasts. As long as it did, if left out.", examples=[90]
    )
    resource: Resource | None = Field(
        None,
        description="The camera or encoder that records this session, as a document names it. It stays there, wherever "
        "the recording goes, until it is put somewhere else. Where it is, if left out.",
        examples=["EXTRON-200-DEF", 562931],
    )


def move(
    session: Session, store: Store, recording: Recording, occurrence: Occurrence, wanted: OccurrenceChange
) -> Accepted:
    """Makes a chain that gives one occurrence other times, or another resource. Raises OccurrenceOver and more."""
    ensure_changeable(session, recording)
    start, end = _times_of(recording, occurrence, wanted)
    put_on = another_resource(session, recording, occurrence, wanted.resource)
    if (start, end) == (occurrence.start, occurrence.end) and put_on is None:
        return already_done(session, recording)
    _ahead(recording, occurrence)
    if start <= utc_now() and start != occurrence.start:
        raise OccurrenceOver("A session cannot be moved into the past.")
    return _one(
        session, store, recording, occurrence, "move_occurrence", start=start, end=end, moved=True, put_on=put_on
    )


def cancel_one(session: Session, store: Store, recording: Recording, occurrence: Occurrence) -> Accepted:
    """Cancels one occurrence, until it is restored."""
    if occurrence.status == CANCELLED and recording.status != RecordingStatus.FAILED:
        ensure_at_rest(session, recording)
        return already_done(session, recording)
    ensure_changeable(session, recording)
    accepted = _one(session, store, recording, occurrence, "cancel_occurrence", status=CANCELLED)
    hide_from_encoders(session, col(Occurrence.id) == occurrence.id)
    return accepted


def restore(session: Session, store: Store, recording: Recording, occurrence: Occurrence) -> Accepted:
    """Schedules an occurrence again that was cancelled or excluded."""
    ensure_changeable(session, recording)
    if occurrence.status == SCHEDULED:
        return already_done(session, recording)
    return _one(session, store, recording, occurrence, "restore_occurrence", status=SCHEDULED)


def _times_of(recording: Recording, occurrence: Occurrence, wanted: OccurrenceChange) -> tuple[datetime, datetime]:
    start = occurrence.start
    if wanted.start is not None:
        local = wanted.start
        start = local.astimezone(UTC) if local.tzinfo else place(local, zone(recording.time_zone))[0]
    minutes = wanted.duration_minutes
    return start, start + (timedelta(minutes=minutes) if minutes else occurrence.end - occurrence.start)


def find_occurrence(session: Session, recording: Recording, occurrence_id: str) -> Occurrence:
    found = session.get(Occurrence, occurrence_id) if occurrence_id.isprintable() else None
    if found is None or found.booking_id != recording.id:
        raise NotFound("The recording has no such occurrence.")
    return found


def _ahead(recording: Recording, occurrence: Occurrence) -> None:
    """Raises OccurrenceOver, with when it began, or ended, by the clocks of its zone."""
    now, tz = utc_now(), zone(recording.time_zone)
    if occurrence.end <= now:
        raise OccurrenceOver(f"This session is over: it ended at {occurrence.end.astimezone(tz).isoformat()}.")
    if occurrence.start <= now:
        began = occurrence.start.astimezone(tz).isoformat()
        raise OccurrenceOver(f"This session is running: it began at {began}. Only what lies ahead can be changed.")


def _one(
    session: Session,
    store: Store,
    recording: Recording,
    occurrence: Occurrence,
    operation: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    status: str = SCHEDULED,
    moved: bool | None = None,
    put_on: dict[str, Any] | None = None,
) -> Accepted:
    """`put_on`: the resource that the occurrence is put on, if that is another."""
    _ahead(recording, occurrence)
    here = resource_of(recording, occurrence)
    if status == SCHEDULED and put_on is None and is_gone(session, here):
        raise NotChangeable("Its resource is gone from Kaltura. POST …/resume moves it to the one that is meant now.")
    document = RecordingDocument.model_validate(recording.document)
    wanted = {
        "id": occurrence.id,
        "start": int((start or occurrence.start).timestamp()),
        "end": int((end or occurrence.end).timestamp()),
        "status": status,
        "moved": occurrence.moved if moved is None else moved,
        "placing": put_on is not None,
    }
    given = {
        **common_input(recording, document),
        **words(document),
        "categories": document.categories,
        "on_conflict": document.on_conflict,
        "resource_id": here,
        "resource": put_on,
        "together": [],
        "change": {"occurrence": wanted, "zone": recording.time_zone},
    }
    return start_chain(session, store, recording, operation, given)
