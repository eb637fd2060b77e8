"""Several patches at once, so that rooms can be swapped: conflicts are checked on the final state of all of them.

what each comes to ── conflicts with each other, with everything else? ── yes: 409, nothing is changed
                                                                       └─ no: a chain for each
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi.exceptions import RequestValidationError
from pydantic import Field
from sqlmodel import Session

from app.chains.store import Store
from app.db import Database, utc_now
from app.errors import AmbiguousResource, ChainRunning, NothingAhead, ResourceNotFound, ScheduleConflict
from app.fields import In, Line, Out, each_once
from app.kaltura.client import KalturaClient
from app.kaltura.types import EventDraft
from app.keys import Client
from app.recordings import changing
from app.recordings.ahead import ensure_ahead
from app.recordings.discretion import discreet
from app.recordings.models import Recording
from app.recordings.parts import NewResource, OnConflict
from app.recordings.schemas import RecordingDocument
from app.recordings.service import Accepted, find, held, resource_input, resource_reference
from app.recordings.state import aim, events_of, own_conflicts, rows_of
from app.recordings.targets import SCHEDULED, Made
from app.recordings.views import RecordingView
from app.recordings.work import booked
from app.resources.conflicts import Booked, at_their_times, find_conflicts, known_bookings
from app.resources.lookup import in_kaltura, kaltura_answers
from app.resources.references import reference

Room = int | str | None
"""Kaltura's id; the system name, in lower case, of one that is to be made; None before there is any."""


class BatchChange(In):
    """One recording's patch."""

    id: Line = Field(description="The recording's id.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])
    patch: dict[str, Any] = Field(
        description="A merge patch (RFC 7396) of its document.", examples=[{"resource": "EXTRON-200-DEF"}]
    )


def _of_whom(change: BatchChange) -> str:
    return change.id


class Batch(In):
    """Patches that are applied together, or not at all if their final state has a conflict."""

    changes: Annotated[list[BatchChange], Field(min_length=1, max_length=100), each_once(_of_whom)] = Field(
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
    """What one change of a batch comes to. `sessions` are all that are not over, `added` (by start) those that are new
    in `room`, which `made` are to carry. `pairs` are conflicts within the recording."""

    recording: Recording
    document: RecordingDocument
    room: Room
    sessions: list[tuple[Room, datetime, datetime]]
    added: list[tuple[datetime, datetime]]
    made: tuple[Made, ...]
    pairs: list[dict[str, Any]]


def check(
    database: Database,
    kaltura: KalturaClient,
    client: Client,
    batch: Batch,
    default_zone: str,
    server_zone: ZoneInfo,
) -> list[Planned]:
    """What the batch comes to. Raises ScheduleConflict with every conflict of its final state.

    What is wrong with one patch (422, 404) is raised too, with its place.
    """
    now = utc_now()
    planned = []
    for index, one in enumerate(batch.changes):
        with _at(index):
            planned.append(_planned(database, kaltura, client, one, default_zone, server_zone, now))
    found = [
        {"recording_id": one.recording.id, **pair}
        for one in planned
        if one.added and one.document.on_conflict == OnConflict.REJECT
        for pair in (*one.pairs, *find_conflicts(one.added, _in_the_way(database, kaltura, one, planned)))
    ]
    if found:
        with database.read() as session:
            told = discreet(session, client.owns, found)
        detail = f"{len(found)} conflict(s) in the final state of the batch. Nothing was changed."
        raise ScheduleConflict(detail, conflicts=told)
    return planned


def apply(
    session: Session, store: Store, client: Client, planned: Sequence[Planned], default_zone: str
) -> list[Accepted]:
    """Begins a chain for each change, in one transaction."""
    ids = [one.recording.id for one in planned]
    accepted = []
    for one in planned:
        recording = held(session, store, find(session, client, one.recording.id))
        if changing.etag(recording) != changing.etag(one.recording):
            raise ChainRunning(f"{recording.id} was changed by someone else just now. Send the batch again.")
        accepted.append(changing.change(session, store, recording, one.document, default_zone, together=ids))
    return accepted


@contextmanager
def _at(index: int) -> Iterator[None]:
    """Mistakes in a patch are told with the patch's place in the batch."""
    place = ("body", "changes", index, "patch")
    try:
        yield
    except RequestValidationError as error:
        raise RequestValidationError([one | {"loc": (*place, *one["loc"][1:])} for one in error.errors()]) from None
    except (ResourceNotFound, AmbiguousResource) as refusal:
        errors = [{"pointer": f"/changes/{index}/patch/resource", "detail": refusal.detail}]
        raise type(refusal)(refusal.detail, errors=errors) from None
    except NothingAhead as refusal:
        errors = [{"pointer": f"/changes/{index}/patch", "detail": refusal.detail}]
        raise NothingAhead(refusal.detail, errors=errors) from None


def _planned(
    database: Database,
    kaltura: KalturaClient,
    client: Client,
    change: BatchChange,
    default_zone: str,
    server_zone: ZoneInfo,
    now: datetime,
) -> Planned:
    with database.read() as session:
        recording = find(session, client, change.id)
        rows = rows_of(session, recording.id, events_of(session, recording.id))
    document = changing.patched(recording, change.patch)
    stays = resource_input(document) == resource_input(RecordingDocument.model_validate(recording.document))
    room = recording.resource_id if stays else _room(kaltura, document)
    schedule = document.schedule(changing.zone_for(recording, default_zone))
    if document.fingerprint() != recording.fingerprint:
        ensure_ahead(schedule, now, recording)
    wanted = {
        "document": document.model_dump(mode="json", exclude_unset=True),
        "zone": schedule.zone.key,
    }
    same_room = room == recording.resource_id
    target = aim(wanted, rows, now, server_zone, same_room=same_room)
    touched = {row.id for row in target.rows} | target.left
    return Planned(
        recording,
        document,
        room,
        sessions=[
            *((room, row.start, row.end) for row in target.rows if row.status == SCHEDULED),
            *(
                (recording.resource_id, row.start, row.end)
                for row in rows
                if row.status == SCHEDULED and row.end > now and row.id not in touched
            ),
        ],
        added=sorted(
            (occurrence.start, occurrence.end)
            for made in target.made
            for occurrence, (_, stays) in zip(made.planned.occurrences, made.sessions, strict=True)
            if stays
        ),
        made=target.made,
        pairs=own_conflicts(recording, rows, target),
    )


def _room(kaltura: KalturaClient, document: RecordingDocument) -> Room:
    """As the chain's first step will find it. Raises ResourceNotFound, AmbiguousResource."""
    asked = document.resource
    named, is_name = resource_reference(document)
    with kaltura_answers():
        found = in_kaltura(kaltura, named, is_name=is_name)
    if len(found) > 1:
        raise AmbiguousResource("Kaltura has several such resources. Name one by its id.")
    if found:
        return found[0].id
    if isinstance(asked, NewResource):
        return asked.system_name.casefold()
    raise ResourceNotFound("Kaltura has no such resource. An object here would make it.")


def _in_the_way(database: Database, kaltura: KalturaClient, one: Planned, planned: Sequence[Planned]) -> list[Booked]:
    """What is, or will be, booked in its room by the batch's other changes, by Lectern, in Kaltura; and blackouts."""
    batch = [
        Booked(start, end, other.document.title, "lectern", other.recording.id, None)
        for other in planned
        if other is not one
        for room, start, end in other.sessions
        if room == one.room
    ]
    if not isinstance(one.room, int):
        return batch
    ids = {other.recording.id for other in planned}
    first, last = one.added[0][0], max(end for _, end in one.added)
    with database.read() as session:
        known = known_bookings(session, one.room, first, last, but=ids)
    own = [other for other in known if other.source == "lectern"]  # the others are in Kaltura, or are no more
    told = {other.event_id for other in own}
    with kaltura_answers():
        events = kaltura.list_events_on_resource(one.room, first, last)
        for made in one.made:
            events += kaltura.get_conflicts([one.room], _draft(one, made), kind="blackout")
    theirs = [other for other in map(booked, events) if other.event_id not in told and other.recording_id not in ids]
    with database.read() as session:
        return [*batch, *own, *at_their_times(session, theirs)]


def _draft(one: Planned, made: Made) -> EventDraft:
    return EventDraft(
        summary=one.document.title,
        start=made.planned.start,
        end=made.planned.end,
        recurrence=made.planned.recurrence,
        reference_id=reference(one.recording.id, 0),
    )
