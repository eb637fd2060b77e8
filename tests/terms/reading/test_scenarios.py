"""What the scenarios of tests/data/terms/scenarios say of a declaration by itself, before it is compared."""

import json
from datetime import date
from typing import Any

import pytest

from app.recordings.document.campus import Campus, CampusDay
from app.terms.meetings.document import document
from app.terms.meetings.frame import Frame, frame
from app.terms.meetings.rows import Meeting, Reading
from app.terms.meetings.sessions import sessions, skip_of
from app.terms.meetings.settings import TermSettings
from app.terms.reading.read import read
from tests.terms.samples import DATA, NOW

CALENDARS = Campus(
    {"campus": 1, "ostern": 1},
    (
        CampusDay("campus", date(2027, 1, 18), date(2027, 1, 18), "Martin Luther King"),
        CampusDay("campus", date(2027, 2, 15), date(2027, 2, 15), "Presidents"),
        CampusDay("campus", date(2027, 2, 16), date(2027, 2, 16), None, "MO"),
        CampusDay("campus", date(2027, 3, 15), date(2027, 3, 19), "Break"),
        CampusDay("campus", date(2027, 3, 26), date(2027, 3, 26), "Good Friday"),
        CampusDay("ostern", date(2027, 3, 26), date(2027, 3, 26), "Good Friday"),
        CampusDay("ostern", date(2027, 3, 29), date(2027, 3, 29), "Easter Monday"),
    ),
)


def scenario(name: str) -> dict[str, Any]:
    (found,) = (DATA / "scenarios").glob(f"{name}_*.json")
    content: dict[str, Any] = json.loads(found.read_text(encoding="utf-8"))
    return content


def within(said: dict[str, Any]) -> Frame:
    return frame(TermSettings.model_validate(said["term"]), "UTC", NOW)


def read_both(said: dict[str, Any], what: dict[str, Any]) -> Reading:
    """The declaration as JSON. As NDJSON it has to come to the same."""
    frame = within(said)
    whole = read([json.dumps(what).encode()], "json", frame)
    lines = [{name: value for name, value in what.items() if name != "sections"}, *what["sections"]]
    streamed = read(["\n".join(map(json.dumps, lines)).encode()], "ndjson", frame)
    assert [meeting.hash for meeting in streamed.meetings] == [meeting.hash for meeting in whole.meetings]
    assert streamed.sections == whole.sections
    return whole


def count(meeting: Meeting, said: dict[str, Any]) -> int:
    return len(sessions(meeting, within(said), CALENDARS).held)


def test_a_first_import_has_a_meeting_for_each_pattern() -> None:
    said = scenario("01")
    reading = read_both(said, said["input"])
    found = [(meeting.section, count(meeting, said)) for meeting in reading.meetings]
    assert found == [(item["section"], item["sessions"]) for item in said["expect"]["items"]]
    assert reading.head.complete
    assert all(meeting.hash for meeting in reading.meetings)


def test_of_a_group_one_meeting_is_read_and_whoever_is_cancelled_leaves_it() -> None:
    said = scenario("05")
    (before,) = read_both(said, {"sections": said["before"]}).meetings
    asked = document(before, within(said))
    assert before.sections == ("20005", "20006")
    assert (asked["owner"], asked["editors"], count(before, said)) == ("jdoe1", ["spatel3"], 29)
    cancelled, (after) = read_both(said, said["input"]).meetings
    assert (cancelled.section, cancelled.skip) == ("20005", "cancelled")
    assert (after.sections, after.title) == (("20006",), "AMST-101-01 Atlantic Worlds")
    asked = document(after, within(said))
    assert (asked["owner"], asked.get("editors", [])) == ("spatel3", [])


def test_holidays_and_make_up_days_move_sessions_and_the_clocks_do_not() -> None:
    said = scenario("07")
    meetings = read_both(said, said["input"]).meetings
    for meeting, item in zip(meetings, said["expect"]["items"], strict=True):
        found = sessions(meeting, within(said), CALENDARS)
        assert [f"{session.start:%Y-%m-%dT%H:%MZ}" for session in found.held] == item["starts"]
        assert [[str(day), name] for day, name in found.excluded] == item["excluded"]
        assert [str(day) for day in found.extra] == item["extra"]


@pytest.mark.parametrize("item", scenario("08")["expect"]["items"], ids=lambda item: str(item["section"]))
def test_weeks_are_read_as_people_write_them(item: dict[str, Any]) -> None:
    said = scenario("08")
    reading = read_both(said, said["input"])
    assert item["section"] in reading.sections
    rejected = {one.section: one.reason for one in reading.rejected}
    if item["kind"] == "rejected":
        assert rejected[item["section"]] == item["reason"]
        return
    meeting = next(one for one in reading.meetings if one.section == item["section"])
    found = sessions(meeting, within(said), CALENDARS)
    assert meeting.times is None or meeting.times.minutes == item.get("minutes", meeting.times.minutes)
    if item["kind"] == "skipped":
        assert (meeting.skip or skip_of(found, within(said))) == item["reason"]
    else:
        assert [f"{session.local:%Y-%m-%d}" for session in found.held] == item["dates"]


def test_who_opted_out_is_named() -> None:
    said = scenario("09")
    (meeting,) = read_both(said, said["input"]).meetings
    assert (meeting.skip, meeting.because, meeting.hash) == ("opted_out", "rkeller", "")


def test_what_cannot_be_read_is_rejected_at_its_place_and_its_section_is_present() -> None:
    said = scenario("11")
    reading = read_both(said, said["input"])
    (rejected,) = reading.rejected
    expected = said["expect"]["items"][0]
    assert (rejected.section, rejected.reason) == (expected["section"], expected["reason"])
    assert rejected.place.pointer == expected["pointer"]
    assert reading.sections == {"20001", "20002"}
    assert rejected.detail == "/days/0: 'MX' is not a day: write MO, TU, WE, TH, FR, SA, SU."
