"""What changes a recording: patches, cancellations, and what is done to one of its occurrences.

Every function works in its caller's transaction: it reads the recording, checks that it may be changed now, and begins
a chain (app/recordings/changing/steps.py). What the chain will find is decided when it runs.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from sqlalchemy import update
from sqlmodel import Session, col

from app.access.keys import Client
from app.chains.models import Chain
from app.chains.store import Store, latest_chains
from app.database.types import utc_now
from app.http.errors import ChainRunning, NotChangeable, PreconditionFailed, ReferenceInUse
from app.recordings.changing.decide import events_of, rows_of, touches
from app.recordings.changing.occurrences.coming_back import may_come_back
from app.recordings.changing.occurrences.details import begun_of, with_details
from app.recordings.changing.occurrences.hiding import hide_from_encoders, hide_unwanted, takes_only_away
from app.recordings.changing.operations import DEFINITIONS
from app.recordings.changing.placement import is_gone, own_resources, placed
from app.recordings.changing.switching import SCHEDULE_TOGETHER, Party
from app.recordings.document import equality
from app.recordings.document.ahead import ensure_ahead
from app.recordings.document.campus import follow, followed, is_behind, look_up, newest, note_tried, schedule_on
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import Draft, resource_input, words
from app.recordings.document.equality import resource_meant, zone_for
from app.recordings.models import Recording, RecordingStatus
from app.recordings.scheduling.accept import (
    Accepted,
    accept_document,
    add_recording,
    ensure_stays,
    lock_and_reload,
    resume_latest_chain,
)
from app.recordings.whose import Reference, by_reference, find
from app.resources.mirror import drift
from app.resources.models import Occurrence, OccurrenceStatus

SCHEDULED, CANCELLED = OccurrenceStatus.SCHEDULED, OccurrenceStatus.CANCELLED


def etag(recording: Recording) -> str:
    """The recording's ETag (RFC 9110, 8.8.3): another one whenever anything of the recording has changed.

    The version alone would do, were it not for backups: after one is put back, versions are given out again.
    """
    return etag_of(recording.version, recording.updated_at)


def etag_of(version: int, updated_at: datetime) -> str:
    """The same of columns alone."""
    return f'"{version:x}-{int(updated_at.timestamp() * 1_000_000):x}"'


def patched(recording: Recording, patch: Mapping[str, Any]) -> RecordingDocument:
    """The recording's document with a merge patch (RFC 7396) applied. Raises RequestValidationError."""
    return read_document(_merged(recording.document, patch))


def read_document(content: Mapping[str, Any]) -> RecordingDocument:
    """Raises RequestValidationError, with pointers as of a request's body."""
    try:
        return RecordingDocument.model_validate(content)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError([one | {"loc": ("body", *one["loc"])} for one in found]) from None


def _merged(document: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """A null of a member that is not there stays: whoever reads the result refuses it, if no document may have one."""
    merged = dict(document)
    for name, value in patch.items():
        if value is None and name in merged:
            del merged[name]
        elif isinstance(value, Mapping):
            before = merged.get(name)
            merged[name] = _merged(before if isinstance(before, Mapping) else {}, value)
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
    """Makes a chain that makes the recording what `document` says; none if it is so already.

    `party`: the recording is changed together with others, or not at all.

    A new `reference_id` is the recording's from now on, so that nobody else takes it while the chain runs. Raises
    ReferenceInUse, NothingAhead, and what `ensure_changeable` does.
    """
    ensure_changeable(session, recording)
    if _changes_nothing(session, recording, document, default_zone):
        return catch_up(session, store, recording) or already_done(session, recording)
    before = RecordingDocument.model_validate(recording.document)
    same_resource = resource_meant(before) == resource_meant(document) and not is_gone(session, recording.resource_id)
    campus = newest(session, document.calendars, hold=True)
    zone = zone_for(recording, default_zone)
    schedule = schedule_on(document, zone, campus)
    ensure_ahead(schedule, utc_now(), recording)
    if document.reference_id != recording.active_reference:
        other = by_reference(session, recording.client, document.reference_id)
        if other is not None:
            raise ReferenceInUse(recording_id=other.id)
        session.execute(
            update(Recording).where(col(Recording.id) == recording.id).values(active_reference=document.reference_id)
        )
    given = {
        **common_input(recording, before),
        **words(document),
        "categories": document.categories,
        "on_conflict": document.on_conflict,
        "resource": None if same_resource else _resource_input(recording.id, resource_input(document), party),
        "rooms": own_resources(session, recording),
        "together": list(party.items) if party else [],
        "change": {
            "document": document.model_dump(mode="json", exclude_unset=True),
            "zone": schedule.zone.key,
            "campus": campus.within(document, zone).as_json(),
        },
    }
    if same_resource and takes_only_away(followed(recording), schedule):
        hide_unwanted(session, recording.id, schedule)
    if party is None:
        return start_chain(session, store, recording, "update", given)
    return start_chain(session, store, recording, "update", {**given, "party": party.as_input()}, party.id)


def catch_up(session: Session, store: Store, recording: Recording) -> Accepted | None:
    """Makes a chain that makes a locked recording, at rest, follow its calendars as they are now.

    None if no occurrence of it is touched, and none that was left out may come back: it follows them already, or does
    from now on.
    """
    if not is_behind(session, recording.id):
        return None
    document = RecordingDocument.model_validate(recording.document)
    campus = look_up(session, document.calendars).within(document, recording.time_zone)
    change = {"document": recording.document, "zone": recording.time_zone, "campus": campus.as_json()}
    rows = rows_of(session, recording.id, events_of(session, recording.id))
    if not touches(change, rows, utc_now()) and not may_come_back(session, recording):
        follow(session, recording.id, campus)
        return None
    given = {**_as_before(session, recording, document), "resource": None, "together": [], "change": change}
    hide_unwanted(session, recording.id, campus.on(document.schedule(recording.time_zone)))
    accepted = start_chain(session, store, recording, "calendar", given)
    note_tried(session, recording.id, campus, accepted.chain_id)
    return accepted


def _as_before(session: Session, recording: Recording, document: RecordingDocument) -> dict[str, Any]:
    """What a chain is given of a document that stays as it is."""
    return {
        **common_input(recording, document),
        **words(document),
        "rooms": own_resources(session, recording),
        "categories": document.categories,
        "on_conflict": document.on_conflict,
    }


def _changes_nothing(session: Session, recording: Recording, document: RecordingDocument, default_zone: str) -> bool:
    """Whether nothing is to be done. A document whose resource is gone may say the same, and mean another one now."""
    if not equality.same(recording, document, default_zone) or may_come_back(session, recording):
        return False
    if not is_gone(session, recording.resource_id):
        return True
    return resource_input(document) == resource_input(RecordingDocument.model_validate(recording.document))


def _resource_input(recording_id: str, asked: Mapping[str, Any], party: Party | None) -> Mapping[str, Any]:
    """The resource of a chain's input. In a party it is the one that was found when the batch was planned, since the
    lanes of all are named by that."""
    found = party.found.get(recording_id) if party else None
    return {"id": found} if found is not None else asked


def resume(session: Session, store: Store, client: Client, recording_id: str) -> Accepted:
    """Makes a chain that is stuck or waiting due at once; mends the drift of a recording that is scheduled, or over,
    brings it up to its calendars, or brings back what was left out.

    If the resource is gone, what lies ahead moves to the one that the document means now; so does an occurrence whose
    own resource is gone.
    """
    recording = lock_and_reload(session, store, find(session, client, recording_id))
    found = drift.drift_of(session, [recording.id]).get(recording.id, [])
    extra = [one["event_id"] for one in found if one["kind"] == "extra"]
    is_over = recording.status in (RecordingStatus.CANCELLED, RecordingStatus.FAILED)
    if is_over and extra and _latest(session, recording).finished_at is not None:
        return start_chain(session, store, recording, "clear", _ending(session, recording, extra=extra))
    if recording.status != RecordingStatus.SCHEDULED or not found:
        if not _is_at_rest(session, recording):
            return resume_latest_chain(session, store, recording)
        if not is_behind(session, recording.id) and may_come_back(session, recording):
            document = RecordingDocument.model_validate(recording.document)
            return change(session, store, recording, document, recording.time_zone)
        return catch_up(session, store, recording) or resume_latest_chain(session, store, recording)
    ensure_changeable(session, recording)
    begun = begun_of(session, [one["occurrence_id"] for one in found if one["kind"] == "moved"])
    replaced = {one["occurrence_id"] for one in found if one["kind"] == "replaced"}
    for one in found:
        if one["occurrence_id"] in begun | replaced:  # there under another id: that is where it is now
            mine = col(Occurrence.id) == one["occurrence_id"]
            session.execute(update(Occurrence).where(mine).values(event_id=one["event_id"]))
    document = RecordingDocument.model_validate(recording.document)
    campus = look_up(session, document.calendars).within(document, recording.time_zone)
    homeless = [one.id for one in placed(session, recording) if is_gone(session, one.resource_id)]
    hide_unwanted(session, recording.id, campus.on(document.schedule(recording.time_zone)))
    given = {
        **_as_before(session, recording, document),
        "resource": resource_input(document) if any(one["kind"] == "resource_gone" for one in found) else None,
        "together": [],
        "change": {
            "document": recording.document,
            "zone": recording.time_zone,
            "campus": campus.as_json(),
            "afresh": homeless + [one["occurrence_id"] for one in found if one["kind"] in ("missing", "moved")],
            "homeless": homeless,
            "touched": sorted(begun | with_details(session, replaced)),
            "unlisted": [one["occurrence_id"] for one in found if one["kind"] == "unlisted"],
            "extra": extra,
        },
    }
    return start_chain(session, store, recording, "mend", given)


def put(session: Session, store: Store, document: RecordingDocument, draft: Draft, default_zone: str) -> Accepted:
    """Makes the recording with the document's `reference_id`, or makes that one what the document says."""
    recording = by_reference(session, draft.client, document.reference_id)
    if recording is None:
        return accept_document(session, store, draft, None)
    return replace_document(session, store, lock_and_reload(session, store, recording), document, default_zone)


def post(session: Session, store: Store, draft: Draft, key: str | None, *, claim: bool) -> Accepted:
    """Makes the document's recording, or finds the one that it made: of that, what was left out may come back.

    A key is for one request alone: sent again, nothing more comes of it.
    """
    accepted = accept_document(session, store, draft, key, claim=claim)
    if accepted.chain_started or key is not None:
        return accepted
    recording = by_reference(session, draft.client, draft.document.reference_id)
    if recording is None or recording.id != accepted.recording_id or recording.status != RecordingStatus.SCHEDULED:
        return accepted
    lock_and_reload(session, store, recording)
    if _latest(session, recording).finished_at is None or not may_come_back(session, recording):
        return accepted
    return change(session, store, recording, draft.document, draft.default_zone)


def replace_document(
    session: Session,
    store: Store,
    recording: Recording,
    document: RecordingDocument,
    default_zone: str,
    *,
    party: Party | None = None,
) -> Accepted:
    """Makes a locked recording what a whole document says. A chain that is stuck on the way there is resumed."""
    latest = _latest(session, recording)
    ensure_stays(latest)
    if recording.status == RecordingStatus.STUCK and _aims_at(latest, recording, document, default_zone):
        return resume_latest_chain(session, store, recording)
    document_stays = latest.finished_at is not None or latest.operation != "update"
    if document_stays and _changes_nothing(session, recording, document, default_zone):
        caught_up = _catch_up_at_rest(session, store, recording)
        return caught_up or replace(already_done(session, recording), unchanged=True)
    return change(session, store, recording, document, default_zone, party=party)


def _catch_up_at_rest(session: Session, store: Store, recording: Recording) -> Accepted | None:
    """`catch_up`, if the recording may be changed now. Else it is done later, by whoever looks for what is behind."""
    return catch_up(session, store, recording) if _is_at_rest(session, recording) else None


def _is_at_rest(session: Session, recording: Recording) -> bool:
    return recording.status == RecordingStatus.SCHEDULED and _latest(session, recording).next_attempt_at is None


def create_in_party(session: Session, store: Store, draft: Draft, party: Party) -> Accepted:
    """Makes a recording that goes where others of the party leave, with its chain. Raises NothingAhead."""
    add_recording(session, draft)
    resource = _resource_input(draft.recording_id, draft.input["resource"], party)
    given = {**draft.input, "resource": resource, "together": list(party.items), "party": party.as_input()}
    names = [step.name for step in SCHEDULE_TOGETHER]
    chain_id = store.create(session, draft.recording_id, "schedule_together", names, given, party=party.id)
    return Accepted(draft.recording_id, chain_id, chain_started=True, recording_created=True)


def _aims_at(chain: Chain, recording: Recording, document: RecordingDocument, default_zone: str) -> bool:
    """Whether the recording will be what the document says when the chain has succeeded."""
    if chain.operation != "update":
        return equality.same(recording, document, default_zone)
    change, schedule = chain.input["change"], document.schedule(zone_for(recording, default_zone))
    return equality.same_documents(change["document"], change["zone"], document, schedule)


def cancel(session: Session, store: Store, recording: Recording) -> Accepted:
    """Makes a chain that cancels what lies ahead. One that still runs is asked to stop; a stuck cancellation goes on.

    A failed recording, of which there is nothing to cancel, is listed no more.
    """
    if recording.status == RecordingStatus.FAILED and recording.listed:
        recording.listed = False
        session.add(recording)
    if recording.status in (RecordingStatus.CANCELLED, RecordingStatus.CANCELLING, RecordingStatus.FAILED):
        return already_done(session, recording)
    latest = _latest(session, recording)
    session.execute(
        update(Recording)
        .where(col(Recording.id) == recording.id)
        .values(status=RecordingStatus.CANCELLING, problem=None, updated_at=utc_now())
    )
    hide_from_encoders(session, col(Occurrence.booking_id) == recording.id)
    if latest.operation == "cancel":
        store.make_due(session, latest.id)
        return Accepted(recording.id, latest.id, chain_started=True)
    store.ask_to_stop(session, latest.id)
    return start_chain(session, store, recording, "cancel", _ending(session, recording))


def _ending(session: Session, recording: Recording, **more: Any) -> dict[str, Any]:
    resources = own_resources(session, recording)
    return {"resource_id": recording.resource_id, "rooms": resources, "change": {"cancel": True, **more}}


def already_done(session: Session, recording: Recording) -> Accepted:
    return Accepted(recording.id, _latest(session, recording).id, chain_started=False)


def lock_if_match(
    session: Session, store: Store, client: Client, named: str | Reference, if_match: str | None
) -> Recording:
    """The recording, locked (`lock_and_reload`). Raises NotFound; PreconditionFailed if the client's `If-Match` is not
    its ETag (RFC 9110, 13.1.1)."""
    recording = lock_and_reload(session, store, find(session, client, named))
    allowed = {"*", etag(recording)}
    if if_match is not None and allowed.isdisjoint(tag.strip() for tag in if_match.split(",")):
        raise PreconditionFailed()
    return recording


def common_input(recording: Recording, before: RecordingDocument) -> dict[str, Any]:
    return {
        "resource_id": recording.resource_id,
        "template_entry_id": recording.template_entry_id,
        "before": {**words(before), "categories": before.categories},
    }


def ensure_at_rest(session: Session, recording: Recording) -> None:
    """Raises ChainRunning while a chain of it runs."""
    if _latest(session, recording).next_attempt_at is not None:
        raise ChainRunning("A chain of this recording is still running. Try again when it has ended.")


def ensure_changeable(session: Session, recording: Recording) -> None:
    """Raises ChainRunning while a chain of it runs, NotChangeable if it is not scheduled for other reasons."""
    ensure_at_rest(session, recording)
    if recording.status != RecordingStatus.SCHEDULED:
        raise NotChangeable(f"Only a scheduled recording can be changed; this one is {recording.status}.")


def _latest(session: Session, recording: Recording) -> Chain:
    return latest_chains(session, [recording.id])[recording.id]


def start_chain(
    session: Session,
    store: Store,
    recording: Recording,
    operation: str,
    given: Mapping[str, Any],
    party: str | None = None,
) -> Accepted:
    names = [step.name for step in DEFINITIONS[operation].steps]
    chain_id = store.create(session, recording.id, operation, names, given, party=party)
    return Accepted(recording.id, chain_id, chain_started=True)
