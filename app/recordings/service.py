"""What the recordings' endpoints do: accepting documents, showing recordings, taking chains up again.

Every function works in its caller's transaction and commits nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlmodel import Session, SQLModel, col

from app.calendar.occurrences import Occurrence as Planned
from app.calendar.plan import PlannedEvent, plan
from app.chains.models import Chain, ChainStatus
from app.chains.store import Claim, Store, latest_chains
from app.db import new_id, utc_now
from app.errors import IdempotencyKeyReused, NotFound, NothingToResume, ReferenceInUse
from app.kaltura.types import CLASSIFICATIONS
from app.keys import Client
from app.recordings.ahead import ensure_ahead
from app.recordings.models import IdempotencyKey, Recording, RecordingStatus, ScheduleEvent
from app.recordings.parts import NewResource
from app.recordings.schemas import RecordingDocument, Schedule
from app.recordings.steps import SCHEDULE
from app.recordings.work import as_input
from app.resources.models import Occurrence, OccurrenceStatus

_RECORDING, _BOOKING, _TAG, _OCCURRENCE = (
    SQLModel.metadata.tables[name] for name in ("recording", "booking", "recording_tag", "occurrence")
)
# Built once: building a statement costs more than running it.
_BY_REFERENCE = select(Recording).where(
    col(Recording.client) == bindparam("of"), col(Recording.active_reference) == bindparam("reference")
)

_HOLD = select(_RECORDING.c.id).where(_RECORDING.c.id == bindparam("of")).with_for_update()

OVER = (RecordingStatus.CANCELLING, RecordingStatus.CANCELLED)
_SCHEDULED = (
    update(Recording)
    .where(col(Recording.id) == bindparam("of"), col(Recording.status).not_in(OVER))
    .values(updated_at=bindparam("at"), status=RecordingStatus.SCHEDULED, problem=None)
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A recording and the chain to wait for: `begun` by this request, with the recording if that is `made` by it.

    `claim`: the chain is this process's from the start. `unchanged`: it is already what the request asks for, and
    there is nothing to wait for.
    """

    recording_id: str
    chain_id: str
    begun: bool
    made: bool = False
    claim: Claim | None = None
    unchanged: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything that a document comes to, worked out before a transaction begins: other writes wait for that one.

    `rows` go into their tables in this order, if the document makes a recording, and `schedule` has something ahead.
    """

    client: str
    reference_id: str | None
    fingerprint: str
    recording_id: str
    schedule: Schedule
    rows: tuple[tuple[Table, list[dict[str, Any]]], ...]
    input: Mapping[str, Any]


def draft(client: str, document: RecordingDocument, default_zone: str, server_zone: ZoneInfo) -> Draft:
    """`server_zone` is the zone of Kaltura's server. Raises RequestValidationError."""
    schedule = document.schedule(default_zone)
    recording_id, fingerprint, now = new_id("rec"), document.fingerprint(), utc_now()
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
        "created_at": now,
        "updated_at": now,
    }
    booking = {
        "id": recording_id,
        "source": "lectern",
        "title": document.title,
        "description": document.description,
        "tags": document.tags,
        "time_zone": schedule.zone.key,
    }
    tags = [{"recording_id": recording_id, "tag": tag} for tag in document.tags]
    occurrences = [_occurrence(recording_id, occurrence) for occurrence in schedule.occurrences]
    rows = ((_RECORDING, [recording]), (_BOOKING, [booking]), (_TAG, tags), (_OCCURRENCE, occurrences))
    events = plan(schedule.occurrences, schedule.rule, schedule.zone, server_zone)
    ids = {row["start"]: row["id"] for row in occurrences}
    given = schedule_input(document, events, ids)
    return Draft(client, document.reference_id, fingerprint, recording_id, schedule, rows, given)


def _occurrence(booking_id: str, found: Planned) -> dict[str, Any]:
    return {
        "id": new_id("occ"),
        "booking_id": booking_id,
        "start": found.start,
        "end": found.end,
        "status": OccurrenceStatus.EXCLUDED if found.excluded_by else OccurrenceStatus.PLANNED,
        "slot": (found.wanted or found.local).date(),
    }


def accept(session: Session, store: Store, draft: Draft, key: str | None, *, claim: bool = False) -> Accepted:
    """The document's recording: the one that it made before, or a new one with its chain, ready to run.

    With `claim`, a new chain is this process's from the start. A client's documents are to be accepted one after
    another, so that two equal ones at once find each other. Raises IdempotencyKeyReused, ReferenceInUse and, for a new
    recording, NothingAhead.
    """
    before = _made_before(session, draft, key)
    if before is not None:
        accepted = Accepted(before, latest_chains(session, [before])[before].id, begun=False)
    else:
        accepted = _make(session, store, draft, claim)
    if key is not None and session.get(IdempotencyKey, (draft.client, key)) is None:
        session.add(
            IdempotencyKey(
                client=draft.client, key=key, fingerprint=draft.fingerprint, recording_id=accepted.recording_id
            )
        )
    return accepted


def _made_before(session: Session, draft: Draft, key: str | None) -> str | None:
    used = session.get(IdempotencyKey, (draft.client, key)) if key is not None else None
    if used is not None:
        if used.fingerprint != draft.fingerprint:
            raise IdempotencyKeyReused(recording_id=used.recording_id)
        return used.recording_id
    alive = by_reference(session, draft.client, draft.reference_id)
    if alive is not None and alive.fingerprint != draft.fingerprint:
        raise ReferenceInUse(recording_id=alive.id)
    return alive.id if alive else None


def _make(session: Session, store: Store, draft: Draft, claim: bool) -> Accepted:
    ensure_ahead(draft.schedule, utc_now())
    for table, rows in draft.rows:
        if rows:
            session.connection().execute(insert(table), rows)
    names = [step.name for step in SCHEDULE]
    if claim:
        claimed = store.begin(session, draft.recording_id, "schedule", names, draft.input)
        return Accepted(draft.recording_id, claimed.chain_id, begun=True, made=True, claim=claimed)
    chain_id = store.create(session, draft.recording_id, "schedule", names, draft.input)
    return Accepted(draft.recording_id, chain_id, begun=True, made=True)


def by_reference(session: Session, client: str, reference_id: str | None) -> Recording | None:
    """The client's recording that has this reference now. A cancelled or failed one has none."""
    if reference_id is None:
        return None
    return session.execute(_BY_REFERENCE, {"of": client, "reference": reference_id}).scalar_one_or_none()


def schedule_input(
    document: RecordingDocument, events: Sequence[PlannedEvent], ids: Mapping[datetime, str]
) -> dict[str, Any]:
    """Everything that a `schedule` chain sends, decided once, as JSON: `app/recordings/work.py` reads it.

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
    """`{"id"}`, or `{"system_name"}` with `name`, `description` and `kind` where it may be made."""
    asked = document.resource
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


def find(session: Session, client: Client, recording_id: str) -> Recording:
    """One of the client's recordings. Another client's is as if it were not there, but for an `admin`."""
    # A made-up id may hold what a database refuses to compare (NUL).
    recording = session.get(Recording, recording_id) if recording_id.isascii() and recording_id.isprintable() else None
    if recording is None or not client.owns(recording.client):
        raise NotFound("There is no such recording.")
    return recording


def held(session: Session, store: Store, recording: Recording) -> Recording:
    """The recording as it is now and stays until the end of this transaction, whatever its chain is doing."""
    store.hold(session, recording.id)
    session.refresh(recording)
    return recording


def take_up(session: Session, store: Store, recording: Recording) -> Accepted:
    """Takes the latest chain of a recording, if it is stuck or waiting, up again, from its open step."""
    held(session, store, recording)
    chain = latest_chains(session, [recording.id])[recording.id]
    if recording.status in (RecordingStatus.FAILED, RecordingStatus.CANCELLED) and chain.finished_at is not None:
        raise NothingToResume()
    taken = store.take_up(session, chain.id)
    if taken and recording.status == RecordingStatus.STUCK:
        states = {"schedule": RecordingStatus.SCHEDULING, "cancel": RecordingStatus.CANCELLING}
        _set(session, recording.id, status=states.get(chain.operation, RecordingStatus.SCHEDULED), problem=None)
    return Accepted(recording.id, chain.id, begun=taken)


def take_up_chain(session: Session, store: Store, chain_id: str) -> Accepted:
    """The same for any chain, also one that is no recording's (a sweep). Raises NotFound, NothingToResume."""
    chain = session.get(Chain, chain_id) if chain_id.isascii() and chain_id.isprintable() else None
    if chain is None:
        raise NotFound("There is no such chain.")
    store.hold(session, chain.subject)
    recording = session.get(Recording, chain.subject)
    if recording is not None and latest_chains(session, [recording.id])[recording.id].id == chain.id:
        accepted = take_up(session, store, recording)
    else:
        accepted = Accepted(chain.subject, chain.id, begun=store.take_up(session, chain.id))
    if not accepted.begun:
        raise NothingToResume()
    return accepted


def hold(session: Session, recording_id: str) -> None:
    """Nobody else changes the recording until the end of this transaction; before its sessions, and all else of it."""
    session.connection().execute(_HOLD, {"of": recording_id})


def schedule_ended(session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None) -> None:
    """What the end of a `schedule` chain means to its recording. One that is cancelled meanwhile stays so."""
    if status == ChainStatus.SUCCEEDED:
        session.connection().execute(_SCHEDULED, {"of": subject, "at": utc_now()})
    elif status == ChainStatus.STUCK:
        _set(session, subject, status=RecordingStatus.STUCK, problem=error)
    else:
        _set(session, subject, status=RecordingStatus.FAILED, problem=error, active_reference=None)
        gone = update(Recording).where(col(Recording.id) == subject).values(template_entry_id=None)
        session.execute(gone)
        session.execute(
            update(Occurrence)
            .where(col(Occurrence.booking_id) == subject, col(Occurrence.status) != OccurrenceStatus.EXCLUDED)
            .values(status=OccurrenceStatus.CANCELLED, event_id=None, series_id=None)
        )
        session.execute(delete(ScheduleEvent).where(col(ScheduleEvent.recording_id) == subject))


def _set(session: Session, recording_id: str, **values: Any) -> None:
    session.execute(
        update(Recording)
        .where(col(Recording.id) == recording_id, col(Recording.status).not_in(OVER))
        .values(updated_at=utc_now(), **values)
    )
