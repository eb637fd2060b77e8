"""The rule of what is in the way of what, and what that is called."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from app.resources.conflicts import MOST, Booked, Timeline, find_conflicts
from tests.recordings.documents import SINGLE
from tests.resources.mirrored import START
from tests.service import Lectern, found, problem


def booked(begins: float, ends: float, event_id: int = 1) -> Booked:
    """Something between two minutes after START."""
    first, last = (START + timedelta(minutes=minutes) for minutes in (begins, ends))
    return Booked(first, last, "theirs", "kaltura", None, event_id)


def wanted(*spans: tuple[float, float]) -> list[tuple[timedelta, timedelta]]:
    return [(timedelta(minutes=begins), timedelta(minutes=ends)) for begins, ends in spans]


def met(asked: Sequence[tuple[float, float]], *others: Booked) -> list[tuple[str, int]]:
    """When each session that meets something begins, and what it meets."""
    times = [(START + begins, START + ends) for begins, ends in wanted(*asked)]
    return [(pair["start"][11:16], pair["booked"]["event_id"]) for pair in find_conflicts(times, others)]


@pytest.mark.parametrize(
    ("other", "meets"),
    [
        ((-10, 0), False),
        ((-10, 1), True),
        ((59, 70), True),
        ((60, 70), False),
        ((10, 20), True),
        ((-10, 70), True),
        ((0, 60), True),
        ((-24 * 60, 1), True),
    ],
)
def test_what_overlaps_meets_and_what_is_back_to_back_does_not(other: tuple[float, float], meets: bool) -> None:
    assert met([(0, 60)], booked(*other)) == ([("14:00", 1)] if meets else [])


def test_a_session_of_a_day_and_an_hour_is_met_at_its_end() -> None:
    """The longest that there is: 24 hours in which the clocks are put back."""
    assert met([(0, 25 * 60)], booked(25 * 60 - 1, 25 * 60)) == [("14:00", 1)]


def test_they_are_told_by_the_start_of_what_was_wanted() -> None:
    asked = [(0, 30), (60, 90), (120, 150)]
    assert met(asked, booked(125, 130, 7), booked(65, 70, 8), booked(0, 70, 9)) == [
        ("14:00", 9),
        ("15:00", 9),
        ("15:00", 8),
        ("16:00", 7),
    ]


def test_of_too_many_the_first_are_told() -> None:
    asked = [(2 * number, 2 * number + 1) for number in range(MOST + 200)]
    others = [booked(begins, ends, number) for number, (begins, ends) in enumerate(asked)]
    found = met(asked, *reversed(others))
    assert [event_id for _, event_id in found] == list(range(MOST))


def test_each_session_that_meets_something_is_among_those_that_are_told() -> None:
    asked = [(10 * number, 10 * number + 5) for number in range(MOST - 300)]
    others = [booked(begins, ends, number) for number in range(3) for begins, ends in asked]
    found = met(asked, *others)
    assert len(found) == MOST
    assert [event_id for _, event_id in found] == [0, 1, 2] * 150 + [0] * (len(asked) - 150)


def test_whoever_asks_a_timeline_finds_what_still_lasts_by_its_start() -> None:
    def span(begins: float, ends: float) -> tuple[datetime, datetime]:
        return START + timedelta(minutes=begins), START + timedelta(minutes=ends)

    spans = {"short": (60, 70), "long": (0, 10_000), "back to back": (80, 90), "over": (-20, 75), "next": (88, 95)}
    timeline = Timeline((*span(*times), name) for name, times in spans.items())
    assert list(timeline.meeting(*span(75, 80))) == ["long"]
    assert list(timeline.meeting(*span(74, 89))) == ["over", "long", "back to back", "next"]
    assert list(timeline.meeting(*span(-30, -20))) == []


def test_what_is_told_of_many_conflicts_names_each_session(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview leaves out those that the document itself would."""
    monkeypatch.setattr("app.resources.conflicts.MOST", 4)
    days = {"frequency": "daily", "count": 3}
    for _ in range(2):
        service.made(SINGLE | {"recurrence": days, "on_conflict": "allow"})
    new = SINGLE | {"recurrence": days | {"count": 5}}
    told = [(pair["start"][:10]) for pair in problem(service.schedule(new), 409, "schedule_conflict")["conflicts"]]
    assert told == ["2027-01-13", "2027-01-13", "2027-01-14", "2027-01-15"]
    skipping = new | {"on_conflict": "skip"}
    shown = found(service.client.post("/recordings/preview", json=skipping))
    scheduled = [one["start"] for one in shown["occurrences"] if one["status"] == "scheduled"]
    made = service.made(skipping)
    items = service.get(f"/recordings/{made['id']}/occurrences")["items"]
    assert scheduled == [one["start"] for one in items if one["status"] == "scheduled"]
    assert [one["reason"] for one in shown["occurrences"]] == [one["reason"] for one in items]


def test_a_session_in_the_way_has_its_own_title(service: Lectern) -> None:
    path = f"/recordings/{service.made(SINGLE)['id']}/occurrences"
    (session,) = service.get(path)["items"]
    found(service.client.patch(f"{path}/{session['id']}", json={"title": "Guest"}))
    (pair,) = found(service.client.post("/recordings/preview", json=SINGLE | {"title": "Another"}))["conflicts"]
    assert pair["booked"]["title"] == "Guest"
