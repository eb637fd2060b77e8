"""The sandbox's recurrence generator against what Kaltura's own made of 1,597 rules."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from app.sandbox.recurrence import generate

Case = dict[str, Any]

DATA = Path(__file__).parent.parent / "data" / "recurrence-cases.json"
WIRE = {
    "by_day": "byDay",
    "by_month": "byMonth",
    "by_month_day": "byMonthDay",
    "by_offset": "byOffset",
    "week_start_day": "weekStartDay",
}
EXACT = [
    "a_weekly",
    "b_daily_byday",
    "b_daily_byday_spaces",
    "e_until_edge",
    "f_no_byday",
    "g_long",
    "h_no_time_zone",
]


def load() -> dict[str, list[Case]]:
    groups = defaultdict(list)
    for case in json.loads(DATA.read_text())["cases"]:
        groups[case["group"]].append(case)
    return groups


CASES = load()


def generated(case: Case) -> list[int]:
    rule = {WIRE.get(name, name): value for name, value in case["recurrence"].items()}
    made = generate(
        case["start"], case["duration"], rule | {"timeZone": case["time_zone"]}, server_zone="UTC"
    )
    return [start for start, _ in made]


@pytest.mark.parametrize("group", EXACT)
def test_group_is_reproduced(group: str) -> None:
    assert [case["id"] for case in CASES[group] if generated(case) != case["occurrences"]] == []
