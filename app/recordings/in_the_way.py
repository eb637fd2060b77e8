"""The step that asks what is in the way of a recording's sessions, before anything is made."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.chains.steps import Call, Done, Failed, Outcome, Step
from app.db import utc_now
from app.kaltura import types as kaltura
from app.recordings.discretion import discreet
from app.recordings.events import draft
from app.recordings.lanes import lanes
from app.recordings.models import Recording
from app.recordings.outcomes import conflict, outcome
from app.recordings.work import Ctx, booked, planned, room, together, wanted
from app.resources.conflicts import Booked, at_their_times, find_conflicts, known_bookings
from app.resources.doubting import still_there
from app.resources.everything import everything


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
        met = client.get_conflicts([resource_id], draft(context, number), kind="blackout")
        return refusal(context, find_conflicts(sessions, map(booked, met))) or Done()
    first, last = sessions[0][0], max(end for _, end in sessions)
    listed = everything(client, resource_id, first, last)
    with context.tools.database.read() as session:
        known = known_bookings(session, resource_id, first, last, but=together(context))
    own = [one for one in known if one.source == "lectern"]
    # Those of others are in Kaltura, or are no more; its list may leave some out.
    left_out = {one.event_id for one in known if one.event_id and one not in own} - {event.id for event in listed}
    events = [*listed, *still_there(client, resource_id, sorted(left_out), utc_now())[0]]
    return refusal(context, find_conflicts(sessions, [*own, *others(context, events, own)])) or Done()


def refusal(context: Ctx, pairs: Sequence[dict[str, Any]]) -> Failed | None:
    """The refusal, in which other clients' recordings are not named."""
    if not pairs:
        return None
    with context.tools.database.read() as session:
        client = session.get_one(Recording, context.subject).client
        return conflict(discreet(session, lambda other: other == client, pairs))


def others(context: Ctx, events: Iterable[kaltura.Event], own: Iterable[Booked] = ()) -> list[Booked]:
    """Of Kaltura's events those that this chain has to mind, and that are not told already; Lectern's own at the
    times that they really have."""
    told = {one.event_id for one in own}
    mine = together(context)
    found = [one for one in map(booked, events) if one.event_id not in told and one.recording_id not in mine]
    with context.tools.database.read() as session:
        return at_their_times(session, found)


CONFLICTS = Step("conflicts", _conflict_calls, _check_conflicts, lanes=lanes, anew=True)
