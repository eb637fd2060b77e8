"""The clocks change, and a lecture begins when it always does; Kaltura agrees, through the plan."""

from datetime import UTC, date, datetime, timedelta
from itertools import chain, pairwise
from zoneinfo import ZoneInfo

import pytest

from app.recurrence.occurrences import Occurrence, occurrences, zone
from app.recurrence.plan import plan
from app.recurrence.rules import Rule
from app.recurrence.server import STEADY
from tests.recurrence.support import at, by_dateutil, generated, intervals

YEARS = range(2026, 2030)
HOUR = timedelta(hours=1)


def made_by_kaltura(wanted: tuple[Occurrence, ...], rule: Rule, tz: ZoneInfo) -> list[tuple[int, int]]:
    return sorted(chain.from_iterable(map(generated, plan(wanted, rule, tz, STEADY))))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("America/New_York", 8),
        ("Europe/London", 8),
        ("Australia/Sydney", 8),
        ("Australia/Lord_Howe", 8),
        ("America/Sao_Paulo", 0),
        ("Asia/Kolkata", 0),
    ],
)
def test_nine_stays_nine(name: str, changes: int) -> None:
    tz = zone(name)
    offsets = []
    for year in YEARS:
        rule = Rule("daily", until=date(year, 12, 31))
        wanted = occurrences(at(f"{year}-01-01T09:00"), tz, HOUR, rule)
        assert len(wanted) == 365 + (year == 2028)
        assert {seen.start.astimezone(tz).strftime("%H:%M") for seen in wanted} == {"09:00"}
        assert [event.kind for event in plan(wanted, rule, tz, STEADY)] == ["series"]
        assert made_by_kaltura(wanted, rule, tz) == intervals(wanted)
        offsets += [seen.start.astimezone(tz).utcoffset() for seen in wanted]
    assert sum(before != after for before, after in pairwise(offsets)) == changes


@pytest.mark.parametrize(("year", "changes_on"), [(2026, 8), (2027, 14), (2028, 12), (2029, 11)])
def test_half_past_two_in_new_york_through_march(year: int, changes_on: int) -> None:
    tz = zone("America/New_York")
    rule = Rule("daily", until=date(year, 3, 31))
    start = at(f"{year}-03-01T02:30")
    wanted = occurrences(start, tz, HOUR, rule)
    # RFC 5545, 3.3.5: a time that does not exist is read with the offset before the gap, which is fold=0.
    rfc = [local.replace(tzinfo=tz).astimezone(UTC) for local in by_dateutil(rule, start, at(f"{year}-03-31T02:30"))]
    assert [seen.start for seen in wanted] == rfc
    odd = [seen for seen in wanted if seen.anomaly]
    assert [(seen.anomaly, seen.local, seen.wanted) for seen in odd] == [
        ("gap", at(f"{year}-03-{changes_on:02}T03:30"), at(f"{year}-03-{changes_on:02}T02:30"))
    ]
    assert made_by_kaltura(wanted, rule, tz) == intervals(wanted)


@pytest.mark.parametrize(
    ("name", "local", "begins"),
    [
        ("America/New_York", "2027-11-07T01:30", "2027-11-07T05:30"),
        ("Europe/London", "2027-10-31T01:30", "2027-10-31T00:30"),
        ("Australia/Lord_Howe", "2027-04-04T01:45", "2027-04-03T14:45"),  # half an hour is repeated
        ("Africa/Casablanca", "2027-02-07T02:30", "2027-02-07T01:30"),  # before Ramadan
    ],
)
def test_a_time_that_happens_twice_is_its_first_instant_and_a_single_event(name: str, local: str, begins: str) -> None:
    tz = zone(name)
    rule = Rule("weekly", until=at(local).date() + timedelta(weeks=3))
    wanted = occurrences(at(local) - timedelta(weeks=2), tz, HOUR, rule)
    odd = wanted[2]
    assert (odd.anomaly, odd.local, odd.wanted) == ("overlap", at(local), None)
    assert odd.start == at(begins).replace(tzinfo=UTC)
    assert [(event.kind, len(event.occurrences)) for event in plan(wanted, rule, tz, STEADY)] == [
        ("series", 2),
        ("single", 1),
        ("series", 3),
    ]
    assert made_by_kaltura(wanted, rule, tz) == intervals(wanted)


def test_kalturas_walk_never_steps_into_a_gap() -> None:
    """On 1 October 2028 the clocks change in Sydney. A monthly series walks over the first of each month and would be
    an hour late from then on, though no session is on that day; so October has a series of its own.
    """
    tz = zone("Australia/Sydney")
    rule = Rule("monthly", month_days=(15,), count=6)
    wanted = occurrences(at("2028-08-15T02:30"), tz, HOUR, rule)
    assert not any(seen.anomaly for seen in wanted)
    events = plan(wanted, rule, tz, STEADY)
    assert [(event.kind, len(event.occurrences)) for event in events] == [("series", 2), ("series", 1), ("series", 3)]
    assert made_by_kaltura(wanted, rule, tz) == intervals(wanted)


def test_a_session_that_spans_the_change_lasts_its_minutes() -> None:
    rule = Rule("daily", count=3)
    wanted = occurrences(at("2027-03-13T22:00"), zone("America/New_York"), timedelta(hours=8), rule)
    assert {seen.end - seen.start for seen in wanted} == {timedelta(hours=8)}
    assert datetime(2027, 3, 14, 11, tzinfo=UTC) == wanted[0].end
