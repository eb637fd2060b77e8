"""The document of a meeting, its sessions and its hash: the three say the same."""

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.recordings.document.document import RecordingDocument
from app.recurrence.rules import WEEKDAYS
from app.terms.meetings.document import document
from app.terms.meetings.frame import Frame, frame
from app.terms.meetings.parts import week_dates
from app.terms.meetings.rows import Meeting
from app.terms.meetings.settings import TermSettings, week_of
from app.terms.meetings.times import clock, in_weeks, weekly
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


def first(settings: dict[str, Any], **changes: Any) -> tuple[Meeting, Frame]:
    section = {
        "section": "1",
        "title": "One",
        "instructors": ["a", "b"],
        "type": "LEC",
        "meetings": [{"days": ["MO"], "start": "09:00", "end": "09:50", "room": "SCI 101"} | changes],
    }
    within = frame(TermSettings.model_validate(settings), "UTC", NOW)
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
