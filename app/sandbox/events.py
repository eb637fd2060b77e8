"""Schedule events as rows: saving, showing and indexing them.

A series is a parent (recurrenceType 1) and children (2); a child's row has only what is its own, the rest is its
parent's, looked up whenever it is shown (#221). The index knows a child by its own values alone (#226).
"""

import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from .calls import Call
from .errors import KalturaError
from .fulltext import indexed
from .state import INDEXED, dumps
from .types import TYPES

Body = dict[str, Any]

SINGLE, PARENT, CHILD = 0, 1, 2
CANCELLED, ACTIVE, DELETED = 1, 2, 3
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


class SearchDownError(KalturaError):
    """The search engine is away: what was saved before stays saved (#640, #645)."""

    def __init__(self) -> None:
        super().__init__("INTERNAL_SERVERL_ERROR")


class Shown(dict[str, Any]):
    """An event as answers show it; `own` are its own values, `parent` what a child shows the rest of."""

    own: Body
    parent: "Shown | None" = None

    @cached_property
    def handed_down(self) -> Body:
        """What its children show unless they have their own."""
        return {name: value for name, value in self.own.items() if name not in NOT_INHERITED}


def stored(body: Body) -> Body:
    """What the database makes of values: four-byte characters and overlong texts suffer (#145, #210, #213)."""
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
    call.store.run_many(SAVE, map(_row, bodies))
    index(call, [body["id"] for body in bodies])


def load(call: Call, event: int) -> Body:
    """An event of the session's partner; raises INVALID_OBJECT_ID."""
    body = call.store.body("SELECT body FROM events WHERE id = ? AND partner = ?", (event, call.partner))
    if body is None:
        raise KalturaError("INVALID_OBJECT_ID", ID=event)
    return body


def children(call: Call, parent: int) -> list[Body]:
    return call.store.bodies("SELECT body FROM events WHERE parent = ? ORDER BY id", (parent,))


def remove(call: Call, ids: list[int]) -> None:
    """Delete rows physically; the links of children that vanish stay as orphans (#671)."""
    listed = json.dumps(ids)
    call.store.run("DELETE FROM events WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    call.store.run("DELETE FROM event_index WHERE id IN (SELECT value FROM json_each(?))", (listed,))
    call.store.run("DELETE FROM index_resources WHERE event IN (SELECT value FROM json_each(?))", (listed,))


def unlink(call: Call, event: int) -> None:
    call.store.run("DELETE FROM event_resources WHERE event = ?", (event,))


# --- the index


def index(call: Call, ids: list[int]) -> None:
    """Make events findable as they are now: at once, later, or not at all while the search engine is away."""
    if call.modes.search_down:
        return
    if call.modes.index_lag:
        call.store.run_many("INSERT INTO pending VALUES (?, 'event', ?)", [(call.time, event) for event in ids])
    else:
        copy_to_index(call, ids)


def copy_to_index(call: Call, ids: Iterable[int]) -> None:
    listed = (json.dumps(list(ids)),)
    call.store.run(
        f"INSERT OR REPLACE INTO event_index ({INDEXED}) "  # noqa: S608 - column names
        f"SELECT {INDEXED} FROM events WHERE id IN (SELECT value FROM json_each(?))",
        listed,
    )
    call.store.run("DELETE FROM index_resources WHERE event IN (SELECT value FROM json_each(?))", listed)
    # A child has its own rooms or else its parent's.
    call.store.run(
        """
        INSERT INTO index_resources (resource, event, parent)
        SELECT link.resource, event.id, room.parent FROM json_each(?) AS wanted
        JOIN events AS event ON event.id = wanted.value
        JOIN event_resources AS link ON link.event =
            CASE WHEN EXISTS (SELECT 1 FROM event_resources AS own WHERE own.event = event.id)
                 THEN event.id ELSE coalesce(event.parent, event.id) END
        LEFT JOIN resources AS room ON room.id = link.resource
        """,
        listed,
    )


def touch(call: Call, event: int) -> None:
    """An event's rooms changed: it is updated (#316), and indexed again with its children."""
    body = call.store.body("SELECT body FROM events WHERE id = ?", (event,))
    if body:
        save(call, [body | {"updatedAt": call.now}])
    rows = call.store.rows("SELECT id FROM events WHERE id = ? OR parent = ?", (event, event))
    index(call, [row[0] for row in rows])


def catch_up(call: Call) -> None:
    """Bring what has waited for the index lag into the index, all of it when there is none; raises SearchDownError."""
    if call.modes.search_down:
        raise SearchDownError
    until = call.time - call.modes.index_lag
    due = call.store.rows("SELECT kind, id FROM pending WHERE saved <= ?", (until,))
    if not due:
        return
    copy_to_index(call, {event for kind, event in due if kind == "event"})
    entries = json.dumps([entry for kind, entry in due if kind == "entry"])
    copy_entries_to_index(call, entries)
    call.store.run("DELETE FROM pending WHERE saved <= ?", (until,))


def copy_entries_to_index(call: Call, numbers: str) -> None:
    """`numbers` is a JSON list of the entries' row numbers."""
    call.store.run(
        """
        INSERT OR REPLACE INTO entry_index (number, partner, reference, status)
        SELECT number, partner, casefold(json_extract(body, '$.referenceId')), json_extract(body, '$.status')
        FROM entries WHERE number IN (SELECT value FROM json_each(?))
        """,
        (numbers,),
    )


# --- showing


def show(call: Call, body: Body) -> Shown:
    """An event as the API answers it; raises SearchDownError, for its blackouts are searched (#642)."""
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
    """The partner's active blackouts that overlap the event (#687)."""
    if call.modes.search_down:
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
