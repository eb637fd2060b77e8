"""The `save` functions of the steps: they write what a step has found out into SQL, in the transaction that ends it.

Its statements run for every recording and are built once: building one costs more than running it.
"""

from typing import Any

from sqlalchemy import bindparam, delete, func, select, update
from sqlmodel import Session, SQLModel

from app.database.many_rows import insert_rows, update_rows
from app.database.types import utc_now
from app.recordings.scheduling.context import Ctx, chain_resource, left_out, planned
from app.resources.lookup import remember
from app.resources.models import OccurrenceStatus, Resource

_RECORDING, _BOOKING, _OCCURRENCE, _EVENT = (
    SQLModel.metadata.tables[name] for name in ("recording", "booking", "occurrence", "schedule_event")
)


_SAVE_RESOURCE = (
    update(_RECORDING)
    .where(_RECORDING.c.id == bindparam("of"))
    .values(resource_id=bindparam("resource"), updated_at=bindparam("at"))
)
_SAVE_ENTRY = [
    update(table).where(table.c.id == bindparam("of")).values(template_entry_id=bindparam("entry"))
    for table in (_RECORDING, _BOOKING)
]


def remember_resource(session: Session, context: Ctx) -> None:
    """The resource as Kaltura shows it."""
    found = [
        Resource(**{name: value for name, value in one.items() if name != "made"}, seen_at=utc_now())
        for one in context.results["resource"].values()
    ]
    if found:
        remember(session, found)


def save_resource(session: Session, context: Ctx) -> None:
    """The resource, and that the recording is on it."""
    remember_resource(session, context)
    values = {"of": context.subject, "resource": chain_resource(context), "at": utc_now()}
    session.connection().execute(_SAVE_RESOURCE, values)


def save_entry(session: Session, context: Ctx) -> None:
    """The template entry's id."""
    for statement in _SAVE_ENTRY:
        session.connection().execute(statement, {"of": context.subject, "entry": context.result("template_entry")})


_FORGET_EVENTS = delete(_EVENT).where(
    _EVENT.c.recording_id == bindparam("of"), _EVENT.c.number.in_(bindparam("numbers", expanding=True))
)

_LEAVE_OUT = (
    update(_OCCURRENCE)
    .where(_OCCURRENCE.c.id == bindparam("of"))
    .values(status=OccurrenceStatus.EXCLUDED, in_the_way=bindparam("words"))
)
_EXTENT = (
    update(_RECORDING)
    .where(_RECORDING.c.id == bindparam("of"))
    .values(
        {
            name: select(of(_OCCURRENCE.c[column]))
            .where(_OCCURRENCE.c.booking_id == bindparam("of"), _OCCURRENCE.c.status == OccurrenceStatus.SCHEDULED)
            .scalar_subquery()
            for name, of, column in (("first_start", func.min, "start"), ("last_end", func.max, "end"))
        }
    )
)


def save_events(session: Session, context: Ctx) -> None:
    """The events that the chain has made; instead of those that were saved before some were made anew."""
    if context.again:
        numbers = [int(number) for number in context.results["events"]]
        session.connection().execute(_FORGET_EVENTS, {"of": context.subject, "numbers": numbers})
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
    insert_rows(session.connection(), _EVENT, rows)


def save_links(session: Session, context: Ctx) -> None:
    """From now on everybody sees its occurrences: on the resource, each with its event in Kaltura."""
    stay = {
        occurrence_id
        for event in planned(context).values()
        for *_, occurrence_id, wanted in event["occurrences"]
        if wanted
    }
    here = chain_resource(context)
    rows = [
        {
            **place,
            "resource_id": here,
            "status": OccurrenceStatus.SCHEDULED if occurrence_id in stay else OccurrenceStatus.EXCLUDED,
        }
        for occurrence_id, place in in_kaltura(context).items()
    ]
    update_rows(session.connection(), _OCCURRENCE, rows, booking_id=context.subject)
    if out := left_out(context):
        session.connection().execute(_LEAVE_OUT, [{"of": one, "words": words} for one, words in out.items()])
        session.connection().execute(_EXTENT, {"of": context.subject})


def in_kaltura(context: Ctx) -> dict[str, dict[str, Any]]:
    """Occurrence id → `{"id", "event_id", "series_id"}`, of the chain's events; `series_id` None of a single event."""
    found = {}
    for number, made in context.results.get("occurrences", {}).items():
        parent = context.results["events"][number]
        for (event_id, *_), (_, _, occurrence_id, _) in zip(made, planned(context)[number]["occurrences"], strict=True):
            if occurrence_id is not None:
                series_id = parent if event_id != parent else None
                found[occurrence_id] = {"id": occurrence_id, "event_id": event_id, "series_id": series_id}
    return found
