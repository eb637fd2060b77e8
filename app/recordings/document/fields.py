"""The parts of a document, each with its own rules: resource, recurrence, exclusions, inclusions, words, people."""

import re
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, WrapValidator, model_validator

from app.http.fields import (
    In,
    KalturaId,
    Line,
    OptionalLine,
    OptionalText,
    Words,
    broken,
    broken_at,
    by_kind,
    each_once,
)
from app.http.times import LocalClock, LocalDate
from app.recurrence.occurrences import Inclusion, zone, zone_like
from app.recurrence.rules import MAX_OCCURRENCES, Rule, RuleError, parse_day
from app.recurrence.text import check_text

MAX_TEXT = 32_768  # a thousand RDATEs, and some rules
MAX_EXCLUSION = timedelta(days=3 * 366)  # as long as a recurrence may be


class Visibility(StrEnum):
    """Who sees the event in calendars: Kaltura's `classificationType` 1, 2 and 3."""

    PUBLIC = "public"
    PRIVATE = "private"
    CONFIDENTIAL = "confidential"


class ResourceKind(StrEnum):
    """What kind of schedule resource is made."""

    CAMERA = "camera"
    LOCATION = "location"


class OnConflict(StrEnum):
    """What happens when the resource is booked already: 409 and nothing is made; scheduled anyway; or all is scheduled
    but for what is in conflict."""

    REJECT = "reject"
    ALLOW = "allow"
    SKIP = "skip"


# --- resource ----------------------------------------------------------------------------------------------


class NewResource(In):
    """A resource by its system name, with what it takes to make it if Kaltura does not know that name yet."""

    system_name: Line = Field(
        description="Kaltura's `systemName`, at most 256 bytes. Upper and lower case are the same.",
        examples=["EXTRON-100-ABC"],
    )
    name: OptionalLine = Field(
        None,
        description="The name that people see, at most 256 bytes. The system name if left out.",
        examples=["EXTRON-100-ABC"],
    )
    description: OptionalText = Field(None, description="What and where it is.", examples=["Camera in Classroom #702"])
    kind: ResourceKind = Field(ResourceKind.CAMERA, description="`camera` or `location`.", examples=["camera"])


Resource = Annotated[
    Annotated[KalturaId, Field(description="The id of a resource that Kaltura knows.")]
    | Annotated[Line, Field(description="The system name of a resource that Kaltura knows, in any case.")]
    | NewResource,
    by_kind(
        "must be a Kaltura id (a whole number), a system name (a string) or an object",
        {int: KalturaId, str: Line, dict: NewResource},
    ),
]


# --- recurrence --------------------------------------------------------------------------------------------


def _read_day(text: str) -> str:
    try:
        return str(parse_day(text))
    except RuleError as error:
        raise broken(error.detail) from None


def _read_rrule(text: str) -> str:
    """Checks all but what it means for the document's start, which is not known here."""
    try:
        check_text(text)
    except RuleError as error:
        raise broken(error.detail) from None
    return text


Weekday = Literal["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
DayOfRule = Annotated[
    str,
    AfterValidator(_read_day),
    Field(json_schema_extra={"pattern": "^([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)$"}),
]
DayNumber = Annotated[int, Field(strict=True, ge=-31, le=31)]
RRule = Annotated[
    str,
    Words(MAX_TEXT, lines=True),
    AfterValidator(_read_rrule),
    Field(
        description="An RRULE of RFC 5545, from DAILY to YEARLY, with an end; or up to four of them, and RDATE and "
        "EXDATE, each on a line of its own. A DTSTART may stand there if it says the same as `start`."
    ),
]


class Recurrence(In):
    """When a recording repeats: the subset of RFC 5545 that Lectern takes. Exactly one of `count` and `until`."""

    frequency: Literal["daily", "weekly", "monthly"] = Field(
        description="What the interval counts.", examples=["weekly"]
    )
    interval: Annotated[int, Field(strict=True, ge=1, le=12)] = Field(
        1, description="Every how many days, weeks or months: 1 to 12.", examples=[1]
    )
    days: list[DayOfRule] = Field(
        [],
        max_length=77,
        description="Weekdays, each once. Weekly: the start's weekday if left out. Monthly also with a number: "
        "`2TU` is the second Tuesday, `-1FR` the last Friday.",
        examples=[["MO", "WE", "FR"]],
    )
    month_days: list[DayNumber] = Field(
        [],
        max_length=62,
        description="Monthly only: days of the month, 1 to 31, or -1 (the last) to -31. A month without that "
        "day is skipped.",
        examples=[[1, 15], [-1]],
    )
    positions: list[DayNumber] = Field(
        [],
        max_length=62,
        description="Monthly only: which of the days chosen in a month are meant, 1 the first, -1 the last (BYSETPOS).",
        examples=[[-1]],
    )
    count: Annotated[int, Field(strict=True, ge=1, le=1000)] | None = Field(
        None,
        description="How many occurrences, excluded ones counted too: 1 to 1,000.",
        examples=[40],
    )
    until: LocalDate | None = Field(
        None, description="The last local date on which it may occur.", examples=["2027-05-14"]
    )
    week_start: Weekday = Field(
        "MO", description="The day that a week begins with; matters when `interval` skips weeks.", examples=["MO"]
    )

    _rule: Rule = PrivateAttr()

    @model_validator(mode="after")
    def _is_a_rule(self) -> Self:
        try:
            self._rule = Rule(
                frequency=self.frequency,
                interval=self.interval,
                days=tuple(map(parse_day, self.days)),
                month_days=tuple(self.month_days),
                positions=tuple(self.positions),
                count=self.count,
                until=self.until,
                week_start=self.week_start,
            )
        except RuleError as error:
            raise broken_at((error.field,) if error.field else (), error.detail) from None
        return self

    @property
    def rule(self) -> Rule:
        return self._rule


class Dates(In):
    """The dates themselves, where no rule says them."""

    dates: Annotated[list[LocalDate], Field(min_length=1, max_length=MAX_OCCURRENCES), each_once()] = Field(
        description="Local dates in any order, each once, each at the time of day of `start`, which lies on the first "
        "of them. At most 1,000, within three years.",
        examples=[["2027-01-13", "2027-01-27", "2027-02-17"]],
    )


def _read_recurrence(value: dict[str, Any], _union: object) -> Recurrence | Dates:
    """By what it says: a patch that gives dates to what had a rule has to take the rule's words out."""
    if value.get("dates") in (None, ""):
        return Recurrence.model_validate({name: said for name, said in value.items() if name != "dates"})
    for name in Recurrence.model_fields:
        if value.get(name) not in (None, ""):
            raise broken_at((name,), "must be left out beside dates, or dates beside it (in a patch: null)")
    return Dates.model_validate({name: said for name, said in value.items() if name not in Recurrence.model_fields})


Repeats = Annotated[
    Recurrence | Dates | RRule,
    by_kind(
        "must be an object or an RRULE (a string)",
        {dict: Annotated[Recurrence | Dates, WrapValidator(_read_recurrence)], str: RRule},
    ),
]


# --- exclusions and inclusions -----------------------------------------------------------------------------


class DateRange(In):
    """Local dates from one to another, both included."""

    model_config = ConfigDict(serialize_by_alias=True)

    first: LocalDate = Field(alias="from", description="The first local date.", examples=["2027-03-22"])
    last: LocalDate = Field(alias="to", description="The last local date, included.", examples=["2027-03-26"])

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.last < self.first:
            raise broken_at(("to",), "must not be before from")
        if self.last - self.first > MAX_EXCLUSION:
            raise broken_at(("to",), "must be at most three years after from")
        return self


_DateOrRange = Annotated[
    Annotated[LocalDate, Field(description="One local date.")] | DateRange,
    by_kind("must be a date (a string) or an object with from and to", {str: LocalDate, dict: DateRange}),
]
Exclusions = Annotated[list[_DateOrRange], Field(max_length=MAX_OCCURRENCES)]


class Extra(In):
    """One more occurrence, at its own time of day or of its own length."""

    model_config = ConfigDict(serialize_by_alias=True)

    day: LocalDate = Field(alias="date", description="Its local date.", examples=["2027-05-10"])
    start: LocalClock | None = Field(
        None, description="Its time of day, by the clocks of the zone. The usual one if left out.", examples=["14:00"]
    )
    duration_minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] | None = Field(
        None, description="How long it lasts. As long as all others if left out.", examples=[90]
    )


def as_inclusion(item: date | Extra) -> Inclusion:
    if not isinstance(item, Extra):
        return Inclusion(item)
    return Inclusion(
        item.day, item.start, timedelta(minutes=item.duration_minutes) if item.duration_minutes is not None else None
    )


_DateOrExtra = Annotated[
    Annotated[LocalDate, Field(description="One local date, at the usual time.")] | Extra,
    by_kind("must be a date (a string) or an object with date", {str: LocalDate, dict: Extra}),
]
# Each may become an event of its own, so a thousand of them take a second to plan.
Inclusions = Annotated[list[_DateOrExtra], Field(max_length=366), each_once(lambda item: as_inclusion(item).day)]


# --- calendars ---------------------------------------------------------------------------------------------


def read_calendar(name: str) -> str:
    if not _CALENDAR.fullmatch(name):
        raise broken("must be 1 to 64 of a to z, 0 to 9, dot, underscore and hyphen, the first a letter or a digit")
    return name


_CALENDAR = re.compile("[a-z0-9][a-z0-9._-]{0,63}")

CalendarName = Annotated[
    str, AfterValidator(read_calendar), Field(json_schema_extra={"pattern": f"^{_CALENDAR.pattern}$"})
]
Calendars = Annotated[list[CalendarName], Field(max_length=10, json_schema_extra={"uniqueItems": True}), each_once()]


# --- words and people --------------------------------------------------------------------------------------


def _read_category(name: str) -> str:
    levels = [level.strip() for level in name.split(">")]
    if not all(levels):
        raise broken("must be a full name without empty levels, like Canvas>site>channels>1234")
    return ">".join(levels)


def _read_zone(name: str) -> str:
    try:
        return zone(name).key
    except ValueError:
        found = zone_like(name)
        hint = f": did you mean {found}?" if found else ", like America/New_York"
        raise broken(f"must be the name of a time zone{hint}") from None


def _read_entry(entry_id: str) -> str:
    if not _ENTRY.fullmatch(entry_id):
        raise broken("must be a Kaltura entry id, like 1_abcd1234")
    return entry_id


_ENTRY = re.compile("[0-9]{1,4}_[0-9a-z]{8}|[0-9a-z]{10}")  # the second is how ids looked at first

CategoryName = Annotated[
    str,
    Words(1024),
    AfterValidator(_read_category),
    Field(description="The full name of a category, with `>` between the levels."),
]
Category = Annotated[
    Annotated[KalturaId, Field(description="The id of a category.")] | CategoryName,
    by_kind("must be a category's id (a whole number) or full name (a string)", {int: KalturaId, str: CategoryName}),
]
# Kaltura keeps tags and users in lists joined by commas (exchanges 858, 869), and drops tags of one character (exchange
# 855).
Tag = Annotated[str, Words(100, least=2, without=",")]
UserId = Annotated[str, Words(100, without=",")]
EntryId = Annotated[str, AfterValidator(_read_entry), Field(json_schema_extra={"pattern": f"^({_ENTRY.pattern})$"})]
ZoneName = Annotated[str, AfterValidator(_read_zone)]

_MANY = Field(max_length=100, json_schema_extra={"uniqueItems": True})
Categories = Annotated[list[Category], _MANY, each_once()]
Tags = Annotated[list[Tag], _MANY, each_once(str.casefold)]
Users = Annotated[list[UserId], _MANY, each_once()]
Entries = Annotated[list[EntryId], _MANY, each_once()]
