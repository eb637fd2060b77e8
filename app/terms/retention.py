"""What is over of terms is deleted, as recordings are: by the thread of app/recordings/retention.py.

meetings   with their recordings
plans      so many days after they were made, with their items and applies
a term     so many days after its last date, when none of both is left
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select, tuple_
from sqlmodel import Session, col

from app.recordings.models import Recording
from app.terms.models import Apply, ApplyStatus, Plan, PlanItem, Term, TermMeeting

MANY = 500  # meetings, or terms, of one transaction; of plans it is one, which may have 20,000 items

_ORPHANS = select(col(TermMeeting.id)).where(
    ~select(col(Recording.id)).where(col(Recording.id) == col(TermMeeting.recording_id)).exists()
)
_BUSY = select(col(Apply.plan_id)).where(col(Apply.status) == ApplyStatus.RUNNING)
_NOTHING_LEFT = [
    ~select(col(of.client)).where(col(of.client) == col(Term.client), col(of.term) == col(Term.name)).exists()
    for of in (TermMeeting, Plan)
]


def forget(session: Session, before: datetime) -> int:
    """Deletes a portion of what was over before then. Returns how much it was: 0 when nothing is left to delete."""
    return _forget_meetings(session) or _forget_plan(session, before) or _forget_terms(session, before)


def delete_plans(session: Session, ids: Collection[str]) -> None:
    for plan_id in ids:
        session.execute(delete(PlanItem).where(col(PlanItem.plan_id) == plan_id))
        session.execute(delete(Apply).where(col(Apply.plan_id) == plan_id))
        session.execute(delete(Plan).where(col(Plan.id) == plan_id))


def _forget_meetings(session: Session) -> int:
    gone = session.execute(_ORPHANS.limit(MANY)).scalars().all()
    if gone:
        session.execute(delete(TermMeeting).where(col(TermMeeting.id).in_(gone)))
    return len(gone)


def _forget_plan(session: Session, before: datetime) -> int:
    old = select(col(Plan.id)).where(col(Plan.created_at) < before, col(Plan.id).not_in(_BUSY))
    gone = session.execute(old.order_by(col(Plan.number)).limit(1)).scalars().all()
    delete_plans(session, gone)
    return len(gone)


def _forget_terms(session: Session, before: datetime) -> int:
    last_date = col(Term.settings)["last_date"].as_string()
    over = (col(Term.updated_at) < before, last_date < before.date().isoformat(), *_NOTHING_LEFT)
    gone = session.execute(select(col(Term.client), col(Term.name)).where(*over).limit(MANY)).all()
    if gone:
        session.execute(delete(Term).where(tuple_(col(Term.client), col(Term.name)).in_([*map(tuple, gone)])))
    return len(gone)
