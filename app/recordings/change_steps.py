"""The steps that change what stands in Kaltura for a recording: new first, old last.

    resource → state → conflicts → categories → words → assignments → events → occurrences → exclusions → links
             → together → switch → retire → mend

`state` takes the lanes, reads the recording's rows, and decides what the change comes to (app/recordings/targets.py).
Until `together` is done everything can be undone, and an undo touches only what this chain made; so a change that
Kaltura refuses leaves the recording as it was. In `together` recordings that swap rooms wait for each other
(app/recordings/switching.py). From `switch` on it only goes forward (app/recordings/retiring.py).

    state → switch → retire → mend → entry

is the end of a recording: there is nothing to make, and nothing to refuse.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col

from app.chains.steps import Call, Done, Failed, Outcome, Step
from app.kaltura.client import KalturaClient
from app.kaltura.errors import Refused
from app.kaltura.types import NO_CONTENT, entry_words, event_words
from app.recordings.models import Recording
from app.recordings.outcomes import at, outcome
from app.recordings.retiring import ENDING
from app.recordings.saving import remember_resource
from app.recordings.state import STATE
from app.recordings.steps import (
    CONFLICTS,
    EVENTS,
    EXCLUSIONS,
    GONE,
    LINKS,
    OCCURRENCES,
    RESOURCE,
)
from app.recordings.switching import GATHER, link, making_lanes
from app.recordings.work import Ctx, Tools
from app.resources.models import Booking, OccurrenceStatus

NO_ENTRY = {"INVALID_ENTRY_ID"}  # what an assignment says of one that was deleted by hand (#833)


# categories: which assignments change


def _category_calls(context: Ctx) -> list[Call]:
    same = context.input["categories"] == context.input["before"]["categories"]
    return [] if same else [Call("categories")]


@outcome()
def _resolve(context: Ctx, _call: Call) -> Outcome:
    """`{"add": {id: its place in the document}, "remove": [id]}`: what the document gained and lost, by id."""
    client = context.tools.kaltura
    add: dict[str, int] = {}
    for place, category in enumerate(context.input["categories"]):
        found = _category_id(client, category)
        if found is None:
            return _unknown(context, place)
        add[str(found)] = place
    before = [_category_id(client, category) for category in context.input["before"]["categories"]]
    remove = [category for category in before if category is not None and str(category) not in add]
    return Done({"add": {key: at for key, at in add.items() if int(key) not in before}, "remove": remove})


def _category_id(client: KalturaClient, category: int | str) -> int | None:
    if isinstance(category, int):
        return category
    found = client.find_category(category)
    return found.id if found else None


def _unknown(context: Ctx, place: int) -> Failed:
    detail = f"Kaltura has no category '{context.input['categories'][place]}'."
    return at("category_not_found", f"/categories/{place}", detail)


# words


def _word_calls(context: Ctx) -> list[Call]:
    new, old = context.input, context.input["before"]
    entry = {"id": new["template_entry_id"]}
    calls = [Call("entry", entry)] if new["entry"] != old["entry"] else []
    if new["entry"]["owner"] and not old["entry"]["owner"]:
        calls = [Call("owner", entry), *calls]
    if new["event"] != old["event"]:
        calls += [Call(f"event:{event['event_id']}", {"id": event["event_id"]}) for event in _surviving(context)]
    return calls


def _surviving(context: Ctx) -> list[Mapping[str, Any]]:
    """The old events that will be there afterwards: with a session that has begun, or one ahead that stays."""
    state = context.result("state")
    return [
        event
        for event in state["old"]
        if any(
            one["status"] == OccurrenceStatus.SCHEDULED and one["id"] not in state["left"] for one in event["sessions"]
        )
    ]


@outcome(*GONE)
def _write_words(context: Ctx, call: Call) -> Outcome:
    if call.key == "owner":  # whom no document named, so that an undo can name them
        entry = context.tools.kaltura.get_entry(call.request["id"])
        return Done(entry and entry.owner)
    return _words(context, call, context.input)


@outcome(*GONE)
def _write_old_words(context: Ctx, call: Call, _made: str | None) -> Outcome:
    return Done() if call.key == "owner" else _words(context, call, context.input["before"])


def _words(context: Ctx, call: Call, said: Mapping[str, Any]) -> Outcome:
    if call.key == "entry":
        owner = said["entry"]["owner"] or context.results["words"].get("owner")
        context.tools.kaltura.update_entry(call.request["id"], entry_words({**said["entry"], "owner": owner}))
    else:
        context.tools.kaltura.update_event(call.request["id"], event_words(said["event"]))
    return Done()


# assignments: those that the document gained are made, those that it lost are removed; others' stay


def _assignment_calls(context: Ctx) -> list[Call]:
    if not context.results["categories"]:
        return []
    change = context.result("categories")
    entry = {"entry_id": context.input["template_entry_id"]}
    return [
        *(
            Call(f"add:{category}", {**entry, "id": int(category), "place": at})
            for category, at in change["add"].items()
        ),
        *(Call(f"remove:{category}", {**entry, "id": category}) for category in change["remove"]),
    ]


@outcome(*GONE, *NO_ENTRY)
def _assign(context: Ctx, call: Call) -> Outcome:
    """Whether it had to be changed: what somebody else has assigned already is theirs."""
    adds = call.key.startswith("add:")
    try:
        return _set_assignment(context, call, adds)
    except Refused as refusal:
        if refusal.code == "CATEGORY_NOT_FOUND":
            return _unknown(context, call.request["place"])
        raise


@outcome(*GONE, *NO_ENTRY, "CATEGORY_NOT_FOUND")
def _assign_back(context: Ctx, call: Call, made: bool | None) -> Outcome:
    removed = call.key.startswith("remove:")
    return _set_assignment(context, call, removed) if removed or made is not False else Done()


def _set_assignment(context: Ctx, call: Call, assigned: bool) -> Outcome:
    client, entry_id, category_id = context.tools.kaltura, call.request["entry_id"], call.request["id"]
    try:
        if assigned:
            client.add_category(entry_id, category_id)
        else:
            client.remove_category(entry_id, category_id)
    except Refused as refusal:
        if refusal.code not in ("CATEGORY_ENTRY_ALREADY_EXISTS", "ENTRY_IS_NOT_ASSIGNED_TO_CATEGORY"):
            raise
        return Done(False)
    return Done(True)


# entry


def _entry_calls(context: Ctx) -> list[Call]:
    """The template entry goes with the last of its sessions, if none was ever recorded."""
    now, state = context.result("switch"), context.result("state")
    begun = any(
        one["start"] <= now and one["status"] == OccurrenceStatus.SCHEDULED
        for event in state["old"]
        for one in event["sessions"]
    )
    entry_id = state["template_entry_id"]
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


CHANGE: Sequence[Step[Tools]] = (
    replace(RESOURCE, save=remember_resource, lanes=making_lanes),
    STATE,
    replace(CONFLICTS, lanes=None),
    Step("categories", _category_calls, _resolve),
    Step("words", _word_calls, _write_words, undo=_write_old_words),
    Step("assignments", _assignment_calls, _assign, undo=_assign_back),
    replace(EVENTS, save=None),
    OCCURRENCES,
    EXCLUSIONS,
    replace(LINKS, send=link, save=None),
    GATHER,
    *ENDING,
)
CANCEL: Sequence[Step[Tools]] = (
    STATE,
    *ENDING,
    Step("entry", _entry_calls, _delete_entry, save=_save_entry, final=True),
)
