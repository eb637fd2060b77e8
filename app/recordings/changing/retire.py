"""The end of a change, from which there is no way back: `switch → retire → remains → mend`.

`switch` looks at the clock once, for all that follows: what has begun by then, or was to begin, stays as it was. Of
recordings that are changed together all look at one moment, that of their verdict. SQL then shows the new occurrences.
`retire` removes from Kaltura what they replace, `remains` cancels what still stands of a series that Kaltura has
deleted or ended half-way, and `mend` cancels again what an update of a series brought back to life, and sets again what
it took from single occurrences (`occurrences/details.py`).

What `retire` does with an event that occurrences leave:

    none stays that lies ahead or has begun    deleted, and its link with it
    all that stay are before all that leave    a series is ended after the last that stays
    else                                       those that leave are cancelled
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlmodel import Session, col

from app.chains.steps import Act, Call, Done, Outcome, Step, every
from app.database.types import utc_now
from app.kaltura.types import wire_recurrence
from app.recordings.changing.occurrences.details import set_again
from app.recordings.document.campus import Campus, follow
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import shown_words
from app.recordings.document.equality import fingerprint
from app.recordings.models import Recording, RecordingTag, ScheduleEvent
from app.recordings.scheduling import own
from app.recordings.scheduling.context import Ctx, Tools, chain_resource, instant, left_out, planned
from app.recordings.scheduling.outcomes import GONE, outcome
from app.recordings.scheduling.save_results import in_kaltura, save_entry, save_events
from app.recurrence.server import as_sent
from app.resources.models import Booking, Occurrence, OccurrenceStatus

SCHEDULED = OccurrenceStatus.SCHEDULED


# switch


def _late(context: Ctx) -> set[str]:
    """The ids of occurrences that have begun by the switch, or were to begin by then: the change comes too late."""
    now: int = context.result("switch")
    begun = {
        one["id"]
        for event in context.result("state")["old"]
        for one in event["sessions"]
        if one["status"] == SCHEDULED and one["start"] <= now
    }
    return begun | {of for _, start, of in _made(context) if start <= now}


def _made(context: Ctx) -> list[tuple[str, int, str]]:
    """`(event's number, start in epoch seconds, occurrence id)` of each occurrence that gets a new event."""
    return [
        (number, start, occurrence_id)
        for number, event in planned(context).items()
        for start, _, occurrence_id, is_wanted in event["occurrences"]
        if is_wanted
    ]


def _save_switch(session: Session, context: Ctx) -> None:
    """The recording, its occurrences and its events as the change wants them, and its template entry if that is new."""
    _save_rows(session, context)
    if "events" in context.results:
        save_events(session, context)
    _save_document(session, context)
    if context.results.get("template_entry"):
        save_entry(session, context)
    lasting = (col(Occurrence.booking_id) == context.subject, col(Occurrence.status) == SCHEDULED)
    first, last = session.execute(
        select(func.min(col(Occurrence.start)), func.max(col(Occurrence.end))).where(*lasting)
    ).one()
    if first is not None:
        _set(session, context, first_start=first, last_end=last)


def _save_rows(session: Session, context: Ctx) -> None:
    late, places, out = _late(context), in_kaltura(context), left_out(context)
    rows = [
        {
            **{name: value for name, value in row.items() if name not in ("room", "planned_end")},
            "start": instant(row["start"]),
            "end": instant(row["end"]),
            "slot": row["slot"] and date.fromisoformat(row["slot"]),
            "booking_id": context.subject,
            "resource_id": row.get("room") or chain_resource(context),
            "placed": bool(row.get("room")),
            **({"withdrawn": False} if row["status"] == SCHEDULED else {}),
            **({"status": OccurrenceStatus.EXCLUDED} if row["id"] in out else {}),
            "in_the_way": out.get(row["id"]),
            **places.get(row["id"], {}),
        }
        for row in context.result("state")["rows"]
        if row["id"] not in late
    ]
    mine = select(col(Occurrence.id)).where(col(Occurrence.booking_id) == context.subject)
    known = set(session.execute(mine).scalars())
    for statement, some in (
        (update(Occurrence), [row for row in rows if row["id"] in known]),
        (insert(Occurrence), [row for row in rows if row["id"] not in known]),
    ):
        if some:
            session.execute(statement, some)
    dropped = set(context.result("state")["dropped"]) - late
    session.execute(delete(Occurrence).where(col(Occurrence.id).in_(dropped)))
    asked = context.input["change"].get("occurrence", {})
    if "title" in asked.get("details", {}):
        named = update(Occurrence).where(col(Occurrence.id) == asked["id"])
        session.execute(named.values(title=asked["details"]["title"]))


def _save_document(session: Session, context: Ctx) -> None:
    """The recording shows its new document, and the booking its new words."""
    change = context.input["change"]
    if "document" not in change:
        return
    document = RecordingDocument.model_validate(change["document"])
    _set(
        session,
        context,
        document=change["document"],
        fingerprint=fingerprint(document, document.schedule(change["zone"])),
        time_zone=change["zone"],
        reference_id=document.reference_id,
        resource_id=chain_resource(context),
    )
    if "campus" in change:  # a chain that an older version began says nothing of calendars
        follow(session, context.subject, Campus.read(change["campus"]), context.chain_id)
    shown = {**shown_words(document), "time_zone": change["zone"]}
    session.execute(update(Booking).where(col(Booking.id) == context.subject).values(shown))
    session.execute(delete(RecordingTag).where(col(RecordingTag.recording_id) == context.subject))
    session.add_all(RecordingTag(recording_id=context.subject, tag=tag.casefold()) for tag in document.tags)


def _set(session: Session, context: Ctx, **values: Any) -> None:
    session.execute(
        update(Recording).where(col(Recording.id) == context.subject).values(updated_at=utc_now(), **values)
    )


# retire


def _retire_calls(context: Ctx) -> list[Call]:
    now, late = context.result("switch"), _late(context)
    left = set(context.result("state")["left"]) - late
    calls = [call for event in context.result("state")["old"] for call in _leave(event, left, now)]
    places = in_kaltura(context)
    for number, event_id in context.results.get("events", {}).items():
        mine = [occurrence_id for of, _, occurrence_id in _made(context) if of == number]
        unwanted = [occurrence_id for occurrence_id in mine if occurrence_id in late]
        if len(unwanted) == len(mine):
            calls.append(_delete(event_id))
        else:
            calls += [_cancel(places[occurrence_id]["event_id"]) for occurrence_id in unwanted]
    return calls + [_cancel(event_id) for event_id in context.input["change"].get("extra", ())]


def _leave(event: Mapping[str, Any], left: set[str], now: int) -> list[Call]:
    """The calls that take the occurrences in `left` (ids) out of an event: see the table above."""
    scheduled = [one for one in event["sessions"] if one["status"] == SCHEDULED]
    leaving = [one for one in scheduled if one["id"] in left]
    if not leaving:
        return []
    stays = [one["start"] for one in scheduled if one["id"] not in left]
    if not stays:
        return [_delete(event["event_id"])]
    if event["recurrence"] and max(stays) < min(one["start"] for one in leaving):
        # What is over and cancelled stays as it is too.
        kept = [one["start"] for one in event["sessions"] if one["start"] <= max(now, *stays)]
        ended = {"recurrence": {**event["recurrence"], "until": max(kept)}, "occurrences": len(kept)}
        return [Call(f"end:{event['event_id']}", {"event_id": event["event_id"], **ended})]
    return [_cancel(one["event_id"]) for one in leaving]


def to_be_cancelled(context: Ctx) -> list[int]:
    """The event ids that will be cancelled one by one, as it looks before anything is made."""
    state = context.result("state")
    calls = [call for one in state["old"] for call in _leave(one, set(state["left"]), state.get("decided_at", 0))]
    return [call.request["event_id"] for call in calls if call.key.startswith("cancel:")]


def retire_questions(context: Ctx) -> list[Act]:
    """What `remains` and `mend` will ask, about what is left of series when they are deleted or ended."""
    client, keys = context.tools.kaltura, [call.key for call in _retire_calls(context)]
    return [
        *(partial(client.list_events, call.request["event_ids"]) for call in _remains(context, keys)),
        *(partial(client.list_children, call.request["event_id"]) for call in _mends(context, keys)),
    ]


def _delete(event_id: int) -> Call:
    return Call(f"delete:{event_id}", {"event_id": event_id})


def _cancel(event_id: int) -> Call:
    return Call(f"cancel:{event_id}", {"event_id": event_id})


@outcome(*GONE)
def _retire(context: Ctx, call: Call) -> Outcome:
    event_id = call.request["event_id"]
    verb, _, _ = call.key.partition(":")
    if verb == "cancel":
        own.cancel_event(context, event_id)
        return Done()
    if verb == "delete":
        own.delete_event(context, event_id)
        return Done()
    recurrence = call.request["recurrence"]
    changes = {"objectType": "KalturaRecordScheduleEvent", "recurrence": wire_recurrence(recurrence)}
    own.update_event(context, event_id, changes)
    return Done({"recurrence": recurrence, "occurrences": call.request["occurrences"]})


def _save_retired(session: Session, context: Ctx) -> None:
    """Writes what became of the old events. An occurrence that is not scheduled keeps no event that is gone."""
    for key, ended in context.results["retire"].items():
        verb, _, event_id = key.partition(":")
        event = (col(ScheduleEvent.recording_id) == context.subject, col(ScheduleEvent.event_id) == int(event_id))
        carried = or_(col(Occurrence.series_id) == int(event_id), col(Occurrence.event_id) == int(event_id))
        within = (col(Occurrence.booking_id) == context.subject, carried)
        if verb == "delete":
            session.execute(delete(ScheduleEvent).where(*event))
            session.execute(update(Occurrence).where(*within).values(event_id=None, series_id=None))
        elif verb == "end" and ended:
            session.execute(update(ScheduleEvent).where(*event).values(**ended))
            later = col(Occurrence.start) > instant(ended["recurrence"]["until"])
            session.execute(update(Occurrence).where(*within, later).values(event_id=None, series_id=None))


# remains


def _remains_calls(context: Ctx) -> list[Call]:
    return _remains(context, context.results["retire"])


def _remains(context: Ctx, retired: Iterable[str]) -> list[Call]:
    """One call for all occurrences that went with a series, by their own ids: Kaltura may have left them standing."""
    left = set(context.result("state")["left"]) - _late(context)
    series, occurrences = list[int](), list[tuple[int, int]]()
    for key in retired:
        verb, _, event_id = key.partition(":")
        if verb != "cancel":
            series.append(int(event_id))
            occurrences += _went_with(context, int(event_id), left if verb == "end" else None)
    if not occurrences:
        return []
    ids, starts = zip(*occurrences, strict=True)
    return [Call("remains", {"series": series, "event_ids": list(ids), "starts": sorted(set(starts))})]


def _went_with(context: Ctx, series_id: int, only: set[str] | None) -> list[tuple[int, int]]:
    """The occurrences of a series: `(event id, start)`. `only`: those of these occurrences."""
    old = [
        (one["event_id"], one["start"])
        for event in context.result("state")["old"]
        if event["event_id"] == series_id
        for one in event["sessions"]
        if one["event_id"] and (only is None or one["id"] in only)
    ]
    made = [
        (event_id, start)
        for number, occurrences in context.results.get("occurrences", {}).items()
        if context.results["events"][number] == series_id
        for event_id, start, _ in occurrences
    ]
    return [(event_id, start) for event_id, start in (*old, *made) if event_id != series_id]


@outcome()
def _cancel_remains(context: Ctx, call: Call) -> Outcome:
    asked = call.request
    own.cancel_left(context, asked["series"], asked["event_ids"], asked["starts"])
    return Done()


# mend


def _mend_calls(context: Ctx) -> list[Call]:
    return _mends(context, context.results["retire"])


def _mends(context: Ctx, retired: Collection[str]) -> list[Call]:
    """A call for each series that this chain updated: that brings cancelled occurrences back whose times changed."""
    touched = {
        int(key.partition(":")[2])
        for key in (*context.results.get("words", ()), *retired)
        if key.startswith(("event:", "end:"))
    }
    gone = {int(key.partition(":")[2]) for key in retired if key.startswith("delete:")}
    old = context.result("state")["old"]
    if "cancel" in context.input["change"]:  # its end may have been moved by a chain that was stopped for this one
        touched |= {event["event_id"] for event in old if _runs_to_an_own_end(event, context.result("switch"))}
    return [
        Call(f"mend:{event['event_id']}", {"event_id": event["event_id"]})
        for event in old
        if event["kind"] == "series" and event["event_id"] in touched - gone
    ]


def _runs_to_an_own_end(event: Mapping[str, Any], now: int) -> bool:
    return any(one.get("planned_end") and max(one["planned_end"], one["end"]) > now for one in event["sessions"])


@outcome(*GONE)
def _mend(context: Ctx, call: Call) -> Outcome:
    event_id = call.request["event_id"]
    event = next(event for event in context.result("state")["old"] if event["event_id"] == event_id)
    left = set(context.result("state")["left"]) - _late(context)
    stays = {
        start
        for one in event["sessions"]
        if one["status"] == SCHEDULED and one["id"] not in left
        for start in (one["start"], _sent_start(context, one))
    }
    now, found = utc_now(), own.children(context, event_id)
    revived = [
        child for child in found if child.active and child.start > now and int(child.start.timestamp()) not in stays
    ]
    for child in revived:
        own.cancel_event(context, child.id)
    set_again(context, event, found)
    return Done(len(revived))


def _sent_start(context: Ctx, occurrence: Mapping[str, Any]) -> int:
    start, _ = as_sent(instant(occurrence["start"]), instant(occurrence["end"]), context.tools.server_zone)
    return int(start.timestamp())


def _switch(context: Ctx, _call: Call) -> Outcome:
    """The moment of the switch, in epoch seconds; that of the verdict, if recordings are changed together.

    Not before `state` looked at the clock: another host's may be behind, or this one's was set back.
    """
    decided = context.results.get("together")
    at = context.result("together")["at"] if decided else int(utc_now().timestamp())
    return Done(max(at, context.result("state").get("decided_at", 0)))


SWITCH: Step[Tools] = Step(
    "switch",
    lambda _context: [Call("switch")],
    _switch,
    save=_save_switch,
    final=True,
)
RETIRE = Step(
    "retire",
    _retire_calls,
    _retire,
    save=_save_retired,
    check=own.check,
    final=True,
    independent=every,
    prefetch_after=retire_questions,
)
REMAINS = Step("remains", _remains_calls, _cancel_remains, final=True)
MEND = Step("mend", _mend_calls, _mend, check=own.check, final=True, independent=every)
ENDING: Sequence[Step[Tools]] = (SWITCH, RETIRE, REMAINS, MEND)
