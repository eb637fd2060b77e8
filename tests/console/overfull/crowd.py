"""A large campus, straight in SQL: 300 rooms, 2,000 sessions a day, and two rooms that are in trouble."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import insert
from sqlmodel import SQLModel

from app.database.database import Database
from app.database.types import utc_now
from app.sandbox.seed.seed import CAMERA, DEFAULT_SEED, Seed
from tests.console.campus import COURSES, SLOTS, ZONE

ROOMS, SESSIONS = 300, 2_000
FIRST = 700_000  # the first room's id
SILENT, STUCK = 137, 42  # numbers of rooms: an encoder that is silent, a recording that is stuck
HALLS = (
    *("Aldrich Hall", "Baker Auditorium", "Chemistry", "Engineering", "Founders Theater", "Graduate School"),
    *("Humanities Quadrangle", "Library", "Math Tower", "Physics Forum", "Rosen Center", "South Hall"),
)


def name_of(number: int) -> str:
    floor, door = divmod(number // len(HALLS), 9)
    return f"{HALLS[number % len(HALLS)]} {floor + 1}{door + 1:02}"


def system_name_of(number: int) -> str:
    return name_of(number).upper().replace(" ", "-")


def seed() -> Seed:
    """A sandbox that has these rooms: those that Kaltura has not are shown to nobody."""
    cameras = ({**room, "objectType": CAMERA} for room in _rooms("systemName"))
    return replace(DEFAULT_SEED, resources=tuple(cameras))


def fill(database: Database, day: date, client: str) -> None:
    """`day` is full, by the clocks of ZONE, and so are the days beside it; all of it is the client's.

    Most encoders have polled just now.
    """
    now = utc_now()
    ids = [f"rec_01kz{number:012}{0:010}" for number in range(SESSIONS)]  # bars are told apart by its first half
    titles = [COURSES[number % len(COURSES)] for number in range(SESSIONS)]
    starts = [_start(number, day - timedelta(1)) for number in range(SESSIONS)]
    ends = [start + timedelta(minutes=SLOTS[number // ROOMS][2]) for number, start in enumerate(starts)]
    kept = {"client": client, "fingerprint": "", "document": {}, "created_at": now, "updated_at": now}
    recordings = (
        kept
        | {"id": ids[number], "status": "stuck" if number == ROOMS + STUCK else "scheduled", "time_zone": ZONE}
        | {"resource_id": FIRST + number % ROOMS, "first_start": starts[number], "last_end": ends[number]}
        for number in range(SESSIONS)
    )
    bookings = (
        {"id": ids[number], "source": "lectern", "title": titles[number], "tags": [], "time_zone": ZONE}
        for number in range(SESSIONS)
    )
    occurrences = (
        {"id": f"occ_{later}{number:025}", "booking_id": ids[number], "resource_id": FIRST + number % ROOMS}
        | {"start": starts[number] + timedelta(later), "end": ends[number] + timedelta(later), "status": "scheduled"}
        for later in (0, 1, 2)
        for number in range(SESSIONS)
    )
    encoders = (
        {"resource_id": FIRST + number, "polled_at": now - timedelta(minutes=20) * (number == SILENT)}
        for number in range(ROOMS)
    )
    rooms = ({**room, "kind": "camera", "seen_at": now} for room in _rooms("system_name"))
    listening = [{"id": 1, "since": now - timedelta(hours=1), "until": now}]
    _insert(database, "resource", rooms)
    _insert(database, "recording", recordings)
    _insert(database, "booking", bookings)
    _insert(database, "occurrence", occurrences)
    _insert(database, "encoder", encoders)
    _insert(database, "listening", listening)


def _rooms(system_name: str) -> Iterable[dict[str, Any]]:
    for number in range(ROOMS):
        yield {"id": FIRST + number, "name": name_of(number), system_name: system_name_of(number)}


def _start(number: int, day: date) -> datetime:
    hour, minute, _ = SLOTS[number // ROOMS]
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(ZONE))


def _insert(database: Database, table: str, rows: Iterable[dict[str, Any]]) -> None:
    with database.write() as session:
        session.connection().execute(insert(SQLModel.metadata.tables[table]), list(rows))
