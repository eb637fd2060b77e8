"""The `state` step of a change: what stands in SQL for the recording, and what the change comes to now.

Its result is `{"decided_at", "rows": [row], "dropped": [occurrence id], "left": [occurrence id], "template_entry_id",
"events": planned events (app/recordings/document/draft.py), "last_number", "old": [{"number", "event_id", "kind",
"recurrence", "sessions": [row]}]}`; a row is `{"id", "slot", "start", "end", "status", "moved", "restored",
"event_id", "room", "title", "planned_end"}`, times in epoch seconds; `room` is the occurrence's own, if it has one.
Where sessions may be left out there is more (`_about_left_out`).
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
from app.recordings.changing.occurrences.coming_back import may_stay_out
from app.recordings.document.campus import Campus
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import as_input
from app.recordings.document.fields import OnConflict
from app.recordings.models import Recording, ScheduleEvent
from app.recordings.scheduling.context import Ctx, chain_resource, instant, skips
from app.recordings.scheduling.lanes import lanes, recording_lanes, resource_lanes
from app.recordings.scheduling.outcomes import conflict, outcome
from app.recurrence.occurrences import zone
from app.recurrence.server import STEADY
from app.resources.conflicts import Booked, find_conflicts, in_the_way
from app.resources.models import Occurrence

_RECORDING = SQLModel.metadata.tables["recording"]
_USE_UP = (
    update(_RECORDING)
    .where(_RECORDING.c.id == bindparam("of"), _RECORDING.c.last_number < bindparam("last"))
    .values(last_number=bindparam("last"))
)


@outcome()
def _decide(context: Ctx, _call: Call) -> Outcome:
    """What the change comes to now, kept as this step's result: it holds however long the chain takes."""
    same_resource, change = chain_resource(context) == context.input["resource_id"], context.input["change"]
    with context.tools.database.read() as session:
        recording = session.get_one(Recording, context.subject)
        events = events_of(session, recording.id)
        rows = _housed(rows_of(session, recording.id, events), change.get("homeless", ()))
    now = utc_now()
    home = recording.resource_id if "occurrence" in change else chain_resource(context)
    own_resource = None if chain_resource(context) == home else chain_resource(context)
    target = aim(change, rows, now, context.tools.server_zone, same_resource=same_resource, own_resource=own_resource)
    met = own_meetings(recording, rows, target, home)
    out = may_stay_out(recording, change, rows, target)
    refused = conflict([pair for row, pair in met if row.id not in out])
    if refused and context.input.get("on_conflict") == OnConflict.REJECT:
        return refused
    # What `schedule` made is counted by what stands: until the first change all of it does.
    last_number = max([recording.last_number, *(event.number for event in events)])
    made = dict(enumerate(target.made, last_number + 1))
    stay = set(rows) if same_resource else set[Row]()
    carried = {of for one in target.made for of, _ in one.occurrences}
    return Done(
        {
            "decided_at": int(now.timestamp()),
            "rows": [_as_json(row) for row in target.rows if row not in stay or row.id in carried],
            "dropped": sorted(target.dropped),
            "left": sorted(target.left),
            "template_entry_id": recording.template_entry_id,
            "events": {str(number): _planned(one) for number, one in made.items()},
            "last_number": last_number + len(made),
            **(_about_left_out(rows, target, met, out, zone(recording.time_zone)) if skips(context) or out else {}),
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


def _about_left_out(
    rows: Sequence[Row],
    target: Target,
    met: Sequence[tuple[Row, dict[str, Any]]],
    out: Collection[str],
    tz: ZoneInfo,
) -> dict[str, Any]:
    """What is in the way of sessions by the recording's own doing; and what `conflicts` asks of all that it finds.

    `stays`: something lies ahead, whatever is found; `out_before`: what was left out before, and `out`.
    """
    made = {of for one in target.made for of, stays in one.occurrences if stays}
    return {
        "left_out": {row.id: in_the_way(pair, tz) for row, pair in met if not row.stands_alone},
        "stays": any(row.status == SCHEDULED and row.id not in made for row in target.rows),
        "out_before": sorted({row.id for row in rows if row.left_out} | set(out)),
    }


def _housed(rows: Sequence[Row], homeless: Collection[str]) -> list[Row]:
    """Occurrences whose own resource is gone are on the recording's again."""
    return [replace(row, own_resource=None) if row.id in homeless else row for row in rows]


def _planned(made: Made) -> dict[str, Any]:
    event = as_input(made.planned, made.occurrences)
    return event if made.own_resource is None else {**event, "room": made.own_resource}


def aim(
    change: Mapping[str, Any],
    rows: Sequence[Row],
    now: datetime,
    server: ZoneInfo,
    *,
    same_resource: bool,
    own_resource: int | None = None,
) -> Target:
    """What a change makes of a recording's rows. `change` has "document", "occurrence", or neither: an end of it all.

    `server` is the zone of Kaltura's server. `own_resource`: where one occurrence is to be put, if that is not the
    recording's resource.
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
            same_resource=same_resource,
            afresh=change.get("afresh", ()),
        )
    if "occurrence" in change:
        asked = change["occurrence"]
        if asked.get("details"):
            return Target((), frozenset(), frozenset(), ())  # it stays where it is
        row = next(row for row in rows if row.id == asked["id"])
        start, end = instant(asked["start"]), instant(asked["end"])
        is_scheduled = asked["status"] == SCHEDULED
        restored = is_scheduled and (row.restored or row.status != SCHEDULED)
        where = own_resource if asked.get("placing") else row.own_resource
        times = replace(row, start=start, end=end)
        aimed = replace(
            times,
            status=asked["status"],
            moved=asked["moved"],
            restored=restored,
            own_resource=where,
            left_out=False,
            title=asked.get("title", row.title),
        )
        return aim_at_one(row, aimed, ZoneInfo(change["zone"]), server)
    return aim_at_nothing(rows, now)


def touches(change: Mapping[str, Any], rows: Sequence[Row], now: datetime) -> bool:
    """Whether a document (`change`) asks for anything else than the occurrences that there are, where they are.

    What was left out because something is in its way, and is still wanted, is none of it: it comes back when somebody
    asks for that.
    """
    target = aim(change, rows, now, STEADY, same_resource=True)
    known, wanted = set(rows), {row.id for row in target.rows if row.status == SCHEDULED}
    out = {row.id for row in rows if row.left_out and row.id in wanted}
    made = {occurrence for one in target.made for occurrence, stays in one.occurrences if stays}
    changed = {row.id for row in target.rows if row not in known}
    return bool(target.left or target.dropped or (made | changed) - out)


def own_meetings(
    recording: Recording, rows: Sequence[Row], target: Target, home: int | str | None
) -> list[tuple[Row, dict[str, Any]]]:
    """Conflicts within the recording: a new occurrence and another one on its resource, one of the two moved by hand.

    As `find_conflicts` gives them. `home` is the resource of those that have none of their own.
    """
    changed = {row.id: row for row in target.rows}
    as_it_is = {row.id: row for row in rows if row.id not in target.dropped}
    scheduled = [row for row in (as_it_is | changed).values() if row.status == SCHEDULED]
    alone = [row for row in scheduled if row.stands_alone]
    new = {of for made in target.made for of, stays in made.occurrences if stays}
    return [
        (one, pair)
        for one in sorted(scheduled, key=lambda row: row.start)
        if one.id in new
        for pair in find_conflicts(
            [(one.start, one.end)],
            [
                Booked(other.start, other.end, recording.document["title"], "lectern", recording.id, other.event_id)
                for other in (scheduled if one.stands_alone else alone)
                if other.id != one.id and (other.own_resource or home) == (one.own_resource or home)
            ],
        )
    ]


def events_of(session: Session, recording_id: str) -> list[ScheduleEvent]:
    """The recording's events in Kaltura, by number."""
    statement = select(ScheduleEvent).where(col(ScheduleEvent.recording_id) == recording_id)
    return list(session.execute(statement.order_by(col(ScheduleEvent.number))).scalars())


def rows_of(session: Session, recording_id: str, events: Sequence[ScheduleEvent]) -> list[Row]:
    """The recording's occurrences by start, each with the number of its event."""
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
            own_resource=found.resource_id if found.placed else None,
            left_out=found.in_the_way is not None,
            title=found.title,
            planned_end=found.planned_end,
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
        "room": row.own_resource,
        "title": row.title,
        "planned_end": row.planned_end and int(row.planned_end.timestamp()),
    }


def _save_last_number(session: Session, context: Ctx) -> None:
    """Uses the numbers up before anything that bears one of them is sent, whatever becomes of it."""
    values = {"of": context.subject, "last": context.result("state")["last_number"]}
    session.connection().execute(_USE_UP, values)


STATE: Step[Any] = Step("state", lambda _context: [Call("state")], _decide, lanes=lanes, save=_save_last_number)
# Who only takes things away waits for nobody else's recording; whoever comes after it finds the resource free.
STATE_OF_LESS: Step[Any] = replace(STATE, lanes=recording_lanes, lanes_without_waiting=resource_lanes)
