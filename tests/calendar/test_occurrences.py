"""Wall-clock times in zones, and exclusions."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.calendar.occurrences import Exclusion, occurrences, place, zone
from app.calendar.recurrence import Rule, parse_day

at = datetime.fromisoformat
NEW_YORK = zone("America/New_York")


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
        "utc",
        "america/new_york",
    ],
)
def test_only_names_of_zones_are_zones(name: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        zone(name)


@pytest.mark.parametrize(
    ("local", "instant", "anomaly"),
    [
        (at("2027-01-13T09:00"), datetime(2027, 1, 13, 14, tzinfo=UTC), None),
        (at("2027-07-13T09:00"), datetime(2027, 7, 13, 13, tzinfo=UTC), None),
        (at("2027-03-14T02:30"), datetime(2027, 3, 14, 7, 30, tzinfo=UTC), "gap"),
        (at("2027-11-07T01:30"), datetime(2027, 11, 7, 5, 30, tzinfo=UTC), "overlap"),
        (at("2027-11-07T02:00"), datetime(2027, 11, 7, 7, tzinfo=UTC), None),
    ],
)
def test_a_wall_clock_time_has_one_instant(local: datetime, instant: datetime, anomaly: str | None) -> None:
    assert place(local, NEW_YORK) == (instant, anomaly)


def test_the_designs_document_has_36_sessions() -> None:
    """DESIGN 2's example: 40 sessions from 13 January, four of them excluded, 09:00 before and after 14 March."""
    rule = Rule("weekly", days=tuple(map(parse_day, ("MO", "WE", "FR"))), count=40, week_start="WE")
    break_ = Exclusion(date(2027, 3, 22), date(2027, 3, 26))
    day_off = Exclusion(date(2027, 2, 15), date(2027, 2, 15))
    found = occurrences(at("2027-01-13T09:00"), NEW_YORK, timedelta(minutes=50), rule, [break_, day_off])
    assert len(found) == 40
    assert [o.excluded_by for o in found if o.excluded_by] == [day_off, break_, break_, break_]
    assert found[0].start == datetime(2027, 1, 13, 14, tzinfo=UTC)
    assert {o.local.hour for o in found} == {9}
    assert {o.start.hour for o in found if o.start > datetime(2027, 3, 14, tzinfo=UTC)} == {13}
    assert {o.end - o.start for o in found} == {timedelta(minutes=50)}
