"""The sweep: looks once more, some minutes later, for what a chain may have made without ever seeing it.

A chain that gets no answer looks twice and sends again. An index that lags longer than that, or a search engine that
was away while Kaltura committed (#640 to #655), leaves a second object behind. It carries Lectern's own `referenceId`,
and nothing without exactly that is ever removed. What the index never saw is found by id: `idIn` reads the database.
"""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlmodel import col

from app.chains.steps import Call, Done, Outcome, Step
from app.kaltura.types import OCCURRENCE
from app.recordings import own
from app.recordings.models import ScheduleEvent
from app.recordings.outcomes import GONE, outcome
from app.recordings.work import Ctx, Tools
from app.resources.references import reference

MOST = 5_000  # ids that are looked through
PAGE = 500
LONGEST = 1_000  # occurrences of a series


def _look_calls(context: Ctx) -> list[Call]:
    return [
        Call(f"{kind}:{number}", {"reference_id": reference(context.input["subject"], number)})
        for step, kind in (("template_entry", "entry"), ("events", "event"))
        for number in context.input["unsure"].get(step, ())
    ]


@outcome()
def _look(context: Ctx, call: Call) -> Outcome:
    """The ids of second objects; none is the rule."""
    client, reference_id = context.tools.kaltura, call.request["reference_id"]
    kind, _, number = call.key.partition(":")
    step = "template_entry" if kind == "entry" else "events"
    kept = context.input["results"].get(step, {}).get(number)
    if kind == "entry":
        return Done([entry.id for entry in client.find_entries(reference_id) if entry.id != kept])
    found = {event.id for event in client.find_events(reference_id)}
    ids = _unseen(context, kept)
    for first in range(0, len(ids), PAGE):
        found |= {
            event.id
            for event in client.list_events(ids[first : first + PAGE])
            if event.reference_id == reference_id and event.recurrence_type != OCCURRENCE
        }
    return Done(sorted(found - {kept}))


def _unseen(context: Ctx, kept: int | None) -> Sequence[int]:
    """Where a lost event's id must lie: after the newest event known before the chain, up to the one it adopted."""
    mine = col(ScheduleEvent.recording_id) == context.input["subject"]
    earlier = select(func.max(col(ScheduleEvent.event_id))).where(~mine)
    with context.tools.database.read() as session:
        if kept is not None:
            earlier = earlier.where(col(ScheduleEvent.event_id) < kept)
        newest = session.execute(earlier).scalar_one() or 0
    if kept is None:
        return range(newest + 1, newest + 1 + MOST) if newest else ()
    return range(max(newest + 1, kept - MOST), kept)


def _remove_calls(context: Ctx) -> list[Call]:
    return [
        Call(f"{key.partition(':')[0]}:{found}", {"id": found})
        for key, ids in context.results["look"].items()
        for found in ids
    ]


@outcome(*GONE)
def _remove(context: Ctx, call: Call) -> Outcome:
    found = call.request["id"]
    if call.key.startswith("entry:"):
        own.delete_entry(context, found)
    else:
        own.delete_whole(context, found, range(found + 1, found + 1 + LONGEST))  # its occurrences follow it (#218)
    return Done()


SWEEP: Sequence[Step[Tools]] = (
    Step("look", _look_calls, _look),
    Step("remove", _remove_calls, _remove, check=own.check),
)
