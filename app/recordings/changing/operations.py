"""The operations on a recording: the steps of each, and what its end means to the recording.

Each `…_ended` runs within the transaction that ends the chain.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.chains.models import Chain, ChainStatus
from app.chains.steps import Definition
from app.database.types import utc_now
from app.kaltura.trips import Trips
from app.recordings.changing.steps import CANCEL, CANCEL_ONE, CHANGE, CLEAR
from app.recordings.changing.switching import SCHEDULE_TOGETHER
from app.recordings.models import Recording, RecordingStatus
from app.recordings.scheduling.accept import MAKING, OVER, hold, schedule_ended
from app.recordings.scheduling.context import Tools
from app.recordings.scheduling.steps import SCHEDULE
from app.recordings.scheduling.sweep import SWEEP
from app.resources.mirror import drift
from app.resources.models import Occurrence

# What the problem of a failed recording is, and was before something could not be cleared.
_WHY_IT_FAILED = (
    select(col(Chain.error))
    .join(Recording, col(Recording.id) == col(Chain.subject))
    .where(
        col(Chain.subject) == bindparam("of"),
        col(Chain.operation).in_(MAKING),
        col(Recording.status) == RecordingStatus.FAILED,
    )
)


def _change_ended(session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None) -> None:
    """A refused change leaves the recording as it was; a stuck one waits for somebody to resume it."""
    if status == ChainStatus.STUCK:
        _set_unless_cancelling(session, subject, RecordingStatus.STUCK, error)
        return
    _set_unless_cancelling(session, subject, RecordingStatus.SCHEDULED, None)
    if status == ChainStatus.SUCCEEDED:
        drift.doubt(session, subject)
    if status == ChainStatus.FAILED:
        _take_reference_back(session, subject)
        _show_again(session, subject)


def _take_reference_back(session: Session, subject: str) -> None:
    """The reference that the recording had, unless somebody has taken it meanwhile."""
    mine, other = col(Recording.reference_id), aliased(Recording)
    taken = select(col(other.id)).where(
        col(other.client) == col(Recording.client), col(other.active_reference) == mine, col(other.id) != subject
    )
    session.execute(
        update(Recording)
        .where(col(Recording.id) == subject, col(Recording.status).not_in(OVER), ~taken.exists())
        .values(active_reference=mine)
    )


def _show_again(session: Session, subject: str) -> None:
    """What was to be cancelled, and is not; unless all of it is to be."""
    alive = select(col(Recording.id)).where(col(Recording.id) == subject, col(Recording.status).not_in(OVER))
    withdrawn = (col(Occurrence.booking_id) == subject, col(Occurrence.withdrawn))
    session.execute(update(Occurrence).where(*withdrawn, alive.exists()).values(withdrawn=False))


def _set_unless_cancelling(
    session: Session, subject: str, status: RecordingStatus, problem: Mapping[str, Any] | None
) -> None:
    session.execute(
        update(Recording)
        .where(col(Recording.id) == subject, col(Recording.status).not_in(OVER))
        .values(status=status, problem=problem, updated_at=utc_now())
    )


def _cancel_ended(session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None) -> None:
    values: dict[str, Any] = {"status": RecordingStatus.CANCELLED, "problem": None, "active_reference": None}
    if status == ChainStatus.STUCK:
        values = {"status": RecordingStatus.STUCK, "problem": error}
    else:
        drift.doubt(session, subject)
    session.execute(update(Recording).where(col(Recording.id) == subject).values(updated_at=utc_now(), **values))


def _clear_ended(session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None) -> None:
    """The recording is as over as it was; that something could not be cleared stands in it."""
    if status != ChainStatus.STUCK:
        drift.doubt(session, subject)
        error = session.execute(_WHY_IT_FAILED, {"of": subject}).scalar_one_or_none()
    session.execute(update(Recording).where(col(Recording.id) == subject).values(problem=error, updated_at=utc_now()))


def _sweep_ended(_session: Session, _subject: str, _status: ChainStatus, _error: Mapping[str, Any] | None) -> None:
    """A sweep changes nothing that anybody is shown."""


def _trips(tools: Tools) -> Trips:
    return Trips(tools.kaltura)


DEFINITIONS: Mapping[str, Definition[Tools]] = {
    "schedule": Definition("schedule", SCHEDULE, schedule_ended, sweep="sweep", hold=hold, trips=_trips),
    "schedule_together": Definition(
        "schedule_together", SCHEDULE_TOGETHER, schedule_ended, sweep="sweep", hold=hold, trips=_trips
    ),
    **{
        operation: Definition(operation, CHANGE, _change_ended, sweep="sweep", hold=hold, trips=_trips)
        for operation in ("update", "calendar", "move_occurrence", "restore_occurrence", "mend")
    },
    "cancel_occurrence": Definition(
        "cancel_occurrence", CANCEL_ONE, _change_ended, sweep="sweep", hold=hold, trips=_trips
    ),
    "cancel": Definition("cancel", CANCEL, _cancel_ended, hold=hold, trips=_trips),
    "clear": Definition("clear", CLEAR, _clear_ended, hold=hold, trips=_trips),
    "sweep": Definition("sweep", SWEEP, _sweep_ended, trips=_trips),
}
