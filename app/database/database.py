"""The database: its engine, and the two kinds of transaction.

Two regimes, named:

* `Database.read()` and `Database.write()`: one transaction each. A write commits once, at its end.
* `app/chains/store.py` is the only other place that decides when something is durable: it opens one `write()`
  for each checkpoint of a chain.

On SQLite all writes are one after another (app/database/sqlite.py). On PostgreSQL a transaction sees what others have
committed before each of its statements, and those that must be one after another name a `turn`.

Nobody waits longer than `BUSY_TIMEOUT` for a connection, for its turn or for a lock, nor long for a database that has
gone: what comes of it is SQLAlchemy's `TimeoutError` or `OperationalError`.
"""

import selectors
import shutil
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlmodel import Session

from app.database.sqlite import BEGIN_READING, Writes, sqlite_engine
from app.database.turns import Line

BUSY_TIMEOUT = 5.0  # seconds
STATEMENT_TIMEOUT = 20.0  # seconds, on PostgreSQL: the longest statement is a page of a list
IDLE_TIMEOUT = 10.0  # seconds, on PostgreSQL: a process that was stopped in a transaction holds its locks no longer
CONNECTIONS = 45  # of a process to PostgreSQL, at most: two processes go well with its default of 100


class Database:
    """Where Lectern's state is kept. One for each process; its sessions are short and belong to one thread."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        # SQLite's readers see one state as they are, PostgreSQL's have to ask for it.
        view = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = self.engine if self.is_sqlite else self.engine.execution_options(**view)
        self._line = Line()
        self._sqlite_writes = Writes(self.engine, self._line)

    @property
    def is_sqlite(self) -> bool:
        return self.kind == "sqlite"

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @property
    def address(self) -> str:
        """Where it is, for people: without what may be a secret, also where that stands among the options."""
        url = self.engine.url
        return url.set(
            query={name: value for name, value in url.query.items() if name in ("host", "port", "dbname")}
        ).render_as_string(hide_password=True)

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
        """A session that sees one consistent state and locks nothing. What is changed in it is lost, or refused."""
        with (
            self._reader.begin() as connection,
            Session(
                connection, expire_on_commit=False, autoflush=False, join_transaction_mode="rollback_only"
            ) as session,
        ):
            if self.is_sqlite:
                connection.exec_driver_sql(BEGIN_READING)
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
        """`write` without a session, for whoever needs none."""
        if self.is_sqlite:
            with self._sqlite_writes.transaction(BUSY_TIMEOUT) as connection:
                yield connection
            return
        turns = {turn} if isinstance(turn, str) else set(turn or ())
        # Whoever waits for PostgreSQL's lock holds a connection meanwhile: of each process one at a time.
        alone = self._line.turn(BUSY_TIMEOUT) if turns else nullcontext()
        with alone, self.engine.begin() as connection:
            for each in sorted(turns):  # in order, so that two who take the same ones never wait for each other
                connection.execute(_TAKE_TURN, {"turn": each})
            yield connection

    def close(self) -> None:
        """Closes its connections."""
        self.engine.dispose()


def unavailable(error: DBAPIError) -> bool:
    """Whether the statement is not at fault: a lock, a time-out, a full disk, or the database is gone or may only
    be read."""
    read_only = getattr(error.orig, "sqlstate", None) == "25006"
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated or read_only


def is_away(error: BaseException) -> bool:
    """Whether the database did not do it now, and may do the same later."""
    return isinstance(error, WaitedTooLong) or (isinstance(error, DBAPIError) and unavailable(error))


# Whatever the server is set to: a document is acknowledged when it is on disk. What waits for more stays as it is.
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:turn, 0))")


def _engine(url: str) -> Engine:
    # An error's text names its statement, never the values: they are people's documents.
    engine = sqlite_engine(url, BUSY_TIMEOUT) if url.startswith("sqlite") else _postgresql(make_url(url))
    # Many rows are one statement: each statement is a round trip, or a thread's place in Python given up.
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


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
        with ExitStack() as otherwise:
            otherwise.callback(connection.close)  # the pool does not know it yet
            for name, seconds in (
                ("lock_timeout", BUSY_TIMEOUT),
                ("statement_timeout", STATEMENT_TIMEOUT),
                ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
            ):
                connection.execute("SELECT set_config(%s, %s, false)", [name, f"{seconds * 1000:.0f}"])
            connection.execute(_DURABLE)
            connection.commit()
            otherwise.pop_all()

    @event.listens_for(engine, "checkout")
    def _checkout(connection: Any, _record: object, _proxy: object) -> None:
        # What is sent on an idle connection is the server's last word: another one is made. To ask each time whether
        # the server still answers would cost as much as a statement.
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            if selector.select(0):
                raise DisconnectionError

    return engine
