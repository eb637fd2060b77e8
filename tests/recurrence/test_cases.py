"""Kaltura's recorded recurrences: what RFC 5545 wants of each, planned and given to Kaltura's generator, comes back.

`recurrence-cases.json` holds 1,597 recurrences that a real generator expanded, many of them not as RFC 5545 wants.
"""

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr

from app.recurrence.occurrences import Occurrence, occurrences, place, zone
from app.recurrence.plan import plan
from app.recurrence.rules import Frequency, Rule, RuleError
from app.recurrence.server import STEADY
from app.recurrence.text import read_text
from tests.recurrence.support import days, generated, intervals

FREQUENCIES: dict[str, Frequency] = {"days": "daily", "weeks": "weekly", "months": "monthly"}
DATA = Path(__file__).parents[1] / "data" / "recurrence-cases.json"


@dataclass
class Case:
    """A recorded recurrence as a document would say it."""

    id: str
    rule: Rule
    zone: ZoneInfo
    wanted: tuple[Occurrence, ...]
    recorded: list[int]


def read(recorded: dict[str, Any]) -> Case:
    """Raises RuleError where no document can say it."""
    asked = recorded["recurrence"]
    if asked["frequency"] not in FREQUENCIES or asked["by_month"]:
        raise RuleError("frequency", "An hourly rule, a yearly one, or one limited to a month.")
    tz = zone(recorded["time_zone"] or "UTC")  # without one: the server's
    start = datetime.fromtimestamp(recorded["start"], tz).replace(tzinfo=None, fold=0)
    rule = Rule(
        frequency=FREQUENCIES[asked["frequency"]],
        interval=asked["interval"] or 1,
        days=days(asked["by_day"].replace(" ", "")) if asked["by_day"] else (),
        month_days=numbers(asked["by_month_day"]),
        positions=numbers(asked["by_offset"]),
        count=asked["count"],
        until=last_date(asked["until"], start, tz) if asked["until"] else None,
        week_start=asked["week_start_day"] or "MO",
    )
    wanted = occurrences(start, tz, timedelta(seconds=recorded["duration"]), rule)
    return Case(recorded["id"], rule, tz, wanted, recorded["occurrences"])


def numbers(text: str | None) -> tuple[int, ...]:
    return tuple(map(int, text.split(","))) if text else ()


def last_date(until: int, start: datetime, tz: ZoneInfo) -> date:
    """The last date whose occurrence begins by `until`, which is an instant there."""
    day = datetime.fromtimestamp(until, tz).date()
    begins, _ = place(datetime.combine(day, start.time()), tz)
    return day if begins.timestamp() <= until else day - timedelta(days=1)


@pytest.fixture(scope="module")
def cases() -> tuple[list[Case], Counter[str]]:
    """The cases that a document can say, and why it cannot say the others."""
    said, unsaid = [], Counter[str]()
    for recorded in json.loads(DATA.read_text(encoding="utf-8"))["cases"]:
        try:
            said.append(read(recorded))
        except RuleError as error:
            unsaid[error.detail] += 1
    return said, unsaid


def test_nearly_all_recorded_recurrences_can_be_said(cases: tuple[list[Case], Counter[str]]) -> None:
    said, unsaid = cases
    assert len(said) == 1495
    assert unsaid == {
        "An hourly rule, a yearly one, or one limited to a month.": 57,
        "The recurrence goes beyond three years after the first day.": 30,
        "until lies more than three years after the first day.": 10,
        "count is 1 to 1,000.": 4,
        "The recurrence yields no date up to its end, or within three years.": 1,
    }


def test_where_kaltura_keeps_to_the_rfc_so_do_we(cases: tuple[list[Case], Counter[str]]) -> None:
    """What the real generator made of most recurrences as they were sent is what we expand them to."""
    agreeing = [case for case in cases[0] if [start for start, _ in intervals(case.wanted)] == case.recorded]
    print(f"{len(agreeing)} of {len(cases[0])} recorded as RFC 5545 wants")
    assert len(agreeing) >= 1250  # 1,263 with the zones of 2026


def test_kaltura_makes_of_every_plan_exactly_what_the_rfc_wants(cases: tuple[list[Case], Counter[str]]) -> None:
    """Without an exception, and uncapped: recurrences of three years come back whole."""
    sizes = Counter[int]()
    wrong = []
    for case in cases[0]:
        events = plan(case.wanted, case.rule, case.zone, STEADY)
        sizes[len(events)] += 1
        if sorted(chain.from_iterable(map(generated, events))) != intervals(case.wanted):
            wrong.append(case.id)
    print(f"{len(cases[0])} recurrences; plans by number of events: {dict(sorted(sizes.items()))}")
    assert wrong == []
    assert sizes[1] > 0.85 * len(cases[0])


NAMES = {"years": "YEARLY", "months": "MONTHLY", "weeks": "WEEKLY", "days": "DAILY"}
PARTS = {
    "by_day": "BYDAY",
    "by_month_day": "BYMONTHDAY",
    "by_month": "BYMONTH",
    "by_offset": "BYSETPOS",
    "interval": "INTERVAL",
    "count": "COUNT",
}


def as_text(asked: dict[str, Any]) -> str:
    parts = [f"FREQ={NAMES[asked['frequency']]}"]
    return ";".join([*parts, *(f"{name}={asked[field]}" for field, name in PARTS.items() if asked[field] is not None)])


def beyond_the_model() -> list[Any]:
    """The recorded recurrences that `Rule` cannot say, but for hourly ones."""
    recorded = json.loads(DATA.read_text(encoding="utf-8"))["cases"]
    return [
        pytest.param(case, id=case["id"])
        for case in recorded
        if case["recurrence"]["frequency"] in NAMES
        and (case["recurrence"]["frequency"] == "years" or case["recurrence"]["by_month"])
    ]


@pytest.mark.parametrize("recorded", beyond_the_model())
def test_what_goes_beyond_the_model_comes_back_exactly_as_a_string_and_as_dates(recorded: dict[str, Any]) -> None:
    """In its own zone, but for those that go on for more than three years."""
    asked, tz = recorded["recurrence"], zone(recorded["time_zone"] or "UTC")
    start = datetime.fromtimestamp(recorded["start"], tz).replace(tzinfo=None, fold=0)
    duration = timedelta(seconds=recorded["duration"])
    walked = rrulestr(as_text(asked), dtstart=start)
    if list(walked)[-1] > start.replace(year=start.year + 3):
        with pytest.raises(RuleError, match="three years"):
            read_text(as_text(asked), start, tz)
        return
    said = read_text(as_text(asked), start, tz)
    assert isinstance(said.rule, tuple)
    assert said.rule == tuple(local.date() for local in walked)
    wanted = occurrences(start, tz, duration, said.rule)
    events = plan(wanted, None, tz, STEADY)
    assert sorted(chain.from_iterable(map(generated, events))) == intervals(wanted)
    listed = ",".join(f"{day:%Y%m%d}" for day in said.rule)
    if said.rule[0] == start.date():
        again = read_text(f"RDATE:{listed}", start, tz)
        assert occurrences(start, tz, duration, again.rule, again.exclude, again.include)[1:] == tuple(
            replace(one, added=True) for one in wanted[1:]
        )


def test_the_cases_beyond_the_model_are_many() -> None:
    assert len(beyond_the_model()) == 48
