"""One occurrence of a recording: moved, named, cancelled or restored, by a chain of its recording.

One that runs is not moved, but its end is: it is stopped, or extended.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import Field, ModelWrapValidatorHandler, PrivateAttr, model_validator
from sqlmodel import Session, col

from app.chains.store import Store
from app.database.types import utc_now
from app.http.errors import NotChangeable, NotFound, OccurrenceOver, problem
from app.http.fields import In, Line
from app.http.times import LocalTime
from app.recordings.changing.occurrences.coming_back import surely_booked
from app.recordings.changing.occurrences.hiding import hide_from_encoders
from app.recordings.changing.placement import another_resource, is_gone, resource_of
from app.recordings.changing.requests import (
    CANCELLED,
    SCHEDULED,
    already_done,
    common_input,
    ensure_at_rest,
    ensure_changeable,
    start_chain,
)
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import words
from app.recordings.document.fields import OnConflict, Resource
from app.recordings.models import Recording, RecordingStatus
from app.recordings.scheduling.accept import Accepted
from app.recordings.scheduling.outcomes import conflict
from app.recordings.whose import discreet
from app.recurrence.occurrences import place, zone
from app.resources.conflicts import find_conflicts
from app.resources.models import Occurrence


class OccurrenceChange(In):
    """What is to become of one session: another time, length, resource or title. What is left out stays as it is.

    While it runs, its length alone can be changed, and its title.
    """

    start: LocalTime | None = Field(
        None,
        description="When it begins: wall-clock time in the recording's zone, or a time with an offset. As it is, if "
        "left out.",
        examples=["2027-01-20T11:00:00"],
    )
    duration_minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] | None = Field(
        None,
        description="How long it lasts, also of one that runs; one that is to be over by then is stopped now. As long "
        "as it did, if left out.",
        examples=[90],
    )
    resource: Resource | None = Field(
        None,
        description="The camera or encoder that records this session, as a document names it. It stays there, wherever "
        "the recording goes, until it is put somewhere else. Where it is, if left out.",
        examples=["EXTRON-200-DEF", 562931],
    )
    title: Line | None = Field(
        None,
        description="What this session is called; null takes that back, and it is called as the recording is. As it "
        "is, if left out.",
        examples=["Guest: Dr. Vera Rubin"],
    )
    _says_title: bool = PrivateAttr(False)

    @model_validator(mode="wrap")
    @classmethod
    def _sees_null(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """A title that is null says something, where all else that is null is left out."""
        read = handler(data)
        read._says_title = isinstance(data, dict) and "title" in data
        return read

    def title_of(self, occurrence: Occurrence) -> dict[str, str | None]:
        """`{"title"}`, if the session is to have another."""
        return {"title": self.title} if self._says_title and self.title != occurrence.title else {}


def change_one(
    session: Session, store: Store, recording: Recording, occurrence: Occurrence, wanted: OccurrenceChange
) -> Accepted:
    """Makes a chain that moves one occurrence, ends it or gives it a title. Raises OccurrenceOver and more."""
    ensure_changeable(session, recording)
    start, end = _times_of(recording, occurrence, wanted)
    put_on, title = another_resource(session, recording, occurrence, wanted.resource), wanted.title_of(occurrence)
    stays = start == occurrence.start and put_on is None
    if stays and end == occurrence.end:
        return _name(session, store, recording, occurrence, title) if title else already_done(session, recording)
    if stays and _runs(occurrence):
        return _end(session, store, recording, occurrence, end, title)
    _ahead(recording, occurrence)
    if start <= utc_now() and start != occurrence.start:
        raise OccurrenceOver("A session cannot be moved into the past.")
    is_moved = occurrence.moved or (start, end) != (occurrence.start, occurrence.end)
    moved = {"start": int(start.timestamp()), "end": int(end.timestamp()), "moved": is_moved, **title}
    return _one(session, store, recording, occurrence, "move_occurrence", moved, put_on=put_on)


def cancel_one(session: Session, store: Store, recording: Recording, occurrence: Occurrence) -> Accepted:
    """Cancels one session, until it is restored; stops one that runs."""
    if _runs(occurrence):
        ensure_changeable(session, recording)
        return _end(session, store, recording, occurrence, utc_now(), {})
    if occurrence.planned_end and occurrence.end <= utc_now():  # stopped already
        ensure_at_rest(session, recording)
        return already_done(session, recording)
    if occurrence.status == CANCELLED and recording.status != RecordingStatus.FAILED:
        ensure_at_rest(session, recording)
        return already_done(session, recording)
    ensure_changeable(session, recording)
    accepted = _one(session, store, recording, occurrence, "cancel_occurrence", {"status": CANCELLED})
    hide_from_encoders(session, col(Occurrence.id) == occurrence.id)
    return accepted


def restore(session: Session, store: Store, recording: Recording, occurrence: Occurrence) -> Accepted:
    """Schedules an occurrence again that was cancelled or excluded."""
    ensure_changeable(session, recording)
    if occurrence.status == SCHEDULED:
        return already_done(session, recording)
    return _one(session, store, recording, occurrence, "restore_occurrence", {})


def _runs(occurrence: Occurrence) -> bool:
    return occurrence.status == SCHEDULED and occurrence.start <= utc_now() < occurrence.end


def _name(
    session: Session, store: Store, recording: Recording, occurrence: Occurrence, title: Mapping[str, str | None]
) -> Accepted:
    _ensure_not_over(recording, occurrence)
    details = {**title, "was": {"title": occurrence.title}}
    return _begin(session, store, recording, occurrence, "name_occurrence", {"details": details})


def _end(
    session: Session,
    store: Store,
    recording: Recording,
    occurrence: Occurrence,
    end: datetime,
    title: Mapping[str, str | None],
) -> Accepted:
    """Stops or extends a session that runs. Encoders see it at once; if Kaltura refuses it, it ends as before."""
    end = max(end, utc_now(), occurrence.start + timedelta(seconds=1)).replace(microsecond=0)
    if end > occurrence.end:
        _ensure_free(session, recording, occurrence, end)
    start, was = int(occurrence.start.timestamp()), int(occurrence.end.timestamp())
    details = {
        **title,
        "start": start,
        "end": int(end.timestamp()),
        "was": {**({"title": occurrence.title} if title else {}), "start": start, "end": was},
    }
    before = occurrence.planned_end and int(occurrence.planned_end.timestamp())
    asked = {"details": details, "planned_end": before}
    accepted = _begin(session, store, recording, occurrence, "end_occurrence", asked)
    occurrence.planned_end, occurrence.end = occurrence.planned_end or occurrence.end, end
    session.add(occurrence)
    return accepted


def _ensure_free(session: Session, recording: Recording, occurrence: Occurrence, end: datetime) -> None:
    """Raises ScheduleConflict if it is known that something is booked before it would end; the chain asks Kaltura."""
    if recording.document.get("on_conflict") == OnConflict.ALLOW:
        return
    booked = surely_booked(session, resource_of(recording, occurrence), occurrence.end, end)
    met = discreet(session, lambda other: other == recording.client, find_conflicts([(occurrence.end, end)], booked))
    refused = conflict(met)
    if refused:
        raise problem(refused.error)


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
    _ensure_not_over(recording, occurrence)
    if occurrence.start <= utc_now():
        began = occurrence.start.astimezone(zone(recording.time_zone)).isoformat()
        detail = f"This session is running: it began at {began}. Only its length and its title can be changed."
        raise OccurrenceOver(detail)


def _ensure_not_over(recording: Recording, occurrence: Occurrence) -> None:
    if occurrence.end <= utc_now():
        ended = occurrence.end.astimezone(zone(recording.time_zone)).isoformat()
        raise OccurrenceOver(f"This session is over: it ended at {ended}.")


def _one(
    session: Session,
    store: Store,
    recording: Recording,
    occurrence: Occurrence,
    operation: str,
    asked: Mapping[str, Any],
    *,
    put_on: dict[str, Any] | None = None,
) -> Accepted:
    """`asked`: what is to be other than it is. `put_on`: the resource that it is put on, if that is another."""
    _ahead(recording, occurrence)
    wanted = {
        "start": int(occurrence.start.timestamp()),
        "end": int(occurrence.end.timestamp()),
        "status": SCHEDULED,
        "moved": occurrence.moved,
        "placing": put_on is not None,
        **asked,
    }
    if wanted["status"] == SCHEDULED and put_on is None and is_gone(session, resource_of(recording, occurrence)):
        raise NotChangeable("Its resource is gone from Kaltura. POST …/resume moves it to the one that is meant now.")
    return _begin(session, store, recording, occurrence, operation, wanted, put_on=put_on)


def _begin(
    session: Session,
    store: Store,
    recording: Recording,
    occurrence: Occurrence,
    operation: str,
    wanted: Mapping[str, Any],
    *,
    put_on: dict[str, Any] | None = None,
) -> Accepted:
    document = RecordingDocument.model_validate(recording.document)
    given = {
        **common_input(recording, document),
        **words(document),
        "categories": document.categories,
        # Who asks for one session is told what is in its way.
        "on_conflict": OnConflict.ALLOW if document.on_conflict == OnConflict.ALLOW else OnConflict.REJECT,
        "resource_id": resource_of(recording, occurrence),
        "resource": put_on,
        "together": [],
        "change": {"occurrence": {"id": occurrence.id, **wanted}, "zone": recording.time_zone},
    }
    return start_chain(session, store, recording, operation, given)
