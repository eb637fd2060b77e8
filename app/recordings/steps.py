"""The steps that put a recording into Kaltura, in the order in which an encoder may see them.

    resource → conflicts → template_entry → events → occurrences → exclusions → links

Linking comes last: no encoder ever sees half a series or a holiday. What is sent was decided when the document was
accepted and is the chain's input (`ScheduleInput` in app/recordings/service.py); only ids are found out on the way.

Entry and events carry Lectern's own `referenceId`, `lectern-<recording id>-<n>` (0 the entry, events from 1 on), by
which they are looked up when the outcome of making them is unknown. Links and cancellations need none: they are sent
again, and Kaltura's ALREADY_EXISTS or INVALID_OBJECT_ID then means that they are done.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from app.chains.steps import Call, Done, Failed, Outcome, Retry, Step
from app.kaltura import types as kaltura
from app.kaltura.errors import Refused
from app.recordings import own
from app.recordings.discretion import discreet
from app.recordings.models import Recording
from app.recordings.outcomes import NOT_OURS, at, conflict, outcome
from app.recordings.saving import save_entry, save_events, save_links, save_resource
from app.recordings.work import (
    Ctx,
    Tools,
    booked,
    generated,
    instant,
    planned,
    room,
    shown,
    template_entry,
    together,
    wanted,
)
from app.resources.conflicts import Booked, at_their_times, find_conflicts, known_bookings
from app.resources.lookup import in_kaltura
from app.resources.references import reference

GONE = {"INVALID_OBJECT_ID", "ENTRY_ID_NOT_FOUND", "SCHEDULE_EVENT_ID_NOT_FOUND"}
LINKED = {"SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS"}
# Kaltura's index may show fewer occurrences than it has made for so many seconds, in which it was asked so often: the
# time may have gone by without an answer.
INDEX_LAG, LOOKS = 60.0, 5


# resource


@outcome()
def _find_or_make_resource(context: Ctx, call: Call) -> Outcome:
    """Harmless to repeat: a system name is taken once (#105), so what was made unseen is found the next time."""
    client, asked = context.tools.kaltura, call.request
    makes = asked.get("kind") is not None
    found = list(in_kaltura(client, asked.get("id") or asked["system_name"], is_name=makes))
    if len(found) > 1:
        ids = ", ".join(str(resource.id) for resource in found)
        return at("ambiguous_resource", "/resource", f"Kaltura has several: {ids}. Name one by its id.")
    if not found and not makes:
        return at("resource_not_found", "/resource", "Kaltura has no such resource. An object here would make it.")
    if not found:
        try:
            made = client.add_resource(asked["kind"], asked["name"], asked["system_name"], asked["description"])
        except Refused as refusal:
            if refusal.code == "SYSTEM_NAME_ALREADY_EXISTS":
                return Retry("somebody made this resource just now", 1.0)
            raise
        found = [made]
    one = found[0]
    return Done(
        {
            "id": one.id,
            "system_name": one.system_name,
            "name": one.name,
            "description": one.description,
            "kind": one.kind,
        }
    )


# conflicts


def _conflict_calls(context: Ctx) -> list[Call]:
    if not wanted(context) or context.input["on_conflict"] == "allow":
        return []
    return [Call("resource"), *(Call(f"blackout:{number}") for number in planned(context))]


@outcome()
def _check_conflicts(context: Ctx, call: Call) -> Outcome:
    """What is booked on the resource in Kaltura and by Lectern itself; or a blackout, which belongs to no resource."""
    client, resource_id, sessions = context.tools.kaltura, room(context), wanted(context)
    _, _, number = call.key.partition(":")
    if number:
        met = client.get_conflicts([resource_id], _draft(context, number), kind="blackout")
        return _refused(context, find_conflicts(sessions, map(booked, met))) or Done()
    first, last = sessions[0][0], max(end for _, end in sessions)
    events = client.list_events_on_resource(resource_id, first, last)
    with context.tools.database.read() as session:
        known = known_bookings(session, resource_id, first, last, but=together(context))
    own = [one for one in known if one.source == "lectern"]  # the others are in Kaltura, or are no more
    return _refused(context, find_conflicts(sessions, [*own, *_others(context, events, own)])) or Done()


def _refused(context: Ctx, pairs: Sequence[dict[str, Any]]) -> Failed | None:
    """The refusal, in which other clients' recordings are not named."""
    if not pairs:
        return None
    with context.tools.database.read() as session:
        client = session.get_one(Recording, context.subject).client
        return conflict(discreet(session, lambda other: other == client, pairs))


def _others(context: Ctx, events: Iterable[kaltura.Event], own: Iterable[Booked] = ()) -> list[Booked]:
    """Of Kaltura's events those that this chain has to mind, and that are not told already; Lectern's own at the
    times that they really have."""
    told = {one.event_id for one in own}
    mine = together(context)
    found = [one for one in map(booked, events) if one.event_id not in told and one.recording_id not in mine]
    with context.tools.database.read() as session:
        return at_their_times(session, found)


# template_entry


def _entry_calls(context: Ctx) -> list[Call]:
    return [Call("0", {"reference_id": reference(context.subject, 0)})]


@outcome()
def _make_entry(context: Ctx, call: Call) -> Outcome:
    ids: list[int] = []
    for index, category in enumerate(context.input["categories"]):
        if isinstance(category, int):
            ids.append(category)
            continue
        found = context.tools.kaltura.find_category(category)
        if found is None:
            return at("category_not_found", f"/categories/{index}", f"Kaltura has no category '{category}'.")
        ids.append(found.id)
    words = context.input["entry"]
    draft = kaltura.EntryDraft(**words, category_ids=ids, reference_id=call.request["reference_id"])
    try:
        return Done(context.tools.kaltura.add_entry(draft).id)
    except Refused as refusal:
        if refusal.code != "CATEGORY_NOT_FOUND":
            raise
        return _unknown_category(context.input["categories"], refusal)


def _unknown_category(categories: Sequence[int | str], refusal: Refused) -> Failed:
    """Kaltura names the id in its arguments (#863)."""
    for index, category in enumerate(categories):
        if str(category) in refusal.arguments.values():
            detail = f"Kaltura has no category {category}."
            return at("category_not_found", f"/categories/{index}", detail, kaltura_code=refusal.code)
    return at("category_not_found", "/categories", "Kaltura has no such category.", kaltura_code=refusal.code)


@outcome()
def _find_entry(context: Ctx, call: Call) -> Outcome | None:
    found = context.tools.kaltura.find_entries(call.request["reference_id"])
    return Done(found[0].id) if found else None


@outcome(*GONE, NOT_OURS)
def _delete_entry(context: Ctx, _call: Call, made: str) -> Outcome:
    own.delete_entry(context, made)
    return Done()


# events


def _event_calls(context: Ctx) -> list[Call]:
    return [Call(number, {"reference_id": reference(context.subject, number)}) for number in planned(context)]


def _draft(context: Ctx, number: str) -> kaltura.EventDraft:
    event = planned(context)[number]
    return kaltura.EventDraft(
        **context.input["event"],
        start=instant(event["start"]),
        end=instant(event["end"]),
        recurrence=event["recurrence"],
        reference_id=reference(context.subject, number),
        template_entry_id=template_entry(context),
    )


@outcome()
def _make_event(context: Ctx, call: Call) -> Outcome:
    return Done(context.tools.kaltura.add_event(_draft(context, call.key)).id)


@outcome()
def _find_event(context: Ctx, call: Call) -> Outcome | None:
    found = context.tools.kaltura.find_events(call.request["reference_id"])
    return Done(found[0].id) if found else None


@outcome(*GONE, NOT_OURS)
def _delete_event(context: Ctx, call: Call, made: int) -> Outcome:
    read_back = context.results.get("occurrences", {}).get(call.key)
    own.delete_whole(
        context,
        made,
        [event_id for event_id, *_ in read_back]
        if read_back
        else range(made + 1, made + 1 + len(planned(context)[call.key]["occurrences"])),  # they follow it (#218)
    )
    return Done()


# occurrences


def _each_event(context: Ctx) -> list[Call]:
    return [Call(key, {"event_id": event_id}) for key, event_id in context.results["events"].items()]


@outcome()
def _read_back(context: Ctx, call: Call) -> Outcome:
    """Kaltura's own occurrences, as `[[event id, start, end], …]`, which must be exactly those that were planned."""
    event, event_id = planned(context)[call.key], call.request["event_id"]
    if event["kind"] == "series":
        made = context.tools.kaltura.list_children(event_id)
    else:
        single = context.tools.kaltura.get_event(event_id)
        made = [single] if single else []
    got = [[event.id, int(event.start.timestamp()), int(event.end.timestamp())] for event in made]
    times = [(start, end) for _, start, end in got]
    expected = generated(event)
    if times == expected:
        return Done(got)
    may_lag = context.step_seconds < INDEX_LAG or context.failures < LOOKS
    if set(times) < set(expected) and may_lag:
        return Retry(f"Kaltura shows {len(times)} of {len(expected)} occurrences; its index may lag", 3.0)
    return Failed(
        {
            "code": "schedule_differs",
            "detail": f"Kaltura made other occurrences ({len(times)}) than were asked for ({len(expected)}).",
            "wanted": [[shown(start), shown(end)] for start, end in expected],
            "got": [[shown(start), shown(end)] for start, end in times],
        }
    )


# exclusions


def _exclusion_calls(context: Ctx) -> list[Call]:
    return [
        Call(str(event_id), {"event_id": event_id})
        for number, made in context.results["occurrences"].items()
        for (event_id, *_), (*_, is_wanted) in zip(made, planned(context)[number]["occurrences"], strict=True)
        if not is_wanted
    ]


@outcome(*GONE)
def _cancel(context: Ctx, call: Call) -> Outcome:
    own.cancel_event(context, call.request["event_id"])
    return Done()


# links


def _link_calls(context: Ctx) -> list[Call]:
    return [
        Call(number, {"event_id": event_id, "resource_id": room(context)})
        for number, event_id in context.results["events"].items()
    ]


@outcome(*LINKED)
def _link(context: Ctx, call: Call) -> Outcome:
    """Asks for conflicts once more, which reserves the resource for this session for five seconds, and links."""
    client, event_id, resource_id = context.tools.kaltura, call.request["event_id"], call.request["resource_id"]
    if context.input["on_conflict"] != "allow":
        met = client.get_conflicts([resource_id], _draft(context, call.key), event_id, kind="both")
        # Kaltura's answers on excluded days are dropped: nothing is recorded then.
        refused = _refused(context, find_conflicts(wanted(context), _others(context, met)))
        if refused:
            return refused
    client.add_link(event_id, resource_id)
    return Done()


def _making_lanes(context: Ctx) -> list[str]:
    """Chains that may make one resource look for it one after another: Kaltura might take its name twice (#105)."""
    asked = context.input["resource"] or {}
    return [name_lane(asked["system_name"])] if asked.get("kind") else []


def _lanes(context: Ctx) -> list[str]:
    """Chains of one recording, and chains on one resource, run one after another."""
    return [recording_lane(context.subject), room_lane(room(context))]


def recording_lane(recording_id: str) -> str:
    return f"recording:{recording_id}"


def name_lane(system_name: str) -> str:
    return f"name:{system_name.casefold()}"


def room_lane(resource_id: int) -> str:
    return f"resource:{resource_id:020d}"


RESOURCE: Step[Tools] = Step(
    "resource",
    lambda c: [Call("resource", c.input["resource"])] if c.input["resource"] else [],
    _find_or_make_resource,
    lanes=_making_lanes,
    save=save_resource,
)
CONFLICTS = Step("conflicts", _conflict_calls, _check_conflicts, lanes=_lanes)
TEMPLATE_ENTRY = Step("template_entry", _entry_calls, _make_entry, _find_entry, _delete_entry, save=save_entry)
EVENTS = Step("events", _event_calls, _make_event, _find_event, _delete_event, save=save_events)
OCCURRENCES = Step("occurrences", _each_event, _read_back)
EXCLUSIONS = Step("exclusions", _exclusion_calls, _cancel, check=own.check)
LINKS = Step("links", _link_calls, _link, check=own.check)  # nothing to undo: a link goes with its event (#473, #499)

SCHEDULE: Sequence[Step[Tools]] = (
    RESOURCE,
    CONFLICTS,
    TEMPLATE_ENTRY,
    EVENTS,
    OCCURRENCES,
    EXCLUSIONS,
    replace(LINKS, save=save_links),
)
