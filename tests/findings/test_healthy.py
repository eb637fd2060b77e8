"""An hour in which all is well, and much happens: 300 resources that are polled and booked, and not one finding."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlmodel import col
from standardwebhooks import Webhook

from app.recordings.models import Recording
from app.resources.models import Encoder, Mirror
from app.resources.rounds import ENTRIES, RESOURCES, UPLOADS
from app.sandbox.seed.seed import CAMERA, DEFAULT_SEED, Seed
from app.webhooks import receivers
from tests.calendars import campus
from tests.clocks import HostClock, set_clock
from tests.findings.world import look, soon, watched
from tests.recordings.documents import SINGLE
from tests.resources.polls import make_round
from tests.service import Lectern, eventually, found
from tests.terms.campus import Registrar
from tests.terms.campus import section as taught
from tests.webhooks.receiver import Receiver, receiving

ROOMS = 300
FIRST = 1000
POLLED_EVERY = 4  # minutes, which is less often than encoders do
READ_EVERY = 8  # minutes, which is less often than Kaltura is looked at
DAY = 24 * 60  # minutes
SEED = Seed(
    partners=DEFAULT_SEED.partners,
    app_tokens=DEFAULT_SEED.app_tokens,
    resources=tuple(
        {"id": FIRST + n, "name": f"ROOM-{n}", "systemName": f"ROOM-{n}", "objectType": CAMERA} for n in range(ROOMS)
    ),
)
# Which rooms are what for; in each of them is what `book_all` books as well.
LECTURES, OVER, ON_THE_CALENDAR, IN_THE_TERM, SAYING = 0, 10, 20, 30, 40
STATES = ("idle", "recording", "uploading", "idle", "offline", "idle")


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


def schedule(service: Lectern) -> None:
    """Lectures, one right after another; of a calendar; and of a term."""
    for number in range(LECTURES, LECTURES + 5):
        for hours in (1, 2):
            start = soon(60 * hours).replace(second=0) + timedelta(days=number)
            service.made(SINGLE | {"resource": f"ROOM-{number}", "start": start.isoformat(), "duration_minutes": 60})
    campus.say(service)
    for number in range(ON_THE_CALENDAR, ON_THE_CALENDAR + 3):
        service.made(campus.section(f"ROOM-{number}"))
    registrar = Registrar(service)
    registrar.set(rooms={f"R{n}": f"ROOM-{IN_THE_TERM + n}" for n in range(3)}, calendars=[campus.NAME])
    registrar.applied([taught(f"MATH-{n}", f"R{n}") for n in range(3)])


def have_recorded(service: Lectern) -> None:
    """What was over twenty minutes ago, so that it is looked for within this hour, was uploaded, as yesterday's was."""
    rule = {"frequency": "daily", "count": 3}
    for number in range(OVER, OVER + 3):
        document = {"resource": f"ROOM-{number}", "duration_minutes": 50, "time_zone": "UTC", "recurrence": rule}
        made = service.made(SINGLE | document | {"start": soon(-DAY - 70).isoformat()})
        for minutes in (-DAY - 10, -10):
            template = made["kaltura"]["template_entry_id"]
            service.sandbox.upload({"template_entry_id": template, "created_at": soon(minutes).isoformat()})
    with service.app.state.database.write() as session:
        session.execute(update(Recording).values(created_at=soon(-2 * DAY)))


def happen(service: Lectern, minute: int) -> None:
    """What people and encoders do in such an hour."""
    for number in range(SAYING, SAYING + 5):
        state = STATES[(minute // 10 + number) % len(STATES)]
        found(service.client.put(f"/resources/ROOM-{number}/state", json={"state": state}))
    if minute == 20:
        campus.say(service, campus.day(2))  # a snow day, which everybody follows
    if minute == 30:
        made = service.made(SINGLE | {"resource": "ROOM-50", "start": soon(DAY).isoformat()})
        found(service.client.patch(f"/recordings/{made['id']}", json={"title": "New"}))
        found(service.client.delete(f"/recordings/{made['id']}"))


def minutes_of(clock: HostClock, count: int) -> Iterator[int]:
    for minute in range(count):
        yield minute
        clock.off_by += 60


def test_an_hour_of_three_hundred_rooms_that_are_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"seed": SEED, "refreshes_per_second": 1000}
    with watched(tmp_path, **own) as (service, told), receiving(Receiver()) as receiver:
        clock = set_clock(0.0, monkeypatch)
        monkeypatch.setattr(Webhook, "verify", lambda _self, body, _headers: json.loads(body))  # its clock is another
        with service.app.state.database.write() as session:
            receiver.secret = receivers.create(session, None, receiver.url, ["*"]).secret
        schedule(service)
        have_recorded(service)
        book_all(service)
        service.get("/resources")
        etags: dict[int, str] = {}
        for minute in minutes_of(clock, 61):
            if minute % POLLED_EVERY == 0:
                poll_all(service, etags)
            if minute % READ_EVERY == 0:
                read_all(service)
            if minute % 10 == 0:
                happen(service, minute)
                for name in (RESOURCES, ENTRIES, UPLOADS):
                    make_round(service, name)
            service.app.state.signs.write()
            assert minute % 2 or look(service) == [], minute
        assert told == []
        assert eventually(lambda: {"calendar.applied", "term.applied", "recording.cancelled"} <= set(receiver.told()))
        with service.app.state.database.read() as session:
            assert session.execute(select(func.count()).select_from(Encoder)).scalar_one() == ROOMS
