"""What changes a recording: patches, cancellations, and what is done to one of its sessions.

Every function works in its caller's transaction: it reads the recording, checks that it may be changed now, and begins
a chain (app/recordings/changing/steps.py). What the chain will find is decided when it runs.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError
from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col

from app.access.keys import Client
from app.chains.models import Chain
from app.chains.store import Store, latest_chains
from app.database.types import utc_now
from app.http.errors import ChainRunning, NotChangeable, NotFound, OccurrenceOver, PreconditionFailed, ReferenceInUse
from app.http.fields import In, LocalTime
from app.recordings.changing.operations import DEFINITIONS
from app.recordings.changing.switching import SCHEDULE_TOGETHER, Party
from app.recordings.document.ahead import ensure_ahead
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import Draft, resource_input, words
from app.recordings.models import Recording, RecordingStatus
from app.recordings.scheduling.accept import Accepted, accept_document, add_recording, held, take_up
from app.recordings.whose import Reference, by_reference, find
from app.recurrence.occurrences import place, zone
from app.resources.mirror import drift
from app.resources.models import Occurrence, OccurrenceStatus, Resource

SCHEDULED, CANCELLED = OccurrenceStatus.SCHEDULED, OccurrenceStatus.CANCELLED


def etag(recording: Recording) -> str:
    """Changes whenever anything of the recording does.

    The version alone would do, were it not for backups: after one is put back, versions are given out again.
    """
    return f'"{recording.version:x}-{int(recording.updated_at.timestamp() * 1_000_000):x}"'


def patched(recording: Recording, patch: Mapping[str, Any]) -> RecordingDocument:
    """The recording's document with a merge patch (RFC 7396) applied. Raises RequestValidationError."""
    return read_document(_merged(recording.document, patch))


def read_document(content: Mapping[str, Any]) -> RecordingDocument:
    try:
        return RecordingDocument.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError([one | {"loc": ("body", *one["loc"])} for one in found]) from None


def _merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(document)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(name), Mapping):
            merged[name] = _merged(merged[name], value)
        else:
            merged[name] = value
    return merged


def change(
    session: Session,
    store: Store,
    recording: Recording,
    document: RecordingDocument,
    default_zone: str,
    *,
    party: Party | None = None,
) -> Accepted:
    """Makes the recording what `document` says. `party`: it is changed together with others, or not at all.

    A new `reference_id` is the recording's from now on, so that nobody else takes it while the chain runs. Raises
    ReferenceInUse, NothingAhead, and what `_changeable` does.
    """
    _changeable(session, recording)
    if document.fingerprint() == recording.fingerprint:
        return _as_it_is(session, recording)
    before = RecordingDocument.model_validate(recording.document)
    same_room = resource_input(before) == resource_input(document) and not _resource_is_gone(session, recording)
    schedule = document.schedule(zone_for(recording, default_zone))
    ensure_ahead(schedule, utc_now(), recording)
    zone_name = schedule.zone.key
    if document.reference_id != recording.active_reference:
        other = by_reference(session, recording.client, document.reference_id)
        if other is not None:
            raise ReferenceInUse(recording_id=other.id)
        session.execute(
            update(Recording).where(col(Recording.id) == recording.id).values(active_reference=document.reference_id)
        )
    given = {
        **_common(recording, before),
        **words(document),
        "categories": document.categories,
        "on_conflict": document.on_conflict,
        "resource": None if same_room else _room_input(recording.id, resource_input(document), party),
        "together": list(party.items) if party else [],
        "change": {"document": document.model_dump(mode="json", exclude_unset=True), "zone": zone_name},
    }
    if party is None:
        return _begin(session, store, recording, "update", given)
    return _begin(session, store, recording, "update", {**given, "party": party.as_input()}, party.id)


def _resource_is_gone(session: Session, recording: Recording) -> bool:
    """Whether somebody has deleted it in Kaltura: what lies ahead needs the one that the document means now."""
    resource = session.get(Resource, recording.resource_id) if recording.resource_id else None
    return resource is not None and resource.gone_since is not None


def _room_input(recording_id: str, asked: Mapping[str, Any], party: Party | None) -> Mapping[str, Any]:
    """In a party the room that was found when it was planned: the lanes of all are named by then."""
    found = party.found.get(recording_id) if party else None
    return {"id": found} if found is not None else asked


def resume(session: Session, store: Store, client: Client, recording_id: str) -> Accepted:
    """Takes a chain that is stuck or waiting up again; mends the drift of a recording that is scheduled, or over.

    If the resource is gone, what lies ahead moves to the one that the document means now.
    """
    recording = find(session, client, recording_id)
    found = drift.drift_of(session, [recording.id]).get(recording.id, [])
    extra = [one["event_id"] for one in found if one["kind"] == "extra"]
    is_over = recording.status in (RecordingStatus.CANCELLED, RecordingStatus.FAILED)
    if is_over and extra and _latest(session, held(session, store, recording)).finished_at is not None:
        clearing = {"resource_id": recording.resource_id, "change": {"cancel": True, "extra": extra}}
        return _begin(session, store, recording, "clear", clearing)
    if recording.status != RecordingStatus.SCHEDULED or not found:
        return take_up(session, store, recording)
    held(session, store, recording)
    _changeable(session, recording)
    for one in found:
        if one["kind"] == "replaced":  # at its time, under another id: that is where it is now
            mine = col(Occurrence.id) == one["occurrence_id"]
            session.execute(update(Occurrence).where(mine).values(event_id=one["event_id"]))
    document = RecordingDocument.model_validate(recording.document)
    given = {
        **_common(recording, document),
        **words(document),
        "categories": document.categories,
        "on_conflict": document.on_conflict,
        "resource": resource_input(document) if any(one["kind"] == "resource_gone" for one in found) else None,
        "together": [],
        "change": {
            "document": recording.document,
            "zone": recording.time_zone,
            "afresh": [one["occurrence_id"] for one in found if one["kind"] in ("missing", "moved")],
            "unlisted": [one["occurrence_id"] for one in found if one["kind"] == "unlisted"],
            "extra": extra,
        },
    }
    return _begin(session, store, recording, "mend", given)


def zone_for(recording: Recording, default_zone: str) -> str:
    """The zone of a document for this recording that names none: as before, if that one named none either."""
    return default_zone if recording.document.get("time_zone") else recording.time_zone


def put(session: Session, store: Store, document: RecordingDocument, draft: Draft, default_zone: str) -> Accepted:
    """Makes the recording with the document's `reference_id`, or makes it what the document says."""
    recording = by_reference(session, draft.client, document.reference_id)
    if recording is None:
        return accept_document(session, store, draft, None)
    return become(session, store, held(session, store, recording), document, default_zone)


def become(
    session: Session,
    store: Store,
    recording: Recording,
    document: RecordingDocument,
    default_zone: str,
    *,
    party: Party | None = None,
) -> Accepted:
    """Makes a recording that is held what a whole document says: one that is stuck on the way there is taken up."""
    latest, wanted = _latest(session, recording), document.fingerprint()
    if recording.status == RecordingStatus.STUCK and _aims_at(latest, recording) == wanted:
        return take_up(session, store, recording)
    document_stays = latest.finished_at is not None or latest.operation not in ("update", "cancel")
    if recording.fingerprint == wanted and document_stays:
        return replace(_as_it_is(session, recording), unchanged=True)
    return change(session, store, recording, document, default_zone, party=party)


def make_together(session: Session, store: Store, draft: Draft, party: Party) -> Accepted:
    """A new recording that goes where others of the party leave."""
    add_recording(session, draft)
    resource = _room_input(draft.recording_id, draft.input["resource"], party)
    given = {**draft.input, "resource": resource, "together": list(party.items), "party": party.as_input()}
    names = [step.name for step in SCHEDULE_TOGETHER]
    chain_id = store.create(session, draft.recording_id, "schedule_together", names, given, party=party.id)
    return Accepted(draft.recording_id, chain_id, begun=True, made=True)


def _aims_at(chain: Chain, recording: Recording) -> str | None:
    """The fingerprint of the document that is the recording's when the chain has succeeded; None if it is to end."""
    if chain.operation == "update":
        return RecordingDocument.model_validate(chain.input["change"]["document"]).fingerprint()
    return None if chain.operation == "cancel" else recording.fingerprint


def cancel(session: Session, store: Store, recording: Recording) -> Accepted:
    """Cancels what lies ahead. A chain that still runs is asked to stop; a cancellation that is stuck is taken up.

    A failed recording, of which there is nothing to cancel, is listed no more.
    """
    if recording.status == RecordingStatus.FAILED and recording.listed:
        recording.listed = False
        session.add(recording)
    if recording.status in (RecordingStatus.CANCELLED, RecordingStatus.CANCELLING, RecordingStatus.FAILED):
        return _as_it_is(session, recording)
    latest = _latest(session, recording)
    session.execute(
        update(Recording)
        .where(col(Recording.id) == recording.id)
        .values(status=RecordingStatus.CANCELLING, problem=None, updated_at=utc_now())
    )
    _withdraw(session, col(Occurrence.booking_id) == recording.id)
    if latest.operation == "cancel":
        store.take_up(session, latest.id)
        return Accepted(recording.id, latest.id, begun=True)
    store.ask_to_stop(session, latest.id)
    given = {"resource_id": recording.resource_id, "change": {"cancel": True}}
    return _begin(session, store, recording, "cancel", given)


class OccurrenceChange(In):
    """What is to become of one session: new times, or one of the other two."""

    start: LocalTime | None = Field(
        None,
        description="When it begins: wall-clock time in the recording's zone, or a time with an offset. As it is, if "
        "left out.",
        examples=["2027-01-20T11:00:00"],
    )
    duration_minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] | None = Field(
        None, description="How long it lasts. As long as it did, if left out.", examples=[90]
    )


def move(
    session: Session, store: Store, recording: Recording, occurrence: Occurrence, wanted: OccurrenceChange
) -> Accepted:
    """Moves one session, also to where the rule has none."""
    _changeable(session, recording)
    start, end = _times_of(recording, occurrence, wanted)
    if (start, end) == (occurrence.start, occurrence.end):
        return _as_it_is(session, recording)
    if start <= utc_now():
        raise OccurrenceOver("A session cannot be moved into the past.")
    return _one(session, store, recording, occurrence, "move_occurrence", start=start, end=end, moved=True)


def cancel_one(session: Session, store: Store, recording: Recording, occurrence: Occurrence) -> Accepted:
    """Cancels one session, until it is restored."""
    if occurrence.status == CANCELLED and recording.status != RecordingStatus.FAILED:
        _at_rest(session, recording)
        return _as_it_is(session, recording)
    _changeable(session, recording)
    accepted = _one(session, store, recording, occurrence, "cancel_occurrence", status=CANCELLED)
    _withdraw(session, col(Occurrence.id) == occurrence.id)
    return accepted


def _withdraw(session: Session, which: ColumnElement[bool]) -> None:
    """From now on no encoder is shown these sessions, of those that lie ahead, however long their chain takes."""
    session.execute(update(Occurrence).where(which, col(Occurrence.start) > utc_now()).values(withdrawn=True))


def restore(session: Session, store: Store, recording: Recording, occurrence: Occurrence) -> Accepted:
    """Schedules a session again that was cancelled or excluded."""
    _changeable(session, recording)
    if occurrence.status == SCHEDULED:
        return _as_it_is(session, recording)
    return _one(session, store, recording, occurrence, "restore_occurrence", status=SCHEDULED)


def _times_of(recording: Recording, occurrence: Occurrence, wanted: OccurrenceChange) -> tuple[datetime, datetime]:
    start = occurrence.start
    if wanted.start is not None:
        local = wanted.start
        start = local.astimezone(UTC) if local.tzinfo else place(local, zone(recording.time_zone))[0]
    minutes = wanted.duration_minutes
    return start, start + (timedelta(minutes=minutes) if minutes else occurrence.end - occurrence.start)


def _as_it_is(session: Session, recording: Recording) -> Accepted:
    return Accepted(recording.id, _latest(session, recording).id, begun=False)


def find_occurrence(session: Session, recording: Recording, occurrence_id: str) -> Occurrence:
    found = session.get(Occurrence, occurrence_id) if occurrence_id.isprintable() else None
    if found is None or found.booking_id != recording.id:
        raise NotFound("The recording has no such occurrence.")
    return found


def guarded(session: Session, store: Store, client: Client, named: str | Reference, if_match: str | None) -> Recording:
    """The recording, held, if the client's `If-Match` allows to change it (RFC 9110, 13.1.1)."""
    recording = held(session, store, find(session, client, named))
    allowed = {"*", etag(recording)}
    if if_match is not None and allowed.isdisjoint(tag.strip() for tag in if_match.split(",")):
        raise PreconditionFailed()
    return recording


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
) -> Accepted:
    if occurrence.start <= utc_now():
        raise OccurrenceOver()
    if status == SCHEDULED and _resource_is_gone(session, recording):
        raise NotChangeable("Its resource is gone from Kaltura. POST …/resume moves it to the one that is meant now.")
    document = RecordingDocument.model_validate(recording.document)
    wanted = {
        "id": occurrence.id,
        "start": int((start or occurrence.start).timestamp()),
        "end": int((end or occurrence.end).timestamp()),
        "status": status,
        "moved": occurrence.moved if moved is None else moved,
    }
    given = {
        **_common(recording, document),
        **words(document),
        "categories": document.categories,
        "on_conflict": document.on_conflict,
        "resource": None,
        "together": [],
        "change": {"occurrence": wanted, "zone": recording.time_zone},
    }
    return _begin(session, store, recording, operation, given)


def _common(recording: Recording, before: RecordingDocument) -> dict[str, Any]:
    return {
        "resource_id": recording.resource_id,
        "template_entry_id": recording.template_entry_id,
        "before": {**words(before), "categories": before.categories},
    }


def _at_rest(session: Session, recording: Recording) -> None:
    """Raises ChainRunning while a chain of it runs."""
    if _latest(session, recording).next_attempt_at is not None:
        raise ChainRunning("A chain of this recording is still running. Try again when it has ended.")


def _changeable(session: Session, recording: Recording) -> None:
    """Raises ChainRunning while a chain of it runs, NotChangeable if it is not scheduled for other reasons."""
    _at_rest(session, recording)
    if recording.status != RecordingStatus.SCHEDULED:
        raise NotChangeable(f"Only a scheduled recording can be changed; this one is {recording.status}.")


def _latest(session: Session, recording: Recording) -> Chain:
    return latest_chains(session, [recording.id])[recording.id]


def _begin(
    session: Session,
    store: Store,
    recording: Recording,
    operation: str,
    given: Mapping[str, Any],
    party: str | None = None,
) -> Accepted:
    names = [step.name for step in DEFINITIONS[operation].steps]
    chain_id = store.create(session, recording.id, operation, names, given, party=party)
    return Accepted(recording.id, chain_id, begun=True)
