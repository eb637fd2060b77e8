"""Schedule events as rows: saving and showing them.

A series is a parent (recurrenceType 1) and children (2); a child's row has only what is its own, the rest is its
parent's, looked up whenever it is shown (exchange 221). The index knows a child by its own values alone (exchange 226).
"""

import json
import re
from functools import cached_property
from typing import Any

from app.sandbox.calls import Call
from app.sandbox.errors import KalturaError, SearchDownError
from app.sandbox.store.fulltext import indexed
from app.sandbox.store.index import forget, index
from app.sandbox.store.state import INDEXED, dumps
from app.sandbox.types import ACTIVE, DELETED, TYPES

Body = dict[str, Any]

SINGLE, PARENT, CHILD = 0, 1, 2
BLACKOUT = "KalturaBlackoutScheduleEvent"
NOT_INHERITED = frozenset(
    {
        *("id", "parentId", "partnerId", "status", "startDate", "endDate", "sequence", "recurrenceType"),
        *("duration", "createdAt", "updatedAt", "objectType"),
    }
)
BEYOND_THREE_BYTES = re.compile("[\U00010000-\U0010ffff]")
STORED_CHARACTERS = {"referenceId": 256}
STORED_BYTES = {"description": 65535}


class Shown(dict[str, Any]):
    """An event as answers show it; `own` are its own values, `parent` what a child shows the rest of."""

    own: Body
    parent: "Shown | None" = None

    @cached_property
    def handed_down(self) -> Body:
        """What its children show unless they have their own."""
        return {name: value for name, value in self.own.items() if name not in NOT_INHERITED}


def stored(body: Body) -> Body:
    """What the database makes of values: four-byte characters and overlong texts suffer (exchanges 145, 210, 213)."""
    return {name: _stored(name, value) if isinstance(value, str) else value for name, value in body.items()}


def _stored(name: str, value: str) -> str:
    value = BEYOND_THREE_BYTES.sub("????", value)
    if name in STORED_CHARACTERS:
        value = value[: STORED_CHARACTERS[name]]
    if name in STORED_BYTES:
        value = value.encode()[: STORED_BYTES[name]].decode("utf-8", "ignore")
    return value


def _row(body: Body) -> tuple[object, ...]:
    return (
        body.get("id"),
        body["partnerId"],
        body.get("parentId"),
        body["objectType"],
        body["status"],
        body["startDate"],
        body["endDate"],
        body["recurrenceType"],
        indexed(body.get("referenceId")),
        body.get("ownerId"),
        body.get("templateEntryId"),
        body.get("tags"),
        body.get("priority"),
        body.get("summary"),
        body["createdAt"],
        body["updatedAt"],
        dumps(body),
    )


SAVE = f"INSERT OR REPLACE INTO events ({INDEXED}, body) VALUES ({','.join('?' * 17)})"  # noqa: S608


def save(call: Call, bodies: list[Body]) -> None:
    """Write events that have their ids, and bring them into the index."""
    write(call, bodies)
    index(call, [body["id"] for body in bodies])


def write(call: Call, bodies: list[Body]) -> None:
    """The database alone: the index does not hear of it."""
    call.store.run_many(SAVE, map(_row, bodies))


def load(call: Call, event: int) -> Body:
    """An event of the session's partner; raises INVALID_OBJECT_ID."""
    body = look_up(call, event)
    if body is None:
        raise KalturaError("INVALID_OBJECT_ID", ID=event)
    return body


def look_up(call: Call, event: int) -> Body | None:
    """The same, or None. A series that was deleted half-way still has its row, which its children are shown from."""
    return call.store.body(
        "SELECT body FROM events WHERE id = ? AND partner = ? AND status != ?", (event, call.partner, DELETED)
    )


def children(call: Call, parent: int) -> list[Body]:
    return call.store.bodies("SELECT body FROM events WHERE parent = ? ORDER BY id", (parent,))


def remove(call: Call, ids: list[int]) -> None:
    """Delete rows physically; the links of children that vanish stay as orphans (exchange 671)."""
    call.store.run("DELETE FROM events WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(ids),))
    forget(call, ids)


def remove_half(call: Call, deleted: Body) -> None:
    """A deleted series keeps its row, its children and its links: PHP was stopped before it came to them."""
    write(call, [deleted])
    forget(call, [deleted["id"]])


def unlink(call: Call, event: int) -> None:
    call.store.run("DELETE FROM event_resources WHERE event = ?", (event,))


def touch(call: Call, event: int) -> None:
    """An event's rooms changed: it is updated (exchange 316), and indexed again with its children."""
    body = look_up(call, event)
    if body:
        write(call, [body | {"updatedAt": call.now}])
    if not call.modes.engine_down:  # then the rooms are missed, and the event itself is as it was
        index(call, with_children(call, event))


def with_children(call: Call, event: int) -> list[int]:
    """The ids of an event and of its children, ascending."""
    rows = call.store.rows("SELECT id FROM events WHERE id = ? OR parent = ? ORDER BY id", (event, event))
    return [row[0] for row in rows]


# --- showing


def show(call: Call, body: Body) -> Shown:
    """An event as the API answers it; raises SearchDownError, for its blackouts are searched (exchange 642)."""
    kind = TYPES[body["objectType"]]
    parent = _parent(call, body)
    values: Body = body
    if parent is not None:
        values = parent.handed_down | body
    if "blackoutConflicts" in kind.properties:
        values = values | {"blackoutConflicts": _blackouts(call, body)}
    shown = Shown((name, values[name]) for name in kind.order if name in values)
    shown.own, shown.parent = body, parent
    return shown


def _parent(call: Call, body: Body) -> Shown | None:
    parent = body.get("parentId")
    if parent is None:
        return None
    key = f"parent {parent}"
    if key not in call.cache:
        found = call.store.body("SELECT body FROM events WHERE id = ?", (parent,))
        call.cache[key] = None if found is None else show(call, found)
    known: Shown | None = call.cache[key]
    return known


def _blackouts(call: Call, body: Body) -> list[Shown]:
    """The partner's active blackouts that overlap the event (exchange 687)."""
    if call.modes.engine_away:
        raise SearchDownError
    if "blackouts" not in call.cache:
        call.cache["blackouts"] = call.store.bodies(
            "SELECT body FROM events WHERE type = ? AND partner = ? AND status = ? ORDER BY id",
            (BLACKOUT, call.partner, ACTIVE),
        )
    return [
        show(call, blackout)
        for blackout in call.cache["blackouts"]
        if blackout["startDate"] < body["endDate"] and blackout["endDate"] > body["startDate"]
    ]


def listed(shown: list[Any], total: int, kind: str) -> Body:
    """A list answer, e.g. `KalturaScheduleEventListResponse`."""
    return {"totalCount": total, "objects": shown, "objectType": f"Kaltura{kind}ListResponse"}
