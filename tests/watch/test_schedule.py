"""What is started and ended when: tables, without a clock."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import PREFIX, Settings
from app.watch.schedule import (
    Follow,
    Occurrence,
    Start,
    Step,
    Stop,
    edges,
    environment,
    kept_done,
    next_poll,
    opens,
    read_answer,
    read_occurrence,
    steps,
)

DAY = datetime(2027, 1, 13, tzinfo=UTC)
NONE = timedelta(0)
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return DAY.replace(hour=int(text[:2]), minute=int(text[3:5]), second=int(text[6:8] or 0))


def occurrence(uid: str, start: str, end: str, **words: Any) -> Occurrence:
    return read_occurrence({"uid": uid, "start": at(start).isoformat(), "end": at(end).isoformat(), **words})


A = occurrence("a", "09:00", "09:50")
B = occurrence("b", "10:00", "10:50")


def named(found: list[Step]) -> list[tuple[str, str]]:
    return [(type(step).__name__, step.occurrence.uid) for step in found]


@pytest.mark.parametrize(
    ("now", "before", "due"),
    [
        ("08:59:59", NONE, []),
        ("09:00:00", NONE, [("Start", "a")]),
        ("09:49:59", NONE, [("Start", "a")]),
        ("09:50:00", NONE, []),
        ("08:58:59", MINUTE, []),
        ("08:59:00", MINUTE, [("Start", "a")]),
        ("10:00:00", NONE, [("Start", "b")]),
    ],
)
def test_a_session_is_started_at_its_time_also_late(now: str, before: timedelta, due: list[tuple[str, str]]) -> None:
    assert named(steps([B, A], {}, {}, at(now), before)) == due


def test_what_runs_is_not_started_again_and_is_ended_at_its_end() -> None:
    assert steps([A], {"a": A}, {}, at("09:10"), NONE) == []
    assert steps([A], {"a": A}, {}, at("09:50"), NONE) == [Stop(A, A.end, "it is over")]
    assert steps([A], {}, {"a": A.end}, at("09:49:59"), NONE) == []  # a clock that was corrected


def test_one_that_is_extended_or_cut_short_ends_at_its_new_end() -> None:
    longer, shorter = occurrence("a", "09:00", "10:20"), occurrence("a", "09:00", "09:15")
    assert steps([longer], {"a": A}, {}, at("09:30"), NONE) == [Follow(longer)]
    assert steps([longer], {"a": longer}, {}, at("09:50"), NONE) == []
    assert steps([shorter], {"a": A}, {}, at("09:30"), NONE) == [Stop(shorter, shorter.end, "it is over")]


def test_one_that_is_cancelled_is_ended_and_started_again_when_it_comes_back() -> None:
    (stop,) = steps([], {"a": A}, {}, at("09:30"), NONE)
    assert isinstance(stop, Stop)
    assert (stop.until, stop.why) == (at("09:30"), "it was stopped or cancelled, or is elsewhere now")
    assert steps([], {}, {"a": stop.until}, at("09:31"), NONE) == []
    assert steps([A], {}, {"a": stop.until}, at("09:32"), NONE) == [Start(A)]


def test_one_that_vanishes_a_moment_before_its_end_is_over() -> None:
    (stop,) = steps([], {"a": A}, {}, at("09:49:59"), NONE)
    assert isinstance(stop, Stop)
    assert stop.why == "it is over"


def test_one_that_is_moved_while_it_runs_is_ended_and_started_at_its_new_time() -> None:
    later = occurrence("a", "14:00", "14:50")
    (stop,) = steps([later], {"a": A}, {}, at("09:30"), NONE)
    assert stop == Stop(later, at("09:30"), "it is later now")
    assert steps([later], {}, {"a": at("09:30")}, at("13:59"), NONE) == []
    assert steps([later], {}, {"a": at("09:30")}, at("14:00"), NONE) == [Start(later)]


def test_a_clock_that_is_set_back_a_little_ends_nothing() -> None:
    assert steps([A], {"a": A}, {}, at("08:59:59"), NONE) == []


def test_one_that_ends_and_one_that_begins_in_that_instant() -> None:
    after = occurrence("c", "09:50", "10:00")
    assert named(steps([A, after], {"a": A}, {}, at("09:50"), NONE)) == [("Stop", "a"), ("Start", "c")]


def test_starting_early_does_not_reach_into_the_session_before() -> None:
    after, soon = occurrence("c", "09:50", "10:00"), occurrence("d", "09:50:30", "10:00")
    assert opens(after, [A, after], MINUTE) == at("09:50")
    assert opens(soon, [A, soon], MINUTE) == at("09:50")
    assert opens(B, [A, B], MINUTE) == at("09:59")
    assert edges([A, B], MINUTE) == [at("08:59"), at("09:50"), at("09:59"), at("10:50")]


def test_it_is_asked_every_minute_and_shortly_before_something_happens() -> None:
    assert next_poll(at("08:00"), [A.start], MINUTE) == at("08:01")
    assert next_poll(at("08:59:20"), [A.start], MINUTE) == at("08:59:55")
    assert next_poll(at("08:59:55"), [A.start], MINUTE) == at("09:00:55")


def test_what_was_recorded_is_remembered_while_somebody_may_ask() -> None:
    long_ago = DAY - timedelta(days=3)
    assert kept_done({"a": long_ago, "b": long_ago, "c": DAY}, [A], DAY).keys() == {"a", "c"}


def test_the_environment_tells_all_and_nothing_is_unset() -> None:
    words = {
        "title": 'A "title"\0; rm -rf $HOME',
        "tags": ["x", "y"],
        "template_entry_id": "1_abc",
        "recording_id": None,
    }
    told = environment(occurrence("a", "09:00", "09:50", **words), {"id": 7, "system_name": None, "name": "Hall"})
    assert told["LECTERN_TITLE"] == 'A "title"; rm -rf $HOME'
    assert (told["LECTERN_UID"], told["LECTERN_DURATION_SECONDS"]) == ("a", "3000")
    assert (told["LECTERN_TEMPLATE_ENTRY_ID"], told["LECTERN_RECORDING_ID"]) == ("1_abc", "")
    assert (told["LECTERN_TAGS"], told["LECTERN_RESOURCE"], told["LECTERN_RESOURCE_ID"]) == ("x,y", "Hall", "7")
    assert told["LECTERN_START"] == "2027-01-13T09:00:00+00:00"


def test_no_command_is_told_what_would_be_a_setting() -> None:
    """A command may well call `lectern`."""
    settings = {PREFIX + name.upper() for name in Settings.model_fields} | {"LECTERN_URL", "LECTERN_KEY"}
    assert not settings & environment(A, {}).keys()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Sign in to the campus network</html>",
        b"[]",
        b"{}",
        b'{"occurrences": []}',
        b'{"occurrences": null, "resource": {}, "server_time": "2027-01-13T09:00:00Z"}',
        b'{"occurrences": [{"uid": "a"}], "resource": {}, "server_time": "2027-01-13T09:00:00Z"}',
        b'{"occurrences": [], "resource": {}, "server_time": "2027-01-13T09:00:00"}',
        json.dumps(
            {
                "occurrences": [{"uid": "a", "start": "2027-01-13T09:00:00Z", "end": "2027-01-13T08:00:00Z"}],
                "resource": {},
                "server_time": "2027-01-13T09:00:00Z",
            }
        ).encode(),
    ],
)
def test_whatever_is_no_whole_schedule_is_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_answer(body)


times = st.integers(0, 600).map(lambda minutes: DAY + timedelta(minutes=minutes))


@st.composite
def schedules(draw: st.DrawFn) -> list[Occurrence]:
    spans = draw(st.lists(st.tuples(times, st.integers(1, 90)), max_size=6))
    return [
        Occurrence(str(number), start, start + timedelta(minutes=length), {})
        for number, (start, length) in enumerate(spans)
    ]


@given(st.lists(schedules(), min_size=1, max_size=6), st.sampled_from([NONE, MINUTE]))
def test_whatever_becomes_of_the_schedule_what_runs_is_what_is_on(
    versions: list[list[Occurrence]], before: timedelta
) -> None:
    """Minute by minute, while the schedule changes: whoever is on runs, and nothing is started twice for one end."""
    running: dict[str, Occurrence] = {}
    done: dict[str, datetime] = {}
    started: list[tuple[str, datetime]] = []
    for minute in range(700):
        now = DAY + timedelta(minutes=minute)
        known = versions[min(minute // 100, len(versions) - 1)]
        for step in steps(known, running, done, now, before):
            match step:
                case Start():
                    running[step.occurrence.uid] = step.occurrence
                    started.append((step.occurrence.uid, step.occurrence.end))
                case Follow():
                    running[step.occurrence.uid] = step.occurrence
                case Stop():
                    del running[step.occurrence.uid]
                    done[step.occurrence.uid] = step.until
        on = {one.uid for one in known if one.start <= now < one.end and one.end > done.get(one.uid, DAY)}
        assert on <= running.keys()
        assert all(one.end > now for one in running.values())
    assert len(started) == len(set(started)) or len(versions) > 1
