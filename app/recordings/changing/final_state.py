"""What is in the way of several changes at once: on the final state of all of them, whoever booked it.

    each other's occurrences ───────────────────────────────────────────────────┐
    Lectern's own, in SQL ──────────────────────────────────────────────────────┼─▶ `conflicts`
    others', in Kaltura: one list for each resource, and one of all blackouts ──┘

Where nobody waits for the answer, Kaltura is not asked for the last of these: the chains of the changes are.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

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
from app.resources.conflicts import Booked, Timeline, as_pair, known_bookings, told
from app.resources.lookup import in_kaltura, kaltura_answers, known_resources
from app.resources.mirror.listing import EVERY
from app.resources.models import Resource
from app.resources.naming import unknown
from app.resources.references import reference
from app.resources.rounds import RESOURCES, read_within

ResourceKey = int | str | None
"""Kaltura's id; the system name, in lower case, of one that is to be made; None before there is any."""

Placed = tuple[ResourceKey, datetime, datetime]
"""An occurrence: its resource, and its start and end in UTC."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What one change of a batch comes to.

    `occurrences`: all that are not over. `added`: those of them that are new, by start. `left`: those that it has now,
    and will not. `own_resources`: Kaltura's ids of those that single occurrences ahead were put on by hand; the others
    are on `resource`. `pairs`: conflicts within the recording. `of`: the recording as it stands, or the draft of a new
    one. `may_stay_out`: start and end of those of `added` that its chain leaves out, if somebody else is in their way.
    """

    of: Recording | Draft
    document: RecordingDocument
    resource: ResourceKey
    occurrences: list[Placed]
    added: list[Placed]
    left: list[Placed]
    own_resources: list[int]
    pairs: list[dict[str, Any]]
    may_stay_out: Collection[tuple[datetime, datetime]] = ()

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

    Unless it `asks` Kaltura first, what SQL says counts while the list of all resources is as new as it should be;
    without a `client`, whatever SQL says counts.
    """

    def __init__(self, database: Database, client: KalturaClient | None, *, asks: bool) -> None:
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
        if self._client is None or not self._asks:
            with self._database.read() as session:
                counts = self._client is None or read_within(session, RESOURCES, 2 * EVERY)
                known = known_resources(session, named) if counts else []
            if is_name:  # a number may be an id as well
                known = [one for one in known if same(one.system_name, str(named))]
            if known or self._client is None:
                return known
        with kaltura_answers():
            return in_kaltura(self._client, named, is_name=is_name)


def conflicts(
    database: Database,
    client: KalturaClient | None,
    planned: Sequence[Planned],
    joined: Mapping[str, Collection[str]],
) -> list[dict[str, Any]]:
    """Every conflict of the final state, as `find_conflicts` gives it, with the recording whose change meets it.

    `joined`: with which recordings each one is changed together. With `on_conflict: skip` those alone count: the chain,
    which leaves out what meets anybody else, takes no notice of them. Without a `client`, Kaltura is not asked.
    """
    looking = [one for one in planned if one.added and one.document.on_conflict != OnConflict.ALLOW]
    minding = [one for one in looking if one.document.on_conflict == OnConflict.REJECT]
    there = _there(database, client, minding, {one.id for one in planned})
    taken = _taken(planned, there, {resource for one in looking for resource, *_ in one.added})
    found = [(one, pair) for one in minding for pair in (*one.pairs, *_met(one, taken))]
    found += [
        (one, pair)
        for one in looking
        if one.document.on_conflict == OnConflict.SKIP
        for pair in _met(one, taken, joined.get(one.id, ()))
    ]
    return [{"recording_id": one.known_id, "reference_id": one.document.reference_id, **pair} for one, pair in found]


class _Taken(NamedTuple):
    """What will be on a resource. `of`: the recording whose change brings it, if one does."""

    of: str | None
    booked: Booked


def _taken(
    planned: Sequence[Planned], there: Mapping[ResourceKey, Sequence[Booked]], on: Collection[ResourceKey]
) -> Mapping[ResourceKey, Timeline[_Taken]]:
    """All that will be on these resources: what the changes come to, in their order, and what is there besides."""
    found: dict[ResourceKey, list[_Taken]] = {resource: [] for resource in on}
    for one in planned:
        for resource, start, end in one.occurrences:
            if resource in found:
                booked = Booked(start, end, one.document.title, "lectern", one.known_id, None)
                found[resource].append(_Taken(one.id, booked))
    for resource, others in there.items():
        found[resource] += [_Taken(None, booked) for booked in others]
    return {
        resource: Timeline((one.booked.start, one.booked.end, one) for one in there)
        for resource, there in found.items()
    }


def _met(
    one: Planned, taken: Mapping[ResourceKey, Timeline[_Taken]], among: Collection[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Each of its new occurrences with what is in its way, as `find_conflicts` gives them; `among`: of these recordings
    alone."""
    return told([_met_by(one, placed, taken[placed[0]], among) for placed in one.added])


def _met_by(
    one: Planned, placed: Placed, taken: Timeline[_Taken], among: Collection[str] | None
) -> Iterator[dict[str, Any]]:
    _, start, end = placed
    for other in taken.meeting(start, end):
        if other.of == one.id or (among is not None and other.of not in among):
            continue
        if other.of is not None or (start, end) not in one.may_stay_out:
            yield as_pair((start, end), other.booked)


def _there(
    database: Database, client: KalturaClient | None, minding: Sequence[Planned], but: Collection[str]
) -> dict[ResourceKey, list[Booked]]:
    """What is booked where they add something by others than these recordings, and blackouts."""
    times = defaultdict[int, list[tuple[datetime, datetime]]](list)
    for one in minding:
        for resource, start, end in one.added:
            if isinstance(resource, int):
                times[resource].append((start, end))
    spans = {
        resource: (min(start for start, _ in added), max(end for _, end in added)) for resource, added in times.items()
    }
    blackouts = _blackouts(client, spans) if client and spans else []
    found: dict[ResourceKey, list[Booked]] = {}
    for resource_id, span in sorted(spans.items()):
        if client:
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
