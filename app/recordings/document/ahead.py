"""Whether a document has anything left to record. One that has not is a mistake in a year, more often than not."""

from datetime import datetime

from app.http.errors import NothingAhead
from app.recordings.document.campus import followed
from app.recordings.document.document import Schedule
from app.recordings.models import Recording


def ensure_ahead(wanted: Schedule, now: datetime, before: Recording | None = None) -> None:
    """Raises NothingAhead for a document whose last occurrence is over.

    A recording that has it already, or is over itself (`before`), may still be given it: a new title shows on past
    occurrences. What still lies ahead is not ended this way; that is what DELETE is for.
    """
    if wanted.last_end > now or (before is not None and followed(before).last_end <= now):
        return
    ended = wanted.last_end.astimezone(wanted.zone)
    detail = f"The last session ended on {ended.day} {ended:%B %Y} at {ended:%H:%M}, so there is nothing to record."
    raise NothingAhead(detail, errors=[{"pointer": "/start", "detail": detail}])
