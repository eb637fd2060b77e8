"""Checks Kaltura's list of a resource against its database before it is believed.

What Kaltura lists of a resource is its search engine's word, and that may be late or wrong, in passing or for good:
it leaves out what is there, and counts what is no more. Its database is asked by ids, which is never late (exchange
698).

    an occurrence ahead that SQL knows is not in the list ──▶ is it in the database, active, and on the resource?
        no ──▶ it is gone        yes ──▶ it keeps its place, and the list is odd by one
    the list shows fewer than its total says ──▶ it is odd by as many
    it is odd ──▶ what was linked to the resource lately is looked for in the database, too
    what stands there cannot be read ──▶ it is left out; an occurrence that SQL knows stays as it was

What an odd list shows is followed all the same: each of it is in the database. But it may leave out something that
cannot be named here; so it does not count as a look, and the next one comes within seconds. A list that is as odd
after several looks will stay so, and is believed from then on.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.database.many_rows import portions
from app.kaltura.answers import Listed
from app.kaltura.calls import PAGE_SIZE
from app.kaltura.client import KalturaClient
from app.kaltura.types import OCCURRENCE, SERIES, SINGLE, Event
from app.resources.mirror.compare import Row
from app.resources.models import OccurrenceStatus

LOOKS, LONG = 4, 20.0  # odd lists that are not believed, and for how many seconds at least
MOST_ASKED = 4 * PAGE_SIZE  # occurrences, the next ones, that are asked for in one look; the others wait for theirs


LATELY = timedelta(hours=1)  # before the last look that counted; clocks differ
FIRST = timedelta(days=400)  # where there was none
MOST_NAMED, MOST_SERIES = PAGE_SIZE, 3  # of what was linked lately, the latest


@dataclass(frozen=True, slots=True)
class Seen:
    """`events` are on the resource: those listed, and those that the database has besides (`unlisted`: their ids).

    Of the rows in `unsure` nothing is known. `short`: it shows fewer than its total says. `odd` is by how many the
    list is wrong, and `why` says how; None if it is not. `unread` says what could not be read; None if all could.
    """

    events: Sequence[Event]
    unlisted: frozenset[int]
    unsure: frozenset[str]
    short: bool
    odd: int
    why: str | None
    unread: str | None = None


def look_closer(
    client: KalturaClient,
    resource_id: int,
    rows: Iterable[Row],
    listed: Listed[Event],
    now: datetime,
    looked: datetime | None,
) -> Seen:
    """What is on the resource, by its list, and by the database what that leaves out of `rows`. Raises KalturaError.

    `rows`: what SQL has there, but for recordings that a chain works on.

    `looked`: when the last look was that counted. Four calls for each 500 occurrences that have vanished, at most, and
    about ten where the list is odd.
    """
    there, unread = {event.id for event in listed}, {one.id for one in listed.odd}
    vanished = sorted(
        (
            row
            for row in rows
            if row.status == OccurrenceStatus.SCHEDULED and row.event_id and row.end > now and row.event_id not in there
        ),
        key=lambda row: row.start,
    )
    garbled = [row for row in vanished if row.event_id in unread]
    vanished = [row for row in vanished if row.event_id not in unread]
    asked, unsure = vanished[:MOST_ASKED], vanished[MOST_ASKED:]
    kept = list[Event]()
    for some in portions([row.event_id for row in asked if row.event_id], PAGE_SIZE):
        found, unknown = still_there(client, resource_id, some, now)
        kept += found
        garbled += [row for row in asked if row.event_id in unknown]
    if kept or unsure or listed.missing:
        known = there | unread | {row.event_id for row in vanished} | {event.id for event in kept}
        kept += _linked_lately(client, resource_id, known, now, looked)
    lost = len(kept) + len(unsure)
    why = None
    if listed.missing:
        why = f"a page is shorter than the total says: {len(listed)} of {len(listed) + listed.missing}"
    elif lost:
        why = f"Kaltura lists {len(listed)} event(s), and still has {lost} other(s)"
    odd = max(listed.missing, lost)
    unreadable = None
    if listed.odd or garbled:
        of = next((f": {one.why}" for one in listed.odd), "")
        unreadable = f"{max(len(listed.odd), len(garbled))} event(s) of it cannot be read{of}"
    unlisted = frozenset(event.id for event in kept)
    doubted = frozenset(row.id for row in (*unsure, *garbled))
    events = {event.id: event for event in (*listed, *kept)}  # the database knows it better than a list
    return Seen(list(events.values()), unlisted, doubted, listed.missing > 0, odd, why, unreadable)


def still_there(
    client: KalturaClient, resource_id: int, event_ids: Sequence[int], now: datetime
) -> tuple[list[Event], set[int]]:
    """Of at most 500 events, those that Kaltura's database has active, ahead and on the resource; and the ids of those
    that cannot be read, of which one cannot tell. Raises KalturaError."""
    listed = client.list_events(event_ids, lenient=True)
    found = [
        event for event in listed if event.active and event.end > now and event.recurrence_type in (SINGLE, OCCURRENCE)
    ]
    places = sorted({event.id for event in found} | {event.parent_id for event in found if event.parent_id})
    lists = [client.list_links(*some, lenient=True) for some in portions(places, PAGE_SIZE)]
    links = [link for some in lists for link in some]
    linked = {link.event_id for link in links}
    here = {link.event_id for link in links if link.resource_id == resource_id}
    # An occurrence's own links replace those of its series.
    there = [event for event in found if event.id in here or (event.id not in linked and event.parent_id in here)]
    unknown = {one.id for one in listed.odd if one.id}
    if any(one.id is None for one in listed.odd):  # it may be any of those that are not there
        unknown |= set(event_ids) - {event.id for event in listed}
    if any(some.odd for some in lists):
        unknown |= {event.id for event in found} - {event.id for event in there}
    return there, unknown


def _linked_lately(
    client: KalturaClient, resource_id: int, known: Collection[int | None], now: datetime, looked: datetime | None
) -> list[Event]:
    """What is on the resource by links that the last look cannot have known, and is not in `known`."""
    links = client.list_links_on(resource_id, looked - LATELY if looked else now - FIRST)
    named = sorted({link.event_id for link in links if link.event_id and link.event_id not in known})[-MOST_NAMED:]
    if not named:
        return []
    found = client.list_events(named, lenient=True)
    series = [event.id for event in found if event.recurrence_type == SERIES and event.active][-MOST_SERIES:]
    ids = [event.id for event in found if event.recurrence_type != SERIES]
    # The occurrences of a series have the ids that follow its own.
    ids += [number for first in series for number in range(first + 1, first + PAGE_SIZE) if number not in known]
    parts = portions(sorted(set(ids)), PAGE_SIZE)
    return [event for some in parts for event in still_there(client, resource_id, some, now)[0]]
