"""The list of recordings: found by title, reference, room, tag and state."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from app.access.keys import Client
from app.database.database import Database
from app.recordings.models import RecordingStatus
from app.recordings.reading import listing
from app.recordings.reading.views import RecordingView

EACH = 50
STATUSES = tuple(str(status) for status in RecordingStatus)


class Asked(BaseModel):
    """What the form says. An empty field says nothing."""

    title: str = ""
    reference_id: str = ""
    room: str = ""
    tag: str = ""
    term: str = ""
    status: str = ""
    cursor: str | None = None

    @property
    def anything(self) -> bool:
        return any((self.title, self.reference_id, self.room, self.tag, self.term, self.status))


@dataclass(frozen=True, slots=True)
class Found:
    items: Sequence[RecordingView]
    following: str | None


def found(database: Database, client: Client, asked: Asked, server_zone: ZoneInfo) -> Found:
    """A page of them, the latest first, and the address of the next one. Raises RequestValidationError."""
    filters = listing.Filters(
        status=(asked.status,) if asked.status in STATUSES else (),
        resource=_said(asked.room),
        reference_id=_said(asked.reference_id),
        tag=_said(asked.tag.lower()),
        title=_said(asked.title),
        term=_said(asked.term),
    )
    with database.read() as session:
        items, more = listing.page(session, client, filters, None, EACH, asked.cursor, server_zone)
    said = {name: value for name, value in asked.model_dump(exclude={"cursor"}).items() if value}
    return Found(items, f"/console/recordings?{urlencode({**said, 'cursor': more})}" if more else None)


def _said(text: str) -> str | None:
    """What a field says; databases refuse NUL."""
    return text.replace("\0", "").strip() or None
