"""Signs of life: whose poll counts, what it costs, and that all are written in one statement."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.exc import OperationalError
from sqlmodel import SQLModel

from app.access.keys import LOCAL, Client
from app.database.database import Database
from app.database.types import utc_now
from app.main import create_app
from app.resources.encoders import signs
from app.resources.encoders.signs import Signs, listening_since
from app.resources.models import Encoder
from app.sandbox.seed.seed import RESOURCE_ID
from app.settings import Settings
from tests.bench import feed
from tests.clocks import set_clock
from tests.keys import bearer, key
from tests.resources.polls import PATH, refresh, tag
from tests.service import Lectern, found, lectern

DEVICE = Client("device", resources=frozenset({"room"}))


def polled(database: Database) -> dict[int, datetime]:
    with database.read() as session:
        rows = session.execute(select(Encoder)).scalars()
        return {row.resource_id: row.polled_at for row in rows if row.polled_at}


def encoder(service: Lectern) -> dict[str, str | None]:
    shown: dict[str, str | None] = service.get("/resources/EXTRON-100-ABC")["encoder"]
    return shown


@contextmanager
def sent(database: Database) -> Iterator[list[str]]:
    """Every statement that anybody sends to this database."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        found.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield found
    event.remove(database.engine, "before_cursor_execute", note)


def test_a_poll_is_shown_at_once(service: Lectern) -> None:
    assert encoder(service) == {"state": None, "detail": None, "last_poll_at": None, "said_at": None}
    etag = tag(service)
    before = encoder(service)["last_poll_at"]
    assert before is not None
    time.sleep(1.1)  # it is shown in whole seconds
    assert service.client.get(PATH, headers={"If-None-Match": etag}).status_code == 304
    assert str(encoder(service)["last_poll_at"]) > before
    assert polled(service.app.state.database) == {}


@pytest.mark.both_databases
def test_polls_cost_no_query(database_url: str) -> None:
    """The one look at all versions, four times a second at most, is not theirs, however many there are."""
    feed.fill(database_url, 3, 5)
    app = create_app(Settings(_env_file=None, database_url=database_url, kaltura_url="", sandbox_database=":memory:"))
    app.state.keys.look()

    async def poll() -> list[str]:
        paths = [f"/resources/ROOM-{number}/upcoming" for number in (1, 2, 3)]
        etags = [(await feed.request(app, path)())[1] for path in paths]
        app.state.feed.versions._looked = float("inf")  # just now
        with sent(app.state.database) as asked:
            for path, etag in zip(paths, etags, strict=True):
                for known, status in ((etag, 304), ("", 200)):
                    assert (await feed.request(app, path, "", known)())[0] == status
        return asked

    assert asyncio.run(poll()) == []
    assert len(app.state.signs._polled) == 3
    app.state.database.close()


@pytest.mark.parametrize("etagged", [False, True], ids=["from SQL", "from memory"])
def test_whoever_polls_is_known_by_its_key(tmp_path: Path, etagged: bool) -> None:
    """A technician who looks at a schedule is no encoder."""
    with lectern(tmp_path) as service:
        eyes = bearer(key(service, "technician", "schedule:read"))
        device = bearer(key(service, "device", "schedule:read", resources=["extron-100-abc"]))
        if etagged:
            service.client.get(PATH, headers=eyes)
        found(service.client.get(PATH, headers=eyes))
        shown = found(service.client.get("/resources/562931", headers=eyes))
        assert shown["encoder"]["last_poll_at"] is None
        found(service.client.get(PATH, headers=device))
        shown = found(service.client.get("/resources/562931", headers=eyes))
        assert shown["encoder"]["last_poll_at"] is not None


def test_a_calendar_program_with_a_link_is_no_encoder(service: Lectern) -> None:
    link = found(service.client.post("/resources/EXTRON-100-ABC/calendar-link"), 201)["url"]
    refresh(service)
    service.app.state.signs._polled.clear()
    assert service.client.get(link.partition("testserver")[2] or link).is_success
    assert service.app.state.signs._polled == {}


@pytest.fixture
def rooms(database: Database) -> int:
    count = 10_000
    rows = [{"id": n, "name": "r", "kind": "camera", "seen_at": utc_now()} for n in range(1, count + 1)]
    with database.write() as session:
        session.connection().execute(insert(SQLModel.metadata.tables["resource"]), rows)
    return count


@pytest.mark.both_databases
def test_ten_thousand_encoders_are_written_in_one_statement(
    database: Database, rooms: int, record_property: Callable[[str, object], None]
) -> None:
    one = Signs(database)
    with sent(database) as asked:
        for _ in range(2):
            begun = time.thread_time()
            for number in range(1, rooms + 1):
                one.poll(LOCAL, number)
            polls = time.thread_time() - begun
            assert not asked
            begun = time.thread_time()
            one.write()
            written = time.thread_time() - begun
            assert len([statement for statement in asked if "INSERT INTO encoder" in statement]) == 1
            asked.clear()
    assert len(polled(database)) == rooms
    record_property("10,000 signs of life", f"{polls * 1e3:.0f} ms to note, {written * 1e3:.0f} ms to write, a minute")


@pytest.mark.both_databases
def test_what_another_process_saw_later_stays(database: Database, rooms: int) -> None:
    now = utc_now().replace(microsecond=123_000)
    at = int(now.timestamp() * 1000)
    late, early = Signs(database, lambda: at), Signs(database, lambda: at - 60_000)
    for each in (late, early):
        each.poll(DEVICE, 1)
        each.write()
    assert polled(database) == {1: now}
    assert early.latest(1, now) == now


@pytest.mark.both_databases
def test_it_is_written_once_a_minute_and_nothing_is_forgotten(
    database: Database, rooms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Signs(database)
    one.write_if_due()
    one.poll(DEVICE, 1)
    one.write_if_due()
    assert polled(database) == {}
    one._write_at = 0.0

    def broken() -> None:
        raise OperationalError("", {}, Exception())

    with monkeypatch.context() as patch:
        patch.setattr(database, "transaction", broken)
        one.write_if_due()
    assert polled(database) == {}
    one.write_if_due()
    assert list(polled(database)) == [1]


@pytest.mark.both_databases
def test_since_when_somebody_is_there_to_be_polled(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def since() -> object:
        with database.read() as session:
            return listening_since(session, utc_now())

    clock = set_clock(0.0, monkeypatch)
    one = Signs(database)
    assert since() is None
    one.write()
    begun = since()
    for _ in range(10):
        clock.off_by += 60
        assert since() == begun
        one.write()
    clock.off_by += signs.GAP.total_seconds() + 1
    assert since() is None
    one.write()
    assert since() not in (None, begun)


@pytest.mark.both_databases
def test_a_clock_that_was_an_hour_ahead_hides_no_silence(
    database: Database, rooms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = set_clock(0.0, monkeypatch)
    one = Signs(database)
    one.write()
    clock.off_by = 3600
    for number in (1, 2):
        one.poll(DEVICE, number)
    one.write()
    clock.off_by = 0
    one.poll(DEVICE, 1)
    one.write()
    now = utc_now()
    assert set(polled(database)) == {1, 2}
    assert all(at is not None and at <= now for at in polled(database).values())
    with database.read() as session:
        since = listening_since(session, now)
    assert since is not None
    assert since <= now


def test_what_was_noted_is_written_when_the_service_stops(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        tag(service)
    database = Database(f"sqlite:///{tmp_path}/lectern.db")
    assert list(polled(database)) == [RESOURCE_ID]
    database.close()
