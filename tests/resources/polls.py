"""A service whose clock and mirror a test moves, and how its feed is asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import current_thread
from typing import Any

from fastapi import FastAPI
from httpx2 import Response
from sqlalchemy import event, update
from sqlmodel import col

from app.database.types import utc_now
from app.resources.models import Mirror, Round
from app.resources.rounds import RESOURCES
from app.sandbox.seed.seed import RESOURCE_ID
from tests.sandbox.kaltura import event as draft
from tests.service import Json, Lectern, eventually

PATH = "/resources/EXTRON-100-ABC/upcoming"
ROOM = {"objectType": "KalturaScheduleEventResource", "resourceId": RESOURCE_ID}


def upcoming(service: Lectern, **query: Any) -> list[Json]:
    shown: list[Json] = service.get(PATH, **query)["occurrences"]
    return shown


def poll(service: Lectern, etag: str | None = None, path: str = PATH, **headers: str) -> Response:
    given = {"If-None-Match": etag} if etag else {}
    return service.client.get(path, headers=given | headers)


def tag(service: Lectern, path: str = PATH) -> str:
    answer = poll(service, path=path)
    assert answer.status_code == 200, answer.text
    return answer.headers["ETag"]


def book(service: Lectern, start: datetime, minutes: int = 60, **values: Any) -> Json:
    """What somebody books in Kaltura itself."""
    begin = int(start.timestamp())
    made: Json = service.kaltura(
        "schedule_scheduleEvent",
        "add",
        scheduleEvent=draft(**{"startDate": begin, "endDate": begin + 60 * minutes, **values}),
    )
    service.kaltura("schedule_scheduleEventResource", "add", scheduleEventResource=ROOM | {"eventId": made["id"]})
    return made


def refresh(service: Lectern, resource_id: int = RESOURCE_ID) -> None:
    """One refresh of it, by the service's own threads, and everything that was remembered before is old.

    One that is under way already loses its claim, or its end would put off the one that is asked for here.
    """
    service.client.get(f"/resources/{resource_id}/upcoming")  # it is known from then on
    database = service.app.state.database
    before = service.app.state.mirror.clock()

    def refreshed() -> bool:
        with database.read() as session:
            row = session.get_one(Mirror, resource_id)
        return row.lease_until == 0.0 and (row.failure is not None or (row.as_of or before) > before)

    with database.write() as session:
        session.execute(
            update(Mirror)
            .where(col(Mirror.resource_id) == resource_id)
            .values(due_at=0.0, claimed_at=0.0, lease_until=0.0, fence=Mirror.fence + 1, failure=None)
        )
    assert eventually(refreshed)
    service.app.state.feed.versions.expire()


def make_round(service: Lectern, name: str = RESOURCES) -> None:
    """One round of it, by the service's own threads, that begins now."""
    database = service.app.state.database
    service.app.state.refreshers.ask()

    def state() -> Round | None:
        with database.read() as session:
            row = session.get(Round, name)
        return row if row and row.lease_until == 0.0 else None

    before = eventually(state).fence
    with database.write() as session:
        session.execute(update(Round).where(col(Round.name) == name).values(due_at=0.0))
    assert eventually(lambda: (row := state()) and row.fence > before)
    service.app.state.feed.versions.expire()


def pass_time(app: FastAPI, ahead: timedelta) -> None:
    """The service's clock is that much ahead; what is kept is looked at anew."""
    app.state.feed.clock = app.state.mirror.clock = lambda: utc_now() + ahead
    app.state.feed.versions.expire()


@contextmanager
def statements(service: Lectern) -> Iterator[list[str]]:
    """What is sent to the database meanwhile, by requests: the background threads have their own."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        if current_thread().name.startswith("mirror-"):
            return
        if "mirror.changed_at" in statement or "FROM occurrence" in statement or "FROM resource" in statement:
            sent.append(statement)

    engine = service.app.state.database.engine
    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)
