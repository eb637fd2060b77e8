"""Several patches at once, so that rooms can be swapped: conflicts are checked on the final state of all of them.

read what they come to ── conflicts with each other, with everything else? ── yes: 409, nothing is changed
                                                                           └─ no: a chain for each
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlmodel import Session

from app.chains.store import Store
from app.db import Database, utc_now
from app.errors import ChainRunning, ScheduleConflict
from app.fields import In, Line, Out
from app.kaltura.client import KalturaClient
from app.recordings import changing
from app.recordings.models import Recording
from app.recordings.parts import NewResource, OnConflict
from app.recordings.schemas import RecordingDocument
from app.recordings.service import Accepted, find, resource_input
from app.recordings.state import aim, events_of, rows_of
from app.recordings.views import RecordingView
from app.recordings.work import booked
from app.resources.conflicts import Booked, find_conflicts, known_bookings
from app.resources.lookup import kaltura_answers, look_up
from app.resources.models import OccurrenceStatus

Sessions = list[tuple[datetime, datetime]]


class BatchChange(In):
    """One recording's patch."""

    id: Line = Field(description="The recording's id.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])
    patch: dict[str, Any] = Field(
        description="A merge patch (RFC 7396) of its document.", examples=[{"resource": "EXTRON-200-DEF"}]
    )


class Batch(In):
    """Patches that are applied together, or not at all if their final state has a conflict."""

    changes: Annotated[list[BatchChange], Field(min_length=1, max_length=100)] = Field(
        description="At most 100, each of another recording.",
        examples=[
            [
                {"id": "rec_01kantf3wq5m2c7j8e9g0h1k3p", "patch": {"resource": "EXTRON-200-DEF"}},
                {"id": "rec_01kantf3wr8q0vdzn6y5h2x9ms", "patch": {"resource": "EXTRON-100-ABC"}},
            ]
        ],
    )


class BatchView(Out):
    """The recordings of a batch, as they are now; `chain` tells how far each change has come."""

    items: list[RecordingView] = Field(description="In the order of the changes.")


@dataclass(frozen=True, slots=True)
class Planned:
    """What one change of a batch comes to. `room` is None for one that Kaltura does not know yet."""

    recording: Recording
    document: RecordingDocument
    room: int | None
    sessions: Sessions  # all that lie ahead
    added: Sessions  # those that are new there


def check(database: Database, kaltura: KalturaClient, client: str, batch: Batch) -> list[Planned]:
    """What the batch comes to. Raises ScheduleConflict with every conflict of its final state."""
    now = utc_now()
    planned = [_planned(database, kaltura, client, change, now) for change in batch.changes]
    ids = {one.recording.id for one in planned}
    found: list[dict[str, Any]] = []
    for one in planned:
        if one.document.on_conflict == OnConflict.ALLOW or one.room is None:
            continue
        pairs = find_conflicts(one.sessions, _of_the_batch(planned, one))
        if one.added:
            pairs += find_conflicts(one.added, _of_others(database, kaltura, one, ids))
        found += [{"recording_id": one.recording.id, **pair} for pair in pairs]
    if found:
        raise ScheduleConflict(
            f"{len(found)} conflict(s) in the final state of the batch. Nothing was changed.", conflicts=found
        )
    return planned


def apply(session: Session, store: Store, client: str, planned: Sequence[Planned]) -> list[Accepted]:
    """Begins a chain for each change, in one transaction."""
    ids = [one.recording.id for one in planned]
    accepted = []
    for one in planned:
        recording = find(session, client, one.recording.id)
        if changing.etag(recording) != changing.etag(one.recording):
            raise ChainRunning(f"{recording.id} was changed by someone else just now. Send the batch again.")
        accepted.append(changing.change(session, store, recording, one.document, together=ids))
    return accepted


def _planned(database: Database, kaltura: KalturaClient, client: str, change: BatchChange, now: datetime) -> Planned:
    with database.read() as session:
        recording = find(session, client, change.id)
        rows = rows_of(session, recording.id, events_of(session, recording.id))
    document = changing.patched(recording, change.patch)
    asked = document.resource
    room = recording.resource_id
    if resource_input(document) != resource_input(RecordingDocument.model_validate(recording.document)):
        found = look_up(database, kaltura, asked.system_name if isinstance(asked, NewResource) else asked)
        room = found[0].id if len(found) == 1 else None  # else its chain will say what is wrong
    wanted: Mapping[str, Any] = {
        "document": document.model_dump(mode="json", exclude_unset=True),
        "zone": document.schedule(recording.time_zone).zone.key,
    }
    target = aim(wanted, rows, now, same_room=room == recording.resource_id)
    sessions = sorted((row.start, row.end) for row in target.rows if row.status == OccurrenceStatus.SCHEDULED)
    added = {
        (occurrence.start, occurrence.end)
        for made in target.made
        for occurrence, (_, stays) in zip(made.planned.occurrences, made.sessions, strict=True)
        if stays
    }
    return Planned(recording, document, room, sessions, sorted(added))


def _of_the_batch(planned: Sequence[Planned], one: Planned) -> list[Booked]:
    return [
        Booked(start, end, other.document.title, "lectern", other.recording.id, None)
        for other in planned
        if other is not one and other.room == one.room
        for start, end in other.sessions
    ]


def _of_others(database: Database, kaltura: KalturaClient, one: Planned, ids: set[str]) -> list[Booked]:
    if one.room is None:
        return []
    first, last = one.added[0][0], max(end for _, end in one.added)
    with database.read() as session:
        known = known_bookings(session, one.room, first, last, but=ids)
    own = [other for other in known if other.source == "lectern"]
    told = {other.event_id for other in own}
    with kaltura_answers():
        events = kaltura.list_events_on_resource(one.room, first, last)
    theirs = [other for other in map(booked, events) if other.event_id not in told and other.recording_id not in ids]
    return [*own, *theirs]
