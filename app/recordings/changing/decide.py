"""The `state` step of a change: what stands in SQL for the recording, and what the change comes to now.

Its result is `{"decided_at", "rows": [row], "dropped": [occurrence id], "left": [occurrence id], "template_entry_id",
"events": planned events (app/recordings/document/draft.py), "last_number", "old": [{"number", "event_id", "kind",
"recurrence", "sessions": [row]}]}`; a row is `{"id", "slot", "start", "end", "status", "moved", "restored",
"event_id", "room"}`, times in epoch seconds; `room` is the session's own, if it has one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select, update
from sqlmodel import Session, SQLModel, col

from app.chains.steps import Call, Done, Outcome, Step
from app.database.types import utc_now
from app.recordings.changing.difference import SCHEDULED, Made, Row, Target, aim_at_document, aim_at_nothing, aim_at_one
from app.recordings.document.campus import Campus
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import as_input
from app.recordings.document.fields import OnConflict
from app.recordings.models import Recording, ScheduleEvent
from app.recordings.scheduling.context import Ctx, instant, room
from app.recordings.scheduling.lanes import lanes, recording_lanes, room_lanes
from app.recordings.scheduling.outcomes import conflict, outcome
from app.resources.conflicts import Booked, find_conflicts
from app.resources.models import Occurrence

_ANY_ZONE = ZoneInfo("UTC")  # of Kaltura's server: it says how sessions are sent, and not which
_RECORDING = SQLModel.metadata.tables["recording"]
_USE_UP = (
    update(_RECORDING)
    .where(_RECORDING.c.id == bindparam("of"), _RECORDING.c.last_number < bindparam("last"))
    .values(last_number=bindparam("last"))
)


@outcome()
def _decide(context: Ctx, _call: Call) -> Outcome:
    """What the change comes to now, kept as this step's result: it holds however long the chain takes."""
    same_room, change = room(context) == context.input["resource_id"], context.input["change"]
    with context.tools.database.read() as session:
        recording = session.get_one(Recording, context.subject)
        events = events_of(session, recording.id)
        rows = _housed(rows_of(session, recording.id, events), change.get("homeless", ()))
    now = utc_now()
    home = recording.resource_id if "occurrence" in change else room(context)
    own_room = None if room(context) == home else room(context)
    target = aim(change, rows, now, context.tools.server_zone, same_room=same_room, own_room=own_room)
    if context.input.get("on_conflict") == OnConflict.REJECT:
        refused = conflict(own_conflicts(recording, rows, target, home))
        if refused:
            return refused
    # What `schedule` made is counted by what stands: until the first change all of it does.
    last_number = max([recording.last_number, *(event.number for event in events)])
    made = dict(enumerate(target.made, last_number + 1))
    stay = set(rows) if same_room else set[Row]()
    carried = {session for one in target.made for session, _ in one.sessions}
    return Done(
        {
            "decided_at": int(now.timestamp()),
            "rows": [_as_json(row) for row in target.rows if row not in stay or row.id in carried],
            "dropped": sorted(target.dropped),
            "left": sorted(target.left),
            "template_entry_id": recording.template_entry_id,
            "events": {str(number): _planned(one) for number, one in made.items()},
            "last_number": last_number + len(made),
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


def _housed(rows: Sequence[Row], homeless: Collection[str]) -> list[Row]:
    """Sessions whose own room is gone are in the recording's again."""
    return [replace(row, room=None) if row.id in homeless else row for row in rows]


def _planned(made: Made) -> dict[str, Any]:
    event = as_input(made.planned, made.sessions)
    return event if made.room is None else {**event, "room": made.room}


def aim(
    change: Mapping[str, Any],
    rows: Sequence[Row],
    now: datetime,
    server: ZoneInfo,
    *,
    same_room: bool,
    own_room: int | None = None,
) -> Target:
    """The target of a change: a document, one session (`occurrence`), or an end of it all.

    `server` is the zone of Kaltura's server. `own_room`: of one session that is put somewhere else, the room that is to
    be its own; None if that is the recording's.
    """
    if "document" in change:
        schedule = RecordingDocument.model_validate(change["document"]).schedule(change["zone"])
        wanted = Campus.read(change.get("campus")).on(schedule)
        return aim_at_document(
            rows,
            wanted.occurrences,
            wanted.rule,
            wanted.zone,
            server,
            now,
            same_room=same_room,
            afresh=change.get("afresh", ()),
        )
    if "occurrence" in change:
        asked = change["occurrence"]
        row = next(row for row in rows if row.id == asked["id"])
        start, end = instant(asked["start"]), instant(asked["end"])
        is_held = asked["status"] == SCHEDULED
        restored = is_held and (row.restored or row.status != SCHEDULED)
        where = own_room if asked.get("placing") else row.room
        times = replace(row, start=start, end=end)
        aimed = replace(times, status=asked["status"], moved=asked["moved"], restored=restored, room=where)
        return aim_at_one(row, aimed, ZoneInfo(change["zone"]), server)
    return aim_at_nothing(rows, now)


def touches(change: Mapping[str, Any], rows: Sequence[Row], now: datetime) -> bool:
    """Whether a document (`change`) asks for anything else than the sessions that there are, all in their rooms."""
    target = aim(change, rows, now, _ANY_ZONE, same_room=True)
    known = set(rows)
    return bool(target.left or target.made or target.dropped or any(row not in known for row in target.rows))


def own_conflicts(
    recording: Recording, rows: Sequence[Row], target: Target, home: int | str | None
) -> list[dict[str, Any]]:
    """New sessions that would meet another of the same recording in their room, one of the two being moved by hand.

    `home` is the room of those that have none of their own.
    """
    changed = {row.id: row for row in target.rows}
    as_it_is = {row.id: row for row in rows if row.id not in target.dropped}
    scheduled = [row for row in (as_it_is | changed).values() if row.status == SCHEDULED]
    moved = [row for row in scheduled if row.moved]
    new = {session for made in target.made for session, stays in made.sessions if stays}
    return [
        pair
        for one in sorted(scheduled, key=lambda row: row.start)
        if one.id in new
        for pair in find_conflicts(
            [(one.start, one.end)],
            [
                Booked(other.start, other.end, recording.document["title"], "lectern", recording.id, other.event_id)
                for other in (scheduled if one.moved else moved)
                if other.id != one.id and (other.room or home) == (one.room or home)
            ],
        )
    ]


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
            restored=found.restored,
            event=numbers.get(found.series_id or found.event_id or 0),
            event_id=found.event_id,
            room=found.resource_id if found.placed else None,
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
        "restored": row.restored,
        "event_id": row.event_id,
        "room": row.room,
    }


def _save_last_number(session: Session, context: Ctx) -> None:
    """Before anything that bears one of the numbers is sent: whatever becomes of it, they are used up."""
    values = {"of": context.subject, "last": context.result("state")["last_number"]}
    session.connection().execute(_USE_UP, values)


STATE: Step[Any] = Step("state", lambda _context: [Call("state")], _decide, lanes=lanes, save=_save_last_number)
# Who only takes things away waits for nobody else's recording; whoever comes after it finds the room free.
STATE_OF_LESS: Step[Any] = replace(STATE, lanes=recording_lanes, passing=room_lanes)
