"""Receivers are made, listed, ended and helped, from the command line. A running service notices by itself."""

import base64
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, select, update
from sqlmodel import Session, SQLModel, col

from app.database.counters import last
from app.database.types import database_now, new_id, utc_now
from app.notices.models import NoticeKind
from app.notices.telling import NOTICES
from app.webhooks.address import read
from app.webhooks.models import Undelivered, Webhook
from app.webhooks.people import PEOPLE
from app.webhooks.store import TROUBLE

MOST = 50  # receivers: each may have a thread and a connection
SECRET_BYTES = 32
LONGEST_NAME = 100  # characters of a client's name

_UNDELIVERED, _NOTICE = (SQLModel.metadata.tables[name] for name in ("undelivered", "notice"))
_GIVEN_UP = col(Undelivered.next_attempt_at).is_(None)
_NUMBERS = select(col(Undelivered.number))
_UNKNOWN = "There is no webhook with this id. `lectern webhooks list` shows them."


def create(session: Session, client: str | None, url: str, patterns: Sequence[str]) -> Webhook:
    """A new receiver of what comes true from now on. `client` None: everybody's notices.

    Raises ValueError for what makes no sense, without repeating it.
    """
    if client is not None and not (client.strip() == client and client.isprintable() and client):
        raise ValueError("The client's name must have printable characters, and no space around them.")
    if client is not None and len(client) > LONGEST_NAME:
        raise ValueError(f"The client's name must have at most {LONGEST_NAME} characters.")
    read(url)
    working = select(func.count()).select_from(Webhook).where(col(Webhook.revoked_at).is_(None))
    if session.execute(working).scalar_one() >= MOST:
        raise ValueError(f"There are {MOST} webhooks already: revoke one that nobody needs any more.")
    row = Webhook(
        id=new_id("whk"),
        client=client,
        url=url,
        notices=_known(patterns),
        secret="whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
        seen=last(session, NOTICES),
    )
    session.add(row)
    return row


def _known(patterns: Sequence[str]) -> list[str]:
    """The patterns, each of which names a notice that there is. Raises ValueError."""
    named = [part.strip() for each in patterns for part in each.split(",") if part.strip()]
    for each in named:
        if not any(kind == each or (each.endswith("*") and kind.startswith(each[:-1])) for kind in NoticeKind):
            raise ValueError(f"No notice is called that. Notices are: {', '.join(NoticeKind)}; `recording.*` is some.")
    if not named:
        raise ValueError("Name the notices that it is to be sent: `recording.*`, or `*` for all.")
    return sorted(set(named))


def every(session: Session) -> list[tuple[Webhook, int, int]]:
    """All that were ever made, the oldest first, each with how many notices it is tried with again, and how many were
    given up on."""
    counts = select(col(Undelivered.webhook_id), _GIVEN_UP, func.count()).group_by(
        col(Undelivered.webhook_id), _GIVEN_UP
    )
    found = {(webhook_id, bool(given_up)): count for webhook_id, given_up, count in session.execute(counts)}
    rows = session.execute(select(Webhook).order_by(col(Webhook.created_at), col(Webhook.id))).scalars()
    return [(row, found.get((row.id, False), 0), found.get((row.id, True), 0)) for row in rows]


class Counted(NamedTuple):
    waiting: int  # notices that are tried again
    given_up: int
    in_trouble: int  # receivers that take nothing


def counted(session: Session) -> Counted:
    states = session.execute(select(_GIVEN_UP, func.count()).group_by(_GIVEN_UP))
    found = {bool(given_up): count for given_up, count in states}
    return Counted(found.get(False, 0), found.get(True, 0), len(in_trouble(session)))


def in_trouble(session: Session, for_so_long: float = 0.0) -> Sequence[Webhook]:
    """The receivers that have taken nothing for so many seconds, by their ids."""
    ill = (
        col(Webhook.revoked_at).is_(None),
        col(Webhook.failures) >= TROUBLE,
        col(Webhook.failing_since) <= database_now() - for_so_long,
    )
    return session.execute(select(Webhook).where(*ill).order_by(col(Webhook.id))).scalars().all()


def undelivered(session: Session, most: int) -> Sequence[Row[Any]]:
    """What receivers have not taken, the earliest first, `most` of it: with its notice's `id`, `kind`, `told_at`."""
    return session.execute(
        select(_UNDELIVERED, _NOTICE.c.id, _NOTICE.c.kind, _NOTICE.c.told_at)
        .select_from(_UNDELIVERED.join(_NOTICE, _NOTICE.c.number == _UNDELIVERED.c.number))
        .order_by(_UNDELIVERED.c.webhook_id, _UNDELIVERED.c.number)
        .limit(most)
    ).all()


def revoke(session: Session, webhook_id: str) -> Webhook:
    """Ends a receiver, and forgets its secret; harmless to repeat. Raises ValueError if there is none of that id."""
    row = _find(session, webhook_id)
    ended = {"revoked_at": utc_now(), "secret": "", "owner": None, "lease_until": 0.0}
    which = (col(Webhook.id) == row.id, col(Webhook.revoked_at).is_(None))
    session.execute(update(Webhook).where(*which).values(ended))
    session.execute(delete(Undelivered).where(col(Undelivered.webhook_id) == row.id))
    session.refresh(row)
    return row


def retry(session: Session, webhook_id: str) -> int:
    """What was given up on is tried anew, and all that waits, at once. How much that is. Raises ValueError."""
    row = session.get(Webhook, PEOPLE) if webhook_id == PEOPLE else working(session, webhook_id)
    if row is None:
        raise ValueError(_UNKNOWN)
    numbers = list(session.execute(_NUMBERS.where(col(Undelivered.webhook_id) == row.id)).scalars())
    due = {"next_attempt_at": database_now(), "since": database_now(), "attempts": 0}
    session.execute(update(Undelivered).where(col(Undelivered.webhook_id) == row.id).values(due))
    session.execute(
        update(Webhook).where(col(Webhook.id) == row.id).values(failures=0, failing_since=None, next_attempt_at=0.0)
    )
    return len(numbers)


def working(session: Session, webhook_id: str) -> Webhook:
    """Raises ValueError if there is none of that id, or it was revoked."""
    row = _find(session, webhook_id)
    if row.revoked_at is not None:
        raise ValueError("This webhook was revoked.")
    return row


def _find(session: Session, webhook_id: str) -> Webhook:
    row = session.get(Webhook, webhook_id) if webhook_id.isascii() and webhook_id.isprintable() else None
    if row is None or row.id == PEOPLE:
        raise ValueError(_UNKNOWN)
    return row
