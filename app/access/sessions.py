"""Who has signed in to the console: sessions of twelve hours, each under the key that it was begun with.

The browser has a token of 32 random bytes in a cookie; what is kept is its SHA-256, with the key's id and digest, so
that a session ends with its key. Forms carry a word that is made from the token (HMAC) and kept nowhere: another
site's page knows neither.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Column, delete
from sqlmodel import Field, SQLModel, col

from app.access.keys import Client, Keys, digest
from app.database.database import Database
from app.database.types import UtcDateTime, utc_now

LASTS = timedelta(hours=12)
TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


class ConsoleSession(SQLModel, table=True):
    """`digest` is the token's. `key_id` and `key_digest` are as `Keys.still` wants them."""

    __tablename__ = "console_session"

    digest: str = Field(primary_key=True)
    key_id: str
    key_digest: str
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False, index=True))


def begin(database: Database, client: Client, key: str) -> str:
    """A new session of whoever has this key: its token, which nobody is told again. Drops those that are over."""
    token, now = secrets.token_urlsafe(TOKEN_BYTES), utc_now()
    kept = ConsoleSession(
        digest=_digest(token), key_id=client.key, key_digest=digest(key).decode(), expires_at=now + LASTS
    )
    with database.write() as session:
        session.execute(delete(ConsoleSession).where(col(ConsoleSession.expires_at) <= now))
        session.add(kept)
    return token


def find(database: Database, keys: Keys, token: str) -> Client | None:
    """Whose session it is, while it lasts and its key works."""
    if not _TOKEN.fullmatch(token):
        return None
    with database.read() as session:
        kept = session.get(ConsoleSession, _digest(token))
    if kept is None or kept.expires_at <= utc_now():
        return None
    return keys.still(kept.key_id, kept.key_digest)


def end(database: Database, token: str) -> None:
    """Harmless to repeat."""
    with database.write() as session:
        session.execute(delete(ConsoleSession).where(col(ConsoleSession.digest) == _digest(token)))


def form_token(token: str) -> str:
    """What a form carries that changes something."""
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
