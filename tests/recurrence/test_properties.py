"""What holds for every rule, zone and duration: rules at random, the same ones in each run."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from app.recurrence.occurrences import Occurrence, occurrences, zone
from app.recurrence.plan import MAX_SPAN, plan
from app.recurrence.rules import MAX_OCCURRENCES, Rule, RuleError, expand
from app.recurrence.server import STEADY
from tests.recurrence.support import (
    by_dateutil,
    durations,
    generated,
    intervals,
    recurrences,
    teaching_times,
    zone_names,
)

Recurrence = tuple[Rule, datetime]


def at_random(
    examples: int, **strategies: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`given`, for as many examples in about a second, without a clock that could fail it."""
    bounded = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    return lambda test: bounded(given(**strategies)(test))


def sessions(recurrence: Recurrence, zone_name: str, duration: timedelta) -> tuple[Occurrence, ...]:
    rule, start = recurrence
    try:
        return occurrences(start, zone(zone_name), duration, rule)
    except RuleError:
        reject()


@at_random(300, recurrence=recurrences())
def test_a_rule_means_what_dateutil_says(recurrence: Recurrence) -> None:
    rule, start = recurrence
    try:
        local = expand(rule, start)
    except RuleError:
        reject()
    last = local[-1] if rule.count else datetime.combine(rule.until or start, start.time())
    assert local == by_dateutil(rule, start, last)


@at_random(250, recurrence=recurrences(), zone_name=zone_names, duration=durations)
def test_kaltura_makes_of_the_plan_exactly_the_occurrences(
    recurrence: Recurrence, zone_name: str, duration: timedelta
) -> None:
    wanted = sessions(recurrence, zone_name, duration)
    events = plan(wanted, recurrence[0], zone(zone_name), STEADY)
    assert tuple(chain.from_iterable(event.occurrences for event in events)) == wanted
    for event in events:
        assert generated(event) == intervals(event.occurrences)
        assert len(event.occurrences) <= MAX_OCCURRENCES
        assert event.occurrences[-1].start - event.start < MAX_SPAN
        assert event.kind == "series" or event.occurrences[0].anomaly


@at_random(
    150,
    recurrence=recurrences(),
    zone_name=zone_names,
    duration=durations,
    choice=st.randoms(use_true_random=False),
    share=st.sampled_from([0.5, 0.9, 0.98]),
)
def test_what_is_left_of_a_recurrence_is_planned_as_exactly(
    recurrence: Recurrence, zone_name: str, duration: timedelta, choice: Any, share: float
) -> None:
    """An update plans a part of the occurrences, from any of them on, with holes where sessions were moved away."""
    all_of_them = sessions(recurrence, zone_name, duration)
    wanted = [seen for seen in all_of_them[choice.randrange(len(all_of_them)) :] if choice.random() < share]
    events = plan(wanted, recurrence[0], zone(zone_name), STEADY)
    assert sorted(chain.from_iterable(map(generated, events))) == intervals(wanted)


def test_most_plans_are_one_event() -> None:
    plans = []

    @at_random(150, recurrence=recurrences(teaching_times), zone_name=zone_names)
    def collect(recurrence: Recurrence, zone_name: str) -> None:
        wanted = sessions(recurrence, zone_name, timedelta(minutes=50))
        within_two_years = wanted[-1].start - wanted[0].start < MAX_SPAN
        if within_two_years:
            plans.append(plan(wanted, recurrence[0], zone(zone_name), STEADY))

    collect()
    one = sum(len(events) == 1 for events in plans)
    print(f"{one} of {len(plans)} plans within two years are one event")
    assert one > 0.9 * len(plans)
