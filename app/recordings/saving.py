"""What the steps of a `schedule` chain have found out, written into SQL within the transactions that finish them.

Its statements run for every recording and are built once: building one costs more than running it.
"""

from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlmodel import Session, SQLModel

from app.db import utc_now
from app.recordings.work import Ctx, planned
from app.resources.lookup import remember
from app.resources.models import OccurrenceStatus, Resource

_RECORDING, _BOOKING, _OCCURRENCE, _EVENT = (
    SQLModel.metadata.tables[name] for name in ("recording", "booking", "occurrence", "schedule_event")
)


_SAVE_ROOM = (
    update(_RECORDING)
    .where(_RECORDING.c.id == bindparam("of"))
    .values(resource_id=bindparam("room"), updated_at=bindparam("at"))
)
_SAVE_ROOMS = (
    update(_OCCURRENCE).where(_OCCURRENCE.c.booking_id == bindparam("of")).values(resource_id=bindparam("room"))
)
_SAVE_ENTRY = [
    update(table).where(table.c.id == bindparam("of")).values(template_entry_id=bindparam("entry"))
    for table in (_RECORDING, _BOOKING)
]
_SAVE_EVENTS = insert(_EVENT)
_SAVE_PLACES = (
    update(_OCCURRENCE)
    .where(_OCCURRENCE.c.id == bindparam("of"))
    .values(event_id=bindparam("event"), series_id=bindparam("series"))
)
_SAVE_LINKS = (
    update(_OCCURRENCE)
    .where(_OCCURRENCE.c.booking_id == bindparam("of"), _OCCURRENCE.c.status == OccurrenceStatus.PLANNED)
    .values(status=OccurrenceStatus.SCHEDULED)
)


def remember_resource(session: Session, context: Ctx) -> None:
    found = [Resource(**one, seen_at=utc_now()) for one in context.results["resource"].values()]
    if found:
        remember(session, found)


def save_resource(session: Session, context: Ctx) -> None:
    remember_resource(session, context)
    values = {"of": context.subject, "room": context.result("resource")["id"]}
    session.connection().execute(_SAVE_ROOM, {**values, "at": utc_now()})
    session.connection().execute(_SAVE_ROOMS, values)


def save_entry(session: Session, context: Ctx) -> None:
    for statement in _SAVE_ENTRY:
        session.connection().execute(statement, {"of": context.subject, "entry": context.result("template_entry")})


def save_events(session: Session, context: Ctx) -> None:
    rows = [
        {
            "recording_id": context.subject,
            "number": int(number),
            "event_id": event_id,
            "kind": planned(context)[number]["kind"],
            "occurrences": len(planned(context)[number]["occurrences"]),
            "recurrence": planned(context)[number]["recurrence"],
        }
        for number, event_id in context.results["events"].items()
    ]
    if rows:
        session.connection().execute(_SAVE_EVENTS, rows)


def save_occurrences(session: Session, context: Ctx) -> None:
    rows = in_kaltura(context).items()
    values = [{"of": row, "event": place["event_id"], "series": place["series_id"]} for row, place in rows]
    session.connection().execute(_SAVE_PLACES, values)


def save_links(session: Session, context: Ctx) -> None:
    session.connection().execute(_SAVE_LINKS, {"of": context.subject})


def in_kaltura(context: Ctx) -> dict[str, dict[str, Any]]:
    """Where in Kaltura each occurrence of the chain's events is, by its id."""
    found = {}
    for number, made in context.results.get("occurrences", {}).items():
        parent = context.results["events"][number]
        for (event_id, *_), (_, _, occurrence_id, _) in zip(made, planned(context)[number]["occurrences"], strict=True):
            if occurrence_id is not None:
                series_id = parent if event_id != parent else None
                found[occurrence_id] = {"id": occurrence_id, "event_id": event_id, "series_id": series_id}
    return found
