"""The database: engine, the two kinds of transaction, the UTC column type, ids, and the database's own clock.

Two regimes, named:

* `Database.read()` and `Database.write()`: one transaction each. A write commits once, at its end.
* `app/chains/store.py` is the only other place that decides when something is durable: it opens one `write()`
  for each checkpoint of a chain.

On SQLite a write begins with BEGIN IMMEDIATE and waits its turn in a line of this process. Measured: deferred
transactions that upgrade from reading to writing fail in spite of `busy_timeout`, immediate ones do not; and
SQLite's own waiting polls with growing pauses, which a line does not.

On PostgreSQL transactions see what others have committed before each statement, and those that must be one after
another name a `turn`.

Nobody waits longer than `BUSY_TIMEOUT` for a connection, for its turn or for a lock, nor long for a database that has
gone: what comes of it is SQLAlchemy's `TimeoutError` or `OperationalError`.
"""

import selectors
import shutil
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlmodel import Session

from app.database.files import owners_alone

BUSY_TIMEOUT = 5.0  # seconds
STATEMENT_TIMEOUT = 20.0  # seconds, on PostgreSQL: the longest statement is a page of a list
IDLE_TIMEOUT = 10.0  # seconds, on PostgreSQL: a process that was stopped in a transaction holds its locks no longer
CONNECTIONS = 32  # of a process to PostgreSQL, at most: three processes go well with its default of 100
_READ_ONLY = "lectern_read_only"


class Database:
    """Where Lectern's state is kept. One for a process; sessions are short and belong to one thread."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # SQLite's readers see one state as they are, PostgreSQL's have to ask for it.
        view = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = self.engine.execution_options(**{_READ_ONLY: True, **view})
        self._line = _Line()
        self._sqlite = _Sqlite(self.engine, self._line)

    @property
    def is_sqlite(self) -> bool:
        return self.kind == "sqlite"

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @property
    def exists(self) -> bool:
        """False for a SQLite file that is not there, which a look into it would make."""
        return not self.is_sqlite or Path(self.engine.url.database or "").exists()

    @property
    def free_bytes(self) -> int | None:
        """How many bytes are left on SQLite's disk; None where that is not known here."""
        return shutil.disk_usage(Path(self.engine.url.database or "").parent).free if self.is_sqlite else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view that holds up nobody. What is changed in it is lost, or refused."""
        with (
            self._reader.begin() as connection,
            Session(
                connection, expire_on_commit=False, autoflush=False, join_transaction_mode="rollback_only"
            ) as session,
        ):
            yield session
            if self.is_sqlite:
                connection.rollback()
            # PostgreSQL's is read only, and committed: psycopg forgets at a ROLLBACK what it has prepared.

    @contextmanager
    def write(self, turn: str | Collection[str] | None = None) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any exception. Make no call to anyone inside.

        Those with the same `turn`, or one in common, are one after another, in all processes; on SQLite all are.
        """
        with (
            self.transaction(turn) as connection,
            # Whether this is a transaction or a part of one is not for the session to say.
            Session(connection, expire_on_commit=False, join_transaction_mode="rollback_only") as session,
        ):
            yield session
            session.flush()

    @contextmanager
    def transaction(self, turn: str | Collection[str] | None = None) -> Iterator[Connection]:
        """The same without a session, for who needs none."""
        if self.is_sqlite:
            with self._sqlite.transaction() as connection:
                yield connection
            return
        turns = {turn} if isinstance(turn, str) else set(turn or ())
        # Who waits for a turn holds a connection, which one for each process may.
        alone = self._line.turn() if turns else nullcontext()
        with alone, self.engine.begin() as connection:
            for each in sorted(turns):  # in order, so that two who take the same ones never wait for each other
                connection.execute(_TAKE_TURN, {"turn": each})
            yield connection

    def close(self) -> None:
        self.engine.dispose()


class _Line:
    """One at a time, in the order in which they came: who leaves hands the turn over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = False
        self._waiting = deque[threading.Lock]()

    @contextmanager
    def turn(self) -> Iterator[None]:
        self._take()
        try:
            yield
        finally:
            with self._lock:
                self._hand_over()

    def step_back(self) -> None:
        """Whoever has the turn lets all go first who wait for it now."""
        with self._lock:
            if not self._waiting:
                return
            place = self._stand()
            self._hand_over()
        place.acquire()

    def _take(self) -> None:
        with self._lock:
            if not self._taken:
                self._taken = True
                return
            place = self._stand()
        if place.acquire(timeout=BUSY_TIMEOUT):
            return
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)
                raise WaitedTooLong("other writes take too long")
        # It was handed over at the last moment.

    def _stand(self) -> threading.Lock:
        place = threading.Lock()
        place.acquire()
        self._waiting.append(place)
        return place

    def _hand_over(self) -> None:
        if self._waiting:
            self._waiting.popleft().release()
        else:
            self._taken = False


class _Sqlite:
    """SQLite's writes: one after another, and those that would wait for each other's fsync are committed with one.

        the first      BEGIN ── its statements ──┬─ nobody waits ───────────────────────▶ COMMIT
                                                 └─ lets all who wait now go first ─────▶ COMMIT, for all
        each other     SAVEPOINT ── its statements ── RELEASE ── waits for that COMMIT

    Each is still whole or not at all, and durable when it ends; it may see what those before it in its group have
    written, and ends in their error when the group cannot be committed.
    """

    def __init__(self, engine: Engine, line: _Line) -> None:
        self._engine = engine
        self._line = line
        self._group: tuple[Connection, Future[None]] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._line.turn():
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


def unavailable(error: DBAPIError) -> bool:
    """Whether it is not the statement's fault: a lock, a time-out, a disk that is full, or the database is gone or may
    only be read."""
    read_only = getattr(error.orig, "sqlstate", None) == "25006"
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated or read_only


def is_away(error: BaseException) -> bool:
    """Whether the database is: what was to be done with it can be done later, just so."""
    return isinstance(error, WaitedTooLong) or (isinstance(error, DBAPIError) and unavailable(error))


# Whatever the server is set to: a document is acknowledged when it is on disk. What waits for more stays as it is.
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:turn, 0))")


def _engine(url: str) -> Engine:
    # An error's text names its statement, never the values: they are people's documents.
    engine = _sqlite(url) if url.startswith("sqlite") else _postgresql(make_url(url))
    # Many rows are one statement: each statement is a round trip, or a thread's place in Python given up.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url, pool_size=64, pool_use_lifo=True, max_overflow=0, pool_timeout=BUSY_TIMEOUT, hide_parameters=True
    )

    file, opening = engine.url.database or "", threading.Lock()

    @event.listens_for(engine, "do_connect")
    def _open(dialect: Dialect, record: object, arguments: object, more: object) -> None:
        if file and not file.startswith((":", "file:")):
            with opening:
                owners_alone(Path(file))

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        _write_ahead(connection)
        # FULL: a power cut under NORMAL may lose a commit, and a lost checkpoint is a second entry in Kaltura.
        for pragma in ("synchronous=FULL", f"busy_timeout={BUSY_TIMEOUT * 1000:.0f}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")
        # What one has read is worthless as soon as another has written, and each would keep 2 MB of it.
        connection.execute("PRAGMA cache_size=-512")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(_READ_ONLY)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Two that make a write-ahead log of one new file are in each other's way, and SQLite waits for neither."""
    until = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def _postgresql(url: URL) -> Engine:
    # A server that vanishes without a word is noticed, too. What the URL says comes first.
    noticed = {
        "application_name": "lectern",
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,  # milliseconds
    }
    engine = create_engine(
        url,
        connect_args={name: value for name, value in noticed.items() if name not in url.query},
        pool_size=CONNECTIONS,
        pool_use_lifo=True,  # the one used last has its statements prepared and its caches filled
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT,
        hide_parameters=True,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        for name, seconds in (
            ("lock_timeout", BUSY_TIMEOUT),
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
        ):
            connection.execute("SELECT set_config(%s, %s, false)", [name, f"{seconds * 1000:.0f}"])
        connection.execute(_DURABLE)
        connection.commit()

    @event.listens_for(engine, "checkout")
    def _checkout(connection: Any, _record: object, _proxy: object) -> None:
        # What is sent on an idle connection is the server's last word: another one is made. To ask each time whether
        # the server still answers would cost as much as a statement.
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            if selector.select(0):
                raise DisconnectionError

    return engine
