"""Calendar links: addresses that calendar programs, which send no key, read one calendar at.

Whoever has the address may read; nobody guesses it (256 bits). What is kept is its SHA-256, and taking the row away
revokes it. A link to a resource keeps what the resource was named by, and so follows the device that has the name.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import BigInteger, Column, ColumnElement, delete, select
from sqlmodel import Field, Session, SQLModel, col

from app.access.keys import Client
from app.database.database import Database
from app.database.types import UtcDateTime, utc_now
from app.http.errors import NotFound
from app.resources.schemas import CalendarLinkView

PATH = "/calendar-links/"
TOKEN_BYTES = 32


class CalendarLink(SQLModel, table=True):
    """`client` has made it. Of a recording, `recording_id`; of a resource, its id then and what it was named by."""

    __tablename__ = "calendar_link"

    digest: str = Field(primary_key=True)
    client: str
    recording_id: str | None = Field(default=None, index=True)
    resource_id: int | None = Field(default=None, sa_type=BigInteger, index=True)
    resource: str | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


def make(
    database: Database,
    base_url: str,
    client: Client,
    *,
    recording_id: str | None = None,
    resource_id: int | None = None,
    resource: str | None = None,
) -> CalendarLinkView:
    """A new link of the client's, to a recording or to a resource. `base_url`: the service's own address."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    made = CalendarLink(
        digest=_digest(token),
        client=client.name,
        recording_id=recording_id,
        resource_id=resource_id,
        resource=resource,
        created_at=(now := utc_now()),
    )
    with database.write() as session:
        session.add(made)
    return CalendarLinkView(url=f"{base_url.rstrip('/')}{PATH}{token}.ics", created_at=now)


def revoke(database: Database, client: Client, *of: ColumnElement[bool]) -> None:
    """All of the client's links to what `of` says; with `admin`, everybody's. Harmless to repeat."""
    with database.write() as session:
        session.execute(delete(CalendarLink).where(*_made_by(client), *of))


def names_in_use(session: Session, client: Client) -> Sequence[str]:
    """What resources are named by in the client's links; with `admin`, in everybody's."""
    named = select(col(CalendarLink.resource)).where(*_made_by(client), col(CalendarLink.resource).is_not(None))
    return session.execute(named.distinct()).scalars().all()


def find(session: Session, token: str) -> CalendarLink:
    """Raises NotFound, of one that is revoked as of one that never was."""
    found = session.get(CalendarLink, _digest(token))
    if found is None:
        raise NotFound("There is no such calendar.")
    return found


def _made_by(client: Client) -> tuple[ColumnElement[bool], ...]:
    return () if client.sees_all else (col(CalendarLink.client) == client.name,)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
