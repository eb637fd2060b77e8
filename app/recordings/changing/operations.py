"""The operations on a recording: the steps of each, and what its end means to the recording.

Each `…_ended` runs within the transaction that ends the chain, and tells its client of that.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.chains.models import Chain, ChainStatus
from app.chains.steps import Definition, Step
from app.chains.store import latest_chains
from app.database.types import utc_now
from app.kaltura.trips import Trips
from app.notices.models import NoticeKind
from app.recordings.changing.occurrences.hiding import show_again
from app.recordings.changing.steps import CANCEL, CANCEL_ONE, CHANGE, CLEAR
from app.recordings.changing.switching import SCHEDULE_TOGETHER
from app.recordings.models import Recording, RecordingStatus
from app.recordings.scheduling.accept import MAKING, OVER, lock_recording, schedule_ended
from app.recordings.scheduling.context import Tools, instant
from app.recordings.scheduling.steps import SCHEDULE
from app.recordings.scheduling.sweep import SWEEP
from app.recordings.telling import tell_end
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


def _change_ended(
    session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None, *, operation: str
) -> None:
    """A refused change leaves the recording as it was; a stuck one waits for somebody to resume it."""
    if status == ChainStatus.STUCK:
        _set_unless_cancelling(session, subject, RecordingStatus.STUCK, error)
        kind = NoticeKind.RECORDING_STUCK
    elif status == ChainStatus.SUCCEEDED:
        _set_unless_cancelling(session, subject, RecordingStatus.SCHEDULED, None)
        drift.doubt(session, subject)
        kind = NoticeKind.RECORDING_CHANGED
    else:
        _set_unless_cancelling(session, subject, RecordingStatus.SCHEDULED, None)
        _take_reference_back(session, subject)
        show_again(session, subject)
        _end_as_before(session, subject)
        kind = NoticeKind.RECORDING_FAILED
    tell_end(session, subject, kind, operation, error)


def _take_reference_back(session: Session, subject: str) -> None:
    """Gives the recording the reference back that it had, unless another one has taken it meanwhile."""
    mine, other = col(Recording.reference_id), aliased(Recording)
    taken = select(col(other.id)).where(
        col(other.client) == col(Recording.client), col(other.active_reference) == mine, col(other.id) != subject
    )
    session.execute(
        update(Recording)
        .where(col(Recording.id) == subject, col(Recording.status).not_in(OVER), ~taken.exists())
        .values(active_reference=mine)
    )


def _end_as_before(session: Session, subject: str) -> None:
    """Where an occurrence was to be stopped or extended. If all is to be cancelled, it stays at its new end."""
    asked = latest_chains(session, [subject])[subject].input["change"].get("occurrence", {})
    was = asked.get("details", {}).get("was", {})
    if "end" in was:
        values = {"end": instant(was["end"]), "planned_end": asked["planned_end"] and instant(asked["planned_end"])}
        session.execute(update(Occurrence).where(col(Occurrence.id) == asked["id"]).values(values))


def _set_unless_cancelling(
    session: Session, subject: str, status: RecordingStatus, problem: Mapping[str, Any] | None
) -> None:
    session.execute(
        update(Recording)
        .where(col(Recording.id) == subject, col(Recording.status).not_in(OVER))
        .values(status=status, problem=problem, updated_at=utc_now())
    )


def _cancel_ended(session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None) -> None:
    kind = NoticeKind.RECORDING_CANCELLED
    values: dict[str, Any] = {"status": RecordingStatus.CANCELLED, "problem": None, "active_reference": None}
    if status == ChainStatus.STUCK:
        kind = NoticeKind.RECORDING_STUCK
        values = {"status": RecordingStatus.STUCK, "problem": error}
    else:
        drift.doubt(session, subject)
    session.execute(update(Recording).where(col(Recording.id) == subject).values(updated_at=utc_now(), **values))
    tell_end(session, subject, kind, "cancel", error)


def _clear_ended(session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None) -> None:
    """The recording stays over. If something could not be cleared, its `problem` says so."""
    kind = NoticeKind.RECORDING_STUCK
    if status != ChainStatus.STUCK:
        drift.doubt(session, subject)
        error = session.execute(_WHY_IT_FAILED, {"of": subject}).scalar_one_or_none()
        kind = NoticeKind.RECORDING_FAILED if error else NoticeKind.RECORDING_CANCELLED
    session.execute(update(Recording).where(col(Recording.id) == subject).values(problem=error, updated_at=utc_now()))
    tell_end(session, subject, kind, "clear", error)


def _sweep_ended(_session: Session, _subject: str, _status: ChainStatus, _error: Mapping[str, Any] | None) -> None:
    """A sweep changes nothing that anybody is shown."""


def _trips(tools: Tools) -> Trips:
    return Trips(tools.kaltura)


def _of(operation: str, steps: Sequence[Step[Tools]], ended: Callable[..., None], **more: Any) -> Definition[Tools]:
    return Definition(operation, steps, ended, lock_subject=lock_recording, trips=_trips, **more)


_MAKE = {"schedule": SCHEDULE, "schedule_together": SCHEDULE_TOGETHER}
_CHANGE = {
    **dict.fromkeys(("update", "calendar", "move_occurrence", "restore_occurrence", "mend"), CHANGE),
    **dict.fromkeys(("name_occurrence", "end_occurrence"), CHANGE),
    "cancel_occurrence": CANCEL_ONE,
}
_ALL: Sequence[Definition[Tools]] = (
    *(_of(each, steps, partial(schedule_ended, operation=each), sweep="sweep") for each, steps in _MAKE.items()),
    *(_of(each, steps, partial(_change_ended, operation=each), sweep="sweep") for each, steps in _CHANGE.items()),
    _of("cancel", CANCEL, _cancel_ended),
    _of("clear", CLEAR, _clear_ended),
    Definition("sweep", SWEEP, _sweep_ended, trips=_trips),
)
DEFINITIONS: Mapping[str, Definition[Tools]] = {definition.operation: definition for definition in _ALL}
