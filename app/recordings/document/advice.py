"""What a document may not mean as it says it: warnings, in previews and in every answer that shows a recording."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field

from app.http.fields import Out
from app.recordings.document.campus import followed, kept_days
from app.recordings.document.document import RecordingDocument, Schedule
from app.recordings.document.fields import as_inclusion
from app.recordings.models import Recording
from app.recurrence.occurrences import Exclusion, Occurrence, excluding, is_fixed
from app.recurrence.server import as_sent

# Kaltura's columns are utf8mb3: what lies beyond is stored as question marks (exchanges 145, 146).
_BEYOND = 0xFFFF
# What says nothing of times, and may be long: it is not remembered.
_LONG = frozenset({"description", "tags", "categories", "editors", "publishers", "related_entries"})
_TEXTS = ("title", "description", "organizer", "contact", "location", "reference_id")


class WarningCode(StrEnum):
    GAP = "gap"
    OVERLAP = "overlap"
    EXCLUSION_UNUSED = "exclusion_unused"
    INCLUSION_UNUSED = "inclusion_unused"
    INCLUDED_ALL_THE_SAME = "included_all_the_same"
    FIRST_DAY = "first_day"
    PAST = "past"
    SESSIONS_OVERLAP = "sessions_overlap"
    SERVER_HOUR = "server_hour"
    CHARACTERS = "characters"
    REFERENCE_IN_USE = "reference_in_use"
    NEW_RESOURCE = "new_resource"
    RESOURCE_UNCHECKED = "resource_unchecked"
    BOOKINGS_UNCHECKED = "bookings_unchecked"
    CATEGORIES_UNCHECKED = "categories_unchecked"
    ZONE_WITHOUT_RULES = "zone_without_rules"
    OFFSET_WITHOUT_ZONE = "offset_without_zone"


class DocumentWarning(Out):
    """Something that is as it was asked for, and may not be what was meant."""

    code: WarningCode = Field(description="Stable, for programs.", examples=["gap"])
    pointer: str = Field(description="The field it comes from (RFC 6901).", examples=["/start"])
    detail: str = Field(
        description="One sentence, for people.",
        examples=["02:30 does not exist on 14 March 2027: that session begins at 03:30."],
    )


def about(
    document: RecordingDocument, schedule: Schedule, server_zone: ZoneInfo, asked_at: datetime
) -> list[DocumentWarning]:
    """The warnings that follow from the document alone. `server_zone` is the zone of Kaltura's server."""
    words = document.model_dump(include={*_TEXTS, "tags"})
    return [*_about_times(document, schedule, server_zone, asked_at), *_about_words(words)]


def about_kept(
    document: Mapping[str, Any],
    campus: Sequence[Mapping[str, Any]] | None,
    zone: str,
    server_zone: ZoneInfo,
    asked_at: datetime,
) -> list[DocumentWarning]:
    """`about` for a document, and campus days, as a recording keeps them: shown again and again, so its occurrences are
    remembered."""
    times = json.dumps({name: value for name, value in document.items() if name not in _LONG})
    days = json.dumps(campus)
    return [*_about_kept_times(times, days, zone, server_zone, asked_at), *_about_words(document)]


@lru_cache(maxsize=4096)
def _about_kept_times(
    text: str, days: str, zone: str, server_zone: ZoneInfo, asked_at: datetime
) -> tuple[DocumentWarning, ...]:
    document = RecordingDocument.model_validate_json(text)
    schedule = kept_days(json.loads(days)).on(document.schedule(zone))
    return tuple(_about_times(document, schedule, server_zone, asked_at))


def _about_times(
    document: RecordingDocument, schedule: Schedule, server_zone: ZoneInfo, asked_at: datetime
) -> Iterator[DocumentWarning]:
    yield from _about_time(schedule, asked_at)
    yield from _about_days(document, schedule)
    yield from _about_length(document, schedule)
    yield from _about_server(schedule, server_zone)
    yield from _about_zone(document, schedule)


def span(exclusion: Exclusion) -> str:
    """`2027-02-15`, or `2027-03-22 to 2027-03-26`."""
    return str(exclusion.first) if exclusion.first == exclusion.last else f"{exclusion.first} to {exclusion.last}"


def reason_of(exclusion: Exclusion) -> str:
    """What excluded a session, for people."""
    return exclusion.reason or f"excluded by {span(exclusion)}"


def reasons(recording: Recording) -> dict[tuple[date, bool], str]:
    """What excludes the recording's sessions (True), or adds them, by their local dates, for people."""
    return {
        ((one.wanted or one.local).date(), one.excluded_by is not None): why
        for one in followed(recording).occurrences
        if (why := reason_of(one.excluded_by) if one.excluded_by else one.reason)
    }


def anomaly(found: Occurrence) -> str | None:
    """The sentence about a time that the clocks skip or repeat; None for any other."""
    if found.anomaly == "gap" and found.wanted:
        return (
            f"{found.wanted:%H:%M} does not exist on {_day(found.wanted)}: that session begins at {found.local:%H:%M}."
        )
    if found.anomaly == "overlap":
        which = "second" if found.local.fold else "first"
        return f"{found.local:%H:%M} happens twice on {_day(found.local)}: that session begins at the {which}."
    return None


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _about_time(schedule: Schedule, now: datetime) -> Iterator[DocumentWarning]:
    found = schedule.occurrences
    first = found[0].wanted or found[0].local
    if first.date() != schedule.start.date():
        detail = f"{_day(schedule.start)} is not one of the recurrence's days: the first session is on {_day(first)}."
        yield DocumentWarning(code=WarningCode.FIRST_DAY, pointer="/start", detail=detail)
    for occurrence in found:
        if occurrence.anomaly and not occurrence.excluded_by:
            yield DocumentWarning(
                code=WarningCode(occurrence.anomaly), pointer="/start", detail=anomaly(occurrence) or ""
            )
    past = [occurrence for occurrence in found if occurrence.end <= now and not occurrence.excluded_by]
    if past:
        how_many = "1 session is" if len(past) == 1 else f"{len(past)} sessions are"
        detail = f"{how_many} over already, the first on {_day(past[0].local)}."
        yield DocumentWarning(code=WarningCode.PAST, pointer="/start", detail=detail)


def _about_days(document: RecordingDocument, schedule: Schedule) -> Iterator[DocumentWarning]:
    """What is excluded and included for nothing, and both at once."""
    found = {(one.wanted or one.local).date(): one for one in schedule.occurrences}
    for index, exclusion in enumerate(schedule.exclude):
        said_here = exclusion.reason is None
        if said_here and not any(exclusion.first <= day <= exclusion.last for day in found):
            detail = f"No session falls on {span(exclusion)}."
            pointer = f"/exclude/{index}" if index < len(document.exclude) else "/recurrence"
            yield DocumentWarning(code=WarningCode.EXCLUSION_UNUSED, pointer=pointer, detail=detail)
    excluded = excluding(schedule.exclude)
    for index, item in enumerate(document.include):
        day = as_inclusion(item).day
        if holds := excluded(day):
            detail = f"{_day(day)} is excluded ({holds.reason or span(holds)}) and included: it is recorded."
            code = WarningCode.INCLUDED_ALL_THE_SAME
        elif day in found and not found[day].added:
            detail = f"The recurrence has that session on {_day(day)} already."
            code = WarningCode.INCLUSION_UNUSED
        else:
            continue
        yield DocumentWarning(code=code, pointer=f"/include/{index}", detail=detail)


def _about_length(document: RecordingDocument, schedule: Schedule) -> Iterator[DocumentWarning]:
    """24 hours every day overlap themselves where the clocks are put forward."""
    pointer = "/end" if document.end else "/duration_minutes"
    for one, following in pairwise(schedule.wanted):
        if following.start < one.end:
            minutes = int((one.end - following.start).total_seconds() / 60)
            detail = (
                f"The session of {_day(one.local)} ends {minutes} minute(s) after that of {_day(following.local)} has "
                "begun: they overlap, and both are recorded."
            )
            yield DocumentWarning(code=WarningCode.SESSIONS_OVERLAP, pointer=pointer, detail=detail)


def _about_server(schedule: Schedule, server: ZoneInfo) -> Iterator[DocumentWarning]:
    for one in schedule.wanted:
        start, end = as_sent(one.start, one.end, server)
        if (start, end) != (one.start, one.end):
            detail = (
                f"Kaltura's own clocks repeat an hour on {_day(one.local)}: there that session is from "
                f"{start:%H:%M:%S} to {end:%H:%M:%S} UTC, encoders get it at its own time."
            )
            yield DocumentWarning(code=WarningCode.SERVER_HOUR, pointer="/start", detail=detail)


def _about_zone(document: RecordingDocument, schedule: Schedule) -> Iterator[DocumentWarning]:
    if is_fixed(schedule.zone):
        offset = schedule.occurrences[0].start.astimezone(schedule.zone).isoformat()[-6:]
        detail = (
            f"The clocks of {schedule.zone.key} never change: it is always at {offset}. If the room's do, name its "
            "place, like America/New_York."
        )
        yield DocumentWarning(code=WarningCode.ZONE_WITHOUT_RULES, pointer="/time_zone", detail=detail)
    if (document.recurrence or document.include) and document.start.tzinfo and not document.time_zone:
        detail = (
            "An offset says when the first session begins, and not when the clocks change. All sessions follow those "
            f"of {schedule.zone.key}, the service's own zone; name the room's as time_zone."
        )
        yield DocumentWarning(code=WarningCode.OFFSET_WITHOUT_ZONE, pointer="/start", detail=detail)


def _about_words(said: Mapping[str, Any]) -> Iterator[DocumentWarning]:
    yield from beyond((f"/{name}", said.get(name)) for name in _TEXTS)
    yield from beyond((f"/tags/{index}", tag) for index, tag in enumerate(said.get("tags", ())))


def beyond(texts: Iterable[tuple[str, str | None]]) -> Iterator[DocumentWarning]:
    """Of `(pointer, text)`: those with characters that Kaltura stores as question marks."""
    for pointer, text in texts:
        count = 0 if not text or text.isascii() else sum(ord(character) > _BEYOND for character in text)
        if count:
            detail = f"{count} character(s), such as emoji, are stored by Kaltura as ????."
            yield DocumentWarning(code=WarningCode.CHARACTERS, pointer=pointer, detail=detail)
