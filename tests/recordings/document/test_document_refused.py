"""What a recording's document may not say: everything bad points at its field, and whatever is sent, nothing breaks."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.http.fields import messages
from app.recordings.document.document import EXAMPLE, RecordingDocument
from tests.recordings.documents import LEFT_OUT, SERVICE_ZONE, SINGLE, example, pointers, read, refusals, weekly

NOTHING_MATCHES = {"frequency": "monthly", "month_days": [30], "days": ["5MO"], "positions": [2], "count": 1}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"title": LEFT_OUT}, "/title"),
        ({"title": None}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": " \t "}, "/title"),
        ({"title": "t" * 257}, "/title"),
        ({"title": "é" * 129}, "/title"),
        ({"title": "a\nb"}, "/title"),
        ({"description": "d" * 65_536}, "/description"),
        ({"reference_id": "r" * 256}, "/reference_id"),
        ({"tags": "mathematics"}, "/tags"),
        ({"tags": ["ab", "a"]}, "/tags/1"),
        ({"tags": ["a,b"]}, "/tags/0"),
        ({"tags": ["maths", "MATHS"]}, "/tags/1"),
        ({"tags": [f"tag {number}" for number in range(101)]}, "/tags"),
        ({"categories": [True]}, "/categories/0"),
        ({"categories": [1.0]}, "/categories/0"),
        ({"categories": [0]}, "/categories/0"),
        ({"categories": [2**31]}, "/categories/0"),
        ({"categories": ["a>>b"]}, "/categories/0"),
        ({"categories": ["a>b", "a > b"]}, "/categories/1"),
        ({"owner": "a,b"}, "/owner"),
        ({"editors": ["ta1", 7]}, "/editors/1"),
        ({"publishers": ["ta1", "ta1"]}, "/publishers/1"),
        ({"visibility": "PUBLIC"}, "/visibility"),
        ({"related_entries": ["1_abcd1234", "abc"]}, "/related_entries/1"),
        ({"on_conflict": "ignore"}, "/on_conflict"),
        ({"colour": "red"}, "/colour"),
        ({"status": "scheduled"}, "/status"),
        ({"resource": LEFT_OUT}, "/resource"),
        ({"resource": None}, "/resource"),
        ({"resource": True}, "/resource"),
        ({"resource": 562931.0}, "/resource"),
        ({"resource": float("nan")}, "/resource"),
        ({"resource": -1}, "/resource"),
        ({"resource": ""}, "/resource"),
        ({"resource": {}}, "/resource/system_name"),
        ({"resource": {"system_name": "a", "id": 1}}, "/resource/id"),
        ({"resource": {"system_name": "a" * 257}}, "/resource/system_name"),
        ({"resource": {"system_name": "a", "kind": "live_entry"}}, "/resource/kind"),
        ({"start": LEFT_OUT}, "/start"),
        ({"start": 1799848800}, "/start"),
        ({"start": "1799848800"}, "/start"),
        ({"start": "2027-01-13"}, "/start"),
        ({"start": "2027-01-13T23:59:60"}, "/start"),
        ({"start": "2027-01-13T09:00:00.25"}, "/start"),
        ({"start": "2027-02-30T09:00:00"}, "/start"),
        ({"start": "1999-12-31T23:59:59"}, "/start"),
        ({"start": "9999-12-31T23:59:59"}, "/start"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "/start"),
        ({"time_zone": "America"}, "/time_zone"),
        ({"time_zone": "Mars/Olympus"}, "/time_zone"),
        ({"time_zone": "z" * 5_000}, "/time_zone"),
        ({"time_zone": "../../etc/passwd"}, "/time_zone"),
        ({"time_zone": "/etc/localtime"}, "/time_zone"),
        ({"duration_minutes": LEFT_OUT}, "/duration_minutes"),
        ({"duration_minutes": 0}, "/duration_minutes"),
        ({"duration_minutes": 1441}, "/duration_minutes"),
        ({"duration_minutes": "50"}, "/duration_minutes"),
        ({"duration_minutes": 50.0}, "/duration_minutes"),
        ({"duration_minutes": True}, "/duration_minutes"),
        ({"duration_minutes": float("nan")}, "/duration_minutes"),
        ({"duration_minutes": float("inf")}, "/duration_minutes"),
        ({"end": "2027-01-13T09:50:00"}, "/end"),
        ({"duration_minutes": LEFT_OUT, "end": "2027-01-13T09:00:00"}, "/end"),
        ({"duration_minutes": LEFT_OUT, "end": "2027-01-13T08:00:00"}, "/end"),
        ({"duration_minutes": LEFT_OUT, "end": "2027-01-14T10:00:00"}, "/end"),
        ({"duration_minutes": LEFT_OUT, "end": "2027-01-14T09:00:01"}, "/end"),
        ({"duration_minutes": LEFT_OUT, "end": 1799852400}, "/end"),
        ({"recurrence": []}, "/recurrence"),
        ({"recurrence": {}}, "/recurrence/frequency"),
        ({"recurrence": weekly(frequency="yearly")}, "/recurrence/frequency"),
        ({"recurrence": weekly(until="2027-04-14")}, "/recurrence"),
        ({"recurrence": weekly(count=LEFT_OUT)}, "/recurrence"),
        ({"recurrence": weekly(count=0)}, "/recurrence/count"),
        ({"recurrence": weekly(count=-1)}, "/recurrence/count"),
        ({"recurrence": weekly(count=1001)}, "/recurrence/count"),
        ({"recurrence": weekly(count="40")}, "/recurrence/count"),
        ({"recurrence": weekly(count=True)}, "/recurrence/count"),
        ({"recurrence": weekly(interval=0)}, "/recurrence/interval"),
        ({"recurrence": weekly(interval=13)}, "/recurrence/interval"),
        ({"recurrence": weekly(interval=1.5)}, "/recurrence/interval"),
        ({"recurrence": weekly(days=["XX"])}, "/recurrence/days/0"),
        ({"recurrence": weekly(days=["MO", "mo"])}, "/recurrence/days/1"),
        ({"recurrence": weekly(days=["MO", "MO"])}, "/recurrence/days"),
        ({"recurrence": weekly(days=["2TU"])}, "/recurrence/days"),
        ({"recurrence": weekly(days="MO")}, "/recurrence/days"),
        ({"recurrence": weekly(month_days=[1])}, "/recurrence/month_days"),
        ({"recurrence": weekly(positions=[1])}, "/recurrence/positions"),
        ({"recurrence": weekly(week_start="MONDAY")}, "/recurrence/week_start"),
        ({"recurrence": weekly(byday="MO")}, "/recurrence/byday"),
        ({"recurrence": weekly(count=LEFT_OUT, until="2027-01-12")}, "/recurrence/until"),
        ({"recurrence": weekly(count=LEFT_OUT, until="2031-01-12")}, "/recurrence/until"),
        ({"recurrence": weekly(count=LEFT_OUT, until="9999-01-12")}, "/recurrence/until"),
        ({"recurrence": weekly(count=LEFT_OUT, until=20270512)}, "/recurrence/until"),
        ({"recurrence": weekly(count=LEFT_OUT, until="2027-05-12T00:00:00")}, "/recurrence/until"),
        ({"recurrence": weekly(count=LEFT_OUT, until="2027-01-13", days=["TU"])}, "/recurrence"),
        ({"recurrence": weekly(interval=12, count=1000)}, "/recurrence/count"),
        ({"recurrence": {"frequency": "daily", "until": "2029-12-31"}}, "/recurrence/until"),
        ({"recurrence": {"frequency": "monthly", "month_days": [0], "count": 1}}, "/recurrence/month_days"),
        ({"recurrence": {"frequency": "monthly", "month_days": [32], "count": 1}}, "/recurrence/month_days/0"),
        ({"recurrence": {"frequency": "monthly", "days": ["6MO"], "count": 1}}, "/recurrence/days/0"),
        ({"recurrence": NOTHING_MATCHES}, "/recurrence"),
        ({"recurrence": "every Monday"}, "/recurrence"),
        ({"recurrence": "FREQ=YEARLY;COUNT=5"}, "/recurrence"),
        ({"recurrence": "FREQ=HOURLY;COUNT=3"}, "/recurrence"),
        ({"recurrence": "RRULE:FREQ=DAILY;COUNT=3\nEXRULE:FREQ=DAILY;COUNT=1"}, "/recurrence"),
        ({"recurrence": "DTSTART:20270113T100000\nRRULE:FREQ=DAILY;COUNT=3"}, "/recurrence"),
        ({"recurrence": "RRULE:FREQ=DAILY;COUNT=3\nRDATE:20270113T140000"}, "/recurrence"),
        ({"recurrence": {"dates": []}}, "/recurrence/dates"),
        ({"recurrence": {"dates": "2027-01-13"}}, "/recurrence/dates"),
        ({"recurrence": {"dates": ["2027-01-13", "2027-01-13"]}}, "/recurrence/dates/1"),
        ({"recurrence": {"dates": ["2027-01-13", "2027-02-30"]}}, "/recurrence/dates/1"),
        ({"recurrence": {"dates": ["2027-01-13", "2030-01-14"]}}, "/recurrence/dates"),
        ({"recurrence": {"dates": ["2027-01-14"]}}, "/start"),
        ({"recurrence": {"dates": ["2027-01-13"], "frequency": "weekly"}}, "/recurrence/frequency"),
        ({"recurrence": {"dates": ["2027-01-13"], "date": 1}}, "/recurrence/date"),
        ({"include": "2027-05-10"}, "/include"),
        ({"include": ["2027-05-10", "2027-05-10"]}, "/include/1"),
        ({"include": ["2027-05-10", {"date": "2027-05-10", "start": "14:00"}]}, "/include/1"),
        ({"include": ["2027-01-12"]}, "/include/0"),
        ({"include": ["2030-01-14"]}, "/include/0"),
        ({"include": ["2027-05-10", {"start": "14:00"}]}, "/include/1/date"),
        ({"include": [{"date": "2027-05-10", "start": "14"}]}, "/include/0/start"),
        ({"include": [{"date": "2027-05-10", "start": 14}]}, "/include/0/start"),
        ({"include": [{"date": "2027-05-10", "duration_minutes": 0}]}, "/include/0/duration_minutes"),
        ({"include": [{"date": "2027-05-10", "end": "15:00"}]}, "/include/0/end"),
        ({"recurrence": "FREQ=WEEKLY"}, "/recurrence"),
        ({"recurrence": "FREQ=WEEKLY;COUNT=1;UNTIL=20270301"}, "/recurrence"),
        ({"recurrence": "FREQ=WEEKLY;COUNT=0"}, "/recurrence"),
        ({"recurrence": "FREQ=WEEKLY;COUNT=1;INTERVAL=0"}, "/recurrence"),
        ({"recurrence": "FREQ=WEEKLY;COUNT=1;BYDAY=XX"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;UNTIL=99991231"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;UNTIL=20260101T000000Z"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;UNTIL=00010101T000000Z"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;UNTIL=99991231T235959Z"}, "/recurrence"),
        ({"recurrence": "FREQ=DAILY;COUNT=1;" + "BYDAY=" * 100}, "/recurrence"),
        ({"exclude": "2027-02-15"}, "/exclude"),
        ({"exclude": ["2027-02-15", "2027-02-29"]}, "/exclude/1"),
        ({"exclude": [20270215]}, "/exclude/0"),
        ({"exclude": ["2027-02-15T00:00:00"]}, "/exclude/0"),
        ({"exclude": ["2027-02-15", {"from": "2027-03-26", "to": "2027-03-22"}]}, "/exclude/1/to"),
        ({"exclude": [{"from": "2027-03-26", "to": "2037-03-22"}]}, "/exclude/0/to"),
        ({"exclude": [{"from": "2027-03-26"}]}, "/exclude/0/to"),
        ({"exclude": [{"to": "2027-03-26"}]}, "/exclude/0/from"),
        ({"exclude": [{"from": "x", "to": "2027-03-26"}]}, "/exclude/0/from"),
        ({"exclude": ["2027-02-15"] * 1001}, "/exclude"),
        ({"exclude": [{"from": "2027-01-01", "to": "2027-12-31"}]}, "/exclude"),
    ],
)
def test_a_bad_document_points_at_its_field(changes: dict[str, Any], pointer: str) -> None:
    assert pointers(example(**changes)) == [pointer]


@pytest.mark.parametrize("document", [None, [], "x", 1, 1.5, True, float("nan")])
def test_what_is_no_object_points_at_the_document(document: object) -> None:
    assert pointers(document) == [""]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"duration_minutes": None, "end": "2027-01-13T08:00:00"}, "/end"),
        ({"recurrence": weekly(count=LEFT_OUT, until="2027-01-12")}, "/recurrence/until"),
        ({"recurrence": "FREQ=DAILY;UNTIL=20260101T000000Z"}, "/recurrence"),
        ({"exclude": ["2027-01-13"]}, "/exclude"),
    ],
)
def test_without_a_zone_the_rules_between_times_wait_for_the_service_s(changes: dict[str, Any], pointer: str) -> None:
    document = RecordingDocument.model_validate(SINGLE | changes)
    with pytest.raises(RequestValidationError) as caught:
        document.schedule(SERVICE_ZONE)
    assert [message["pointer"] for message in messages(caught.value.errors())] == [pointer]


# --- whatever is sent --------------------------------------------------------------------------------------


def places(value: object, path: tuple[int | str, ...] = ()) -> Iterator[tuple[int | str, ...]]:
    """Where the leaves of a JSON value are."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in items:
            yield from places(inner, (*path, step))
    else:
        yield path


def replaced(path: tuple[int | str, ...], by: object) -> dict[str, Any]:
    document = deepcopy(EXAMPLE)
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = by
    return document


FULL = list(places(EXAMPLE))
DEEP: list[Any] = []
for _ in range(400):
    DEEP = [DEEP]


@pytest.mark.parametrize("path", FULL, ids=lambda path: "/".join(map(str, path)))
@pytest.mark.parametrize(
    "bad", ["a\x00b", "a\ud800b", DEEP, {"a": DEEP}, float("nan"), -1, "secret" * 20_000], ids=range(7)
)
def test_no_field_takes_what_would_break_later(path: tuple[int | str, ...], bad: object) -> None:
    found = refusals(replaced(path, bad))
    pointer = "".join(f"/{step}" for step in path)
    assert [message["pointer"].startswith(pointer) for message in found] == [True] * len(found)
    assert "secret" not in json.dumps(found)


def test_names_of_fields_may_be_anything_too() -> None:
    assert pointers(EXAMPLE | {"\x00": 1}) == ["/\ufffd"]
    assert pointers(EXAMPLE | {"a" * 70_000: 1}) == ["/" + "a" * 64 + "…"]
    assert pointers(EXAMPLE | {"\ud800": 1}) == [""]  # pydantic cannot name it


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*EXAMPLE, *EXAMPLE["recurrence"], "from", "to", "system_name", "x"]), inner)
    ),
    max_leaves=10,
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(changes=st.dictionaries(st.sampled_from([*EXAMPLE, "end", "until"]), JSON, min_size=1, max_size=3))
def test_no_json_makes_anything_but_a_schedule_or_a_refusal(changes: dict[str, Any]) -> None:
    document = EXAMPLE | changes
    assert refusals(document) or read(document).occurrences


NUMBERS = st.integers(-40, 1100)
RECURRENCES = st.fixed_dictionaries(
    {"frequency": st.sampled_from(["daily", "weekly", "monthly"])},
    optional={
        "interval": st.integers(-1, 14),
        "days": st.lists(st.sampled_from(["MO", "TU", "FR", "SU", "2TU", "-1FR", "5MO", "XX", "0MO"]), max_size=3),
        "month_days": st.lists(NUMBERS, max_size=3),
        "positions": st.lists(NUMBERS, max_size=3),
        "count": NUMBERS,
        "until": st.dates().map(str),
        "week_start": st.sampled_from(["MO", "SU", "XX"]),
    },
)


@QUICK
@given(
    start=st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds")),
    offset=st.sampled_from(["", "Z", "+14:00", "-23:59"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", None]),
    recurrence=RECURRENCES | st.text("FREQ=DAILYWKMONTH;COUNT1234567890,-UNTILZ", max_size=40) | st.none(),
)
def test_no_times_make_anything_but_a_schedule_or_a_refusal(
    start: str, offset: str, zone: str | None, recurrence: object
) -> None:
    document = SINGLE | {"start": start + offset, "time_zone": zone, "recurrence": recurrence}
    if not refusals(document):
        starts = [occurrence.start for occurrence in read(document).occurrences]
        assert starts == sorted(set(starts))
        assert 1 <= len(starts) <= 1000
