"""The steps that change what stands in Kaltura for a recording: new first, old last.

    resource → state → ownership → conflicts → newest → categories → template_entry → words → assignments
             → events → occurrences → exclusions → details → links → together → switch → retire → remains → mend

`state` takes the lanes, reads the recording's rows, and decides what the change comes to (`difference`). `ownership`
makes sure that what stands in Kaltura under the recording's ids is its own (`scheduling/own.py`), and looks whether the
template entry is still there: if not, `template_entry` makes another, and `words` gives it to the events that stay.
`details` gives single occurrences what is their own. Until `together` is done everything can be undone, and an undo
touches only what this chain made; so a change that Kaltura refuses leaves the recording as it was. In `together`
recordings that swap resources wait for each other (`switching`). From `switch` on it only goes forward (`retire`).

    state → switch → retire → remains → mend → entry

is the end of a recording: there is nothing to make, and nothing to refuse. Without `entry` it clears what Kaltura still
has of a recording that is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col

from app.chains.steps import Act, Call, Done, Outcome, Step, every
from app.kaltura.errors import Refused
from app.kaltura.types import NO_CONTENT, PENDING, entry_words, event_words
from app.recordings.changing.decide import STATE, STATE_OF_LESS
from app.recordings.changing.occurrences.details import DETAILS, set_again
from app.recordings.changing.retire import ENDING, RETIRE, retire_questions, to_be_cancelled
from app.recordings.changing.switching import GATHER, link
from app.recordings.document.categories import category_id
from app.recordings.models import Recording
from app.recordings.scheduling import own
from app.recordings.scheduling.conflicts import CONFLICTS, resource_questions
from app.recordings.scheduling.context import Ctx, Tools, chain_resource, planned, template_entry
from app.recordings.scheduling.events import NEWEST, newest_question
from app.recordings.scheduling.links import LINKS
from app.recordings.scheduling.outcomes import GONE, NOT_OURS, outcome
from app.recordings.scheduling.save_results import remember_resource
from app.recordings.scheduling.steps import EVENTS, EXCLUSIONS, OCCURRENCES, RESOURCE
from app.recordings.scheduling.template_entry import TEMPLATE_ENTRY, category_questions, unknown_category
from app.resources.models import Booking, OccurrenceStatus

NO_ENTRY = {"INVALID_ENTRY_ID"}  # what an assignment says of one that was deleted by hand (exchange 833)
NO_TEMPLATE = {"ENTRY_ID_NOT_FOUND"}  # what an update says of it (exchange 845): this chain has seen that it was there


# ownership


def _ownership_calls(context: Ctx) -> list[Call]:
    """The entry only where something is to be recorded with its words."""
    change, old = context.input["change"], context.result("state")["old"]
    event_ids = [event["event_id"] for event in old] + list(change.get("extra", ())) + to_be_cancelled(context)
    calls = [Call("events", {"event_ids": event_ids})] if event_ids else []
    entry_id = context.input["template_entry_id"]
    if entry_id and ("document" in change or planned(context)):
        calls.append(Call("entry", {"entry_id": entry_id}))
    return calls


@outcome()
def _make_sure(context: Ctx, call: Call) -> Outcome:
    """Of the entry its categories' ids, None if it is gone."""
    if call.key == "entry":
        entry = own.read_entry(context, call.request["entry_id"])
        return Done(entry and list(entry.category_ids))
    own.make_sure(context, call.request["event_ids"])
    return Done()


def _before_anything_is_made(context: Ctx) -> list[Act]:
    """The questions of the next steps."""
    return [
        *resource_questions(context, chain_resource(context)),
        *newest_question(context),
        *category_questions(context),
    ]


def _is_entry_gone(context: Ctx) -> bool:
    return context.results.get("ownership", {}).get("entry", "there") is None


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
        found = category_id(client, category)
        if found is None:
            return unknown_category(context, place)
        add[str(found)] = place
    before = [category_id(client, category) for category in context.input["before"]["categories"]]
    remove = [category for category in before if category is not None and str(category) not in add]
    return Done({"add": {key: at for key, at in add.items() if int(key) not in before}, "remove": remove})


# template_entry: made again with the document's words, people and categories, if somebody has deleted it


def _entry_again_calls(context: Ctx) -> Sequence[Call]:
    return TEMPLATE_ENTRY.calls(context) if _is_entry_gone(context) else []


# words


def _word_calls(context: Ctx) -> list[Call]:
    new, old = context.input, context.input["before"]
    calls = list[Call]()
    if not _is_entry_gone(context):
        entry = {"id": new["template_entry_id"]}
        calls = [Call("entry", entry)] if new["entry"] != old["entry"] else []
        if bool(new["entry"]["owner"]) != bool(old["entry"]["owner"]):
            calls = [Call("owner", entry), *calls]
    if new["event"] != old["event"] or _is_entry_gone(context):
        calls += [Call(f"event:{event['event_id']}", {"id": event["event_id"]}) for event in _surviving(context)]
    return calls


def _surviving(context: Ctx) -> list[Mapping[str, Any]]:
    """The old events that will be there afterwards: with an occurrence that has begun, or one ahead that stays."""
    state = context.result("state")
    return [
        event
        for event in state["old"]
        if any(
            one["status"] == OccurrenceStatus.SCHEDULED and one["id"] not in state["left"] for one in event["sessions"]
        )
    ]


@outcome(*GONE - NO_TEMPLATE)
def _write_words(context: Ctx, call: Call) -> Outcome:
    if call.key == "owner":  # whom no document names: whose it is to be, or was, so that an undo can name them
        if not context.input["entry"]["owner"]:
            return Done(context.tools.kaltura.user)
        entry = own.read_entry(context, call.request["id"])
        return Done(entry and entry.owner)
    return _words(context, call, context.input, template_entry(context))


@outcome(*GONE, NOT_OURS)
def _write_old_words(context: Ctx, call: Call, _made: str | None) -> Outcome:
    if call.key == "owner":
        return Done()
    done = _words(context, call, context.input["before"], context.input["template_entry_id"])
    for event in context.result("state")["old"]:
        if call.key == f"event:{event['event_id']}":
            set_again(context, event)
    return done


def _words(context: Ctx, call: Call, said: Mapping[str, Any], entry_id: str | None) -> Outcome:
    if call.key == "entry":
        owner = said["entry"]["owner"] or context.results["words"].get("owner")
        own.update_entry(context, call.request["id"], entry_words({**said["entry"], "owner": owner}))
        return Done()
    changes = event_words({**said["event"], **_own_title(context, call.request["id"])})
    if _is_entry_gone(context):
        changes["templateEntryId"] = entry_id
    own.update_event(context, call.request["id"], changes)
    return Done()


def _own_title(context: Ctx, event_id: int) -> dict[str, str]:
    """Of a single event, whose title is its only occurrence's; occurrences of a series keep their own."""
    found = [one for event in context.result("state")["old"] for one in event["sessions"]]
    title = next((one.get("title") for one in found if one["event_id"] == event_id), None)
    return {"summary": title} if title else {}


# assignments: those that the document gained are made, those that it lost are removed; others' stay


def _assignment_calls(context: Ctx) -> list[Call]:
    if not context.results["categories"] or _is_entry_gone(context):
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


@outcome()
def _assign(context: Ctx, call: Call) -> Outcome:
    """Whether it had to be changed: what somebody else has assigned already is theirs."""
    adds = call.key.startswith("add:")
    try:
        _set_assignment(context, call, adds)
    except Refused as refusal:
        if refusal.code == "CATEGORY_NOT_FOUND":
            return unknown_category(context, call.request["place"], kaltura_code=refusal.code)
        raise
    return Done((call.request["id"] in _assigned_before(context)) != adds)


def _assigned_before(context: Ctx) -> Sequence[int]:
    """The entry's categories when this chain first looked. What is refused as done may be this chain's own doing."""
    found = context.results.get("ownership", {}).get("entry")
    # An older version kept the entry's id.
    return found if isinstance(found, list) else context.result("categories")["remove"]


@outcome(*GONE, *NO_ENTRY, "CATEGORY_NOT_FOUND", NOT_OURS)
def _assign_back(context: Ctx, call: Call, made: bool | None) -> Outcome:
    if made is not False:
        _set_assignment(context, call, call.key.startswith("remove:"))
    return Done()


def _set_assignment(context: Ctx, call: Call, assigned: bool) -> None:
    entry_id, category_id = call.request["entry_id"], call.request["id"]
    try:
        if assigned:
            own.add_category(context, entry_id, category_id)
        else:
            own.remove_category(context, entry_id, category_id)
    except Refused as refusal:
        if refusal.code not in ("CATEGORY_ENTRY_ALREADY_EXISTS", "ENTRY_IS_NOT_ASSIGNED_TO_CATEGORY"):
            raise


# entry


def _entry_calls(context: Ctx) -> list[Call]:
    """The template entry goes with the last of its occurrences, if none was ever recorded."""
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
    entry = own.read_entry(context, call.request["id"])
    if entry is not None and entry.status not in (PENDING, NO_CONTENT):
        return Done("kept")  # somebody has put media into it
    if entry is not None:
        own.delete_entry(context, entry.id)
    return Done()


def _late_with_entry(context: Ctx) -> list[Act]:
    asked = [call.request["id"] for call in _entry_calls(context)]
    return [*retire_questions(context), *(partial(context.tools.kaltura.get_entry, one) for one in asked)]


def _save_entry(session: Session, context: Ctx) -> None:
    if context.results["entry"] and context.result("entry") is None:
        for model in (Recording, Booking):
            session.execute(update(model).where(col(model.id) == context.subject).values(template_entry_id=None))


CHANGE: Sequence[Step[Tools]] = (
    replace(RESOURCE, save=remember_resource, prefetch=None),
    STATE,
    Step("ownership", _ownership_calls, _make_sure, independent=every, prefetch=_before_anything_is_made),
    replace(CONFLICTS, lanes=None),
    NEWEST,
    Step("categories", _category_calls, _resolve),
    replace(TEMPLATE_ENTRY, calls=_entry_again_calls, save=None),
    Step("words", _word_calls, _write_words, undo=_write_old_words, check=own.check, independent="owner".__ne__),
    Step("assignments", _assignment_calls, _assign, undo=_assign_back, check=own.check, independent=every),
    replace(EVENTS, save=None),
    OCCURRENCES,
    EXCLUSIONS,
    DETAILS,
    replace(LINKS, send=link, save=None),
    GATHER,
    *ENDING,
)
CANCEL_ONE: Sequence[Step[Tools]] = [STATE_OF_LESS if step is STATE else step for step in CHANGE]
CANCEL: Sequence[Step[Tools]] = (
    STATE_OF_LESS,
    *(replace(step, prefetch_after=_late_with_entry) if step is RETIRE else step for step in ENDING),
    Step("entry", _entry_calls, _delete_entry, save=_save_entry, final=True),
)
CLEAR: Sequence[Step[Tools]] = (STATE_OF_LESS, *ENDING)
