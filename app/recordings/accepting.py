"""The way of a document through a request: accepted and committed, waited for, read anew, answered.

The only requests that do not commit at their end: they commit before they wait, so that what was accepted is durable
whatever happens to the connection, and no transaction is open meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Response
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool

from app.chains.models import Chain
from app.chains.store import Store
from app.chains.worker import Workers
from app.db import Database
from app.errors import problem
from app.recordings import reading, service
from app.recordings.models import Recording, RecordingStatus
from app.recordings.schemas import RecordingDocument
from app.recordings.service import Accepted
from app.recordings.work import Tools

LOOK_AGAIN = "2"  # seconds: a chain that Kaltura answers promptly takes less


@dataclass(frozen=True, slots=True)
class Acceptance:
    database: Database
    store: Store
    workers: Workers[Tools]
    default_zone: str

    async def schedule(self, client: str, document: RecordingDocument, key: str | None, wait: float) -> Response:
        """201 with a new recording, 200 with one that was there, 202 with one that goes on, or its problem."""
        document.schedule(self.default_zone)  # refused before anything is written
        return await self._run(
            lambda session: service.accept(session, self.store, client, document, key, self.default_zone), wait
        )

    async def resume(self, client: str, recording_id: str, wait: float) -> Response:
        return await self._run(lambda session: service.resume(session, self.store, client, recording_id), wait)

    async def _run(self, accept: Callable[[Session], Accepted], wait: float) -> Response:
        accepted = await run_in_threadpool(self._commit, accept)
        self.workers.nudge()
        await self.workers.ended(accepted.chain_id, wait, lambda: self._is_over(accepted.chain_id))
        return await run_in_threadpool(self._answer, accepted)

    def _commit(self, accept: Callable[[Session], Accepted]) -> Accepted:
        try:
            with self.database.write() as session:
                return accept(session)
        except IntegrityError:
            # The same document came twice at the same moment. The other one is there now.
            with self.database.write() as session:
                return accept(session)

    def _is_over(self, chain_id: str) -> bool:
        with self.database.read() as session:
            return session.get_one(Chain, chain_id).next_attempt_at is None

    def _answer(self, accepted: Accepted) -> Response:
        with self.database.read() as session:
            recording = session.get_one(Recording, accepted.recording_id)
            if recording.status == RecordingStatus.FAILED and recording.problem:
                raise problem({**recording.problem, "recording_id": recording.id})
            view = reading.views(session, [recording])[0]
        status = 200
        if accepted.begun:
            status = 202 if recording.status != RecordingStatus.SCHEDULED else 201 if accepted.made else 200
        headers = {"Location": f"/recordings/{recording.id}"}
        if status == 202:
            headers["Retry-After"] = LOOK_AGAIN
        return Response(view.model_dump_json(), status, headers, media_type="application/json")
