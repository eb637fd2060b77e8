"""Terms and their settings: set, shown, and who has opted out. A term belongs to the client that made it."""

import re
from collections.abc import Sequence
from typing import Literal

from fastapi.exceptions import RequestValidationError
from sqlalchemy import func, select
from sqlmodel import Session, col

from app.database.types import utc_now
from app.http.errors import NotFound
from app.recordings.document.campus import newest
from app.recordings.models import Recording, RecordingStatus
from app.terms.meetings.settings import TermSettings
from app.terms.models import Plan, PlanStatus, Term, TermMeeting

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
Who = Literal["instructors", "sections"]


def find_term(session: Session, client: str, name: str) -> Term:
    """Raises NotFound."""
    found = session.get(Term, (client, name)) if re.match(NAME, name) else None
    if found is None:
        raise NotFound("There is no such term.")
    return found


def of_client(session: Session, client: str) -> Sequence[Term]:
    """The client's terms, the latest first."""
    mine = select(Term).where(col(Term.client) == client)
    return session.execute(mine.order_by(col(Term.created_at).desc(), col(Term.name))).scalars().all()


def terms_naming(session: Session, calendar: str) -> Sequence[str]:
    """The names of those terms, whoever's they are, that name a calendar, and are not over."""
    today = str(utc_now().date())
    rows = session.execute(select(col(Term.name), col(Term.settings)).order_by(col(Term.name)))
    return [name for name, said in rows if calendar in said.get("calendars", ()) and said["last_date"] >= today]


def put(session: Session, client: str, name: str, settings: TermSettings) -> bool:
    """Makes the term, or sets it anew. Returns whether it is new. Raises RequestValidationError.

    Who has opted out stays so unless the settings say it: people decide that, and settings come from a job.
    """
    newest(session, settings.calendars, hold=True)  # all of them are there, and stay until this is written
    said = settings.model_dump(mode="json", exclude_unset=True)
    term = session.get(Term, (client, name))
    if term is None:
        session.add(Term(client=client, name=name, settings=said))
        return True
    opted = dict(term.settings.get("opt_outs") or {}) | (said.get("opt_outs") or {})
    term.settings, term.updated_at = said | {"opt_outs": opted}, utc_now()
    session.add(term)
    return False


def opt(session: Session, client: str, name: str, who: Who, key: str, *, out: bool) -> None:
    """Somebody, or a section, is not to be recorded; or is again. The next plan says what comes of it."""
    term = find_term(session, client, name)
    settings = dict(term.settings)
    opted = dict(settings.get("opt_outs") or {})
    same = str.casefold if who == "instructors" else str  # sections' keys are told apart by case, too
    there: Sequence[str] = [one for one in opted.get(who, ()) if same(one) != same(key)]
    opted[who] = [*there, key] if out else list(there)
    settings["opt_outs"] = opted
    try:
        TermSettings.model_validate(settings)
    except ValueError:
        rule = "must be the id of a person or a section, and there may be 20,000 of each"
        raise RequestValidationError([{"type": "rule", "loc": ("path", "id"), "ctx": {"rule": rule}}]) from None
    term.settings, term.updated_at = settings, utc_now()
    session.add(term)


def kept(session: Session, client: str, name: str) -> tuple[int, str | None]:
    """How many recordings the term keeps, and its latest plan of which something came."""
    recordings = (
        select(func.count())
        .select_from(TermMeeting)
        .join(Recording, col(Recording.id) == col(TermMeeting.recording_id))
        .where(
            col(TermMeeting.client) == client,
            col(TermMeeting.term) == name,
            col(TermMeeting.ended_at).is_(None),
            col(Recording.status) != RecordingStatus.FAILED,
        )
    )
    number = session.execute(recordings).scalar_one()
    latest = (
        select(col(Plan.id))
        .where(col(Plan.client) == client, col(Plan.term) == name, col(Plan.status) != PlanStatus.FAILED)
        .order_by(col(Plan.number).desc())
        .limit(1)
    )
    return number, session.execute(latest).scalar_one_or_none()
