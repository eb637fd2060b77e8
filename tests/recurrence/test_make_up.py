"""Make-up days: which sessions of a weekly rule are held on a date that meets as another weekday."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.recurrence.make_up import MakeUp, made_up
from app.recurrence.occurrences import Exclusion, Inclusion, Occurrence, occurrences
from app.recurrence.rules import Rule, parse_rrule

ZONE = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)
TUESDAY = date(2027, 2, 16)
MEETS_AS_MONDAY = MakeUp(TUESDAY, "MO", "campus: Monday schedule (meets as MO)")


def sessions(
    rrule: str, first: str, *days: MakeUp, exclude: tuple[Exclusion, ...] = (), but: tuple[date, ...] = ()
) -> dict[str, Occurrence]:
    """By local date, those of a rule that begins at nine on `first`."""
    start = datetime.fromisoformat(f"{first}T09:00:00")
    rule = parse_rrule(rrule, start, ZONE)
    found = occurrences(start, ZONE, HOUR, rule, exclude)
    return {str(one.local.date()): one for one in made_up(found, rule, start, ZONE, HOUR, days, but)}


def held(found: dict[str, Occurrence]) -> list[str]:
    return [day for day, one in found.items() if not one.excluded_by]


@pytest.mark.parametrize(
    ("days", "on_the_tuesday"), [("MO,TU", "held"), ("MO", "added"), ("TU", "excluded"), ("WE", "nothing")]
)
def test_a_tuesday_that_meets_as_a_monday(days: str, on_the_tuesday: str) -> None:
    found = sessions(f"FREQ=WEEKLY;BYDAY={days};UNTIL=20270323", "2027-02-08", MEETS_AS_MONDAY)
    one = found.get(str(TUESDAY))
    seen = "nothing" if one is None else "excluded" if one.excluded_by else "added" if one.added else "held"
    assert seen == on_the_tuesday
    if one and one.excluded_by:
        assert one.excluded_by.reason == MEETS_AS_MONDAY.reason
    if one and one.added:
        assert one.local == datetime(2027, 2, 16, 9)  # noqa: DTZ001 - wall-clock time
        assert one.reason == MEETS_AS_MONDAY.reason
    assert list(found) == sorted(found)


def test_outside_of_the_rule_nothing_is_made_up_for() -> None:
    before = MakeUp(date(2027, 2, 2), "MO", "x")
    after = MakeUp(date(2027, 3, 30), "MO", "x")
    assert len(sessions("FREQ=WEEKLY;BYDAY=MO;UNTIL=20270323", "2027-02-08", before, after)) == 7


def test_a_week_that_the_rule_skips_is_skipped() -> None:
    here, there = MEETS_AS_MONDAY, MakeUp(date(2027, 2, 23), "MO", "x")
    found = sessions("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;UNTIL=20270323", "2027-02-08", here, there)
    assert [day for day, one in found.items() if one.added] == ["2027-02-23"]


def test_what_is_excluded_or_included_stays_as_it_is() -> None:
    excluded = sessions(
        "FREQ=WEEKLY;BYDAY=MO,TU;UNTIL=20270323",
        "2027-02-08",
        MEETS_AS_MONDAY,
        exclude=(Exclusion(TUESDAY, TUESDAY),),
    )
    assert str(TUESDAY) not in held(excluded)
    included = sessions("FREQ=WEEKLY;BYDAY=TU;UNTIL=20270323", "2027-02-09", MEETS_AS_MONDAY, but=(TUESDAY,))
    assert str(TUESDAY) in held(included)


@pytest.mark.parametrize("rrule", ["FREQ=DAILY;COUNT=20", "FREQ=MONTHLY;BYDAY=3TU;COUNT=3"])
def test_other_rules_are_left_alone(rrule: str) -> None:
    assert not any(one.excluded_by or one.added for one in sessions(rrule, "2027-02-08", MEETS_AS_MONDAY).values())


def test_a_weekday_that_meets_as_itself_changes_nothing() -> None:
    found = sessions("FREQ=WEEKLY;BYDAY=TU;UNTIL=20270323", "2027-02-09", MakeUp(TUESDAY, "TU", "x"))
    assert len(held(found)) == 7


def test_without_a_rule_there_is_nothing_to_make_up_for() -> None:
    start = datetime(2027, 2, 16, 9)  # noqa: DTZ001 - wall-clock time
    rule: Rule | None = None
    found = occurrences(start, ZONE, HOUR, rule)
    assert made_up(found, rule, start, ZONE, HOUR, [MEETS_AS_MONDAY]) == found


@pytest.mark.parametrize("included", [["2027-02-08", "2027-02-22"], ["2027-02-22"], []])
def test_a_counted_rule_ends_with_its_last_date_whatever_time_that_is_at(included: list[str]) -> None:
    start = datetime(2027, 2, 8, 9)  # noqa: DTZ001 - wall-clock time
    rule = parse_rrule("FREQ=WEEKLY;BYDAY=MO;COUNT=3", start, ZONE)
    include = [Inclusion(date.fromisoformat(day), time(14), None) for day in included]
    found = occurrences(start, ZONE, HOUR, rule, include=include)
    days = [str(one.local.date()) for one in made_up(found, rule, start, ZONE, HOUR, [MEETS_AS_MONDAY])]
    assert days == ["2027-02-08", "2027-02-15", str(TUESDAY), "2027-02-22"]
