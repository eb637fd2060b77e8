"""scheduleEvent.list: a filter becomes one SQL statement over the index, or the tables when it names ids.

The total and the page's ids are the index's, the objects the tables': where the index still has what is gone, a page is
shorter than the total says.
"""

import json
from collections.abc import Callable
from typing import Any

from app.sandbox.calls import Call
from app.sandbox.errors import KalturaError
from app.sandbox.schedule.events import Body
from app.sandbox.store.fulltext import search_range
from app.sandbox.store.index import catch_up
from app.sandbox.types import DELETED
from app.sandbox.wire.paging import limits, order_keys
from app.sandbox.wire.reading import Given, number

EQUAL = {
    "idEqual": "id",
    "parentIdEqual": "parent",
    "statusEqual": "status",
    "recurrenceTypeEqual": "recurrence",
    "ownerIdEqual": "owner",
    "priorityEqual": "priority",
    "templateEntryIdEqual": "template",
}
NUMBERS_IN = {
    "idIn": "id",
    "parentIdIn": "parent",
    "statusIn": "status",
    "recurrenceTypeIn": "recurrence",
    "priorityIn": "priority",
}
NUMBERS_NOT_IN = {"idNotIn": "id", "parentIdNotIn": "parent"}
RANGES = {"startDate": "start", "endDate": "end", "createdAt": "created", "updatedAt": "updated"}
ORDERS = {**RANGES, "priority": "priority", "summary": "summary"}
IN_DATABASE = ("idEqual", "idIn")  # what reads the tables, so it has no lag (exchange 701)

Condition = tuple[str, list[Any]]


def find(call: Call, given: Given | None, pager: Given | None) -> tuple[int, list[Body]]:
    """(total, the page's bodies); raises SearchDownError, INVALID_USER_ID, QUERY_EXCEEDED_MAX_MATCHES_ALLOWED."""
    limit, offset = limits(pager)
    catch_up(call)
    wanted = {name: value for name, value in (given.values if given else {}).items() if value not in (None, "")}
    owner = wanted.get("ownerIdEqual")
    known = "SELECT 1 FROM users WHERE partner = ? AND id = ?"
    if owner and not call.store.one(known, (call.partner, owner)):
        raise KalturaError("INVALID_USER_ID")
    # A plus keeps SQLite from walking through all of a partner's events, or all of them in order of id.
    parts: list[Condition] = [("+d.partner = ?", [call.partner]), ("+d.status != ?", [DELETED])]
    if given and given.type.name != "KalturaScheduleEventFilter":
        parts.append(("d.type = ?", [given.type.name.removesuffix("Filter")]))
    parts += [_condition(name, value) for name, value in wanted.items() if name != "orderBy"]
    table = "events" if any(name in wanted for name in IN_DATABASE) else "event_index"
    where = " AND ".join(sql for sql, _ in parts)
    values = [value for _, several in parts for value in several]
    # Only column names and placeholders are put together here, never a value.
    total = call.store.one(f"SELECT count(*) FROM {table} AS d WHERE {where}", values)[0]  # noqa: S608
    order = "".join(
        f"d.{column} {'DESC' if descending else 'ASC'}, "
        for column, descending in order_keys(wanted.get("orderBy"), ORDERS)
    )
    page = call.store.rows(
        f"SELECT e.body FROM {table} AS d LEFT JOIN events AS e ON e.id = d.id AND e.status != ? "  # noqa: S608
        f"WHERE {where} ORDER BY {order}+d.id LIMIT ? OFFSET ?",
        [DELETED, *values, limit, offset],
    )
    return total, [json.loads(body) for (body,) in page if body is not None]


def _condition(name: str, value: Any) -> Condition:
    if name in EQUAL:
        return f"d.{EQUAL[name]} = ?", [value]
    if name in NUMBERS_IN:
        return _among(NUMBERS_IN[name], _numbers(value))
    if name in NUMBERS_NOT_IN:
        sql, values = _among(NUMBERS_NOT_IN[name], _numbers(value))
        return f"NOT coalesce({sql}, 0)", values
    if name.endswith("ThanOrEqual"):
        field, sign = name.removesuffix("ThanOrEqual"), ">="
        if field.endswith("Less"):
            field, sign = field.removesuffix("Less"), "<="
        return f"d.{RANGES[field.removesuffix('Greater')]} {sign} ?", [value]
    return OTHERS[name](value)


def _among(column: str, values: list[Any]) -> Condition:
    return f"d.{column} IN ({','.join('?' * len(values))})", values


def _numbers(value: str) -> list[Any]:
    return [number(part) for part in value.split(",")]


def _reference(value: str) -> Condition:
    low, high = search_range(value)
    return "(d.reference >= ? AND d.reference < ? AND full_text(d.reference, ?))", [low, high, value]


def _references(value: str) -> Condition:
    each = [_reference(part) for part in value.split(",") if part]
    return f"({' OR '.join(sql for sql, _ in each) or '0'})", [one for _, several in each for one in several]


def _tagged(value: str) -> Condition:
    return "instr(lower(d.tags), lower(?))", [value]


ROOM = "EXISTS (SELECT 1 FROM index_resources AS r WHERE r.event = d.id AND {})"


def _only_room(value: str) -> Condition:
    """The event's resource field is exactly this id: no second room, and no room with a parent (exchanges 310, 321)."""
    if not value.isdigit():
        return "0", []
    alone = "(SELECT count(*) FROM index_resources AS r WHERE r.event = d.id) = 1"
    return f"{ROOM.format('r.resource = ? AND r.parent IS NULL')} AND {alone}", [number(value)]


def _any_room(value: str) -> Condition:
    rooms = _numbers(value)
    inside = f"SELECT event FROM index_resources WHERE resource IN ({','.join('?' * len(rooms))})"  # noqa: S608
    return f"d.id IN ({inside})", rooms


def _all_rooms(value: str) -> Condition:
    rooms = _numbers(value)
    return " AND ".join(ROOM.format("r.resource = ?") for _ in rooms), rooms


def _room_of_parent(value: str) -> Condition:
    return ROOM.format("r.parent = ?"), [number(value)]


def _room_named(value: str) -> Condition:
    named = (
        "EXISTS (SELECT 1 FROM index_resources AS r JOIN resources AS room ON room.id = r.resource "
        "WHERE r.event = d.id AND room.system_name = casefold(?))"
    )
    return named, [value]


def _owners(value: str) -> Condition:
    return _among("owner", list(value.split(",")))


OTHERS: dict[str, Callable[[str], Condition]] = {
    "referenceIdEqual": _reference,
    "referenceIdIn": _references,
    "ownerIdIn": _owners,
    "tagsLike": _tagged,
    "resourceIdEqual": _only_room,
    "resourceIdsLike": _any_room,
    "resourceIdsMultiLikeOr": _any_room,
    "resourceIdsMultiLikeAnd": _all_rooms,
    "resourceSystemNamesLike": _room_named,
    "parentResourceIdsLike": _room_of_parent,
}
