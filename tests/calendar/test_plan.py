"""The plan on cases worked out by hand; test_cases.py and test_properties.py hold it to Kaltura's generator."""

from datetime import UTC, date, datetime, timedelta

from app.calendar.occurrences import occurrences, zone
from app.calendar.plan import plan
from app.calendar.recurrence import Rule, parse_day

at = datetime.fromisoformat
NEW_YORK = zone("America/New_York")
HOUR = timedelta(hours=1)


def test_a_term_across_a_change_of_the_clocks_is_one_series() -> None:
    rule = Rule("weekly", days=tuple(map(parse_day, ("MO", "WE", "FR"))), count=40, week_start="WE")
    wanted = occurrences(at("2027-01-13T09:00"), NEW_YORK, timedelta(minutes=50), rule)
    (event,) = plan(wanted, rule, NEW_YORK)
    assert (event.kind, event.start, event.end) == ("series", wanted[0].start, wanted[0].end)
    assert event.occurrences == wanted
    assert event.recurrence == {
        "frequency": "weeks",
        "interval": 1,
        "byDay": "MO,WE,FR",
        "weekStartDay": "WE",
        "until": int(datetime(2027, 4, 14, 13, tzinfo=UTC).timestamp()),
        "timeZone": "America/New_York",
    }


def test_a_daily_time_that_the_clocks_skip_once_is_two_series_around_a_single() -> None:
    rule = Rule("daily", until=date(2027, 3, 31))
    events = plan(occurrences(at("2027-03-01T02:30"), NEW_YORK, HOUR, rule), rule, NEW_YORK)
    assert [(event.kind, len(event.occurrences)) for event in events] == [
        ("series", 13),
        ("single", 1),
        ("series", 17),
    ]
    assert events[1].start == datetime(2027, 3, 14, 7, 30, tzinfo=UTC)


def test_without_a_rule_it_is_a_single_event() -> None:
    (event,) = plan(occurrences(at("2027-01-13T09:00"), NEW_YORK, HOUR, None), None, NEW_YORK)
    assert (event.kind, event.recurrence) == ("single", None)
