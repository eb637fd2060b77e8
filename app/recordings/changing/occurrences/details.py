"""What single occurrences have of their own in Kaltura: a title, and an end that was moved while they ran.

Each is an update of the occurrence's own event, and of no other. The step `details` gives an own title to every event
that is made for the occurrence, and makes the change that was asked for; that is taken back if the chain is undone.

Whenever a series is updated, Kaltura makes those of its occurrences anew that are not where the series has them: one
that was stopped or extended gets its old end back, the title of the series, and another id (exchanges 436 to 440). So
whoever updates a series calls `set_again` afterwards. All others keep their titles.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select, update
from sqlmodel import Session, col

from app.chains.steps import Call, Done, Failed, Outcome, Step, every
from app.database.types import utc_now
from app.kaltura.types import EventDraft, TimedEvent
from app.recordings.document.fields import OnConflict
from app.recordings.scheduling import own
from app.recordings.scheduling.conflicts import bookings_on, refusal
from app.recordings.scheduling.context import Ctx, Tools, chain_resource, instant, wanted_occurrences
from app.recordings.scheduling.outcomes import GONE, NOT_OURS, outcome
from app.recordings.scheduling.save_results import in_kaltura
from app.recurrence.server import as_sent
from app.resources.conflicts import find_conflicts
from app.resources.models import Occurrence, OccurrenceStatus


def _calls(context: Ctx) -> list[Call]:
    """For each event its `event_id` and what it is to have: `title` (None: its series'), or `start` and `end`; and
    what it had (`was`), where that is to be taken back."""
    change, places, state = context.input["change"], in_kaltura(context), context.result("state")
    titles = {row["id"]: row["title"] for row in state["rows"] if row.get("title")}
    made = [
        {"event_id": places[one]["event_id"], "title": titles[one]}
        for *_, one in wanted_occurrences(context)
        if one in titles
    ]
    there = {
        one["id"]: one
        for event in state["old"]
        for one in event["sessions"]
        if one["status"] == OccurrenceStatus.SCHEDULED and one["event_id"] and one["id"] not in places
    }
    mended = [_as_it_is(there[one]) for one in change.get("touched", ()) if one in there]
    asked = change.get("occurrence", {})
    changed = [there[asked["id"]]["event_id"]] if asked.get("details") and asked["id"] in there else []
    requests = [*made, *mended, *({"event_id": event_id, **asked["details"]} for event_id in changed)]
    return [Call(str(request["event_id"]), request) for request in requests]


def _as_it_is(one: Mapping[str, Any]) -> dict[str, Any]:
    """What SQL says of an occurrence, to be sent."""
    title = {"title": one["title"]} if one.get("title") else {}
    return {"event_id": one["event_id"], **title, "start": one["start"], "end": one["end"]}


@outcome(*GONE)
def _send(context: Ctx, call: Call) -> Outcome:
    refused = _in_the_way(context, call)
    if refused:
        return refused
    _set(context, call.request["event_id"], call.request)
    return Done()


@outcome(*GONE, NOT_OURS)
def _set_back(context: Ctx, call: Call, _made: None) -> Outcome:
    if "was" in call.request:
        _set(context, call.request["event_id"], call.request["was"])
    return Done()


def _set(context: Ctx, event_id: int, said: Mapping[str, Any]) -> None:
    changes: dict[str, object] = {"objectType": "KalturaRecordScheduleEvent"}
    if "title" in said:
        changes |= _title(context, event_id, said["title"])
    if "end" in said:
        start, end = as_sent(instant(said["start"]), instant(said["end"]), context.tools.server_zone)
        changes |= {"startDate": int(start.timestamp()), "endDate": int(end.timestamp())}
    own.update_event(context, event_id, changes)


def _title(context: Ctx, event_id: int, title: str | None) -> dict[str, object]:
    """An occurrence without a title of its own shows its series'; a single event has no series."""
    if title is None and not any(event["event_id"] == event_id for event in context.result("state")["old"]):
        return {"summary__null": ""}
    return {"summary": title or context.input["event"]["summary"]}


def _in_the_way(context: Ctx, call: Call) -> Failed | None:
    """What an extension would meet. Kaltura does not look by itself: an occurrence's update is never checked."""
    asked, was = call.request, call.request.get("was", {})
    if asked.get("end", 0) <= was.get("end", asked.get("end", 0)) or context.input["on_conflict"] == OnConflict.ALLOW:
        return None
    span, where, client = (instant(was["end"]), instant(asked["end"])), chain_resource(context), context.tools.kaltura
    candidate = EventDraft(**context.input["event"], start=span[0], end=span[1], reference_id="")
    met = client.get_conflicts([where], candidate, asked["event_id"], kind="both")
    there = bookings_on(context.tools.database, client, where, span, but=[context.subject], besides=met)
    return refusal(context, find_conflicts([span], there))


def set_again(context: Ctx, event: Mapping[str, Any], children: Sequence[TimedEvent] | None = None) -> None:
    """Sets what the update of a series has taken from occurrences that were stopped or extended: end, title, and their
    ids in SQL. `event` is one of `old` in the result of `state`; `children` are its occurrences, if they are known.

    Harmless to repeat.
    """
    ended = [
        one
        for one in event["sessions"]
        if one.get("planned_end") is not None and one["status"] == OccurrenceStatus.SCHEDULED
    ]
    if not ended or event["kind"] != "series":
        return
    children = own.children(context, event["event_id"]) if children is None else children
    by_start = {int(child.start.timestamp()): child for child in children if child.active}
    ids = dict[str, int]()
    for one in ended:
        start, end = as_sent(instant(one["start"]), instant(one["end"]), context.tools.server_zone)
        child = by_start.get(int(start.timestamp()))
        if child is None:
            continue
        if child.end != end or (one.get("title") and child.summary != one["title"]):
            _set(context, child.id, _as_it_is(one))
        if child.id != one["event_id"]:
            ids[one["id"]] = child.id
    if ids:
        with context.tools.database.write() as session:
            for occurrence_id, event_id in ids.items():
                session.execute(update(Occurrence).where(col(Occurrence.id) == occurrence_id).values(event_id=event_id))


def begun_of(session: Session, occurrence_ids: Sequence[str]) -> set[str]:
    """Those of the sessions that have begun: what they have of their own is set again where they are."""
    begun = (col(Occurrence.id).in_(occurrence_ids), col(Occurrence.start) <= utc_now())
    return set(session.execute(select(col(Occurrence.id)).where(*begun)).scalars())


def with_details(session: Session, occurrence_ids: Collection[str]) -> set[str]:
    """Those that have a title of their own, or an end."""
    own = (
        col(Occurrence.id).in_(occurrence_ids),
        or_(col(Occurrence.title).is_not(None), col(Occurrence.planned_end).is_not(None)),
    )
    return set(session.execute(select(col(Occurrence.id)).where(*own)).scalars())


DETAILS: Step[Tools] = Step("details", _calls, _send, undo=_set_back, check=own.check, independent=every)
