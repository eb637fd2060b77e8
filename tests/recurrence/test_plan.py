"""The plan on cases worked out by hand. The others hold it to Kaltura's generator."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.recurrence.occurrences import Exclusion, Occurrence, occurrences, zone
from app.recurrence.plan import MAX_SPAN, PlannedEvent, describe, plan, series_of_one
from app.recurrence.rules import Rule
from app.recurrence.server import STEADY
from tests.recurrence.support import at, days, generated, intervals

NEW_YORK = zone("America/New_York")
HOUR = timedelta(hours=1)
ALL_DAYS = "MO,TU,WE,TH,FR,SA,SU"


def wanted(
    rule: Rule, start: str, duration: timedelta = HOUR, exclude: Sequence[Exclusion] = ()
) -> Sequence[Occurrence]:
    return occurrences(at(start), NEW_YORK, duration, rule, exclude)


def shape(events: Sequence[PlannedEvent]) -> list[tuple[str, int]]:
    return [(event.kind, len(event.occurrences)) for event in events]


def test_a_term_across_a_change_of_the_clocks_is_one_series_excluded_days_included() -> None:
    """DESIGN 2's example; what is excluded is generated, and cancelled afterwards."""
    rule = Rule("weekly", days=days("MO,WE,FR"), count=40, week_start="WE")
    spring_break = Exclusion(date(2027, 3, 22), date(2027, 3, 26))
    sessions = wanted(rule, "2027-01-13T09:00", timedelta(minutes=50), [spring_break])
    assert plan(sessions, rule, NEW_YORK, STEADY) == (
        PlannedEvent(
            kind="series",
            start=datetime(2027, 1, 13, 14, tzinfo=UTC),
            end=datetime(2027, 1, 13, 14, 50, tzinfo=UTC),
            recurrence={
                "frequency": "weeks",
                "interval": 1,
                "byDay": "MO,WE,FR",
                "weekStartDay": "WE",
                "until": int(datetime(2027, 4, 14, 13, tzinfo=UTC).timestamp()),
                "timeZone": "America/New_York",
            },
            occurrences=tuple(sessions),
        ),
    )


@pytest.mark.parametrize(
    ("rule", "start", "sent"),
    [
        # Daily is weekly with the days named; weeks begin on the first day.
        (Rule("daily", count=9), "2027-02-02", {"frequency": "weeks", "byDay": ALL_DAYS, "weekStartDay": "TU"}),
        (Rule("daily", days=days("SA,SU"), count=9), "2027-02-02", {"byDay": "SA,SU", "weekStartDay": "SA"}),
        (Rule("weekly", count=9, week_start="SU"), "2027-02-02", {"byDay": "TU", "weekStartDay": "TU"}),
        # An interval counts weeks from the rule's own first day, and days from the first session.
        (Rule("weekly", 2, count=9, week_start="SU"), "2027-02-02", {"byDay": "TU", "weekStartDay": "SU"}),
        (Rule("daily", 3, days("MO,FR"), count=9), "2027-02-02", {"frequency": "days", "byDay": "MO,FR"}),
        # Monthly: Kaltura clamps late days and miscounts from the end, so these are places among all days.
        (Rule("monthly", count=9), "2027-02-15", {"frequency": "months", "byMonthDay": "15"}),
        (
            Rule("monthly", month_days=(15,), days=days("MO"), count=3),
            "2027-02-15",
            {"byMonthDay": "15", "byDay": "MO"},
        ),
        (Rule("monthly", count=9), "2027-01-31", {"byDay": ALL_DAYS, "byOffset": "31"}),
        (Rule("monthly", month_days=(-1, 15, 1), count=9), "2027-02-01", {"byDay": ALL_DAYS, "byOffset": "1,15,-1"}),
        (Rule("monthly", days=days("TU,2MO"), count=9), "2027-02-02", {"byDay": "2MO,TU"}),
        (
            Rule("monthly", days=days("FR,MO"), positions=(-1, 1), count=9),
            "2027-02-01",
            {"byDay": "MO,FR", "byOffset": "1,-1"},
        ),
        # Kaltura repeats a day that it finds twice: the fifth Friday is always the last one.
        (Rule("monthly", days=days("5FR,-1FR"), count=9), "2027-01-29", {"byDay": "-1FR"}),
        (Rule("monthly", days=days("4FR,-1FR"), count=9), "2027-01-22", {"byDay": "4FR,5FR"}),
        (Rule("monthly", days=days("MO,1MO"), count=9), "2027-02-01", {"byDay": "MO"}),
        (Rule("monthly", month_days=(31, -1), count=9), "2027-01-31", {"byOffset": "-1"}),
    ],
)
def test_a_rule_becomes_one_series_that_kaltura_does_not_misread(rule: Rule, start: str, sent: dict[str, str]) -> None:
    sessions = wanted(rule, f"{start}T09:00")
    (event,) = plan(sessions, rule, NEW_YORK, STEADY)
    assert event.recurrence is not None
    assert {name: event.recurrence.get(name) for name in sent} == sent
    assert event.recurrence["interval"] == rule.interval
    assert "count" not in event.recurrence
    assert generated(event) == intervals(sessions)


@pytest.mark.parametrize(
    "rule",
    [
        # The weekday next to the 15th: its day of the month is the same for some months at most.
        Rule("monthly", days=days("MO,TU,WE,TH,FR"), month_days=(14, 15, 16), positions=(2,), count=12),
        # Numbered days together with anything else: Kaltura was never seen to do it right, nor wrong.
        Rule("monthly", days=days("1MO,1TU"), positions=(1,), count=12),
        Rule("monthly", days=days("2FR"), month_days=(13,), count=3),
        # In a month of four Fridays one and the same, else two.
        Rule("monthly", days=days("2FR,-3FR"), count=12),
        Rule("monthly", month_days=(30, -1), count=12),
    ],
)
def test_what_no_trusted_pattern_says_is_places_among_all_days_of_like_months(rule: Rule) -> None:
    sessions = wanted(rule, "2027-01-01T09:00")
    events = plan(sessions, rule, NEW_YORK, STEADY)
    assert [interval for event in events for interval in generated(event)] == intervals(sessions)
    for event in events:
        assert event.recurrence is not None
        assert event.recurrence["byDay"] == ALL_DAYS or len(event.occurrences) == 1


def test_a_time_that_the_clocks_skip_is_a_single_event_between_two_series() -> None:
    rule = Rule("daily", until=date(2027, 3, 31))
    events = plan(wanted(rule, "2027-03-01T02:30"), rule, NEW_YORK, STEADY)
    assert shape(events) == [("series", 13), ("single", 1), ("series", 17)]
    assert events[1].start == datetime(2027, 3, 14, 7, 30, tzinfo=UTC)


def test_a_series_ends_before_a_week_whose_walk_steps_into_a_gap_behind_its_last_session() -> None:
    """Kaltura walks from Sunday to Sunday; the one of 14 March at 02:30 would put Monday, 8 March, an hour off."""
    rule = Rule("weekly", 2, days("MO,SU"), count=5)
    sessions = wanted(rule, "2027-02-28T02:30")
    events = plan(sessions, rule, NEW_YORK, STEADY)
    assert shape(events) == [("series", 1), ("series", 1), ("single", 1), ("series", 2)]
    assert [interval for event in events for interval in generated(event)] == intervals(sessions)


def test_a_series_ends_before_two_years_are_over() -> None:
    rule = Rule("weekly", until=date(2030, 1, 13))
    sessions = wanted(rule, "2027-01-13T09:00")
    events = plan(sessions, rule, NEW_YORK, STEADY)
    assert shape(events) == [("series", 105), ("series", 52)]
    assert sessions[105].start - sessions[0].start >= MAX_SPAN


def test_without_a_rule_each_session_is_a_single_event() -> None:
    (event,) = plan(occurrences(at("2027-01-13T09:00"), NEW_YORK, HOUR, None), None, NEW_YORK, STEADY)
    assert (event.kind, event.recurrence) == ("single", None)


def test_nothing_wanted_is_nothing_planned() -> None:
    assert plan((), Rule("daily", count=1), NEW_YORK, STEADY) == ()


@pytest.mark.parametrize("hours", [1, 24])
@pytest.mark.parametrize("start", ["2027-03-12T09:00", "2027-03-13T09:00", "2027-03-14T02:30", "2027-11-07T01:30"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_kaltura_is_never_given_an_until_before_the_first_end_nor_one_that_lets_more_in(
    start: str, hours: int, count: int
) -> None:
    """A session of 24 hours ends when the next one begins, in spring after it has begun."""
    rule = Rule("daily", count=count)
    sessions = wanted(rule, start, timedelta(hours=hours))
    for event in plan(sessions, rule, NEW_YORK, STEADY):
        assert generated(event) == intervals(event.occurrences)
        assert event.recurrence is None or int(event.recurrence["until"]) >= event.end.timestamp()


@pytest.mark.parametrize(
    ("start", "where"),
    [("2027-01-13T09:00", NEW_YORK), ("2027-03-14T02:30", NEW_YORK), ("2027-11-07T01:30", STEADY)],
)
@pytest.mark.parametrize("hours", [1, 24])
def test_one_session_can_be_a_series_in_utc_where_its_time_happens_twice(
    start: str, where: ZoneInfo, hours: int
) -> None:
    (session,) = occurrences(at(start), NEW_YORK, timedelta(hours=hours), None)
    event = series_of_one(session, NEW_YORK, STEADY)
    assert event.recurrence is not None
    assert event.recurrence["timeZone"] == where.key
    assert generated(event) == intervals([session])


def test_an_update_plans_what_lies_ahead_by_the_same_pattern() -> None:
    """The tail of a biweekly rule stays in step, wherever in its week it begins."""
    rule = Rule("weekly", 2, days("MO,TH,SU"), count=30, week_start="TH")
    sessions = wanted(rule, "2027-01-13T09:00")
    for begun in range(1, 7):
        (event,) = plan(sessions[begun:], rule, NEW_YORK, STEADY)
        assert generated(event) == intervals(sessions[begun:])


def test_a_session_that_was_moved_or_is_gone_parts_two_series() -> None:
    rule = Rule("weekly", days=days("MO,WE"), count=10)
    sessions = wanted(rule, "2027-01-11T09:00")
    moved = replace(
        sessions[4], start=sessions[4].start + HOUR, end=sessions[4].end + HOUR, local=sessions[4].local + HOUR
    )
    left = [*sessions[:4], moved, *sessions[5:7], *sessions[8:]]
    assert shape(plan(left, rule, NEW_YORK, STEADY)) == [("series", 4), ("series", 1), ("series", 2), ("series", 2)]


@pytest.mark.parametrize(
    ("rule", "start", "words"),
    [
        (Rule("weekly", count=40), "2027-01-13T09:00", "one weekly series, 40 occurrences"),
        (Rule("daily", count=5), "2027-01-13T09:00", "one daily series, 5 occurrences"),
        (Rule("daily", 2, count=5), "2027-01-13T09:00", "one series every 2 days, 5 occurrences"),
        (Rule("monthly", 3, count=5), "2027-01-13T09:00", "one series every 3 months, 5 occurrences"),
        (Rule("monthly", count=5), "2027-01-13T09:00", "one monthly series, 5 occurrences"),
        (Rule("weekly", count=1), "2027-01-13T09:00", "one series of one occurrence"),
        (
            Rule("daily", count=1000),
            "2027-01-13T09:00",
            "2 daily series, 1,000 occurrences because Kaltura ends a series after two years",
        ),
        (
            Rule("daily", until=date(2027, 3, 31)),
            "2027-03-01T02:30",
            "one daily series, 13 occurrences, then one single event because 02:30 does not exist on 14 March 2027, "
            "then one daily series, 17 occurrences",
        ),
        (
            Rule("weekly", 4, count=3),
            "2027-10-10T01:30",
            "one series of one occurrence, then one single event because 01:30 happens twice on 7 November 2027, "
            "then one series of one occurrence",
        ),
    ],
)
def test_a_plan_can_be_read(rule: Rule, start: str, words: str) -> None:
    assert describe(plan(wanted(rule, start), rule, NEW_YORK, STEADY)) == words


def test_a_plan_without_a_rule_can_be_read() -> None:
    sessions = occurrences(at("2027-01-13T09:00"), NEW_YORK, HOUR, None)
    assert describe(plan(sessions, None, NEW_YORK, STEADY)) == "one single event"
