"""What a declaration may say in JSON: itself, its sections, their meetings. CSV files say the same in columns.

Each section and each meeting is read by itself, so that one that cannot be read stops no other.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from app.http.fields import In, Line, OptionalLine, OptionalText, Words, broken, messages
from app.http.times import LocalDate, Moment
from app.recordings.document.fields import Calendars, Categories, Tags, UserId, Users
from app.terms.meetings import rows
from app.terms.meetings.errors import RejectedError
from app.terms.meetings.parts import MAX_WEEK, read_days, read_time, read_weeks

M = TypeVar("M", bound=In)

MAX_MEETINGS_OF_ONE = 1000


def _as_text(value: Any) -> Any:
    """Exports write keys as numbers, too."""
    return str(value) if type(value) is int and abs(value) < 10**30 else value


def _read_day(text: str) -> str:
    try:
        (day,) = read_days(text)
    except RejectedError as error:
        raise broken(error.detail) from None
    except ValueError:
        raise broken("must be one day, like MO") from None
    return day


def _read_clock(text: str) -> str:
    try:
        read_time(text)
    except RejectedError as error:
        raise broken(error.detail) from None
    return text


def _read_weeks(text: str) -> str:
    try:
        read_weeks(text, MAX_WEEK)
    except RejectedError as error:
        raise broken(error.detail) from None
    return text


def _each_once(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


Key = Annotated[str, BeforeValidator(_as_text), Words(100)]
ClockTime = Annotated[str, Words(20), AfterValidator(_read_clock)]
Instructors = Annotated[list[UserId], Field(max_length=100), AfterValidator(_each_once)]


class MeetingDeclared(In):
    """One weekly pattern of a section, or one set of dates of it. It has `days`, or `date`, or `dates`."""

    meeting: Key | None = Field(
        None, description="Its own id within the section, if the timetable has one.", examples=["1"]
    )
    days: list[Annotated[str, AfterValidator(_read_day)]] = Field(
        [], max_length=20, description="Its weekdays.", examples=[["TU", "TH"]]
    )
    start: ClockTime | None = Field(None, description="When it begins, by the term's clocks.", examples=["11:00"])
    end: ClockTime | None = Field(
        None,
        description="When it ends; 24:00 is midnight. Before `start` it means the next day, up to the term's "
        "`max_hours`.",
        examples=["12:15"],
    )
    first: LocalDate | None = Field(
        None, alias="from", description="Its first day. The term's if left out.", examples=["2027-01-11"]
    )
    last: LocalDate | None = Field(
        None, alias="to", description="Its last day. The term's if left out.", examples=["2027-04-30"]
    )
    date: LocalDate | None = Field(None, description="Its only date.", examples=["2027-02-24"])
    dates: list[LocalDate] = Field(
        [], max_length=1000, description="All its dates.", examples=[["2027-02-24", "2027-03-03"]]
    )
    weeks: Annotated[str, BeforeValidator(_as_text), Words(500), AfterValidator(_read_weeks)] | None = Field(
        None,
        description="The weeks in which it is held, counted from the term's `week_1`; `odd` and `even` as well.",
        examples=["1-5,7-11"],
    )
    room: OptionalLine = Field(None, description="The room, as the term's `rooms` names it.", examples=["HUM 12"])


class SectionWords(In):
    """What a section says beside its meetings."""

    section: Key = Field(description="Its id in the timetable.", examples=["20005"])
    title: Line = Field(description="What its recordings are called.", examples=["HIST-101-01 Atlantic Worlds"])
    type: Key | None = Field(
        None, description="Its type; the term's `record_types` says which are recorded.", examples=["LEC"]
    )
    status: Literal["active", "cancelled"] = Field(
        "active", description="A cancelled section is not recorded, and what it had is cancelled.", examples=["active"]
    )
    group: Key | None = Field(
        None, description="Sections of one group that meet together share a recording.", examples=["A1"]
    )
    record: bool | None = Field(
        None, description="Whether it is recorded. Goes before its type.", examples=[True], strict=True
    )
    instructors: Instructors = Field(
        [], description="Kaltura user ids. The first owns what is recorded, the others edit.", examples=[["jdoe1"]]
    )
    description: OptionalText = Field(None, description="What it is about.", examples=["Section 01, spring term"])
    tags: Tags = Field([], description="Beside the term's own.", examples=[["history"]])
    categories: Categories = Field(
        [], description="Where it is published, beside the term's own.", examples=[[86105441]]
    )
    editors: Users = Field([], description="Who may edit it, beside its instructors.", examples=[["ta1"]])
    publishers: Users = Field([], description="Who may publish it.", examples=[["ta1"]])
    contact: OptionalLine = Field(None, description="Whom to ask about it.", examples=["av@campus.example"])
    calendars: Calendars | None = Field(
        None, description="Calendars that it follows instead of the term's. Empty: none.", examples=[["campus"], []]
    )


class SectionDeclared(SectionWords):
    """A section with its meetings: what the timetable knows as one thing."""

    meetings: list[MeetingDeclared] = Field(
        [], max_length=MAX_MEETINGS_OF_ONE, description="When and where it is held.", examples=[[]]
    )


class DeclarationHead(In):
    """What a declaration says of itself. It is the first line of NDJSON."""

    complete: bool = Field(
        False,
        strict=True,
        description="Whether it is all that the term has. Only then is anything missing.",
        examples=[True],
    )
    source: OptionalLine = Field(None, description="Where it comes from.", examples=["banner"])
    generated_at: Moment | None = Field(
        None, description="When it was made, with an offset.", examples=["2026-12-01T02:00:00-05:00"]
    )
    expected_sections: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] | None = Field(
        None, description="How many sections it should have.", examples=[1]
    )


class Declaration(DeclarationHead):
    """The whole timetable of a term, or a part of it."""

    sections: list[SectionDeclared] = Field(description="Sections, each once.", examples=[[]])


_KEY = TypeAdapter[str](Key)
_ROOM = Words(256)


def readable_key(value: object) -> str | None:
    """A section's key, so that it counts as present whatever else is wrong; None if it is none."""
    try:
        return _KEY.validate_python(value)
    except ValidationError:
        return None


def short_text(field: str, text: str, words: Words = _ROOM) -> str | None:
    """A cell that goes into no model, held to the same rule; None if it is empty. Raises RejectedError."""
    try:
        return words.read(text) if text else None
    except PydanticCustomError as error:
        raise RejectedError("invalid_document", f"/{field} {error.message()}.", f"/{field}") from None


_REASONS = {
    "section": "no_key",
    "status": "status_unreadable",
    "record": "record_unreadable",
    "days": "days_unreadable",
    "weeks": "weeks_unreadable",
    **dict.fromkeys(("start", "end"), "time_unreadable"),
    **dict.fromkeys(("from", "to", "date", "dates"), "date_unreadable"),
}


def validated(model: type[M], said: Mapping[str, Any]) -> M:
    """Raises RejectedError for the first thing that is wrong."""
    try:
        return model.model_validate(said)
    except ValidationError as error:
        found = error.errors(include_url=False)
        first = messages(found[:1])[0]
        where = str(found[0]["loc"][0]) if found[0]["loc"] else ""
        reason = _REASONS.get(where, "invalid_document")
        if where == "title" and found[0]["type"] == "missing":
            reason = "no_title"
        elif where not in {field.alias or name for name, field in model.model_fields.items()}:
            reason = "unknown_field" if where else "not_an_object"
        raise RejectedError(reason, sentence(first), first["pointer"]) from None


def sentence(found: Mapping[str, str]) -> str:
    """One of the house's messages, with where it belongs, as a sentence."""
    where, detail = found["pointer"] or "It", found["detail"].rstrip(".")
    return f"{where} {detail}." if detail[:1].islower() else f"{where}: {detail}."


def words_of(said: SectionWords) -> rows.Words:
    return rows.Words(
        title=said.title,
        description=said.description,
        tags=tuple(said.tags),
        categories=tuple(said.categories),
        editors=tuple(said.editors),
        publishers=tuple(said.publishers),
        contact=said.contact,
    )
