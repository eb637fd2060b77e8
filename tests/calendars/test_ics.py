"""text/calendar: which events of a registrar's file are campus days, and which are not."""

import json
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from fastapi.exceptions import RequestValidationError

from app.calendars import ics
from app.calendars.days import Ignored, Named, Said
from app.calendars.reading import Body, read

FILES = Path(__file__).parents[1] / "data/calendars"
FILE = (FILES / "campus_calendar.ics").read_bytes()
EXPECTED = json.loads((FILES / "campus_calendar.expected.json").read_text(encoding="utf-8"))
TODAY = date(2026, 12, 1)
TERM = date(2027, 1, 11), date(2027, 4, 30)
REASONS = {"cancelled": "ignored: cancelled", "category": "ignored: category"}


def file(*events: str) -> bytes:
    """A calendar with these events, each said by its lines without BEGIN and END."""
    body = [line for one in events for line in ("BEGIN:VEVENT", *one.strip().splitlines(), "END:VEVENT")]
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:x", *map(str.strip, body), "END:VCALENDAR", ""]
    ).encode()


def said(*events: str, categories: str | None = None) -> Said:
    return read(Body(file(*events), "text/calendar", categories), TODAY)


def days(*events: str) -> list[tuple[str, str]]:
    return [(str(day.first), str(day.last)) for day in said(*events).days]


def refusal(body: Body) -> dict[str, Any]:
    with pytest.raises(RequestValidationError) as refused:
        read(body, TODAY)
    (error,) = refused.value.errors()
    return dict(error)


# The real-looking file


@pytest.fixture(scope="module")
def campus() -> Said:
    return read(Body(FILE, "text/calendar", "Holiday,Break,Closure"), TODAY)


def outcomes(campus: Said) -> set[tuple[str, str, str, str]]:
    """Each as the expectation writes it: name, first, last, outcome. A term's own bounds are looked at here."""
    partial = {one.detail.partition(", on ")[0] for one in campus.warnings if one.code == "partial_day"}
    found = set()
    for day in campus.days:
        inside = TERM[0] <= day.last and day.first <= TERM[1]
        outcome = f"meets as {day.meets_as}" if day.meets_as else "excluded"
        found.add((day.name or "", str(day.first), str(day.last), outcome if inside else "outside the term"))
    for one in campus.ignored:
        warned = " (warning: partial_day)" if one.name in partial else ""
        reason = REASONS.get(one.reason, f"ignored: not a whole day{warned}")
        inside = one.first is not None and TERM[0] <= one.first <= TERM[1]
        found.add((one.name or "", str(one.first), str(one.last), reason if inside else "outside the term"))
    return found


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda one: f"{one['uid']}-{one['from']}")
def test_the_file_becomes_what_is_expected_of_it(campus: Said, expected: dict[str, str]) -> None:
    name = expected["summary"]
    if expected["from"] is None:
        near = [day for day in campus.days if day.name == name and TERM[0] <= day.first <= TERM[1]]
        assert near == []
        return
    assert (name, expected["from"], expected["to"], expected["outcome"]) in outcomes(campus)


def test_the_file_excludes_nothing_else(campus: Said) -> None:
    inside = {str(day.first) for day in campus.days if TERM[0] <= day.first <= TERM[1]}
    assert inside == {"2027-01-18", "2027-02-15", "2027-02-16", "2027-03-15", "2027-03-26"}
    assert campus.title == "Academic Calendar"


# Dates


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("DTSTART;VALUE=DATE:20270204", [("2027-02-04", "2027-02-04")]),
        ("DTSTART;VALUE=DATE:20270204\nDTEND;VALUE=DATE:20270204", [("2027-02-04", "2027-02-04")]),
        ("DTSTART;VALUE=DATE:20270204\nDTEND;VALUE=DATE:20270207", [("2027-02-04", "2027-02-06")]),
        ("DTSTART;VALUE=DATE:20270204\nDURATION:P2D", [("2027-02-04", "2027-02-05")]),
        (
            "DTSTART;VALUE=DATE:20270204\nRDATE;VALUE=DATE:20270301,20270302",
            [("2027-02-04", "2027-02-04"), ("2027-03-01", "2027-03-01"), ("2027-03-02", "2027-03-02")],
        ),
        (
            "DTSTART;VALUE=DATE:20270204\nRRULE:FREQ=WEEKLY;COUNT=3\nEXDATE;VALUE=DATE:20270211",
            [("2027-02-04", "2027-02-04"), ("2027-02-18", "2027-02-18")],
        ),
        (
            "DTSTART;VALUE=DATE:20270204\nRRULE:FREQ=DAILY;UNTIL=20270205T235959Z",
            [("2027-02-04", "2027-02-04"), ("2027-02-05", "2027-02-05")],
        ),
        ("DTSTART;VALUE=DATE;TZID=America/New_York:20270204", [("2027-02-04", "2027-02-04")]),
        ("DTSTART;VALUE=DATE:20270204T000000\nDTEND;VALUE=DATE:20270206T000000", [("2027-02-04", "2027-02-05")]),
        ("DTSTART;VALUE=DATE:20270204\nRDATE:\nEXDATE:", [("2027-02-04", "2027-02-04")]),
        ("DTSTART;VALUE=DATE:20200204", []),
        ("DTSTART;VALUE=DATE:20400204", []),
    ],
)
def test_the_dates_of_an_event(lines: str, found: list[tuple[str, str]]) -> None:
    assert days(f"UID:1\nSUMMARY:x\n{lines}") == found


def test_a_long_break_that_began_before_what_is_looked_at_and_goes_on_counts() -> None:
    first = TODAY - ics.BEFORE - timedelta(days=3)
    assert days(f"UID:1\nDTSTART;VALUE=DATE:{first:%Y%m%d}\nDURATION:P10D") == [
        (str(first), str(first + timedelta(days=9)))
    ]


def test_outlook_s_all_day_events_may_lie_between_midnights() -> None:
    whole = "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"
    zone = "TZID=Eastern Standard Time:"
    assert days(f"DTSTART;{zone}20270215T000000\nDTEND;{zone}20270217T000000\n{whole}") == [
        ("2027-02-15", "2027-02-16")
    ]
    assert days(f"DTSTART;{zone}20270215T000000\nDTEND;{zone}20270215T120000\n{whole}") == []
    assert days(f"DTSTART:20270215T050000Z\nDTEND:20270216T050000Z\n{whole}") == []  # whose midnight is not said
    assert days(f"DTSTART;{zone}20270215T000000\nDTEND;{zone}20270216T000000") == []


def test_one_instance_that_was_moved_or_withdrawn_is_not_where_its_rule_has_it() -> None:
    weekly = "UID:1\nSUMMARY:Closed\nDTSTART;VALUE=DATE:20270201\nRRULE:FREQ=WEEKLY;COUNT=3"
    moved = "UID:1\nSUMMARY:Closed\nRECURRENCE-ID;VALUE=DATE:20270208\nDTSTART;VALUE=DATE:20270209"
    withdrawn = "UID:1\nRECURRENCE-ID;VALUE=DATE:20270215\nDTSTART;VALUE=DATE:20270215\nSTATUS:CANCELLED"
    assert days(weekly, moved, withdrawn) == [("2027-02-01", "2027-02-01"), ("2027-02-09", "2027-02-09")]


def test_an_instant_that_is_said_in_utc_is_on_the_date_of_the_event_s_zone() -> None:
    """As Exchange writes UNTIL, and others EXDATE and RECURRENCE-ID: midnight in Berlin is 23:00 UTC the day before."""
    zone = "TZID=W. Europe Standard Time:"

    def whole(first: int) -> str:
        ends = f"DTSTART;{zone}202702{first:02}T000000\nDTEND;{zone}202702{first + 1:02}T000000"
        return f"UID:1\n{ends}\nX-MICROSOFT-CDO-ALLDAYEVENT:TRUE"

    rule = "RRULE:FREQ=WEEKLY;UNTIL=20270221T230000Z\nEXDATE:20270207T230000Z"
    moved = f"{whole(16)}\nRECURRENCE-ID:20270214T230000Z"
    assert days(f"{whole(1)}\n{rule}", moved) == [(f"2027-02-{day}", f"2027-02-{day}") for day in ("01", "16", "22")]


# What counts


def test_categories_are_compared_in_any_case_and_all_count_if_none_is_named() -> None:
    holiday = "UID:1\nSUMMARY:a\nDTSTART;VALUE=DATE:20270204\nCATEGORIES:Public,HOLIDAY"
    other = "UID:2\nSUMMARY:b\nDTSTART;VALUE=DATE:20270205\nCATEGORIES:Deadline"
    assert [day.name for day in said(holiday, other, categories=" holiday , Break").days] == ["a"]
    assert [day.name for day in said(holiday, other, categories="").days] == ["a", "b"]
    assert said(holiday, other, categories="holiday").ignored == (
        Ignored("b", date(2027, 2, 5), date(2027, 2, 5), "category"),
    )


@pytest.mark.parametrize("written", ["Fe\u0301rie\u0301  public", "FÉRIÉ\u00a0PUBLIC", " férié public "])
def test_a_category_is_the_same_however_its_letters_and_spaces_are_written(written: str) -> None:
    found = said(f"DTSTART;VALUE=DATE:20270204\nCATEGORIES:x,{written}", categories="Férié public")
    assert ([str(day.first) for day in found.days], found.warnings) == (["2027-02-04"], ())


def test_of_a_name_that_is_said_twice_the_first_counts() -> None:
    assert said("SUMMARY:One\nSUMMARY:Two\nDTSTART;VALUE=DATE:20270204").days[0].name == "One"


def test_a_make_up_day_counts_in_any_category_and_never_where_nothing_is_recorded() -> None:
    made_up = "UID:1\nSUMMARY:Monday schedule\nDTSTART;VALUE=DATE:20270216\nX-LECTERN-MEETS-AS:mo\nCATEGORIES:Other"
    closed = "UID:2\nSUMMARY:Snow\nDTSTART;VALUE=DATE:20270216\nCATEGORIES:Holiday"
    day = date(2027, 2, 16)
    assert said(made_up, categories="Holiday").days == (Named("Monday schedule", day, day, "MO"),)
    both = said(made_up, closed, categories="Holiday")
    assert both.days == (Named("Snow", day, day),)
    assert [(one.name, one.reason) for one in both.ignored] == [("Monday schedule", "closed")]
    assert [one.code for one in both.warnings] == ["closed"]


@pytest.mark.parametrize(
    "lines",
    [
        "SUMMARY:without a date",
        "DTSTART;VALUE=DATE:20270231",
        "DTSTART;VALUE=DATE:20270204\nRRULE:FREQ=HOURLY",
        "DTSTART;VALUE=DATE:20270204\nRRULE:FREQ=YEARLY;BYDAY=XX",
        "DTSTART;VALUE=DATE:20270204\nRRULE:nonsense",
        "DTSTART;VALUE=DATE:20270204\nX-LECTERN-MEETS-AS:Monday",
        "DTSTART;VALUE=DATE:20270204\nX-LECTERN-MEETS-AS:MO\nX-LECTERN-MEETS-AS:TU",
    ],
)
def test_what_cannot_be_read_is_left_out_and_named(lines: str) -> None:
    found = said(f"UID:1\nSUMMARY:Odd\n{lines}", "UID:2\nDTSTART;VALUE=DATE:20270204")
    assert [str(day.first) for day in found.days] == ["2027-02-04"]
    assert [one.reason for one in found.ignored] == ["unreadable"]
    assert [one.code for one in found.warnings] == ["unreadable"]


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "BEGIN:VCALENDAR"),
        (b"hello", "BEGIN:VCALENDAR"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", "BEGIN:VCALENDAR"),
        (b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", "BEGIN:VCALENDAR"),
        (b"BEGIN:VCALENDAR\r\nSUMMARY:\xff\r\nEND:VCALENDAR\r\n", "UTF-8: byte 26"),
        (file("UID:1\nDTSTART;VALUE=DATE:20270101\nRRULE:FREQ=DAILY"), "1,000"),
    ],
)
def test_a_file_that_is_none_or_says_too_much_is_refused(content: bytes, word: str) -> None:
    assert word in refusal(Body(content, "text/calendar", None))["ctx"]["rule"]


def test_a_line_that_is_folded_within_a_character_is_read() -> None:
    whole = file("UID:1\nSUMMARY:Ferme\u0301 à Noël\nDTSTART;VALUE=DATE:20270204")
    for fold in (b"\r\n ", b"\n\t"):
        split = b"".join(bytes([byte]) + (fold if byte > 0x7F else b"") for byte in whole)
        assert read(Body(split, "text/calendar", None), TODAY).days[0].name == "Ferme\u0301 à Noël"


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\r\n", b"\r\n\r\n"])
def test_lines_may_end_otherwise(end: bytes) -> None:
    content = file("UID:1", "SUMMARY:Spring break\nDTSTART;VALUE=DATE:20270204").replace(b"ng b", b"ng\r\n  b")
    (day,) = read(Body(content.replace(b"\r\n", end), "text/calendar", None), TODAY).days
    assert (day.name, str(day.first)) == ("Spring break", "2027-02-04")


def test_the_byte_that_is_not_utf_8_is_counted_in_the_file_as_it_was_sent() -> None:
    content = b"BEGIN:VCALENDAR\r\nSUMMARY:\xc3\r\n \xa9\r\n t\r\n\t\xffx\r\n y\r\nEND:VCALENDAR\r\n"
    rule = refusal(Body(content, "text/calendar", None))["ctx"]["rule"]
    assert rule == f"must be UTF-8: byte {content.index(0xFF) + 1} of the body is not"


def test_a_byte_order_mark_is_no_part_of_it() -> None:
    found = read(Body(b"\xef\xbb\xbf" + file("UID:1\nDTSTART;VALUE=DATE:20270204"), "text/calendar", None), TODAY)
    assert len(found.days) == 1


# What may not be meant


def test_a_category_that_no_event_has_is_told_of() -> None:
    holiday = "UID:1\nSUMMARY:x\nDTSTART;VALUE=DATE:20270204\nCATEGORIES:Holiday"
    found = said(holiday, "UID:2\nDTSTART;VALUE=DATE:20270205\nCATEGORIES:Break,Senate", categories="Holidays,break")
    assert [str(day.first) for day in found.days] == ["2027-02-05"]
    (one,) = found.warnings
    assert one.code == "unknown_category"
    assert one.detail == "No event is in the category Holidays. In the file are: Break, Holiday, Senate."
    assert said(holiday, categories="HOLIDAY").warnings == ()


def test_a_file_without_events_is_told_of() -> None:
    assert [one.code for one in said(categories="Holiday").warnings] == ["no_events"]


# Make-up days of several dates


def test_each_date_of_a_make_up_event_is_a_make_up_day() -> None:
    week = "UID:1\nDTSTART;VALUE=DATE:20270216\nDTEND;VALUE=DATE:20270219\nX-LECTERN-MEETS-AS:MO"
    closed = "UID:2\nDTSTART;VALUE=DATE:20270217"
    found = said(week)
    assert [(str(day.first), str(day.last), day.meets_as) for day in found.days] == [
        (f"2027-02-{day}", f"2027-02-{day}", "MO") for day in (16, 17, 18)
    ]
    found = said(week, closed)
    assert [str(day.first) for day in found.days if day.meets_as] == ["2027-02-16", "2027-02-18"]
    assert [(str(one.first), one.reason) for one in found.ignored] == [("2027-02-17", "closed")]
    assert [str(day.first) for day in said(f"{week}\nRRULE:FREQ=DAILY;COUNT=3").days] == [
        f"2027-02-{day}" for day in range(16, 21)
    ]


def test_a_make_up_event_of_many_years_is_refused() -> None:
    ever = file("UID:1\nDTSTART;VALUE=DATE:20270216\nDTEND;VALUE=DATE:20991231\nX-LECTERN-MEETS-AS:MO")
    assert "1,000" in refusal(Body(ever, "text/calendar", None))["ctx"]["rule"]


# How much


def test_a_date_that_several_entries_hold_counts_once() -> None:
    years = "DTSTART;VALUE=DATE:20270101\nDTEND;VALUE=DATE:20290927"  # 1,000 days
    assert len(said(f"SUMMARY:x\n{years}", "SUMMARY:y\nDTSTART;VALUE=DATE:20270101\nDURATION:P5D").days) == 2
    assert len(said(*[f"SUMMARY:{number}\n{years}" for number in range(1000)]).days) == 1000
    apart = file(f"SUMMARY:x\n{years}", "SUMMARY:y\nDTSTART;VALUE=DATE:20290926\nDURATION:P2D")
    assert "1,000 dates in all, and are 1,001" in refusal(Body(apart, "text/calendar", None))["ctx"]["rule"]
    many = file(*[f"SUMMARY:{number}\n{years}" for number in range(1001)])
    assert "1,000 entries, and has 1,001" in refusal(Body(many, "text/calendar", None))["ctx"]["rule"]


# Mean rules


@pytest.mark.parametrize("frequency", ["YEARLY", "MONTHLY", "WEEKLY", "DAILY"])
def test_a_rule_that_yields_nothing_comes_to_an_end(frequency: str) -> None:
    """dateutil would walk it to the year 9999. A rule that does yield something is read to its end all the same."""
    mean = f"DTSTART;VALUE=DATE:20200101\nRRULE:FREQ={frequency};BYMONTH=2;BYMONTHDAY=30"
    looked = count()
    with mock.patch.object(ics._Months, "__contains__", _counted(looked)):
        assert days(f"UID:1\n{mean}") == []
    assert next(looked) < 15 * 366


def _counted(looked: "count[int]") -> Any:
    asked = ics._Months.__contains__

    def ask(months: ics._Months, month: object) -> bool:
        next(looked)
        return asked(months, month)

    return ask


def test_a_rule_of_two_thousand_years_is_refused_before_it_is_walked() -> None:
    content = file("UID:1\nDTSTART;VALUE=DATE:00010101\nRRULE:FREQ=DAILY")
    looked = count()
    with mock.patch.object(ics._Months, "__contains__", _counted(looked)):
        assert "too long" in refusal(Body(content, "text/calendar", None))["ctx"]["rule"]
    assert next(looked) == 0


def test_a_file_of_mean_rules_is_refused() -> None:
    rule = "UID:{}\nDTSTART;VALUE=DATE:16000101\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"
    content = file(*[rule.format(number) for number in range(50)])
    assert "too long" in refusal(Body(content, "text/calendar", None))["ctx"]["rule"]
