"""Several changes at once, so that rooms can be swapped: conflicts are checked on the final state of all of them.

what each comes to ── conflicts with each other, with everything else? ── yes: 409, nothing is changed
                                                                       └─ no: a chain for each

A change whose new sessions would meet some that another change takes away depends on that one. What depends on each
other, in a row or in a ring, is a party: all of it is changed, or nothing (app/recordings/changing/switching.py).
The others are changed each by itself.
"""

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
from app.recordings.changing.decide import aim, events_of, own_conflicts, rows_of
from app.recordings.changing.difference import SCHEDULED, Target
from app.recordings.changing.final_state import Planned, Rooms, conflicts
from app.recordings.changing.switching import Party
from app.recordings.document import draft as drafts
from app.recordings.document.ahead import ensure_ahead
from app.recordings.document.campus import newest, schedule_on
from app.recordings.document.document import RecordingDocument
from app.recordings.document.draft import Draft
from app.recordings.document.equality import room_meant, same, zone_for
from app.recordings.models import Recording, RecordingStatus
from app.recordings.reading import queries
from app.recordings.reading.views import ProblemView, RecordingView
from app.recordings.scheduling.accept import Accepted, accept_document, held
from app.recordings.whose import by_reference, discreet, find
from app.resources.conflicts import Booked, find_conflicts


def views(session: Session, accepted: Sequence[Accepted], server_zone: ZoneInfo) -> BatchView:
    """What has become of each change by now. `server_zone` is the zone of Kaltura's server."""
    found = {one.recording.id: one for one in queries.shown(session, [one.recording_id for one in accepted])}
    ids = [one.chain_id for one in accepted if one.begun]
    begun = {chain.id: chain for chain in session.execute(select(Chain).where(col(Chain.id).in_(ids))).scalars()}
    shown = queries.views(session, [found[one.recording_id] for one in accepted], server_zone)
    items = [_item(view, begun.get(one.chain_id)) for view, one in zip(shown, accepted, strict=True)]
    return BatchView(items=items)


def _item(view: RecordingView, chain: Chain | None) -> BatchItemView:
    """`chain` carries the change out; there is none if the recording was so already, or is on its way there."""
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
    rooms: Rooms
    client: Client
    default_zone: str
    server_zone: ZoneInfo
    now: datetime


def check(
    database: Database,
    kaltura: KalturaClient,
    client: Client,
    batch: Batch,
    default_zone: str,
    server_zone: ZoneInfo,
    *,
    asks: bool,
) -> list[Planned]:
    """What the batch comes to. Raises ScheduleConflict with every conflict of its final state.

    What is wrong with one change (422, 404) is raised too, with its place. What others have in Kaltura is looked at
    only if it `asks`: else the chains find it.
    """
    asking = _Asking(database, Rooms(database, kaltura, asks=asks), client, default_zone, server_zone, utc_now())
    planned: list[Planned] = []
    for index, one in enumerate(batch.changes):
        with _at(index, one):
            planned.append(_planned(asking, one))
        if planned[-1].id in {other.id for other in planned[:-1]}:
            rule = "is of a recording that is in the list already"
            raise RequestValidationError([{"type": "rule", "loc": ("body", "changes", index), "ctx": {"rule": rule}}])
    found = conflicts(database, kaltura, planned, asks=asks)
    if found:
        with database.read() as session:
            told = discreet(session, client.owns, found)
        detail = f"{len(found)} conflict(s) in the final state of the batch. Nothing was changed."
        raise ScheduleConflict(detail, conflicts=told)
    return planned


def apply(
    session: Session, store: Store, client: Client, batch: Batch, planned: Sequence[Planned], default_zone: str
) -> list[Accepted]:
    """Begins a chain for each change, in one transaction."""
    joined = _parties(planned)
    accepted = []
    for index, (change, one) in enumerate(zip(batch.changes, planned, strict=True)):
        with _at(index, change):
            accepted.append(_begin(session, store, client, one, change, default_zone, joined.get(one.id)))
    return accepted


def _begin(
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
    recording = held(session, store, find(session, client, one.of.id))
    if requests.etag(recording) != requests.etag(one.of):
        raise ChainRunning(f"{recording.id} was changed by someone else just now. Send the batch again.")
    act = requests.change if change.document is None else requests.become
    return act(session, store, recording, one.document, default_zone, party=party)


def _make(session: Session, store: Store, draft: Draft, party: Party | None) -> Accepted:
    if by_reference(session, draft.client, draft.document.reference_id) is not None:
        raise ChainRunning("It was made by someone else just now. Send the batch again.")
    if party is None:
        return accept_document(session, store, draft, None)
    return requests.make_together(session, store, draft, party)


def _parties(planned: Sequence[Planned]) -> dict[str, Party]:
    """The party of each recording that has one, by its id."""
    joined = list(range(len(planned)))  # of each change, the first one that it is joined with
    for here, one in enumerate(planned):
        for there, other in enumerate(planned):
            apart = joined[here] != joined[there] and one.room == other.leaves
            if apart and find_conflicts(one.added, other.left):
                first, last = sorted((joined[here], joined[there]))
                joined = [first if number == last else number for number in joined]
    found = dict[str, Party]()
    for first in set(joined):
        members = {place: planned[place] for place, number in enumerate(joined) if number == first}
        if len(members) > 1:
            party = _party(members)
            found |= dict.fromkeys(party.items, party)
    return found


def _party(members: Mapping[int, Planned]) -> Party:
    rooms = {room for one in members.values() for room in (one.room, one.leaves)}
    return Party(
        new_id("pty"),
        items={one.id: index for index, one in members.items()},
        rooms=sorted(room for room in rooms if isinstance(room, int)),
        names=sorted(room for room in rooms if isinstance(room, str)),
        found={one.id: one.room for one in members.values() if isinstance(one.room, int)},
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
        campus = newest(session, document)
    draft = drafts.draft(asking.client.name, document, asking.default_zone, asking.server_zone, campus)
    ensure_ahead(draft.schedule, asking.now)
    room = asking.rooms.of(document)
    added = sorted((one.start, one.end) for one in draft.schedule.wanted if one.end > asking.now)
    sessions = [(room, start, end) for start, end in added]
    return Planned(draft, document, room, sessions, added, left=[], pairs=[])


def _planned_change(asking: _Asking, recording: Recording, document: RecordingDocument) -> Planned:
    now = asking.now
    with asking.database.read() as session:
        rows = rows_of(session, recording.id, events_of(session, recording.id))
        campus = newest(session, document)
    stays = room_meant(document) == room_meant(RecordingDocument.model_validate(recording.document))
    room = recording.resource_id if stays else asking.rooms.of(document)
    schedule = schedule_on(document, zone_for(recording, asking.default_zone), campus)
    is_same = same(recording, document, asking.default_zone)
    if not is_same:
        ensure_ahead(schedule, now, recording)
    wanted = {
        "document": document.model_dump(mode="json", exclude_unset=True),
        "zone": schedule.zone.key,
        "campus": campus.within(schedule).as_json(),
    }
    same_room = room == recording.resource_id
    target = aim(wanted, rows, now, asking.server_zone, same_room=same_room)
    if is_same:
        target = Target((), frozenset(), frozenset(), ())  # nothing will be done
    touched = {row.id for row in target.rows} | target.left
    return Planned(
        recording,
        document,
        room,
        sessions=[
            *((row.room or room, row.start, row.end) for row in target.rows if row.status == SCHEDULED),
            *(
                (row.room or recording.resource_id, row.start, row.end)
                for row in rows
                if row.status in queries.WANTED and row.end > now and row.id not in touched
            ),
        ],
        added=sorted(
            (occurrence.start, occurrence.end)
            for made in target.made
            for occurrence, (_, stays) in zip(made.planned.occurrences, made.sessions, strict=True)
            if stays
        ),
        left=[
            Booked(row.start, row.end, recording.document["title"], "lectern", recording.id, row.event_id)
            for row in rows
            if row.id in target.left
        ],
        pairs=own_conflicts(recording, rows, target, room),
    )
