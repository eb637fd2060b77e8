"""Recurrences as RFC 5545 writes them: several lines, what is added and what is left out."""

from datetime import date, datetime, time, timedelta

import pytest

from app.recurrence.occurrences import Exclusion, Inclusion, Occurrence, occurrences, zone
from app.recurrence.rules import Rule, RuleError
from app.recurrence.text import Recurring, check_text, read_text
from tests.recurrence.support import at, days

NEW_YORK = zone("America/New_York")
START = at("2027-01-13T09:00")
WEEKLY = "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4"
RULE = Rule("weekly", days=days("MO,WE"), count=4)  # 13, 18, 20 and 25 January


def read(text: str, start: datetime = START) -> Recurring:
    check_text(text)
    return read_text(text, start, NEW_YORK)


def sessions_of(text: str, start: datetime = START) -> list[Occurrence]:
    said = read(text, start)
    found = occurrences(start, NEW_YORK, timedelta(minutes=50), said.rule, said.exclude, said.include)
    return [one for one in found if not one.excluded_by]


def held(text: str) -> list[str]:
    return [f"{one.local:%m%d %H:%M}" for one in sessions_of(text)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4", RULE),
        (WEEKLY, RULE),
        (f"DTSTART:20270113T090000\r\n{WEEKLY}\r\n", RULE),
        (f"DTSTART;TZID=America/New_York:20270113T090000\n{WEEKLY}", RULE),
        (f"DTSTART:20270113T140000Z\n{WEEKLY}", RULE),
        (f"DTSTART;VALUE=DATE:20270113\n\n{WEEKLY}", RULE),
        ("rrule:freq=weekly;\n byday=mo,we;count=4", RULE),
        ("RRULE:FREQ=YEARLY;COUNT=2", (date(2027, 1, 13), date(2028, 1, 13))),
        (
            "RRULE:FREQ=WEEKLY;BYDAY=FR;COUNT=2\nRRULE:FREQ=MONTHLY;BYMONTHDAY=15;COUNT=2",
            (date(2027, 1, 15), date(2027, 1, 22), date(2027, 2, 15)),
        ),
        ("RDATE:20270114", None),
    ],
)
def test_one_rule_of_the_model_stays_a_rule_and_all_else_is_dates(text: str, rule: object) -> None:
    assert read(text).rule == rule


def test_dates_are_added_and_left_out() -> None:
    said = read(f"{WEEKLY}\nRDATE:20270121,20270122T140000\nEXDATE:20270118T090000\nEXDATE;VALUE=DATE:20270125")
    assert said == Recurring(
        RULE,
        (Inclusion(date(2027, 1, 21)), Inclusion(date(2027, 1, 22), time(14))),
        (Exclusion(date(2027, 1, 18), date(2027, 1, 18)), Exclusion(date(2027, 1, 25), date(2027, 1, 25))),
    )


@pytest.mark.parametrize(
    ("lines", "sessions"),
    [
        ("RDATE:20270114", ["0113 09:00", "0114 09:00", "0118 09:00", "0120 09:00", "0125 09:00"]),
        ("RDATE:20270118", ["0113 09:00", "0118 09:00", "0120 09:00", "0125 09:00"]),
        # In another zone, and in UTC, it is the same session.
        ("EXDATE:20270118T140000Z", ["0113 09:00", "0120 09:00", "0125 09:00"]),
        ("EXDATE;TZID=Europe/Berlin:20270118T150000", ["0113 09:00", "0120 09:00", "0125 09:00"]),
        ('EXDATE;TZID="Eastern Standard Time":20270118T090000', ["0113 09:00", "0120 09:00", "0125 09:00"]),
        # RFC 5545, 3.8.5.1: an EXDATE leaves out what an RDATE adds.
        (
            "RDATE:20270114,20270115T140000\nEXDATE:20270114,20270115T140000,20270118",
            ["0113 09:00", "0120 09:00", "0125 09:00"],
        ),
    ],
)
def test_what_lines_come_to(lines: str, sessions: list[str]) -> None:
    assert held(f"{WEEKLY}\n{lines}") == sessions


def test_dates_alone_begin_with_the_start() -> None:
    assert held("RDATE:20270115,20270114T080000") == ["0113 09:00", "0114 08:00", "0115 09:00"]


FIRST, SECOND = at("2027-11-07T01:30"), at("2027-11-07T01:30").replace(fold=1)  # 05:30 and 06:30 UTC


@pytest.mark.parametrize(
    ("start", "lines", "instants"),
    [
        (at("2027-11-01T09:00"), "RDATE:20271107T063000Z", ["1101 13:00", "1107 06:30"]),
        (at("2027-11-01T09:00"), "RDATE;TZID=Europe/London:20271107T063000", ["1101 13:00", "1107 06:30"]),
        (at("2027-11-01T09:00"), "RDATE:20271107T053000Z", ["1101 13:00", "1107 05:30"]),
        # Without an offset it is the first.
        (at("2027-11-01T09:00"), "RDATE:20271107T013000", ["1101 13:00", "1107 05:30"]),
        (at("2027-11-06T01:30"), "RDATE:20271107T063000Z,20271108", ["1106 05:30", "1107 06:30", "1108 06:30"]),
        (at("2027-11-01T09:00"), "RDATE:20271107T063000Z\nEXDATE:20271107T063000Z", ["1101 13:00"]),
        (SECOND, "RDATE:20271107T063000Z,20271108", ["1107 06:30", "1108 06:30"]),
        (SECOND, "DTSTART:20271107T063000Z\nRRULE:FREQ=DAILY;COUNT=2", ["1107 06:30", "1108 06:30"]),
    ],
)
def test_a_date_time_with_an_offset_names_one_run_of_a_repeated_hour(
    start: datetime, lines: str, instants: list[str]
) -> None:
    assert [f"{one.start:%m%d %H:%M}" for one in sessions_of(lines, start)] == instants


@pytest.mark.parametrize(
    ("start", "lines", "words"),
    [
        (FIRST, "RDATE:20271107T063000Z", "second session"),
        (SECOND, "RDATE:20271107T013000", "second session"),
        (at("2027-11-01T09:00"), "RDATE:20271107T053000Z,20271107T063000Z", "second session"),
        (at("2027-11-01T09:00"), "RDATE:20271107T063000Z\nEXDATE:20271107T013000", "another time of day"),
        (FIRST, "RRULE:FREQ=DAILY;COUNT=2\nEXDATE:20271107T063000Z", "another time of day"),
        (FIRST, "DTSTART:20271107T063000Z\nRRULE:FREQ=DAILY;COUNT=2", "DTSTART says"),
    ],
)
def test_the_two_runs_of_a_repeated_hour_are_not_taken_for_each_other(start: datetime, lines: str, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        sessions_of(lines, start)


def test_an_exdate_in_utc_leaves_out_a_session_that_a_gap_has_moved() -> None:
    text = "RRULE:FREQ=DAILY;COUNT=3\nEXDATE:20270314T073000Z"
    assert [f"{one.local:%m%d %H:%M}" for one in sessions_of(text, at("2027-03-13T02:30"))] == [
        "0313 02:30",
        "0315 02:30",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "RRULE or an RDATE"),
        ("EXDATE:20270118", "RRULE or an RDATE"),
        ("RRULE:FREQ=HOURLY;COUNT=2", "nothing repeats within a day"),
        ("RRULE:FREQ=SECONDLY;COUNT=2", "nothing repeats within a day"),
        ("RRULE:COUNT=2", "DAILY, WEEKLY, MONTHLY or YEARLY"),
        ("FREQ=DAILY,COUNT=2", "semicolons part it"),
        # A number that is too large is called that, however large it is.
        ("FREQ=DAILY;INTERVAL=99999;COUNT=2", "beyond three years"),
        (f"FREQ=WEEKLY;INTERVAL={'9' * 50};COUNT=2", "beyond three years"),
        ("FREQ=DAILY;INTERVAL=0;COUNT=2", "INTERVAL is at least 1"),
        ("FREQ=DAILY;COUNT=99999", "count is 1 to 1,000"),
        ("FREQ=MONTHLY;BYMONTHDAY=12345;COUNT=2", "month_days are 1 to 31"),
        ("FREQ=MONTHLY;BYDAY=6MO;COUNT=2", "1 to 5"),
        ("FREQ=YEARLY;BYWEEKNO=99999;COUNT=2", "BYWEEKNO takes 1 to 53"),
        (f"{WEEKLY}\nEXRULE:FREQ=DAILY;COUNT=2", "lines of a recurrence"),
        (f"{WEEKLY}\nDTEND:20270113T100000", "lines of a recurrence"),
        ("\n".join([WEEKLY] * 5), "at most 4"),
        (f"{WEEKLY}\nRDATE;VALUE=PERIOD:20270114T140000Z/PT1H", "no periods"),
        (f"{WEEKLY}\nRDATE:20270114T140000Z/PT1H", "RDATE has dates"),
        (f"{WEEKLY}\nRDATE:2027-01-14", "RDATE has dates"),
        (f"{WEEKLY}\nRDATE:20270230", "RDATE has dates"),
        (f"{WEEKLY}\nRDATE:", "RDATE has dates"),
        (f"{WEEKLY}\nEXDATE;TZID=Nowhere:20270118T090000", "EXDATE has dates"),
        (f"{WEEKLY}\nEXDATE:00010101T000000Z", "EXDATE has"),
        (f"{WEEKLY}\nEXDATE:99991231", "EXDATE has"),
        (f"DTSTART:20270113T100000\n{WEEKLY}", "DTSTART says"),
        (f"DTSTART:20270114\n{WEEKLY}", "DTSTART says"),
        (f"{WEEKLY}\nRDATE:20270118T140000", "second session"),
        (f"{WEEKLY}\nRDATE:20270119T140000,20270119T150000", "second session"),
        (f"{WEEKLY}\nRDATE:20270112", "before the first day"),
        (f"{WEEKLY}\nRDATE:20300114", "three years"),
        (f"{WEEKLY}\nEXDATE:20270118T080000", "another time of day"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        read(text)
