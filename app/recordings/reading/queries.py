"""Reads what is shown of recordings: many at once, with a fixed number of queries."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, BindParameter, and_, bindparam, func, select
from sqlalchemy.orm import aliased, defer
from sqlmodel import Session, SQLModel, col

from app.chains.models import Chain, StepState
from app.chains.store import steps_of
from app.database.types import utc_now
from app.http.errors import WAITING, problem
from app.recordings.document.advice import DocumentWarning, WarningCode, about_kept, reasons
from app.recordings.models import Recording
from app.recordings.reading.views import ChainView, OccurrenceView, RecordingView, StepView
from app.resources.mirror.drift import drift_of
from app.resources.models import Occurrence, OccurrenceStatus, Resource, Upload

RECORDING_ID = re.compile("rec_[0-9a-z]{26}")
WANTED = (OccurrenceStatus.PLANNED, OccurrenceStatus.SCHEDULED)

# Built once: building a statement costs more than running it.
_EVENT = SQLModel.metadata.tables["schedule_event"]
_THESE: BindParameter[Any] = bindparam("of", expanding=True)
_EVENTS = (
    select(*(_EVENT.c[name] for name in ("recording_id", "event_id", "kind", "occurrences")))
    .where(_EVENT.c.recording_id.in_(_THESE))
    .order_by(_EVENT.c.recording_id, _EVENT.c.number)
)
_EXTENTS = (
    select(col(Occurrence.booking_id), func.count(), func.min(col(Occurrence.start)), func.max(col(Occurrence.end)))
    .where(col(Occurrence.booking_id).in_(_THESE), col(Occurrence.status).in_(WANTED))
    .group_by(col(Occurrence.booking_id))
)
_ANY = aliased(Chain)
_LATEST = select(func.max(col(_ANY.number))).where(col(_ANY.subject) == col(Recording.id)).correlate(Recording)
_SHOWN = (
    select(Recording, Chain, Resource)
    .select_from(Recording)
    .join(Chain, and_(col(Chain.subject) == col(Recording.id), col(Chain.number) == _LATEST.scalar_subquery()))
    .outerjoin(Resource, col(Resource.id) == col(Recording.resource_id))
    .where(col(Recording.id).in_(_THESE))
    .order_by(col(Recording.id).desc())
    # Much, and of interest to the chain alone. SQLModel types a class's attributes by their values.
    .options(defer(Chain.input))  # type: ignore[arg-type]
)
# Each occurrence with its resource, which is the recording's (`usual`) before it is on any, and with what was uploaded.
_OCCURRENCES = (
    select(Occurrence, Resource, Upload)
    .outerjoin(
        Resource, col(Resource.id) == func.coalesce(col(Occurrence.resource_id), bindparam("usual", type_=BigInteger))
    )
    .outerjoin(Upload, and_(col(Upload.occurrence_id) == col(Occurrence.id), col(Upload.arrived)))
)


class Shown(NamedTuple):
    """What there is one of in a recording: its latest chain, and its resource, as soon as that is known."""

    recording: Recording
    chain: Chain
    resource: Resource | None


def shown(session: Session, ids: Sequence[str]) -> list[Shown]:
    """The recordings with these ids, the latest first."""
    return [Shown(*row) for row in session.execute(_SHOWN, {"of": list(ids)})]


def in_order(session: Session, ids: Sequence[str], server_zone: ZoneInfo) -> list[RecordingView]:
    """The recordings with these ids, in their order."""
    found = {one.recording.id: one for one in shown(session, ids)}
    return views(session, [found[recording_id] for recording_id in ids], server_zone)


def view(session: Session, recording: Recording, server_zone: ZoneInfo) -> RecordingView:
    """One recording as it is shown."""
    return views(session, shown(session, [recording.id]), server_zone)[0]


def views(session: Session, found: Sequence[Shown], server_zone: ZoneInfo) -> list[RecordingView]:
    """Recordings as they are shown, in this order. `server_zone` is the zone of Kaltura's server."""
    ids = [one.recording.id for one in found]
    drift = drift_of(session, ids)
    steps = steps_of(session, [one.chain.id for one in found])
    events = defaultdict(list)
    for event in session.connection().execute(_EVENTS, {"of": ids}):
        events[event.recording_id].append({"id": event.event_id, "kind": event.kind, "occurrences": event.occurrences})
    extents = {
        booking_id: {"occurrence_count": count, "first_start": _utc(first), "last_end": _utc(last)}
        for booking_id, count, first, last in session.connection().execute(_EXTENTS, {"of": ids})
    }
    nothing = {"occurrence_count": 0, "first_start": None, "last_end": None}
    return [
        RecordingView.model_validate(
            {
                **recording.document,
                **extents.get(recording.id, nothing),
                "id": recording.id,
                "status": recording.status,
                "time_zone": recording.time_zone,
                "resource": _resource(recording, resource),
                "kaltura": {
                    "template_entry_id": recording.template_entry_id,
                    "events": events[recording.id],
                },
                "chain": _chain(chain, steps),
                "problem": problem(recording.problem).document() if recording.problem else None,
                "drift": drift.get(recording.id, []),
                "warnings": [
                    *about_kept(
                        recording.document, recording.campus, recording.time_zone, server_zone, recording.created_at
                    ),
                    *_about_resource(steps.get(chain.id, ())),
                ],
                "term": recording.term,
                "section": recording.section,
                "meeting": recording.meeting,
                "created_at": recording.created_at,
                "updated_at": recording.updated_at,
            }
        )
        for recording, chain, resource in found
    ]


def _about_resource(steps: Sequence[StepState]) -> list[DocumentWarning]:
    made = any(
        call.get("result") and call["result"].get("made")
        for row in steps
        if row.name == "resource"
        for call in row.calls or ()
    )
    detail = "Kaltura did not know this resource: it was made."
    return [DocumentWarning(code=WarningCode.NEW_RESOURCE, pointer="/resource", detail=detail)] if made else []


def history(session: Session, recording: Recording) -> list[ChainView]:
    """Every chain of the recording, the latest first."""
    chains = session.execute(
        select(Chain).where(col(Chain.subject) == recording.id).order_by(col(Chain.number).desc())
    ).scalars()
    found = list(chains)
    steps = steps_of(session, [chain.id for chain in found])
    return [_chain(chain, steps) for chain in found]


def chain(session: Session, chain_id: str) -> ChainView:
    """One chain as it is shown, whoever's it is."""
    return _chain(session.get_one(Chain, chain_id), steps_of(session, [chain_id]))


def occurrences(session: Session, recording: Recording) -> list[OccurrenceView]:
    """Every occurrence of the recording in order of time, excluded and cancelled ones too."""
    here = _OCCURRENCES.where(col(Occurrence.booking_id) == recording.id).order_by(col(Occurrence.start))
    rows, why = session.execute(here, {"usual": recording.resource_id}), reasons(recording)
    return [_occurrence(recording, why, *row) for row in rows]


def occurrence(session: Session, recording: Recording, occurrence_id: str) -> OccurrenceView:
    one = _OCCURRENCES.where(col(Occurrence.id) == occurrence_id)
    row = session.execute(one, {"usual": recording.resource_id}).one()
    return _occurrence(recording, reasons(recording), *row)


def _occurrence(
    recording: Recording,
    why: Mapping[tuple[date, bool], str],
    row: Occurrence,
    resource: Resource | None,
    upload: Upload | None,
) -> OccurrenceView:
    status = ("past" if row.end <= utc_now() else "scheduled") if row.status in WANTED else row.status
    return OccurrenceView.model_validate(
        {
            "id": row.id,
            "title": row.title or recording.document["title"],
            "start": row.start,
            "end": row.end,
            "local_start": row.start.astimezone(ZoneInfo(recording.time_zone)),
            "time_zone": recording.time_zone,
            "status": status,
            "reason": row.in_the_way or (row.slot and why.get((row.slot, status == OccurrenceStatus.EXCLUDED))),
            "event_id": row.event_id,
            "resource": _resource(recording, resource),
            "recorded": upload and {"entry_id": upload.entry_id, "duration_seconds": upload.duration_seconds},
        }
    )


def _chain(chain: Chain, steps: Mapping[str, list[StepState]]) -> ChainView:
    return ChainView(
        id=chain.id,
        operation=chain.operation,
        status=chain.status,
        created_at=chain.created_at,
        finished_at=chain.finished_at,
        steps=[_step(row) for row in steps.get(chain.id, ())],
    )


def _step(row: StepState) -> StepView:
    return StepView.model_validate(
        {
            "name": row.name,
            "status": row.status,
            "attempts": row.attempts,
            "kaltura_id": _kaltura_id(row),
            "started_at": row.started_at,
            "finished_at": row.finished_at,
            "next_attempt_at": row.next_attempt_at,
            "error": {"code": WAITING, **row.error} if row.error else None,
        }
    )


def _kaltura_id(row: StepState) -> int | str | None:
    if row.name not in ("resource", "template_entry", "events"):
        return None  # the results of others are no ids
    made = next((call.get("result") for call in row.calls or () if call.get("result") is not None), None)
    found = made.get("id") if isinstance(made, dict) else made
    return found if isinstance(found, int | str) else None


def _resource(recording: Recording, known: Resource | None) -> dict[str, Any]:
    """The resource as Kaltura knows it; before it was asked, as the document names it."""
    if known:
        return {"id": known.id, "system_name": known.system_name, "name": known.name}
    asked = recording.document["resource"]
    if isinstance(asked, dict):
        return {"id": None, "system_name": asked.get("system_name"), "name": asked.get("name")}
    return {"id": None, "system_name": asked if isinstance(asked, str) else None, "name": None}


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)
