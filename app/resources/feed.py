"""What a resource has to record next, from SQL alone: it is answered whether Kaltura is up or not."""

import hashlib
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlmodel import Session, col

from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource
from app.resources.schemas import ResourceName, UpcomingOccurrence, UpcomingView


def upcoming(
    session: Session, resource: Resource, now: datetime, start: datetime, end: datetime, limit: int
) -> UpcomingView:
    """The occurrences that touch [start, end) and have not ended, by start, `limit` of them at most."""
    rows = session.execute(
        select(Occurrence, Booking)
        .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
        .where(
            col(Occurrence.resource_id) == resource.id,
            col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
            col(Occurrence.end) > max(now, start),
            col(Occurrence.start) < end,
        )
        .order_by(col(Occurrence.start), col(Occurrence.id))
        .limit(limit)
    )
    occurrences = [_shown(occurrence, booking, now) for occurrence, booking in rows]
    return UpcomingView.model_validate(
        {
            "resource": ResourceName(id=resource.id, system_name=resource.system_name, name=resource.name),
            "server_time": now,
            "as_of": now,
            "stale": False,
            "schedule_version": _version([occurrence.model_dump(mode="json") for occurrence in occurrences]),
            "from": start,
            "to": end,
            "occurrences": occurrences,
        }
    )


def _version(occurrences: Any) -> str:
    """Over what is shown, so that an occurrence that enters the window changes it."""
    return hashlib.sha256(json.dumps(occurrences, sort_keys=True).encode()).hexdigest()[:32]


def _shown(occurrence: Occurrence, booking: Booking, now: datetime) -> UpcomingOccurrence:
    return UpcomingOccurrence(
        uid=occurrence.id,
        status="recording_now" if occurrence.start <= now else "upcoming",
        title=booking.title,
        description=booking.description,
        start=occurrence.start,
        end=occurrence.end,
        local_start=occurrence.start.astimezone(ZoneInfo(booking.time_zone)),
        time_zone=booking.time_zone,
        duration_seconds=int((occurrence.end - occurrence.start).total_seconds()),
        recording_id=booking.id,
        event_id=occurrence.event_id,
        series_id=occurrence.series_id,
        template_entry_id=booking.template_entry_id,
        tags=booking.tags,
        source="lectern",
    )


def matches(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110, 13.1.2: weak comparison with a list of tags, or `*`."""
    if if_none_match is None:
        return False
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return "*" in given or etag.removeprefix("W/") in given
