"""Make-up days: which sessions of a weekly rule are held on a date that meets as another weekday."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.recurrence.make_up import MakeUp, made_up
from app.recurrence.occurrences import Exclusion, Inclusion, Occurrence, occurrences
from app.recurrence.rules import Rule, rrule_parts, rule_of

ZONE = ZoneInfo("America/New_York")
HOUR = timedelta(hours=1)
TUESDAY = date(2027, 2, 16)
MEETS_AS_MONDAY = MakeUp(TUESDAY, "MO", "campus: Monday schedule (meets as MO)")


def sessions(
    rrule: str, first: str, *days: MakeUp, exclude: tuple[Exclusion, ...] = (), but: tuple[date, ...] = ()
) -> dict[str, Occurrence]:
    """By local date, those of a rule that begins at nine on `first`."""
    start = datetime.fromisoformat(f"{first}T09:00:00")
    rule = rule_of(rrule_parts(rrule), start, ZONE)
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


@pytest.mark.parametrize("weekdays", [("MO", "WE"), ("WE", "MO")])
@pytest.mark.parametrize(
    ("days", "on_the_tuesday"), [("MO", "added"), ("WE", "added"), ("MO,TU", "held"), ("TU", "excluded")]
)
def test_a_date_that_meets_as_two_weekdays_holds_both(
    weekdays: tuple[str, str], days: str, on_the_tuesday: str
) -> None:
    make_ups = [MakeUp(TUESDAY, weekday, f"meets as {weekday}") for weekday in weekdays]
    one = sessions(f"FREQ=WEEKLY;BYDAY={days};UNTIL=20270323", "2027-02-08", *make_ups)[str(TUESDAY)]
    assert ("excluded" if one.excluded_by else "added" if one.added else "held") == on_the_tuesday
    if one.added:
        assert one.reason == f"meets as {days}"


def test_a_date_that_meets_as_itself_and_as_another_weekday_keeps_its_own_sessions() -> None:
    as_itself = MakeUp(TUESDAY, "TU", "x")
    found = sessions("FREQ=WEEKLY;BYDAY=TU;UNTIL=20270323", "2027-02-09", MEETS_AS_MONDAY, as_itself)
    assert str(TUESDAY) in held(found)


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


@pytest.mark.parametrize(
    ("name", "first", "weekday", "at", "day", "instant", "anomaly"),
    [
        ("America/New_York", "2027-03-01", "MO", "09:00", "2027-03-16", "2027-03-16T13:00Z", None),
        ("America/New_York", "2027-03-01", "MO", "02:30", "2027-03-14", "2027-03-14T07:30Z", "gap"),
        ("America/New_York", "2027-10-25", "MO", "01:30", "2027-11-07", "2027-11-07T05:30Z", "overlap"),
        ("Australia/Sydney", "2027-09-20", "MO", "09:00", "2027-10-05", "2027-10-04T22:00Z", None),
        ("Australia/Sydney", "2027-09-20", "MO", "02:30", "2027-10-03", "2027-10-02T16:30Z", "gap"),
        ("Australia/Sydney", "2027-03-22", "MO", "02:30", "2027-04-04", "2027-04-03T15:30Z", "overlap"),
        ("Australia/Lord_Howe", "2027-09-20", "MO", "02:15", "2027-10-03", "2027-10-02T15:45Z", "gap"),
        ("America/Santiago", "2027-08-23", "MO", "00:30", "2027-09-05", "2027-09-05T04:30Z", "gap"),
    ],
)
def test_where_the_clocks_change_it_keeps_its_time_of_day_as_every_session_does(
    name: str, first: str, weekday: str, at: str, day: str, instant: str, anomaly: str | None
) -> None:
    """In both hemispheres: in the days after a change, and in the very hour that it skips or repeats."""
    tz, start = ZoneInfo(name), datetime.fromisoformat(f"{first}T{at}")
    rule = rule_of(rrule_parts(f"FREQ=WEEKLY;BYDAY={weekday};COUNT=6"), start, tz)
    make_up = MakeUp(date.fromisoformat(day), weekday, "x")
    found = made_up(occurrences(start, tz, HOUR, rule), rule, start, tz, HOUR, [make_up])
    (one,) = (each for each in found if each.added)
    assert (one.start, one.end - one.start, one.anomaly) == (datetime.fromisoformat(instant), HOUR, anomaly)
    assert (one.wanted or one.local).isoformat() == f"{day}T{at}:00"
    assert [each.start for each in found] == sorted(each.start for each in found)
    assert len(found) == 7


def test_without_a_rule_there_is_nothing_to_make_up_for() -> None:
    start = datetime(2027, 2, 16, 9)  # noqa: DTZ001 - wall-clock time
    rule: Rule | None = None
    found = occurrences(start, ZONE, HOUR, rule)
    assert made_up(found, rule, start, ZONE, HOUR, [MEETS_AS_MONDAY]) == found


@pytest.mark.parametrize("included", [["2027-02-08", "2027-02-22"], ["2027-02-22"], []])
def test_a_counted_rule_ends_with_its_last_date_whatever_time_that_is_at(included: list[str]) -> None:
    start = datetime(2027, 2, 8, 9)  # noqa: DTZ001 - wall-clock time
    rule = rule_of(rrule_parts("FREQ=WEEKLY;BYDAY=MO;COUNT=3"), start, ZONE)
    include = [Inclusion(date.fromisoformat(day), time(14), None) for day in included]
    found = occurrences(start, ZONE, HOUR, rule, include=include)
    days = [str(one.local.date()) for one in made_up(found, rule, start, ZONE, HOUR, [MEETS_AS_MONDAY])]
    assert days == ["2027-02-08", "2027-02-15", str(TUESDAY), "2027-02-22"]
