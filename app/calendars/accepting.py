"""The way of a calendar through a request: read, said and committed, waited for, answered."""

import asyncio
import time
from dataclasses import dataclass

from fastapi import Response

from app.access.keys import Client
from app.calendars import keeping
from app.calendars.days import Said
from app.calendars.fan_out import FanOut
from app.calendars.preview import preview
from app.calendars.reading import Body, read
from app.calendars.schemas import CalendarPreview, Progress
from app.database.database import Database
from app.database.types import utc_now
from app.http.threads import Threads

LOOK_EVERY = 0.2  # seconds between two looks whether all recordings follow
LOOK_AGAIN = "5"  # seconds


@dataclass(frozen=True, slots=True)
class Calendars:
    database: Database
    threads: Threads
    fan_out: FanOut
    terms_naming: keeping.TermsNaming

    async def put(self, client: Client, name: str, body: Body, wait: float, version: int | None = None) -> Response:
        """200 once every recording follows, or has failed to; 202 while some are still being changed.

        `version`: only if the calendar still has that one, 0 if there must be none. Raises PreconditionFailed.
        """
        said = await self.threads.writing.run(self._say, client, name, body, version)
        self.fan_out.thread.wake()
        until = time.monotonic() + wait
        while time.monotonic() < until and not self.fan_out.thread.stopping:
            if keeping.is_over(await self.threads.ending.run(self._progress, name)):
                break
            await asyncio.sleep(LOOK_EVERY)
        return await self.threads.ending.run(self._answer, name, said)

    def _say(self, client: Client, name: str, body: Body, version: int | None) -> Said:
        said = read(body, utc_now().date())
        with self.database.write(f"calendar {name}") as session:
            return keeping.say(session, name, said, client.name, version)

    def remove(self, name: str) -> None:
        """Raises NotFound and CalendarInUse."""
        with self.database.write() as session:
            keeping.remove(session, name, self.terms_naming)

    def _progress(self, name: str) -> Progress:
        with self.database.read() as session:
            return keeping.progress_of(session, name)

    def _answer(self, name: str, said: Said) -> Response:
        with self.database.read() as session:
            view = keeping.answer(session, name, said)
        status, headers = (200, {}) if keeping.is_over(view) else (202, {"Retry-After": LOOK_AGAIN})
        headers["Location"] = f"/calendars/{name}"
        return Response(view.model_dump_json(by_alias=True), status, headers, media_type="application/json")

    async def preview(self, client: Client, name: str, body: Body) -> CalendarPreview:
        return await self.threads.reading.run(self._preview, client, name, body)

    def _preview(self, client: Client, name: str, body: Body) -> CalendarPreview:
        said, now = read(body, utc_now().date()), utc_now()
        with self.database.read() as session:
            return preview(session, client.owns, name, said, now)
