"""How notices are shown, and where one reads on."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import Field
from sqlalchemy import Row, delete, or_, select
from sqlmodel import Session, SQLModel

from app.access.keys import LOCAL, Client
from app.database.counters import last
from app.database.types import database_now
from app.http.fields import Out
from app.http.parameters import as_cursor, of_cursor
from app.http.times import Instant
from app.notices.telling import NOTICES

KEPT_SECONDS = 30 * 86_400.0
FROM_THE_START = 0
AFTER = "bjA"

_NOTICE = SQLModel.metadata.tables["notice"]
_NEXT = select(_NOTICE).order_by(_NOTICE.c.number)


class NoticeView(Out):
    """Something that has come true. A webhook's body is the same."""

    id: str = Field(
        description="The notice's id. Who gets a notice twice knows it by that.",
        examples=["ntc_01kantf3wq5m2c7j8e9g0h1k3p"],
    )
    type: str = Field(
        description="What has come true: `recording.scheduled`, `recording.changed`, `recording.cancelled`, "
        "`recording.failed`, `recording.stuck`, `finding.raised`, `finding.cleared`, `term.applied`, "
        "`calendar.applied`.",
        examples=["recording.scheduled"],
    )
    timestamp: Instant = Field(description="When.", examples=["2026-11-22T14:03:08.120Z"])
    client: str | None = Field(description="Whose it is; null: nobody's.", examples=["registrar"])
    data: dict[str, Any] = Field(
        description="More of it. Of a recording: its `recording_id`, `reference_id`, `title` and `status`, the "
        "`operation` that has ended so, and the `problem` that it met, or null. Of a finding: the finding. Of a "
        "calendar: its name as `calendar`, `title` and `version`, and how many `recordings` name it, follow it "
        "(`done`), and could not be changed (`failed`).",
        examples=[
            {
                "recording_id": "rec_01kantf3wq5m2c7j8e9g0h1k3p",
                "reference_id": "SIS-2026F-MATH123-01",
                "title": "MATH-123 Linear Algebra",
                "status": "scheduled",
                "operation": "schedule",
                "problem": None,
            }
        ],
    )


class NoticePage(Out):
    """Notices in the order in which they came true."""

    items: list[NoticeView] = Field(description="What came after `after`, the earliest first.")
    next_cursor: str = Field(
        description="Send it as `after` to get what comes next; also when there was nothing.", examples=[AFTER]
    )


def view(row: Mapping[str, Any]) -> NoticeView:
    """A row of the table as everybody sees it."""
    at = datetime.fromtimestamp(row["told_at"], UTC)
    return NoticeView(id=row["id"], type=row["kind"], timestamp=at, client=row["client"], data=row["data"])


def hears_nobodys(client: Client) -> bool:
    """Whether it is told what is no client's own, as trouble of an encoder. Of an open service everybody is."""
    return client.sees_all or client is LOCAL


def page(session: Session, client: Client, after: str | None, limit: int) -> NoticePage:
    """The client's notices after a cursor; for a client who sees all, everybody's.

    Raises RequestValidationError for a cursor that was never given out.
    """
    seen = _number(after) if after is not None else FROM_THE_START
    statement = _NEXT.where(_NOTICE.c.number > seen).limit(limit)
    if not client.sees_all:
        own, nobodys = _NOTICE.c.client == client.name, _NOTICE.c.client.is_(None)
        statement = statement.where(or_(own, nobodys) if hears_nobodys(client) else own)
    rows: list[Row[Any]] = list(session.connection().execute(statement))
    if not rows and seen > last(session, NOTICES):  # as after a backup was put back: nothing would ever come
        raise _refused("is of notices that this database has not: begin anew, without it")
    return NoticePage(
        items=[view(row._asdict()) for row in rows], next_cursor=_cursor(rows[-1].number if rows else seen)
    )


def forget(session: Session, most: int) -> int:
    """Deletes notices that are old, the earliest first, and whatever somebody has not been given of them. How many."""
    first = select(_NOTICE.c.number, _NOTICE.c.told_at).order_by(_NOTICE.c.number).limit(most).subquery()
    old = select(first.c.number).where(first.c.told_at < database_now() - KEPT_SECONDS)
    numbers = list(session.execute(old).scalars())
    if numbers:
        session.execute(delete(_NOTICE).where(_NOTICE.c.number.in_(numbers)))
    return len(numbers)


def _cursor(number: int) -> str:
    return as_cursor(f"n{number}")


def _number(cursor: str) -> int:
    try:
        plain = of_cursor(cursor)
    except ValueError:
        plain = ""
    found = re.fullmatch(r"n([0-9]{1,18})", plain)
    if found is None:
        raise _refused("is not a cursor that was given out here")
    return int(found[1])


def _refused(rule: str) -> RequestValidationError:
    return RequestValidationError([{"type": "rule", "loc": ("query", "after"), "ctx": {"rule": rule}}])
