"""An hour in which all is well: 300 resources that are polled and booked, and not one finding."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from app.resources.models import Encoder, Mirror
from app.sandbox.seed.seed import CAMERA, DEFAULT_SEED, Seed
from tests.clocks import set_clock
from tests.findings.world import look, soon, watched
from tests.recordings.documents import SINGLE
from tests.service import Lectern, eventually

ROOMS = 300
FIRST = 1000
POLLED_EVERY = 4  # minutes, which is less often than encoders do
READ_EVERY = 8  # minutes, which is less often than Kaltura is looked at
SEED = Seed(
    partners=DEFAULT_SEED.partners,
    app_tokens=DEFAULT_SEED.app_tokens,
    resources=tuple(
        {"id": FIRST + n, "name": f"ROOM-{n}", "systemName": f"ROOM-{n}", "objectType": CAMERA} for n in range(ROOMS)
    ),
)


def poll_all(service: Lectern, etags: dict[int, str]) -> None:
    for number in range(ROOMS):
        given = {"If-None-Match": etags[number]} if number in etags else {}
        answer = service.client.get(f"/resources/ROOM-{number}/upcoming", headers=given)
        assert answer.status_code in (200, 304)
        etags[number] = answer.headers["ETag"]


def read_all(service: Lectern) -> None:
    """Kaltura is looked at for every resource, by the service's own threads, at the time that it is."""
    now = service.app.state.mirror.clock()
    database = service.app.state.database
    with database.write() as session:
        session.execute(update(Mirror).values(due_at=0.0, claimed_at=0.0))

    def done() -> bool:
        with database.read() as session:
            return len(session.execute(select(Mirror).where(col(Mirror.as_of) >= now)).all()) == ROOMS

    assert eventually(done, 60.0)
    service.app.state.feed.versions.expire()


def book_all(service: Lectern) -> None:
    """In each room a session that runs already, and one that begins within the hour."""
    for number in range(ROOMS):
        for start in (soon(-10), soon(25)):
            begin = int(start.timestamp())
            made = service.kaltura.add_event(startDate=begin, endDate=begin + 60 * 30)
            service.kaltura.link(made["id"], FIRST + number)


def test_an_hour_of_three_hundred_rooms_that_are_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(tmp_path, seed=SEED, refreshes_per_second=1000) as (service, told):
        clock = set_clock(0.0, monkeypatch)
        for number in range(5):
            start = soon(60).replace(second=0) + timedelta(days=number)
            service.made(SINGLE | {"resource": f"ROOM-{number}", "start": start.isoformat()})
        book_all(service)
        service.get("/resources")
        etags: dict[int, str] = {}
        for minute in range(61):
            if minute % POLLED_EVERY == 0:
                poll_all(service, etags)
            if minute % READ_EVERY == 0:
                read_all(service)
            service.app.state.signs.write()
            assert minute % 2 or look(service) == [], minute
            clock.off_by += 60
        assert told == []
        with service.app.state.database.read() as session:
            assert session.execute(select(func.count()).select_from(Encoder)).scalar_one() == ROOMS
