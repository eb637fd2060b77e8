"""Days, times, weeks and dates as timetables write them."""

from datetime import date

import pytest

from app.terms.meetings.errors import RejectedError
from app.terms.meetings.parts import date_form, length, read_date, read_days, read_time, read_week_pattern, read_weeks

LETTERS = {"m": "MO", "t": "TU", "w": "WE", "r": "TH", "f": "FR", "s": "SA", "u": "SU"}


@pytest.mark.parametrize(
    ("text", "minutes", "padded"),
    [
        *[("09:00", 540, False), ("9:00", 540, False), ("0900", 540, False), ("900", 540, True), ("9.00", 540, False)],
        *[("9h15", 555, False), ("09:00:00", 540, False), ("9:00 am", 540, False), ("9 a.m.", 540, False)],
        *[("12:30 AM", 30, False), ("12 pm", 720, False), ("1:15PM", 795, False), ("24:00", 1440, False)],
        *[("0000", 0, False), ("2400", 1440, False)],
    ],
)
def test_a_time_of_day_is_read(text: str, minutes: int, padded: bool) -> None:
    assert read_time(text) == (minutes, padded)


@pytest.mark.parametrize("text", ["", "9", "30", "24:01", "25:00", "9:60", "13 pm", "0 am", "0.375", "noon", "٠٩:٠٠x"])
def test_what_is_no_time_of_day_is_rejected(text: str) -> None:
    with pytest.raises(RejectedError) as found:
        read_time(text)
    assert found.value.reason == "time_unreadable"


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (840, 810, "end_before_start"),
        (600, 600, "no_duration"),
        (480, 1020, "too_long"),
        (1440, 60, "time_unreadable"),
    ],
)
def test_a_length_that_cannot_be_meant_is_rejected(start: int, end: int, reason: str) -> None:
    with pytest.raises(RejectedError) as found:
        length(start, end, 6)
    assert found.value.reason == reason


def test_a_length_may_cross_midnight() -> None:
    assert (length(1320, 30, 6), length(1320, 1440, 6), length(1080, 0, 6)) == (150, 120, 360)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        *[
            ("MO", "MO"),
            ("Monday", "MO"),
            ("montag", "MO"),
            ("Do", "TH"),
            ("Tue", "TU"),
            ("lundi", "MO"),
            ("Sa.", "SA"),
        ],
        *[("MO|WE|FR", "MO WE FR"), ("FR, MO", "MO FR"), ("MOWEFR", "MO WE FR"), ("Tu/Th", "TU TH"), ("MO MO", "MO")],
    ],
)
def test_days_are_read_by_their_names(text: str, days: str) -> None:
    assert read_days(text) == tuple(days.split())


@pytest.mark.parametrize("text", ["MX", "M", "T", "Mon-Fri", "Mondays!", "1", "", ",", "MONWED"])
def test_days_that_may_mean_several_are_never_guessed(text: str) -> None:
    with pytest.raises(RejectedError) as found:
        read_days(text)
    assert found.value.reason == "days_unreadable"


def test_letters_are_read_by_a_profile_s_table() -> None:
    assert read_days("mtwrfsu", LETTERS) == ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
    assert read_days("TR ", LETTERS) == ("TU", "TH")
    assert read_days("TTh", {"t": "TU", "th": "TH"}) == ("TU", "TH")


@pytest.mark.parametrize(
    ("text", "weeks"),
    [
        *[("1-5,7-8", [1, 2, 3, 4, 5, 7, 8]), ("1-3, 5", [1, 2, 3, 5]), ("1–2;4—5", [1, 2, 4, 5]), ("3", [3])],
        *[("1 - 3", [1, 2, 3]), ("2,4,6", [2, 4, 6]), ("odd", [1, 3, 5]), ("Even", [2, 4, 6]), ("gerade 3-6", [4, 6])],
        *[("1-7 odd", [1, 3, 5, 7]), ("5,1-2", [1, 2, 5])],
    ],
)
def test_weeks_are_read(text: str, weeks: list[int]) -> None:
    assert read_weeks(text, last=6) == tuple(weeks)


@pytest.mark.parametrize("text", ["11-7", "0-3", "1-999", "all", "1-", "-3", "1.5", "odd even", "2 odd", "1-5-7"])
def test_weeks_that_cannot_be_meant_are_rejected(text: str) -> None:
    with pytest.raises(RejectedError) as found:
        read_weeks(text, last=14)
    assert found.value.reason == "weeks_unreadable"


@pytest.mark.parametrize("text", ["1.1111E+13", "0000", "12", "1 1"])
def test_a_pattern_of_weeks_is_ones_and_zeros(text: str) -> None:
    assert read_week_pattern("0110") == (2, 3)
    with pytest.raises(RejectedError) as found:
        read_week_pattern(text)
    assert found.value.reason == "weeks_unreadable"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        *[
            ("DD-MON-YY", "09-FEB-27"),
            ("DD-MON-YY", "9-feb-27"),
            ("DD/MM/YYYY", "09/02/2027"),
            ("MM/DD/YYYY", "2/9/2027"),
        ],
        *[
            ("DD.MM.YYYY", "9.2.2027"),
            ("YYYYMMDD", "20270209"),
            ("DD-MON-YY", "2027-02-09"),
            ("YYYY-MM-DD", "2027-02-09"),
        ],
    ],
)
def test_a_date_is_read_in_its_form(form: str, text: str) -> None:
    assert read_date(text, form) == date(2027, 2, 9)


@pytest.mark.parametrize("text", ["02/09/2027", "9.2.27", "2027-02-30", "46398", "", "9-FEV-27", "1999-02-09"])
def test_a_date_in_another_form_is_never_guessed(text: str) -> None:
    with pytest.raises(RejectedError) as found:
        read_date(text, "DD-MON-YY")
    assert found.value.reason == "date_unreadable"


@pytest.mark.parametrize("form", ["DD-MM", "DD-MM-MON-YY", "D/M/Y", "YYYY", "DDxMMxYY", ""])
def test_a_form_has_a_day_a_month_and_a_year(form: str) -> None:
    assert date_form(form) is None
