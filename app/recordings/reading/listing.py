"""`GET /recordings`: which recordings, in which order, and where the next page begins."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import AfterValidator
from sqlalchemy import ColumnElement, and_, or_, select
from sqlmodel import Session, col

from app.access.keys import Client
from app.database.types import utc_now
from app.http.fields import Line
from app.http.parameters import as_cursor, of_cursor
from app.http.times import Moment
from app.recordings.models import Recording, RecordingStatus, RecordingTag
from app.recordings.reading import queries
from app.recordings.reading.views import RecordingView
from app.resources.lookup import ever_known
from app.resources.mirror.drift import with_drift
from app.resources.models import Booking, Occurrence, OccurrenceStatus


def _in_whole_seconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


class Sort(StrEnum):
    START = "start"
    UPDATED = "updated"


_BY = {Sort.START: col(Recording.first_start), Sort.UPDATED: col(Recording.updated_at)}
_ID = col(Recording.id)


@dataclass(frozen=True, slots=True)
class Filters:
    status: tuple[str, ...] = ()
    resource: str | None = None
    reference_id: str | None = None
    tag: str | None = None
    title: str | None = None
    owner: str | None = None
    drift: bool | None = None
    term: str | None = None
    section: str | None = None
    meeting: str | None = None
    begins_before: datetime | None = None
    ends_after: datetime | None = None
    updated_since: datetime | None = None


async def filters(
    status: Annotated[
        list[RecordingStatus] | None,
        Query(description="Only those in this state; repeat it for several.", examples=[["scheduled", "stuck"]]),
    ] = None,
    resource: Annotated[
        Line | None,
        Query(description="Only those with sessions on it: Kaltura id or system name.", examples=["EXTRON-100-ABC"]),
    ] = None,
    reference_id: Annotated[
        Line | None, Query(description="Only those with your id.", examples=["SIS-2026F-MATH123-01"])
    ] = None,
    tag: Annotated[Line | None, Query(description="Only those with this tag.", examples=["mathematics"])] = None,
    title: Annotated[
        Line | None, Query(description="Only those with this in their title, in capitals or not.", examples=["algebra"])
    ] = None,
    owner: Annotated[Line | None, Query(description="Only those of this owner.", examples=["lecturer1"])] = None,
    drift: Annotated[
        bool | None, Query(description="`true`: only those with drift; `false`: only those without.", examples=[True])
    ] = None,
    term: Annotated[Line | None, Query(description="Only those of this term.", examples=["2027S"])] = None,
    section: Annotated[
        Line | None, Query(description="Only those that say this section of a term.", examples=["20005"])
    ] = None,
    meeting: Annotated[
        Line | None, Query(description="Only those that say this meeting of a section.", examples=["1"])
    ] = None,
    after: Annotated[
        Moment | None,
        Query(alias="from", description="Only those that end after it.", examples=["2027-01-13T00:00:00Z"]),
    ] = None,
    before: Annotated[
        Moment | None,
        Query(alias="to", description="Only those that begin before it.", examples=["2027-06-01T00:00:00Z"]),
    ] = None,
    updated_since: Annotated[
        Annotated[Moment, AfterValidator(_in_whole_seconds)] | None,
        Query(description="Only those that changed in that second or later.", examples=["2026-11-22T14:03:08Z"]),
    ] = None,
) -> Filters:
    return Filters(
        tuple(status or ()),
        *(resource, reference_id, tag, title, owner, drift, term, section, meeting),
        begins_before=before,
        ends_after=after,
        updated_since=updated_since,
    )


class _Place(NamedTuple):
    """The last recording of the page before; `at` is what the list is sorted by, None if that is the id alone."""

    at: datetime | None
    id: str


def page(
    session: Session,
    client: Client,
    filters: Filters,
    sort: Sort | None,
    limit: int,
    cursor: str | None,
    server_zone: ZoneInfo,
) -> tuple[list[RecordingView], str | None]:
    """The client's recordings, and the cursor of the next page (None on the last).

    `server_zone` is the zone of Kaltura's server. The latest first; with `sort`, what begins or has changed first: what
    changes while somebody pages comes once more.
    """
    by = _BY[sort] if sort else None
    statement = select(_ID, _ID if by is None else by).where(col(Recording.listed), *_wanted(session, client, filters))
    if cursor is not None:
        statement = statement.where(_after(sort, _read_cursor(cursor, sort)))
    statement = statement.order_by(*([_ID.desc()] if by is None else [by, _ID])).limit(limit + 1)
    rows = session.execute(statement).all()
    ids = [row[0] for row in rows[:limit]]
    more = _cursor(sort, *rows[limit - 1]) if len(rows) > limit else None
    return queries.in_order(session, ids, server_zone), more


def _wanted(session: Session, client: Client, filters: Filters) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = [
        col(getattr(Recording, column)) == value
        for column, value in (
            ("client", None if client.sees_all else client.name),
            ("reference_id", filters.reference_id),
            ("term", filters.term),
            ("section", filters.section),
            ("meeting", filters.meeting),
        )
        if value is not None
    ]
    if filters.status:
        wanted.append(col(Recording.status).in_(filters.status))
    if filters.resource is not None:
        ids = [resource.id for resource in ever_known(session, filters.resource)]
        placed = select(col(Occurrence.booking_id)).where(
            col(Occurrence.resource_id).in_(ids),
            col(Occurrence.placed),
            col(Occurrence.status) != OccurrenceStatus.CANCELLED,
        )
        wanted.append(col(Recording.resource_id).in_(ids) | _ID.in_(placed))
    if filters.tag is not None:
        tagged = col(RecordingTag.tag) == filters.tag.casefold()
        wanted.append(_ID.in_(select(col(RecordingTag.recording_id)).where(tagged)))
    if filters.title is not None:
        titled = col(Booking.title).icontains(filters.title, autoescape=True)
        wanted.append(_ID.in_(select(col(Booking.id)).where(titled)))
    if filters.owner is not None:
        wanted.append(col(Recording.document)["owner"].as_string() == filters.owner)
    if filters.drift is not None:
        drifted = _ID.in_(with_drift(utc_now()))
        wanted.append(drifted if filters.drift else ~drifted)
    if filters.ends_after is not None:
        wanted.append(col(Recording.last_end) > filters.ends_after)
    if filters.begins_before is not None:
        wanted.append(col(Recording.first_start) < filters.begins_before)
    if filters.updated_since is not None:
        wanted.append(col(Recording.updated_at) >= filters.updated_since)
    return wanted


# Cursors


def _after(sort: Sort | None, last: _Place) -> ColumnElement[bool]:
    if sort is None:
        return last.id > _ID
    return or_(_BY[sort] > last.at, and_(_BY[sort] == last.at, last.id < _ID))


def _cursor(sort: Sort | None, recording_id: str, at: datetime | str) -> str:
    plain = f"{sort} {at.isoformat()} {recording_id}" if sort and isinstance(at, datetime) else recording_id
    return as_cursor(plain)


def _read_cursor(cursor: str, sort: Sort | None) -> _Place:
    """Raises RequestValidationError for what was never given out, or for a list in another order."""
    try:
        *by, recording_id = of_cursor(cursor).split(" ")
        at = datetime.fromisoformat(by[1]).astimezone(UTC) if sort else None
    except (ValueError, IndexError, OverflowError):
        by, recording_id, at = [], "", None
    if by[:1] != ([sort] if sort else []) or not queries.RECORDING_ID.fullmatch(recording_id):
        rule = "is not a cursor that was given out for a list in this order"
        raise RequestValidationError([{"type": "rule", "loc": ("query", "cursor"), "ctx": {"rule": rule}}])
    return _Place(at, recording_id)
