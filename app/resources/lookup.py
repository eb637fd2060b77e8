"""Finding resources: in SQL those that Lectern has seen, in Kaltura all others."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col

from app.db import Database, utc_now
from app.errors import AmbiguousResource, KalturaUnavailable, NotFound, RefusedByKaltura
from app.kaltura import types as kaltura
from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError, Refused
from app.resources.models import Resource

_RESOURCE = SQLModel.metadata.tables["resource"]

NO_RESOURCE = "Kaltura has no such resource."
MAX_ID = 2**31 - 1  # Kaltura's ids are 32-bit


@contextmanager
def kaltura_answers() -> Iterator[None]:
    """What a request that asks Kaltura itself answers when Kaltura does not."""
    try:
        yield
    except Refused as refusal:
        raise RefusedByKaltura(f"Kaltura answered {refusal.code}.", kaltura_code=refusal.code) from None
    except KalturaError:
        raise KalturaUnavailable("Kaltura does not answer. Try again later.") from None


def known_resources(session: Session, reference: str) -> list[Resource]:
    """Those in SQL with this Kaltura id or system name (in any case). A number is an id first."""
    # SQLite's lower() knows ASCII alone: other letters have to be spelt as they are, or Kaltura is asked.
    by_name = or_(col(Resource.system_name) == reference, func.lower(col(Resource.system_name)) == reference.lower())
    number = as_id(reference)
    found = session.execute(
        select(Resource).where(or_(by_name, col(Resource.id) == number) if number else by_name)
    ).scalars()
    rows = list(found)
    return [row for row in rows if row.id == number] or rows


def look_up(database: Database, client: KalturaClient, reference: int | str) -> list[Resource]:
    """The resources that an id or a name means; Kaltura is asked only for one that Lectern has never seen.

    Writes nothing. Raises KalturaUnavailable.
    """
    return _known(database, reference) or _ask(client, reference)


def find_resource(database: Database, client: KalturaClient, reference: str) -> Resource:
    """The resource that a path names, remembered. Raises NotFound, AmbiguousResource, KalturaUnavailable."""
    found = _known(database, reference) or _remember(database, _ask(client, reference))
    if len(found) > 1:
        raise AmbiguousResource(resource_ids=sorted(resource.id for resource in found))
    if not found:
        raise NotFound(NO_RESOURCE)
    return found[0]


def all_resources(database: Database, client: KalturaClient) -> list[Resource]:
    """Every resource that Kaltura knows, by id."""
    with kaltura_answers():
        theirs = client.list_resources()
    return _remember(database, [_row(resource) for resource in theirs])


def _known(database: Database, reference: int | str) -> list[Resource]:
    with database.read() as session:
        return known_resources(session, str(reference))


def _ask(client: KalturaClient, reference: int | str) -> list[Resource]:
    number = as_id(str(reference))
    with kaltura_answers():
        by_id = client.get_resource(number) if number else None
        if by_id or isinstance(reference, int):
            return [_row(by_id)] if by_id else []
        return [_row(resource) for resource in client.list_resources(system_name=reference)]


def remember(session: Session, found: Iterable[Resource]) -> None:
    """Writes them as Kaltura has them, whoever else may be writing them at the same moment."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    new = dialect.insert(_RESOURCE)
    known = new.on_conflict_do_update(
        index_elements=["id"], set_={column.name: column for column in new.excluded if column.name != "id"}
    )
    # In order, so that two who write the same ones never wait for each other.
    rows = [row.model_dump() for row in sorted(found, key=lambda row: row.id)]
    session.connection().execute(known, rows)


def _remember(database: Database, rows: list[Resource]) -> list[Resource]:
    if rows:
        with database.write() as session:
            remember(session, rows)
    return rows


def _row(resource: kaltura.Resource) -> Resource:
    return Resource(
        id=resource.id,
        system_name=resource.system_name,
        name=resource.name,
        description=resource.description,
        kind=resource.kind,
        seen_at=utc_now(),
    )


def as_id(reference: str) -> int | None:
    """What is a number that an id could be is an id, before it is a name."""
    if not (reference.isascii() and reference.isdigit() and len(reference) <= 10):
        return None
    return int(reference) if 0 < int(reference) <= MAX_ID else None
