"""The shared field types: what they take, what they refuse, and in which words."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from app.http.fields import (
    MAX_MESSAGES,
    In,
    KalturaId,
    Line,
    OptionalLine,
    OptionalText,
    Out,
    Page,
    Words,
    by_kind,
    each_once,
    messages,
    pointer,
)
from app.http.times import Instant, LocalDate, LocalTime, Moment, ZonedTime


class Room(In):
    name: Line
    floor: KalturaId = 1


RoomOrId = Annotated[
    KalturaId | Line | Room, by_kind("must be an id, a name or an object", {int: KalturaId, str: Line, dict: Room})
]


def read(of: Any, value: object) -> Any:
    return TypeAdapter(of).validate_python(value)


def refusals(of: Any, value: object) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        read(of, value)
    found = messages(caught.value.errors())
    json.dumps(found, ensure_ascii=False).encode()  # an answer can carry it
    return [(message["pointer"], message["detail"]) for message in found]


@pytest.mark.parametrize(
    ("of", "sent", "kept"),
    [
        (Line, "  MATH-123 ", "MATH-123"),
        (Line, "é" * 128, "é" * 128),
        (Line, "שלום 🎓", "שלום 🎓"),
        (OptionalLine, None, None),
        (OptionalLine, " \u00a0 ", None),
        (OptionalText, "a\r\nb\rc\n\td", "a\nb\nc\n\td"),
        (OptionalText, "", None),
        (KalturaId, 2**31 - 1, 2**31 - 1),
        (LocalDate, "2028-02-29", date(2028, 2, 29)),
        (LocalTime, "2027-01-13T09:00", datetime.fromisoformat("2027-01-13T09:00:00")),
        (LocalTime, "2027-01-13T09:00:30", datetime.fromisoformat("2027-01-13T09:00:30")),
        (LocalTime, "2027-01-13T14:00:00Z", datetime(2027, 1, 13, 14, tzinfo=UTC)),
        (LocalTime, "2027-01-13T14:00:00.000Z", datetime(2027, 1, 13, 14, tzinfo=UTC)),
        (LocalTime, "2027-01-13t14:00:00z", datetime(2027, 1, 13, 14, tzinfo=UTC)),
        (
            LocalTime,
            "2027-01-13T09:00:00-05:00",
            datetime(2027, 1, 13, 9, tzinfo=timezone(timedelta(hours=-5))),
        ),
        (Moment, "2027-01-13", datetime(2027, 1, 13, tzinfo=UTC)),
        (Moment, "2027-01-13T14:00Z", datetime(2027, 1, 13, 14, tzinfo=UTC)),
        (Moment, "2027-01-13T14:00:00.123Z", datetime(2027, 1, 13, 14, 0, 0, 123_000, UTC)),  # as JavaScript writes it
        (Moment, "2027-01-13T14:00:00.123456+00:00", datetime(2027, 1, 13, 14, 0, 0, 123_456, UTC)),  # as Python does
        (Moment, "2027-01-13t14:00:00.123456789z", datetime(2027, 1, 13, 14, 0, 0, 123_456, UTC)),
        (RoomOrId, 7, 7),
        (RoomOrId, "7", "7"),
        (RoomOrId, {"name": "HG F 1"}, Room(name="HG F 1")),
    ],
)
def test_is_read(of: Any, sent: object, kept: object) -> None:
    assert read(of, sent) == kept


CONTROL = "must not contain control characters"
UNICODE = "must be valid Unicode, without lone surrogates"
A_DATE = "must be a string with a date like 2027-01-13"
A_TIME = "must be a string with a time like 2027-01-13T09:00:00, in whole seconds, with or without an offset"
A_MOMENT = "must be a string with a time like 2027-01-13T09:00:00Z, or a date"
NO_DAY = "must be a day that the calendar has"
YEARS = "must lie in the years 2000 to 2099"


@pytest.mark.parametrize(
    ("of", "sent", "pointed", "detail"),
    [
        (Line, "", "", "must not be blank"),
        (Line, " \u00a0\u200b", "", "must not be blank"),
        (Line, "a" * 257, "", "must be at most 256 bytes of UTF-8, and is 257"),
        (Line, "é" * 129, "", "must be at most 256 bytes of UTF-8, and is 258"),
        (Line, "a\x00", "", CONTROL),
        (Line, "a\nb", "", CONTROL),
        (Line, "a\u2028b", "", CONTROL),
        (Line, "a\x85", "", CONTROL),
        (Line, "a\uffff", "", CONTROL),
        (Line, "a\ud800", "", UNICODE),
        (OptionalText, "a\x07", "", f"{CONTROL} other than line ends and tabs"),
        (OptionalText, "\udfff", "", UNICODE),
        (Line, 5, "", "must be a string, got a whole number"),
        (Line, None, "", "must be a string, got null"),
        (Annotated[str, Words(9, without=",")], "a,b", "", "must not contain any of ,"),
        (Annotated[str, Words(9, least=2)], "a ", "", "must have at least 2 characters"),
        (KalturaId, "5", "", "must be a whole number, got a string"),
        (KalturaId, 5.0, "", "must be a whole number, got a decimal number"),
        (KalturaId, float("nan"), "", "must be a whole number, got a decimal number"),
        (KalturaId, True, "", "must be a whole number, got true or false"),
        (KalturaId, 0, "", "must be at least 1"),
        (KalturaId, 10**400, "", "must be at most 2147483647"),
        (LocalDate, "2027-02-29", "", NO_DAY),
        (LocalDate, "2027-1-3", "", A_DATE),
        (LocalDate, "２０２７-01-13", "", A_DATE),
        (LocalDate, "2027-01-13\n", "", A_DATE),
        (LocalDate, "9999-01-01", "", YEARS),
        (LocalDate, 20270113, "", f"{A_DATE}, got a whole number"),
        (LocalTime, 1799848800, "", f"{A_TIME}, got a whole number"),
        (LocalTime, "1799848800", "", A_TIME),
        (LocalTime, "2027-01-13", "", A_TIME),
        (LocalTime, "2027-01-13 09:00:00", "", A_TIME),
        (LocalTime, "2027-01-13T09:00:00.5", "", A_TIME),
        (Moment, "2027-01-13T09:00:00", "", "must have an offset from UTC, or Z"),
        (Moment, "2027-01-13T09:00:00.5", "", "must have an offset from UTC, or Z"),
        (Moment, "2027-01-13T09:00.5Z", "", A_MOMENT),
        (Moment, "2027-01-13T09:00:00.Z", "", A_MOMENT),
        (LocalTime, "2027-01-13T23:59:60", "", A_TIME),
        (LocalTime, "2027-01-13T24:00:00", "", A_TIME),
        (LocalTime, "2027-01-13T09:00:00+24:00", "", A_TIME),
        (LocalTime, "2027-02-30T09:00:00", "", NO_DAY),
        (LocalTime, "9999-12-31T23:59:59Z", "", YEARS),
        (LocalTime, "0001-01-01T00:00:00+10:00", "", YEARS),
        (RoomOrId, True, "", "must be an id, a name or an object, got true or false"),
        (RoomOrId, [], "", "must be an id, a name or an object, got a list"),
        (RoomOrId, 0, "", "must be at least 1"),
        (RoomOrId, {}, "/name", "is required"),
        (RoomOrId, {"name": "x", "colour": 1}, "/colour", "is not a field that is known here"),
        (list[RoomOrId], [1, {"name": ""}], "/1/name", "must not be blank"),
        (Annotated[list[Line], each_once(str.lower)], ["a", "b", "A"], "/2", "is in the list already"),
        (Room, [], "", "must be an object, got a list"),
    ],
)
def test_is_refused_at_its_place_and_in_plain_words(of: Any, sent: object, pointed: str, detail: str) -> None:
    assert refusals(of, sent) == [(pointed, detail)]


@pytest.mark.parametrize(
    ("loc", "expected"),
    [
        ((), ""),
        (("body",), ""),
        (("body", "recurrence", "count"), "/recurrence/count"),
        (("body", "exclude", 1, "to"), "/exclude/1/to"),
        (("exclude", 1), "/exclude/1"),
        (("query", "limit"), "/query/limit"),
        (("body", "a/b~c"), "/a~1b~0c"),
        (("body", "\ud800\x00"), "/\ufffd\ufffd"),
        (("body", "rooms", "A", "[key]"), "/rooms/A"),
        (("body", "x" * 5_000), "/" + "x" * 64 + "…"),
    ],
)
def test_pointers_are_rfc_6901(loc: tuple[int | str, ...], expected: str) -> None:
    assert pointer(loc) == expected


def test_a_body_that_is_no_json_points_at_the_document() -> None:
    broken = {"type": "json_invalid", "loc": ("body", 17), "input": {}, "ctx": {"error": "Expecting value"}}
    assert messages([broken]) == [{"pointer": "", "detail": "the body must be valid JSON"}]


def test_an_error_of_an_unknown_type_says_nothing_of_what_was_sent() -> None:
    broken = {"type": "new_in_pydantic", "loc": ("body", "x"), "input": "secret", "msg": "secret is bad"}
    assert messages([broken]) == [{"pointer": "/x", "detail": "is not valid"}]


def test_thousands_of_mistakes_make_a_short_answer() -> None:
    found = refusals(Room, {f"x{number}": 1 for number in range(10_000)} | {"name": "x"})
    assert len(found) == MAX_MESSAGES + 1
    assert found[-1] == ("", f"and {10_000 - MAX_MESSAGES} more")


class Shown(Out):
    at: Instant
    local: ZonedTime
    said: LocalTime


def test_times_are_shown_in_rfc_3339() -> None:
    at = datetime(2027, 1, 13, 9, tzinfo=ZoneInfo("America/New_York"))
    shown = Shown(at=at, local=at, said="2027-01-13T09:00+00:00")
    assert shown.model_dump(mode="json") == {
        "at": "2027-01-13T14:00:00Z",
        "local": "2027-01-13T09:00:00-05:00",
        "said": "2027-01-13T09:00:00Z",
    }
    assert shown.model_copy(update={"at": at.replace(microsecond=120_999)}).model_dump(mode="json")["at"] == (
        "2027-01-13T14:00:00.120Z"
    )


def test_a_page_says_where_the_next_one_begins() -> None:
    page = Page[Room](items=[Room(name="HG F 1")], next_cursor=None)
    assert page.model_dump(mode="json") == {"items": [{"name": "HG F 1", "floor": 1}], "next_cursor": None}


# Blanks, and names that are nearly right


class Lecture(In):
    title: Line
    time_zone: Line | None = None
    rooms: tuple[Room, ...] = ()


@pytest.mark.parametrize("blank", [None, "", " \t"])
def test_a_blank_optional_field_is_left_out(blank: str | None) -> None:
    read = Lecture.model_validate({"title": "t", "time_zone": blank, "rooms": blank})
    assert (read, read.model_fields_set) == (Lecture(title="t"), {"title"})
    assert refusals(Lecture, {"title": blank})


def test_the_schema_says_that_blanks_are_taken() -> None:
    shown = Lecture.model_json_schema()["properties"]
    assert (
        shown["rooms"]["anyOf"][1]
        == shown["time_zone"]["anyOf"][1]
        == {"type": ["string", "null"], "pattern": r"^\s*$"}
    )
    assert "anyOf" not in shown["title"]


@pytest.mark.parametrize("name", ["timeZone", "Time-Zone", "timezone", "tme_zone", "time"])
def test_a_name_that_is_nearly_a_field_is_told_which(name: str) -> None:
    assert refusals(Lecture, {"title": 1, name: "x", "rooms": [{"name": "r", "flor": 1, "colour": 2}]}) == [
        ("/title", "must be a string, got a whole number"),
        ("/rooms/0/flor", "is not a field that is known here: did you mean floor?"),
        ("/rooms/0/colour", "is not a field that is known here"),
        (f"/{name}", "is not a field that is known here: did you mean time_zone?"),
    ]
