"""A term's settings: what `PUT /terms/{term}` takes."""

from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from app.http.fields import In, Line, OptionalLine, Words, broken, broken_at
from app.http.times import LocalDate
from app.recordings.document.fields import Calendars, Categories, Tags, UserId, Users, Visibility, ZoneName
from app.terms.meetings.profiles import BUILT_IN, Profile, ProfileName

MAX_TERM = timedelta(days=731)  # two years: daily sessions stay below a recording's 1,000

Percent = Annotated[int, Field(strict=True, ge=0, le=100)]
Floor = Annotated[int, Field(strict=True, ge=0, le=20_000)]
Hours = Annotated[int, Field(strict=True, ge=0, le=8760)]
Key = Annotated[str, Words(100)]
RoomName = Annotated[str, Words(256)]


def plain_room(name: str) -> str:
    """A room's name as it is compared: upper and lower case, and spaces, do not matter."""
    return " ".join(name.split()).casefold()


def _rooms_apart(rooms: dict[str, str | None]) -> dict[str, str | None]:
    seen: dict[str, str] = {}
    for name, resource in rooms.items():
        before = seen.setdefault(plain_room(name), name)
        if rooms[before] != resource:
            raise broken("must not name a room twice, with two resources: case and spaces do not matter")
    return rooms


def _no_built_in(name: str) -> str:
    if name in BUILT_IN:
        raise broken(f"must not be the name of a built-in profile: {', '.join(BUILT_IN)}")
    return name


class Defaults(In):
    """What recordings have that the timetable does not say."""

    owner: UserId | None = Field(None, description="Owns what has no instructor.", examples=["lecture-capture"])
    editors: Users = Field([], description="May edit all of it, beside the instructors.", examples=[["av-team"]])
    publishers: Users = Field([], description="May publish all of it.", examples=[["av-team"]])
    categories: Categories = Field(
        [], description="Where all of it is published, beside a section's own categories.", examples=[[86105441]]
    )
    tags: Tags = Field([], description="Tags of all of it, beside a section's own.", examples=[["spring-2027"]])
    organizer: OptionalLine = Field(None, description="Who arranges it.", examples=["Registrar"])
    contact: OptionalLine = Field(None, description="Whom to ask about it.", examples=["av@campus.example"])
    visibility: Visibility = Field(
        Visibility.PUBLIC, description="`public`, `private` or `confidential`.", examples=["public"]
    )


class OptOuts(In):
    """What is not recorded, although the timetable has it."""

    instructors: Annotated[list[UserId], Field(max_length=20_000)] = Field(
        [], description="People who are not recorded, wherever they teach.", examples=[["rkeller"]]
    )
    sections: Annotated[list[Key], Field(max_length=20_000)] = Field(
        [], description="Sections that are not recorded.", examples=[["20035"]]
    )

    @cached_property
    def people(self) -> frozenset[str]:
        """The instructors, without regard to case."""
        return frozenset(name.casefold() for name in self.instructors)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The sections."""
        return frozenset(self.sections)


class Guards(In):
    """When a plan is blocked until somebody has looked at it."""

    from_known: Floor = Field(
        10, description="How many must be known before shares are looked at at all.", examples=[10]
    )
    input_percent: Percent = Field(
        80,
        description="`input_drop`: a complete declaration has at least so many percent of the sections of the one that "
        "was applied last.",
        examples=[80],
    )
    cancel_percent: Percent = Field(
        10, description="`cancel_share`: more cancellations than so many percent.", examples=[10]
    )
    cancel_floor: Floor = Field(5, description="And more than so many.", examples=[5])
    change_percent: Percent = Field(
        30, description="`change_share`: more changes of time or room than so many percent.", examples=[30]
    )
    change_floor: Floor = Field(20, description="And more than so many.", examples=[20])
    reject_percent: Percent = Field(
        5, description="`reject_share`: more rejected rows than so many percent.", examples=[5]
    )
    reject_floor: Floor = Field(3, description="And more than so many.", examples=[3])
    unknown_rooms_percent: Percent = Field(
        5, description="`unknown_rooms`: more meetings in rooms that the term does not name.", examples=[5]
    )
    unknown_rooms_floor: Floor = Field(3, description="And more than so many.", examples=[3])
    soon_hours: Hours = Field(
        2, description="`soon`: a session within so many hours would be moved or cancelled.", examples=[2]
    )
    soon: Literal["warn", "block"] = Field(
        "warn", description="Whether `soon` blocks the plan, or says it only.", examples=["warn"]
    )
    old_export_hours: Hours = Field(
        36, description="`old_export`: `generated_at` is longer ago than that.", examples=[36]
    )


class TermSettings(In):
    """What holds for all that a term declares."""

    name: Line = Field(description="What people call it.", examples=["Spring 2027"])
    time_zone: ZoneName | None = Field(
        None,
        description="IANA name of the zone of its times. The service's own if left out.",
        examples=["America/New_York"],
    )
    first_date: LocalDate = Field(description="The first day. Nothing before it is recorded.", examples=["2027-01-11"])
    last_date: LocalDate = Field(
        description="The last day, at most two years after the first. Nothing after it is recorded.",
        examples=["2027-04-30"],
    )
    week_1: LocalDate | None = Field(
        None,
        description="The first day of week 1. Meetings that name weeks need it.",
        examples=["2027-01-11"],
    )
    calendars: Calendars = Field(
        [], description="Calendars whose days are left out, and whose make-up days are held.", examples=[["campus"]]
    )
    rooms: Annotated[dict[RoomName, Line | None], Field(max_length=10_000), AfterValidator(_rooms_apart)] = Field(
        {},
        description="The timetable's rooms, each with the system name of the resource that records there; null where "
        "nothing does. Case and spaces do not matter. If it is left out, rooms are system names themselves.",
        examples=[{"SCI 101": "EXTRON-SCI-101", "ENG 404": None}],
    )
    record_types: Annotated[list[Key], Field(max_length=100)] = Field(
        [],
        description="The types of section that are recorded. All of them if left out. `record` in a section goes "
        "before it.",
        examples=[["LEC"]],
    )
    max_hours: Annotated[int, Field(strict=True, ge=1, le=24)] = Field(
        6, description="How long one session may be. What is longer, also over midnight, is rejected.", examples=[6]
    )
    defaults: Defaults = Field(Defaults(), description="What its recordings have that the timetable does not say.")
    opt_outs: OptOuts = Field(OptOuts(), description="Who, and which sections, are not recorded.")
    opt_out_policy: Literal["any", "all"] = Field(
        "any",
        description="`any`: not recorded if any of its instructors has opted out. `all`: only if all have.",
        examples=["any"],
    )
    cross_listing: Literal["same_slot", "group", "none"] = Field(
        "same_slot",
        description="Which sections share one recording. `group`: those of one `group` in one room at the same times. "
        "`same_slot`: also without a group, with a warning. `none`: each is by itself.",
        examples=["same_slot"],
    )
    missing_grace_hours: Hours = Field(
        20, description="How long a section may be missing before its recordings are cancelled.", examples=[20]
    )
    guards: Guards = Field(Guards(), description="When its plans are blocked until somebody has looked at them.")
    term_code: Key | None = Field(
        None,
        description="What the export calls this term, where a profile has a column for it. If left out, what most of "
        "its rows say. Rows of other terms are rejected.",
        examples=["202720"],
    )
    profiles: Annotated[dict[Annotated[ProfileName, AfterValidator(_no_built_in)], Profile], Field(max_length=10)] = (
        Field({}, description="Ways of reading CSV files of your own, by name.")
    )

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if self.last_date < self.first_date:
            raise broken_at(("last_date",), "must not be before first_date")
        if self.last_date - self.first_date > MAX_TERM:
            raise broken_at(("last_date",), "must be at most two years after first_date")
        if self.week_1 and not timedelta(0) <= self.first_date - self.week_1 + MAX_TERM <= 2 * MAX_TERM:
            raise broken_at(("week_1",), "must be near the term")
        return self

    @property
    def last_week(self) -> int:
        """The number of the week that holds the last day; 0 without `week_1`."""
        return week_of(self.last_date, self.week_1) if self.week_1 else 0


def week_of(day: date, week_1: date) -> int:
    return (day - week_1).days // 7 + 1
