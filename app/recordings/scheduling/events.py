"""The steps that make a recording's schedule events, and read back what Kaltura generated of each.

An event carries Lectern's own `referenceId` (app/resources/references.py), by which it is looked up when the outcome
of making it is unknown. The index may never have seen it, if the search engine was away: then it is looked for by id,
from the newest that there was before it was first sent, for `idIn` reads the database.

Kaltura may have been stopped half-way: it has made some occurrences of a series and not the others, or has told its
index of some. That never heals by itself, so such an event is deleted and made anew.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from app.chains.steps import Act, Again, Call, Done, Failed, Outcome, Retry, Step, every
from app.database.many_rows import portions
from app.kaltura import types as kaltura
from app.kaltura.calls import PAGE_SIZE
from app.kaltura.client import KalturaClient
from app.recordings.scheduling import own
from app.recordings.scheduling.context import Ctx, Tools, generated, instant, newest, planned, shown, template_entry
from app.recordings.scheduling.outcomes import GONE, NOT_OURS, outcome
from app.recordings.scheduling.save_results import save_events
from app.recordings.scheduling.template_entry import category_questions
from app.resources.references import reference, token_of

# Kaltura's index may show fewer occurrences than it has made for so many seconds, in which it has answered so often:
# the time may have gone by without an answer. Its database shows all that it has made within so many answers.
INDEX_LAG, LOOKS = 60.0, 5
LOOK_EVERY = 3.0  # seconds, at the least
ANEW = 3  # times that an event is made anew
NEAR = 1_000  # ids that are looked through for an event that may just have been made
OTHERS = 500  # ids that others' events may have taken while Kaltura made the occurrences of a series


# newest


def _newest_calls(context: Ctx) -> list[Call]:
    return [Call("newest")] if planned(context) else []


def newest_question(context: Ctx) -> list[Act]:
    """What the step `newest` will ask: for a step before it to ask ahead."""
    return [context.tools.kaltura.newest_event_id] if planned(context) else []


@outcome()
def look_for_newest(context: Ctx, _call: Call) -> Outcome:
    """`{"event_id"}` of Kaltura's newest event; what this chain makes has a higher id."""
    return Done({"event_id": context.tools.kaltura.newest_event_id()})


# events


def _event_calls(context: Ctx) -> list[Call]:
    """`after`: what this chain makes has a higher id. Chains of older versions do not know it."""
    after = {"after": newest(context)} if context.results.get("newest") else {}
    return [Call(number, {"reference_id": _reference(context, number), **after}) for number in planned(context)]


def _reference(context: Ctx, number: str) -> str:
    return reference(context.subject, number, token_of(context.chain_id, context.again.get(("events", number), 0)))


def draft(context: Ctx, number: str) -> kaltura.EventDraft:
    """A planned event as it is sent to Kaltura."""
    event = planned(context)[number]
    return kaltura.EventDraft(
        **context.input["event"],
        start=instant(event["start"]),
        end=instant(event["end"]),
        recurrence=event["recurrence"],
        reference_id=_reference(context, number),
        template_entry_id=template_entry(context),
    )


@outcome()
def _make_event(context: Ctx, call: Call) -> Outcome:
    made = replace(draft(context, call.key), reference_id=call.request["reference_id"])
    return Done(context.tools.kaltura.add_event(made).id)


@outcome()
def _find_event(context: Ctx, call: Call) -> Outcome | None:
    client, reference_id, after = context.tools.kaltura, call.request["reference_id"], call.request.get("after")
    found = next((event.id for event in client.find_events(reference_id)), None)
    if found is None and after is not None:
        found = next(unseen(client, reference_id, range(after + 1, after + 1 + NEAR)), None)
    return None if found is None else Done(found)


def unseen(client: KalturaClient, reference_id: str, ids: range) -> Iterator[int]:
    """The ids of active events with exactly this reference among `ids`, also of those that the index never saw."""
    for some in portions(ids, PAGE_SIZE):
        for event in client.list_events(some):
            if event.reference_id == reference_id and event.active and event.recurrence_type != kaltura.OCCURRENCE:
                yield event.id


def questions_by_time(context: Ctx) -> list[Act]:
    """What `occurrences` will ask about events of one occurrence each: it can be asked before their ids are known."""
    client = context.tools.kaltura
    return [
        partial(client.newest_occurrences_at, instant(event["start"]))
        if event["kind"] == "series"
        else partial(client.find_events, _reference(context, number))
        for number, event in planned(context).items()
    ]


@outcome(*GONE, NOT_OURS)
def _delete_event(context: Ctx, call: Call, made: int) -> Outcome:
    read_back = context.results.get("occurrences", {}).get(call.key)
    ids = [event_id for event_id, *_ in read_back] if read_back else _following(made, planned(context)[call.key])
    own.delete_whole(context, made, ids)
    return Done()


def _following(event_id: int, event: Mapping[str, Any]) -> range:
    """Where the ids of a series' occurrences are: they follow its own (exchange 218)."""
    return range(event_id + 1, event_id + 1 + len(event["occurrences"]) + OTHERS)


# occurrences


def _each_event(context: Ctx) -> list[Call]:
    return [Call(key, {"event_id": event_id}) for key, event_id in context.results["events"].items()]


@outcome()
def _read_back(context: Ctx, call: Call) -> Outcome:
    """Kaltura's own occurrences, as `[[event id, start, end], …]`, which must be exactly those that were planned."""
    event, event_id = planned(context)[call.key], call.request["event_id"]
    expected = generated(event)
    indexed = _indexed(context.tools.kaltura, event, event_id, _reference(context, call.key))
    found = _rows(indexed)
    if _times(found) == expected:
        return Done(found)
    there = _rows([*indexed, *_stored(context.tools.kaltura, event, event_id)])
    if Counter(_times(there)) - Counter(expected):
        return _differs(expected, there)
    is_whole = len(there) == len(expected)
    looks = 1 + (call.note["looks"] if call.note and call.note["there"] == len(there) else 0)
    part = f"Kaltura shows {len(found)} of {len(expected)} occurrences, and has made {len(there)} of them."
    if looks < LOOKS or (is_whole and context.step_seconds < INDEX_LAG):
        return Retry(part, LOOK_EVERY, note={"there": len(there), "looks": looks})
    if context.again.get(("events", call.key), 0) < ANEW:
        return Again("events", call.key, part)
    return _differs(expected, found)


def _indexed(
    client: KalturaClient, event: Mapping[str, Any], event_id: int, reference_id: str
) -> Sequence[kaltura.TimedEvent]:
    """The series' occurrences as the index knows them, which is what lists of a resource can show."""
    if event["kind"] == "series":
        asked_ahead = client.newest_occurrences_at(instant(event["start"])) if len(event["occurrences"]) == 1 else []
        found = [one for one in asked_ahead if one.parent_id == event_id]
        return found or client.list_children(event_id)
    found = [one for one in client.find_events(reference_id) if one.id == event_id]
    if found:
        return found
    single = client.get_event(event_id)  # an older version may have given it another reference
    if single is None or not single.reference_id or single.reference_id == reference_id:
        return []
    return [one for one in client.find_events(single.reference_id) if one.id == event_id]


def _stored(client: KalturaClient, event: Mapping[str, Any], event_id: int) -> Sequence[kaltura.Event]:
    if event["kind"] != "series":
        return client.list_events([event_id])
    return [one for one in client.list_events(_following(event_id, event)) if one.parent_id == event_id]


def _rows(events: Sequence[kaltura.TimedEvent]) -> list[list[int]]:
    """`[[event id, start, end], …]` by start, each once."""
    rows = {event.id: [event.id, int(event.start.timestamp()), int(event.end.timestamp())] for event in events}
    return sorted(rows.values(), key=lambda row: (row[1], row[0]))


def _times(rows: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    return [(start, end) for _, start, end in rows]


def _differs(expected: Sequence[tuple[int, int]], got: Sequence[Sequence[int]]) -> Failed:
    return Failed(
        {
            "code": "schedule_differs",
            "detail": f"Kaltura made other occurrences ({len(got)}) than were asked for ({len(expected)}).",
            "wanted": [[shown(start), shown(end)] for start, end in expected],
            "got": [[shown(start), shown(end)] for start, end in _times(got)],
        }
    )


NEWEST: Step[Tools] = Step("newest", _newest_calls, look_for_newest, prefetch=category_questions)
EVENTS: Step[Tools] = Step(
    "events", _event_calls, _make_event, _find_event, _delete_event, save=save_events, independent=every
)
OCCURRENCES: Step[Tools] = Step("occurrences", _each_event, _read_back, independent=every)
