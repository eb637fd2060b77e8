"""Calendars in SQL: said, read, taken away, and how far each has come to the recordings that name it.

Every function works in its caller's transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlmodel import Session, col

from app.calendars.days import Ignored, Said, Warned
from app.calendars.schemas import (
    CalendarAnswer,
    CalendarPage,
    CalendarSummary,
    CalendarView,
    CalendarWarning,
    DayView,
    IgnoredView,
    Progress,
)
from app.chains.models import Chain, ChainStatus
from app.database import counters
from app.database.types import utc_now
from app.http.errors import CalendarInUse, NotFound, PreconditionFailed
from app.recordings.models import Calendar, Recording, RecordingCalendar, RecordingStatus
from app.resources.models import Occurrence, OccurrenceStatus

COUNTER = "calendars"
TermsNaming = Callable[[Session, str], Sequence[str]]
"""The names of those terms that name a calendar, and are not over."""

OVER = (RecordingStatus.FAILED, RecordingStatus.CANCELLED)

_AT_REST = or_(col(RecordingCalendar.chain_id).is_(None), col(Chain.finished_at).is_not(None))
_BEHIND = col(RecordingCalendar.version) < col(Calendar.version)
_DONE = and_(~_BEHIND, _AT_REST)
_FAILED = or_(
    and_(_BEHIND, col(RecordingCalendar.tried) == col(Calendar.version), _AT_REST),
    col(Chain.status) == ChainStatus.STUCK,
    and_(_BEHIND, col(Recording.status) == RecordingStatus.STUCK),
)


def say(session: Session, name: str, said: Said, client: str, version: int | None = None) -> Said:
    """The calendar says this from now on, and nothing else. The same once more tries again where it failed.

    Returns it, with a warning if the calendar is emptied by it. With a `version` only if it has that one now; 0: if
    there is none yet. Raises PreconditionFailed.
    """
    days = [day.as_json() for day in said.days]
    before = session.get(Calendar, name, with_for_update=True)
    if version is not None and version != (before.version if before else 0):
        raise PreconditionFailed("The calendar has changed since you looked. Look at it again first.")
    if before is None:
        version = counters.count(session, COUNTER)
        session.add(Calendar(name=name, title=said.title, version=version, days=days, said_by=client))
        return said
    warned = with_emptied(before, said)
    if before.days == days and _try_again(session, name):
        before.applied, before.said_by = None, client
    if (before.title, before.days) != (said.title, days):
        version = before.version if before.days == days else counters.count(session, COUNTER)
        before.title, before.days, before.version, before.updated_at = said.title, days, version, utc_now()
        before.said_by = client
    session.add(before)
    return warned


def with_emptied(before: Calendar | None, said: Said) -> Said:
    """What is said, with a warning if the calendar had days ahead, and has none any more."""
    today = utc_now().date()
    ahead = [day for day in (before.days if before else ()) if date.fromisoformat(day["to"]) >= today]
    if not ahead or any(day.last >= today for day in said.days):
        return said
    had = f"{len(ahead)} entries" if len(ahead) > 1 else "one entry"
    told = f"The calendar had {had} ahead, and has none any more: what that excluded is recorded again."
    return replace(said, warnings=(*said.warnings, Warned("emptied", told)))


def _try_again(session: Session, name: str) -> bool:
    """Where it failed; and where a session was left out, it is looked whether its place is free. Whether anywhere."""
    of_it, failed = col(RecordingCalendar.calendar) == name, progress_of(session, name).failed
    if failed:
        busy = select(col(Chain.id)).where(
            col(Chain.id) == col(RecordingCalendar.chain_id), col(Chain.finished_at).is_(None)
        )
        again = update(RecordingCalendar).where(of_it, ~busy.exists())
        session.execute(again.values(tried=None, chain_id=None))
    out = select(col(Occurrence.booking_id)).where(
        col(Occurrence.booking_id) == col(RecordingCalendar.recording_id),
        col(Occurrence.status) == OccurrenceStatus.EXCLUDED,
        col(Occurrence.in_the_way).is_not(None),
        col(Occurrence.start) > utc_now(),
    )
    lacking = session.execute(select(col(RecordingCalendar.recording_id)).where(of_it, out.exists())).scalars().all()
    behind = update(RecordingCalendar).where(of_it, col(RecordingCalendar.recording_id).in_(lacking))
    session.execute(behind.values(version=0, tried=None))
    return bool(failed or lacking)


def remove(session: Session, name: str, terms_naming: TermsNaming) -> None:
    """Raises NotFound, and CalendarInUse while a recording names it that did not fail and was not cancelled, or a term.

    Whoever begins to name it waits for this, or this for them.
    """
    there = session.get(Calendar, name, with_for_update=True)
    if there is None:
        raise NotFound("There is no such calendar.")
    named = _progress(session, [name]).get(name)
    if named is not None:
        raise CalendarInUse(f"{named.recordings} recording(s) name this calendar.")
    if terms := terms_naming(session, name):
        raise CalendarInUse(f"The settings of the term {' and of the term '.join(terms)} name this calendar.")
    session.delete(there)


def page(session: Session) -> CalendarPage:
    found = session.execute(select(Calendar).order_by(col(Calendar.name))).scalars().all()
    progress = _progress(session, [one.name for one in found])
    return CalendarPage(items=[CalendarSummary(**_summary(one, progress.get(one.name))) for one in found])


def view(session: Session, name: str) -> CalendarView:
    """Raises NotFound."""
    return CalendarView(**_whole(session, name))


def answer(session: Session, name: str, said: Said) -> CalendarAnswer:
    """What was said of it, and how it stands now. Raises NotFound, if somebody has taken it away meanwhile."""
    return CalendarAnswer(**_whole(session, name), ignored=ignored(said.ignored), warnings=warnings(said.warnings))


def progress_of(session: Session, name: str) -> Progress:
    return _progress(session, [name]).get(name) or Progress(recordings=0, done=0, failed=0)


def is_over(progress: Progress) -> bool:
    """Whether nothing more comes of it by itself."""
    return progress.done + progress.failed >= progress.recordings


def following(
    session: Session, name: str, client: str | None, after: int, limit: int
) -> Sequence[tuple[Recording, bool, bool]]:
    """The client's recordings that name it (None: everybody's), whether each is done, and whether it has failed.

    As `Progress` counts them. Those that failed come first, then those that are not done, then by when they begin.
    """
    statement = (
        select(Recording, _DONE, _FAILED)
        .join(RecordingCalendar, col(RecordingCalendar.recording_id) == col(Recording.id))
        .join(Calendar, col(Calendar.name) == col(RecordingCalendar.calendar))
        .outerjoin(Chain, col(Chain.id) == col(RecordingCalendar.chain_id))
        .where(col(RecordingCalendar.calendar) == name, col(Recording.status).not_in(OVER))
        .order_by(case((_FAILED, 0), (~_DONE, 1), else_=2), col(Recording.first_start), col(Recording.id))
        .offset(after)
        .limit(limit)
    )
    if client is not None:
        statement = statement.where(col(Recording.client) == client)
    return [(recording, bool(done), bool(failed)) for recording, done, failed in session.execute(statement)]


def ignored(found: Sequence[Ignored]) -> list[IgnoredView]:
    return [IgnoredView(name=one.name, first=one.first, last=one.last, reason=one.reason) for one in found]


def warnings(found: Sequence[Warned]) -> list[CalendarWarning]:
    return [CalendarWarning(code=one.code, detail=one.detail) for one in found]


def _whole(session: Session, name: str) -> dict[str, Any]:
    found = session.get(Calendar, name)
    if found is None:
        raise NotFound("There is no such calendar.")
    days = [DayView.model_validate(day) for day in found.days]
    return {**_summary(found, _progress(session, [name]).get(name)), "days": days}


def _summary(calendar: Calendar, progress: Progress | None) -> dict[str, Any]:
    return {
        "name": calendar.name,
        "title": calendar.title,
        "version": calendar.version,
        "first": min((day["from"] for day in calendar.days), default=None),
        "last": max((day["to"] for day in calendar.days), default=None),
        "updated_at": calendar.updated_at,
        **(progress or Progress(recordings=0, done=0, failed=0)).model_dump(),
    }


def _progress(session: Session, names: Sequence[str]) -> dict[str, Progress]:
    """Of each calendar that a recording names which did not fail and was not cancelled."""
    name = col(RecordingCalendar.calendar)
    statement = (
        select(name, func.count(), _count(_DONE), _count(_FAILED))
        .join(Calendar, col(Calendar.name) == name)
        .join(Recording, col(Recording.id) == col(RecordingCalendar.recording_id))
        .outerjoin(Chain, col(Chain.id) == col(RecordingCalendar.chain_id))
        .where(name.in_(names), col(Recording.status).not_in(OVER))
        .group_by(name)
    )
    return {
        calendar: Progress(recordings=count, done=done, failed=failed)
        for calendar, count, done, failed in session.execute(statement)
    }


def _count(which: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((which, 1), else_=0))
