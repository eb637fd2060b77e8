"""Rows of CSV files: ours, and those of profiles, beyond what the samples have."""

from typing import Any

import pytest

from app.recordings.document.categories import no_category
from app.terms.meetings.document import document
from app.terms.meetings.frame import Frame, frame
from app.terms.meetings.rows import Meeting, Reading
from app.terms.meetings.sessions import sessions
from app.terms.meetings.settings import TermSettings
from app.terms.reading.read import categories, read, reject_unknown_categories
from tests.terms.samples import CALENDARS, KALTURA, NOW, SPRING, ZURICH

COLUMNS = (
    "section,meeting,status,title,type,group,record,instructors,days,start,end,from,to,date,weeks,room,description,"
    "categories,tags,calendars"
)
ROW = {"title": "One", "type": "LEC", "days": "MO", "start": "09:00", "end": "09:50", "room": "SCI 101"}


def within(**changes: Any) -> Frame:
    return frame(TermSettings.model_validate(SPRING | changes), "UTC", NOW)


def rows(*said: dict[str, str], **changes: Any) -> Reading:
    """Rows of our own format, each with what it says beside `ROW`."""
    names = COLUMNS.split(",")
    lines = [COLUMNS, *(",".join(f'"{(ROW | row).get(name, "")}"' for name in names) for row in said)]
    return read(["\n".join(lines).encode() + b"\n"], "csv", within(**changes))


def only(reading: Reading) -> Meeting:
    (meeting,) = reading.meetings
    return meeting


def why(reading: Reading) -> tuple[str, str]:
    (rejected,) = reading.rejected
    return rejected.reason, rejected.place.pointer


def codes(meeting: Meeting) -> list[str]:
    return [note.code for note in meeting.notes]


def days(meeting: Meeting) -> list[str]:
    return [f"{session.local:%m-%d}" for session in sessions(meeting, within(), CALENDARS).held]


# --- one meeting of several rows -----------------------------------------------------------------------------


def test_a_row_for_each_date_is_folded_into_one_meeting() -> None:
    dates = ["2027-02-03", "2027-01-20", "2027-01-27", "2027-02-04"]
    reading = rows(*({"section": "1", "days": "", "date": date} for date in dates))
    meeting = only(reading)
    assert document(meeting, within())["recurrence"] == {"dates": sorted(dates)}
    assert document(meeting, within())["start"] == "2027-01-20T09:00:00"
    assert ([place.line for place in meeting.places], reading.rows) == ([2, 3, 4, 5], 4)
    assert "duplicate_row" not in codes(meeting)


@pytest.mark.parametrize("row", [{"section": "1"}, {"section": "1", "days": "", "date": "2027-01-20"}])
def test_a_row_that_stands_there_twice_counts_once_and_is_told(row: dict[str, str]) -> None:
    meeting = only(rows(row, row, row))
    assert [place.line for place in meeting.places] == [2, 3, 4]
    assert codes(meeting).count("duplicate_row") == 1


def test_a_day_beside_a_date_has_to_agree() -> None:
    assert days(only(rows({"section": "1", "days": "WE", "date": "2027-01-20"}))) == ["01-20"]
    assert why(rows({"section": "1", "days": "MO", "date": "2027-01-20"})) == ("date_differs", "/days")


def test_other_dates_other_times_and_other_rooms_are_other_meetings() -> None:
    said = [{"date": "2027-01-20"}, {"date": "2027-01-21", "start": "08:30"}, {"date": "2027-01-22", "room": "SCI 210"}]
    reading = rows(*({"section": "1", "days": ""} | one for one in said))
    assert [days(meeting) for meeting in reading.meetings] == [["01-20"], ["01-21"], ["01-22"]]


def test_all_instructors_are_kept_and_the_first_owns() -> None:
    reading = rows({"section": "1", "instructors": "a|b"}, {"section": "1", "instructors": "c"})
    said = document(only(reading), within())
    assert (said["owner"], said["editors"]) == ("a", ["b", "c"])


def test_the_primary_instructor_owns_wherever_its_row_stands() -> None:
    header = "CRN,TITLE,SCHD,DAYS,BEGIN_TIME,END_TIME,START_DATE,END_DATE,BLDG,ROOM,INSTR_ID,INSTR_PRIMARY"
    row = "1,One,LEC,M,0900,0950,11-JAN-27,30-APR-27,SCI,101"
    body = f"{header}\n{row},second,N\n{row},first,Y\n".encode()
    meeting = only(read([body], "csv", within(), profile="banner"))
    assert (meeting.instructors, meeting.title) == (["first", "second"], "One")


# --- sharing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "groups", "shared"),
    [
        ("same_slot", ("", ""), True),
        ("same_slot", ("A", "B"), True),
        ("group", ("", ""), False),
        ("group", ("A", "B"), False),
        ("group", ("A", "A"), True),
        ("none", ("A", "A"), False),
    ],
)
def test_who_shares_a_recording_is_the_terms_to_say(mode: str, groups: tuple[str, str], shared: bool) -> None:
    said = [{"section": str(number), "group": group} for number, group in enumerate(groups)]
    reading = rows(*said, cross_listing=mode)
    assert [meeting.sections for meeting in reading.meetings] == ([("0", "1")] if shared else [("0",), ("1",)])


def test_what_is_shared_has_the_categories_tags_and_people_of_all() -> None:
    reading = rows(
        {"section": "1", "group": "A", "categories": "7|a>b", "tags": "history", "instructors": "a"},
        {"section": "2", "group": "A", "categories": "8", "tags": "history|americas", "instructors": "b"},
        defaults={"categories": [9], "tags": ["spring"], "editors": ["av"]},
    )
    said = document(only(reading), within(defaults={"categories": [9], "tags": ["spring"], "editors": ["av"]}))
    assert said["categories"] == [7, "a>b", 8, 9]
    assert said["tags"] == ["history", "americas", "spring"]
    assert (said["owner"], said["editors"]) == ("a", ["b", "av"])
    assert categories(reading) == {7, 8, "a>b"}


@pytest.mark.parametrize(("policy", "skip"), [("any", "opted_out"), ("all", None)])
def test_one_of_two_who_share_has_opted_out(policy: str, skip: str | None) -> None:
    said = [{"section": "1", "instructors": "jdoe1"}, {"section": "2", "instructors": "RKeller"}]
    assert only(rows(*said, opt_out_policy=policy)).skip == skip


def test_a_section_that_opted_out_leaves_the_others() -> None:
    out = {"opt_outs": {"sections": ["1"]}}
    reading = rows({"section": "1", "group": "A"}, {"section": "2", "group": "A"}, **out)
    assert [(meeting.sections, meeting.skip) for meeting in reading.meetings] == [(("1",), "opted_out"), (("2",), None)]


# --- rooms ---------------------------------------------------------------------------------------------------


def test_two_rooms_in_a_cell_are_two_recordings() -> None:
    reading = rows({"section": "1", "room": "SCI 101; hum  12"})
    assert [meeting.resource for meeting in reading.meetings] == ["EXTRON-SCI-101", "PEARL-HUM-012"]
    assert {note.code for meeting in reading.meetings for note in meeting.notes} >= {"parallel_meetings"}


def test_of_two_rooms_the_one_without_a_camera_is_left_out() -> None:
    assert only(rows({"section": "1", "room": "ENG 404, SCI 101"})).resource == "EXTRON-SCI-101"
    assert why(rows({"section": "1", "room": "SCI 101, SCI 999"})) == ("unknown_room", "/room")


def test_without_a_map_rooms_are_system_names() -> None:
    assert only(rows({"section": "1", "room": "EXTRON-9"}, rooms={})).resource == "EXTRON-9"


# --- what is not recorded, and what cannot be read -----------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "skip"),
    [
        ({"status": "Cancelled", "days": "nonsense"}, "cancelled"),
        ({"record": "no"}, "not_to_record"),
        ({"type": "SEM", "record": "yes"}, None),
        ({"type": "SEM"}, "type_not_recorded"),
        ({"type": "lec"}, None),
        ({"room": "ENG 404", "days": "nonsense"}, "room_not_recorded"),
        ({"room": "TBA"}, "no_room"),
        ({"days": "TBA", "room": "NOWHERE 1"}, "no_time"),
        ({"from": "2027-05-03", "to": "2027-05-07"}, "no_sessions_left"),
        ({"from": "2026-05-03", "to": "2026-05-07"}, "past"),
    ],
)
def test_what_is_readable_may_still_not_be_recorded(said: dict[str, str], skip: str | None) -> None:
    assert only(rows({"section": "1"} | said)).skip == skip


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"status": "maybe"}, "status_unreadable"),
        ({"record": "perhaps"}, "record_unreadable"),
        ({"title": ""}, "no_title"),
        ({"title": "x" * 257}, "invalid_document"),
        ({"section": "x" * 101}, "no_key"),
        ({"meeting": "x" * 101}, "invalid_document"),
        ({"end": ""}, "no_duration"),
        ({"start": "24:00"}, "time_unreadable"),
        ({"weeks": "1.1111E+13"}, "weeks_unreadable"),
        ({"from": "46398"}, "date_unreadable"),
        ({"tags": "x"}, "invalid_document"),
        ({"categories": "a>>b"}, "invalid_document"),
        ({"calendars": "No Such Name"}, "invalid_document"),
    ],
)
def test_what_cannot_be_read_has_a_reason_and_says_how_to_mend_it(said: dict[str, str], reason: str) -> None:
    reading = rows({"section": "1"} | said)
    assert why(reading)[0] == reason
    assert reading.rejected[0].detail.endswith(".")
    assert reading.sections == (frozenset() if reason == "no_key" else {"1"})


def test_a_category_that_kaltura_has_not_is_named_as_a_recording_s_would_be() -> None:
    reading = rows({"section": "1", "categories": "Mathematics|Canvas>nowhere"})
    reject_unknown_categories(reading, {"Canvas>nowhere"})
    assert (reading.meetings, why(reading)[0]) == ([], "unknown_category")
    assert reading.rejected[0].detail.startswith(no_category("Canvas>nowhere"))


def test_weeks_without_a_first_week_are_rejected() -> None:
    assert why(rows({"section": "1", "weeks": "1-3"}, week_1=None)) == ("no_week_1", "/weeks")


def test_a_row_with_a_quotation_mark_too_many_is_rejected_and_the_next_is_read() -> None:
    body = f'{COLUMNS}\n1,,,"One" more,LEC\n2,,,Two,LEC,,,,MO,09:00,09:50,,,,,SCI 101,,,,\n'.encode()
    reading = read([body], "csv", within())
    assert [(one.reason, one.place.line) for one in reading.rejected] == [("cells", 2)]
    assert only(reading).section == "2"


def test_a_number_that_a_spreadsheet_was_told_to_keep_is_read() -> None:
    body = f'{COLUMNS}\n"=""0012""",,,One,LEC,,,,MO,"=""0900""",0950,,,,,SCI 101,,,,\n'.encode()
    assert only(read([body], "csv", within())).section == "0012"


# --- calendars -----------------------------------------------------------------------------------------------


def test_a_section_may_follow_no_calendar() -> None:
    holiday = {"section": "1", "days": "", "date": "2027-02-15"}
    assert days(only(rows(holiday))) == []
    assert days(only(rows(holiday | {"calendars": "none"}))) == ["02-15"]


def test_a_kaltura_row_may_follow_no_calendar() -> None:
    header = "*action,eventType,title,resource,startTime,duration,eventOrganizerId,contentOwnerId,calendars"
    row = "1,1,On the holiday,EXTRON-MUS-001,2027-02-15T18:00:00,5400,registrar,lecturer1"
    reading = read([f"{header}\n{row},none\n{row},\n".encode()], "csv", KALTURA.frame, profile="kaltura")
    assert [days(meeting) for meeting in reading.meetings] == [["02-15"], []]


def test_a_make_up_day_after_the_last_session_is_held() -> None:
    """The term's last Tuesday meets as a Monday."""
    meeting = only(rows({"section": "1", "from": "2027-02-01", "to": "2027-02-16"}))
    assert days(meeting) == ["02-01", "02-08", "02-16"]


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ({"days": "TU", "weeks": "6"}, []),
        ({"days": "TU", "from": "2027-02-15", "to": "2027-02-19"}, []),
        ({"days": "MO", "weeks": "6"}, ["02-16"]),
        ({"days": "MO", "from": "2027-02-15", "to": "2027-02-19"}, ["02-16"]),
        ({"days": "MO TU", "weeks": "6"}, ["02-16"]),
        ({"days": "WE", "weeks": "6"}, ["02-17"]),
        ({"days": "", "date": "2027-02-16"}, ["02-16"]),
        ({"days": "TU", "from": "2027-02-16", "to": "2027-02-16"}, ["02-16"]),
    ],
    ids=str,
)
def test_a_weekly_meeting_that_has_one_date_follows_make_up_days_and_a_date_does_not(
    said: dict[str, str], held: list[str]
) -> None:
    """Monday the 15th of February is closed, Tuesday the 16th meets as a Monday."""
    assert days(only(rows({"section": "1", **said}))) == held


def test_rows_of_a_week_each_are_one_meeting_and_other_spellings_of_one_date_are_one_slot() -> None:
    meeting = only(rows(*({"section": "1", "days": "TU", "weeks": week} for week in ("3", "6", "8"))))
    assert days(meeting) == ["01-26", "02-16", "03-02"]
    shared = only(
        rows(
            {"section": "1", "days": "WE", "weeks": "6"},
            {"section": "2", "days": "WE", "from": "2027-02-15", "to": "2027-02-19"},
            {"section": "3", "days": "", "date": "2027-02-17"},
        )
    )
    assert shared.sections == ("1", "2", "3")


# --- profiles ------------------------------------------------------------------------------------------------

OWN_PROFILE = {
    "columns": {
        "section": "Class Nbr",
        "title": "{Subject} {Catalog}",
        "days": "Pattern",
        "start": "Mtg Start",
        "end": "Mtg End",
        "from": "Start Date",
        "to": "End Date",
        "room": "Facility",
        "instructors": "ID",
        "status": "Stat",
    },
    "dates": "DD.MM.YYYY",
    "days": {"M": "MO", "T": "TU", "TH": "TH", "SA": "SA"},
    "cancelled": ["X"],
    "empty": ["ARR"],
}


def test_a_profile_of_ones_own_reads_its_columns_dates_and_days() -> None:
    header = "Class Nbr\tSubject\tCatalog\tPattern\tMtg Start\tMtg End\tStart Date\tEnd Date\tFacility\tID\tStat\n"
    body = (
        header
        + "1\tMATH\t1\tMTTH\t9:00 am\t1:15 PM\t11.01.2027\t30.4.2027\tSCI 101\tx\tA\n"
        + "2\tMATH\t2\tM\t9:00\t9:50\t2027-01-11\t2027-01-12\tarr\tx\tA\n"
        + "3\tMATH\t3\tM\t9:00\t9:50\t01/11/2027\t2027-01-12\tSCI 101\tx\tA\n"
        + "4\tMATH\t4\tM\t9:00\t9:50\t2027-01-11\t2027-01-12\tSCI 101\tx\tX\n"
    ).encode()
    reading = read([body], "csv", within(profiles={"sis": OWN_PROFILE}, record_types=[]), profile="sis")
    first, second, fourth = reading.meetings
    assert first.times is not None
    assert (first.title, first.times.key) == ("MATH 1", "MOTUTH 09:00 255")
    assert (second.skip, fourth.skip) == ("no_room", "cancelled")
    assert [one.reason for one in reading.rejected] == ["date_unreadable"]
    assert "this profile says DD.MM.YYYY" in reading.rejected[0].detail


def test_activities_that_name_each_other_are_a_group() -> None:
    header = "Activity Name;Host Key;Activity Type;Day;Start;End;Location;Jointly With\n"
    times = "Lecture;Monday;09:00;11:00;ML E 12"
    zurich = frame(TermSettings.model_validate(ZURICH), "UTC", NOW)
    for others in (("B/1", "A/1"), ("#2", "#1")):
        body = f"{header}A/1;#1;{times};{others[0]}\nB/1;#2;{times};{others[1]}\n".encode()
        meeting = only(read([body], "csv", zurich, profile="syllabus-plus"))
        assert meeting.sections == ("#1", "#2")
        assert "same_slot" not in {note.code for note in meeting.notes}


def test_the_term_s_code_is_what_most_rows_say_unless_the_term_says_it() -> None:
    header = "TERM_CODE,CRN,TITLE,SCHD,DAYS,BEGIN_TIME,END_TIME,BLDG,ROOM\n"
    body = (
        header + "".join(f"{code},{number},T,LEC,M,0900,0950,SCI,101\n" for number, code in enumerate("112"))
    ).encode()
    for settings, wrong in (({}, ["2"]), ({"term_code": "2"}, ["0", "1"])):
        reading = read([body], "csv", within(**settings), profile="banner")
        assert [one.section for one in reading.rejected if one.reason == "other_term"] == wrong
