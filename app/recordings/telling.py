"""The notices of recordings: what became of what was asked for."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from app.notices.models import NoticeKind
from app.notices.telling import tell
from app.recordings.models import Recording, RecordingStatus

ENDING = ("cancel", "clear")
"""The operations that end a recording, and remove what was left of one that had ended."""

# Built once: building a statement costs more than running it.
_ABOUT = select(
    col(Recording.client),
    col(Recording.reference_id),
    col(Recording.status),
    col(Recording.document)["title"].as_string().label("title"),
).where(col(Recording.id) == bindparam("of"))


def tell_end(
    session: Session, recording_id: str, kind: NoticeKind, operation: str, error: Mapping[str, Any] | None = None
) -> None:
    """Tells its client how an operation on a recording has ended. To be called last: see `tell`.

    While it is being cancelled, only that will be told; once it is, nothing of what was asked for before.
    """
    about = session.connection().execute(_ABOUT, {"of": recording_id}).one()
    if about.status == RecordingStatus.CANCELLING:
        return
    if about.status == RecordingStatus.CANCELLED and operation not in ENDING:
        return
    data = {
        "recording_id": recording_id,
        "reference_id": about.reference_id,
        "title": about.title,
        "status": about.status,
        "operation": operation,
        "problem": error and {name: error.get(name) for name in ("code", "detail")},
    }
    tell(session, kind, about.client, recording_id, data)
