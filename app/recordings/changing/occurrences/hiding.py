"""What is to be cancelled, dropped or excluded is hidden from encoders at once, however long its chain takes. If the
chain fails, it is shown again."""

from sqlalchemy import ColumnElement, select, update
from sqlmodel import Session, col

from app.database.types import utc_now
from app.recordings.changing.difference import slot_of
from app.recordings.document.document import Schedule
from app.recordings.models import Recording
from app.recordings.scheduling.accept import OVER
from app.resources.models import Occurrence, OccurrenceStatus


def hide_from_encoders(session: Session, *which: ColumnElement[bool]) -> None:
    """Hides those of the occurrences that lie ahead."""
    session.execute(update(Occurrence).where(*which, col(Occurrence.start) > utc_now()).values(withdrawn=True))


def hide_unwanted(session: Session, recording_id: str, schedule: Schedule) -> None:
    """Hides what the recording will not have any more once it has this schedule: all that lies ahead on other dates,
    but for what somebody has decided by hand (app/recordings/changing/difference.py)."""
    dates = [slot_of(one) for one in schedule.wanted]
    hide_from_encoders(
        session,
        col(Occurrence.booking_id) == recording_id,
        col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
        col(Occurrence.slot).not_in(dates),
        ~col(Occurrence.moved),
        ~col(Occurrence.placed),
        ~col(Occurrence.restored),
    )


def show_wanted(session: Session, recording_id: str, schedule: Schedule) -> None:
    """Shows again what was hidden by `hide_unwanted`, and is wanted by this schedule."""
    dates = [slot_of(one) for one in schedule.wanted]
    hidden = (col(Occurrence.booking_id) == recording_id, col(Occurrence.withdrawn))
    still = (*hidden, col(Occurrence.status) == OccurrenceStatus.SCHEDULED, col(Occurrence.slot).in_(dates))
    session.execute(update(Occurrence).where(*still).values(withdrawn=False))


def takes_only_away(before: Schedule, after: Schedule) -> bool:
    """Whether a change of schedule brings nothing that something could be in the way of.

    Any other may be refused in the end, when what it would have taken away is over: better one recording too many.
    """
    there = {(one.start, one.end) for one in before.wanted}
    return there.issuperset((one.start, one.end) for one in after.wanted)


def show_again(session: Session, recording_id: str) -> None:
    """Shows encoders what was to be taken away and is not, unless the whole recording is being cancelled."""
    alive = select(col(Recording.id)).where(col(Recording.id) == recording_id, col(Recording.status).not_in(OVER))
    withdrawn = (col(Occurrence.booking_id) == recording_id, col(Occurrence.withdrawn))
    session.execute(update(Occurrence).where(*withdrawn, alive.exists()).values(withdrawn=False))
