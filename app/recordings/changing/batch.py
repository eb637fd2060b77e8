"""Several patches at once, so that rooms can be swapped: conflicts are checked on the final state of all of them.

what each comes to ── conflicts with each other, with everything else? ── yes: 409, nothing is changed
                                                                       └─ no: a chain for each

A change whose new sessions would meet some that another change takes away depends on that one. What depends on each
other, in a row or in a ring, is a party: all of it is changed, or nothing (app/recordings/changing/switching.py).
The others are changed each by itself.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi.exceptions import RequestValidationError
from pydantic import Field
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
    NothingAhead,
    ResourceNotFound,
    ScheduleConflict,
    problem,
)
from app.http.fields import In, Line, Out, each_once
from app.kaltura.client import KalturaClient
from app.recordings.changing import requests
from app.recordings.changing.decide import aim, events_of, own_conflicts, rows_of
from app.recordings.changing.difference import SCHEDULED, Target
from app.recordings.changing.final_state import Planned, Rooms, conflicts
from app.recordings.changing.switching import Party
from app.recordings.document.ahead import ensure_ahead
from app.recordings.document.document import RecordingDocument
from app.recordings.document.equality import room_meant, same, zone_for
from app.recordings.reading import queries
from app.recordings.reading.views import ProblemView, RecordingView
from app.recordings.scheduling.accept import Accepted, held
from app.recordings.whose import discreet, find
from app.resources.conflicts import Booked, find_conflicts


class BatchChange(In):
    """One recording's patch."""

    id: Line = Field(description="The recording's id.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])
    patch: dict[str, Any] = Field(
        description="A merge patch (RFC 7396) of its document.", examples=[{"resource": "EXTRON-200-DEF"}]
    )


def _of_whom(change: BatchChange) -> str:
    return change.id


class Batch(In):
    """Patches that are applied together, or not at all if their final state has a conflict."""

    changes: Annotated[list[BatchChange], Field(min_length=1, max_length=100), each_once(_of_whom)] = Field(
        description="At most 100, each of another recording.",
        examples=[
            [
                {"id": "rec_01kantf3wq5m2c7j8e9g0h1k3p", "patch": {"resource": "EXTRON-200-DEF"}},
                {"id": "rec_01kantf3wr8q0vdzn6y5h2x9ms", "patch": {"resource": "EXTRON-100-ABC"}},
            ]
        ],
    )


class Outcome(StrEnum):
    APPLIED = "applied"
    REFUSED = "refused"
    NOT_APPLIED = "not_applied"
    PENDING = "pending"


class BatchItemView(RecordingView):
    """A recording of a batch as it is now, and what became of its change; `chain` tells how far that has come."""

    outcome: Outcome = Field(
        description="`applied`; `refused` (`problem` says why; the recording is as it was); `not_applied` (a change "
        "that it depends on was not done; the recording is as it was); `pending` (it goes on, or is stuck and can be "
        "resumed).",
        examples=["applied"],
    )
    problem: ProblemView | None = Field(
        description="Why its change was refused or not applied, or what the recording is stuck at; null when all is "
        "well.",
        examples=[None],
    )


class BatchView(Out):
    """The recordings of a batch, each with the outcome of its change."""

    items: list[BatchItemView] = Field(description="In the order of the changes.")


def views(session: Session, accepted: Sequence[Accepted], server_zone: ZoneInfo) -> BatchView:
    """What has become of each change by now. `server_zone` is the zone of Kaltura's server."""
    found = {one.recording.id: one for one in queries.shown(session, [one.recording_id for one in accepted])}
    ids = [one.chain_id for one in accepted if one.begun]
    begun = {chain.id: chain for chain in session.execute(select(Chain).where(col(Chain.id).in_(ids))).scalars()}
    shown = queries.views(session, [found[one.recording_id] for one in accepted], server_zone)
    items = [_item(view, begun.get(one.chain_id)) for view, one in zip(shown, accepted, strict=True)]
    return BatchView(items=items)


def _item(view: RecordingView, chain: Chain | None) -> BatchItemView:
    """`chain` carries the change out; there is none if the recording was so already."""
    outcome, why = Outcome.APPLIED, view.problem
    if chain is not None and chain.status == ChainStatus.FAILED and chain.error:
        outcome = Outcome.NOT_APPLIED if chain.error["code"] == BatchRefused.code else Outcome.REFUSED
        why = ProblemView.model_validate(problem(chain.error).document())
    elif chain is not None and chain.status != ChainStatus.SUCCEEDED:
        outcome = Outcome.PENDING
    return BatchItemView.model_validate({**view.model_dump(mode="json"), "outcome": outcome, "problem": why})


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

    What is wrong with one patch (422, 404) is raised too, with its place. What others have in Kaltura is looked at only
    if it `asks`: else the chains find it.
    """
    now = utc_now()
    rooms = Rooms(database, kaltura, asks=asks)
    planned = []
    for index, one in enumerate(batch.changes):
        with _at(index):
            planned.append(_planned(database, rooms, client, one, default_zone, server_zone, now))
    found = conflicts(database, kaltura, planned, asks=asks)
    if found:
        with database.read() as session:
            told = discreet(session, client.owns, found)
        detail = f"{len(found)} conflict(s) in the final state of the batch. Nothing was changed."
        raise ScheduleConflict(detail, conflicts=told)
    return planned


def apply(
    session: Session, store: Store, client: Client, planned: Sequence[Planned], default_zone: str
) -> list[Accepted]:
    """Begins a chain for each change, in one transaction."""
    joined = _parties(planned)
    accepted = []
    for one in planned:
        recording = held(session, store, find(session, client, one.recording.id))
        if requests.etag(recording) != requests.etag(one.recording):
            raise ChainRunning(f"{recording.id} was changed by someone else just now. Send the batch again.")
        party = joined.get(recording.id)
        accepted.append(requests.change(session, store, recording, one.document, default_zone, party=party))
    return accepted


def _parties(planned: Sequence[Planned]) -> dict[str, Party]:
    """The party of each recording that has one, by its id."""
    joined = list(range(len(planned)))  # of each change, the first one that it is joined with
    for here, one in enumerate(planned):
        for there, other in enumerate(planned):
            apart = joined[here] != joined[there] and one.room == other.recording.resource_id
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
    rooms = {room for one in members.values() for room in (one.room, one.recording.resource_id)}
    return Party(
        new_id("pty"),
        items={one.recording.id: index for index, one in members.items()},
        rooms=sorted(room for room in rooms if isinstance(room, int)),
        names=sorted(room for room in rooms if isinstance(room, str)),
        found={one.recording.id: one.room for one in members.values() if isinstance(one.room, int)},
    )


@contextmanager
def _at(index: int) -> Iterator[None]:
    """Mistakes in a patch are told with the patch's place in the batch."""
    place = ("body", "changes", index, "patch")
    try:
        yield
    except RequestValidationError as error:
        raise RequestValidationError([one | {"loc": (*place, *one["loc"][1:])} for one in error.errors()]) from None
    except (ResourceNotFound, AmbiguousResource) as refusal:
        errors = [{"pointer": f"/changes/{index}/patch/resource", "detail": refusal.detail}]
        raise type(refusal)(refusal.detail, errors=errors) from None
    except NothingAhead as refusal:
        errors = [{"pointer": f"/changes/{index}/patch", "detail": refusal.detail}]
        raise NothingAhead(refusal.detail, errors=errors) from None


def _planned(
    database: Database,
    rooms: Rooms,
    client: Client,
    change: BatchChange,
    default_zone: str,
    server_zone: ZoneInfo,
    now: datetime,
) -> Planned:
    with database.read() as session:
        recording = find(session, client, change.id)
        rows = rows_of(session, recording.id, events_of(session, recording.id))
    document = requests.patched(recording, change.patch)
    stays = room_meant(document) == room_meant(RecordingDocument.model_validate(recording.document))
    room = recording.resource_id if stays else rooms.of(document)
    schedule = document.schedule(zone_for(recording, default_zone))
    is_same = same(recording, document, default_zone)
    if not is_same:
        ensure_ahead(schedule, now, recording)
    wanted = {
        "document": document.model_dump(mode="json", exclude_unset=True),
        "zone": schedule.zone.key,
    }
    same_room = room == recording.resource_id
    target = aim(wanted, rows, now, server_zone, same_room=same_room)
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
                if row.status == SCHEDULED and row.end > now and row.id not in touched
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
