"""The search engine's side of the store: what is copied to the index, when, and what never is.

    save ──► index ──► copy_to_index            at once
                  ├──► pending ──► catch_up     when the index lags
                  └──► never_indexed            when the engine was down, or a call was cut short: for good
    remove ──► forget                           at once; or later, or never: then lists still count what is gone

What is never indexed keeps whatever row the index had of it before.
"""

import json
from collections.abc import Iterable

from app.sandbox.calls import Call
from app.sandbox.errors import SearchDownError
from app.sandbox.store.state import INDEXED
from app.sandbox.types import DELETED


def index(call: Call, ids: list[int]) -> None:
    """Make events findable as they are now: at once, later, or not at all while the search engine is away."""
    if call.modes.engine_down:
        never_index(call, "event", ids)
    elif call.modes.search_down:
        return
    elif call.modes.index_lag:
        call.store.run_many("INSERT INTO pending VALUES (?, 'event', ?)", [(call.time, event) for event in ids])
    else:
        copy_to_index(call, ids)


def index_entry(call: Call, number: int) -> None:
    """The same for an entry, by its row's number; an entry is saved without a word whatever happens here (exchange
    649).
    """
    if call.modes.engine_down:
        never_index(call, "entry", [number])
    elif call.modes.search_down:
        return
    elif call.modes.index_lag:
        call.store.run("INSERT INTO pending VALUES (?, 'entry', ?)", (call.time, number))
    else:
        copy_entries_to_index(call, [number])


def copy_to_index(call: Call, ids: Iterable[int]) -> None:
    wanted = call.store.rows(
        """
        SELECT id FROM events WHERE id IN (SELECT value FROM json_each(?)) AND status != ?
        AND id NOT IN (SELECT id FROM never_indexed WHERE kind = 'event')
        """,
        (json.dumps(list(ids)), DELETED),
    )
    listed = (json.dumps([row[0] for row in wanted]),)
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
        WHERE NOT EXISTS
            (SELECT 1 FROM never_listed AS never WHERE never.event = event.id AND never.resource = link.resource)
        """,
        listed,
    )


def copy_entries_to_index(call: Call, numbers: Iterable[int]) -> None:
    call.store.run(
        """
        INSERT OR REPLACE INTO entry_index (number, partner, reference, status)
        SELECT number, partner, casefold(json_extract(body, '$.referenceId')), json_extract(body, '$.status')
        FROM entries WHERE number IN (SELECT value FROM json_each(?))
        AND number NOT IN (SELECT id FROM never_indexed WHERE kind = 'entry')
        """,
        (json.dumps(list(numbers)),),
    )


def catch_up(call: Call) -> None:
    """Do what has waited long enough for the index, all of it when nothing lags any more; raises SearchDownError."""
    if call.modes.engine_away:
        raise SearchDownError
    due = "(kind != 'gone' AND saved <= ?) OR (kind = 'gone' AND saved <= ?)"
    until = (call.time - call.modes.index_lag, call.time - call.modes.totals_lag)
    rows = call.store.rows(f"SELECT kind, id FROM pending WHERE {due}", until)  # noqa: S608 - constant
    if not rows:
        return
    copy_to_index(call, {number for kind, number in rows if kind == "event"})
    copy_entries_to_index(call, {number for kind, number in rows if kind == "entry"})
    _drop(call, {number for kind, number in rows if kind == "gone"})
    call.store.run(f"DELETE FROM pending WHERE {due}", until)  # noqa: S608 - constant


def forget(call: Call, ids: list[int]) -> None:
    """Take events that were deleted out of the index: at once, when totals lag later, without the engine never."""
    if call.modes.engine_down:
        return
    if call.modes.totals_lag:
        call.store.run_many("INSERT INTO pending VALUES (?, 'gone', ?)", [(call.time, event) for event in ids])
    else:
        _drop(call, ids)


def _drop(call: Call, ids: Iterable[int]) -> None:
    gone = (json.dumps(list(ids)),)
    call.store.run("DELETE FROM event_index WHERE id IN (SELECT value FROM json_each(?))", gone)
    call.store.run("DELETE FROM index_resources WHERE event IN (SELECT value FROM json_each(?))", gone)


# --- what never gets in


def never_index(call: Call, kind: str, ids: Iterable[int]) -> None:
    """Whatever becomes of these events or entries, the index does not hear of it."""
    call.store.run_many("INSERT OR IGNORE INTO never_indexed VALUES (?, ?)", [(kind, number) for number in ids])


def never_list(call: Call, resource: int, events: Iterable[int]) -> None:
    """These events do not appear in the room's list, until the link is deleted."""
    call.store.run_many("INSERT OR IGNORE INTO never_listed VALUES (?, ?)", [(event, resource) for event in events])


def list_again(call: Call, resource: int, events: Iterable[int]) -> None:
    call.store.run_many("DELETE FROM never_listed WHERE event = ? AND resource = ?", [(e, resource) for e in events])
