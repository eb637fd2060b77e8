"""Several changes at once, so that resources can be swapped: conflicts are checked on the final state of all of them.

what each comes to ── conflicts with each other, with everything else? ── yes: 409, nothing is changed
                                                                       └─ no: a chain for each

A change whose new occurrences would meet some that another change takes away depends on that one. What depends on each
other, in a row or in a ring, is a party: all of it is changed, or nothing (app/recordings/changing/switching.py).
The others are changed each by itself.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from fastapi.exceptions import RequestValidationError
from sqlalchemy import select
from sqlmodel import Session, col

from app.access.keys import Client
from app.chains.models import Chain, ChainStatus
from app.chains.store import Store
from app.database.database import Database
from app.database.types import new_id, utc_now
from app.http.errors import (
    AmbiguousResource,
    BatchRefused,
    ChainRunning,
    NotChangeable,
    NotFound,
    NothingAhead,
    Problem,
    ReferenceInUse,
    ResourceNotFound,
    ScheduleConflict,
    problem,
)
from app.kaltura.client import KalturaClient
from app.recordings.changing import requests
from app.recordings.changing.batch_schemas import Batch, BatchChange, BatchItemView, BatchView, Outcome
from app.recordings.changing.decide import aim, events_of, own_meetings, rows_of
from app.recordings.changing.difference import SCHEDULED, Row, Target
from app.recordings.changing.final_state import NamedResources, Placed, Planned, ResourceKey, conflicts
from app.recordings.changing.occurrences.coming_back import may_stay_out
from app.recordings.changing.placement import own_resources
from app.recordings.changing.switching import Party
from app.recordings.document import draft as drafts
from app.recordings.document.ahead import ensure_ahead
from app.recordings.document.campus import newest, schedule_on
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import Draft
from app.recordings.document.equality import resource_meant, same, zone_for
from app.recordings.document.fields import OnConflict
from app.recordings.models import Recording, RecordingStatus
from app.recordings.reading import queries
from app.recordings.reading.views import ProblemView, RecordingView
from app.recordings.scheduling.accept import Accepted, accept_document, lock_and_reload
from app.recordings.whose import by_reference, discreet, find
from app.resources.conflicts import Timeline


def views(session: Session, accepted: Sequence[Accepted], server_zone: ZoneInfo) -> BatchView:
    """Each recording of the batch as it is now, with the outcome of its change. `server_zone`: of Kaltura's server."""
    found = {one.recording.id: one for one in queries.shown(session, [one.recording_id for one in accepted])}
    ids = [one.chain_id for one in accepted if one.chain_started]
    begun = {chain.id: chain for chain in session.execute(select(Chain).where(col(Chain.id).in_(ids))).scalars()}
    shown = queries.views(session, [found[one.recording_id] for one in accepted], server_zone)
    items = [_item(view, begun.get(one.chain_id)) for view, one in zip(shown, accepted, strict=True)]
    return BatchView(items=items)


def _item(view: RecordingView, chain: Chain | None) -> BatchItemView:
    """`chain` carries the change out; None if the recording was so already, or is on its way there."""
    outcome, why = Outcome.APPLIED, view.problem
    if chain is None and view.status == RecordingStatus.FAILED:
        outcome = Outcome.REFUSED
    elif chain is None and view.status != RecordingStatus.SCHEDULED:
        outcome = Outcome.PENDING
    elif chain is not None and chain.status == ChainStatus.FAILED and chain.error:
        outcome = Outcome.NOT_APPLIED if chain.error["code"] == BatchRefused.code else Outcome.REFUSED
        why = ProblemView.model_validate(problem(chain.error).document())
    elif chain is not None and chain.status != ChainStatus.SUCCEEDED:
        outcome = Outcome.PENDING
    return BatchItemView.model_validate({**view.model_dump(mode="json"), "outcome": outcome, "problem": why})


@dataclass(frozen=True, slots=True)
class _Asking:
    """What is the same for all changes of a batch."""

    database: Database
    resources: NamedResources
    client: Client
    default_zone: str
    server_zone: ZoneInfo
    now: datetime


def check(
    database: Database,
    kaltura: KalturaClient | None,
    client: Client,
    batch: Batch,
    default_zone: str,
    server_zone: ZoneInfo,
    *,
    asks: bool,
) -> list[Planned]:
    """What each change comes to, in order. Raises ScheduleConflict with every conflict of their final state.

    What is wrong with one change (422, 404) is raised too, with its place in the batch. Unless it `asks` Kaltura, what
    others have booked there is left to the chains to find. Without `kaltura`, what SQL says of resources counts.
    """
    resources = NamedResources(database, kaltura, asks=asks)
    asking = _Asking(database, resources, client, default_zone, server_zone, utc_now())
    planned: list[Planned] = []
    for index, one in enumerate(batch.changes):
        with _at(index, one):
            planned.append(_planned(asking, one))
        if planned[-1].id in {other.id for other in planned[:-1]}:
            rule = "is of a recording that is in the list already"
            raise RequestValidationError([{"type": "rule", "loc": ("body", "changes", index), "ctx": {"rule": rule}}])
    joined = {one: party.items for one, party in _parties(planned).items()}
    found = conflicts(database, kaltura if asks else None, planned, joined)
    if found:
        with database.read() as session:
            told = discreet(session, client.owns, found)
        detail = f"{len(found)} conflict(s) in the final state of the batch. Nothing was changed."
        raise ScheduleConflict(detail, conflicts=told)
    return planned


def apply(
    session: Session, store: Store, client: Client, batch: Batch, planned: Sequence[Planned], default_zone: str
) -> list[Accepted]:
    """Makes a chain for each change, all in the caller's transaction."""
    joined = _parties(planned)
    accepted = []
    for index, (change, one) in enumerate(zip(batch.changes, planned, strict=True)):
        with _at(index, change):
            accepted.append(_start_chain(session, store, client, one, change, default_zone, joined.get(one.id)))
    return accepted


def _start_chain(
    session: Session,
    store: Store,
    client: Client,
    one: Planned,
    change: BatchChange,
    default_zone: str,
    party: Party | None,
) -> Accepted:
    if isinstance(one.of, Draft):
        return _make(session, store, one.of, party)
    recording = lock_and_reload(session, store, find(session, client, one.of.id))
    if requests.etag(recording) != requests.etag(one.of):
        raise ChainRunning(f"{recording.id} was changed by someone else just now. Send the batch again.")
    act = requests.change if change.document is None else requests.replace_document
    return act(session, store, recording, one.document, default_zone, party=party)


def _make(session: Session, store: Store, draft: Draft, party: Party | None) -> Accepted:
    if by_reference(session, draft.client, draft.document.reference_id) is not None:
        raise ChainRunning("It was made by someone else just now. Send the batch again.")
    if party is None:
        return accept_document(session, store, draft, None)
    return requests.create_in_party(session, store, draft, party)


def _parties(planned: Sequence[Planned]) -> dict[str, Party]:
    """The party of each recording that has one, by its id."""
    joined = list(range(len(planned)))  # of each change, the first one that it is joined with
    leaving = _leaving(planned)
    for here, one in enumerate(planned):
        for there in _predecessors(one, leaving):
            if joined[here] != joined[there]:
                first, last = sorted((joined[here], joined[there]))
                joined = [first if number == last else number for number in joined]
    found = dict[str, Party]()
    for first in set(joined):
        members = {place: planned[place] for place, number in enumerate(joined) if number == first}
        if len(members) > 1:
            party = _party(members)
            found |= dict.fromkeys(party.items, party)
    return found


def _leaving(planned: Sequence[Planned]) -> Mapping[ResourceKey, Timeline[int]]:
    """What leaves each resource, with the place of its change."""
    found = defaultdict[ResourceKey, list[tuple[datetime, datetime, int]]](list)
    for place, one in enumerate(planned):
        for resource, start, end in one.left:
            found[resource].append((start, end, place))
    return {resource: Timeline(spans) for resource, spans in found.items()}


def _predecessors(one: Planned, leaving: Mapping[ResourceKey, Timeline[int]]) -> set[int]:
    """The places of the changes that leave what it needs."""
    spans = [placed for placed in one.added if placed[0] in leaving]
    return {place for resource, start, end in spans for place in leaving[resource].meeting(start, end)}


def _party(members: Mapping[int, Planned]) -> Party:
    resources = {
        resource for one in members.values() for resource in (one.resource, one.present_resource, *one.own_resources)
    }
    return Party(
        new_id("pty"),
        items={one.id: index for index, one in members.items()},
        resources=sorted(resource for resource in resources if isinstance(resource, int)),
        names=sorted(resource for resource in resources if isinstance(resource, str)),
        found={one.id: one.resource for one in members.values() if isinstance(one.resource, int)},
    )


@contextmanager
def _at(index: int, change: BatchChange) -> Iterator[None]:
    """What is wrong with a change is told with its place in the batch."""
    part = "patch" if change.document is None else "document"
    try:
        yield
    except RequestValidationError as error:
        place = ("body", "changes", index, part)
        raise RequestValidationError([one | {"loc": (*place, *one["loc"][1:])} for one in error.errors()]) from None
    except (ResourceNotFound, AmbiguousResource) as refusal:
        raise _told(refusal, f"/changes/{index}/{part}/resource") from None
    except NothingAhead as refusal:
        raise _told(refusal, f"/changes/{index}/{part}") from None
    except NotFound as refusal:
        raise _told(refusal, f"/changes/{index}/{'reference_id' if change.id is None else 'id'}") from None
    except (ChainRunning, NotChangeable, ReferenceInUse) as refusal:
        raise _told(refusal, f"/changes/{index}") from None


def _told(refusal: Problem, pointer: str) -> Problem:
    errors = [{"pointer": pointer, "detail": refusal.detail}]
    return type(refusal)(refusal.detail, **{**refusal.extra, "errors": errors})


def _planned(asking: _Asking, change: BatchChange) -> Planned:
    if change.document is None:
        with asking.database.read() as session:
            recording = find(session, asking.client, change.named)
        return _planned_change(asking, recording, requests.patched(recording, change.patch or {}))
    with asking.database.read() as session:
        there = by_reference(session, asking.client.name, change.document.reference_id)
    return _planned_change(asking, there, change.document) if there else _planned_new(asking, change.document)


def _planned_new(asking: _Asking, document: RecordingDocument) -> Planned:
    with asking.database.read() as session:
        campus = newest(session, document.calendars)
    draft = drafts.draft(asking.client.name, document, asking.default_zone, asking.server_zone, campus)
    ensure_ahead(draft.schedule, asking.now)
    resource = asking.resources.of(document)
    added = [(resource, one.start, one.end) for one in draft.schedule.wanted if one.end > asking.now]
    added.sort(key=_by_time)
    return Planned(draft, document, resource, added, added, left=[], own_resources=[], pairs=[])


def _planned_change(asking: _Asking, recording: Recording, document: RecordingDocument) -> Planned:
    now = asking.now
    with asking.database.read() as session:
        rows = rows_of(session, recording.id, events_of(session, recording.id))
        campus = newest(session, document.calendars)
        own = own_resources(session, recording)
    home = recording.resource_id
    stays = resource_meant(document) == resource_meant(RecordingDocument.model_validate(recording.document))
    resource = home if stays else asking.resources.of(document)
    zone = zone_for(recording, asking.default_zone)
    schedule = schedule_on(document, zone, campus)
    is_same = same(recording, document, asking.default_zone)
    if not is_same:
        ensure_ahead(schedule, now, recording)
    wanted = {
        "document": document.model_dump(mode="json", exclude_unset=True),
        "zone": schedule.zone.key,
        "campus": campus.within(document, zone).as_json(),
    }
    target = aim(wanted, rows, now, asking.server_zone, same_resource=resource == home)
    if is_same:
        target = Target((), frozenset(), frozenset(), ())  # nothing will be done
    out = may_stay_out(recording, wanted, rows, target) if document.on_conflict == OnConflict.REJECT else set[str]()
    touched = {row.id for row in target.rows} | target.left
    return Planned(
        recording,
        document,
        resource,
        occurrences=[
            *(_placed(row, resource) for row in target.rows if row.status == SCHEDULED),
            *(
                _placed(row, home)
                for row in rows
                if row.status in queries.WANTED and row.end > now and row.id not in touched
            ),
        ],
        added=sorted(
            (
                (made.own_resource or resource, occurrence.start, occurrence.end)
                for made in target.made
                for occurrence, (_, stays) in zip(made.planned.occurrences, made.occurrences, strict=True)
                if stays
            ),
            key=_by_time,
        ),
        left=[_placed(row, home) for row in rows if row.id in target.left],
        own_resources=own,
        pairs=[pair for row, pair in own_meetings(recording, rows, target, resource) if row.id not in out],
        may_stay_out={(row.start, row.end) for row in target.rows if row.id in out},
    )


def _placed(row: Row, home: ResourceKey) -> Placed:
    """`home`: the resource of those that have none of their own."""
    return row.own_resource or home, row.start, row.end


def _by_time(one: Placed) -> tuple[datetime, datetime]:
    _, start, end = one
    return start, end
