"""A service whose chains run only when they are told to; and what is there of one chain, as JSON, to be put back later.

The JSON is `{"tables": {name: [row]}, "kaltura": {table of the sandbox: [row]}}`. Rows are by column name; instants are
ISO 8601. `fill_database` writes them into tables of the revision that they were read from (`tables_of`).
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from alembic import command
from alembic.config import Config
from sqlalchemy import Boolean, Date, DateTime, MetaData, select, text
from sqlmodel import SQLModel

from app.chains.engine import Engine
from app.chains.models import Chain
from app.chains.pauses import Pauses
from app.chains.store import Store
from app.chains.worker import Workers
from app.database.database import Database
from app.database.migrating import MIGRATIONS
from app.recordings.changing.operations import DEFINITIONS
from app.recordings.scheduling.context import Tools
from app.resources.mirror.threads import Refreshers
from app.sandbox.simulator import Sandbox
from tests.service import Json, Lectern, lectern

STORED = Path(__file__).parents[1] / "data" / "chains"
TABLES = (
    *("resource", "booking", "occurrence", "recording", "recording_tag", "schedule_event", "idempotency_key"),
    *("drift", "chain", "chain_step", "lane"),
)
OF_SANDBOX = (
    *("resources", "entries", "entry_index", "category_entries"),
    *("events", "event_index", "event_resources", "index_resources"),
)
NEVER = 1e9  # seconds
USUAL = Pauses()


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Bench:
    """A service that has accepted something, and runs its chains here, one after another."""

    service: Lectern

    @property
    def database(self) -> Database:
        found: Database = self.service.app.state.database
        return found

    def run(self, patience: float = NEVER, pauses: Pauses = USUAL) -> None:
        """Takes every chain that is due as far as it goes. A chain that has to wait is stuck, if there is no patience.

        Raises Killed, if something here does.
        """
        store = Store(self.database, "bench", 30.0, patience)
        engine = Engine(store, DEFINITIONS, pauses)
        state = self.service.app.state
        while (claim := store.claim()) is not None:
            engine.run(claim, Tools(state.kaltura, self.database, state.acceptance.server_zone))

    def run_to_the_end(self) -> None:
        """As if every lease had run out, and every pause were over; what is stuck is taken up."""
        for _ in range(60):
            with self.database.write() as session:
                for chain in session.execute(select(Chain)).scalars():
                    if chain.status == "stuck":
                        Store(self.database, "bench", 30.0).make_due(session, chain.id)
                past = "UPDATE chain SET lease_until = 0, next_attempt_at = 0 WHERE finished_at IS NULL"
                session.connection().execute(text(past))
            if not self.open():
                return
            self.run()
        raise AssertionError(f"they do not end: {self.open()}")

    def database_sql(self, statement: str) -> None:
        with self.database.write() as session:
            session.connection().execute(text(statement))

    def open(self) -> list[tuple[str, str]]:
        with self.database.read() as session:
            chains = session.execute(select(Chain).order_by(text("id"))).scalars()
            return [(chain.operation, str(chain.status)) for chain in chains if chain.finished_at is None]

    def outcome(self) -> Json:
        """What has become of it all, without the ids that differ from time to time."""
        state = self.service.sandbox.state()
        rooms: dict[int, list[int]] = {}
        for link in state["event_resources"]:
            rooms.setdefault(link["eventId"], []).append(link["resourceId"])
        with self.database.read() as session:
            connection = session.connection()
            tables = SQLModel.metadata.tables
            recordings = connection.execute(select(tables["recording"].c.status)).scalars()
            chains = connection.execute(select(tables["chain"].c.operation, tables["chain"].c.status))
            sessions = connection.execute(select(tables["occurrence"].c.start, tables["occurrence"].c.status))
            lanes = connection.execute(text("SELECT count(*) FROM lane")).scalar_one()
            return {
                "recordings": sorted(recordings),
                "chains": sorted([one, str(status)] for one, status in chains if one != "sweep"),
                "sessions": sorted([start.isoformat(), status] for start, status in sessions),
                "lanes": lanes,
                "entries": sorted(one["name"] for one in state["entries"]),
                "recorded": sorted(
                    [one["startDate"], one["summary"], *rooms.get(one["id"], rooms.get(one.get("parentId", 0), []))]
                    for one in state["events"]
                    if one["recurrenceType"] != 1 and one["status"] == 2
                ),
            }

    def stored(self) -> Json:
        """All that is there, as JSON."""
        with self.database.read() as session:
            connection = session.connection()
            tables = {
                name: [
                    dict(row._mapping)
                    for row in connection.execute(select(SQLModel.metadata.tables[name]).order_by(text("1, 2")))
                ]
                for name in TABLES
            }
        store = self.service.sandbox._store
        kaltura = {}
        for name in OF_SANDBOX:
            found = store.run(f"SELECT * FROM {name} ORDER BY 1, 2")  # noqa: S608 - the names are ours
            names = [column[0] for column in found.description]
            kaltura[name] = [dict(zip(names, row, strict=True)) for row in found]
        found_json: Json = json.loads(json.dumps({"tables": tables, "kaltura": kaltura}, default=_as_text))
        return found_json


def _as_text(value: object) -> str:
    assert isinstance(value, date)
    return value.isoformat()


@contextmanager
def bench(folder: Path, **settings: Any) -> Iterator[Bench]:
    """No chain runs by itself, nor does the mirror."""
    with ExitStack() as stack:
        for threads in (Workers, Refreshers):
            stack.enter_context(mock.patch.object(threads, "start"))
        yield Bench(stack.enter_context(lectern(folder, **settings)))


def tables_of(database_url: str, revision: str) -> None:
    """Makes the tables of that revision in a database that has none yet."""
    database, config = Database(database_url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    database.close()


def fill_database(database_url: str, stored: Json) -> None:
    """One with the tables of the revision that `stored` is of."""
    database, tables = Database(database_url), MetaData()
    with database.engine.begin() as connection:
        tables.reflect(connection, only=TABLES)
        for name in TABLES:
            table = tables.tables[name]
            made = [
                {key: _value(table.c[key].type, value) for key, value in row.items()} for row in stored["tables"][name]
            ]
            if made:
                connection.execute(table.insert(), made)
    database.close()


def fill_sandbox(sandbox: Sandbox, stored: Json) -> None:
    store = sandbox._store
    with store.transaction():
        for name in OF_SANDBOX:
            store.run(f"DELETE FROM {name}")  # noqa: S608 - the names are ours
            for row in stored["kaltura"][name]:
                places = ", ".join("?" * len(row))
                store.run(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({places})", list(row.values()))  # noqa: S608


def _value(kind: object, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(kind, DateTime):
        instant = datetime.fromisoformat(value).astimezone(UTC)
        return instant if kind.timezone else instant.replace(tzinfo=None)
    if isinstance(kind, Date):
        return date.fromisoformat(value)
    return bool(value) if isinstance(kind, Boolean) else value


@dataclass(frozen=True)
class Way:
    """How a chain comes to be: `before` is ended, `begin` is then on its way. `refuse` undoes it, if anything can."""

    begin: Callable[[Bench], None]
    before: Callable[[Bench], None] = lambda _bench: None
    refuse: Sequence[Json] = ()


@dataclass
class Watch:
    """Counts the calls to Kaltura; at the one that is numbered `at`, after it was done or before, `act` happens."""

    act: Callable[[], None]
    at: int = 0
    phase: str = "after"
    seen: int = 0

    def __call__(self, service: str, _action: str, phase: str) -> None:
        if service in ("session", "appToken"):
            return
        self.seen += phase == "before"
        if (self.seen, phase) == (self.at, self.phase):
            self.act()
