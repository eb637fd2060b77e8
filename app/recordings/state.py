"""The `state` step of a change: what stands in SQL for the recording, and what the change comes to now.

Its result is `{"rows": [row], "left": [occurrence id], "template_entry_id", "events": planned events
(app/recordings/work.py), "old": [{"number", "event_id", "kind", "recurrence", "sessions": [row]}]}`; a row is `{"id",
"slot", "start", "end", "status", "moved", "event_id"}`, times in epoch seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session, col

from app.chains.steps import Call, Done, Outcome, Step
from app.db import utc_now
from app.recordings.models import Recording, ScheduleEvent
from app.recordings.outcomes import outcome
from app.recordings.schemas import RecordingDocument
from app.recordings.steps import recording_lane, room_lane
from app.recordings.targets import Row, Target, aim_at_document, aim_at_nothing, aim_at_one
from app.recordings.work import Ctx, as_input, instant, room
from app.resources.models import Occurrence


def _all_lanes(context: Ctx) -> list[str]:
    """The recording's, its old room's and its new room's. A recording that is cancelled early has no room yet."""
    rooms = {room(context), context.input["resource_id"]} - {None}
    return [recording_lane(context), *sorted(room_lane(number) for number in rooms if number is not None)]


@outcome()
def _decide(context: Ctx, _call: Call) -> Outcome:
    """What the change comes to now, kept as this step's result: it holds however long the chain takes."""
    with context.tools.database.read() as session:
        events = events_of(session, context.subject)
        rows = rows_of(session, context.subject, events)
        template_entry_id = session.get_one(Recording, context.subject).template_entry_id
    target = aim(context.input["change"], rows, utc_now(), same_room=room(context) == context.input["resource_id"])
    first = max((event.number for event in events), default=0) + 1
    return Done(
        {
            "rows": [_as_json(row) for row in target.rows],
            "left": sorted(target.left),
            "template_entry_id": template_entry_id,
            "events": {
                str(number): as_input(made.planned, made.sessions) for number, made in enumerate(target.made, first)
            },
            "old": [
                {
                    "number": event.number,
                    "event_id": event.event_id,
                    "kind": event.kind,
                    "recurrence": event.recurrence,
                    "sessions": [_as_json(row) for row in rows if row.event == event.number],
                }
                for event in events
            ],
        }
    )


def aim(change: Mapping[str, Any], rows: Sequence[Row], now: datetime, *, same_room: bool) -> Target:
    """The target of a change: a document, one session (`occurrence`), or an end of it all."""
    if "document" in change:
        schedule = RecordingDocument.model_validate(change["document"]).schedule(change["zone"])
        return aim_at_document(rows, schedule.occurrences, schedule.rule, schedule.zone, now, same_room=same_room)
    if "occurrence" in change:
        asked = change["occurrence"]
        row = next(row for row in rows if row.id == asked["id"])
        start, end = instant(asked["start"]), instant(asked["end"])
        aimed = replace(row, start=start, end=end, status=asked["status"], moved=asked["moved"])
        return aim_at_one(row, aimed, ZoneInfo(change["zone"]))
    return aim_at_nothing(rows, now)


def events_of(session: Session, recording_id: str) -> list[ScheduleEvent]:
    statement = select(ScheduleEvent).where(col(ScheduleEvent.recording_id) == recording_id)
    return list(session.execute(statement.order_by(col(ScheduleEvent.number))).scalars())


def rows_of(session: Session, recording_id: str, events: Sequence[ScheduleEvent]) -> list[Row]:
    """The recording's sessions by start, each with the number of its event."""
    numbers = {event.event_id: event.number for event in events}
    statement = select(Occurrence).where(col(Occurrence.booking_id) == recording_id).order_by(col(Occurrence.start))
    return [
        Row(
            id=found.id,
            slot=found.slot,
            start=found.start,
            end=found.end,
            status=found.status,
            moved=found.moved,
            event=numbers.get(found.series_id or found.event_id or 0),
            event_id=found.event_id,
        )
        for found in session.execute(statement).scalars()
    ]


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "slot": row.slot and row.slot.isoformat(),
        "start": int(row.start.timestamp()),
        "end": int(row.end.timestamp()),
        "status": row.status,
        "moved": row.moved,
        "event_id": row.event_id,
    }


STATE: Step[Any] = Step("state", lambda _context: [Call("state")], _decide, lanes=_all_lanes)
