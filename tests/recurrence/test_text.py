"""Recurrences as RFC 5545 writes them: several lines, what is added and what is left out."""

from datetime import date, datetime, time, timedelta

import pytest

from app.recurrence.occurrences import Exclusion, Inclusion, occurrences, zone
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


def held(text: str) -> list[str]:
    said = read(text)
    sessions = occurrences(START, NEW_YORK, timedelta(minutes=50), said.rule, said.exclude, said.include)
    return [f"{one.local:%m%d %H:%M}" for one in sessions if not one.excluded_by]


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "RRULE or an RDATE"),
        ("EXDATE:20270118", "RRULE or an RDATE"),
        ("RRULE:FREQ=HOURLY;COUNT=2", "nothing repeats within a day"),
        ("RRULE:FREQ=SECONDLY;COUNT=2", "nothing repeats within a day"),
        ("RRULE:COUNT=2", "DAILY, WEEKLY, MONTHLY or YEARLY"),
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
