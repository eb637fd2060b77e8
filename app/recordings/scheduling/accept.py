"""Accepts a document: makes its recording and its chain, or finds those that it made before. Resumes chains.

Every function works in its caller's transaction and commits nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlmodel import Session, SQLModel, col

from app.access.keys import Client
from app.chains.models import Chain, ChainStatus
from app.chains.store import Claim, Store, latest_chains
from app.database.many_rows import insert_rows
from app.database.types import utc_now
from app.http.errors import (
    ChainRunning,
    IdempotencyKeyReused,
    NotChangeable,
    NotFound,
    NothingToResume,
    ReferenceInUse,
)
from app.notices.models import NoticeKind
from app.recordings.document import equality
from app.recordings.document.ahead import ensure_ahead
from app.recordings.document.campus import newest
from app.recordings.document.draft import Draft
from app.recordings.models import IdempotencyKey, Recording, RecordingStatus, ScheduleEvent
from app.recordings.retention import forget_failed
from app.recordings.scheduling.steps import SCHEDULE
from app.recordings.telling import tell_end
from app.recordings.whose import by_reference
from app.resources.models import Occurrence, OccurrenceStatus

_RECORDING = SQLModel.metadata.tables["recording"]
# Built once: building a statement costs more than running it.
_HOLD = select(_RECORDING.c.id).where(_RECORDING.c.id == bindparam("of")).with_for_update()

OVER = (RecordingStatus.CANCELLING, RecordingStatus.CANCELLED)
MAKING = ("schedule", "schedule_together")  # operations that make a new recording
_SCHEDULED = (
    update(Recording)
    .where(col(Recording.id) == bindparam("of"), col(Recording.status).not_in(OVER))
    .values(updated_at=bindparam("at"), status=RecordingStatus.SCHEDULED, problem=None)
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A recording and the chain to wait for.

    `chain_started`: by this request. `recording_created`: by this request, too. `claim`: the chain belongs to this
    process from the start. `unchanged`: the recording is already what the request asks for, and there is nothing to
    wait for.
    """

    recording_id: str
    chain_id: str
    chain_started: bool
    recording_created: bool = False
    claim: Claim | None = None
    unchanged: bool = False


def accept_document(session: Session, store: Store, draft: Draft, key: str | None, *, claim: bool = False) -> Accepted:
    """The document's recording: the one that it made before, or a new one with its chain, ready to run.

    With `claim`, a new chain is this process's from the start. A client's documents are to be accepted one after
    another, so that two equal ones at once find each other. Raises IdempotencyKeyReused, ReferenceInUse, what
    `ensure_stays` does and, for a new recording, NothingAhead.
    """
    before = _made_before(session, draft, key)
    if before is not None:
        accepted = Accepted(before, latest_chains(session, [before])[before].id, chain_started=False)
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
        if not equality.fits(used.fingerprint, draft.document, draft.schedule):
            raise IdempotencyKeyReused(recording_id=used.recording_id)
        return used.recording_id
    alive = by_reference(session, draft.client, draft.document.reference_id)
    if alive is None:
        return None
    ensure_stays(latest_chains(session, [alive.id])[alive.id])
    if not equality.same(alive, draft.document, draft.default_zone):
        raise ReferenceInUse(recording_id=alive.id)
    return alive.id


def ensure_stays(latest: Chain) -> None:
    """Raises ChainRunning if the recording of this chain, its latest, is on its way out: it is being cancelled, or is
    refused and undone. Raises NotChangeable if it is stuck at being cancelled."""
    if latest.operation == "cancel" and latest.status == ChainStatus.STUCK:
        raise NotChangeable("The recording that has this reference_id is stuck at being cancelled: resume it.")
    cancelled = latest.operation == "cancel" and latest.finished_at is None
    if cancelled or (latest.operation in MAKING and latest.status == ChainStatus.UNDOING):
        end = "cancelled" if cancelled else "undone, since it was refused"
        raise ChainRunning(f"The recording that has this reference_id is still being {end}. Try again after that.")


def add_recording(session: Session, draft: Draft) -> None:
    """Writes the rows of a new recording; whoever calls makes its chain. Raises NothingAhead."""
    newest(session, draft.document.calendars, hold=True)  # they are still there, and stay until this is committed
    ensure_ahead(draft.schedule, utc_now())
    forget_failed(session, draft.client, draft.document.reference_id)
    for table, rows in draft.rows:
        insert_rows(session.connection(), table, rows)


def _make(session: Session, store: Store, draft: Draft, claim: bool) -> Accepted:
    add_recording(session, draft)
    names = [step.name for step in SCHEDULE]
    if claim:
        claimed = store.create_claimed(session, draft.recording_id, "schedule", names, draft.input)
        return Accepted(draft.recording_id, claimed.chain_id, chain_started=True, recording_created=True, claim=claimed)
    chain_id = store.create(session, draft.recording_id, "schedule", names, draft.input)
    return Accepted(draft.recording_id, chain_id, chain_started=True, recording_created=True)


def lock_and_reload(session: Session, store: Store, recording: Recording) -> Recording:
    """Locks the recording's chains and reads it again: until the end of this transaction it stays as it is now.

    Raises NotFound if it was forgotten meanwhile (app/recordings/retention.py).
    """
    store.lock_chains(session, recording.id)
    try:
        session.refresh(recording)
    except InvalidRequestError:
        raise NotFound("There is no such recording.") from None
    return recording


def resume_latest_chain(session: Session, store: Store, recording: Recording) -> Accepted:
    """Makes the latest chain of a recording due at once, if it is stuck or waiting: it goes on from its open step.

    One that runs is left to run. Raises NothingToResume if it has ended.
    """
    lock_and_reload(session, store, recording)
    chain = latest_chains(session, [recording.id])[recording.id]
    if chain.finished_at is not None:
        raise NothingToResume()
    taken = store.make_due(session, chain.id)
    if taken and recording.status == RecordingStatus.STUCK:
        states = {**dict.fromkeys(MAKING, RecordingStatus.SCHEDULING), "cancel": RecordingStatus.CANCELLING}
        _set(session, recording.id, status=states.get(chain.operation, RecordingStatus.SCHEDULED), problem=None)
    return Accepted(recording.id, chain.id, chain_started=taken)


def resume_chain(session: Session, store: Store, client: Client, chain_id: str) -> Accepted:
    """`resume_latest_chain` for any chain of the client's recordings, also a sweep's. Raises NotFound, NothingToResume.

    A recording that is deleted is nobody's, and what is left of its chains an `admin`'s alone.
    """
    chain = session.get(Chain, chain_id) if chain_id.isascii() and chain_id.isprintable() else None
    recording = session.get(Recording, chain.subject.removeprefix("sweep:")) if chain else None
    if chain is None or not (client.owns(recording.client) if recording else client.sees_all):
        raise NotFound("There is no such chain.")
    store.lock_chains(session, chain.subject)
    of = recording if recording and recording.id == chain.subject else None  # a sweep is not the recording's own
    if of and latest_chains(session, [of.id])[of.id].id == chain.id:
        accepted = resume_latest_chain(session, store, of)
    else:
        accepted = Accepted(chain.subject, chain.id, chain_started=store.make_due(session, chain.id))
    if not accepted.chain_started:
        raise NothingToResume()
    return accepted


def lock_recording(session: Session, recording_id: str) -> None:
    """Locks the recording's row until the end of this transaction. To be called before other rows of it are locked."""
    if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer
        session.connection().execute(_HOLD, {"of": recording_id})


def schedule_ended(
    session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None, *, operation: str
) -> None:
    """Writes the end of a chain that makes a recording into it, unless it is cancelled, or being cancelled."""
    if status == ChainStatus.SUCCEEDED:
        session.connection().execute(_SCHEDULED, {"of": subject, "at": utc_now()})
        kind = NoticeKind.RECORDING_SCHEDULED
    elif status == ChainStatus.STUCK:
        _set(session, subject, status=RecordingStatus.STUCK, problem=error)
        kind = NoticeKind.RECORDING_STUCK
    else:
        kind = NoticeKind.RECORDING_FAILED
        _set(session, subject, status=RecordingStatus.FAILED, problem=error, active_reference=None)
        gone = update(Recording).where(col(Recording.id) == subject).values(template_entry_id=None)
        session.execute(gone)
        session.execute(
            update(Occurrence)
            .where(col(Occurrence.booking_id) == subject, col(Occurrence.status) != OccurrenceStatus.EXCLUDED)
            .values(status=OccurrenceStatus.CANCELLED, event_id=None, series_id=None)
        )
        session.execute(delete(ScheduleEvent).where(col(ScheduleEvent.recording_id) == subject))
    tell_end(session, subject, kind, operation, error)


def _set(session: Session, recording_id: str, **values: Any) -> None:
    session.execute(
        update(Recording)
        .where(col(Recording.id) == recording_id, col(Recording.status).not_in(OVER))
        .values(updated_at=utc_now(), **values)
    )
