"""The document that a client sends to `POST /recordings`: what it may say, and what it comes to in time.

    JSON ── RecordingDocument ── .schedule(default zone) ──▶ Schedule (every occurrence)

Rules within a field are checked when the document is read; rules between times are checked with them where the
document names its zone, and else by `schedule`, as soon as the service's zone is known. All of them are one
422 that points at the field.
"""

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from app.http.fields import In, Line, OptionalLine, OptionalText, Words, broken_at
from app.http.times import LocalTime
from app.recordings.document.fields import (
    Calendars,
    Categories,
    DateRange,
    Dates,
    Entries,
    Exclusions,
    Inclusions,
    OnConflict,
    Recurrence,
    Repeats,
    Resource,
    Tags,
    UserId,
    Users,
    Visibility,
    ZoneName,
    as_inclusion,
)
from app.recurrence.occurrences import MAX_DURATION, Exclusion, Inclusion, Occurrence, occurrences, place, zone
from app.recurrence.rules import Rule, RuleError, horizon, parse_rrule
from app.recurrence.text import Recurring, read_text

EXAMPLE: dict[str, Any] = {
    "reference_id": "SIS-2026F-MATH123-01",
    "title": "MATH-123 Linear Algebra",
    "description": "Section 01, fall term",
    "tags": ["mathematics", "kaltura"],
    "categories": [86105441, "Canvas>site>channels>1234"],
    "owner": "lecturer1",
    "editors": ["ta1"],
    "publishers": [],
    "organizer": "Registrar",
    "contact": "av@campus.example",
    "location": "Room 702",
    "visibility": "public",
    "related_entries": ["1_abcd1234"],
    "resource": {
        "system_name": "EXTRON-100-ABC",
        "name": "EXTRON-100-ABC",
        "description": "Camera in Classroom #702",
    },
    "start": "2027-01-13T09:00:00",
    "time_zone": "America/New_York",
    "duration_minutes": 50,
    "recurrence": {"frequency": "weekly", "days": ["MO", "WE", "FR"], "count": 40, "week_start": "WE"},
    "exclude": ["2027-02-15", {"from": "2027-03-22", "to": "2027-03-26"}],
    "on_conflict": "reject",
}
ONCE: dict[str, Any] = {
    "title": "Guest lecture: The Sky in Radio",
    "resource": "EXTRON-200-DEF",
    "start": "2027-02-03T18:15:00",
    "end": "2027-02-03T19:45:00",
    "time_zone": "America/New_York",
}
RRULE: dict[str, Any] = {
    "title": "Faculty colloquium",
    "resource": "PEARL-300-GHI",
    "start": "2027-02-02T17:00:00-05:00",
    "time_zone": "America/New_York",
    "duration_minutes": 90,
    "recurrence": "FREQ=MONTHLY;BYDAY=1TU;COUNT=5",
}
DATES: dict[str, Any] = {
    "title": "Seminar: Reading Euler",
    "resource": "EXTRON-200-DEF",
    "start": "2027-01-15T14:00:00",
    "time_zone": "America/New_York",
    "duration_minutes": 90,
    "recurrence": {"dates": ["2027-01-15", "2027-01-29", "2027-02-05", "2027-02-26"]},
    "include": ["2027-03-05", {"date": "2027-03-12", "start": "10:00", "duration_minutes": 180}],
}
EXAMPLES: dict[str, Any] = {
    "series": {"summary": "A lecture series, with every field in use", "value": EXAMPLE},
    "once": {"summary": "One session, with what is needed and no more", "value": ONCE},
    "dates": {"summary": "Dates that follow no rule, and two more sessions, one at its own time", "value": DATES},
    "rrule": {"summary": "The first Tuesday of each month, as an RRULE", "value": RRULE},
}


class DocumentFields(BaseModel):
    """What a document says and a recording shows, both in the same words."""

    reference_id: Annotated[str, Words(255)] | None = Field(
        None,
        description="Your own id of it, at most 255 bytes. The same one with the same document is made once; "
        "with another document it is a conflict.",
        examples=["SIS-2026F-MATH123-01"],
    )
    title: Line = Field(description="1 to 256 bytes of UTF-8, on one line.", examples=["MATH-123 Linear Algebra"])
    description: OptionalText = Field(
        None,
        description="At most 65,535 bytes; may have several lines.",
        examples=["Section 01, fall term"],
    )
    tags: Tags = Field(
        [],
        description="At least two characters each, no commas. Kaltura keeps them in lower case.",
        examples=[["mathematics", "kaltura"]],
    )
    categories: Categories = Field(
        [],
        description="Where it is published: categories by id, or by full name with `>` between the levels. They "
        "have to exist already.",
        examples=[[86105441, "Canvas>site>channels>1234"]],
    )
    owner: UserId | None = Field(
        None,
        description="Kaltura user id of the owner; made by Kaltura if it does not exist. Without one, the "
        "service's own user.",
        examples=["lecturer1"],
    )
    editors: Users = Field(
        [],
        description="Kaltura user ids of those who may edit what is recorded.",
        examples=[["ta1"]],
    )
    publishers: Users = Field(
        [],
        description="Kaltura user ids of those who may publish what is recorded.",
        examples=[["ta1"]],
    )
    organizer: OptionalLine = Field(None, description="Who arranges it, at most 256 bytes.", examples=["Registrar"])
    contact: OptionalLine = Field(
        None, description="Whom to ask about it, at most 256 bytes.", examples=["av@campus.example"]
    )
    location: OptionalLine = Field(
        None, description="Where it takes place, in words, at most 256 bytes.", examples=["Room 702"]
    )
    visibility: Visibility = Field(
        Visibility.PUBLIC, description="`public`, `private` or `confidential`.", examples=["public"]
    )
    related_entries: Entries = Field(
        [],
        description="Ids of Kaltura entries that belong to it.",
        examples=[["1_abcd1234"]],
    )
    start: LocalTime = Field(
        description="When the first occurrence begins: wall-clock time in `time_zone`, or a time with an "
        "offset, which is converted into that zone. Whole seconds, years 2000 to 2099.",
        examples=["2027-01-13T09:00:00", "2027-01-13T14:00:00Z"],
    )
    time_zone: ZoneName | None = Field(
        None,
        description="IANA name of the zone whose clocks it follows. The service's own if left out.",
        examples=["America/New_York"],
    )
    duration_minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] | None = Field(
        None, description="How long one occurrence lasts: 1 to 1440. Either this or `end`.", examples=[50]
    )
    end: LocalTime | None = Field(
        None,
        description="When the first occurrence ends, written like `start`; at most 24 hours after it. Every "
        "occurrence lasts as long as the first. Either this or `duration_minutes`.",
        examples=["2027-01-13T09:50:00"],
    )
    recurrence: Repeats | None = Field(
        None,
        description="When it repeats: an object with a rule or with dates, or an RRULE of RFC 5545 as a string. At "
        "most 1,000 occurrences and three years. Once only, if left out.",
        examples=[EXAMPLE["recurrence"], "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=40", DATES["recurrence"]],
    )
    exclude: Exclusions = Field(
        [],
        description="Local dates, or ranges of them, on which nothing is recorded. What is dropped this way "
        "still counts towards `count`.",
        examples=[EXAMPLE["exclude"]],
    )
    include: Inclusions = Field(
        [],
        description="Further sessions: local dates, or objects with a date and a time of day or length of its own. A "
        "date has one session: an own time takes the place of the usual one, and a date that is excluded too is "
        "recorded. They do not count towards `count`.",
        examples=[DATES["include"]],
    )
    calendars: Calendars = Field(
        [],
        description="Names of calendars (`/calendars`): nothing is recorded on their days either. When a calendar "
        "changes, the recording does.",
        examples=[["campus-2027"]],
    )
    on_conflict: OnConflict = Field(
        OnConflict.REJECT,
        description="`reject`: 409 with every conflict, and nothing is made. `allow`: scheduled anyway. `skip`: all is "
        "scheduled but for the sessions in conflict, which are `excluded`, and come back when the document is sent "
        "again and nothing is in their way any more; 409 if all of them are in conflict.",
        examples=["reject"],
    )


@dataclass(frozen=True, slots=True)
class Schedule:
    """What a document comes to in time.

    `start` is naive wall-clock time in `zone`, with `fold=1` in the second run of an hour that its clocks repeat.
    `duration` is elapsed time.
    """

    start: datetime
    zone: ZoneInfo
    duration: timedelta
    rule: Rule | None
    exclude: tuple[Exclusion, ...]  # the document's own first
    occurrences: tuple[Occurrence, ...]  # ascending; excluded ones are there, marked
    dates: tuple[date, ...] = ()  # ascending, of a recurrence that is no rule
    include: tuple[Inclusion, ...] = ()

    @property
    def wanted(self) -> list[Occurrence]:
        """Those that are not excluded; at least one, unless calendars exclude them all."""
        return [occurrence for occurrence in self.occurrences if not occurrence.excluded_by]

    @property
    def last_end(self) -> datetime:
        """When the last of those ends that are not excluded (UTC); the last of all, if there are none."""
        return max(occurrence.end for occurrence in self.wanted or self.occurrences)


class RecordingDocument(In, DocumentFields):
    """One document, from which everything that Kaltura needs is made.

    Required are `title`, `resource`, `start`, and one of `duration_minutes` and `end`.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    resource: Resource = Field(
        description="The camera or encoder that records: its Kaltura id, its system name, or an object with the "
        "system name, from which it is made if Kaltura does not know it yet. A number is an id if there is such a "
        "resource, and else a name.",
        examples=[EXAMPLE["resource"], 562931, "EXTRON-100-ABC"],
    )

    _schedule: Schedule | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.duration_minutes is None and self.end is None:
            raise broken_at(("duration_minutes",), "is required, unless end is given")
        if self.duration_minutes is not None and self.end is not None:
            raise broken_at(("end",), "must be left out where duration_minutes is given")
        if self.time_zone is not None:
            self._schedule = _schedule(self, zone(self.time_zone))
        return self

    def referring_to(self, reference_id: str) -> Self:
        """The document with the `reference_id` of its address. Raises RequestValidationError if it names another."""
        if self.reference_id not in (None, reference_id):
            rule = "must be left out, or be the one in the address"
            raise RequestValidationError([{"type": "rule", "loc": ("body", "reference_id"), "ctx": {"rule": rule}}])
        return self.model_copy(update={"reference_id": reference_id})

    def schedule(self, default_zone: str) -> Schedule:
        """Every occurrence, in the document's zone or else in `default_zone`. Raises RequestValidationError."""
        try:
            return self._schedule or _schedule(self, zone(default_zone))
        except ValidationError as error:
            raise RequestValidationError(
                [detail | {"loc": ("body", *detail["loc"])} for detail in error.errors(include_url=False)]
            ) from None

    def canonical(self) -> dict[str, Any]:
        """The document as JSON in one spelling: an RRULE as an object, days and dates in order, no defaults.

        Defaults are left out rather than filled in, so that a field that a later version adds changes nothing
        about the documents that were sent before. What else can be spelt in several ways:
        app/recordings/document/equality.py.
        """
        said = self.model_dump(mode="json", exclude_defaults=True)
        if self.recurrence:
            said["recurrence"] = _spelt(self.recurrence)
        if self.exclude:
            said["exclude"] = sorted({f"{span.first}/{span.last}" for span in _exclusions(self)})
        return said


def spelt(rule: Rule) -> dict[str, Any]:
    """A rule in one spelling, without defaults."""
    values = {field.name: (getattr(rule, field.name), field.default) for field in fields(rule)}
    return {
        name: sorted(map(str, value)) if isinstance(value, tuple) else str(value)
        for name, (value, default) in values.items()
        if value != default
    }


def _spelt(recurrence: Recurrence | Dates | str) -> dict[str, Any] | str:
    """The same. An UNTIL with a time of day is a date only in some zone: such a text stays, and so do several lines."""
    if isinstance(recurrence, Dates):
        return {"dates": sorted(map(str, recurrence.dates))}
    try:
        return spelt(parse_rrule(recurrence) if isinstance(recurrence, str) else recurrence.rule)
    except RuleError:
        return str(recurrence).upper()


def _exclusions(document: RecordingDocument) -> tuple[Exclusion, ...]:
    return tuple(
        Exclusion(item.first, item.last) if isinstance(item, DateRange) else Exclusion(item, item)
        for item in document.exclude
    )


def _schedule(document: RecordingDocument, tz: ZoneInfo) -> Schedule:
    """Checks the rules between times, start first. Raises ValidationError, located in the document."""
    start = document.start.astimezone(tz).replace(tzinfo=None) if document.start.tzinfo else document.start
    begins = place(start, tz)[0]
    duration = timedelta(minutes=document.duration_minutes or 0)
    if document.end:
        duration = (document.end if document.end.tzinfo else place(document.end, tz)[0]) - begins
        if duration <= timedelta(0):
            raise broken_at(("end",), "must be after start")
        if duration > MAX_DURATION:
            raise broken_at(("end",), "must be at most 24 hours after start")
    for index, item in enumerate(document.include):
        if not start.date() <= as_inclusion(item).day <= horizon(start.date()):
            raise broken_at(("include", index), "must not lie before start, nor more than three years after it")
    try:
        recurring = _recurring(document.recurrence, start, tz)
        exclude = (*_exclusions(document), *recurring.exclude)
        include = (*recurring.include, *map(as_inclusion, document.include))
        found = occurrences(start, tz, duration, recurring.rule, exclude, include)
    except RuleError as error:
        inside = isinstance(document.recurrence, Recurrence) and error.field
        raise broken_at(("recurrence", error.field) if inside else ("recurrence",), error.detail) from None
    if all(occurrence.excluded_by for occurrence in found):
        raise broken_at(("exclude",), "must leave at least one occurrence")
    rule, dates = (None, recurring.rule or ()) if not isinstance(recurring.rule, Rule) else (recurring.rule, ())
    return Schedule(start, tz, duration, rule, exclude, found, dates, include)


def _recurring(recurrence: Recurrence | Dates | str | None, start: datetime, tz: ZoneInfo) -> Recurring:
    if isinstance(recurrence, str):
        return read_text(recurrence, start, tz)
    if isinstance(recurrence, Recurrence):
        return Recurring(recurrence.rule)
    dates = tuple(sorted(recurrence.dates)) if recurrence else ()
    if dates and dates[0] != start.date():
        raise broken_at(("start",), "must lie on the first of the recurrence's dates")
    if dates and dates[-1] > horizon(dates[0]):
        raise broken_at(("recurrence", "dates"), "must lie within three years")
    return Recurring(dates or None)
