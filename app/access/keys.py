"""API keys: what they may be used for, where they are kept, and how a process knows them without asking.

A key is `lct_<id>_<secret>`. Its owner is told it once; what is kept is the SHA-256 of it. Every `LOOK_EVERY` seconds
a process asks for the number of the latest change, and reads the keys that have changed since the one it knows. So a
new key works, and a revoked one does not, about a second later in every process, and no request asks the database for
one. While the database does not answer, what was known last holds.

Which keys were used is kept in memory, and written every `WRITE_EVERY` seconds, in one statement; what is not yet
written is lost with a process that is killed.

Keys in `LECTERN_API_KEYS` are known from the start to the end of a process.
"""

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import JSON, BigInteger, Column, bindparam, inspect, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlmodel import Field, Session, SQLModel, col

from app.access.scopes import Scope
from app.database.background import Background
from app.database.counters import count, last
from app.database.database import Database
from app.database.types import UtcDateTime, utc_now
from app.settings import Settings

log = structlog.get_logger(__name__)

PREFIX = "lct"
SECRET_BYTES = 32
SHORTEST_KEY = 32  # characters of one that is chosen by somebody: nobody guesses that
LOOK_EVERY = 1.0  # seconds
WRITE_EVERY = 60.0  # seconds
LONGEST_NAME = 100  # characters
CHANGES = "api_key"  # what their changes are counted under
NOTHING = -1  # no change is known, not even those of before there were numbers


EVERYTHING = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks. Recordings belong to a client's name, so that a new key changes nothing.

    `resources`: the only ones, by Kaltura id or system name (lower case), whose schedule it may read; None for all.
    `sees_all`: others' recordings are there for it, too. `key` tells its key from others, and is no secret.
    """

    name: str
    scopes: Collection[Scope] = EVERYTHING
    resources: frozenset[str] | None = None
    sees_all: bool = False
    key: str = field(default="", compare=False)

    def owns(self, client: str) -> bool:
        """Whether that client's recordings are there for this one."""
        return self.sees_all or client == self.name

    def may_see(self, resource_id: int, system_name: str | None, is_id: Callable[[str], bool]) -> bool:
        """Whether it may read this resource's schedule, if it may read any.

        A number that it is narrowed to is an id, if there is such a resource (`is_id`), and not the name of another.
        """
        if self.resources is None or str(resource_id) in self.resources:
            return True
        name = (system_name or "").lower()
        return name in self.resources and not (name.isdigit() and is_id(name))

    def may_name(self, reference: str) -> bool:
        """Whether it may learn that what this id or name means could not be found out."""
        return self.resources is None or reference.lower() in self.resources


LOCAL = Client("local")  # who asks an open service


class ApiKey(SQLModel, table=True):
    """A key that was made. `name` is its client's; `digest` the SHA-256 of the whole key, in hexadecimal digits.

    `resources` are as they were named; null for all. `change`: the number that it got when it was made or revoked.
    `used_at`: when it was last used, at most `WRITE_EVERY` seconds late.
    """

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    name: str
    digest: str
    scopes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    resources: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    used_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    change: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, index=True, server_default="0"))


# Making and revoking them


def create(session: Session, name: str, scopes: Sequence[str], resources: Sequence[str] = ()) -> tuple[ApiKey, str]:
    """A new key: its row, and the key itself, which nobody is told again.

    Raises ValueError for a name, scope or resource that makes no sense.
    """
    known = [scope.value for scope in Scope]
    if not (name and len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()):
        raise ValueError(f"The name must have 1 to {LONGEST_NAME} printable characters, and no space around them.")
    for scope in scopes:
        if scope not in known:
            raise ValueError(f"There is no scope {scope!r}. Scopes are: {', '.join(known)}.")
    if not scopes:
        raise ValueError(f"A key needs at least one scope: {', '.join(known)}.")
    if resources and (Scope.SCHEDULE_READ not in scopes or Scope.ADMIN in scopes):
        raise ValueError("Resources narrow schedule:read: name them with that scope, and without admin.")
    if not all(resource.strip() and resource.isprintable() for resource in resources):
        raise ValueError("A resource is named by its Kaltura id or its system name.")
    key_id = secrets.token_hex(6)
    key = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    row = ApiKey(
        id=key_id,
        name=name,
        digest=digest(key).decode(),
        scopes=[scope for scope in known if scope in scopes],
        resources=sorted({resource.strip() for resource in resources}) or None,
        change=count(session, CHANGES),
    )
    session.add(row)
    return row, key


def every(session: Session) -> list[ApiKey]:
    """All that were ever made, the oldest first."""
    return list(session.execute(select(ApiKey).order_by(col(ApiKey.created_at), col(ApiKey.id))).scalars())


def revoke(session: Session, key_id: str) -> ApiKey:
    """Ends a key; harmless to repeat. Raises ValueError if there is none of that id."""
    row = session.get(ApiKey, key_id) if key_id.isascii() and key_id.isprintable() else None
    if row is None:
        raise ValueError("There is no key with this id. `lectern keys list` shows them.")
    mine = col(ApiKey.id) == key_id
    now = {"revoked_at": utc_now(), "change": count(session, CHANGES)}
    session.execute(update(ApiKey).where(mine, col(ApiKey.revoked_at).is_(None)).values(now))
    session.refresh(row)
    return row


def digest(key: str) -> bytes:
    """As it is kept: in hexadecimal digits."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest().encode()


def given(settings: Settings) -> tuple[tuple[bytes, Client], ...]:
    """The keys in `LECTERN_API_KEYS` (`client=key,client=key`): each client may do everything with what is its own.

    Raises ValueError, without a word of a key, if one is unreadable, or is that of two clients.
    """
    pairs = [pair.strip() for pair in settings.api_keys.get_secret_value().split(",") if pair.strip()]
    found = list[tuple[bytes, Client]]()
    owners = dict[bytes, tuple[int, str]]()
    for number, pair in enumerate(pairs, 1):
        name, _, key = (part.strip() for part in pair.partition("="))
        if not name or len(key) < SHORTEST_KEY:
            raise ValueError(
                f"LECTERN_API_KEYS: entry {number} must be client=key, the key at least {SHORTEST_KEY} characters long"
            )
        first, owner = owners.setdefault(digest(key), (number, name))
        if owner != name:
            raise ValueError(
                f"LECTERN_API_KEYS: entries {first} and {number} are two clients with the same key: give each its own"
            )
        found.append((digest(key), Client(name, key=f"given-{number}")))
    return tuple(found)


# Knowing them

_ID = re.compile(rf"{PREFIX}_([0-9a-f]+)_")
_NOBODY = digest("")
_TABLE = SQLModel.metadata.tables["api_key"]
_CHANGED = select(
    *(_TABLE.c.id, _TABLE.c.name, _TABLE.c.digest, _TABLE.c.scopes, _TABLE.c.resources, _TABLE.c.revoked_at)
).where(_TABLE.c.change > bindparam("since"))
_USED = update(_TABLE).where(_TABLE.c.id.in_(bindparam("ids", expanding=True))).values(used_at=bindparam("now"))


class Keys:
    """Every key, as a process knows it. Safe to ask from any thread."""

    def __init__(self, settings: Settings, database: Database, *, sandboxed: bool) -> None:
        """`sandboxed`: no real Kaltura is behind the service.

        Raises ValueError for settings that cannot be read, or that allow no start without a key there is none of.
        """
        self._given = given(settings)
        self._made: Mapping[str, tuple[bytes, Client]] = {}
        self._database = database
        self._may_be_open = sandboxed and (settings.embedded_sandbox or settings.on_this_machine)
        self._is_open = False  # before the first look
        self._seen = NOTHING  # the number of the latest change
        self._used = set[str]()  # the ids of keys, since it was last written
        self._write_at = 0.0  # by this machine's own seconds
        self._looking = threading.Lock()  # a look that began earlier must not undo what a later one has learned
        self.thread = Background("keys", self._work, LOOK_EVERY)
        if not self._given and not self._may_be_open and not _may_have_keys(database):
            raise ValueError(NEEDED)

    @property
    def is_open(self) -> bool:
        """Whether whoever asks may use everything: no key was ever made or given, and settings allow it."""
        return self._is_open

    @property
    def count(self) -> int:
        """How many keys work."""
        return len(self._given) + len(self._made)

    def look_first(self) -> None:
        """Before `thread` goes on looking. The tables must be there. Raises ValueError where a key is needed."""
        self.look()
        if not self.count and not self._may_be_open:
            raise ValueError(NEEDED)

    def look(self) -> None:
        """Learns what has changed; everything, if the database counts from anew, as after a backup was put back."""
        with self._looking:
            with self._database.read() as session:
                latest = last(session, CHANGES)
                if latest == self._seen:
                    return
                since = self._seen if latest > self._seen else NOTHING
                rows = session.connection().execute(_CHANGED, {"since": since}).all()
            made = {} if since == NOTHING else dict(self._made)
            for row in rows:
                made.pop(row.id, None)
                if row.revoked_at is None:
                    made[row.id] = row.digest.encode(), _client(row.id, row.name, row.scopes, row.resources)
            self._made, self._seen = made, latest
            self._is_open = self._may_be_open and not self._given and since == NOTHING and not rows

    def write_used(self) -> None:
        """Writes which keys were used since it was last written; of what cannot be written nothing is forgotten."""
        used, self._used = self._used, set()
        if not used:
            return
        self._write_at = time.monotonic() + WRITE_EVERY
        try:
            with self._database.transaction() as connection:
                connection.execute(_USED, {"ids": sorted(used), "now": utc_now()})
        except SQLAlchemyError as error:
            self._used |= used
            log.warning("key_uses_not_written", kind=type(error).__name__)

    def owner(self, key: str) -> Client | None:
        """Whose key it is. What takes how long says nothing of a key that is not the caller's."""
        sent, found = digest(key), None
        for kept, client in self._given:
            if secrets.compare_digest(kept, sent):
                found = client
        named = _ID.match(key)
        kept, made = self._made.get(named[1] if named else "", (_NOBODY, None))
        if not secrets.compare_digest(kept, sent):
            return found
        if made:
            self._used.add(made.key)
        return made

    def still(self, key_id: str, kept: str) -> Client | None:
        """The client of a key by its id and the digest of the key itself, while that key works."""
        given = next((one for one in self._given if one[1].key == key_id), None)
        working = given or self._made.get(key_id)
        if working is None or not secrets.compare_digest(working[0], kept.encode()):
            return None
        if not given:
            self._used.add(key_id)
        return working[1]

    def _work(self) -> float:
        self.look()
        if time.monotonic() >= self._write_at:
            self.write_used()
        return LOOK_EVERY


NEEDED = (
    "LECTERN_API_KEYS is needed, or a key that `lectern keys create` made: without a key, Lectern runs only with "
    "the embedded sandbox, or with itself and a sandbox, under its published sign-in, on loopback addresses"
)


def _may_have_keys(database: Database) -> bool:
    """Whether a key that works could be in the database; True if that does not answer. Leaves nothing behind."""
    if not database.exists:
        return False
    try:
        if not inspect(database.engine).has_table(_TABLE.name):
            return False
        with database.read() as session:
            return (
                session.execute(select(_TABLE.c.id).where(_TABLE.c.revoked_at.is_(None)).limit(1)).first() is not None
            )
    except OperationalError:
        return True
    finally:
        database.close()


def _client(key_id: str, name: str, scopes: Sequence[str], resources: Sequence[str] | None) -> Client:
    admin = Scope.ADMIN in scopes
    allowed = EVERYTHING if admin else frozenset(scope for scope in Scope if scope in scopes)
    narrowed = None if resources is None else frozenset(resource.lower() for resource in resources)
    return Client(name, allowed, narrowed, sees_all=admin, key=key_id)
