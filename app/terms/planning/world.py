"""What a comparison asks of SQL (app/terms/comparing/known.py). It is asked in portions, each with one question."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, SQLModel, col

import app.terms.models  # noqa: F401 - for its tables
from app.database.many_rows import portions
from app.recordings.changing.requests import etag_of
from app.recordings.models import Recording, RecordingStatus
from app.recordings.whose import owned
from app.resources.conflicts import Booked, known_bookings
from app.resources.lookup import known_resources
from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource
from app.terms.comparing.known import Documents, Known, Own, ResourceKey, Standing
from app.terms.meetings.sessions import Span

AT_ONCE = 500  # values of one statement

_MEETING, _RECORDING, _BOOKING = (SQLModel.metadata.tables[name] for name in ("term_meeting", "recording", "booking"))
_KNOWN = select(
    *(_MEETING.c[name] for name in ("id", "recording_id", "sections", "meeting", "hash", "slot", "times", "days")),
    *(_RECORDING.c[name] for name in ("status", "version", "updated_at", "last_end")),
    _MEETING.c.missing_since,
    _BOOKING.c.title,
)


def known(session: Session, client: str, term: str, now: datetime) -> list[Known]:
    """Every meeting that the term keeps. One whose recording was refused after all is none."""
    rows = session.connection().execute(
        _KNOWN.join(_RECORDING, _RECORDING.c.id == _MEETING.c.recording_id)
        .join(_BOOKING, _BOOKING.c.id == _MEETING.c.recording_id)
        .where(
            _MEETING.c.client == client,
            _MEETING.c.term == term,
            _MEETING.c.ended_at.is_(None),
            _RECORDING.c.status != RecordingStatus.FAILED,
        )
        .order_by(_MEETING.c.id)
    )
    return [
        Known(
            id=row.id,
            recording_id=row.recording_id,
            status=row.status,
            etag=etag_of(row.version, row.updated_at),
            is_over=row.last_end <= now,
            sections=tuple(row.sections),
            meeting=row.meeting,
            hash=row.hash,
            slot=row.slot,
            times=row.times,
            days=row.days,
            title=row.title,
            missing_since=row.missing_since,
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class SqlWorld:
    """Within one view of the database. `now`: what has begun then is nobody's business any more."""

    session: Session
    client: str
    now: datetime
    _resources: dict[str | int, ResourceKey] = field(default_factory=dict)

    def documents(self, known: Collection[Known]) -> Mapping[str, Documents]:
        found: dict[str, Documents] = {}
        for ids in portions(sorted({one.id for one in known}), AT_ONCE):
            rows = self.session.connection().execute(
                select(_RECORDING.c.id, _RECORDING.c.time_zone, _RECORDING.c.document, _MEETING.c.document)
                .join(_RECORDING, _RECORDING.c.id == _MEETING.c.recording_id)
                .where(_MEETING.c.id.in_(ids))
            )
            for recording_id, zone, now, declared in rows:
                found[recording_id] = Documents(_zoned(now, zone), _zoned(declared, zone))
        return found

    def standing(self, recording_ids: Collection[str]) -> Mapping[str, Sequence[Standing]]:
        found = defaultdict[str, list[Standing]](list)
        for ids in portions(sorted(set(recording_ids)), AT_ONCE):
            statement = (
                select(Occurrence)
                .where(col(Occurrence.booking_id).in_(ids), col(Occurrence.start) > self.now)
                .order_by(col(Occurrence.start))
            )
            for row in self.session.execute(statement).scalars():
                found[row.booking_id].append(_standing(row))
        return found

    def resources(self, names: Collection[str | int]) -> Mapping[str | int, ResourceKey]:
        self._resources.update({name: self._resource(name) for name in names if name not in self._resources})
        return {name: self._resources[name] for name in names}

    def _resource(self, name: str | int) -> ResourceKey:
        found = known_resources(self.session, name)
        return found[0].id if len(found) == 1 else str(name).casefold()

    def booked(self, resource: ResourceKey, span: Span, but: Collection[str]) -> Sequence[Booked]:
        if not isinstance(resource, int):
            return []
        found = [one for one in known_bookings(self.session, resource, *span) if one.recording_id not in but]
        shown = owned(self.session, lambda other: other == self.client, {one.recording_id for one in found})
        return [one if one.recording_id in shown else replace(one, title=None) for one in found]

    def own(self, references: Collection[str], titles: Collection[str]) -> Sequence[Own]:
        found: dict[str, Own] = {}
        for column, values in ((col(Recording.active_reference), references), (col(Booking.title), titles)):
            for some in portions(sorted(set(values)), AT_ONCE):
                rows = self.session.execute(
                    select(Recording)
                    .join(Booking, col(Booking.id) == col(Recording.id))
                    .where(
                        col(Recording.client) == self.client,
                        col(Recording.term).is_(None),
                        col(Recording.status) == RecordingStatus.SCHEDULED,
                        col(Recording.last_end) > self.now,
                        column.in_(some),
                    )
                ).scalars()
                for row in rows:
                    etag = etag_of(row.version, row.updated_at)
                    found[row.id] = Own(row.id, row.active_reference, etag, _zoned(row.document, row.time_zone))
        return [found[one] for one in sorted(found)]

    def references(self, begin: str) -> Collection[str]:
        used = col(Recording.active_reference)
        mine = (col(Recording.client) == self.client, used.startswith(begin, autoescape=True))
        return set(self.session.execute(select(used).where(*mine)).scalars()) - {None}


def _zoned(document: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """The document, which names its zone; one that did not is the recording's."""
    return {"time_zone": zone} | dict(document)


def _standing(row: Occurrence) -> Standing:
    return Standing(
        row.slot,
        row.start,
        row.end,
        row.resource_id,
        scheduled=row.status in (OccurrenceStatus.PLANNED, OccurrenceStatus.SCHEDULED),
        decided=row.moved or row.status == OccurrenceStatus.CANCELLED,
        stays=row.restored or row.placed,
        own_resource=row.resource_id if row.placed else None,
    )


def resource_names(session: Session) -> dict[int, str]:
    """Kaltura's resources as far as they were seen: each id with its system name."""
    rows = session.execute(
        select(col(Resource.id), col(Resource.system_name)).where(col(Resource.gone_since).is_(None))
    )
    return {resource_id: name for resource_id, name in rows if name}
