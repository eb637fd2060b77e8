"""Finding resources: in SQL those that Lectern has seen, in Kaltura all others.

What SQL says of them is revised by the list of all resources (`mirror/listing.py`), and by nothing else: whoever has
read one alone may write it later than that list was read.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from sqlalchemy import bindparam, func, or_, select, update
from sqlmodel import Session, SQLModel, col

from app.access.keys import Client
from app.database.database import Database
from app.database.types import KINDS, database_now, insert, utc_now
from app.http.errors import Busy, KalturaUnavailable, RefusedByKaltura
from app.http.threads import Threads
from app.kaltura import types as kaltura
from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError, Refused
from app.resources.models import Resource
from app.resources.naming import as_id, meant, only
from app.resources.rounds import RESOURCES, was_read

UNKNOWN_FOR = 5.0  # seconds for which Kaltura is not asked again for what it did not know
MOST_UNKNOWN = 1000  # of these names in memory

_RESOURCE, _ROUND = (SQLModel.metadata.tables[name] for name in ("resource", "mirror_round"))
REVISED = ("system_name", "name", "description", "kind")

# Built once: building a statement costs more than running it.
_NEW = {kind: insert(kind, _RESOURCE).on_conflict_do_nothing() for kind in KINDS}
_OTHERWISE = (
    update(_ROUND)
    .where(
        _ROUND.c.name == RESOURCES,
        select(_RESOURCE.c.id)
        .where(
            _RESOURCE.c.id == bindparam("of"),
            or_(
                _RESOURCE.c.gone_since.is_not(None),
                *(_RESOURCE.c[name].is_distinct_from(bindparam(f"found_{name}")) for name in REVISED),
            ),
        )
        .exists(),
    )
    .values(due_at=database_now())
)
# SQLite's lower() knows ASCII alone: other letters have to be spelt as they are, or Kaltura is asked.
_NAMED = or_(
    col(Resource.system_name) == bindparam("name"), func.lower(col(Resource.system_name)) == bindparam("lower")
)
_BY_NAME = select(Resource).where(_NAMED)
_BY_NAME_OR_ID = select(Resource).where(or_(_NAMED, col(Resource.id) == bindparam("number")))


@contextmanager
def kaltura_answers() -> Iterator[None]:
    """Turns what Kaltura raises into the problems that a request answers: KalturaUnavailable, RefusedByKaltura."""
    try:
        yield
    except Refused as refusal:
        raise RefusedByKaltura(f"Kaltura answered {refusal.code}.", kaltura_code=refusal.code) from None
    except KalturaError:
        raise KalturaUnavailable("Kaltura does not answer. Try again later.") from None


def in_kaltura(client: KalturaClient, reference: int | str, *, is_name: bool = False) -> Sequence[kaltura.Resource]:
    """Asks Kaltura for what `reference`, an id or a name, means; `is_name`: it is no id. Raises KalturaError."""

    def named(name: str) -> Sequence[kaltura.Resource]:
        return client.list_resources(system_name=name)

    return named(str(reference)) if is_name else meant(reference, client.get_resource, named)


def known_resources(session: Session, reference: int | str) -> Sequence[Resource]:
    """The resources that `reference` means, as far as SQL knows them; none that is gone from Kaltura."""
    return _meant(session, reference, [row for row in _rows(session, reference) if row.gone_since is None])


def ever_known(session: Session, reference: int | str) -> Sequence[Resource]:
    """`known_resources`; if there are none, those that it meant before they were gone from Kaltura."""
    rows = _rows(session, reference)
    there = [row for row in rows if row.gone_since is None]
    return _meant(session, reference, there) or _meant(session, reference, rows)


def is_id(session: Session, reference: str) -> bool:
    """Whether `reference` is the id of a resource, or a number that may be one: not all are known here."""
    number = as_id(reference)
    if number is None:
        return False
    row = session.get(Resource, number)
    return row.gone_since is None if row else not was_read(session, RESOURCES)


def _rows(session: Session, reference: int | str) -> list[Resource]:
    name, number = str(reference), as_id(reference)
    asked = {"name": name, "lower": name.lower()}
    found = session.execute(_BY_NAME_OR_ID, asked | {"number": number}) if number else session.execute(_BY_NAME, asked)
    return list(found.scalars())


def _meant(session: Session, reference: int | str, rows: Sequence[Resource]) -> Sequence[Resource]:
    """Before the list of all was read, nobody can say here that a number is no id."""
    by_id = {row.id: row for row in rows}
    return meant(
        reference,
        by_id.get,
        lambda _name: rows if as_id(reference) is None or was_read(session, RESOURCES) else [],
    )


class Unknown:
    """Names that Kaltura did not know a moment ago, so that whoever asks for one again does not have it asked again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until = OrderedDict[str, float]()

    def add(self, name: str) -> None:
        self._until[name] = self._clock() + UNKNOWN_FOR
        self._until.move_to_end(name)
        if len(self._until) > MOST_UNKNOWN:
            self._until.popitem(last=False)

    def __contains__(self, name: str) -> bool:
        return self._until.get(name, 0.0) > self._clock()

    def __len__(self) -> int:
        return len(self._until)


class Finder:
    """Finds the resources that paths name: in SQL, without waiting for whoever asks Kaltura; else in Kaltura.

    One a process, for its one event loop.
    """

    def __init__(self, database: Database, client: KalturaClient, threads: Threads) -> None:
        self._database = database
        self._client = client
        self._threads = threads
        self._unknown = Unknown()

    async def all(self, reference: str, who: Client) -> Sequence[Resource]:
        """What `reference` means, written into SQL if it is new; nothing for a client that may not name it.

        Raises Busy, KalturaUnavailable and RefusedByKaltura.
        """
        found = await self._threads.reading.run(self._known, reference)
        if found or reference in self._unknown:
            return found
        try:
            found = await self._threads.ask(who.key, self._ask, reference)
        except (Busy, KalturaUnavailable, RefusedByKaltura):
            if who.may_name(reference):
                raise
            return []
        if not found:
            self._unknown.add(reference)
        return found

    async def one(self, reference: str, who: Client) -> Resource:
        """The only one that `who` may see. Raises NotFound and AmbiguousResource, and what `all` does."""
        found = await self.all(reference, who)
        return await self._threads.reading.run(self._only, found, who)

    def _known(self, reference: str) -> Sequence[Resource]:
        with self._database.read() as session:
            return known_resources(session, reference)

    def _ask(self, reference: str) -> Sequence[Resource]:
        with kaltura_answers():
            theirs = in_kaltura(self._client, reference)
        return remembered(self._database, theirs)

    def _only(self, found: Sequence[Resource], who: Client) -> Resource:
        rows = {row.id: row for row in found}
        with self._database.read() as session:
            named = [(row.id, row.system_name) for row in found]
            return rows[only(named, lambda number, name: who.may_see(number, name, partial(is_id, session)))]


def all_resources(database: Database, client: KalturaClient, who: Client) -> list[Resource]:
    """Every resource that Kaltura knows and that `who` may see, by id; written into SQL. Raises KalturaUnavailable."""
    with kaltura_answers():
        theirs = client.list_resources()
    ids = {str(resource.id) for resource in theirs}
    return [row for row in remembered(database, theirs) if who.may_see(row.id, row.system_name, ids.__contains__)]


def remember(session: Session, found: Iterable[Resource]) -> None:
    """Writes those that are new to SQL, also while others write the same ones.

    If SQL has one otherwise, the list of all resources is due at once: that one is newer than both.
    """
    # In order, so that two who write the same ones never wait for each other.
    rows = [row.model_dump() for row in sorted(found, key=lambda row: row.id)]
    session.connection().execute(_NEW[session.get_bind().dialect.name], rows)
    session.connection().execute(
        _OTHERWISE, [{"of": row["id"], **{f"found_{name}": row[name] for name in REVISED}} for row in rows]
    )


def remembered(database: Database, theirs: Iterable[kaltura.Resource]) -> Sequence[Resource]:
    """As SQL keeps them; written there if they are new."""
    rows = [as_row(resource) for resource in theirs]
    if rows:
        with database.write() as session:
            remember(session, rows)
    return rows


def as_row(resource: kaltura.Resource) -> Resource:
    """Kaltura's resource as SQL keeps it, seen now."""
    return Resource(
        id=resource.id,
        system_name=resource.system_name,
        name=resource.name,
        description=resource.description,
        kind=resource.kind,
        seen_at=utc_now(),
    )
