"""schedule_scheduleEvent: add, get, list, update, cancel, delete, getConflicts."""

from typing import Any

from app.sandbox.actions.conflicts import get_conflicts
from app.sandbox.calls import FILTER_PAGER, Call, Parameter, action, optional
from app.sandbox.errors import KalturaError
from app.sandbox.profiles import PROFILE, profiled
from app.sandbox.schedule.events import (
    CHILD,
    PARENT,
    SINGLE,
    Body,
    children,
    listed,
    load,
    remove,
    remove_half,
    save,
    show,
    stored,
    unlink,
)
from app.sandbox.schedule.search import find
from app.sandbox.schedule.series import (
    as_stored,
    check_day,
    check_recurrence,
    check_slot,
    check_span,
    make_children,
    recurrence_body,
    regenerate,
    set_times,
    stored_span,
    windows,
)
from app.sandbox.trouble.modes import struck
from app.sandbox.types import ACTIVE, CANCELLED, CONFLICT_TYPE, DELETED, TYPES
from app.sandbox.wire.reading import Given, refuse_read_only, require

FIRST_SEQUENCE = 12
RECURRENCE_ON_SINGLE = 'Can\'t update single schedule event with recurring data when recurrenceType is not "RECURRING".'


def _next_sequence(sequence: int) -> int:
    """12, 22, 32 …; from 100 to 102, from a child's 1 to 12 (exchanges 380, 404, 436)."""
    return -(-sequence // 10) * 10 + 2


def add(call: Call, arguments: dict[str, Any]) -> Body:
    given: Given = arguments["scheduleEvent"]
    require(given, "recurrenceType", "summary")
    if not given.has("startDate"):
        raise KalturaError("START_TIME_AND_LINKED_TO_NOT_SET")
    start = given.get("startDate")
    is_series = given.get("recurrenceType") == PARENT
    recurrence = check_recurrence(given.get("recurrence"), given.type.name) if is_series else None
    end = _end_of_new(given, start)
    if recurrence and recurrence.get("until", end) < end:
        raise KalturaError("PROPERTY_VALIDATION_UNTIL_NOT_VALID", PROP_NAME="Recurrence::until")
    check_span(start, end)
    kept = stored_span(call, start, end)
    if not is_series:
        check_slot(call, given.get("templateEntryId"), *kept)
    check_day(start, end)
    refuse_read_only(given)

    body = {name: value for name, value in given.values.items() if value is not None}
    if isinstance(given.get("recurrence"), Given):
        body["recurrence"] = recurrence or recurrence_body(given.get("recurrence"))
    body |= {
        "id": call.store.next_id("events"),
        "partnerId": call.partner,
        "status": ACTIVE,
        "ownerId": call.user,
        "sequence": FIRST_SEQUENCE,
        "createdAt": call.now,
        "updatedAt": call.now,
        "objectType": given.type.name,
    }
    if given.get("recurrenceType") != CHILD:  # one made by hand is accepted, and shows none (exchange 172)
        body.setdefault("classificationType", 1)
    if "preStartTime" in given.type.properties:
        body.setdefault("preStartTime", 0)
    if "postEndTime" in given.type.properties:
        body |= {"postEndTime": body.get("postEndTime", 0), "liveFeatures": []}
    slots = windows(call, kept[0], end - start, recurrence) if recurrence else []
    set_times(body, *(slots[0] if slots else kept), duration=end - start if is_series else None)
    call.store.see_user(call.partner, call.user)
    save(call, [stored(body)])
    if slots and (half := struck(call.modes.half_add)):
        make_children(call, body, slots[: half.children], half.indexed)
        half.end()
    elif slots:
        make_children(call, body, slots)
    return show(call, body)


def _end_of_new(given: Given, start: int) -> int:
    if given.get("recurrenceType") == PARENT:
        if given.has("duration"):  # wins over endDate (exchange 245)
            return start + int(given.get("duration"))
        if not given.has("endDate"):
            require(given, "duration")
    require(given, "endDate")
    return int(given.get("endDate"))


def get(call: Call, arguments: dict[str, Any]) -> Body:
    return profiled(show(call, load(call, arguments["scheduleEventId"])), arguments)


def list_(call: Call, arguments: dict[str, Any]) -> Body:
    total, bodies = find(call, arguments["filter"], arguments["pager"])
    return profiled(listed([show(call, body) for body in bodies], total, "ScheduleEvent"), arguments)


def update(call: Call, arguments: dict[str, Any]) -> Body:
    body = load(call, arguments["scheduleEventId"])
    given: Given = arguments["scheduleEvent"]
    refuse_read_only(given, "id")
    before = body["recurrenceType"]
    after = given.get("recurrenceType") if given.has("recurrenceType") else before
    if before != after and CHILD in (before, after):
        raise KalturaError("SCHEDULE_EVENT_TYPE_CANT_BE_UPDATED", SOURCE_TYPE=before, TARGET_TYPE=after)
    if before == after == SINGLE and given.has("recurrence"):
        raise KalturaError(RECURRENCE_ON_SINGLE)
    changed = _overlaid(body, given)
    if after == PARENT:
        _retime_series(call, changed, given)
    else:
        _retime(call, changed, given)
    if given.has("ownerId"):
        call.store.see_user(call.partner, given.get("ownerId"))
    changed |= {"recurrenceType": after, "updatedAt": call.now}
    if before == PARENT and after == SINGLE:
        remove(call, [child["id"] for child in children(call, body["id"])])
        changed["sequence"] = 1
        changed.pop("recurrence", None)
    elif not given.has("sequence"):
        changed["sequence"] = _next_sequence(body["sequence"])
    if after == PARENT:
        regenerate(call, changed)
    else:
        save(call, [changed])
    return show(call, changed)


def _overlaid(body: Body, given: Given) -> Body:
    """The event with the sent properties put over it; times and rule follow apart."""
    changed = dict(body)
    known = TYPES[body["objectType"]].properties
    for name, value in given.values.items():
        if name in ("id", "startDate", "endDate", "duration", "recurrence", "recurrenceType"):
            continue
        if name not in known:
            continue
        if value is None:
            changed.pop(name, None)
        else:
            changed[name] = value
    if isinstance(given.get("recurrence"), Given) and body["recurrenceType"] == CHILD:
        changed["recurrence"] = recurrence_body(given.get("recurrence"))
    return stored(changed)


def _retime(call: Call, body: Body, given: Given) -> None:
    """A single event or a child: its end follows from what was sent, else it stays (exchanges 381 to 387)."""
    start = given.get("startDate") if given.has("startDate") else body["startDate"]
    end = given.get("endDate") if given.has("endDate") else body["endDate"]
    if given.has("duration"):
        if given.has("endDate") and end - start != given.get("duration"):
            raise KalturaError("MAX_SCHEDULE_DURATION_MUST_MATCH_END_TIME")
        end = start + given.get("duration")
    if any(given.has(name) for name in ("startDate", "endDate", "duration")):  # what is kept may end before it begins
        check_span(start, end)
    kept = stored_span(call, start, end)
    if body["recurrenceType"] != CHILD:
        check_slot(call, body.get("templateEntryId"), *kept, body["id"])
    check_day(start, end)
    set_times(body, *kept)


def _retime_series(call: Call, body: Body, given: Given) -> None:
    """A series: its duration stays unless a new one is sent, an endDate alone is ignored (exchange 433)."""
    if given.values.get("recurrence") is not None or "recurrence" not in body:
        body["recurrence"] = check_recurrence(given.get("recurrence"), body["objectType"])
    start = as_stored(given.get("startDate"), call.server_zone) if given.has("startDate") else body["startDate"]
    duration = given.get("duration") if given.has("duration") else body.get("duration", 0)
    check_day(start, start + duration)
    set_times(body, start, start + duration, duration)


def cancel(call: Call, arguments: dict[str, Any]) -> Body:
    """A series' children are deleted with it, a child's row is kept (exchanges 476, 488)."""
    body = load(call, arguments["scheduleEventId"])
    remove(call, [child["id"] for child in children(call, body["id"])])
    unlink(call, body["id"])
    body |= {"status": CANCELLED, "updatedAt": call.now}
    save(call, [body])
    return show(call, body)


def delete(call: Call, arguments: dict[str, Any]) -> Body:
    body = load(call, arguments["scheduleEventId"])
    if "parentId" in body:
        raise KalturaError("RECURRENCE_CANT_BE_DELETE", ID=body["id"], PARENT_ID=body["parentId"])
    deleted = body | {"status": DELETED, "updatedAt": call.now}
    if body["recurrenceType"] == PARENT and (half := struck(call.modes.half_delete)):
        remove_half(call, deleted)
        half.end()
        return show(call, deleted)
    remove(call, [body["id"], *(child["id"] for child in children(call, body["id"]))])
    unlink(call, body["id"])
    return show(call, deleted)


_ID = Parameter("scheduleEventId", "int")
_EVENT = Parameter("scheduleEvent", "KalturaScheduleEvent")

SERVICE = {
    "add": action(add, _EVENT),
    "get": action(get, _ID, PROFILE),
    "list": action(list_, optional("filter", "KalturaScheduleEventFilter"), optional("pager", FILTER_PAGER), PROFILE),
    "update": action(update, _ID, _EVENT),
    "cancel": action(cancel, _ID),
    "delete": action(delete, _ID),
    "getconflicts": action(
        get_conflicts,
        Parameter("resourceIds", "string"),
        _EVENT,
        optional("scheduleEventIdToIgnore", "string"),
        optional("scheduleEventConflictType", CONFLICT_TYPE, 1),
        PROFILE,
    ),
}
