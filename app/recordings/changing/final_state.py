"""What is in the way of several changes at once: on the final state of all of them, whoever booked it.

    each other's occurrences ───────────────────────────────────────────────────┐
    Lectern's own, in SQL ──────────────────────────────────────────────────────┼─▶ `conflicts`
    others', in Kaltura: one list for each resource, and one of all blackouts ──┘

Where nobody waits for the answer, Kaltura is not asked for the last of these: the chains of the changes are.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.database.database import Database
from app.http.errors import AmbiguousResource, ResourceNotFound
from app.kaltura import types as kaltura
from app.kaltura.answers import same
from app.kaltura.client import KalturaClient
from app.kaltura.types import EventDraft
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import Draft, resource_reference
from app.recordings.document.fields import NewResource, OnConflict
from app.recordings.models import Recording
from app.recordings.scheduling.conflicts import bookings_on
from app.resources.conflicts import Booked, find_conflicts, known_bookings
from app.resources.lookup import in_kaltura, kaltura_answers, known_resources
from app.resources.mirror.listing import EVERY
from app.resources.models import Resource
from app.resources.naming import unknown
from app.resources.references import reference
from app.resources.rounds import RESOURCES, read_within

ResourceKey = int | str | None
"""Kaltura's id; the system name, in lower case, of one that is to be made; None before there is any."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What one change of a batch comes to. Times are UTC.

    `occurrences`: all that are not over, each with its resource. `added`: those that are new on `resource`, by start.
    `left`: those that it has now, and will not. `pairs`: conflicts within the recording. `of`: the recording as it
    stands, or the draft of a new one.
    """

    of: Recording | Draft
    document: RecordingDocument
    resource: ResourceKey
    occurrences: list[tuple[ResourceKey, datetime, datetime]]
    added: list[tuple[datetime, datetime]]
    left: list[Booked]
    pairs: list[dict[str, Any]]

    @property
    def id(self) -> str:
        """The recording's id; of a new one, which nobody knows yet, the one that it will have."""
        return self.of.id if isinstance(self.of, Recording) else self.of.recording_id

    @property
    def known_id(self) -> str | None:
        """The recording's id; None of a new one."""
        return self.of.id if isinstance(self.of, Recording) else None

    @property
    def present_resource(self) -> ResourceKey:
        """The resource that the recording is on now; None of a new one."""
        return self.of.resource_id if isinstance(self.of, Recording) else None


class NamedResources:
    """The resources that documents name, each looked up once.

    Unless it `asks` Kaltura first, what SQL says counts while the list of all resources is as new as it should be.
    """

    def __init__(self, database: Database, client: KalturaClient, *, asks: bool) -> None:
        self._database = database
        self._client = client
        self._asks = asks
        self._found: dict[tuple[int | str, bool], Sequence[kaltura.Resource | Resource]] = {}

    def of(self, document: RecordingDocument) -> ResourceKey:
        """The document's resource, as the chain's first step will find it.

        Raises ResourceNotFound, AmbiguousResource, KalturaUnavailable.
        """
        asked, named = document.resource, resource_reference(document)
        if named not in self._found:
            self._found[named] = self._look(*named)
        found = self._found[named]
        if len(found) > 1:
            raise AmbiguousResource("Kaltura has several such resources. Name one by its id.")
        if found:
            return found[0].id
        if isinstance(asked, NewResource):
            return asked.system_name.casefold()
        raise ResourceNotFound(unknown(named[0]))

    def _look(self, named: int | str, is_name: bool) -> Sequence[kaltura.Resource | Resource]:
        if not self._asks:
            with self._database.read() as session:
                known = known_resources(session, named) if read_within(session, RESOURCES, 2 * EVERY) else []
            if is_name:  # a number may be an id as well
                known = [one for one in known if same(one.system_name, str(named))]
            if known:
                return known
        with kaltura_answers():
            return in_kaltura(self._client, named, is_name=is_name)


def conflicts(
    database: Database,
    client: KalturaClient,
    planned: Sequence[Planned],
    joined: Mapping[str, Collection[str]],
    *,
    asks: bool,
) -> list[dict[str, Any]]:
    """Every conflict of the final state, as `find_conflicts` gives it, with the recording whose change meets it.

    `joined`: with which recordings each one is changed together. With `on_conflict: skip` those alone count: the chain,
    which leaves out what meets anybody else, takes no notice of them.
    """
    minding = [one for one in planned if one.added and one.document.on_conflict == OnConflict.REJECT]
    there = _there(database, client, minding, {one.id for one in planned}, asks=asks)
    found = [
        (one, pair)
        for one in minding
        for pair in (
            *one.pairs,
            *find_conflicts(one.added, [*_of_the_others(one, planned), *there.get(one.resource, ())]),
        )
    ]
    found += [
        (one, pair)
        for one in planned
        if one.document.on_conflict == OnConflict.SKIP
        for pair in find_conflicts(
            one.added, _of_the_others(one, [other for other in planned if other.id in joined.get(one.id, ())])
        )
    ]
    return [{"recording_id": one.known_id, "reference_id": one.document.reference_id, **pair} for one, pair in found]


def _of_the_others(one: Planned, planned: Sequence[Planned]) -> list[Booked]:
    """What the other changes will have on its resource."""
    return [
        Booked(start, end, other.document.title, "lectern", other.known_id, None)
        for other in planned
        if other is not one
        for resource, start, end in other.occurrences
        if resource == one.resource
    ]


def _there(
    database: Database, client: KalturaClient, minding: Sequence[Planned], but: Collection[str], *, asks: bool
) -> dict[ResourceKey, list[Booked]]:
    """What is booked on each of their resources by others than these recordings, and blackouts."""
    spans: dict[int, tuple[datetime, datetime]] = {}
    for one in minding:
        if isinstance(one.resource, int):
            first, last = spans.get(one.resource, one.added[0])
            spans[one.resource] = min(first, one.added[0][0]), max(last, *(end for _, end in one.added))
    blackouts = _blackouts(client, spans) if asks and spans else []
    found: dict[ResourceKey, list[Booked]] = {}
    for resource_id, span in sorted(spans.items()):
        if asks:
            with kaltura_answers():
                found[resource_id] = bookings_on(database, client, resource_id, span, but=but, besides=blackouts)
            continue
        with database.read() as session:
            known = known_bookings(session, resource_id, *span, but=but)
        found[resource_id] = [other for other in known if other.source == "lectern"]
    return found


def _blackouts(client: KalturaClient, spans: dict[int, tuple[datetime, datetime]]) -> list[kaltura.Event]:
    """They belong to no resource. A candidate may be as long as one likes: it is not checked (exchanges 357 to 360)."""
    first, last = min(first for first, _ in spans.values()), max(last for _, last in spans.values())
    whole = EventDraft(summary="blackouts", start=first, end=last, reference_id=reference("batch", 0))
    with kaltura_answers():
        return client.get_conflicts([min(spans)], whole, kind="blackout")
