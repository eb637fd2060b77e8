"""The hour that Kaltura's server repeats: what is sent comes back, and everything else is sent as it is."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recurrence.occurrences import MAX_DURATION, Exclusion, occurrences, zone
from app.recurrence.plan import PlannedEvent, describe, plan, series_of_one
from app.recurrence.rules import Rule
from app.recurrence.server import LONGEST_REPEAT, STEADY, agrees, as_sent, repeated
from app.sandbox.schedule.series import as_stored
from tests.recurrence.support import DIFFICULT_ZONES, Interval, at, days, generated

NEW_YORK = zone("America/New_York")
MINUTES = timedelta(minutes=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(f"2027-{text}").replace(tzinfo=UTC)


def sent(start: str, end: str, server: ZoneInfo = NEW_YORK) -> tuple[str, str]:
    first, last = as_sent(utc(start), utc(end), server)
    return f"{first:%m-%dT%H:%M:%S}", f"{last:%m-%dT%H:%M:%S}"


@pytest.mark.parametrize(
    ("start", "end", "as_it_goes"),
    [
        ("11-07T06:30:00", "11-07T07:20:00", ("11-07T05:59:59", "11-07T07:20:00")),  # begins in it
        ("11-07T05:30:00", "11-07T06:20:00", ("11-07T05:30:00", "11-07T07:00:00")),  # ends in it
        ("11-07T06:10:00", "11-07T06:50:00", ("11-07T05:59:59", "11-07T07:00:00")),  # both
        ("11-07T06:00:00", "11-07T06:59:59", ("11-07T05:59:59", "11-07T07:00:00")),  # its first and last second
        ("11-07T05:00:00", "11-07T05:59:59", ("11-07T05:00:00", "11-07T05:59:59")),  # the first run
        ("11-07T07:00:00", "11-07T08:00:00", ("11-07T07:00:00", "11-07T08:00:00")),  # after it
        ("11-07T05:00:00", "11-08T05:00:00", ("11-07T05:00:00", "11-08T05:00:00")),  # 24 hours across all of it
        # 24 hours that begin or end in it cannot be wider.
        ("11-07T06:30:00", "11-08T06:30:00", ("11-07T07:00:00", "11-08T06:30:00")),
        ("11-06T06:30:00", "11-07T06:30:00", ("11-06T06:30:00", "11-07T05:59:59")),
        ("11-06T07:00:00", "11-07T06:59:59", ("11-06T07:00:00", "11-07T07:00:00")),  # just about
        ("03-14T06:30:00", "03-14T07:30:00", ("03-14T06:30:00", "03-14T07:30:00")),  # nothing is repeated in spring
    ],
)
def test_a_session_in_the_repeated_hour_is_sent_wider(start: str, end: str, as_it_goes: tuple[str, str]) -> None:
    assert sent(start, end) == as_it_goes


@pytest.mark.parametrize(
    ("server", "start", "end", "as_it_goes"),
    [
        ("UTC", "11-07T06:30:00", "11-07T07:20:00", ("11-07T06:30:00", "11-07T07:20:00")),
        ("Asia/Kolkata", "11-07T06:30:00", "11-07T07:20:00", ("11-07T06:30:00", "11-07T07:20:00")),
        ("Europe/London", "11-07T06:30:00", "11-07T07:20:00", ("11-07T06:30:00", "11-07T07:20:00")),
        ("Europe/London", "10-31T01:10:00", "10-31T02:10:00", ("10-31T00:59:59", "10-31T02:10:00")),
        ("Australia/Lord_Howe", "04-03T15:10:00", "04-03T15:20:00", ("04-03T14:59:59", "04-03T15:30:00")),
        ("Antarctica/Troll", "10-31T01:10:00", "10-31T01:20:00", ("10-31T00:59:59", "10-31T03:00:00")),
    ],
)
def test_the_hour_is_that_of_the_server_s_own_clocks(
    server: str, start: str, end: str, as_it_goes: tuple[str, str]
) -> None:
    assert sent(start, end, zone(server)) == as_it_goes


@pytest.mark.parametrize(("year", "day"), [(2026, 1), (2027, 7), (2028, 5), (2031, 2), (2099, 1)])
def test_the_hour_comes_back_every_year(year: int, day: int) -> None:
    begin = datetime(year, 11, day, 6, tzinfo=UTC)
    assert repeated(begin + 30 * MINUTES, NEW_YORK) == (begin, begin + 60 * MINUTES)


@given(
    st.sampled_from(["America/New_York", *DIFFICULT_ZONES]),
    st.datetimes(datetime(2026, 1, 1), datetime(2036, 1, 1)),  # noqa: DTZ001
    st.integers(-200, 200),
    st.integers(1, 86_400) | st.just(86_400),
)
@settings(max_examples=500)
def test_whatever_is_sent_survives_and_holds_the_session(name: str, near: datetime, off: int, seconds: int) -> None:
    """Near a change of the clocks, more often than not."""
    server = zone(name)
    start = near.replace(minute=0, second=0, microsecond=0, tzinfo=UTC)
    change = next(
        (day for day in (start + timedelta(days=days) for days in range(200)) if _is_changed(day, server)), start
    )
    start = change + off * MINUTES
    end = start + timedelta(seconds=seconds)
    found = as_sent(start, end, server)
    for moment in found:
        assert as_stored(int(moment.timestamp()), name) == moment.timestamp()
    assert timedelta(0) < found[1] - found[0] <= MAX_DURATION
    widest = timedelta(hours=24) - LONGEST_REPEAT - timedelta(seconds=1)
    assert (found[0] <= start and found[1] >= end) or end - start > widest
    survives = all(as_stored(int(one.timestamp()), name) == one.timestamp() for one in (start, end))
    assert (found == (start, end)) == survives
    assert agrees((start, end), (start, end), server)
    assert agrees(found, (start, end), server)
    assert not agrees((start - timedelta(hours=5), end), (start, end), server)


def _is_changed(day: datetime, server: ZoneInfo) -> bool:
    before, after = (server.utcoffset(one.astimezone(server)) for one in (day, day + timedelta(days=1)))
    return before != after


def test_no_zone_repeats_more_than_is_looked_back_for() -> None:
    casey = zone("Antarctica/Casey")
    span = repeated(datetime(2018, 3, 10, 18, tzinfo=UTC), casey)
    assert span is not None
    assert span[1] - span[0] <= LONGEST_REPEAT


# The plan


def shape(events: tuple[PlannedEvent, ...]) -> list[tuple[str, int]]:
    return [(event.kind, len(event.occurrences)) for event in events]


def stored(events: tuple[PlannedEvent, ...], server: ZoneInfo = NEW_YORK) -> list[Interval]:
    """What Kaltura has of them: it generates, and keeps by its server's clock."""
    made = [span for event in events for span in generated(event)]
    return [(as_stored(start, server.key), as_stored(end, server.key)) for start, end in made]


@pytest.mark.parametrize(
    ("name", "start", "rule", "series"),
    [
        ("Europe/London", "2027-11-05T06:30", Rule("daily", count=5), [2, 0, 2]),
        ("Asia/Kolkata", "2027-10-24T12:00", Rule("weekly", count=4), [2, 0, 1]),
        (
            "America/New_York",
            "2027-10-24T01:30",
            Rule("weekly", count=4),
            [2, 0, 1],
        ),
        ("Pacific/Auckland", "2027-11-07T19:30", Rule("daily", 2, count=3), [0, 2]),
    ],
)
def test_a_series_that_meets_the_hour_is_cut_there(name: str, start: str, rule: Rule, series: list[int]) -> None:
    """Into series of so many sessions; 0 is the single event."""
    sessions = occurrences(at(start), zone(name), 50 * MINUTES, rule)
    events = plan(sessions, rule, zone(name), NEW_YORK)
    assert shape(events) == [("series", length) if length else ("single", 1) for length in series]
    assert [one for event in events for one in event.occurrences] == list(sessions)
    wanted = [as_sent(one.start, one.end, NEW_YORK) for one in sessions]
    assert stored(events) == [(int(first.timestamp()), int(last.timestamp())) for first, last in wanted]
    assert [event.is_elsewhere for event in events] == [not length for length in series]


def test_a_series_that_meets_no_server_s_hour_is_not_cut() -> None:
    rule = Rule("daily", count=5)
    sessions = occurrences(at("2027-11-05T06:30"), zone("Europe/London"), 50 * MINUTES, rule)
    assert shape(plan(sessions, rule, zone("Europe/London"), STEADY)) == [("series", 5)]
    later = occurrences(at("2027-11-05T07:00"), zone("Europe/London"), 50 * MINUTES, rule)
    assert shape(plan(later, rule, zone("Europe/London"), NEW_YORK)) == [("series", 5)]
    whole = occurrences(at("2027-11-05T05:00"), zone("Europe/London"), MAX_DURATION, rule)
    assert shape(plan(whole, rule, zone("Europe/London"), NEW_YORK)) == [("series", 5)]


def test_sessions_of_24_hours_in_the_hour_stay_apart() -> None:
    rule = Rule("daily", count=5)
    sessions = occurrences(at("2027-11-05T12:00"), zone("Asia/Kolkata"), MAX_DURATION, rule)
    spans = stored(plan(sessions, rule, zone("Asia/Kolkata"), NEW_YORK))
    assert all(one[1] <= following[0] for one, following in pairwise(spans))


@pytest.mark.parametrize("minutes", [20, 50, 90, 1440])
@pytest.mark.parametrize("name", ["Europe/London", "America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize("start", ["11-07T05:30:00", "11-07T06:00:00", "11-07T06:30:00", "11-06T06:30:00"])
def test_one_session_there_is_a_series_in_utc_when_it_replaces_another(start: str, name: str, minutes: int) -> None:
    begins, tz = utc(start), zone(name)
    ends = begins + minutes * MINUTES
    is_elsewhere = as_sent(begins, ends, NEW_YORK) != (begins, ends)
    (session,) = occurrences(begins.replace(tzinfo=None), STEADY, ends - begins, None)
    event = series_of_one(session, tz, NEW_YORK)
    first, last = as_sent(begins, ends, NEW_YORK)
    assert (event.kind, event.occurrences) == ("series", (session,))
    assert not is_elsewhere or (event.recurrence or {})["timeZone"] == "UTC"
    assert stored((event,)) == [(int(first.timestamp()), int(last.timestamp()))]


@given(
    st.sampled_from(["Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "UTC"]),
    st.dates(at("2027-10-20").date(), at("2027-11-08").date()),
    st.integers(0, 95),
    st.sampled_from([20, 50, 180, 1440]),
    st.sampled_from(["MO,WE,SU", "SU", "MO,TU,WE,TH,FR,SA,SU"]),
    st.sampled_from(["America/New_York", "Europe/London", "UTC"]),
)
@settings(max_examples=200)
def test_any_plan_comes_back_as_it_was_sent(
    name: str, day: object, quarter: int, minutes: int, weekdays: str, server_name: str
) -> None:
    tz, server = zone(name), zone(server_name)
    rule = Rule("weekly", days=days(weekdays), count=20)
    start = at(f"{day}T{quarter // 4:02}:{quarter % 4 * 15:02}")
    sessions = occurrences(start, tz, minutes * MINUTES, rule)
    wanted = [as_sent(one.start, one.end, server) for one in sessions]
    found = stored(plan(sessions, rule, tz, server), server)
    assert found == [(int(first.timestamp()), int(last.timestamp())) for first, last in wanted]


def test_a_plan_says_why() -> None:
    rule = Rule("daily", count=3)
    london = zone("Europe/London")
    sessions = occurrences(at("2027-11-06T06:30"), london, 50 * MINUTES, rule)
    assert describe(plan(sessions, rule, london, NEW_YORK)) == (
        "one series of one occurrence, then one single event because Kaltura's own clocks repeat an hour on "
        "7 November 2027, then one series of one occurrence"
    )
    day = at("2027-11-07").date()
    without = occurrences(at("2027-11-06T06:30"), london, 50 * MINUTES, rule, [Exclusion(day, day)])
    assert [event.kind for event in plan(without, rule, london, NEW_YORK)] == ["series", "single", "series"]
