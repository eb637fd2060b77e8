"""The sweep: looks once more, some minutes later, for what a chain may have made without ever seeing it.

A chain that gets no answer looks twice and sends again. An index that lags longer than that, or a search engine that
was away while Kaltura committed (exchanges 640 to 655), leaves a second object behind. It carries Lectern's own
`referenceId`, and nothing without exactly that is ever removed. What the index never saw is found by id: `idIn` reads
the database. Many ids are looked through in several calls, so that trouble on the way does not begin them anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.chains.steps import Call, Done, Outcome, Step, every
from app.recordings.scheduling import own
from app.recordings.scheduling.context import Ctx, Tools, newest
from app.recordings.scheduling.events import look_for_newest, unseen
from app.recordings.scheduling.outcomes import GONE, outcome
from app.resources.references import reference

MANY = 5_000  # ids that one call looks through
MOST = 50_000  # ids that are looked through for one event
LONGEST = 1_000  # occurrences of a series
KINDS = {"template_entry": "entry", "events": "event"}  # by step


# look


def _look_calls(context: Ctx) -> list[Call]:
    """Of each sending that had no answer: one by reference, and for an event those that look through ids."""
    calls = dict[str, Mapping[str, Any]]()
    for step, kind in KINDS.items():
        for number, request in _sendings(context, step):
            named = {"reference_id": request["reference_id"]}
            calls[f"{kind}:{number}:{named['reference_id']}"] = named
            where = _where(context, number, request.get("after")) if kind == "event" else range(0)
            for first in range(where.start, where.stop, MANY):
                until = min(first + MANY, where.stop)
                calls[f"{kind}:{number}:{named['reference_id']}:{first}"] = {**named, "from": first, "until": until}
    return [Call(key, request) for key, request in calls.items()]


def _sendings(context: Ctx, step: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each with its number. A sweep that an older version planned knows the number alone."""
    for one in context.input["unsure"].get(step, ()):
        if isinstance(one, str):
            yield one, {"reference_id": reference(context.input["subject"], one)}
        else:
            yield one["key"], one["request"]


def _where(context: Ctx, number: str, after: int | None) -> range:
    """The ids that a lost event may have: above those that were there before it was sent, and below the one that was
    made in its place. If there is none, up to what there is now and some more: the newest of all may be the lost one.
    """
    kept = _kept(context, "event", number)
    until = kept or max(after or 0, newest(context)) + 1 + MANY
    if after is None:  # sent by an older version, which did not look
        return range(max(1, until - MANY), until) if kept else range(0)
    return range(max(after + 1, until - MOST), until)


def _kept(context: Ctx, kind: str, number: str) -> Any:
    """The id of what the chain has in the end; None if it was undone."""
    step = next(step for step, one in KINDS.items() if one == kind)
    return context.input["results"].get(step, {}).get(number)


@outcome()
def _look(context: Ctx, call: Call) -> Outcome:
    """The ids of second objects; none is the rule."""
    client, request = context.tools.kaltura, call.request
    kind, number, *_ = call.key.split(":")
    found: set[Any]
    if kind == "entry":
        found = {entry.id for entry in client.find_entries(request["reference_id"])}
    elif "from" in request:
        found = set(unseen(client, request["reference_id"], range(request["from"], request["until"])))
    else:
        found = {event.id for event in client.find_events(request["reference_id"])}
    return Done(sorted(found - {_kept(context, kind, number)}))


# remove


def _remove_calls(context: Ctx) -> list[Call]:
    found = {(key.partition(":")[0], one): None for key, ids in context.results["look"].items() for one in ids}
    return [Call(f"{kind}:{one}", {"id": one}) for kind, one in found]


@outcome(*GONE)
def _remove(context: Ctx, call: Call) -> Outcome:
    found = call.request["id"]
    if call.key.startswith("entry:"):
        own.delete_entry(context, found)
    else:
        # Its occurrences follow it (exchange 218).
        own.delete_whole(context, found, range(found + 1, found + 1 + LONGEST))
    return Done()


SWEEP: Sequence[Step[Tools]] = (
    Step("newest", lambda _context: [Call("newest")], look_for_newest),
    Step("look", _look_calls, _look, independent=every),
    Step("remove", _remove_calls, _remove, check=own.check, independent=every),
)
