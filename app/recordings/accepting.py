"""What the endpoints that change something call: accept and commit, wait for the chain, read again, answer.

The only requests that do not commit at their end: they commit before they wait, so that what was accepted is durable
whatever happens to the connection, and no transaction is open meanwhile.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import structlog
from fastapi import Response
from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from app.access.keys import Client
from app.chains.models import Chain, ChainStatus
from app.chains.store import Store
from app.chains.worker import Workers
from app.database.database import Database
from app.database.deadlocks import again_if_crossed
from app.database.types import utc_now
from app.http.errors import ScheduleUnknown, problem
from app.http.threads import Threads
from app.kaltura.client import KalturaClient
from app.recordings import whose
from app.recordings.changing import batch, one_occurrence, requests
from app.recordings.changing.batch_schemas import Batch, Outcome
from app.recordings.changing.final_state import Planned
from app.recordings.document import draft as drafts
from app.recordings.document.campus import NOTHING, Campus, newest
from app.recordings.document.document import RecordingDocument
from app.recordings.document.preview import Preview, Subject, look_up, preview
from app.recordings.models import Recording, RecordingStatus
from app.recordings.reading import queries
from app.recordings.scheduling.accept import Accepted, resume_chain
from app.recordings.scheduling.context import Tools
from app.recordings.whose import Reference
from app.resources.feed import polling
from app.resources.feed.polling import Feed
from app.resources.models import Occurrence

log = structlog.get_logger(__name__)
T = TypeVar("T")

# What is asked of every chain, built once and without its input: both cost more than the asking.
_NOT_OVER = select(col(Chain.id)).where(
    col(Chain.id).in_(bindparam("of", expanding=True)), col(Chain.next_attempt_at).is_not(None)
)

LOOK_AGAIN = "2"  # seconds: a chain that Kaltura answers promptly takes less


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One a process. `default_zone` is that of documents without one, `server_zone` that of Kaltura's server.

    `wait` is in seconds, for which an answer may wait for the end of a chain. `named`: a recording by its id or its
    client's reference. Each method raises the problem (app/http/errors.py) that the client is to be told.
    """

    database: Database
    store: Store
    workers: Workers[Tools]
    default_zone: str
    server_zone: ZoneInfo
    threads: Threads
    feed: Feed

    async def schedule(self, client: Client, document: RecordingDocument, key: str | None, wait: float) -> Response:
        """201 with a new recording, 200 with one that was there, 202 with one that goes on, or its problem."""
        # Refused before anything is written.
        draft = await self._draft(client, document)

        def accept(session: Session) -> Accepted:
            return requests.post(session, self.store, draft, key, claim=self.workers.spare)

        return await self._run(client, accept, wait)

    async def resume(self, client: Client, recording_id: str, wait: float) -> Response:
        """200 with the recording once its chain has ended, 202 while it goes on."""

        def accept(session: Session) -> Accepted:
            return requests.resume(session, self.store, client, recording_id)

        return await self._run(client, accept, wait, recording_id)

    async def resume_chain(self, client: Client, chain_id: str, wait: float) -> Response:
        """200 with the chain when it has ended, 202 while it goes on."""

        def accept() -> Accepted:
            return self._write(None, lambda session: resume_chain(session, self.store, client, chain_id))

        accepted = await self.threads.writing.run(accept)
        self._start_chains(accepted)
        await self._ended(accepted, wait)
        return await self.threads.ending.run(self._answer_chain, chain_id)

    def _answer_chain(self, chain_id: str) -> Response:
        with self.database.read() as session:
            view = queries.chain(session, chain_id)
        status, headers = (200, {}) if view.finished_at else (202, {"Retry-After": LOOK_AGAIN})
        return Response(view.model_dump_json(), status, headers, media_type="application/json")

    async def change(
        self, client: Client, named: str | Reference, patch: Mapping[str, Any], if_match: str | None, wait: float
    ) -> Response:
        """200 with the changed recording, 202 while it goes on, or the problem that left it as it was."""

        def accept(session: Session) -> Accepted:
            recording = requests.lock_if_match(session, self.store, client, named, if_match)
            document = requests.patched(recording, patch)
            return requests.change(session, self.store, recording, document, self.default_zone)

        return await self._run(client, accept, wait, named)

    async def cancel(self, client: Client, named: str | Reference, if_match: str | None, wait: float) -> Response:
        """200 with the cancelled recording, 202 while it goes on."""

        def accept(session: Session) -> Accepted:
            recording = requests.lock_if_match(session, self.store, client, named, if_match)
            return requests.cancel(session, self.store, recording)

        return await self._run(client, accept, wait, named, refusable=False)

    async def change_occurrence(
        self,
        client: Client,
        recording_id: str,
        occurrence_id: str,
        act: Callable[[Session, Store, Recording, Occurrence], Accepted],
        wait: float,
        if_match: str | None = None,
    ) -> Response:
        """200 with the changed occurrence, 202 while it goes on."""

        def accept(session: Session) -> Accepted:
            recording = requests.lock_if_match(session, self.store, client, recording_id, if_match)
            occurrence = one_occurrence.find_occurrence(session, recording, occurrence_id)
            return act(session, self.store, recording, occurrence)

        return await self._run(client, accept, wait, recording_id, occurrence_id)

    async def put(self, client: Client, document: RecordingDocument, if_match: str | None, wait: float) -> Response:
        """201 with a new recording, 200 with a changed one, 204 for one that is as the document says."""
        draft = await self._draft(client, document)

        def accept(session: Session) -> Accepted:
            if if_match is not None and document.reference_id is not None:
                named = Reference(document.reference_id)
                requests.lock_if_match(session, self.store, client, named, if_match)
            return requests.put(session, self.store, document, draft, self.default_zone)

        return await self._run(client, accept, wait)

    async def _draft(self, client: Client, document: RecordingDocument) -> drafts.Draft:
        campus = await self.threads.reading.run(self._campus, document) if document.calendars else NOTHING
        return drafts.draft(client.name, document, self.default_zone, self.server_zone, campus)

    def _campus(self, document: RecordingDocument) -> Campus:
        with self.database.read() as session:
            return newest(session, document.calendars)

    async def preview(self, client: Client, kaltura: KalturaClient, document: RecordingDocument) -> Preview:
        """What the document would come to. Waits a moment for the first look at what the resource has in Kaltura."""
        now = utc_now()
        given = self.database, kaltura, client, document, self.default_zone, now
        subject = await self.threads.ask(client.key, look_up, *given)
        shown = partial(preview, read=await self._is_read(subject))
        return await self.threads.reading.run(shown, self.database, client, document, subject, self.server_zone, now)

    async def _is_read(self, subject: Subject) -> bool:
        """Whether SQL has what Kaltura has on the resource. Of one that is not there, that is nothing."""
        if subject.resource_id is None:
            return True
        try:
            await self.feed.mirrored(subject.resource_id, 0.0 if subject.away else polling.FIRST_WAIT)
        except ScheduleUnknown:
            return False
        return True

    async def batch(self, client: Client, kaltura: KalturaClient, asked: Batch, wait: float) -> Response:
        """200 when every change is applied, 202 while one goes on, 207 if one was refused; or the conflicts of all."""
        look = partial(batch.check, asks=bool(wait))
        given = self.database, kaltura, client, asked, self.default_zone, self.server_zone
        planned = await self.threads.ask(client.key, look, *given)
        accepted = await self.threads.writing.run(self._commit_all, client, asked, planned)
        self._start_chains(*accepted)
        await asyncio.gather(*(self._ended(one, wait) for one in accepted))
        return await self.threads.ending.run(self._answer_all, accepted, bool(wait))

    def _commit_all(self, client: Client, asked: Batch, planned: Sequence[Planned]) -> list[Accepted]:
        turns = {one.of.client for one in planned}
        zone = self.default_zone
        return self._write(turns, lambda session: batch.apply(session, self.store, client, asked, planned, zone))

    def _answer_all(self, accepted: Sequence[Accepted], waited: bool) -> Response:
        with self.database.read() as session:
            over = waited and _are_over(session, [one.chain_id for one in accepted])
            view = batch.views(session, accepted, self.server_zone)
        status = 202
        if over:
            status = 200 if all(one.outcome == Outcome.APPLIED for one in view.items) else 207
        headers = {} if over else {"Retry-After": LOOK_AGAIN}
        return Response(view.model_dump_json(), status, headers, media_type="application/json")

    async def _run(
        self,
        client: Client,
        accept: Callable[[Session], Accepted],
        wait: float,
        named: str | Reference | None = None,
        occurrence_id: str | None = None,
        *,
        refusable: bool = True,
    ) -> Response:
        accepted = await self.threads.writing.run(self._commit, client, accept, named)
        if accepted.unchanged:
            return Response(status_code=204, headers={"Location": f"/recordings/{accepted.recording_id}"})
        self._start_chains(accepted)
        await self._ended(accepted, wait)
        at_once = accepted.chain_started and not wait  # and so a 202, also if the chain was quicker than the answer
        told = refusable and not at_once
        return await self.threads.ending.run(self._answer, accepted, occurrence_id, told, at_once)

    def _commit(self, client: Client, accept: Callable[[Session], Accepted], named: str | Reference | None) -> Accepted:
        # A client's requests decide by what is there one after another: two equal ones at once find each other.
        # An `admin` who changes somebody's recording takes that client's turn.
        turn = client.name
        if client.sees_all and named is not None:
            with self.database.read() as session:
                turn = whose.find(session, client, named).client
        return self._write(turn, accept)

    def _write(self, turn: str | Collection[str] | None, act: Callable[[Session], T]) -> T:
        def once() -> T:
            with self.database.write(turn) as session:
                return act(session)

        return again_if_crossed(once)

    def _start_chains(self, *accepted: Accepted) -> None:
        for one in accepted:  # the one line that a request's id and a chain's stand on together
            log.info("accepted", recording_id=one.recording_id, chain_id=one.chain_id, new=one.recording_created)
            if one.claim is not None:
                self.workers.run_claimed(one.claim)
        if any(one.claim is None for one in accepted):
            self.workers.nudge()

    async def _ended(self, accepted: Accepted, wait: float) -> None:
        is_over = partial(self._is_over, accepted.chain_id)
        await self.workers.wait_for_end(accepted.chain_id, wait, is_over, new=accepted.recording_created)

    def _is_over(self, chain_id: str) -> bool:
        with self.database.read() as session:
            return _are_over(session, [chain_id])

    def _answer(self, accepted: Accepted, occurrence_id: str | None, refusable: bool, at_once: bool) -> Response:
        with self.database.read() as session:
            (found,) = queries.shown(session, [accepted.recording_id])
            recording, chain = found.recording, found.chain
            if chain.id != accepted.chain_id:
                chain = session.get_one(Chain, accepted.chain_id)
            refused = recording.status == RecordingStatus.FAILED or (accepted.chain_started and chain.error)
            if refusable and chain.status == ChainStatus.FAILED and chain.error and refused:
                raise problem({**chain.error, "recording_id": recording.id})
            view = (
                queries.views(session, [found], self.server_zone)[0]
                if occurrence_id is None
                else queries.occurrence(session, recording, occurrence_id)
            )
        headers = {"Location": f"/recordings/{recording.id}", "ETag": requests.etag(recording)}
        status = 201 if accepted.recording_created else 200
        if at_once or (accepted.chain_started and chain.status != ChainStatus.SUCCEEDED):
            status, headers["Retry-After"] = 202, LOOK_AGAIN
        return Response(view.model_dump_json(), status, headers, media_type="application/json")


def _are_over(session: Session, chain_ids: Sequence[str]) -> bool:
    return session.connection().execute(_NOT_OVER, {"of": chain_ids}).first() is None
