"""What a calendar may say, and how it is shown."""

from datetime import date
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from app.calendars.days import Code, Reason
from app.http.fields import In, OptionalLine, Out, WholeList, broken_at, by_kind
from app.http.times import Instant, LocalDate
from app.recordings.document.fields import Weekday
from app.recordings.reading.views import RoomView

MAX_DAYS = 1000

EXAMPLE: dict[str, Any] = {
    "title": "Campus 2027",
    "days": [
        "2027-02-15",
        {"name": "Spring break", "from": "2027-03-22", "to": "2027-03-26"},
        {"name": "Monday schedule", "date": "2027-02-16", "meets_as": "MO"},
    ],
}


class NamedDays(In):
    """A local date, or dates from one to another, with what they are called; or a make-up day."""

    name: OptionalLine = Field(None, description="What people call it, at most 256 bytes.", examples=["Spring break"])
    day: LocalDate | None = Field(None, alias="date", description="One local date.", examples=["2027-02-16"])
    first: LocalDate | None = Field(None, alias="from", description="The first local date.", examples=["2027-03-22"])
    last: LocalDate | None = Field(None, alias="to", description="The last one, included.", examples=["2027-03-26"])
    meets_as: Weekday | None = Field(
        None,
        description="A make-up day: sessions of weekly rules that fall on this weekday are held on `date`, those of "
        "its own weekday are not. A date may meet as several weekdays, in one calendar or in several.",
        examples=["MO"],
    )

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.day is not None and (self.first is not None or self.last is not None):
            raise broken_at(("date",), "must be left out where from and to are given")
        if self.day is None and self.first is None:
            raise broken_at(("date",), "is required, unless from and to are given")
        if self.day is None and self.last is None:
            raise broken_at(("to",), "is required with from")
        if self.meets_as is not None and self.begins != self.ends:
            raise broken_at(("meets_as",), "is said of one date")
        if self.ends < self.begins:
            raise broken_at(("to",), "must not be before from")
        return self

    @property
    def begins(self) -> date:
        return self.day or self.first or date.min

    @property
    def ends(self) -> date:
        return self.day or self.last or date.max


Days = Annotated[
    list[
        Annotated[
            Annotated[LocalDate, Field(description="One local date.")] | NamedDays,
            by_kind("must be a date (a string) or an object with its dates", {str: LocalDate, dict: NamedDays}),
        ]
    ],
    Field(max_length=MAX_DAYS),
]


class CalendarDocument(In):
    """A calendar as a whole: what it does not say any more holds no more."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    title: OptionalLine = Field(None, description="For people, at most 256 bytes.", examples=["Campus 2027"])
    days: Days = Field(
        description="On which nothing is recorded, and make-up days: at most 1,000 dates in all.",
        examples=[EXAMPLE["days"]],
    )


class DayView(Out):
    """Dates of a calendar."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    name: str | None = Field(description="What people call it.", examples=["Spring break"])
    first: date = Field(alias="from", description="The first local date.", examples=["2027-03-22"])
    last: date = Field(alias="to", description="The last one, included.", examples=["2027-03-26"])
    meets_as: str | None = Field(
        description="On a make-up day: the weekday whose sessions are held. Else nothing is recorded.",
        examples=["MO", None],
    )


class IgnoredView(Out):
    """What a body has, and the calendar does not."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    name: str | None = Field(description="What it is called there.", examples=["Faculty Senate"])
    first: date | None = Field(alias="from", description="Its first date.", examples=["2027-02-03"])
    last: date | None = Field(alias="to", description="Its last date.", examples=["2027-02-03"])
    reason: Reason = Field(
        description="`cancelled`: its STATUS. `not_a_whole_day`: it has times. `category`: not one of those that you "
        "named. `closed`: a make-up day on which nothing is recorded. `unreadable`: its dates cannot be read.",
        examples=["not_a_whole_day"],
    )


class CalendarWarning(Out):
    """What may not be meant."""

    code: Code = Field(
        description="Stable, for programs. `partial_day`, `unreadable`, `closed`: left out for that. "
        "`several_weekdays`: a date that meets as several weekdays; the sessions of each are held. "
        "`unknown_category`: a category that you named, and no event has. `no_events`: the file has none. `emptied`: "
        "the calendar had days ahead, and has none any more.",
        examples=["partial_day"],
    )
    detail: str = Field(
        description="One sentence, for people.",
        examples=["Career fair: no classes before 12:00, on 2027-02-25, is not a whole day: it excludes nothing."],
    )


class Progress(Out):
    """How far a calendar has come to the recordings that name it."""

    recordings: int = Field(
        description="How many recordings name it, without those that failed or were cancelled.", examples=[120]
    )
    done: int = Field(description="How many of them follow it as it is now.", examples=[87])
    failed: int = Field(
        description="How many could not be changed: their `chain` says why. They are as they were; "
        "`resume`, or the same calendar once more, tries again.",
        examples=[1],
    )


class CalendarSummary(Progress):
    """A calendar, without its days."""

    name: str = Field(description="What documents say.", examples=["campus-2027"])
    title: str | None = Field(description="For people.", examples=["Campus 2027"])
    version: int = Field(description="Grows whenever it says other days.", examples=[7])
    first: date | None = Field(description="Its first date; null while it has none.", examples=["2027-02-15"])
    last: date | None = Field(description="Its last date.", examples=["2027-03-26"])
    updated_at: Instant = Field(description="When it last changed.", examples=["2026-11-22T14:03:07Z"])


class CalendarView(CalendarSummary):
    """A calendar."""

    days: list[DayView] = Field(description="What it says, in order of time.")


class CalendarAnswer(CalendarView):
    """A calendar as it was just said, with what its body had besides."""

    ignored: list[IgnoredView] = Field(description="What was left out, and why: the first 1,000.")
    warnings: list[CalendarWarning] = Field(description="What may not be meant.")


class CalendarPage(WholeList[CalendarSummary]):
    """Every calendar, by name."""


class SessionView(Out):
    """A session that a calendar would drop, or restore."""

    start: Instant = Field(description="When it begins, in UTC.", examples=["2027-03-22T13:00:00Z"])
    end: Instant = Field(description="When it ends, in UTC.", examples=["2027-03-22T13:50:00Z"])
    reason: str | None = Field(
        description="What drops it. Of a restored one, what is in its way as far as Lectern knows: it is left out.",
        examples=["campus-2027: Spring break", None],
    )


class TouchedView(Out):
    """A recording that would change. Of another client's it is not told which one it is."""

    recording_id: str | None = Field(description="Lectern's id.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])
    reference_id: str | None = Field(description="Its client's own id.", examples=["SIS-2026F-MATH123-01"])
    title: str | None = Field(description="Its title.", examples=["MATH-123 Linear Algebra"])
    resource: RoomView = Field(description="The camera or encoder that records.")
    dropped: list[SessionView] = Field(description="Sessions that would not be held any more.")
    restored: list[SessionView] = Field(
        description="Sessions that would be held, and are not now, if nothing is in their way."
    )


class CalendarPreview(Out):
    """What a calendar would come to."""

    recordings: int = Field(description="How many recordings name it.", examples=[120])
    touched: int = Field(description="How many of them would change.", examples=[87])
    dropped: int = Field(description="How many sessions would not be held any more.", examples=[91])
    restored: int = Field(description="How many would be held, and are not now.", examples=[0])
    items: list[TouchedView] = Field(description="Recording by recording, those that would change.")
    days: list[DayView] = Field(description="What it would say, in order of time.")
    ignored: list[IgnoredView] = Field(description="What would be left out, and why: the first 1,000.")
    warnings: list[CalendarWarning] = Field(description="What may not be meant.")
