"""`POST /recordings/preview`: what a document would come to. Makes nothing and reserves nothing.

look_up (asks Kaltura) ──▶ the resource's schedule is read, if it never was ──▶ preview (from SQL)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlmodel import Session

from app.access.keys import Client
from app.database.database import Database
from app.http.errors import AmbiguousResource, CategoryNotFound, KalturaUnavailable, RefusedByKaltura, ResourceNotFound
from app.http.fields import Out
from app.http.times import Instant, ZonedTime
from app.kaltura.client import KalturaClient
from app.recordings.document.advice import DocumentWarning, WarningCode, about, anomaly, beyond, reason_of
from app.recordings.document.ahead import ensure_ahead
from app.recordings.document.campus import newest, schedule_on
from app.recordings.document.categories import is_category, no_category
from app.recordings.document.document import RecordingDocument, Schedule
from app.recordings.document.draft import resource_reference
from app.recordings.document.fields import NewResource, OnConflict
from app.recordings.document.summary import summary
from app.recordings.whose import by_reference, discreet
from app.recurrence.occurrences import Occurrence
from app.recurrence.plan import describe, plan
from app.recurrence.rules import WEEKDAYS
from app.resources.conflicts import Booked, find_conflicts, in_the_way, known_bookings
from app.resources.lookup import in_kaltura, kaltura_answers, known_resources, remembered
from app.resources.models import Resource
from app.resources.naming import SEVERAL, as_id, unknown


class PreviewOccurrence(Out):
    """One session as it would be."""

    start: Instant = Field(description="When it begins, in UTC.", examples=["2027-01-13T14:00:00Z"])
    end: Instant = Field(description="When it ends, in UTC.", examples=["2027-01-13T14:50:00Z"])
    local_start: ZonedTime = Field(
        description="When it begins by the clocks of its zone.", examples=["2027-01-13T09:00:00-05:00"]
    )
    weekday: Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"] = Field(
        description="Its weekday in that zone.", examples=["WE"]
    )
    status: Literal["scheduled", "excluded"] = Field(description="`excluded`: not recorded.", examples=["scheduled"])
    reason: str | None = Field(
        description="What excluded it, what is in its way (`on_conflict: skip`), why it is not at the time of day that "
        "was asked for, or that it is an included one, which the recurrence does not have.",
        examples=["excluded by 2027-03-22 to 2027-03-26", None],
    )


class Preview(Out):
    """What a document would come to."""

    occurrences: list[PreviewOccurrence] = Field(description="Every session in order of time, excluded ones too.")
    summary: str = Field(
        description="How many sessions the recurrence has, what leaves some of them out, and what adds others.",
        examples=["40 weekly sessions, 4 left out by exclude", "26 weekly sessions, 1 added on 10 May"],
    )
    plan: str = Field(
        description="The schedule events that Kaltura would get, in words.",
        examples=["one weekly series, 40 occurrences"],
    )
    warnings: list[DocumentWarning] = Field(description="What may not be meant.")
    conflicts: list[dict[str, Any]] = Field(
        description="What Lectern knows to be on the resource then, as a 409 would list it. A resource whose schedule "
        "was never read is read from Kaltura now; else Kaltura is asked only when the document is sent to "
        "`POST /recordings`.",
        examples=[[]],
    )


@dataclass(frozen=True, slots=True)
class Subject:
    """What is previewed, as far as it is known without what is booked. `resource_id`: None of one that is not there.

    `own` is the recording that has the document's reference. `away`: Kaltura did not answer.
    """

    schedule: Schedule
    own: str | None
    resource_id: int | None
    about_kaltura: Sequence[DocumentWarning]
    away: bool


def look_up(
    database: Database,
    kaltura: KalturaClient,
    client: Client,
    document: RecordingDocument,
    default_zone: str,
    now: datetime,
) -> Subject:
    """Asks Kaltura. Raises what `POST /recordings` would answer about the document and its resource."""
    with database.read() as session:
        schedule = schedule_on(document, default_zone, newest(session, document.calendars))
        alive = by_reference(session, client.name, document.reference_id)
    ensure_ahead(schedule, now, alive)
    resource_id, about_kaltura = _resource(database, kaltura, document)
    away = any(one.code == WarningCode.RESOURCE_UNCHECKED for one in about_kaltura)
    if not away:
        about_kaltura += _categories(kaltura, document)
    return Subject(schedule, alive.id if alive else None, resource_id, about_kaltura, away)


def preview(
    database: Database,
    client: Client,
    document: RecordingDocument,
    subject: Subject,
    server_zone: ZoneInfo,
    now: datetime,
    *,
    read: bool,
) -> Preview:
    """From SQL alone. `read`: whether it has what Kaltura has on the resource. `server_zone` is Kaltura's server's."""
    schedule, own = subject.schedule, subject.own
    wanted = [(found.start, found.end) for found in schedule.wanted]
    with database.read() as session:
        conflicts = find_conflicts(wanted, _booked(session, subject.resource_id, wanted, own))
        told = discreet(session, client.owns, conflicts)
    out = _left_out(document, schedule, told)
    events = [
        event
        for event in plan(schedule.occurrences, schedule.rule, schedule.zone, server_zone)
        if not all(one.excluded_by or one.start in out for one in event.occurrences)
    ]
    return Preview(
        occurrences=[_shown(found, schedule, out.get(found.start)) for found in schedule.occurrences],
        summary=summary(schedule, len(out)),
        plan=describe(events),
        warnings=[
            *about(document, schedule, server_zone, now),
            *_about_reference(own),
            *subject.about_kaltura,
            *([] if read else [_UNREAD]),
        ],
        conflicts=told,
    )


_UNREAD = DocumentWarning(
    code=WarningCode.BOOKINGS_UNCHECKED,
    pointer="/resource",
    detail="What Kaltura has on this resource has not been read yet, so conflicts may be missing here.",
)


def _booked(
    session: Session, resource_id: int | None, wanted: Sequence[tuple[datetime, datetime]], own: str | None
) -> list[Booked]:
    if resource_id is None:
        return []
    first, last = wanted[0][0], max(end for _, end in wanted)
    return known_bookings(session, resource_id, first, last, but=[own] if own else [])


def _left_out(
    document: RecordingDocument, schedule: Schedule, conflicts: Sequence[Mapping[str, Any]]
) -> dict[datetime, str]:
    """What is in the way of each session that would be left out, by its start."""
    if document.on_conflict != OnConflict.SKIP:
        return {}
    # Of a session's pairs the first counts, as it does where the session is left out.
    return {datetime.fromisoformat(pair["start"]): in_the_way(pair, schedule.zone) for pair in reversed(conflicts)}


def _shown(found: Occurrence, schedule: Schedule, left_out: str | None) -> PreviewOccurrence:
    return PreviewOccurrence(
        start=found.start,
        end=found.end,
        local_start=found.start.astimezone(schedule.zone),
        weekday=WEEKDAYS[found.local.weekday()],
        status="excluded" if found.excluded_by or left_out else "scheduled",
        reason=_reason(found) if found.excluded_by else left_out or _reason(found),
    )


def _reason(found: Occurrence) -> str | None:
    if found.excluded_by:
        return reason_of(found.excluded_by)
    return anomaly(found) or found.reason or ("included" if found.added else None)


def _about_reference(own: str | None) -> Iterator[DocumentWarning]:
    if own:
        detail = f"{own} has this reference_id already: only the document that made it can be sent again."
        yield DocumentWarning(code=WarningCode.REFERENCE_IN_USE, pointer="/reference_id", detail=detail)


def _resource(
    database: Database, kaltura: KalturaClient, document: RecordingDocument
) -> tuple[int | None, list[DocumentWarning]]:
    """The resource's id, as far as it is known, and what there is to say of it."""
    asked = document.resource
    named, is_name = resource_reference(document)
    try:
        with kaltura_answers():
            theirs = in_kaltura(kaltura, named, is_name=is_name)
            found = [resource.id for resource in theirs]
    except KalturaUnavailable:
        detail = "Kaltura does not answer, so the resource could not be looked up."
        unchecked = DocumentWarning(code=WarningCode.RESOURCE_UNCHECKED, pointer="/resource", detail=detail)
        with database.read() as session:
            seen = known_resources(session, named)
        return seen[0].id if len(seen) == 1 else None, [unchecked]
    if len(found) > 1:
        raise AmbiguousResource(SEVERAL, errors=[{"pointer": "/resource", "detail": SEVERAL}])
    if found:
        with database.read() as session:
            seen_before = session.get(Resource, found[0]) is not None
        if not seen_before:
            remembered(database, theirs)  # so that its schedule can be read
        return found[0], []
    if isinstance(asked, NewResource):
        detail = "Kaltura does not know this resource yet: it will be made."
        if as_id(asked.system_name):
            detail += " In an object a number is a name; an id stands alone, without quotes."
        return None, [
            DocumentWarning(code=WarningCode.NEW_RESOURCE, pointer="/resource", detail=detail),
            *beyond([("/resource/name", asked.name), ("/resource/description", asked.description)]),
        ]
    detail = unknown(named)
    raise ResourceNotFound(detail, errors=[{"pointer": "/resource", "detail": detail}])


def _categories(kaltura: KalturaClient, document: RecordingDocument) -> list[DocumentWarning]:
    """Raises CategoryNotFound with each that Kaltura does not know; by its code, as POST does, for an id."""
    try:
        with kaltura_answers():
            missing = {
                index: category
                for index, category in enumerate(document.categories)
                if not is_category(kaltura, category)
            }
    except (KalturaUnavailable, RefusedByKaltura):  # a sign-in may publish in a category that it may not read
        detail = "The categories could not be looked up in Kaltura."
        return [DocumentWarning(code=WarningCode.CATEGORIES_UNCHECKED, pointer="/categories", detail=detail)]
    if not missing:
        return []
    errors = [{"pointer": f"/categories/{index}", "detail": no_category(one)} for index, one in missing.items()]
    by_id = all(isinstance(one, int) for one in missing.values())
    raise CategoryNotFound(
        errors[0]["detail"], errors=errors, **{"kaltura_code": CategoryNotFound.code.upper()} if by_id else {}
    )
