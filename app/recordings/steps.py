"""The steps that put a recording into Kaltura, in the order in which an encoder may see them.

    resource → conflicts → template_entry → events → occurrences → exclusions → links

Linking comes last: no encoder ever sees half a series or a holiday. What is sent was decided when the document was
accepted and is the chain's input (`ScheduleInput` in app/recordings/service.py); only ids are found out on the way.

Entry and events carry Lectern's own `referenceId`, `lectern-<recording id>-<n>` (0 the entry, events from 1 on), by
which they are looked up when the outcome of making them is unknown. Links and cancellations need none: they are sent
again, and Kaltura's ALREADY_EXISTS or INVALID_OBJECT_ID then means that they are done.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlmodel import Session, col

from app.chains.steps import Call, Context, Done, Failed, Outcome, Retry, Step
from app.db import Database, utc_now
from app.kaltura import types as kaltura
from app.kaltura.client import KalturaClient
from app.kaltura.errors import Refused
from app.recordings.models import Recording, ScheduleEvent
from app.recordings.outcomes import at, conflict, outcome
from app.resources.conflicts import Booked, find_conflicts, own_bookings
from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource

GONE = {"INVALID_OBJECT_ID", "ENTRY_ID_NOT_FOUND", "SCHEDULE_EVENT_ID_NOT_FOUND"}
LINKED = {"SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS"}
INDEX_LAG = 60.0  # seconds for which Kaltura's index may show fewer occurrences than it has made


@dataclass(frozen=True, slots=True)
class Tools:
    """What belongs to one worker thread."""

    kaltura: KalturaClient
    database: Database


Ctx = Context[Tools]


def reference(recording_id: str, number: int | str) -> str:
    return f"lectern-{recording_id}-{number}"


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# resource


@outcome()
def _find_or_make_resource(context: Ctx, call: Call) -> Outcome:
    """Harmless to repeat: a system name is taken once (#105), so what was made unseen is found the next time."""
    client, asked = context.tools.kaltura, call.request
    if "id" in asked:
        known = client.get_resource(asked["id"])
        found = [known] if known else []
    else:
        found = client.list_resources(system_name=asked["system_name"])
    if len(found) > 1:
        ids = ", ".join(str(resource.id) for resource in found)
        return at("ambiguous_resource", "/resource", f"Kaltura has several: {ids}. Name one by its id.")
    if not found and asked.get("kind") is None:
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


def _save_resource(session: Session, context: Ctx) -> None:
    found = context.result("resource")
    session.merge(Resource(**found, seen_at=utc_now()))
    session.execute(
        update(Recording)
        .where(col(Recording.id) == context.subject)
        .values(resource_id=found["id"], updated_at=utc_now())
    )
    session.execute(
        update(Occurrence).where(col(Occurrence.booking_id) == context.subject).values(resource_id=found["id"])
    )


# conflicts


def _wanted(context: Ctx) -> list[tuple[datetime, datetime]]:
    """What will be recorded, sorted: the sessions that are not excluded."""
    return sorted(
        (_instant(start), _instant(end))
        for event in context.input["events"]
        for start, end, excluded in event["occurrences"]
        if not excluded
    )


def _conflict_calls(context: Ctx) -> list[Call]:
    return [] if context.input["on_conflict"] == "allow" else [Call("list")]


@outcome()
def _check_conflicts(context: Ctx, _call: Call) -> Outcome:
    wanted, resource_id = _wanted(context), context.result("resource")["id"]
    first, last = wanted[0][0], max(end for _, end in wanted)
    events = context.tools.kaltura.list_events_on_resource(resource_id, first, last)
    with context.tools.database.read() as session:
        own = own_bookings(session, resource_id, first, last, but=context.subject)
    told = {booked.event_id for booked in own}
    theirs = [booked for event in events if (booked := _booked(event)).event_id not in told]
    return conflict(find_conflicts(wanted, [*own, *theirs])) or Done({"seen": len(events)})


def _booked(event: kaltura.Event) -> Booked:
    recording_id = recording_of(event.reference_id)
    source = "lectern" if recording_id else "kaltura"
    return Booked(event.start, event.end, event.summary, source, recording_id, event.id)


def recording_of(reference_id: str | None) -> str | None:
    """The recording that made a Kaltura object, by the object's `referenceId`; None for everyone else's."""
    prefix, _, rest = (reference_id or "").partition("-")
    recording_id, _, number = rest.rpartition("-")
    return recording_id if prefix == "lectern" and recording_id.startswith("rec_") and number.isdigit() else None


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


@outcome(*GONE)
def _delete_entry(context: Ctx, _call: Call, made: str) -> Outcome:
    context.tools.kaltura.delete_entry(made)
    return Done()


def _save_entry(session: Session, context: Ctx) -> None:
    for model in (Recording, Booking):
        session.execute(
            update(model)
            .where(col(model.id) == context.subject)
            .values(template_entry_id=context.result("template_entry"))
        )


# events


def _event_calls(context: Ctx) -> list[Call]:
    return [
        Call(str(number), {"reference_id": reference(context.subject, number)})
        for number in range(1, len(context.input["events"]) + 1)
    ]


def _draft(context: Ctx, key: str) -> kaltura.EventDraft:
    event = context.input["events"][int(key) - 1]
    return kaltura.EventDraft(
        **context.input["event"],
        start=_instant(event["start"]),
        end=_instant(event["end"]),
        recurrence=event["recurrence"],
        reference_id=reference(context.subject, key),
        template_entry_id=context.result("template_entry"),
    )


@outcome()
def _make_event(context: Ctx, call: Call) -> Outcome:
    return Done(context.tools.kaltura.add_event(_draft(context, call.key)).id)


@outcome()
def _find_event(context: Ctx, call: Call) -> Outcome | None:
    found = context.tools.kaltura.find_events(call.request["reference_id"])
    return Done(found[0].id) if found else None


@outcome(*GONE)
def _delete_event(context: Ctx, _call: Call, made: int) -> Outcome:
    context.tools.kaltura.delete_event(made)
    return Done()


def _save_events(session: Session, context: Ctx) -> None:
    session.add_all(
        ScheduleEvent(
            recording_id=context.subject,
            number=int(key),
            event_id=event_id,
            kind=context.input["events"][int(key) - 1]["kind"],
            occurrences=len(context.input["events"][int(key) - 1]["occurrences"]),
        )
        for key, event_id in context.results["events"].items()
    )


# occurrences


def _each_event(context: Ctx) -> list[Call]:
    return [Call(key, {"event_id": event_id}) for key, event_id in context.results["events"].items()]


@outcome()
def _read_back(context: Ctx, call: Call) -> Outcome:
    """Kaltura's own occurrences, as `[[event id, start, end], …]`, which must be exactly those that were planned."""
    planned = context.input["events"][int(call.key) - 1]
    event_id = call.request["event_id"]
    if planned["kind"] == "series":
        made = context.tools.kaltura.list_children(event_id)
    else:
        single = context.tools.kaltura.get_event(event_id)
        made = [single] if single else []
    got = [[event.id, int(event.start.timestamp()), int(event.end.timestamp())] for event in made]
    times = [(start, end) for _, start, end in got]
    wanted = [(start, end) for start, end, _ in planned["occurrences"]]
    if times == wanted:
        return Done(got)
    if set(times) < set(wanted) and context.step_seconds < INDEX_LAG:
        return Retry(f"Kaltura shows {len(times)} of {len(wanted)} occurrences; its index may lag", 3.0)
    return Failed(
        {
            "code": "schedule_differs",
            "detail": f"Kaltura made other occurrences ({len(times)}) than were asked for ({len(wanted)}).",
            "wanted": [[_shown(start), _shown(end)] for start, end in wanted],
            "got": [[_shown(start), _shown(end)] for start, end in times],
        }
    )


def _shown(seconds: int) -> str:
    return _instant(seconds).isoformat().replace("+00:00", "Z")


def _save_occurrences(session: Session, context: Ctx) -> None:
    rows = session.execute(select(Occurrence).where(col(Occurrence.booking_id) == context.subject)).scalars()
    by_start = {int(row.start.timestamp()): row for row in rows}
    for key, made in context.results["occurrences"].items():
        parent = context.results["events"][key]
        for event_id, start, _ in made:
            by_start[start].event_id = event_id
            by_start[start].series_id = parent if event_id != parent else None


# exclusions


def _exclusion_calls(context: Ctx) -> list[Call]:
    calls = []
    for key, made in context.results["occurrences"].items():
        planned = context.input["events"][int(key) - 1]["occurrences"]
        excluded = {start for start, _, is_excluded in planned if is_excluded}
        calls += [Call(str(event_id), {"event_id": event_id}) for event_id, start, _ in made if start in excluded]
    return calls


@outcome(*GONE)
def _cancel(context: Ctx, call: Call) -> Outcome:
    context.tools.kaltura.cancel_event(call.request["event_id"])
    return Done()


# links


def _link_calls(context: Ctx) -> list[Call]:
    resource_id = context.result("resource")["id"]
    return [
        Call(key, {"event_id": event_id, "resource_id": resource_id})
        for key, event_id in context.results["events"].items()
    ]


@outcome(*LINKED)
def _link(context: Ctx, call: Call) -> Outcome:
    """Asks for conflicts once more, which reserves the resource for this session for five seconds, and links."""
    client, event_id, resource_id = context.tools.kaltura, call.request["event_id"], call.request["resource_id"]
    if context.input["on_conflict"] != "allow":
        met = client.get_conflicts([resource_id], _draft(context, call.key), event_id)
        others = [booked for event in met if (booked := _booked(event)).recording_id != context.subject]
        # Kaltura's answers on excluded days are dropped: nothing is recorded then.
        refused = conflict(find_conflicts(_wanted(context), others))
        if refused:
            return refused
    client.add_link(event_id, resource_id)
    return Done()


@outcome(*GONE)
def _unlink(context: Ctx, call: Call, _made: None) -> Outcome:
    context.tools.kaltura.delete_link(call.request["event_id"], call.request["resource_id"])
    return Done()


def _save_links(session: Session, context: Ctx) -> None:
    session.execute(
        update(Occurrence)
        .where(col(Occurrence.booking_id) == context.subject, col(Occurrence.status) == OccurrenceStatus.PLANNED)
        .values(status=OccurrenceStatus.SCHEDULED)
    )


def _lane(context: Ctx) -> list[str]:
    return [f"resource:{context.result('resource')['id']:020d}"]


SCHEDULE: Sequence[Step[Tools]] = (
    Step("resource", lambda c: [Call("resource", c.input["resource"])], _find_or_make_resource, save=_save_resource),
    Step("conflicts", _conflict_calls, _check_conflicts, lanes=_lane),
    Step("template_entry", _entry_calls, _make_entry, _find_entry, _delete_entry, save=_save_entry),
    Step("events", _event_calls, _make_event, _find_event, _delete_event, save=_save_events),
    Step("occurrences", _each_event, _read_back, save=_save_occurrences),
    Step("exclusions", _exclusion_calls, _cancel),
    Step("links", _link_calls, _link, undo=_unlink, save=_save_links),
)
