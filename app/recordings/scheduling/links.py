"""The step that puts a recording's events on their resource, and looks whether the resource's list shows all their
occurrences.

    link each event ─▶ look at the list ─┬─ all are there ──▶ done
                            ▲            └─ some stay away ─▶ unlink their events and link them again ─┐
                            └────────────────────────── three times, then it fails ────────────────────┘

Kaltura may put an event on a resource by halves: its search engine then never lists the rest of its occurrences there,
and no conflict is found with them. No change of event or link heals that, and ALREADY_EXISTS is no proof of the
contrary; but deleting the link and adding it again does.

Links need no `referenceId`: what these calls do is harmless to repeat, from the beginning.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from app.chains.steps import Act, Call, Done, Failed, Outcome, Retry, Step
from app.kaltura.types import Event, EventDraft
from app.recordings.document.fields import OnConflict
from app.recordings.scheduling import own
from app.recordings.scheduling.conflicts import in_words, met_occurrences, others, refusal
from app.recordings.scheduling.context import (
    Ctx,
    chain_resource,
    event_resource,
    instant,
    leaves_out,
    may_stay_out,
    planned,
    shown,
    skips,
    wanted_occurrences,
)
from app.recordings.scheduling.events import draft
from app.recordings.scheduling.outcomes import outcome
from app.resources.conflicts import Booked, find_conflicts
from app.resources.whole_list import everything

LINKED = {"SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS"}
AGAIN = 3  # times that an event is linked again
# The index may lag. So often is looked again before an event is linked again; it is no failure before so many seconds.
LOOKS, INDEX_LAG = 3, 60.0
TAKEN_THEN = "in the way: another booking, when this session was to be put on its resource"


class Expected(NamedTuple):
    """An occurrence that the list of its resource must show: by the event that is linked there."""

    linked: int
    start: int
    end: int
    resource_id: int


def _link_calls(context: Ctx) -> list[Call]:
    """`<event's number>`: link it. `listed:<n>`: look, after linking it n times again. `again:<n>`: link it again."""
    links = [
        Call(number, {"event_id": event_id, "resource_id": event_resource(context, number)})
        for number, event_id in context.results["events"].items()
    ]
    if not _expected(context):
        return links
    more = [Call(f"{verb}:{number}") for number in range(1, AGAIN + 1) for verb in ("again", "listed")]
    return [*links, Call("listed:0"), *more]


@outcome(*LINKED)
def _send(context: Ctx, call: Call) -> Outcome:
    verb, _, number = call.key.partition(":")
    if verb == "listed":
        return _look(context, int(number))
    if verb == "again":
        return _link_again(context, int(number))
    return _link(context, call.request["event_id"])


def _link(context: Ctx, event_id: int, *, again: bool = False) -> Outcome:
    """Asks for conflicts once more and links: asking reserves the resource for five seconds (exchanges 365 to 376)."""
    client, resource_id, out = context.tools.kaltura, _resource_linked_to(context, event_id), dict[str, str]()
    number = next((one for one, made in context.results["events"].items() if made == event_id), None)
    if context.input["on_conflict"] != OnConflict.ALLOW:
        met = others(context, _conflicts(context, number, event_id, linked=again))
        if number and leaves_out(context):
            out = _leave_out(context, number, met)
        if met and (refused := refusal(context, find_conflicts(_linked_times(context, resource_id, but=out), met))):
            return refused
    if again:
        own.remove_link(context, event_id, resource_id)
    client.add_link(event_id, resource_id)
    return Done({"left_out": out} if out else None)


def _leave_out(context: Ctx, number: str, met: Sequence[Booked]) -> dict[str, str]:
    """Cancels those of an event's sessions that meet something by now, were free when it was made, and may be left out.
    None, if that would be all of them: an event is not left without a session.

    What an earlier try has cancelled is left out too, also if nothing is in its way any more.
    """
    event_id, where = context.results["events"][number], event_resource(context, number)
    carried = {
        occurrence_id: child
        for (child, *_), (*_, occurrence_id, is_wanted) in zip(
            context.results["occurrences"][number], planned(context)[number]["occurrences"], strict=True
        )
        if is_wanted
    }
    may_be_out = carried if skips(context) else carried.keys() & set(may_stay_out(context))
    out = {one: pair for one, pair in met_occurrences(context, where, met).items() if one in may_be_out}
    if len(carried) == 1:
        return {}
    children = own.children(context, event_id) if planned(context)[number]["kind"] == "series" else []
    gone = {child.id for child in children if not child.active}
    before = {one: TAKEN_THEN for one in may_be_out if carried[one] in gone}
    if len(out.keys() | before.keys()) == len(carried):
        return {}
    for one in out:
        own.cancel_event(context, carried[one])
    return before | in_words(context, out)


def _conflicts(context: Ctx, number: str | None, event_id: int | None, *, linked: bool = False) -> list[Event]:
    """What meets an event, by its number if this chain makes it, whether it is made already or not.

    What this very run has made is not linked yet, and is no conflict of itself: its id need not be known.
    """
    if number:
        where, candidate = event_resource(context, number), draft(context, number)
    else:
        where, candidate = _resource_linked_to(context, event_id), _candidate(context, event_id)
    is_new = not linked and (event_id is None or ("events", number) in context.done_in_this_run)
    return context.tools.kaltura.get_conflicts([where], candidate, None if is_new else event_id, kind="both")


def link_questions(context: Ctx) -> list[Act]:
    """What is going to be asked right before the links. It may be asked before the events are made."""
    if context.input["on_conflict"] == OnConflict.ALLOW:
        return []
    made = context.results.get("events", {})
    return [partial(_conflicts, context, number, made.get(number)) for number in planned(context)]


def _look(context: Ctx, number: int) -> Outcome:
    """The ids of the events that are to be linked again, since the list leaves out occurrences of them for long."""
    if number and not context.results["links"][f"listed:{number - 1}"]:
        return Done([])
    expected = _expected(context)
    missing = _missing(context, expected)
    if not missing:
        return Done([])
    found = f"Kaltura lists {len(expected) - len(missing)} of {len(expected)} sessions on the resource"
    if context.failures < LOOKS:
        return Retry(f"{found}; its index may lag.")
    if number < AGAIN:
        return Done(sorted({expected[event.id].linked for event in missing}))
    if context.step_seconds < INDEX_LAG:
        return Retry(f"{found}, though they were linked again.")
    return Failed(
        {
            "code": "schedule_differs",
            "detail": f"{found}, though they were linked {AGAIN} times again.",
            "missing": [[shown(int(time.timestamp())) for time in (event.start, event.end)] for event in missing],
        }
    )


def _link_again(context: Ctx, number: int) -> Outcome:
    out = dict[str, str]()
    for event_id in context.results["links"][f"listed:{number - 1}"]:
        linked = _link(context, event_id, again=True)
        if not isinstance(linked, Done):
            return linked
        out |= (linked.result or {}).get("left_out", {})
    return Done({"left_out": out} if out else None)


def _missing(context: Ctx, expected: Mapping[int, Expected]) -> list[Event]:
    """The occurrences, by start, that stand in Kaltura's database and are left out by their resource's list."""
    client, missing = context.tools.kaltura, list[Event]()
    for where, (first, last) in _spans(expected).items():
        listed = {event.id for event in everything(client.list_briefly_on_resource, where, first, last)}
        left_out = [
            event_id for event_id, one in expected.items() if one.resource_id == where and event_id not in listed
        ]
        # What somebody has cancelled or moved away meanwhile, the list rightly leaves out.
        missing += [
            event
            for event in client.list_events(left_out)
            if event.active and event.start <= last and event.end >= first
        ]
    return sorted(missing, key=lambda event: event.start)


def _spans(expected: Mapping[int, Expected]) -> dict[int, tuple[datetime, datetime]]:
    """From the first to the last occurrence that each resource's list must show."""
    times: dict[int, list[int]] = {}
    for one in expected.values():
        times.setdefault(one.resource_id, []).extend((one.start, one.end))
    return {where: (instant(min(found)), instant(max(found))) for where, found in sorted(times.items())}


def _list_question(context: Ctx) -> list[Act]:
    look = context.tools.kaltura.list_briefly_on_resource
    return [partial(everything, look, where, *span) for where, span in _spans(_expected(context)).items()]


def _expected(context: Ctx) -> dict[int, Expected]:
    """What the resources' lists must show, by the occurrence's event id."""
    made = dict[int, Expected]()
    for number, occurrences in context.results.get("occurrences", {}).items():
        linked, where = context.results["events"][number], event_resource(context, number)
        for (event_id, start, end), (*_, is_wanted) in zip(
            occurrences, planned(context)[number]["occurrences"], strict=True
        ):
            if is_wanted:
                made[event_id] = Expected(linked, start, end, where)
    return made | _unlisted(context)


def _unlisted(context: Ctx) -> dict[int, Expected]:
    """The same of occurrences that stay as they are, and were found to be left out by the list (drift)."""
    named = set(context.input.get("change", {}).get("unlisted", ()))
    if not named:
        return {}
    state, here = context.result("state"), chain_resource(context)
    stays = here == context.input["resource_id"]
    return {
        one["event_id"]: Expected(event["event_id"], one["start"], one["end"], one.get("room") or here)
        for event in state["old"]
        for one in event["sessions"]
        if one["id"] in named - set(state["left"]) and (stays or one.get("room"))
    }


def _resource_linked_to(context: Ctx, event_id: int | None) -> int:
    made = (event_resource(context, number) for number, one in context.results["events"].items() if one == event_id)
    return next(made, None) or next(one.resource_id for one in _unlisted(context).values() if one.linked == event_id)


def _linked_times(context: Ctx, resource_id: int, *, but: Collection[str]) -> list[tuple[datetime, datetime]]:
    """Start and end of all that are linked there, sorted, but for these sessions.

    Kaltura's conflicts on excluded days are none: nothing is recorded then.
    """
    made = [(start, end) for start, end, one in wanted_occurrences(context, resource_id) if one not in but]
    stay = [one for one in _unlisted(context).values() if one.resource_id == resource_id]
    return sorted([*made, *((instant(one.start), instant(one.end)) for one in stay)])


def _candidate(context: Ctx, event_id: int | None) -> EventDraft:
    """An event that stays, as Kaltura is asked for its conflicts."""
    old = next(event for event in context.result("state")["old"] if event["event_id"] == event_id)
    start, end = min((one.start, one.end) for one in _unlisted(context).values() if one.linked == event_id)
    return EventDraft(
        **context.input["event"],
        start=instant(start),
        end=instant(end),
        recurrence=old["recurrence"],
        reference_id="",  # nothing is made of it
    )


# Nothing to undo: a link goes with its event (exchanges 473, 499).
LINKS = Step("links", _link_calls, _send, check=own.check, independent=str.isdecimal, prefetch_after=_list_question)
