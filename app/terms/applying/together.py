"""Changes that go together, as rooms that are swapped do: checked and begun as a batch is, all or none."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from app.access.keys import Client
from app.chains.store import Store
from app.database.database import Database
from app.http.errors import Stale
from app.recordings.changing import batch
from app.recordings.changing.batch_schemas import Batch, BatchChange
from app.recordings.changing.final_state import Planned
from app.recordings.models import Recording
from app.resources.mirror.listing import EVERY
from app.resources.rounds import RESOURCES, read_within
from app.terms.applying import carrying
from app.terms.models import Apply, Outcome, PlanItem

Changes = tuple[Batch, Sequence[Planned]]


def knows_resources(session: Session) -> bool:
    """Whether the list of all resources is as new as a batch takes it that asks Kaltura nothing."""
    return read_within(session, RESOURCES, 2 * EVERY)


def planned(
    database: Database, apply: Apply, items: Sequence[PlanItem], default_zone: str, server_zone: ZoneInfo
) -> Changes:
    """What the changes come to, by what SQL says. Raises what a batch of them would be answered, and Stale."""
    with database.read() as session:
        changes = [_change(session.get(Recording, item.recording_id), item) for item in items]
    asked = Batch.model_construct(changes=changes)  # up to MOST_TOGETHER; one request may ask for fewer
    found = batch.check(database, None, Client(apply.client), asked, default_zone, server_zone, asks=False)
    return asked, found


def begin(
    session: Session, store: Store, apply: Apply, items: Sequence[PlanItem], changes: Changes, default_zone: str
) -> None:
    """Raises Stale, Problem."""
    for item in items:
        carrying.unchanged(session, store, item)
    asked, found = changes
    accepted = batch.apply(session, store, Client(apply.client), asked, found, default_zone)
    for item, one in zip(items, accepted, strict=True):
        carrying.note_begun(session, item, one)
        if item.outcome == Outcome.DONE:
            carrying.rewrite(session, item)


def _change(recording: Recording | None, item: PlanItem) -> BatchChange:
    if recording is None:
        raise Stale
    wanted = (item.work or {})["document"]
    return BatchChange(id=recording.id, patch=dict(patch(recording.document, wanted)))


def patch(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> Mapping[str, Any]:
    """The merge patch (RFC 7396) that makes one document of another."""
    found: dict[str, Any] = dict.fromkeys(now.keys() - wanted.keys())
    for name, value in wanted.items():
        before = now.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            if inner := patch(before, value):
                found[name] = inner
        elif before != value:
            found[name] = value
    return found
