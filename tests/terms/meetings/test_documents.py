"""The document of a meeting, its sessions and its hash: the three say the same."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.recordings.document.campus import Campus, CampusDay
from app.recordings.document.document import RecordingDocument
from app.recurrence.occurrences import Occurrence
from app.recurrence.rules import WEEKDAYS
from app.terms.meetings.document import document
from app.terms.meetings.frame import Frame, frame
from app.terms.meetings.parts import week_dates
from app.terms.meetings.rows import Meeting
from app.terms.meetings.sessions import sessions
from app.terms.meetings.settings import TermSettings, week_of
from app.terms.meetings.times import Times, clock, in_weeks, on_dates, weekly
from app.terms.reading.read import read
from tests.terms.samples import BANNER, NOW, SAMPLES, SPRING, Sample

BEGIN = date(2027, 1, 11)
DAYS = st.sets(st.sampled_from(WEEKDAYS), min_size=1).map(lambda days: tuple(sorted(days, key=WEEKDAYS.index)))
OFFSETS = st.integers(0, 120).map(lambda days: BEGIN + timedelta(days=days))


def by_itself(said: dict[str, Any]) -> RecordingDocument:
    """A document without its calendars, which are another part's to read."""
    return RecordingDocument.model_validate({name: value for name, value in said.items() if name != "calendars"})


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_document_is_one_that_a_recording_takes_and_has_the_meeting_s_days(sample: Sample) -> None:
    found = [meeting for meeting in sample.read().meetings if not meeting.skip and meeting.times]
    for meeting in found:
        schedule = by_itself(document(meeting, sample.frame)).schedule("UTC")
        days = [(one.wanted or one.local).date() for one in schedule.wanted]
        assert meeting.times is not None
        assert days == list(meeting.times.days())
        assert schedule.start.time() == meeting.times.start
    assert len(found) > 10


def first(said: dict[str, Any], **changes: Any) -> tuple[Meeting, Frame]:
    section = {
        "section": "1",
        "title": "One",
        "instructors": ["a", "b"],
        "type": "LEC",
        "meetings": [{"days": ["MO"], "start": "09:00", "end": "09:50", "room": "SCI 101"} | changes],
    }
    within = frame(TermSettings.model_validate(said), "UTC", NOW)
    (meeting,) = read([json.dumps({"sections": [section]}).encode()], "json", within).meetings
    return meeting, within


SAME = [
    {"days": ["Monday"]},
    {"start": "0900"},
    {"room": " sci  101 "},
    {"from": "2027-01-11"},
    {"from": "2026-12-01", "to": "2027-06-01"},
]
OTHER = [{"days": ["TU"]}, {"end": "10:00"}, {"room": "SCI 210"}, {"from": "2027-01-18"}, {"weeks": "1-5"}]


@pytest.mark.parametrize("changes", SAME)
def test_another_spelling_has_the_same_hash(changes: dict[str, Any]) -> None:
    assert first(SPRING, **changes)[0].hash == first(SPRING)[0].hash


@pytest.mark.parametrize("changes", OTHER)
def test_another_meeting_has_another_hash(changes: dict[str, Any]) -> None:
    assert first(SPRING, **changes)[0].hash != first(SPRING)[0].hash


@pytest.mark.parametrize(
    ("settings", "same"),
    [
        ({"time_zone": "America/Chicago"}, False),
        ({"calendars": []}, False),
        ({"defaults": {"tags": ["spring"]}}, False),
        ({"rooms": SPRING["rooms"] | {"SCI 101": "EXTRON-NEW"}}, False),
        ({"name": "Another name", "guards": {"cancel_floor": 9}, "missing_grace_hours": 1}, True),
        ({"opt_outs": {"instructors": ["somebody"]}}, True),
    ],
)
def test_settings_that_change_the_recording_change_the_hash(settings: dict[str, Any], same: bool) -> None:
    assert (first(SPRING | settings)[0].hash == first(SPRING)[0].hash) == same


NEAR = st.integers(35, 70).map(lambda days: BEGIN + timedelta(days=days))
WEEKS = st.sets(st.integers(6, 11), min_size=1).map(sorted).map(tuple)
AT = st.sampled_from([clock(540), clock(150)])  # 02:30 is what the clocks skip
TIMES = st.one_of(
    st.builds(weekly, AT, st.just(50), DAYS, NEAR, NEAR),
    st.builds(in_weeks, AT, st.just(50), DAYS, NEAR, NEAR, WEEKS, st.just(BEGIN)).map(lambda found: found[0]),
    st.builds(on_dates, AT, st.just(50), st.lists(NEAR, min_size=1, max_size=5)),
).filter(bool)
NAMES = st.sampled_from(["campus", "faculty", "law"])
CLOSED = st.builds(
    lambda name, day, more, called: CampusDay(name, day, day + timedelta(days=more), called),
    *(NAMES, NEAR, st.integers(0, 3), st.sampled_from([None, "Break"])),
)
MADE_UP = st.builds(
    lambda name, day, called, weekday: CampusDay(name, day, day, called, weekday),
    *(NAMES, NEAR, st.sampled_from([None, "Monday schedule"]), st.sampled_from(WEEKDAYS)),
)


@settings(max_examples=300)
@given(TIMES, st.lists(st.one_of(CLOSED, MADE_UP), max_size=12), st.lists(NAMES, unique=True))
def test_a_meeting_has_the_sessions_that_its_recording_then_has(
    times: Times, days: list[CampusDay], named: list[str]
) -> None:
    """Whatever its calendars say, also twice of a date, and in whatever order they are named."""
    meeting, within = first(SPRING | {"calendars": named})
    meeting.times = times
    found = sessions(meeting, within, Campus({}, tuple(days)))
    recorded = RecordingDocument.model_validate(document(meeting, within))
    of_its_calendars = sorted((one for one in days if one.calendar in named), key=lambda one: one.calendar)
    schedule = Campus({}, tuple(of_its_calendars)).on(recorded.schedule("UTC"))
    assert [one.span for one in found.held] == [(one.start, one.end) for one in schedule.wanted]
    assert list(found.extra) == [day_of(one) for one in schedule.wanted if one.added]
    left_out = {day_of(one): one for one in schedule.occurrences if one.excluded_by}
    assert found.left_out == {day: (one.start, one.end) for day, one in left_out.items()}
    by_calendars = [day for day, one in left_out.items() if one.excluded_by and one.excluded_by.reason]
    assert [day for day, _ in found.excluded] == by_calendars


def day_of(one: Occurrence) -> date:
    return (one.wanted or one.local).date()


@given(DAYS, OFFSETS, OFFSETS)
def test_a_weekly_meeting_has_its_days_and_no_others(days: tuple[str, ...], begin: date, end: date) -> None:
    found = weekly(clock(540), 50, days, begin, end)
    span = [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
    assert list(found.days() if found else ()) == [day for day in span if WEEKDAYS[day.weekday()] in days]


@given(DAYS, OFFSETS, OFFSETS, st.sets(st.integers(1, 20), min_size=1), st.integers(0, 6))
def test_a_meeting_in_weeks_has_its_days_and_no_others(
    days: tuple[str, ...], begin: date, end: date, weeks: set[int], shift: int
) -> None:
    week_1 = BEGIN + timedelta(days=shift)
    found, outside = in_weeks(clock(540), 50, days, begin, end, tuple(sorted(weeks)), week_1)
    wanted = [day for week in sorted(weeks) for day in week_dates(days, week, week_1) if begin <= day <= end]
    assert list(found.days() if found else ()) == wanted
    assert all(week_of(day, week_1) in weeks for day in wanted)
    assert outside == (len({week_of(day, week_1) for day in wanted}) < len(weeks))


def test_what_is_not_recorded_has_no_document() -> None:
    skipped = next(meeting for meeting in BANNER.read().meetings if meeting.skip == "no_time")
    with pytest.raises(ValueError, match="no document"):
        document(skipped, BANNER.frame)
