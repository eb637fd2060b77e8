"""The simulator's memory: one SQLite database, two stores in it.

    tables (the "database")                     index (the "search engine")
    ───────────────────────                     ───────────────────────────
    partners, users, app_tokens, meta           event_index      a copy of the columns of events
    entries, categories, category_entries       index_resources  the rooms of an event, inherited ones included
    resources, events, event_resources          entry_index      the referenceId of an entry
                        └── saved ── at once, or as `index.py` says ──┘

`get`, `idEqual` and `idIn` read the tables, all other filters and getConflicts the index, as on a real server.
Objects are kept as JSON in `body`, with the properties that are their own; columns beside it are for searching.
"""

import json
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

VERSION = 2  # raised whenever the tables change
EVENT_COLUMNS = """
    id INTEGER PRIMARY KEY {autoincrement}, partner INTEGER NOT NULL, parent INTEGER, type TEXT NOT NULL,
    status INTEGER NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, recurrence INTEGER NOT NULL,
    reference TEXT, owner TEXT, template TEXT, tags TEXT, priority INTEGER, summary TEXT,
    created INTEGER NOT NULL, updated INTEGER NOT NULL"""
INDEXED = (
    "id, partner, parent, type, status, start, end, recurrence, reference, owner, template, tags, priority, "
    "summary, created, updated"
)
SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE partners (id INTEGER PRIMARY KEY, admin_secret TEXT NOT NULL, secret TEXT NOT NULL);
CREATE TABLE users (partner INTEGER, id TEXT, PRIMARY KEY (partner, id)) WITHOUT ROWID;
CREATE TABLE app_tokens (id TEXT PRIMARY KEY, partner INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, partner INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE entry_index (
    number INTEGER PRIMARY KEY, partner INTEGER NOT NULL, reference TEXT, status INTEGER NOT NULL);
CREATE TABLE categories (
    id INTEGER PRIMARY KEY AUTOINCREMENT, partner INTEGER NOT NULL, full_name TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE category_entries (
    category INTEGER, entry TEXT, partner INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (category, entry));
CREATE TABLE resources (
    id INTEGER PRIMARY KEY AUTOINCREMENT, partner INTEGER NOT NULL, type TEXT NOT NULL, parent INTEGER,
    system_name TEXT, body TEXT NOT NULL);
CREATE TABLE events ({EVENT_COLUMNS.format(autoincrement="AUTOINCREMENT")}, body TEXT NOT NULL);
CREATE TABLE event_index ({EVENT_COLUMNS.format(autoincrement="")});
CREATE TABLE index_resources (
    resource INTEGER, event INTEGER, parent INTEGER, PRIMARY KEY (resource, event)) WITHOUT ROWID;
CREATE TABLE event_resources (
    number INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL, resource INTEGER NOT NULL,
    partner INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (event, resource));
CREATE TABLE pending (saved REAL NOT NULL, kind TEXT NOT NULL, id INTEGER NOT NULL);
CREATE TABLE never_indexed (kind TEXT, id INTEGER, PRIMARY KEY (kind, id)) WITHOUT ROWID;
CREATE TABLE never_listed (event INTEGER, resource INTEGER, PRIMARY KEY (event, resource)) WITHOUT ROWID;
CREATE TABLE ended_sessions (ks TEXT PRIMARY KEY) WITHOUT ROWID;
"""
INDEXES = {
    "entry_reference": "entry_index (reference)",
    "category_name": "categories (full_name)",
    "category_entries_entry": "category_entries (entry)",
    "event_parent": "events (parent)",
    "event_type": "events (type, partner)",
    "indexed_parent": "event_index (parent)",
    "indexed_type": "event_index (type, status)",
    "indexed_start": "event_index (start)",
    "indexed_created": "event_index (created)",
    "indexed_reference": "event_index (reference)",
    "indexed_template": "event_index (template)",
    "index_resources_event": "index_resources (event)",
    "pending_saved": "pending (saved)",
}
TABLES = (
    *("meta", "partners", "users", "app_tokens", "ended_sessions"),
    *("pending", "never_indexed", "never_listed"),
    *("entries", "entry_index", "categories", "category_entries", "resources"),
    *("events", "event_index", "event_resources", "index_resources"),
)


class Store:
    """The database behind one lock of its owner: never used by two threads at once."""

    def __init__(self, database: str, *, alone: bool = False) -> None:
        """`alone`: no other process may use the file as long as this one does; ValueError if one does already.

        It is SQLite's own lock, which ends with the process, however that ends.
        """
        if database not in ("", ":memory:"):
            with suppress(OSError):  # it is there, or cannot be, which SQLite tells
                Path(database).touch(0o600, exist_ok=False)
        self.connection = sqlite3.connect(
            database, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        self.connection.execute(f"PRAGMA busy_timeout = {0 if alone else 5000}")
        if alone:
            self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            self._open()
        except (sqlite3.Error, ValueError) as error:
            self.connection.close()
            if isinstance(error, sqlite3.Error) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise ValueError(f"another process uses {database}") from None
            raise

    def _open(self) -> None:
        self.connection.execute("PRAGMA journal_mode = WAL")
        # A crash of the process loses nothing; only a crash of the machine may, and this is a simulator.
        self.connection.execute("PRAGMA synchronous = OFF")
        self._make_tables()

    def _make_tables(self) -> None:
        """A database of another version is emptied and seeded again. Raises ValueError for one that was never ours."""
        with self.transaction():
            version = self.one("PRAGMA user_version")[0]
            if version == 0 and self.one("SELECT 1 FROM sqlite_master"):
                raise ValueError("this database is not a sandbox's")
            if version != VERSION:
                for table in TABLES:
                    self.run(f"DROP TABLE IF EXISTS {table}")
                for statement in SCHEMA.split(";"):
                    self.run(statement)
                self.run(f"PRAGMA user_version = {VERSION}")
            for name, columns in INDEXES.items():  # a file of an older program may lack some
                self.run(f"CREATE INDEX IF NOT EXISTS {name} ON {columns}")

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        return self.connection.execute(statement, values).fetchall()

    def one(self, statement: str, values: Sequence[object] = ()) -> Any:
        """The first row, or None."""
        return self.connection.execute(statement, values).fetchone()

    def run(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        return self.connection.execute(statement, values)

    def run_many(self, statement: str, values: Iterable[Sequence[object]]) -> None:
        self.connection.executemany(statement, values)

    def bodies(self, statement: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """The JSON of each row's first column."""
        return [json.loads(row[0]) for row in self.rows(statement, values)]

    def body(self, statement: str, values: Sequence[object] = ()) -> dict[str, Any] | None:
        row = self.one(statement, values)
        return json.loads(row[0]) if row else None

    def meta(self, name: str) -> str | None:
        row = self.one("SELECT value FROM meta WHERE name = ?", (name,))
        return row[0] if row else None

    def set_meta(self, name: str, value: str) -> None:
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def signing_key(self) -> bytes:
        """The key that sessions are signed with: made at first start, so sessions outlive a restart."""
        key = self.meta("signing_key")
        if key is None:
            key = secrets.token_hex(32)
            self.set_meta("signing_key", key)
        return bytes.fromhex(key)

    def identity(self) -> str:
        """Tells it from other sandboxes. Made when it is first asked for, and forgotten with all else."""
        found = self.meta("identity")
        if found is None:
            found = secrets.token_hex(8)
            self.set_meta("identity", found)
        return found

    def see_user(self, partner: int, user: str) -> None:
        """A user that does not exist yet is made without a word (exchange 867)."""
        self.run("INSERT OR IGNORE INTO users VALUES (?, ?)", (partner, user))

    def next_id(self, table: str) -> int:
        row = self.one("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,))
        return (row[0] if row else 0) + 1

    def start_ids_at(self, table: str, first: int) -> None:
        self.run("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        self.run("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, first - 1))

    def clear(self) -> None:
        with self.transaction():
            for table in TABLES:
                self.run(f"DELETE FROM {table}")  # noqa: S608 - the names are ours
            self.run("DELETE FROM sqlite_sequence")


def dumps(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
