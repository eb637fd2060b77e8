"""One item of a plan is begun, and ends. Each is one transaction with its chain's beginning, or with what came of it.

So whoever is killed has done an item or has not: it is never begun twice, and none is lost.
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, insert, select, update
from sqlmodel import Session, SQLModel, col

from app.chains.models import Chain, ChainStatus
from app.chains.store import Claim, Store
from app.database.database import Database
from app.database.types import new_id, utc_now
from app.http.errors import Cancelled, Stale, Stuck
from app.recordings.changing import requests
from app.recordings.document import draft as drafts
from app.recordings.document.campus import newest
from app.recordings.document.draft import Draft
from app.recordings.models import Recording
from app.recordings.scheduling.accept import Accepted, accept_document, lock_and_reload
from app.terms.applying import refusing
from app.terms.comparing.items import Kind
from app.terms.models import Apply, Outcome, PlanItem, TermMeeting

_RECORDING, _MEETING = (SQLModel.metadata.tables[name] for name in ("recording", "term_meeting"))
# Built once: building a statement costs more than running it.
_KEEP = insert(_MEETING)
_MARK = update(_RECORDING).where(_RECORDING.c.id == bindparam("of"))


def draft_of(database: Database, item: PlanItem, client: str, default_zone: str, server_zone: ZoneInfo) -> Draft:
    """What a new recording comes to, worked out before a transaction begins. Raises RequestValidationError."""
    document = requests.read_document((item.work or {})["document"])
    with database.read() as session:
        campus = newest(session, document.calendars)
    return drafts.draft(client, document, default_zone, server_zone, campus)


def create(session: Session, store: Store, apply: Apply, item: PlanItem, draft: Draft, *, claim: bool) -> Claim | None:
    """Begins an item that is a new recording. With `claim`, its chain is this process's: to be run after the commit.

    Raises Stale, Problem.
    """
    accepted = accept_document(session, store, draft, None, claim=claim)
    if not accepted.recording_created and _is_kept(session, accepted.recording_id):
        raise Stale
    _keep(session, apply, item, accepted.recording_id, adopted=not accepted.recording_created)
    note_begun(session, item, accepted)
    return accepted.claim


def begin(session: Session, store: Store, apply: Apply, item: PlanItem, default_zone: str) -> None:
    """Begins an item that is no new recording; it has its outcome if no chain is needed. Raises Stale, Problem."""
    work = item.work or {}
    recording = unchanged(session, store, item)
    if item.kind == Kind.CANCEL:
        accepted = requests.cancel(session, store, recording)
        _end(session, work["known"])
        note_begun(session, item, accepted)
    elif item.kind == Kind.ADOPT:
        if work["known"] is not None:
            _end(session, work["known"])
        _keep(session, apply, item, recording.id, adopted=True)
        item.outcome = Outcome.DONE
    elif work["document"] is None:
        rewrite(session, item)
        item.outcome = Outcome.DONE
    else:
        accepted = requests.change(session, store, recording, requests.read_document(work["document"]), default_zone)
        note_begun(session, item, accepted)
        if not accepted.chain_started:
            rewrite(session, item)
    session.add(item)


def unchanged(session: Session, store: Store, item: PlanItem) -> Recording:
    """The item's recording, locked. Raises Stale if it has changed since the plan was made."""
    found = session.get(Recording, item.recording_id)
    if found is None:
        raise Stale
    recording = lock_and_reload(session, store, found)
    if requests.etag(recording) != (item.work or {})["etag"]:
        raise Stale
    return recording


def note_begun(session: Session, item: PlanItem, accepted: Accepted) -> None:
    item.recording_id, item.chain_id = accepted.recording_id, accepted.chain_id
    item.outcome = Outcome.WAITING if accepted.chain_started else Outcome.DONE
    session.add(item)


def end(session: Session, item: PlanItem, chain: Chain) -> bool:
    """Writes what came of the item's chain, if it has ended. Returns whether it has."""
    if chain.status == ChainStatus.SUCCEEDED:
        if item.kind in (Kind.CHANGE, Kind.REKEY):
            rewrite(session, item)
        item.outcome = Outcome.DONE
    elif chain.status == ChainStatus.FAILED:
        refusing.refuse(session, item, chain.error or {"code": Cancelled.code, "detail": Cancelled.advice})
    elif chain.status == ChainStatus.STUCK:
        refusing.refuse(session, item, chain.error or {"code": Stuck.code, "detail": Stuck.advice}, keeps=True)
    else:
        return False
    session.add(item)
    return True


def rewrite(session: Session, item: PlanItem) -> None:
    """What the term keeps is what was declared."""
    work = item.work or {}
    keeps = work["keeps"]
    session.execute(update(TermMeeting).where(col(TermMeeting.id) == work["known"]).values(**keeps))
    _mark(session, item.recording_id, keeps)


def _keep(session: Session, apply: Apply, item: PlanItem, recording_id: str, *, adopted: bool) -> None:
    of = {"client": apply.client, "term": apply.term, "recording_id": recording_id, "adopted": adopted}
    kept = (item.work or {})["keeps"]
    session.connection().execute(_KEEP, {"id": new_id("mtg"), "last_seen_at": utc_now(), **of, **kept})
    _mark(session, recording_id, kept, term=apply.term)
    item.recording_id = recording_id


def _mark(session: Session, recording_id: str | None, kept: Mapping[str, Any], **more: str) -> None:
    """The recording says of which section and meeting it is."""
    values = {"section": kept["sections"][0] if kept["sections"] else None, "meeting": kept["meeting"], **more}
    session.connection().execute(_MARK, {"of": recording_id, **values})


def _is_kept(session: Session, recording_id: str) -> bool:
    kept = (col(TermMeeting.recording_id) == recording_id, col(TermMeeting.ended_at).is_(None))
    return session.execute(select(col(TermMeeting.id)).where(*kept)).first() is not None


def _end(session: Session, known: str) -> None:
    session.execute(update(TermMeeting).where(col(TermMeeting.id) == known).values(ended_at=utc_now()))
