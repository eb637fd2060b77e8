"""`POST /recordings/preview`: what a document would come to. Makes nothing, reserves nothing, writes nothing."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from enum import StrEnum
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field
from sqlmodel import Session

from app.access.keys import Client
from app.database.database import Database
from app.http.errors import AmbiguousResource, KalturaUnavailable, ResourceNotFound
from app.http.fields import Instant, Out, ZonedTime
from app.kaltura.client import KalturaClient
from app.recordings.document.ahead import ensure_ahead
from app.recordings.document.document import RecordingDocument, Schedule
from app.recordings.document.draft import resource_reference
from app.recordings.document.fields import NewResource
from app.recordings.whose import by_reference, discreet
from app.recurrence.occurrences import Exclusion, Occurrence
from app.recurrence.plan import PlannedEvent, describe, plan
from app.recurrence.rules import WEEKDAYS
from app.resources.conflicts import Booked, find_conflicts, known_bookings
from app.resources.lookup import in_kaltura, kaltura_answers, known_resources
from app.resources.naming import SEVERAL, as_id, unknown

# Kaltura's columns are utf8mb3: what lies beyond is stored as question marks (exchanges 145, 146).
_BEYOND = 0xFFFF
_TEXTS = ("title", "description", "organizer", "contact", "location", "reference_id")


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
        description="What excluded it, or why it is not at the time of day that was asked for.",
        examples=["excluded by 2027-03-22 to 2027-03-26", None],
    )


class WarningCode(StrEnum):
    GAP = "gap"
    OVERLAP = "overlap"
    EXCLUSION_UNUSED = "exclusion_unused"
    FIRST_DAY = "first_day"
    PAST = "past"
    SESSIONS_OVERLAP = "sessions_overlap"
    SERVER_HOUR = "server_hour"
    CHARACTERS = "characters"
    REFERENCE_IN_USE = "reference_in_use"
    NEW_RESOURCE = "new_resource"
    RESOURCE_UNCHECKED = "resource_unchecked"


class PreviewWarning(Out):
    """Something that is as it was asked for, and may not be what was meant."""

    code: WarningCode = Field(description="Stable, for programs.", examples=["gap"])
    pointer: str = Field(description="The field it comes from (RFC 6901).", examples=["/start"])
    detail: str = Field(
        description="One sentence, for people.",
        examples=["02:30 does not exist on 14 March 2027: that session begins at 03:30."],
    )


class Preview(Out):
    """What a document would come to."""

    occurrences: list[PreviewOccurrence] = Field(description="Every session in order of time, excluded ones too.")
    plan: str = Field(
        description="The schedule events that Kaltura would get, in words.",
        examples=["one weekly series, 40 occurrences"],
    )
    warnings: list[PreviewWarning] = Field(description="What may not be meant.")
    conflicts: list[dict[str, Any]] = Field(
        description="What Lectern knows to be on the resource then, as a 409 would list it. Kaltura is asked only "
        "when the document is sent to `POST /recordings`.",
        examples=[[]],
    )


def preview(
    database: Database,
    kaltura: KalturaClient,
    client: Client,
    document: RecordingDocument,
    default_zone: str,
    server_zone: ZoneInfo,
    now: datetime,
) -> Preview:
    """Raises what `POST /recordings` would answer about the document and its resource.

    `server_zone` is the zone of Kaltura's server.
    """
    schedule = document.schedule(default_zone)
    wanted = [(found.start, found.end) for found in schedule.wanted]
    with database.read() as session:
        alive = by_reference(session, client.name, document.reference_id)
    ensure_ahead(schedule, now, alive)
    own = alive.id if alive else None
    resource_id, about_resource = _resource(database, kaltura, document)
    with database.read() as session:
        conflicts = find_conflicts(wanted, _booked(session, resource_id, wanted, own))
        told = discreet(session, client.owns, conflicts)
    events = [
        event
        for event in plan(schedule.occurrences, schedule.rule, schedule.zone, server_zone)
        if not all(one.excluded_by for one in event.occurrences)
    ]
    about_time = *_about_time(schedule, now), *_about_length(document, schedule), *_about_server(events)
    return Preview(
        occurrences=[_shown(found, schedule) for found in schedule.occurrences],
        plan=describe(events),
        warnings=[*about_time, *_about_words(document), *_about_reference(own), *about_resource],
        conflicts=told,
    )


def _booked(
    session: Session, resource_id: int | None, wanted: Sequence[tuple[datetime, datetime]], own: str | None
) -> list[Booked]:
    if resource_id is None:
        return []
    first, last = wanted[0][0], max(end for _, end in wanted)
    return known_bookings(session, resource_id, first, last, but=[own] if own else [])


def _shown(found: Occurrence, schedule: Schedule) -> PreviewOccurrence:
    return PreviewOccurrence(
        start=found.start,
        end=found.end,
        local_start=found.start.astimezone(schedule.zone),
        weekday=WEEKDAYS[found.local.weekday()],
        status="excluded" if found.excluded_by else "scheduled",
        reason=f"excluded by {_span(found.excluded_by)}" if found.excluded_by else _anomaly(found),
    )


def _span(exclusion: Exclusion) -> str:
    return str(exclusion.first) if exclusion.first == exclusion.last else f"{exclusion.first} to {exclusion.last}"


def _anomaly(found: Occurrence) -> str | None:
    if found.anomaly == "gap" and found.wanted:
        return (
            f"{found.wanted:%H:%M} does not exist on {_day(found.wanted)}: that session begins at {found.local:%H:%M}."
        )
    if found.anomaly == "overlap":
        return f"{found.local:%H:%M} happens twice on {_day(found.local)}: that session begins at the first."
    return None


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _about_time(schedule: Schedule, now: datetime) -> Iterator[PreviewWarning]:
    found = schedule.occurrences
    first = found[0].wanted or found[0].local
    if first.date() != schedule.start.date():
        detail = f"{_day(schedule.start)} is not one of the recurrence's days: the first session is on {_day(first)}."
        yield PreviewWarning(code=WarningCode.FIRST_DAY, pointer="/start", detail=detail)
    for occurrence in found:
        if occurrence.anomaly and not occurrence.excluded_by:
            yield PreviewWarning(
                code=WarningCode(occurrence.anomaly), pointer="/start", detail=_anomaly(occurrence) or ""
            )
    dates = {(occurrence.wanted or occurrence.local).date() for occurrence in found}
    for index, exclusion in enumerate(schedule.exclude):
        if not any(exclusion.first <= day <= exclusion.last for day in dates):
            detail = f"No session falls on {_span(exclusion)}."
            yield PreviewWarning(code=WarningCode.EXCLUSION_UNUSED, pointer=f"/exclude/{index}", detail=detail)
    past = [occurrence for occurrence in found if occurrence.end <= now and not occurrence.excluded_by]
    if past:
        detail = f"{len(past)} session(s) are over already, the first on {_day(past[0].local)}."
        yield PreviewWarning(code=WarningCode.PAST, pointer="/start", detail=detail)


def _about_length(document: RecordingDocument, schedule: Schedule) -> Iterator[PreviewWarning]:
    """24 hours every day overlap themselves where the clocks are put forward."""
    pointer = "/end" if document.end else "/duration_minutes"
    for one, following in pairwise(schedule.wanted):
        if following.start < one.end:
            minutes = int((one.end - following.start).total_seconds() / 60)
            detail = (
                f"The session of {_day(one.local)} ends {minutes} minute(s) after that of {_day(following.local)} has "
                "begun: they overlap, and both are recorded."
            )
            yield PreviewWarning(code=WarningCode.SESSIONS_OVERLAP, pointer=pointer, detail=detail)


def _about_server(events: Iterable[PlannedEvent]) -> Iterator[PreviewWarning]:
    for event in events:
        if event.is_elsewhere:
            day = _day(event.occurrences[0].local)
            detail = (
                f"Kaltura's own clocks repeat an hour on {day}: there that session is from "
                f"{event.start:%H:%M:%S} to {event.end:%H:%M:%S} UTC, encoders get it at its own time."
            )
            yield PreviewWarning(code=WarningCode.SERVER_HOUR, pointer="/start", detail=detail)


def _about_words(document: RecordingDocument) -> Iterator[PreviewWarning]:
    yield from _beyond((f"/{name}", getattr(document, name)) for name in _TEXTS)
    yield from _beyond((f"/tags/{index}", tag) for index, tag in enumerate(document.tags))


def _beyond(texts: Iterable[tuple[str, str | None]]) -> Iterator[PreviewWarning]:
    for pointer, text in texts:
        count = sum(ord(character) > _BEYOND for character in text or "")
        if count:
            detail = f"{count} character(s), such as emoji, are stored by Kaltura as ????."
            yield PreviewWarning(code=WarningCode.CHARACTERS, pointer=pointer, detail=detail)


def _about_reference(own: str | None) -> Iterator[PreviewWarning]:
    if own:
        detail = f"{own} has this reference_id already: only the document that made it can be sent again."
        yield PreviewWarning(code=WarningCode.REFERENCE_IN_USE, pointer="/reference_id", detail=detail)


def _resource(
    database: Database, kaltura: KalturaClient, document: RecordingDocument
) -> tuple[int | None, list[PreviewWarning]]:
    """The resource's id, as far as it is known, and what there is to say of it."""
    asked = document.resource
    named, is_name = resource_reference(document)
    try:
        with kaltura_answers():
            found = [resource.id for resource in in_kaltura(kaltura, named, is_name=is_name)]
    except KalturaUnavailable:
        detail = "Kaltura does not answer, so the resource could not be looked up."
        unchecked = PreviewWarning(code=WarningCode.RESOURCE_UNCHECKED, pointer="/resource", detail=detail)
        with database.read() as session:
            seen = known_resources(session, named)
        return seen[0].id if len(seen) == 1 else None, [unchecked]
    if len(found) > 1:
        raise AmbiguousResource(SEVERAL, errors=[{"pointer": "/resource", "detail": SEVERAL}])
    if found:
        return found[0], []
    if isinstance(asked, NewResource):
        detail = "Kaltura does not know this resource yet: it will be made."
        if as_id(asked.system_name):
            detail += " In an object a number is a name; an id stands alone, without quotes."
        return None, [
            PreviewWarning(code=WarningCode.NEW_RESOURCE, pointer="/resource", detail=detail),
            *_beyond([("/resource/name", asked.name), ("/resource/description", asked.description)]),
        ]
    detail = unknown(named)
    raise ResourceNotFound(detail, errors=[{"pointer": "/resource", "detail": detail}])
