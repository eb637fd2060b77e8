"""scheduleEvent.getConflicts: what overlaps on the rooms, and the reservation that an empty answer takes."""

import json
from bisect import bisect_right
from typing import Any

from app.sandbox.calls import Call
from app.sandbox.errors import KalturaError
from app.sandbox.profiles import profiled
from app.sandbox.schedule.events import BLACKOUT, PARENT, Body, listed, show
from app.sandbox.schedule.series import check_recurrence, stored_span, windows
from app.sandbox.store.index import catch_up
from app.sandbox.types import ACTIVE
from app.sandbox.wire.reading import Given, number

RESOURCE_CONFLICT, BLACKOUT_CONFLICT, BOTH = 1, 2, 3
# Active events that happen, so no parents, within a span of time.
HAPPENING = (
    "SELECT DISTINCT d.id, d.start, d.end FROM event_index AS d {join} "  # noqa: S608
    f"WHERE d.status = {ACTIVE} AND d.recurrence != {PARENT} AND d.start < ? AND d.end > ? AND {{where}} "
)


def get_conflicts(call: Call, arguments: dict[str, Any]) -> Body:
    """Overlaps are strict: back to back is free (exchange 339). The candidate itself is hardly checked (exchanges 357
    to 360).
    """
    if arguments["resourceIds"] == "":
        raise KalturaError("PROPERTY_VALIDATION_CANNOT_BE_NULL", PROP_NAME="resourceIds")
    rooms = [number(part) for part in arguments["resourceIds"].split(",")]
    kind = arguments["scheduleEventConflictType"]
    slots = _slots(call, arguments["scheduleEvent"])
    catch_up(call)
    found: dict[int, Body] = {}
    if slots and kind in (RESOURCE_CONFLICT, BOTH):
        found |= _on_rooms(call, rooms, slots)
    if slots and kind in (BLACKOUT_CONFLICT, BOTH):
        found |= _blackouts(call, slots)
    ignored = _ignored(arguments["scheduleEventIdToIgnore"])
    kept = [body for event, body in sorted(found.items()) if not {event, body.get("parentId")} & ignored]
    if not kept and kind != BLACKOUT_CONFLICT:
        _reserve(call, rooms)
    return profiled(listed([show(call, body) for body in kept], len(kept), "ScheduleEvent"), arguments)


def _ignored(sent: str | None) -> set[object]:
    """One id; two of them break the search (`semantics.md`)."""
    if not sent:
        return set()
    if "," in sent:
        raise KalturaError("INTERNAL_SERVERL_ERROR")
    return {number(sent)}


def _slots(call: Call, given: Given) -> list[tuple[int, int]]:
    """The candidate's windows. One of a series without `duration` lasts no time: equal starts are missed (exchange
    348).
    """
    start, end = given.get("startDate"), given.get("endDate")
    if given.get("recurrenceType") != PARENT:
        if start is None or end is None:
            return []
        return [stored_span(call, start, end)]
    if given.get("recurrence") is None or start is None:
        raise KalturaError("INTERNAL_SERVERL_ERROR")
    rule = check_recurrence(given.get("recurrence"), given.type.name)
    return windows(call, start, given.get("duration") or 0, rule)


def _on_rooms(call: Call, rooms: list[int], slots: list[tuple[int, int]]) -> dict[int, Body]:
    inside = f"d.partner = ? AND r.resource IN ({','.join('?' * len(rooms))})"
    statement = HAPPENING.format(join="JOIN index_resources AS r ON r.event = d.id", where=inside)
    return _overlapping(call, statement, slots, [call.partner, *rooms])


def _blackouts(call: Call, slots: list[tuple[int, int]]) -> dict[int, Body]:
    statement = HAPPENING.format(join="", where="d.partner = ? AND d.type = ?")
    return _overlapping(call, statement, slots, [call.partner, BLACKOUT])


def _overlapping(call: Call, statement: str, slots: list[tuple[int, int]], values: list[Any]) -> dict[int, Body]:
    slots = sorted(slots)
    ends = sorted(end for _, end in slots)
    rows = call.store.rows(statement, [ends[-1], slots[0][0], *values])
    hit = json.dumps([event for event, start, end in rows if _hits(slots, ends, start, end)])
    bodies = call.store.bodies("SELECT body FROM events WHERE id IN (SELECT value FROM json_each(?))", (hit,))
    return {body["id"]: body for body in bodies}


def _hits(slots: list[tuple[int, int]], ends: list[int], start: int, end: int) -> bool:
    """Whether [start, end] overlaps a slot; all slots last equally long, so both lists are in the same order."""
    position = bisect_right(ends, start)
    return position < len(slots) and slots[position][0] < end


def _reserve(call: Call, rooms: list[int]) -> None:
    if call.modes.reservations_down:
        raise KalturaError("INTERNAL_SERVERL_ERROR")
    call.reservations.take(rooms, call.session.ks if call.session else "", call.time)
