"""An item of a plan is not done: what became of it, and why, in the words of who declares a timetable.

A refusal is said to who has sent a document or a batch. Whoever declares a term has sent neither.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, col

from app.database.types import utc_now
from app.http.errors import (
    BatchRefused,
    Cancelled,
    ChainRunning,
    NotChangeable,
    NotFound,
    ReferenceInUse,
    ResourceNotFound,
    ScheduleConflict,
    Stale,
)
from app.terms.comparing.clashes import has_the_room
from app.terms.comparing.items import Kind
from app.terms.models import Outcome, PlanItem, TermMeeting

STALE = (NotFound.code, ChainRunning.code, NotChangeable.code, ReferenceInUse.code, Cancelled.code, Stale.code)
CONFLICTS = (ScheduleConflict.code, BatchRefused.code)

# Built once: building a statement costs more than running it.
_OF_RECORDING = select(PlanItem).where(
    col(PlanItem.plan_id) == bindparam("plan"), col(PlanItem.recording_id) == bindparam("recording")
)


def refuse(session: Session, item: PlanItem, error: Mapping[str, Any], *, keeps: bool = False) -> None:
    """The item is not done. What the term keeps of it is as before; of a new recording nothing, unless it `keeps`."""
    code = str(error["code"])
    item.outcome = Outcome.STALE if code in STALE else Outcome.CONFLICT if code in CONFLICTS else Outcome.FAILED
    item.problem = {"code": code, "detail": _in_words(session, item, error) or str(error.get("detail") or "")}
    if item.kind == Kind.CREATE and item.recording_id is not None and not keeps:
        kept = (col(TermMeeting.recording_id) == item.recording_id, col(TermMeeting.ended_at).is_(None))
        session.execute(update(TermMeeting).where(*kept).values(ended_at=utc_now()))
    session.add(item)


def room_not_left(other: PlanItem, items: Sequence[PlanItem]) -> BatchRefused:
    """Why the items, one or a party, are not begun: `other`, whose room they need, was not done."""
    whom = "this" if len(items) == 1 else "this, or for what changes together with it"
    return BatchRefused(f"{_named(other)} was to make room for {whom}, and that was not done.")


def _in_words(session: Session, item: PlanItem, error: Mapping[str, Any]) -> str | None:
    """What a refusal means to whoever declares a term; None: what it says itself."""
    if error["code"] == ResourceNotFound.code:
        resource = ((item.work or {}).get("document") or {}).get("resource")
        return f"Kaltura has no resource {resource!r}. Mend it where the term's rooms, or the timetable, name it."
    if error["code"] == ChainRunning.code:
        return "Somebody else is changing it just now. Nothing of it was changed: the next plan will see to it."
    if error["code"] == ScheduleConflict.code and error.get("conflicts"):
        return _met(session, item, error["conflicts"])
    return None


def _met(session: Session, item: PlanItem, conflicts: Sequence[Mapping[str, Any]]) -> str:
    """The first of its conflicts. Those of a party say whose each is: an item may have none itself."""
    mine = [one for one in conflicts if one.get("recording_id", item.recording_id) == item.recording_id]
    if mine:
        return _first(item, mine)
    asked = {"plan": item.plan_id, "recording": conflicts[0]["recording_id"]}
    other = session.execute(_OF_RECORDING, asked).scalars().one()
    theirs = [one for one in conflicts if one["recording_id"] == other.recording_id]
    return f"It changes together with {_named(other)}, and that cannot be changed. {_first(other, theirs)}"


def _first(item: PlanItem, conflicts: Sequence[Mapping[str, Any]]) -> str:
    booked = conflicts[0]["booked"]
    span = datetime.fromisoformat(booked["start"]), datetime.fromisoformat(booked["end"])
    zone = ZoneInfo(((item.work or {}).get("document") or {}).get("time_zone") or "UTC")
    said = has_the_room(booked["title"], span, zone, item.shown["room"] or "the room")
    more = len(conflicts) - 1
    return said if not more else f"{said} There {'is' if more == 1 else 'are'} {more} more like this."


def _named(item: PlanItem) -> str:
    """Its title, and its section if it has one."""
    title = f"'{item.shown['title']}'"
    return f"{title} (section {item.section})" if item.section else title
