"""RRULEs that say more than a Rule: what they mean, what is refused, and how little work a mean one makes."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import Any
from unittest import mock

import pytest
from dateutil import rrule
from hypothesis import strategies as st

from app.recurrence.beyond import expand_wider, goes_beyond, read_wider
from app.recurrence.occurrences import zone
from app.recurrence.rules import RuleError, rrule_parts
from tests.recurrence.support import at
from tests.recurrence.test_properties import at_random

UTC = zone("UTC")
WEDNESDAY = at("2027-01-13T09:00")
MOST_STEPS = 32 * 54  # of the walk: weeks of as many years as it can have


def expanded(text: str, start: datetime = WEDNESDAY) -> list[date]:
    parts = rrule_parts(text)
    assert goes_beyond(parts)
    return expand_wider(read_wider(parts, start, UTC), start)


@pytest.mark.parametrize(
    ("text", "start", "dates"),
    [
        # RFC 5545, 3.8.5.3: examples
        ("FREQ=YEARLY;BYMONTH=6,7;COUNT=6", "1997-06-10", "970610 970710 980610 980710 990610 990710"),
        ("FREQ=YEARLY;INTERVAL=3;BYYEARDAY=1,100,200;COUNT=4", "1997-01-01", "970101 970410 970719 000101"),
        ("FREQ=YEARLY;BYDAY=20MO;COUNT=3", "1997-05-19", "970519 980518 990517"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=3", "1997-05-12", "970512 980511 990517"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH;COUNT=5", "1997-03-13", "970313 970320 970327 980305 980312"),
        ("FREQ=DAILY;BYMONTH=1;BYDAY=SA;COUNT=3", "1998-01-01", "980103 980110 980117"),
        ("FREQ=MONTHLY;BYMONTH=11;BYMONTHDAY=2,3;BYDAY=TU;COUNT=2", "1998-01-01", "981103 991102"),
        # A daily rule keeps its step through what limits it, and has one position a day.
        ("FREQ=DAILY;INTERVAL=10;BYMONTH=2;COUNT=3", "2027-01-13", "270202 270212 270222"),
        ("FREQ=DAILY;INTERVAL=13;COUNT=3", "2027-01-13", "270113 270126 270208"),
        ("FREQ=DAILY;BYMONTHDAY=-1;BYSETPOS=-1;COUNT=2", "2027-01-13", "270131 270228"),
        ("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=-1;COUNT=2", "2027-01-13", "270115 270122"),
        ("FREQ=WEEKLY;INTERVAL=20;COUNT=3", "2027-01-13", "270113 270602 271020"),
        # A plain day beside a numbered one: either.
        ("FREQ=YEARLY;BYMONTH=2;BYDAY=MO,1TU;COUNT=5", "2027-01-13", "270201 270202 270208 270215 270222"),
        # 29 February
        ("FREQ=YEARLY;COUNT=1", "2028-02-29", "280229"),
        ("FREQ=YEARLY;BYYEARDAY=366;COUNT=1", "2027-01-13", "281231"),
    ],
)
def test_a_wider_rule_means_what_the_rfc_says(text: str, start: str, dates: str) -> None:
    assert [f"{day:%y%m%d}" for day in expanded(text, at(f"{start}T09:00"))] == dates.split()


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY",
        "FREQ=YEARLY;COUNT=2;UNTIL=20280101",
        "FREQ=YEARLY;COUNT=0",
        "FREQ=YEARLY;COUNT=1001",
        "FREQ=YEARLY;INTERVAL=0;COUNT=1",
        "FREQ=YEARLY;WKST=XX;COUNT=1",
        "FREQ=YEARLY;BYMONTH=13;COUNT=1",
        "FREQ=YEARLY;BYMONTH=-1;COUNT=1",
        "FREQ=YEARLY;BYMONTH=1,1;COUNT=1",
        "FREQ=YEARLY;BYMONTH=;COUNT=1",
        "FREQ=YEARLY;BYWEEKNO=54;COUNT=1",
        "FREQ=YEARLY;BYYEARDAY=0;COUNT=1",
        "FREQ=YEARLY;BYDAY=54MO;COUNT=1",
        "FREQ=YEARLY;BYDAY=0MO;COUNT=1",
        "FREQ=YEARLY;BYDAY=MO,MO;COUNT=1",
        "FREQ=YEARLY;BYDAY=XX;COUNT=1",
        "FREQ=YEARLY;BYDAY=;COUNT=1",
        "FREQ=YEARLY;BYMONTH=2;BYDAY=6MO;COUNT=1",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO;COUNT=1",
        "FREQ=YEARLY;BYSETPOS=1;COUNT=1",
        "FREQ=MONTHLY;BYWEEKNO=20;COUNT=1",
        "FREQ=MONTHLY;BYYEARDAY=20;COUNT=1",
        "FREQ=WEEKLY;BYMONTHDAY=20;COUNT=1",
        "FREQ=WEEKLY;BYMONTH=2;BYDAY=2MO;COUNT=1",
        "FREQ=YEARLY;UNTIL=20261231",
        "FREQ=YEARLY;UNTIL=20300114",
        "FREQ=YEARLY;UNTIL=99991231",
        "FREQ=YEARLY;COUNT=5",
        "FREQ=YEARLY;BYMONTHDAY=1,2;BYMONTH=1,2,3,4,5,6,7,8,9,10,11,12;COUNT=1000",
    ],
)
def test_what_the_rfc_does_not_have_or_goes_too_far_is_refused(text: str) -> None:
    with pytest.raises(RuleError) as refused:
        expanded(text)
    assert refused.value.detail.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30;UNTIL=20300113",
        "FREQ=DAILY;BYMONTHDAY=31;BYMONTH=2;COUNT=1",
        "FREQ=DAILY;INTERVAL=7;BYDAY=MO;BYMONTH=1;COUNT=1",
        "FREQ=DAILY;BYSETPOS=2;BYDAY=MO;COUNT=1",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=2;COUNT=1",
        "FREQ=WEEKLY;BYDAY=MO;BYMONTH=2;BYSETPOS=-7;UNTIL=20300101",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
        "FREQ=MONTHLY;INTERVAL=9999;BYMONTH=5;COUNT=1",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=7;COUNT=1",
        "FREQ=YEARLY;BYWEEKNO=1;BYMONTHDAY=15;COUNT=1",
        "FREQ=YEARLY;BYYEARDAY=366,-366;BYMONTH=5;COUNT=1",
        "FREQ=YEARLY;BYDAY=MO;BYSETPOS=60;COUNT=1",
        "FREQ=YEARLY;BYDAY=53MO;BYMONTHDAY=1;COUNT=1",
        "FREQ=YEARLY;INTERVAL=9999;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
    ],
)
@pytest.mark.parametrize("start", ["2000-12-31T09:00", "2027-01-13T09:00", "2096-02-29T23:59"])
def test_however_mean_a_rule_its_walk_ends_within_some_years(
    text: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dateutil looks at each period anew with `rebuild`: as many steps as a walk to the year 9999 has are too many."""
    steps = 0
    rebuild = rrule._iterinfo.rebuild

    def counting(self: Any, year: int, month: int) -> None:
        nonlocal steps
        steps += 1
        rebuild(self, year, month)

    monkeypatch.setattr(rrule._iterinfo, "rebuild", counting)
    text = text.replace("20300113", f"{int(start[:4]) + 3}0101").replace("20300101", f"{int(start[:4]) + 3}0101")
    with pytest.raises(RuleError, match="yields no date"):
        expanded(text, at(start))
    print(f"{steps} steps")
    assert 0 < steps <= MOST_STEPS


def test_what_no_like_years_can_be_found_for_is_refused_and_not_walked() -> None:
    with pytest.raises(RuleError, match="2099"):
        expanded("FREQ=YEARLY;COUNT=1", at("2097-01-01T09:00"))


def _lists(most: int, signed: bool) -> st.SearchStrategy[str]:
    number = st.integers(1, most) | st.integers(-most, -1) if signed else st.integers(1, most)
    return st.lists(number, min_size=1, max_size=4, unique=True).map(lambda numbers: ",".join(map(str, numbers)))


_DAYS = st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, unique=True).map(",".join)
_ANY = {
    "BYMONTH": _lists(12, False),
    "BYDAY": _DAYS,
    "BYSETPOS": _lists(5, True),
    "WKST": st.sampled_from(["MO", "SU"]),
}
_MONTH_DAY = {"BYMONTHDAY": _lists(31, True)}
_YEAR = {"BYWEEKNO": _lists(53, True), "BYYEARDAY": _lists(366, True)}


@st.composite
def wider_rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    options = {
        **_ANY,
        **(_MONTH_DAY if frequency != "WEEKLY" else {}),
        **(_YEAR if frequency == "YEARLY" else {}),
        "INTERVAL": st.integers(1, 40).map(str),
    }
    parts = draw(st.fixed_dictionaries({}, optional=options))
    if "BYSETPOS" in parts and len(parts.keys() - {"WKST", "INTERVAL"}) == 1:
        parts["BYDAY"] = "MO"
    return ";".join([f"FREQ={frequency}", *(f"{name}={value}" for name, value in parts.items())])


class FarError(Exception):
    """dateutil's walk has come beyond what is asked for."""


def in_its_own_years(text: str, start: datetime, last: datetime) -> Iterator[date]:
    """dateutil's own walk up to `last`, which is stopped where it would go on to the end of the calendar."""
    rebuild = rrule._iterinfo.rebuild

    def stopping(self: Any, year: int, month: int) -> None:
        if year > last.year + 1:
            raise FarError
        rebuild(self, year, month)

    with mock.patch.object(rrule._iterinfo, "rebuild", stopping), suppress(FarError):
        for local in takewhile(lambda local: local <= last, rrule.rrulestr(text, dtstart=start)):
            yield local.date()


@at_random(300, text=wider_rules(), first=st.dates(date(2000, 1, 1), date(2096, 12, 31)), days=st.integers(0, 1090))
def test_a_wider_rule_means_what_dateutil_makes_of_it_in_its_own_years(text: str, first: date, days: int) -> None:
    start = datetime.combine(first, datetime.min.time())
    last = start + timedelta(days=days)
    ended = f"{text};UNTIL={last:%Y%m%d}"
    if not goes_beyond(rrule_parts(ended)):
        return
    wanted = list(in_its_own_years(text, start, last))
    if 0 < len(wanted) <= 1000:
        assert expanded(ended, start) == wanted
        return
    with pytest.raises(RuleError, match=r"yields no date|1,000"):
        expanded(ended, start)
