"""The notice of a calendar: what it says has come to every recording that names it, or could not."""

from collections.abc import Callable

from sqlalchemy import ColumnElement, or_, select, update
from sqlmodel import Session, col

from app.calendars import keeping
from app.database.database import Database
from app.notices.models import NoticeKind
from app.notices.telling import tell
from app.recordings.models import Calendar

_UNTOLD: ColumnElement[bool] = or_(col(Calendar.applied).is_(None), col(Calendar.applied) < col(Calendar.version))
_WHICH = select(col(Calendar.name)).where(_UNTOLD).order_by(col(Calendar.name))


def tell_applied(database: Database, stopping: Callable[[], bool]) -> None:
    """Tells of each calendar that is over what has come of it, to whoever said it: once for each version."""
    with database.read() as session:
        untold = session.execute(_WHICH).scalars().all()
        over = [name for name in untold if keeping.is_over(keeping.progress_of(session, name))]
    for name in over:
        if stopping():
            return
        with database.write() as session:
            _tell(session, name)


def _tell(session: Session, name: str) -> None:
    """Unless another process has told it, or it says something else by now."""
    found = session.execute(select(Calendar).where(col(Calendar.name) == name, _UNTOLD).with_for_update()).scalar()
    if found is None:
        return
    progress = keeping.progress_of(session, name)
    if not keeping.is_over(progress):
        return
    session.execute(update(Calendar).where(col(Calendar.name) == name).values(applied=found.version))
    data = {"calendar": name, "title": found.title, "version": found.version, **progress.model_dump()}
    tell(session, NoticeKind.CALENDAR_APPLIED, found.said_by, f"calendar:{name}", data)
