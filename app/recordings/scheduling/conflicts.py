"""The step `conflicts`: what is booked at the times of a recording's occurrences, before anything is made."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from app.chains.steps import Act, Call, Done, Failed, Outcome, Step, every
from app.database.database import Database
from app.database.types import utc_now
from app.kaltura import types as kaltura
from app.kaltura.client import KalturaClient
from app.recordings.document.fields import OnConflict
from app.recordings.models import Recording
from app.recordings.scheduling.context import (
    Ctx,
    booked,
    chain_resource,
    event_resources,
    is_anything_wanted,
    leaves_out,
    may_stay_out,
    party_members,
    planned,
    skips,
    span,
    wanted,
    wanted_occurrences,
)
from app.recordings.scheduling.events import draft, newest_question
from app.recordings.scheduling.lanes import lanes
from app.recordings.scheduling.outcomes import conflict, outcome
from app.recordings.scheduling.template_entry import category_questions
from app.recordings.whose import discreet
from app.recurrence.occurrences import zone
from app.resources.conflicts import (
    Booked,
    at_their_times,
    find_conflicts,
    first_conflicts,
    in_the_way,
    known_bookings,
)
from app.resources.mirror.again import read_again
from app.resources.mirror.doubts import still_there
from app.resources.whole_list import everything


def _conflict_calls(context: Ctx) -> list[Call]:
    if not is_anything_wanted(context) or context.input["on_conflict"] == OnConflict.ALLOW:
        return []
    return [Call("skip")] if leaves_out(context) else [Call("resource"), Call("blackout")]


def resource_questions(context: Ctx, resource_id: int) -> list[Act]:
    """What this step will ask about the resource, if it is that one in the end: for a step before it to ask ahead."""
    if not _conflict_calls(context):
        return []
    client = context.tools.kaltura
    return [
        partial(everything, client.list_briefly_on_resource, resource_id, *span(context)),
        partial(client.get_conflicts, [resource_id], _span_candidate(context), kind="blackout"),
    ]


@outcome()
def _check_conflicts(context: Ctx, call: Call) -> Outcome:
    """Done, or Failed with each conflict: with a booking on the resource, or with a blackout, which is on none."""
    if call.key == "skip":
        return _leave_out(context)
    if call.key != "resource":  # an older version asked for the blackouts of each event
        return refusal(context, find_conflicts(wanted(context), _blackouts(context))) or Done()
    pairs = list[dict[str, Any]]()
    for resource_id in event_resources(context):
        pairs += find_conflicts(wanted(context, resource_id), _there(context, resource_id))
    return refusal(context, pairs) or Done()


def _there(context: Ctx, resource_id: int) -> list[Booked]:
    """What is on the resource while the chain's sessions there are to be."""
    during = span(context, resource_id)
    return bookings_on(context.tools.database, context.tools.kaltura, resource_id, during, but=party_members(context))


def _blackouts(context: Ctx) -> list[Booked]:
    met = context.tools.kaltura.get_conflicts([chain_resource(context)], _span_candidate(context), kind="blackout")
    return [booked(event) for event in met]


def _leave_out(context: Ctx) -> Outcome:
    """`{"left_out": {occurrence id: what is in its way, in words}}`; a refusal if nothing would be left, or if one of
    those is met that may not be left out.

    A change is refused only for what it would take away: what was not there before, stays so.
    """
    blackouts, out = _blackouts(context), dict[str, dict[str, Any]]()
    for resource_id in event_resources(context):
        out |= met_occurrences(context, resource_id, [*_there(context, resource_id), *blackouts])
    to_be_held = [] if skips(context) else [pair for one, pair in out.items() if one not in may_stay_out(context)]
    if to_be_held:
        return refusal(context, to_be_held) or Done()
    every = {occurrence_id for *_, occurrence_id in wanted_occurrences(context)}
    if out.keys() == every and not _may_be_empty(context, out):
        return refusal(context, list(out.values())) or Done()
    return Done({"left_out": in_words(context, out)})


def _may_be_empty(context: Ctx, out: Collection[str]) -> bool:
    if "state" not in context.results:
        return False
    return bool(context.result("state")["stays"]) or set(out) <= set(may_stay_out(context))


def met_occurrences(context: Ctx, resource_id: int, there: Iterable[Booked]) -> dict[str, dict[str, Any]]:
    """Those of the chain's sessions in a room that meet something: their ids, and each one's first conflict."""
    found = wanted_occurrences(context, resource_id)
    met = first_conflicts([(start, end) for start, end, _ in found], there)
    return {found[place][2]: pair for place, pair in met.items()}


def in_words(context: Ctx, out: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What is in the way of each session, as the recording's client may know it."""
    _read_again(context, out.values())
    with context.tools.database.read() as session:
        recording = session.get_one(Recording, context.subject)
        told = discreet(session, lambda other: other == recording.client, list(map(dict, out.values())))
    where = zone(recording.time_zone)
    return {one: in_the_way(pair, where) for one, pair in zip(out, told, strict=True)}


def _span_candidate(context: Ctx) -> kaltura.EventDraft:
    """A candidate as long as all occurrences together: one question finds all blackouts (docs/decisions/0025)."""
    start, end = span(context)
    return replace(draft(context, next(iter(planned(context)))), start=start, end=end, recurrence=None)


def bookings_on(
    database: Database,
    client: KalturaClient,
    resource_id: int,
    during: tuple[datetime, datetime],
    *,
    but: Collection[str],
    besides: Iterable[kaltura.Event] = (),
) -> list[Booked]:
    """What is booked on the resource between two instants: Lectern's own by SQL, others' by Kaltura's list.

    `but`: ids of recordings to leave out. `besides`: events to add, such as blackouts. Raises KalturaError.
    """
    listed = everything(client.list_events_on_resource, resource_id, *during)
    with database.read() as session:
        known = known_bookings(session, resource_id, *during, but=but)
    own = [one for one in known if one.source == "lectern"]
    # Those of others are in Kaltura, or are no more; its list may leave some out.
    theirs = {one.event_id for one in known if one.event_id and one.source != "lectern"}
    left_out = theirs - {event.id for event in listed}
    unlisted = still_there(client, resource_id, sorted(left_out), utc_now())[0] if left_out else []
    events = {event.id: event for event in (*listed, *unlisted, *besides)}
    told = {one.event_id for one in own}
    return [*own, *_of_others(database, (event for event in events.values() if event.id not in told), but)]


def refusal(context: Ctx, pairs: Sequence[dict[str, Any]]) -> Failed | None:
    """A Failed that tells of the conflicts, without naming other clients' recordings; None without conflicts."""
    if not pairs:
        return None
    _read_again(context, pairs)
    with context.tools.database.read() as session:
        client = session.get_one(Recording, context.subject).client
        return conflict(discreet(session, lambda other: other == client, pairs))


def _read_again(context: Ctx, pairs: Iterable[Mapping[str, Any]]) -> None:
    """What others have in Kaltura may not be in SQL yet, where plans and polls would miss it."""
    if any(pair["booked"]["source"] != "lectern" for pair in pairs):
        with context.tools.database.write() as session:
            read_again(session, {chain_resource(context), *event_resources(context)})


def others(context: Ctx, events: Iterable[kaltura.Event]) -> Sequence[Booked]:
    """Kaltura's events but for those of `party_members`."""
    return _of_others(context.tools.database, events, party_members(context))


def _of_others(database: Database, events: Iterable[kaltura.Event], but: Collection[str]) -> Sequence[Booked]:
    """Kaltura's events, but for these recordings'; Lectern's own at the times that they really have."""
    return at_their_times(database, [one for one in map(booked, events) if one.recording_id not in but])


CONFLICTS = Step(
    "conflicts",
    _conflict_calls,
    _check_conflicts,
    lanes=lanes,
    # What was left out stays so; each link looks again.
    redo_after_stepping_aside=lambda context: not leaves_out(context),
    independent=every,
    prefetch=lambda context: [*newest_question(context), *category_questions(context)],
)
