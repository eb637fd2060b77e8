"""Dates without a rule: what is planned for them, by hand and at random."""

import random
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Any

import pytest
from hypothesis import strategies as st

from app.recurrence import plan as planning
from app.recurrence.occurrences import Exclusion, Inclusion, Occurrence, occurrences, zone
from app.recurrence.plan import plan
from app.recurrence.rules import Rule, RuleError, expand
from app.recurrence.server import STEADY
from tests.recurrence.support import at, days, generated, intervals, recurrences, teaching_times, zone_names
from tests.recurrence.test_properties import at_random

NEW_YORK = zone("America/New_York")
HOUR = timedelta(hours=1)
TERM = expand(Rule("weekly", days=days("MO,WE,FR"), count=45), at("2027-01-11T09:00"))
DATES = [local.date() for local in TERM]


def sessions(chosen: Sequence[date], include: Sequence[Inclusion] = ()) -> tuple[Occurrence, ...]:
    return occurrences(datetime.combine(min(chosen), time(9)), NEW_YORK, HOUR, tuple(chosen), (), include)


def sizes(wanted: Sequence[Occurrence], rule: Rule | None = None) -> list[int]:
    events = plan(wanted, rule, NEW_YORK, STEADY)
    assert sorted(chain.from_iterable(map(generated, events))) == intervals(wanted)
    return [len(event.occurrences) for event in events]


def each(first: str, step: int, number: int) -> list[date]:
    return [date.fromisoformat(first) + timedelta(days=step * index) for index in range(number)]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (DATES, [45]),
        (list(reversed(DATES)), [45]),
        (each("2027-01-11", 1, 30), [30]),
        (each("2027-01-11", 14, 12), [12]),
        (each("2027-01-11", 10, 12), [12]),
        (sorted([*each("2027-01-15", 14, 8), *each("2027-01-25", 14, 8)]), [16]),  # Friday, then Monday of week three
        # Months: the 15th, the first Mondays, the last Fridays.
        ([date(2027, month, 15) for month in range(1, 10)], [9]),
        ([date(2027, 2, 1), date(2027, 3, 1), date(2027, 4, 5), date(2027, 5, 3), date(2027, 6, 7)], [5]),
        ([date(2027, 1, 29), date(2027, 2, 26), date(2027, 3, 26), date(2027, 4, 30), date(2027, 5, 28)], [5]),
        ([date(2027, month, day) for month in (1, 2, 3, 4, 5) for day in (3, 20)], [10]),
        # Nothing in common, and far apart.
        ([date(2027, 1, 11), date(2027, 1, 12), date(2027, 6, 15)], [2, 1]),
        ([date(2027, 1, 11), date(2029, 6, 1)], [1, 1]),
        # Two rhythms at once.
        (sorted([*each("2027-01-11", 7, 20), *each("2027-01-15", 14, 10)]), [20, 10]),
        # A term with a Saturday in its middle.
        (sorted([*DATES, date(2027, 2, 27)]), [45, 1]),
    ],
)
def test_regular_stretches_are_series(chosen: list[date], expected: list[int]) -> None:
    assert sizes(sessions(chosen)) == expected


@pytest.mark.parametrize(
    "gaps", [(3, 11, 19, 20, 30, 41), (1, 2, 3, 4, 5, 6), (0, 10, 20, 30, 40, 44), (4, 9, 16, 23, 31, 38)]
)
def test_a_term_with_six_gaps_is_no_more_events_than_it_has_stretches(gaps: tuple[int, ...]) -> None:
    chosen = [day for index, day in enumerate(DATES) if index not in gaps]
    stretches = 1 + sum(index + 1 not in gaps and 0 < index < 44 for index in gaps)
    assert len(sizes(sessions(chosen))) <= stretches


def test_one_date_is_a_single_event_and_one_of_several_a_series() -> None:
    """A single event may be refused beside another of the same template entry (SCHEDULE_TIME_IN_USE)."""
    alone, several = sessions([date(2027, 1, 11)]), sessions([date(2027, 1, 11), date(2027, 1, 12), date(2027, 6, 15)])
    assert [event.kind for event in plan(alone, None, NEW_YORK, STEADY)] == ["single"]
    assert {event.kind for event in plan(several, None, NEW_YORK, STEADY)} == {"series"}


def test_what_is_added_to_a_rule_does_not_cut_it() -> None:
    rule = Rule("weekly", days=days("MO,WE,FR"), count=45)
    include = [
        Inclusion(date(2027, 2, 27)),
        Inclusion(date(2027, 3, 6)),
        Inclusion(date(2027, 5, 20), time(14), 3 * HOUR),
    ]
    wanted = occurrences(TERM[0], NEW_YORK, HOUR, rule, (), include)
    assert sizes(wanted, rule) == [45, 2, 1]
    assert [one.local for one in wanted if one.added] == [
        at("2027-02-27T09:00"),
        at("2027-03-06T09:00"),
        at("2027-05-20T14:00"),
    ]


def test_what_is_added_where_a_rule_would_go_on_belongs_to_its_series() -> None:
    rule = Rule("weekly", days=days("MO,WE,FR"), count=45)
    after = Inclusion(DATES[-1] + timedelta(days=3))
    assert sizes(occurrences(TERM[0], NEW_YORK, HOUR, rule, (), [after]), rule) == [46]


def test_an_own_time_takes_the_place_of_the_usual_one() -> None:
    rule = Rule("weekly", days=days("MO,WE,FR"), count=45)
    wanted = occurrences(
        TERM[0], NEW_YORK, HOUR, rule, (), [Inclusion(DATES[10], time(14)), Inclusion(DATES[20], None, 2 * HOUR)]
    )
    assert len(wanted) == 45
    assert [(one.local.time(), one.end - one.start) for one in wanted if one.added] == [
        (time(14), HOUR),
        (time(9), 2 * HOUR),
    ]
    assert sizes(wanted, rule) == [10, 1, 9, 1, 24]


def test_an_inclusion_comes_before_an_exclusion_and_the_series_goes_through_it() -> None:
    rule = Rule("weekly", days=days("MO,WE,FR"), count=45)
    week = Exclusion(DATES[9], DATES[11], "campus-2027: Spring break")
    wanted = occurrences(TERM[0], NEW_YORK, HOUR, rule, [week], [Inclusion(DATES[10])])
    assert [one.excluded_by for one in wanted[9:12]] == [week, None, week]
    assert not any(one.added for one in wanted)
    assert sizes(wanted, rule) == [45]


def test_a_plain_inclusion_of_a_date_that_is_there_changes_nothing() -> None:
    assert sessions(DATES, [Inclusion(DATES[3])]) == sessions(DATES)


def test_inclusions_and_the_rest_are_a_thousand_at_most() -> None:
    rule, start = Rule("daily", count=999), at("2027-01-13T09:00")
    extra = [Inclusion(date(2029, 12, 1)), Inclusion(date(2029, 12, 2))]
    assert len(occurrences(start, NEW_YORK, HOUR, rule, (), extra[:1])) == 1000
    with pytest.raises(RuleError, match="1,000"):
        occurrences(start, NEW_YORK, HOUR, rule, (), extra)


def _some_of_three_years(first: date) -> st.SearchStrategy[list[date]]:
    """Dates at random, sparse and dense, or regular ones of which some are left out."""
    offsets = st.integers(0, 1095)
    sparse = st.lists(offsets, max_size=199, unique=True)
    dense = st.lists(st.integers(0, 300), max_size=199, unique=True)
    regular = st.builds(
        lambda step, number, gaps: [step * index for index in range(number) if index not in gaps],
        st.integers(1, 30),
        st.integers(1, 37),
        st.sets(st.integers(1, 36), max_size=8),
    )
    parts = st.lists(sparse | dense | regular, min_size=1, max_size=3).map(
        lambda parts: sorted({0, *chain(*parts)})[:200]
    )
    return parts.map(lambda chosen: [first + timedelta(days=offset) for offset in chosen])


@st.composite
def _dates(draw: st.DrawFn) -> tuple[datetime, list[date], list[Exclusion], list[Inclusion]]:
    first = draw(st.dates(date(2024, 1, 1), date(2032, 12, 31)))
    start = datetime.combine(first, time.fromisoformat(draw(teaching_times | st.sampled_from(["02:30", "00:15"]))))
    chosen = draw(_some_of_three_years(first))
    near = st.sampled_from(chosen) | st.integers(0, 1095).map(lambda offset: first + timedelta(days=offset))
    exclude = [
        Exclusion(day, day + timedelta(days=draw(st.integers(0, 9)))) for day in draw(st.lists(near, max_size=6))
    ]
    own = st.none() | teaching_times.map(time.fromisoformat)
    length = st.none() | st.integers(1, 1440).map(lambda minutes: timedelta(minutes=minutes))
    include = [Inclusion(day, draw(own), draw(length)) for day in draw(st.lists(near, max_size=6, unique=True))]
    return start, chosen, exclude, include


Dates = tuple[datetime, list[date], list[Exclusion], list[Inclusion]]


@at_random(250, dates=_dates(), zone_name=zone_names, minutes=st.integers(1, 300))
def test_the_union_of_the_plan_s_events_is_the_dates(dates: Dates, zone_name: str, minutes: int) -> None:
    start, chosen, exclude, include = dates
    wanted = occurrences(start, zone(zone_name), timedelta(minutes=minutes), tuple(chosen), exclude, include)
    slots = {(one.wanted or one.local).date(): one for one in wanted}
    extra = {one.day for one in include}
    assert slots.keys() <= {*chosen, *extra}
    for day, one in slots.items():
        held_out = any(each.first <= day <= each.last for each in exclude) and day not in extra
        assert (one.excluded_by is not None) == held_out
        assert one.added or day in chosen
    events = plan(wanted, None, zone(zone_name), STEADY)
    for event in events:
        assert generated(event) == intervals(event.occurrences)
    assert sorted(chain.from_iterable(map(generated, events))) == intervals(wanted)


@at_random(
    100,
    recurrence=recurrences(teaching_times),
    zone_name=zone_names,
    include=st.lists(st.integers(0, 1095), max_size=5, unique=True),
)
def test_a_rule_with_inclusions_is_the_rule_s_events_and_theirs(
    recurrence: tuple[Rule, datetime], zone_name: str, include: list[int]
) -> None:
    rule, start = recurrence
    extra = [Inclusion(start.date() + timedelta(days=offset), time(20, 30)) for offset in include]
    try:
        wanted = occurrences(start, zone(zone_name), HOUR, rule, (), extra)
    except RuleError:
        return
    events = plan(wanted, rule, zone(zone_name), STEADY)
    assert sorted(chain.from_iterable(map(generated, events))) == intervals(wanted)
    bare = occurrences(start, zone(zone_name), HOUR, rule)
    if len(wanted) == len(bare) + len(extra):
        assert len(events) <= len(plan(bare, rule, zone(zone_name), STEADY)) + len(extra)


@at_random(60, numbers=st.lists(st.integers(0, 44), min_size=6, max_size=6, unique=True), zone_name=zone_names)
def test_a_regular_term_with_six_gaps_is_no_more_events_than_its_stretches(numbers: list[int], zone_name: str) -> None:
    chosen = [day for index, day in enumerate(DATES) if index not in numbers]
    kept = [index not in numbers for index in range(45)]
    stretches = sum(here and not before for before, here in zip([False, *kept], kept, strict=False))
    wanted = occurrences(datetime.combine(chosen[0], time(9)), zone(zone_name), HOUR, tuple(chosen))
    events = plan(wanted, None, zone(zone_name), STEADY)
    assert len(events) <= stretches
    assert sorted(chain.from_iterable(map(generated, events))) == intervals(wanted)


def test_dates_of_no_rule_are_not_all_looked_at_for_each_of_their_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a thousand of them would take seconds: see `tests/bench/rules.py`."""
    looked_at: list[int] = []
    within_caps = planning._within_caps

    def counting(rest: Sequence[Occurrence], alone: Any) -> Sequence[Occurrence]:
        looked_at.append(len(rest))
        return within_caps(rest, alone)

    monkeypatch.setattr(planning, "_within_caps", counting)
    chance = random.Random(1)
    chosen = sorted(chance.sample(each("2027-01-11", 1, 1_090), 900))
    assert len(sizes(sessions(chosen))) > 50
    assert sum(looked_at) < 80 * len(looked_at)


def test_a_pattern_that_goes_on_for_long_is_one_series_however_few_are_looked_at_first() -> None:
    assert sizes(sessions(each("2027-01-11", 3, 240))) == [240]
    assert sizes(sessions([*each("2027-01-11", 3, 70), *each("2027-08-10", 5, 20)])) == [70, 20]
