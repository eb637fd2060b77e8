"""What a document says is what Kaltura holds, to the second: plans of several events, and reading them back."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.recordings.scheduling import events
from app.resources.references import token_of
from app.sandbox.seed.seed import RESOURCE_ID
from tests.recordings.documents import SINGLE
from tests.service import NOTHING, Json, Lectern, epoch, found, problem

NEW_YORK = ZoneInfo("America/New_York")
EVENT = "schedule_scheduleEvent"
MARCH = SINGLE | {
    "title": "Nights",
    "start": "2027-03-01T02:30:00",
    "time_zone": NEW_YORK.key,
    "recurrence": {"frequency": "daily", "until": "2027-03-31"},
}
WEEKLY = SINGLE | {"recurrence": {"frequency": "weekly", "count": 3}}
WANTED = [
    ["2027-01-13T09:00:00Z", "2027-01-13T09:50:00Z"],
    ["2027-01-20T09:00:00Z", "2027-01-20T09:50:00Z"],
    ["2027-01-27T09:00:00Z", "2027-01-27T09:50:00Z"],
]


def rfc(without: frozenset[int] = frozenset()) -> list[int]:
    """02:30 in New York on each day of March; RFC 5545, 3.3.5: in a gap with the offset before it (fold=0)."""
    nights = [datetime(2027, 3, day, 2, 30, tzinfo=NEW_YORK) for day in range(1, 32) if day not in without]
    return [int(night.astimezone(UTC).timestamp()) for night in nights]


def sessions(service: Lectern, status: int = 2) -> list[int]:
    """The starts of what Kaltura would record, in order."""
    events = service.left()["events"]
    return sorted(one["startDate"] for one in events if one["recurrenceType"] != 1 and one["status"] == status)


def step(recording: Json, name: str) -> Json:
    (one,) = (one for one in recording["chain"]["steps"] if one["name"] == name)
    found: Json = one
    return found


# Plans of several events


def test_row_21_half_past_two_through_march_is_the_rfc_s_list_in_kaltura(service: Lectern) -> None:
    recording = service.made(MARCH)
    assert sessions(service) == rfc()
    assert datetime.fromtimestamp(rfc()[13], NEW_YORK).strftime("%d %H:%M") == "14 03:30"
    assert [(event["kind"], event["occurrences"]) for event in recording["kaltura"]["events"]] == [
        ("series", 13),
        ("single", 1),
        ("series", 17),
    ]
    shown = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    assert [epoch(one["start"]) for one in shown] == rfc()


def test_every_event_of_a_plan_is_linked_and_every_session_known_by_kaltura_s_id(service: Lectern) -> None:
    recording = service.made(MARCH)
    made = {event["id"] for event in recording["kaltura"]["events"]}
    links = service.left()["event_resources"]
    assert {(link["eventId"], link["resourceId"]) for link in links} == {(event, RESOURCE_ID) for event in made}
    theirs = {one["id"]: one["startDate"] for one in service.left()["events"] if one["recurrenceType"] != 1}
    shown = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    assert {one["event_id"]: epoch(one["start"]) for one in shown} == theirs
    listed = service.kaltura.events({"pageSize": 500}, resourceIdsLike=RESOURCE_ID, recurrenceTypeIn="0,2")
    assert {one["id"] for one in listed["objects"]} == theirs.keys()
    references = sorted(one["referenceId"] for one in service.left()["events"] if one["id"] in made)
    token = token_of(recording["chain"]["id"])
    assert references == [f"lectern-{recording['id']}-{number}-{token}" for number in (1, 2, 3)]


def test_excluded_days_are_cancelled_in_each_event_and_an_event_without_a_wanted_one_is_not_made(
    service: Lectern,
) -> None:
    excluded = frozenset({5, 14, 15, 16, 31})
    recording = service.made(
        MARCH | {"exclude": ["2027-03-05", {"from": "2027-03-14", "to": "2027-03-16"}, "2027-03-31"]}
    )
    assert [event["kind"] for event in recording["kaltura"]["events"]] == ["series", "series"]
    assert sessions(service) == rfc(without=excluded)
    assert sessions(service, status=1) == [start for start in rfc() if _day(start) in excluded - {14}]
    assert recording["occurrence_count"] == 26


def _day(start: int) -> int:
    return datetime.fromtimestamp(start, NEW_YORK).day


def test_three_years_are_several_series_without_a_gap_between_them(service: Lectern) -> None:
    recording = service.made(SINGLE | {"recurrence": {"frequency": "weekly", "until": "2030-01-09"}})
    assert [event["kind"] for event in recording["kaltura"]["events"]] == ["series", "series"]
    first = date(2027, 1, 13)
    weeks = (date(2030, 1, 9) - first).days // 7 + 1
    assert sessions(service) == [epoch(f"{first + timedelta(weeks=week)}T09:00:00Z") for week in range(weeks)]


@pytest.mark.parametrize("count", [30, 31, 500, 501, 700])
def test_occurrences_are_read_back_from_all_of_kaltura_s_pages(service: Lectern, count: int) -> None:
    recording = service.made(SINGLE | {"recurrence": {"frequency": "daily", "count": count}})
    assert len(sessions(service)) == count
    assert recording["occurrence_count"] == count


# Reading back


def test_fewer_occurrences_than_wanted_are_looked_at_again(service: Lectern) -> None:
    """An index that lags shows the entry and the events late, and then all of them."""
    service.sandbox.set_faults({"modes": {"index_lag": 1.5}})
    accepted = found(service.schedule(MARCH, prefer="wait=1"), 202)
    waiting = service.get(f"/recordings/{accepted['id']}")
    assert step(waiting, "occurrences")["status"] == "waiting"
    assert "Kaltura shows 0 of 13 occurrences" in step(waiting, "occurrences")["error"]["detail"]
    recording = service.until(accepted["id"], "scheduled")
    assert step(recording, "occurrences")["attempts"] == 2
    assert step(recording, "occurrences")["error"] is None
    assert sessions(service) == rfc()


def after(service: Lectern, change: Callable[[Json], Any], *, always: bool = True) -> None:
    """Somebody changes an event in Kaltura in the moment after it was made, each time or the first time."""

    def meddle(name: str, action: str, phase: str) -> None:
        if (name, action, phase) == (EVENT, "add", "after"):
            service.sandbox.watch = None
            change(next(one for one in service.sandbox.state()["events"] if one["recurrenceType"] != 2))
            service.sandbox.watch = meddle if always else None

    service.sandbox.watch = meddle


def rule(series: Json, weeks: int) -> Json:
    return {**series["recurrence"], "until": series["startDate"] + weeks * 7 * 86_400}


MOVED = ["2027-01-20T10:00:00Z", "2027-01-20T10:50:00Z"]
LATER = ["2027-02-03T09:00:00Z", "2027-02-03T09:50:00Z"]


def moved(service: Lectern, series: Json) -> None:
    child = service.kaltura.children(series)[1]["id"]
    service.kaltura.update(child, startDate=epoch(MOVED[0]), endDate=epoch(MOVED[1]))


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (moved, [WANTED[0], MOVED, WANTED[2]]),
        (lambda service, series: service.kaltura.update(series["id"], recurrence=rule(series, 3)), [*WANTED, LATER]),
        (lambda service, series: service.kaltura.update(series["id"], recurrence=rule(series, 1)), WANTED[:2]),
        (lambda service, series: service.kaltura(EVENT, "cancel", scheduleEventId=series["id"]), []),
    ],
)
def test_a_difference_that_stays_fails_with_both_lists_and_is_undone(
    service: Lectern,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Lectern, Json], object],
    got: list[list[str]],
) -> None:
    monkeypatch.setattr(events, "INDEX_LAG", 1.0)
    monkeypatch.setattr(events, "LOOKS", 1)
    after(service, lambda series: change(service, series))
    shown = problem(service.schedule(WEEKLY, prefer="wait=30"), 502, "schedule_differs")
    assert (shown["step"], shown["wanted"], shown["got"]) == ("occurrences", WANTED, got)
    recording = service.get(f"/recordings/{shown['recording_id']}")
    assert (recording["status"], recording["problem"]["code"]) == ("failed", "schedule_differs")
    assert step(recording, "events")["attempts"] == (1 if got not in (WANTED[:2], []) else 1 + events.ANEW)
    error = step(recording, "occurrences")["error"]
    assert (error["wanted"], error["got"]) == (WANTED, got)
    assert {one["name"] for one in recording["chain"]["steps"] if one["status"] == "undone"} == {
        "template_entry",
        "events",
    }
    assert service.left() == NOTHING


def test_an_event_that_is_deleted_meanwhile_is_a_difference_too(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "INDEX_LAG", 1.0)
    monkeypatch.setattr(events, "LOOKS", 1)
    after(service, lambda event: service.kaltura(EVENT, "delete", scheduleEventId=event["id"]))
    shown = problem(service.schedule(SINGLE, prefer="wait=30"), 502, "schedule_differs")
    assert (shown["wanted"], shown["got"]) == (WANTED[:1], [])
    assert service.left() == NOTHING


def test_a_document_without_a_zone_stays_one_and_in_the_zone_that_it_was_made_in(service: Lectern) -> None:
    """Whatever zone the service has by then."""
    document = SINGLE | {"reference_id": "zoneless"}
    made, state = service.made(document), service.app.state
    state.acceptance = replace(state.acceptance, default_zone="Asia/Tokyo")
    changed = found(service.client.patch(f"/recordings/{made['id']}", json={"title": "New"}))
    assert (changed["time_zone"], changed["first_start"]) == ("UTC", made["first_start"])
    path = "/recordings/by-reference/zoneless"
    assert service.client.put(path, json=document | {"title": "New"}).status_code == 204
    named = found(service.client.patch(f"/recordings/{made['id']}", json={"time_zone": "Europe/Zurich"}))
    assert (named["time_zone"], named["first_start"]) == ("Europe/Zurich", "2027-01-13T08:00:00Z")
    unnamed = found(service.client.patch(f"/recordings/{made['id']}", json={"time_zone": None}))
    assert (unnamed["time_zone"], unnamed["first_start"]) == ("Asia/Tokyo", "2027-01-13T00:00:00Z")
