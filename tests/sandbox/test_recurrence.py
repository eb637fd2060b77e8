"""The sandbox's recurrence generator against what Kaltura's own made of 1,597 rules."""

import json
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.sandbox.schedule.recurrence import FatalRuleError, generate

Case = dict[str, Any]

DATA = Path(__file__).parent.parent / "data" / "recurrence-cases.json"
NEW_YORK = ZoneInfo("America/New_York")
WIRE = {
    "by_day": "byDay",
    "by_month": "byMonth",
    "by_month_day": "byMonthDay",
    "by_offset": "byOffset",
    "week_start_day": "weekStartDay",
}

# Cases that the generator does not reproduce: {id: why}. One that begins to agree must leave the list.
DISAGREEING: dict[str, str] = {}


def load() -> dict[str, list[Case]]:
    groups = defaultdict(list)
    for case in json.loads(DATA.read_text())["cases"]:
        groups[case["group"]].append(case)
    return groups


CASES = load()


def starts_of(case: Case) -> list[int]:
    rule = {WIRE.get(name, name): value for name, value in case["recurrence"].items()}
    rule["timeZone"] = case["time_zone"]
    made = generate(case["start"], case["duration"], rule, server_zone="UTC")
    assert all(end - start == case["duration"] for start, end in made)
    return [start for start, _ in made]


def days_of(start: datetime, **rule: object) -> list[str]:
    """The local dates that a rule makes, as "Mo 05-31"."""
    made = generate(int(start.timestamp()), 3600, rule | {"timeZone": start.tzinfo.key})  # type: ignore[union-attr]
    return [f"{datetime.fromtimestamp(moment, start.tzinfo):%a %m-%d}" for moment, _ in made]


@pytest.mark.parametrize("group", sorted(CASES))
def test_every_case_of_a_group_is_reproduced(group: str) -> None:
    wrong = {case["id"] for case in CASES[group] if starts_of(case) != case["occurrences"]}
    listed = {case["id"] for case in CASES[group]} & set(DISAGREEING)
    assert wrong == listed, f"new disagreements {sorted(wrong - listed)}, now agreeing {sorted(listed - wrong)}"


def test_share_that_is_reproduced(capsys: pytest.CaptureFixture[str]) -> None:
    total = sum(len(cases) for cases in CASES.values())
    share = 1 - len(DISAGREEING) / total
    with capsys.disabled():
        print(f"\nrecurrence: {total - len(DISAGREEING)} of {total} cases reproduced exactly ({share:.1%})")
    assert share >= 0.97


@pytest.mark.parametrize(
    ("by_day", "days"),
    [
        ("TU", ["Tue 06-01", "Tue 06-08", "Tue 06-15"]),
        (" TU", ["Tue 06-01", "Tue 06-08", "Tue 06-15"]),
        ("TU ", ["Mon 06-07", "Mon 06-14", "Mon 06-21"]),
        ("tu", ["Mon 06-07", "Mon 06-14", "Mon 06-21"]),
        ("TU,", ["Tue 06-01", "Mon 06-07", "Tue 06-08"]),
        ("TU,TU", ["Tue 06-01", "Tue 06-01", "Tue 06-08"]),
    ],
)
def test_days_are_not_trimmed_or_checked(by_day: str, days: list[str]) -> None:
    start = datetime(2027, 6, 1, 9, tzinfo=NEW_YORK)
    assert days_of(start, frequency="weeks", byDay=by_day, count=3) == days


def test_a_walking_date_in_the_spring_gap_stays_shifted() -> None:
    start = datetime(2027, 3, 13, 2, 30, tzinfo=NEW_YORK)
    rule = {"frequency": "days", "count": 3, "timeZone": "America/New_York"}
    made = [datetime.fromtimestamp(moment, NEW_YORK) for moment, _ in generate(int(start.timestamp()), 60, rule)]
    assert [f"{moment:%d %H:%M}" for moment in made] == ["13 02:30", "14 03:30", "15 03:30"]


@pytest.mark.parametrize("zone", [None, "", "Foo/Bar", "America", "../etc/passwd"])
def test_a_zone_that_is_none_is_the_servers(zone: str | None) -> None:
    start = int(datetime(2027, 3, 13, 9, tzinfo=NEW_YORK).timestamp())
    rule = {"frequency": "days", "count": 2}
    of_server = generate(start, 60, rule | {"timeZone": "America/New_York"})
    assert generate(start, 60, rule | {"timeZone": zone}) == of_server


@pytest.mark.parametrize(("count", "made"), [(None, 105), (0, 105), (-1, 0), (1, 1)])
def test_count_of_weeks(count: int | None, made: int) -> None:
    assert len(generate(1796112000, 60, {"frequency": "weeks", "count": count, "timeZone": "UTC"})) == made


def test_a_list_of_month_days_is_fatal() -> None:
    with pytest.raises(FatalRuleError):
        generate(1796112000, 60, {"frequency": "months", "byMonthDay": "1,15", "count": 2})


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"frequency": "nope", "weekStartDay": "XX"},
        {"frequency": "seconds"},
        {"frequency": "seconds", "interval": 10**30},
        {"frequency": "years", "interval": 10**17},
        {"frequency": "months", "interval": -1, "byDay": "5MO", "byMonthDay": "1"},
        {"frequency": "months", "byMonthDay": "-9999999999999"},
        {"frequency": "months", "byMonth": "13", "byDay": "MO", "byOffset": "99,-99,x"},
        {"frequency": "months", "byDay": "MO," * 100_000},
        {"frequency": "weeks", "byDay": "MO," * 100_000, "until": "9" * 50},
        {"frequency": "days", "byDay": ["MO"], "count": "abc"},
    ],
    ids=lambda rule: ",".join(f"{name}={value}"[:24] for name, value in rule.items()) or "empty",
)
@pytest.mark.parametrize("start", [-1, 0, 1796112000, 253_000_000_000, 10**18])
def test_no_rule_is_too_mean(rule: dict[str, object], start: int) -> None:
    began = time.process_time()
    assert len(generate(start, 60, rule)) <= 1000
    assert time.process_time() - began < 1
