"""Dates, inclusions and lines of RFC 5545 in documents: what they come to, what is said of it, and made once."""

from typing import Any

import pytest

from app.recordings.document.document import DATES, RecordingDocument, Schedule
from app.recordings.document.equality import canonical
from app.recordings.document.summary import summary
from app.recurrence.occurrences import Exclusion, occurrences
from tests.recordings.documents import SERVICE_ZONE, SINGLE, example, read
from tests.service import Json, Lectern, found, problem

WEEKLY = {"frequency": "weekly", "days": ["MO", "WE"], "count": 4}  # 13, 18, 20 and 25 January
LINES = "RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=4"


def document(**changes: Any) -> Json:
    return SINGLE | {"time_zone": "America/New_York", "recurrence": WEEKLY} | changes


def held(**changes: Any) -> str:
    """The days, with the time where it is not nine."""
    return " ".join(f"{one.local:%m%d-%H:%M}".replace("-09:00", "") for one in read(document(**changes)).wanted)


@pytest.mark.parametrize(
    ("changes", "sessions"),
    [
        ({"recurrence": {"dates": ["2027-02-01", "2027-01-13"]}}, "0113 0201"),
        ({"recurrence": None, "include": ["2027-01-14"]}, "0113 0114"),
        ({"recurrence": None, "include": [{"date": "2027-01-13", "start": "14:00"}]}, "0113-14:00"),
        ({"include": ["2027-01-14", "2027-01-18"]}, "0113 0114 0118 0120 0125"),
        ({"exclude": ["2027-01-18", "2027-01-20"], "include": ["2027-01-20"]}, "0113 0120 0125"),
        ({"include": [{"date": "2027-01-20", "start": "14:00:30"}]}, "0113 0118 0120-14:00 0125"),
        ({"recurrence": f"{LINES}\nRDATE:20270114\nEXDATE:20270118"}, "0113 0114 0120 0125"),
        ({"recurrence": "FREQ=YEARLY;BYMONTH=2,3;BYDAY=1MO;COUNT=2"}, "0201 0301"),
    ],
)
def test_what_a_document_comes_to(changes: Json, sessions: str) -> None:
    assert held(**changes) == sessions


def test_an_extra_session_has_its_own_length_or_the_usual_one() -> None:
    include = [{"date": "2027-01-14", "duration_minutes": 30}, {"date": "2027-01-15", "start": "11:00"}]
    minutes = [(one.end - one.start).total_seconds() / 60 for one in read(document(include=include)).wanted]
    assert minutes == [50, 30, 50, 50, 50, 50]


def test_what_is_kept_of_a_document_is_read_as_the_same() -> None:
    for each in (DATES, document(include=[{"date": "2027-01-14", "start": "14:00", "duration_minutes": 30}])):
        kept = RecordingDocument.model_validate(each).model_dump(mode="json", exclude_unset=True)
        assert kept["include"] == each["include"]
        assert read(kept) == read(each)


# Made once

SAME = [
    ({"recurrence": {"dates": ["2027-01-13", "2027-01-20"]}}, {"recurrence": {"dates": ["2027-01-20", "2027-01-13"]}}),
    ({"recurrence": None}, {"recurrence": {"dates": ["2027-01-13"]}}),
    ({"recurrence": {"dates": ["2027-01-13", "2028-01-13"]}}, {"recurrence": "FREQ=YEARLY;COUNT=2"}),
    ({}, {"recurrence": LINES}),
    ({"exclude": ["2027-01-18"]}, {"recurrence": f"{LINES}\nEXDATE:20270118T140000Z"}),
    ({"include": ["2027-01-14", "2027-01-15"]}, {"recurrence": f"{LINES}\nRDATE:20270115,20270114"}),
    (
        {"include": ["2027-01-14", {"date": "2027-01-15", "start": "14:00"}]},
        {"include": [{"date": "2027-01-15", "start": "14:00:00"}, {"date": "2027-01-14", "duration_minutes": 50}]},
    ),
]
OTHERS = [
    ({}, {"include": ["2027-01-14"]}),
    ({"include": ["2027-01-14"]}, {"include": ["2027-01-15"]}),
    ({"include": ["2027-01-14"]}, {"include": [{"date": "2027-01-14", "start": "10:00"}]}),
    ({"include": ["2027-01-14"]}, {"include": [{"date": "2027-01-14", "duration_minutes": 51}]}),
    ({"recurrence": {"dates": ["2027-01-13"]}}, {"recurrence": {"dates": ["2027-01-13", "2027-01-14"]}}),
    ({"recurrence": {"dates": ["2027-01-13", "2027-01-15"]}}, {"recurrence": {"dates": ["2027-01-13", "2027-01-14"]}}),
]


def spelt(changes: Json) -> Json:
    said = RecordingDocument.model_validate(document(**changes))
    return canonical(said, said.schedule(SERVICE_ZONE))


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_sessions_in_other_words_are_the_same_document(one: Json, other: Json) -> None:
    assert spelt(one) == spelt(other)


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_other_sessions_are_another_document(one: Json, other: Json) -> None:
    assert spelt(one) != spelt(other)


def test_a_document_that_includes_nothing_is_spelt_as_before_there_were_inclusions() -> None:
    """A fingerprint that an Idempotency-Key kept has to fit for ever."""
    assert "include" not in spelt({})
    assert spelt({"include": []}) == spelt({})


# What is said of it


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"recurrence": None}, "1 session"),
        ({}, "4 weekly sessions"),
        ({"recurrence": {"frequency": "daily", "count": 1}}, "1 daily session"),
        ({"recurrence": {"frequency": "weekly", "interval": 2, "count": 4}}, "4 sessions every 2 weeks"),
        ({"recurrence": {"dates": ["2027-01-13", "2027-01-14"]}}, "2 sessions on given dates"),
        ({"exclude": ["2027-01-18", "2027-01-20"]}, "4 weekly sessions, 2 left out by exclude"),
        ({"include": ["2027-05-10"]}, "4 weekly sessions, 1 added on 10 May"),
        ({"include": ["2027-05-10", "2028-05-11"]}, "4 weekly sessions, 2 added on 10 May and 11 May 2028"),
        (
            {"include": ["2027-05-10", {"date": "2027-01-18", "start": "14:00"}]},
            "4 weekly sessions, 1 at its own time on 18 January, 1 added on 10 May",
        ),
        ({"exclude": ["2027-01-18"], "include": ["2027-01-18"]}, "4 weekly sessions"),
    ],
)
def test_a_schedule_in_a_sentence(changes: Json, words: str) -> None:
    assert summary(read(document(**changes))) == words


def test_who_leaves_sessions_out_is_named() -> None:
    """Calendars give their exclusions a reason."""
    plain = read(document(include=["2027-05-10"]))
    days = [Exclusion(one.local.date(), one.local.date(), "campus-2027: Spring break") for one in plain.wanted[:3]]
    sessions = occurrences(plain.start, plain.zone, plain.duration, plain.rule, days, plain.include)
    told = Schedule(plain.start, plain.zone, plain.duration, plain.rule, tuple(days), sessions, (), plain.include)
    assert summary(told) == "4 weekly sessions, 3 left out by campus-2027 (Spring break), 1 added on 10 May"


def previewed(service: Lectern, **changes: Any) -> Json:
    preview: Json = found(service.client.post("/recordings/preview", json=document(**changes)))
    return preview


def test_a_preview_says_what_is_added_and_what_comes_of_it(service: Lectern) -> None:
    shown = previewed(service, include=["2027-05-10", {"date": "2027-05-11", "start": "14:00"}], exclude=["2027-01-18"])
    assert shown["summary"] == "4 weekly sessions, 1 left out by exclude, 2 added on 10 May and 11 May"
    assert shown["plan"] == "one weekly series, 4 occurrences, then 2 series of one occurrence"
    assert [one["reason"] for one in shown["occurrences"]] == [
        None,
        "excluded by 2027-01-18",
        None,
        None,
        "included",
        "included",
    ]
    assert shown["warnings"] == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"include": ["2027-05-10", "2027-01-18"]},
            ("inclusion_unused", "/include/1", "The recurrence has that session on 18 January 2027 already."),
        ),
        (
            {"include": ["2027-01-18"], "exclude": [{"from": "2027-01-17", "to": "2027-01-19"}]},
            (
                "included_all_the_same",
                "/include/0",
                "18 January 2027 is excluded (2027-01-17 to 2027-01-19) and included: it is recorded.",
            ),
        ),
        (
            {"recurrence": f"{LINES}\nEXDATE:20270119"},
            ("exclusion_unused", "/recurrence", "No session falls on 2027-01-19."),
        ),
    ],
)
def test_what_is_said_for_nothing_is_a_warning(service: Lectern, changes: Json, told: tuple[str, str, str]) -> None:
    (warning,) = previewed(service, **changes)["warnings"]
    assert (warning["code"], warning["pointer"], warning["detail"]) == told


def test_an_own_time_on_a_day_of_the_recurrence_is_no_warning(service: Lectern) -> None:
    assert previewed(service, include=[{"date": "2027-01-18", "start": "14:00"}])["warnings"] == []


def test_a_patch_from_a_rule_to_dates_takes_the_rule_s_words_out(service: Lectern) -> None:
    recording = service.made(example(exclude=[]))
    path, dates = f"/recordings/{recording['id']}", ["2027-01-13", "2027-01-18"]
    refused = problem(service.client.patch(path, json={"recurrence": {"dates": dates}}), 422, "invalid_document")
    assert refused["errors"][0]["pointer"] == "/recurrence/frequency"
    assert "null" in refused["errors"][0]["detail"]
    words = dict.fromkeys(recording["recurrence"])
    changed = found(service.client.patch(path, json={"recurrence": {**words, "dates": dates}}))
    assert (changed["recurrence"], changed["occurrence_count"]) == ({"dates": dates}, 2)
