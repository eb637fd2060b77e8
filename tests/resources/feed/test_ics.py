"""Calendars: read by the icalendar parser, and line by line as capture agents read them (pyCA, Galicaster)."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
import pytest
from httpx2 import Response

from app.database.types import utc_now
from app.resources.feed.ics import calendar
from app.resources.feed.memory import Memory
from app.resources.models import Booking, Occurrence
from tests.recordings.documents import SINGLE, example
from tests.resources.polls import book, refresh
from tests.sandbox.kaltura import weekly
from tests.service import Lectern, problem, utc

ROOM = "/resources/EXTRON-100-ABC/upcoming.ics"
TERM = {"from": "2027-01-13T00:00:00Z", "to": "2027-06-01T00:00:00Z"}
NOW = datetime(2027, 1, 13, 14, tzinfo=UTC)

LINE = re.compile(rb"[^\r\n]{1,75}\r\n")
TIMES = re.compile(rb"^(DTSTART|DTEND|DTSTAMP):\d{8}T\d{6}Z\r$", re.MULTILINE)


def read(answer: Response) -> list[Any]:
    """The events of a calendar that keeps all the rules."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    return checked(answer.content)


def checked(body: bytes) -> list[Any]:
    assert b"".join(LINE.findall(body)) == body, "CRLF, and 75 octets at most"
    body.decode()
    plain = body.replace(b"\r\n ", b"")
    for forbidden in (b"RRULE", b"EXDATE", b"TZID", b"VTIMEZONE", b"RECURRENCE-ID", b"URL"):
        assert not re.search(rb"^%b|;%b" % (forbidden, forbidden), plain, re.MULTILINE), forbidden
    events = icalendar.Calendar.from_ical(body).walk("VEVENT")
    assert len(TIMES.findall(plain)) == 3 * len(events)
    uids = [str(event["UID"]) for event in events]
    assert len(set(uids)) == len(uids)
    return list(events)


def term(service: Lectern, **headers: str) -> Response:
    return service.client.get(ROOM, params=TERM, headers=headers)


def of(service: Lectern, recording_id: str, **headers: str) -> Response:
    return service.client.get(f"/recordings/{recording_id}/calendar.ics", headers=headers)


# A room's


def test_it_has_what_the_json_has(service: Lectern) -> None:
    service.made()
    book(service, utc("2027-02-01T20:00:00Z"), **weekly(2), summary="Theirs", description="a\nb", tags="x,y")
    refresh(service)
    shown = service.get(ROOM.removesuffix(".ics"), **TERM)["occurrences"]
    events = read(term(service))
    assert len(events) == len(shown) == 38
    for event, each in zip(events, shown, strict=True):
        assert str(event["UID"]) == f"{each['uid']}@lectern"
        assert (event["DTSTART"].dt, event["DTEND"].dt) == (utc(each["start"]), utc(each["end"]))
        assert (str(event["SUMMARY"]), str(event["DESCRIPTION"])) == (each["title"], each["description"])
        assert event["CATEGORIES"].to_ical().decode() == ",".join(each["tags"])
        assert str(event["LOCATION"]) == (each["location"] or "EXTRON-100-ABC")
        assert event.get("CONTACT") == each["contact"]
        assert event["LAST-MODIFIED"].dt == event["DTSTAMP"].dt


def test_all_words_survive(service: Lectern) -> None:
    title = 'Räume; Zeiten, \\ und "mehr": ' + "äöü€" * 20
    description = "one,\ntwo;\n\n" + "ß" * 500 + "\n:END"
    service.made(SINGLE | {"title": title, "description": description, "tags": ["Ä, b".replace(",", ";"), "c d"]})
    (event,) = read(term(service))
    assert (str(event["SUMMARY"]), str(event["DESCRIPTION"])) == (title, description)
    assert event["CATEGORIES"].cats == ["Ä; b", "c d"]


def test_a_line_end_in_somebody_else_s_words_ends_no_line() -> None:
    booking = Booking(id="b", source="kaltura", title="a\r\nBEGIN:VEVENT\r\nb\rc\nd", time_zone="UTC", tags=["t\r\nu"])
    session = Occurrence(id="uid", booking_id="b", start=NOW, end=NOW + timedelta(hours=1))
    (event,) = checked(calendar("r\r\nX-EVIL:1", [(session, booking)], {}))
    assert "X" not in event
    assert "LOCATION" not in event


@pytest.mark.parametrize("odd", [*"\x00\x0b\x0c\x1c\x1d\x1e\x7f\x80\x85\u2028\u2029\ud800\uffff"], ids=ascii)
def test_what_some_readers_take_for_a_line_end_ends_no_line(odd: str) -> None:
    words = f"a{odd}BEGIN:VEVENT"
    booking = Booking(id="b", source="kaltura", title=words, description=words, time_zone="UTC", tags=[words])
    session = Occurrence(id="uid", resource_id=1, booking_id="b", start=NOW, end=NOW + timedelta(hours=1))
    made = calendar(words, [(session, booking)], {1: words})
    assert len(checked(made)) == 1
    assert made.decode().splitlines() == made.decode().split("\r\n")[:-1]
    assert odd not in made.decode()


def test_what_runs_is_there_and_what_is_over_or_cancelled_is_not(service: Lectern) -> None:
    now = utc_now()
    book(service, now - timedelta(minutes=20), summary="runs")
    book(service, now - timedelta(hours=2), summary="over")
    cancelled = book(service, now + timedelta(hours=2), summary="cancelled")
    service.kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=cancelled["id"])
    refresh(service)
    assert [str(event["SUMMARY"]) for event in read(service.client.get(ROOM))] == ["runs"]


def test_an_empty_schedule_is_an_empty_calendar(service: Lectern) -> None:
    assert read(service.client.get(ROOM)) == []


def test_the_same_schedule_is_the_same_bytes(service: Lectern) -> None:
    service.made()
    first = term(service)
    time.sleep(1.1)
    service.app.state.feed.memory = Memory()
    again = term(service)
    assert (again.content, again.headers["ETag"]) == (first.content, first.headers["ETag"])
    assert term(service, **{"If-None-Match": f"W/{first.headers['ETag']}"}).status_code == 304


def test_a_change_changes_the_bytes_and_the_stamp_and_no_uid(service: Lectern) -> None:
    series = book(service, utc("2027-02-01T20:00:00Z"), **weekly(2), summary="Theirs")
    refresh(service)
    first = term(service)
    time.sleep(1.1)
    service.kaltura.update(series["id"], summary="Renamed")
    refresh(service)
    changed = term(service, **{"If-None-Match": first.headers["ETag"]})
    before, after = read(first), read(changed)
    assert [str(event["UID"]) for event in after] == [str(event["UID"]) for event in before]
    assert all(now["DTSTAMP"].dt > then["DTSTAMP"].dt for now, then in zip(after, before, strict=True))


def test_the_window_is_the_feed_s(service: Lectern) -> None:
    service.made()
    assert read(service.client.get(ROOM)) == []
    assert len(read(service.client.get(ROOM, params=TERM | {"limit": "5"}))) == 5
    problem(service.client.get(ROOM, params={"limit": 1001}), 422, "invalid_document")


# A recording's


def test_a_recording_s_calendar_has_its_sessions(service: Lectern) -> None:
    recording = service.made()
    sessions = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    kept = [each for each in sessions if each["status"] == "scheduled"]
    answer = of(service, recording["id"])
    events = read(answer)
    assert [(str(event["UID"]), event["DTSTART"].dt) for event in events] == [
        (f"{each['id']}@lectern", utc(each["start"])) for each in kept
    ]
    assert {(str(event["SUMMARY"]), str(event["LOCATION"])) for event in events} == {
        ("MATH-123 Linear Algebra", "Room 702")
    }
    assert of(service, recording["id"], **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_recording_s_calendar_has_what_is_over(service: Lectern) -> None:
    start = (utc_now() - timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M:%S")
    recording = service.made_in_time(SINGLE | {"start": start})
    assert len(read(of(service, recording["id"]))) == 1


def test_a_recording_that_failed_has_an_empty_calendar(service: Lectern) -> None:
    service.fault("error", "schedule_scheduleEventResource", "add", code="INVALID_FIELD_VALUE")
    failed = problem(service.schedule(example()), 422, "refused_by_kaltura")["recording_id"]
    assert read(of(service, failed)) == []


@pytest.mark.parametrize("recording_id", ["rec_01kantf3wq5m2c7j8e9g0h1k3p", "%00"])
def test_an_unknown_recording_has_none(service: Lectern, recording_id: str) -> None:
    problem(of(service, recording_id), 404, "not_found")


def test_head_is_answered_too(service: Lectern) -> None:
    path = f"/recordings/{service.made()['id']}/calendar.ics"
    assert service.client.head(path).headers["ETag"] == service.client.get(path).headers["ETag"]


def test_its_place_is_the_recording_s_or_else_the_resource_s_and_where_it_was_put_by_hand(service: Lectern) -> None:
    recording = service.made(SINGLE | {"location": "Room 702"})
    places = [str(event["LOCATION"]) for event in read(of(service, recording["id"]))]
    (session,) = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    one = f"/recordings/{recording['id']}/occurrences/{session['id']}"
    assert service.client.patch(one, json={"resource": "EXTRON-200-DEF"}).status_code == 200
    places += [str(event["LOCATION"]) for event in read(of(service, recording["id"]))]
    assert service.client.patch(one, json={"resource": "EXTRON-100-ABC"}).status_code == 200
    assert service.client.patch(f"/recordings/{recording['id']}", json={"location": None}).status_code == 200
    places += [str(event["LOCATION"]) for event in read(of(service, recording["id"]))]
    assert places == ["Room 702", "EXTRON-200-DEF", "EXTRON-100-ABC"]


# Capture agents


def entries_as_pyca_reads_them(body: str) -> list[dict[str, Any]]:
    """As pyCA's parser does it: lines by CRLF, unfolded, each `KEY:value`, times by `%Y%m%dT%H%M%SZ`."""
    entries: list[dict[str, Any]] = []
    entry: dict[str, Any] = {}
    for line in body.replace("\r\n ", "").split("\r\n"):
        key, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            entry = {}
        elif line == "END:VEVENT":
            entries.append(entry)
        elif key in ("DTSTART", "DTEND", "DTSTAMP"):
            entry[key] = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        else:
            entry[key] = value
    return entries


def test_a_capture_agent_reads_it(service: Lectern) -> None:
    service.made()
    shown = service.get(ROOM.removesuffix(".ics"), **TERM)["occurrences"]
    read_by_agent = entries_as_pyca_reads_them(term(service).text)
    assert [(each["UID"], each["DTSTART"], each["DTEND"]) for each in read_by_agent] == [
        (f"{each['uid']}@lectern", utc(each["start"]), utc(each["end"])) for each in shown
    ]


@pytest.mark.parametrize(("session_at", "booking_at"), [(1, 3), (3, 1), (3, 3)])
def test_it_says_when_the_session_or_its_words_have_changed_last(session_at: int, booking_at: int) -> None:
    """By `DTSTAMP` a program knows whether what it has is older."""
    changed = [NOW + timedelta(days=days) for days in (session_at, booking_at)]
    booking = Booking(id="b", source="lectern", title="t", time_zone="UTC", tags=[], changed_at=changed[1])
    end = NOW + timedelta(hours=1)
    session = Occurrence(id="uid", booking_id="b", start=NOW, end=end, changed_at=changed[0])
    (event,) = checked(calendar("r", [(session, booking)], {}))
    assert event["DTSTAMP"].dt == NOW + timedelta(days=3)
