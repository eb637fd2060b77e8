"""What a document comes to: the rows of its recording, and the input of its chain.

Pure but for the clock and new ids, so it is worked out before a transaction begins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table
from sqlmodel import SQLModel

from app.database.types import new_id, utc_now
from app.kaltura.types import CLASSIFICATIONS
from app.recordings.document import equality
from app.recordings.document.campus import Campus, as_kept, following_rows, schedule_on
from app.recordings.document.document import RecordingDocument, Schedule
from app.recordings.document.fields import NewResource
from app.recordings.models import RecordingStatus
from app.recurrence.occurrences import Occurrence as Planned
from app.recurrence.plan import PlannedEvent, plan
from app.resources.models import OccurrenceStatus

_RECORDING, _BOOKING, _TAG, _CALENDAR, _OCCURRENCE = (
    SQLModel.metadata.tables[name]
    for name in ("recording", "booking", "recording_tag", "recording_calendar", "occurrence")
)


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything that a document comes to, worked out before a transaction begins: other writes wait for that one.

    `rows` go into their tables in this order, if the document makes a recording, and `schedule` has something ahead.
    """

    client: str
    document: RecordingDocument
    default_zone: str
    fingerprint: str
    recording_id: str
    schedule: Schedule
    rows: tuple[tuple[Table, list[dict[str, Any]]], ...]
    input: Mapping[str, Any]


def draft(client: str, document: RecordingDocument, default_zone: str, server_zone: ZoneInfo, campus: Campus) -> Draft:
    """Works the document out for the client of this name. Raises RequestValidationError.

    `default_zone` is that of a document without one, `server_zone` that of Kaltura's server; `campus` is what the
    document's calendars say.
    """
    schedule = schedule_on(document, default_zone, campus)
    campus = campus.within(document, default_zone)
    recording_id, fingerprint, now = new_id("rec"), equality.fingerprint(document, schedule), utc_now()
    recording = {
        "id": recording_id,
        "client": client,
        "reference_id": document.reference_id,
        "active_reference": document.reference_id,
        "fingerprint": fingerprint,
        "document": document.model_dump(mode="json", exclude_unset=True),
        "status": RecordingStatus.SCHEDULING,
        "time_zone": schedule.zone.key,
        "first_start": schedule.wanted[0].start,
        "last_end": schedule.last_end,
        "campus": as_kept(campus),
        "created_at": now,
        "updated_at": now,
    }
    booking = {
        "id": recording_id,
        "source": "lectern",
        **shown_words(document),
        "time_zone": schedule.zone.key,
    }
    tags = [{"recording_id": recording_id, "tag": tag.casefold()} for tag in document.tags]
    occurrences = [_occurrence(recording_id, occurrence) for occurrence in schedule.occurrences]
    follows = following_rows(recording_id, campus)
    rows = (
        *((_RECORDING, [recording]), (_BOOKING, [booking])),
        *((_TAG, tags), (_CALENDAR, follows), (_OCCURRENCE, occurrences)),
    )
    events = plan(schedule.occurrences, schedule.rule, schedule.zone, server_zone)
    ids = {row["start"]: row["id"] for row in occurrences}
    given = schedule_input(document, events, ids)
    return Draft(client, document, default_zone, fingerprint, recording_id, schedule, rows, given)


def _occurrence(booking_id: str, found: Planned) -> dict[str, Any]:
    return {
        "id": new_id("occ"),
        "booking_id": booking_id,
        "start": found.start,
        "end": found.end,
        "status": OccurrenceStatus.EXCLUDED if found.excluded_by else OccurrenceStatus.PLANNED,
        "slot": (found.wanted or found.local).date(),
    }


def schedule_input(
    document: RecordingDocument, events: Sequence[PlannedEvent], ids: Mapping[datetime, str]
) -> dict[str, Any]:
    """Everything that a `schedule` chain sends, decided once, as JSON: `app/recordings/scheduling/context.py` reads it.

    `ids` are the occurrences' by start. An event without a wanted occurrence is not made.
    """
    made = [event for event in events if not all(occurrence.excluded_by for occurrence in event.occurrences)]
    return {
        "resource": resource_input(document),
        "on_conflict": document.on_conflict,
        "categories": document.categories,
        **words(document),
        "events": {
            str(number): as_input(event, [(ids[one.start], not one.excluded_by) for one in event.occurrences])
            for number, event in enumerate(made, 1)
        },
    }


def shown_words(document: RecordingDocument) -> dict[str, Any]:
    """What encoders and calendars are shown of it: columns of its booking."""
    return {
        "title": document.title,
        "description": document.description,
        "tags": document.tags,
        "location": document.location,
        "organizer": document.organizer,
        "contact": document.contact,
        "owner": document.owner,
    }


def words(document: RecordingDocument) -> dict[str, dict[str, Any]]:
    """What EntryDraft and EventDraft say of the document: `{"entry": …, "event": …}`."""
    return {
        "entry": {
            "name": document.title,
            "description": document.description or "",
            "tags": document.tags,
            "owner": document.owner,
            "editors": document.editors,
            "publishers": document.publishers,
        },
        "event": {
            "summary": document.title,
            "description": document.description or "",
            "tags": document.tags,
            "entry_ids": document.related_entries,
            "organizer": document.organizer,
            "contact": document.contact,
            "location": document.location,
            "classification": CLASSIFICATIONS[document.visibility],
            "comment": document.reference_id,
        },
    }


def resource_input(document: RecordingDocument) -> dict[str, Any]:
    """`asked_resource` of the document."""
    return asked_resource(document.resource)


def asked_resource(asked: int | str | NewResource) -> dict[str, Any]:
    """A resource as chains look for it: `{"id"}`, or `{"system_name"}`, with `name`, `description` and `kind` where it
    may be made."""
    if isinstance(asked, NewResource):
        return {
            "system_name": asked.system_name,
            "name": asked.name or asked.system_name,
            "description": asked.description,
            "kind": asked.kind,
        }
    return {"id": asked} if isinstance(asked, int) else {"system_name": asked}


def resource_reference(document: RecordingDocument) -> tuple[int | str, bool]:
    """How the document names its resource, and whether that is a system name for sure."""
    asked = document.resource
    return (asked.system_name, True) if isinstance(asked, NewResource) else (asked, False)


def as_input(event: PlannedEvent, occurrences: Sequence[tuple[str | None, bool]]) -> dict[str, Any]:
    """A planned event as chains keep it (app/recordings/scheduling/context.py). `occurrences`: for each that the event
    generates its id, None for nobody's, and whether it is wanted."""
    return {
        "kind": event.kind,
        "start": int(event.start.timestamp()),
        "end": int(event.end.timestamp()),
        "recurrence": event.recurrence and dict(event.recurrence),
        "occurrences": [
            [int(occurrence.start.timestamp()), int(occurrence.end.timestamp()), *kept]
            for occurrence, kept in zip(event.occurrences, occurrences, strict=True)
        ],
    }
