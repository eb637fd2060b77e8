"""The steps that change what stands in Kaltura for a recording: new first, old last.

    resource → state → conflicts → words → categories → events → occurrences → exclusions → links → retire → mend

`state` takes the lanes, reads the recording's rows, and decides what the change comes to (app/recordings/targets.py).
Until `links` is done everything can be undone, and an undo touches only what this chain made; so a change that Kaltura
refuses leaves the recording as it was. From `links` on it only goes forward: `retire` removes the old, and `mend`
cancels again what an update of a series brought back to life.

What `retire` does with an event that sessions leave:

    some of its sessions ahead stay            those that leave are cancelled
    none stays, some have begun                a series is ended after the last of them; a single event is left alone
    none stays, none has begun                 deleted, and its link with it
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlmodel import Session, col

from app.chains.steps import Call, Done, Outcome, Step
from app.db import utc_now
from app.kaltura.client import KalturaClient
from app.kaltura.errors import Refused
from app.kaltura.types import NO_CONTENT, entry_words, event_words, wire_recurrence
from app.recordings.models import Recording, RecordingTag, ScheduleEvent
from app.recordings.outcomes import at, outcome
from app.recordings.schemas import RecordingDocument
from app.recordings.state import STATE
from app.recordings.steps import (
    CONFLICTS,
    EVENTS,
    EXCLUSIONS,
    GONE,
    LINKS,
    OCCURRENCES,
    RESOURCE,
    in_kaltura,
    remember_resource,
)
from app.recordings.work import Ctx, Tools, instant, room
from app.resources.models import Booking, Occurrence, OccurrenceStatus

SCHEDULED = OccurrenceStatus.SCHEDULED
AS_WANTED = {"CATEGORY_ENTRY_ALREADY_EXISTS", "ENTRY_IS_NOT_ASSIGNED_TO_CATEGORY"}


# words and categories


def _word_calls(context: Ctx) -> list[Call]:
    new, old = context.input, context.input["before"]
    calls = [Call("entry", {"id": new["template_entry_id"]})] if new["entry"] != old["entry"] else []
    if new["event"] != old["event"]:
        calls += [Call(f"event:{event['event_id']}", {"id": event["event_id"]}) for event in _surviving(context)]
    return calls


def _surviving(context: Ctx) -> list[Mapping[str, Any]]:
    """The old events that will be there afterwards: with a session that has begun, or one ahead that stays."""
    state, now = context.result("state"), utc_now().timestamp()
    return [
        event
        for event in state["old"]
        if any(
            one["status"] == SCHEDULED and (one["start"] <= now or one["id"] not in state["left"])
            for one in event["sessions"]
        )
    ]


@outcome()
def _write_words(context: Ctx, call: Call) -> Outcome:
    return _words(context, call, context.input)


@outcome(*GONE)
def _write_old_words(context: Ctx, call: Call, _made: None) -> Outcome:
    return _words(context, call, context.input["before"])


def _words(context: Ctx, call: Call, said: Mapping[str, Any]) -> Outcome:
    if call.key == "entry":
        context.tools.kaltura.update_entry(call.request["id"], entry_words(said["entry"]))
    else:
        context.tools.kaltura.update_event(call.request["id"], event_words(said["event"]))
    return Done()


def _category_calls(context: Ctx) -> list[Call]:
    same = context.input["categories"] == context.input["before"]["categories"]
    return [] if same else [Call("categories")]


@outcome()
def _assign(context: Ctx, _call: Call) -> Outcome:
    """Gives the entry the categories that the document gained, and takes those that it lost. Others' stay."""
    client, entry_id = context.tools.kaltura, context.input["template_entry_id"]
    new = [_category_id(client, category) for category in context.input["categories"]]
    old = {_category_id(client, category) for category in context.input["before"]["categories"]} - {None}
    if None in new:
        index = new.index(None)
        detail = f"Kaltura has no category '{context.input['categories'][index]}'."
        return at("category_not_found", f"/categories/{index}", detail)
    gained = [category for category in new if category is not None and category not in old]
    lost = [category for category in old if category is not None and category not in new]
    return Done(
        {
            "gained": [category for category in gained if _has_changed(client.add_category, entry_id, category)],
            "lost": [category for category in lost if _has_changed(client.remove_category, entry_id, category)],
        }
    )


@outcome(*GONE)
def _assign_back(context: Ctx, _call: Call, made: Mapping[str, list[int]] | None) -> Outcome:
    client, entry_id = context.tools.kaltura, context.input["template_entry_id"]
    for category in (made or {}).get("gained", ()):
        _has_changed(client.remove_category, entry_id, category)
    for category in (made or {}).get("lost", ()):
        _has_changed(client.add_category, entry_id, category)
    return Done()


def _category_id(client: KalturaClient, category: int | str) -> int | None:
    if isinstance(category, int):
        return category
    found = client.find_category(category)
    return found.id if found else None


def _has_changed(change: Callable[[str, int], None], entry_id: str, category_id: int) -> bool:
    try:
        change(entry_id, category_id)
    except Refused as refusal:
        if refusal.code not in AS_WANTED:
            raise
        return False
    return True


# links: from here on the change is what counts


def _save_rows(session: Session, context: Ctx) -> None:
    """The sessions as they are now, and the events that carry the new ones."""
    places = in_kaltura(context)
    resource_id = room(context)
    mine = select(col(Occurrence.id)).where(col(Occurrence.booking_id) == context.subject)
    known = set(session.execute(mine).scalars())
    for row in context.result("state")["rows"]:
        slot = row["slot"] and date.fromisoformat(row["slot"])
        values = {
            **row,
            "start": instant(row["start"]),
            "end": instant(row["end"]),
            "slot": slot,
            "resource_id": resource_id,
            **places.get(row["id"], {}),
        }
        if row["id"] in known:
            session.execute(update(Occurrence).where(col(Occurrence.id) == row["id"]).values(**values))
        else:
            session.execute(insert(Occurrence).values(**values, booking_id=context.subject))
    extent = select(func.min(col(Occurrence.start)), func.max(col(Occurrence.end))).where(
        col(Occurrence.booking_id) == context.subject, col(Occurrence.status) == SCHEDULED
    )
    first, last = session.execute(extent).one()
    if first is not None:
        _set(session, context, first_start=first, last_end=last, resource_id=resource_id)


# retire and mend


def _retire_calls(context: Ctx) -> list[Call]:
    """By the clock as it is when the step begins: what has begun since the change was decided is not touched."""
    state, now = context.result("state"), utc_now().timestamp()
    left = set(state["left"])
    calls: list[Call] = []
    for event in state["old"]:
        ahead = [one for one in event["sessions"] if one["start"] > now and one["status"] == SCHEDULED]
        leaving = [one for one in ahead if one["id"] in left]
        begun = [one["start"] for one in event["sessions"] if one["start"] <= now and one["status"] == SCHEDULED]
        about = {"event_id": event["event_id"], "number": event["number"]}
        if not leaving:
            continue
        if len(leaving) < len(ahead):
            calls += [Call(f"cancel:{one['event_id']}", {"event_id": one["event_id"]}) for one in leaving]
        elif not begun:
            calls.append(Call(f"delete:{event['event_id']}", about))
        elif event["recurrence"]:
            ended = {**event["recurrence"], "until": max(begun)}
            calls.append(Call(f"end:{event['event_id']}", {**about, "recurrence": ended}))
    return calls


@outcome(*GONE)
def _retire(context: Ctx, call: Call) -> Outcome:
    client, event_id = context.tools.kaltura, call.request["event_id"]
    verb = call.key.partition(":")[0]
    if verb == "cancel":
        client.cancel_event(event_id)
    elif verb == "delete":
        client.delete_event(event_id)
    else:
        recurrence = wire_recurrence(call.request["recurrence"])
        client.update_event(event_id, {"objectType": "KalturaRecordScheduleEvent", "recurrence": recurrence})
    return Done()


def _save_retired(session: Session, context: Ctx) -> None:
    for call in _made_calls(context, "retire"):
        verb, _, event_id = call.partition(":")
        mine = (col(ScheduleEvent.recording_id) == context.subject, col(ScheduleEvent.event_id) == int(event_id))
        if verb == "delete":
            session.execute(delete(ScheduleEvent).where(*mine))
        elif verb == "end":
            session.execute(update(ScheduleEvent).where(*mine).values(recurrence=_ended(context, int(event_id))))


def _save_cancelled(session: Session, context: Ctx) -> None:
    _save_retired(session, context)
    _save_rows(session, context)


def _made_calls(context: Ctx, step: str) -> list[str]:
    return list(context.results.get(step, {}))


def _ended(context: Ctx, event_id: int) -> dict[str, Any]:
    """The recurrence of an ended series, as Kaltura has it now."""
    event = next(event for event in context.result("state")["old"] if event["event_id"] == event_id)
    now = utc_now().timestamp()
    begun = [one["start"] for one in event["sessions"] if one["start"] <= now and one["status"] == SCHEDULED]
    return {**event["recurrence"], "until": max(begun)}


def _mend_calls(context: Ctx) -> list[Call]:
    """Every series that this chain updated: an update brings cancelled sessions whose times changed back to life."""
    gone = {key.partition(":")[2] for key in _made_calls(context, "retire") if key.startswith("delete:")}
    touched = {
        key.partition(":")[2]
        for step in ("words", "retire")
        for key in _made_calls(context, step)
        if key.startswith(("event:", "end:"))
    }
    return [
        Call(f"mend:{event['event_id']}", {"event_id": event["event_id"]})
        for event in context.result("state")["old"]
        if event["kind"] == "series" and str(event["event_id"]) in touched - gone
    ]


@outcome(*GONE)
def _mend(context: Ctx, call: Call) -> Outcome:
    client, event_id = context.tools.kaltura, call.request["event_id"]
    state = context.result("state")
    event = next(event for event in state["old"] if event["event_id"] == event_id)
    stays = {one["start"] for one in event["sessions"] if one["status"] == SCHEDULED and one["id"] not in state["left"]}
    now = utc_now()
    revived = [
        child
        for child in client.list_children(event_id)
        if child.active and child.start > now and int(child.start.timestamp()) not in stays
    ]
    for child in revived:
        client.cancel_event(child.id)
    return Done(len(revived))


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
        fingerprint=document.fingerprint(),
        time_zone=change["zone"],
        reference_id=document.reference_id,
        active_reference=document.reference_id,
    )
    session.execute(
        update(Booking)
        .where(col(Booking.id) == context.subject)
        .values(title=document.title, description=document.description, tags=document.tags, time_zone=change["zone"])
    )
    session.execute(delete(RecordingTag).where(col(RecordingTag.recording_id) == context.subject))
    session.add_all(RecordingTag(recording_id=context.subject, tag=tag) for tag in document.tags)


def _set(session: Session, context: Ctx, **values: Any) -> None:
    session.execute(
        update(Recording).where(col(Recording.id) == context.subject).values(updated_at=utc_now(), **values)
    )


# entry


def _entry_calls(context: Ctx) -> list[Call]:
    """The template entry goes with the last of its sessions, if none was ever recorded."""
    now = utc_now().timestamp()
    begun = any(
        one["start"] <= now and one["status"] == SCHEDULED
        for event in context.result("state")["old"]
        for one in event["sessions"]
    )
    entry_id = context.result("state")["template_entry_id"]
    return [Call("entry", {"id": entry_id})] if entry_id and not begun else []


@outcome(*GONE)
def _delete_entry(context: Ctx, call: Call) -> Outcome:
    entry = context.tools.kaltura.get_entry(call.request["id"])
    if entry is not None and entry.status != NO_CONTENT:
        return Done("kept")  # somebody has put media into it
    if entry is not None:
        context.tools.kaltura.delete_entry(entry.id)
    return Done()


def _save_entry(session: Session, context: Ctx) -> None:
    if context.results["entry"] and context.result("entry") is None:
        for model in (Recording, Booking):
            session.execute(update(model).where(col(model.id) == context.subject).values(template_entry_id=None))


RETIRE = Step("retire", _retire_calls, _retire, save=_save_retired, final=True)
MEND = Step("mend", _mend_calls, _mend, final=True)

CHANGE: Sequence[Step[Tools]] = (
    replace(RESOURCE, save=remember_resource),
    STATE,
    replace(CONFLICTS, lanes=None),
    Step("words", _word_calls, _write_words, undo=_write_old_words),
    Step("categories", _category_calls, _assign, undo=_assign_back),
    EVENTS,
    OCCURRENCES,
    EXCLUSIONS,
    replace(LINKS, save=_save_rows),
    RETIRE,
    replace(MEND, save=_save_document),
)
CANCEL: Sequence[Step[Tools]] = (
    STATE,
    replace(RETIRE, save=_save_cancelled),
    MEND,
    Step("entry", _entry_calls, _delete_entry, save=_save_entry, final=True),
)
