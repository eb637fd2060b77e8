"""What is SQLite's own: how a file is opened, and how writes share its one lock.

A write begins with BEGIN IMMEDIATE and waits its turn in a line of this process. Measured: deferred transactions that
upgrade from reading to writing fail in spite of `busy_timeout`, immediate ones do not; and SQLite's own waiting polls
with growing pauses, which a line does not.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import OperationalError

from app.database.files import owners_alone
from app.database.turns import Line

BEGIN_READING, BEGIN_WRITING = "BEGIN", "BEGIN IMMEDIATE"
"""How a transaction begins. Said by whoever begins one: for a listener, SQLAlchemy asks at each statement anew whether
it is to be told."""


def sqlite_engine(url: str, timeout: float) -> Engine:
    """Its connections keep what they commit, and wait for `timeout` seconds at most for each other and other processes.

    They begin no transaction by themselves.
    """
    address = make_url(url)
    (path,), options = address.get_dialect()().create_connect_args(address)
    file, opening = Path(address.database or ""), threading.Lock()

    def opened() -> sqlite3.Connection:
        with opening:
            owners_alone(file)
        return sqlite3.connect(path, **options)

    engine = create_engine(
        address,
        creator=opened,
        pool_size=64,
        pool_use_lifo=True,
        max_overflow=0,
        pool_timeout=timeout,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours, above
        _write_ahead(connection, timeout)
        # FULL: a power cut under NORMAL may lose a commit, and a lost checkpoint is a second entry in Kaltura.
        for pragma in ("synchronous=FULL", f"busy_timeout={timeout * 1000:.0f}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        # What one has read is worthless as soon as another has written, and each would keep 2 MB of it.
        connection.execute("PRAGMA cache_size=-512")

    return engine


def _write_ahead(connection: sqlite3.Connection, timeout: float) -> None:
    """Two that make a write-ahead log of one new file are in each other's way, and SQLite waits for neither."""
    until = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


class Writes:
    """SQLite's writes: one after another, and those that would wait for each other's fsync are committed with one.

        the first      BEGIN ── its statements ──┬─ nobody waits ───────────────────────▶ COMMIT
                                                 └─ lets all who wait now go first ─────▶ COMMIT, for all
        each other     SAVEPOINT ── its statements ── RELEASE ── waits for that COMMIT

    Each is still whole or not at all, and durable when it ends; it may see what those before it in its group have
    written, and ends in their error when the group cannot be committed.
    """

    def __init__(self, engine: Engine, line: Line) -> None:
        self._engine = engine
        self._line = line
        self._group: tuple[Connection, Future[None]] | None = None

    @contextmanager
    def transaction(self, timeout: float) -> Iterator[Connection]:
        """Waits for its turn for `timeout` seconds at most. Raises SQLAlchemy's TimeoutError, or OperationalError."""
        with self._line.turn(timeout):
            if self._group is None:
                with self._lead() as connection:
                    yield connection
                return
            connection, committed = self._group
            self._check(connection)
            with connection.begin_nested():
                yield connection
        committed.result()

    @contextmanager
    def _lead(self) -> Iterator[Connection]:
        committed = Future[None]()
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(BEGIN_WRITING)
                self._group = connection, committed
                try:
                    yield connection
                    self._line.step_back()
                    self._check(connection)
                finally:
                    self._group = None
        except BaseException as error:
            committed.set_exception(error)
            raise
        committed.set_result(None)

    @staticmethod
    def _check(connection: Connection) -> None:
        """After some errors, of a full disk for one, SQLite has rolled back the transaction by itself."""
        driver = connection.connection.driver_connection
        if driver is None or not driver.in_transaction:
            raise OperationalError(None, None, sqlite3.OperationalError("the transaction was rolled back"))
