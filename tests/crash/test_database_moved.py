"""PostgreSQL is restarted, cut off, full or replaced by its backup while there is work; a file of SQLite is locked.

Only the requests of that moment notice.
"""

import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from time import sleep

import httpx
import pytest
from sqlalchemy import make_url, update
from sqlmodel import col

from app.database.database import BUSY_TIMEOUT, Database
from app.database.deadlocks import again_if_crossed
from app.database.migrating import migrate
from app.resources.models import Mirror
from tests.crash.rehearsal import Json, rows
from tests.crash.stage import PATIENCE, Stage, stage
from tests.postgres import NoPostgres, Server, packaged
from tests.recordings.documents import SINGLE
from tests.service import eventually

pytestmark = pytest.mark.under_load

AWAY = 3.0  # seconds: longer than it takes a thread to look again
LOCKED = BUSY_TIMEOUT + 1.0  # seconds: longer than anybody waits for a lock
SOON = 45.0  # seconds: less than it takes until a lease of the mirror runs out
ROLE = "lectern_limited"
FEED = "/resources/EXTRON-100-ABC/upcoming"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A server of these tests alone."""
    try:
        with packaged(secrets.token_hex(16)) as found:
            yield found
    except NoPostgres as why:
        pytest.skip(f"no PostgreSQL to restart: {why}")


@pytest.fixture
def it(tmp_path: Path, postgres: Server) -> Iterator[Stage]:
    """The service, as a role that has no more rights than it needs."""
    if not postgres.sql("SELECT 1 FROM pg_roles WHERE rolname = :role", role=ROLE):
        postgres.sql(f"CREATE ROLE {ROLE} LOGIN")
    url = postgres.create()
    postgres.sql(f'ALTER DATABASE "{make_url(url).database}" OWNER TO {ROLE}')
    own = make_url(url).set(username=ROLE).render_as_string(hide_password=False)
    with at_work(tmp_path, database_url=own) as found:
        yield found
    postgres.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")
    postgres.drop(url)


@contextmanager
def at_work(folder: Path, **settings: str) -> Iterator[Stage]:
    """The service, which looks at its rooms."""
    with stage(folder, refreshes_per_second=100, workers=4, **settings) as found:
        rows(found.database_url, update(Mirror).values(claimed_at=0.0).returning(col(Mirror.resource_id)))
        yield found


@dataclass
class Load:
    """Documents, readers and polls, one after another from each of a few threads."""

    it: Stage
    accepted: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    over: Event = field(default_factory=Event)

    def post(self, number: int) -> httpx.Response:
        day = f"2027-{1 + number // 28 % 12:02d}-{1 + number % 28:02d}T{number // 336 % 24:02d}:00:00"
        document: Json = {**SINGLE, "start": day, "reference_id": f"load-{number}", "resource": "EXTRON-100-ABC"}
        answer = self.it.post(document)
        if answer.is_success:
            self.accepted.append(answer.json()["id"])
        return answer

    def work(self, kind: str) -> None:
        """Whoever got no answer sends the same again: it may have been accepted, and the answer lost."""
        number = 0
        while not self.over.is_set():
            path = FEED if kind == "poll" else "/recordings"
            answer = self.post(number) if kind == "post" else self.it.client.get(path)
            self.note(kind, answer)
            number += answer.is_success
            sleep(0.05)

    def note(self, kind: str, answer: httpx.Response) -> None:
        self.statuses[answer.status_code] += 1
        if answer.status_code == 503:
            known = answer.json()["code"] in ("database_unavailable", "schedule_unknown")
            if not known or int(answer.headers["Retry-After"]) <= 0:
                self.wrong.append(f"{kind}: {answer.text}")
        elif not answer.is_success:
            self.wrong.append(f"{kind}: {answer.status_code} {answer.text}")


@contextmanager
def under_load(it: Stage) -> Iterator[Load]:
    """Before it ends, the service has accepted something again; at its end all that was accepted is scheduled."""
    load = Load(it)
    threads = [Thread(target=load.work, args=(kind,)) for kind in ("post", "poll", "read")]
    for thread in threads:
        thread.start()
    try:
        eventually(lambda: len(load.accepted) > 3, PATIENCE)
        yield load
        before = len(load.accepted)
        eventually(lambda: len(load.accepted) > before + 3, PATIENCE)
    finally:
        load.over.set()
        for thread in threads:
            thread.join()
    assert load.wrong == []


def all_goes_on(it: Stage, load: Load) -> None:
    """Nothing is left undone, nobody looks after it, and nothing was made twice."""
    for recording in load.accepted:
        it.until(recording, "scheduled")
    events = Counter(one["referenceId"] for one in it.sandbox.state()["events"])
    assert len(events) == len(load.accepted)
    assert set(events.values()) == {1}
    ready = eventually(lambda: (shown := it.client.get("/readyz")).json()["status"] == "ok" and shown, PATIENCE)
    assert {name: part["state"] for name, part in ready.json()["parts"].items()} == dict.fromkeys(
        ("database", "kaltura", "workers", "mirror", "chains", "findings"), "ok"
    )
    eventually(lambda: it.client.get(FEED).status_code == 200, SOON)
    before = datetime.fromisoformat(it.get(FEED)["as_of"])
    it.accepted({**SINGLE, "start": "2028-01-13T09:00:00", "resource": "EXTRON-100-ABC"})  # which it looks at
    eventually(lambda: datetime.fromisoformat(it.get(FEED)["as_of"]) > before, SOON)


def test_a_server_that_is_stopped_for_a_while(it: Stage, postgres: Server) -> None:
    with under_load(it) as load, postgres.stopped():
        sleep(AWAY)
        assert it.client.get("/healthz").status_code == 200
        assert it.client.get("/readyz").status_code == 503
    assert load.statuses[503] > 0
    all_goes_on(it, load)


def test_connections_that_are_cut_again_and_again(it: Stage, postgres: Server) -> None:
    with under_load(it) as load:
        for _ in range(10):
            postgres.disconnect(it.database_url)
            sleep(0.3)
    all_goes_on(it, load)


def test_a_limit_of_connections_that_is_reached(it: Stage, postgres: Server) -> None:
    with under_load(it) as load:
        postgres.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT 1")
        postgres.disconnect(it.database_url)
        sleep(AWAY)
        assert it.client.get("/healthz").status_code == 200
        postgres.sql(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")
    all_goes_on(it, load)


def test_tables_that_are_locked_by_a_migration(it: Stage, postgres: Server) -> None:
    """And another process brings them up to this version afterwards."""
    with under_load(it) as load:
        database = Database(it.database_url)

        def locked() -> None:
            with database.engine.begin() as connection:
                connection.exec_driver_sql("LOCK TABLE chain, recording, mirror, occurrence IN ACCESS EXCLUSIVE MODE")
                sleep(LOCKED)

        again_if_crossed(locked)  # whoever crosses others' transactions may be the one that is thrown away
        migrate(database)
        database.close()
    all_goes_on(it, load)


def test_a_backup_that_takes_the_database_s_place(it: Stage, postgres: Server) -> None:
    """What was accepted since is not in it; what it has goes on to its end, and new documents are accepted."""
    name = str(make_url(it.database_url).database)
    with under_load(it) as load, ExitStack() as stack:
        stack.enter_context(postgres.away(it.database_url))
        postgres.sql(f'CREATE DATABASE "{name}_backup" TEMPLATE "{name}" OWNER {ROLE}')
        stack.close()
        kept = set(load.accepted)
        eventually(lambda: len(load.accepted) > len(kept) + 2, PATIENCE)
        with postgres.away(it.database_url):
            postgres.sql(f'ALTER DATABASE "{name}" RENAME TO "{name}_lost"')
            postgres.sql(f'ALTER DATABASE "{name}_backup" RENAME TO "{name}"')
            postgres.sql(f'CREATE DATABASE "{name}_unused"')
            postgres.sql(f'ALTER DATABASE "{name}_lost" RENAME TO "{name}_old"')
    for recording in kept:
        it.until(recording, "scheduled")
    later = it.accepted({**SINGLE, "start": "2028-02-13T09:00:00", "resource": "EXTRON-100-ABC"})
    it.until(later, "scheduled")


def test_a_file_that_is_locked_by_a_migration_and_then_copied(tmp_path: Path) -> None:
    """The copy is whole, as a backup has to be."""
    copy = tmp_path / "backup.db"
    with at_work(tmp_path) as it:
        with under_load(it) as load, closing(sqlite3.connect(tmp_path / "lectern.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sleep(BUSY_TIMEOUT + LOCKED)  # for its turn, and then for the lock
            assert it.client.get("/healthz").status_code == 200
            other.execute("ROLLBACK")
            other.execute("VACUUM INTO ?", [str(copy)])
        assert load.statuses[503] > 0
        all_goes_on(it, load)
    with closing(sqlite3.connect(copy)) as kept:
        assert kept.execute("PRAGMA integrity_check").fetchone() == ("ok",)
