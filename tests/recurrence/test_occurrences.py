"""Wall-clock times in zones, and exclusions."""

from datetime import UTC, date, datetime, timedelta

import pytest
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from app.recurrence.occurrences import Exclusion, is_fixed, occurrences, place, same_clocks, zone, zone_like
from app.recurrence.rules import Rule
from tests.recurrence.support import at, days

NEW_YORK = zone("America/New_York")
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "name",
    [
        "America",
        "x" * 5000,
        "localtime",
        "posixrules",
        "Factory",
        "/etc/passwd",
        "../UTC",
        "",
        "New York",
    ],
)
def test_only_names_of_zones_are_zones(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        zone(name)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("utc", "UTC"),
        ("america/new_york", "America/New_York"),
        ("US/EASTERN", "US/Eastern"),
        ("Eastern Standard Time", "America/New_York"),
        ("w. europe standard time", "Europe/Berlin"),
        ("est", "EST"),
    ],
)
def test_a_zone_is_found_in_any_case_and_by_its_windows_name(name: str, key: str) -> None:
    assert zone(name).key == key


def test_every_windows_name_is_a_zone() -> None:
    assert [name for name, key in WINDOWS_TO_OLSON.items() if zone(name).key not in (key, name)] == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("New York", "America/New_York"),
        ("zurich", "Europe/Zurich"),
        ("Europe/Zürich", "Europe/Zurich"),
        ("Amerika/New_York", "America/New_York"),
        ("Mars/Olympus", None),
        ("", None),
    ],
)
def test_the_zone_that_was_meant_is_guessed(name: str, found: str | None) -> None:
    assert zone_like(name) == found


def test_names_of_one_zone_are_known_as_one() -> None:
    assert {same_clocks(zone(name)) for name in ("US/Eastern", "America/New_York", "us/michigan")} == {
        "America/New_York",
        "America/Detroit",
    }


@pytest.mark.parametrize(
    ("name", "fixed"),
    [("EST", True), ("Etc/GMT+5", True), ("GMT", True), ("UTC", False), ("EST5EDT", False), ("Europe/London", False)],
)
def test_zones_whose_clocks_never_change_though_their_names_say_so_are_known(name: str, fixed: bool) -> None:
    assert is_fixed(zone(name)) == fixed


@pytest.mark.parametrize(
    ("local", "instant", "anomaly"),
    [
        (at("2027-01-13T09:00"), datetime(2027, 1, 13, 14, tzinfo=UTC), None),
        (at("2027-07-13T09:00"), datetime(2027, 7, 13, 13, tzinfo=UTC), None),
        (at("2027-03-14T02:30"), datetime(2027, 3, 14, 7, 30, tzinfo=UTC), "gap"),
        (at("2027-11-07T01:30"), datetime(2027, 11, 7, 5, 30, tzinfo=UTC), "overlap"),
        (at("2027-11-07T01:30").replace(fold=1), datetime(2027, 11, 7, 6, 30, tzinfo=UTC), "overlap"),
        (at("2027-11-07T02:00"), datetime(2027, 11, 7, 7, tzinfo=UTC), None),
        # Nothing but a repeated hour has a second run.
        (at("2027-03-14T02:30").replace(fold=1), datetime(2027, 3, 14, 7, 30, tzinfo=UTC), "gap"),
        (at("2027-01-13T09:00").replace(fold=1), datetime(2027, 1, 13, 14, tzinfo=UTC), None),
    ],
)
def test_a_wall_clock_time_has_one_instant(local: datetime, instant: datetime, anomaly: str | None) -> None:
    assert place(local, NEW_YORK) == (instant, anomaly)


def test_a_start_in_the_second_run_of_a_repeated_hour_is_there_on_its_own_day_alone() -> None:
    """A year later the same wall-clock time is its first instant, as ever."""
    start = at("2027-11-07T01:30").replace(fold=1)
    found = occurrences(start, NEW_YORK, timedelta(minutes=50), Rule("weekly", count=53))
    assert [one.start.strftime("%m%d %H:%M") for one in (*found[:2], found[-1])] == [
        "1107 06:30",
        "1114 06:30",
        "1105 05:30",
    ]
    assert [(one.local, one.anomaly, one.added) for one in found if one.anomaly] == [
        (start, "overlap", False),
        (at("2028-11-05T01:30"), "overlap", False),
    ]


def test_the_designs_document_has_36_sessions() -> None:
    """DESIGN 2's example: 40 sessions from 13 January, four of them excluded, 09:00 before and after 14 March."""
    rule = Rule("weekly", days=days("MO,WE,FR"), count=40, week_start="WE")
    break_ = Exclusion(date(2027, 3, 22), date(2027, 3, 26))
    day_off = Exclusion(date(2027, 2, 15), date(2027, 2, 15))
    found = occurrences(at("2027-01-13T09:00"), NEW_YORK, timedelta(minutes=50), rule, [break_, day_off])
    assert len(found) == 40
    assert [o.excluded_by for o in found if o.excluded_by] == [day_off, break_, break_, break_]
    assert found[0].start == datetime(2027, 1, 13, 14, tzinfo=UTC)
    assert {o.local.hour for o in found} == {9}
    assert {o.start.hour for o in found if o.start > datetime(2027, 3, 14, tzinfo=UTC)} == {13}
    assert {o.end - o.start for o in found} == {timedelta(minutes=50)}


def test_each_date_of_a_range_is_excluded_and_what_holds_it_longest_is_named() -> None:
    week = Exclusion(date(2027, 3, 22), date(2027, 3, 26))
    day = Exclusion(date(2027, 3, 23), date(2027, 3, 23))
    later = Exclusion(date(2027, 3, 26), date(2027, 3, 28))
    found = occurrences(at("2027-03-20T09:00"), NEW_YORK, HOUR, Rule("daily", count=10), [later, day, week])
    assert {o.local.day: o.excluded_by for o in found if o.excluded_by} == {
        22: week,
        23: week,
        24: week,
        25: week,
        26: later,
        27: later,
        28: later,
    }


def test_an_exclusion_means_local_dates() -> None:
    """20:00 in New York is the next day in UTC."""
    thursday = Exclusion(date(2027, 1, 14), date(2027, 1, 14))
    found = occurrences(at("2027-01-13T20:00"), NEW_YORK, HOUR, Rule("daily", count=3), [thursday])
    assert [o.excluded_by is not None for o in found] == [False, True, False]


def test_a_session_without_a_rule_may_be_excluded_too() -> None:
    day = Exclusion(date(2027, 1, 13), date(2027, 1, 13))
    (found,) = occurrences(at("2027-01-13T09:00"), NEW_YORK, HOUR, None, [day])
    assert found.excluded_by == day


def test_an_instant_is_there_once_where_a_zone_left_a_day_out() -> None:
    """Samoa had no 30 December 2011: its 09:00 becomes that of the 31st, which is a session of its own."""
    found = occurrences(at("2011-12-29T09:00"), zone("Pacific/Apia"), HOUR, Rule("daily", count=4))
    assert [(o.local.day, o.anomaly) for o in found] == [(29, None), (31, None), (1, None)]


@pytest.mark.parametrize(
    ("start", "duration"),
    [
        (datetime(2027, 1, 13, 9, tzinfo=UTC), HOUR),
        (at("2027-01-13T09:00:00.5"), HOUR),
        (at("2027-01-13T09:00"), timedelta(0)),
        (at("2027-01-13T09:00"), -HOUR),
        (at("2027-01-13T09:00"), timedelta(hours=24, seconds=1)),
        (at("2027-01-13T09:00"), timedelta(seconds=1.5)),
    ],
)
def test_a_session_begins_on_the_wall_clock_and_lasts_up_to_a_day(start: datetime, duration: timedelta) -> None:
    with pytest.raises(ValueError, match=r"start|duration"):
        occurrences(start, NEW_YORK, duration, None)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="ends before"):
        Exclusion(date(2027, 3, 26), date(2027, 3, 22))
