"""What a change comes to, case by case: app/recordings/changing/difference.py."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.recordings.changing.difference import CANCELLED, EXCLUDED, SCHEDULED, aim_at_nothing, aim_at_one
from app.recurrence.server import STEADY
from tests.recordings.changing.occurrences import (
    FIRST_AHEAD,
    NOW,
    WEEKLY,
    ZONE,
    aimed,
    applied,
    as_rows,
    at,
    cancelled,
    days,
    moved,
    schedule,
    starts,
)
from tests.recurrence.support import generated

ROWS = as_rows(schedule())
AHEAD = [row.id for row in ROWS[FIRST_AHEAD:]]
LATER = {"start": "2027-01-11T10:30:00"}
NONE = frozenset[str]()


def test_the_same_document_changes_nothing() -> None:
    target = aimed(ROWS, schedule())
    assert (list(target.rows), target.dropped, target.left, target.made) == (ROWS[FIRST_AHEAD:], NONE, NONE, ())


# Time


def test_a_retime_moves_all_that_lies_ahead_into_one_new_series_and_keeps_their_ids() -> None:
    target = aimed(ROWS, schedule(**LATER))
    assert [row.id for row in target.rows] == AHEAD
    assert {f"{row.start.astimezone(ZONE):%H:%M}" for row in target.rows} == {"10:30"}
    assert target.left == set(AHEAD)
    assert [made.occurrences for made in target.made] == [tuple((one, True) for one in AHEAD)]


@pytest.mark.parametrize("same_resource", [True, False])
def test_what_has_begun_is_never_touched(same_resource: bool) -> None:
    running = at("2027-01-22T09:20:00")
    target = aimed(ROWS, schedule(**LATER, duration_minutes=10), now=running, same_resource=same_resource)
    begun = {row.id for row in ROWS[: FIRST_AHEAD + 1]}
    assert begun.isdisjoint({row.id for row in target.rows} | target.left | target.dropped)
    assert begun.isdisjoint(session for made in target.made for session, _ in made.occurrences)


def test_another_length_is_another_time() -> None:
    target = aimed(ROWS, schedule(duration_minutes=60))
    assert (target.left, len(target.made)) == (frozenset(AHEAD), 1)


def test_a_session_whose_new_time_has_passed_already_stays_as_it_was() -> None:
    """At 08:00 the lecture is put to 07:00: today's at 09:00 is recorded all the same."""
    morning = at("2027-01-22T08:00:00")
    target = aimed(ROWS, schedule(start="2027-01-11T07:00:00"), now=morning, same_resource=False)
    today = "occ_2027-01-22"
    assert today not in {row.id for row in target.rows} | target.left | target.dropped
    assert target.left == set(AHEAD) - {today}


def test_other_weekdays_are_other_sessions() -> None:
    target = aimed(ROWS, schedule(recurrence={**WEEKLY, "days": ["TU", "WE"]}))
    wednesdays = ["01-27", "02-03"]
    assert days(target.left) == days(target.dropped) == ["01-22", "01-25", "01-29", "02-01", "02-05"]
    kept = [row.id for row in target.rows if row in ROWS]
    assert days(frozenset(kept)) == wednesdays
    assert starts(target) == [
        ["01-26 09:00"],
        ["02-02 09:00"],
        ["02-09 09:00", "02-10 09:00", "02-16 09:00", "02-17 09:00"],
    ]


def test_a_longer_document_gets_a_series_for_what_it_gained() -> None:
    target = aimed(ROWS, schedule(recurrence={**WEEKLY, "count": 15}))
    assert (target.left, target.dropped) == (NONE, NONE)
    assert starts(target) == [["02-08 09:00", "02-10 09:00", "02-12 09:00"]]


def test_a_shorter_document_drops_what_it_lost() -> None:
    target = aimed(ROWS, schedule(recurrence={**WEEKLY, "count": 9}))
    assert days(target.dropped) == days(target.left) == ["02-01", "02-03", "02-05"]
    assert target.made == ()


def test_what_comes_back_after_it_was_dropped_is_scheduled() -> None:
    shorter = applied(ROWS, aimed(ROWS, schedule(recurrence={**WEEKLY, "count": 9})))
    target = aimed(shorter, schedule())
    assert {row.status for row in target.rows} == {SCHEDULED}
    assert starts(target) == [["02-01 09:00", "02-03 09:00", "02-05 09:00"]]


def test_a_document_without_a_recurrence_keeps_its_one_date() -> None:
    target = aimed(ROWS, schedule(start="2027-01-25T09:00:00", recurrence=None))
    assert [row.id for row in target.rows] == ["occ_2027-01-25"]
    assert (target.left, target.made) == (frozenset(AHEAD) - {"occ_2027-01-25"}, ())


def test_a_document_that_begins_earlier_makes_no_sessions_in_the_past() -> None:
    target = aimed(ROWS, schedule(start="2027-01-04T09:00:00", recurrence={**WEEKLY, "count": 15}))
    assert (target.left, target.dropped, target.made) == (NONE, NONE, ())


# Room


def test_another_room_takes_all_that_lies_ahead() -> None:
    target = aimed(ROWS, schedule(), same_resource=False)
    assert (target.left, [row.id for row in target.rows]) == (frozenset(AHEAD), AHEAD)
    assert [len(made.occurrences) for made in target.made] == [len(AHEAD)]


def test_a_moved_session_goes_to_the_new_room_at_its_own_time() -> None:
    rows = moved(ROWS, "2027-01-27", "2027-01-28T15:00:00", "2027-01-28T16:00:00")
    target = aimed(rows, schedule(), same_resource=False)
    assert target.left == set(AHEAD)
    series, alone = target.made
    assert ("occ_2027-01-27", True) not in series.occurrences
    assert (starts(target)[1], alone.occurrences) == (["01-28 15:00"], (("occ_2027-01-27", True),))


# What was done to single sessions stays done


def test_a_cancelled_session_stays_cancelled_and_the_series_goes_through_it() -> None:
    target = aimed(cancelled(ROWS, "2027-01-25"), schedule(**LATER))
    row = next(row for row in target.rows if row.id == "occ_2027-01-25")
    assert (row.status, f"{row.start.astimezone(ZONE):%H:%M}") == (CANCELLED, "10:30")
    assert row.id not in target.left
    (series,) = target.made
    assert (row.id, False) in series.occurrences
    assert len(series.occurrences) == len(AHEAD)


@pytest.mark.parametrize("change", [LATER, {"duration_minutes": 10}, {}], ids=["retimed", "shorter", "the same"])
def test_a_moved_session_stays_where_it_is(change: dict[str, Any]) -> None:
    rows = moved(ROWS, "2027-01-27", "2027-01-28T15:00:00", "2027-01-28T16:00:00")
    target = aimed(rows, schedule(**change))
    mine = next(row for row in rows if row.moved)
    assert mine in target.rows
    assert mine.id not in target.left | {session for made in target.made for session, _ in made.occurrences}
    assert len(target.made) == (1 if change else 0)


def test_a_session_moved_ahead_from_a_date_that_is_past_stays_too() -> None:
    rows = moved(ROWS, "2027-01-20", "2027-01-28T15:00:00", "2027-01-28T16:00:00")
    target = aimed(rows, schedule(), same_resource=False)
    assert "occ_2027-01-20" in target.left
    assert starts(target)[-1] == ["01-28 15:00"]
    assert next(row for row in target.rows if row.id == "occ_2027-01-20").moved


def test_a_session_moved_into_the_past_s_place_is_not_made_again() -> None:
    """Moved from the 27th to the 20th, where it is over: its own date is free, and stays so."""
    rows = moved(ROWS, "2027-01-27", "2027-01-20T11:00:00", "2027-01-20T11:30:00")
    target = aimed(rows, schedule(**LATER))
    assert "occ_2027-01-27" not in {row.id for row in target.rows} | target.left
    assert "01-27 10:30" not in starts(target)[0]


def test_a_moved_and_cancelled_session_stays_both() -> None:
    rows = cancelled(moved(ROWS, "2027-01-27", "2027-01-28T15:00:00", "2027-01-28T16:00:00"), "2027-01-27")
    target = aimed(rows, schedule(**LATER), same_resource=False)
    row = next(row for row in target.rows if row.id == "occ_2027-01-27")
    assert (row.status, row.moved, row.start) == (CANCELLED, True, at("2027-01-28T15:00:00"))
    assert row.id not in {session for made in target.made for session, stays in made.occurrences if stays}


# Exclusions

HOLIDAY = {"exclude": ["2027-01-27"]}


def test_an_excluded_date_leaves_its_event() -> None:
    target = aimed(ROWS, schedule(**HOLIDAY))
    assert (days(target.left), target.made, target.dropped) == (["01-27"], (), NONE)
    assert [row.id for row in target.rows if row.status == EXCLUDED] == ["occ_2027-01-27"]


def test_a_date_that_is_excluded_no_more_gets_an_event_of_its_own_and_keeps_its_id() -> None:
    target = aimed(as_rows(schedule(**HOLIDAY)), schedule())
    assert (target.left, starts(target)) == (NONE, [["01-27 09:00"]])
    assert target.made[0].occurrences == (("occ_2027-01-27", True),)


def test_dates_next_to_each_other_share_an_event() -> None:
    week = {"exclude": [{"from": "2027-01-25", "to": "2027-01-29"}, "2027-02-05"]}
    target = aimed(as_rows(schedule(**week)), schedule())
    assert starts(target) == [["01-25 09:00", "01-27 09:00", "01-29 09:00"], ["02-05 09:00"]]


def test_an_exclusion_survives_a_retime() -> None:
    target = aimed(as_rows(schedule(**HOLIDAY)), schedule(**HOLIDAY, **LATER))
    assert "01-27 10:30" not in starts(target)[0]
    assert len(target.made) == 1


def test_an_exclusion_at_an_end_of_what_is_made_is_left_out() -> None:
    ends = {"exclude": ["2027-01-22", "2027-02-05"]}
    (series,) = aimed(as_rows(schedule(**ends)), schedule(**ends, **LATER)).made
    assert all(stays for _, stays in (series.occurrences[0], series.occurrences[-1]))


def test_a_cancelled_session_stays_cancelled_while_its_date_is_excluded_and_afterwards() -> None:
    rows = cancelled(ROWS, "2027-01-27")
    excluded = applied(rows, aimed(rows, schedule(**HOLIDAY)))
    target = aimed(excluded, schedule())
    assert (target.made, [row.status for row in target.rows if row.id == "occ_2027-01-27"]) == ((), [CANCELLED])


# Clock changes


@pytest.mark.parametrize(
    ("start", "day", "instant"),
    [
        ("2027-03-12T02:30:00", "03-14", "2027-03-14T07:30:00Z"),  # the clocks skip it
        ("2027-11-05T01:30:00", "11-07", "2027-11-07T05:30:00Z"),  # they repeat it: the first
    ],
)
def test_a_session_at_a_clock_change_is_made_as_a_series_too(start: str, day: str, instant: str) -> None:
    """A single event would be refused beside the one that it replaces: Kaltura checks those of one template."""
    daily = schedule(start=start, recurrence={"frequency": "daily", "count": 4})
    made = aimed(as_rows(daily), daily, same_resource=False).made
    assert {one.planned.kind for one in made} == {"series"}
    alone = next(one for one in made if one.occurrences == ((f"occ_2027-{day}", True),))
    assert alone.planned.start.isoformat() == instant.replace("Z", "+00:00")
    for one in made:
        expected = [(int(seen.start.timestamp()), int(seen.end.timestamp())) for seen in one.planned.occurrences]
        assert generated(one.planned) == expected


# One session, and all of them


def test_a_moved_session_leaves_its_event_and_gets_a_series_of_one() -> None:
    row = ROWS[7]
    wanted = replace(row, start=row.start + timedelta(days=40), end=row.end + timedelta(days=40), moved=True)
    target = aim_at_one(row, wanted, ZONE, STEADY)
    assert (target.rows, target.left, target.dropped) == ((wanted,), frozenset({row.id}), NONE)
    (made,) = target.made
    assert (made.planned.kind, made.occurrences, len(made.planned.occurrences)) == ("series", ((row.id, True),), 1)


@pytest.mark.parametrize(
    ("before", "after", "leaves", "makes"),
    [
        (SCHEDULED, CANCELLED, True, 0),
        (CANCELLED, SCHEDULED, False, 1),
        (EXCLUDED, SCHEDULED, False, 1),
        (EXCLUDED, CANCELLED, False, 0),
    ],
)
def test_a_session_that_is_cancelled_or_restored(before: str, after: str, leaves: bool, makes: int) -> None:
    row = replace(ROWS[7], status=before)
    target = aim_at_one(row, replace(row, status=after), ZONE, STEADY)
    assert (len(target.left), len(target.made)) == (leaves, makes)


def test_the_end_of_a_recording_cancels_what_lies_ahead() -> None:
    rows = as_rows(schedule(**HOLIDAY))
    target = aim_at_nothing(cancelled(rows, "2027-02-05"), NOW)
    assert {row.status for row in target.rows} == {CANCELLED}
    assert days(target.left) == ["01-22", "01-25", "01-29", "02-01", "02-03"]
    assert (target.made, target.dropped) == ((), NONE)
    assert "occ_2027-01-27" not in {row.id for row in target.rows}  # it was excluded, and is no more than that
