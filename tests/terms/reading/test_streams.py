"""Bytes as they come: cut anywhere, ending in the middle, in several encodings, and any bytes at all."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.terms.meetings.errors import CannotReadError
from app.terms.meetings.rows import Reading
from app.terms.reading.read import Form, read
from tests.terms.samples import BANNER, KALTURA, SAMPLES, SYLLABUS_PLUS, Sample

SECTION: dict[str, Any] = {
    "section": "20005",
    "title": "HIST-101-01 Atlantic Worlds",
    "instructors": ["jdoe1"],
    "type": "LEC",
    "meetings": [{"days": ["TU", "TH"], "start": "11:00", "end": "12:15", "room": "HUM 12"}],
}
HEAD = {"complete": True, "source": "banner", "generated_at": "2026-12-01T02:00:00-05:00", "expected_sections": 1}
NDJSON = "\n".join(map(json.dumps, [HEAD, SECTION, SECTION | {"section": "20006", "group": "é"}])).encode()
JSON = json.dumps(HEAD | {"sections": [SECTION]}).encode()
OWN = (
    "section,title,type,days,start,end,room,instructors\n"
    "1,One,LEC,MO|WE,09:00,09:50,SCI 101,a|b\n"
    "2,Zwölf,LEC,TU,09:00,09:50,SCI 101,\n"
)


def code(body: bytes, form: Form, **more: Any) -> str:
    with pytest.raises(CannotReadError) as found:
        read([body], form, BANNER.frame, **more)
    return found.value.code


def own(body: bytes, **more: Any) -> Reading:
    return read([body], "csv", BANNER.frame, **more)


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_lines_are_the_same_however_the_bytes_come(size: int) -> None:
    chunks = (NDJSON[start : start + size] for start in range(0, len(NDJSON), size))
    found = read(chunks, "ndjson", BANNER.frame)
    assert found.meetings == read([NDJSON], "ndjson", BANNER.frame).meetings
    assert found.sections == {"20005", "20006"}


def test_lines_that_end_in_the_middle_are_an_error_of_its_own() -> None:
    for end in range(1, len(NDJSON)):
        body = NDJSON[:end]
        if (body.endswith(b"}") and body.count(b"{") == body.count(b"}")) or body.endswith(b"\n"):
            continue  # a whole line: only `expected_sections` can say that one is missing
        assert code(body, "ndjson") == "truncated", f"ends at {end}"


def test_an_object_that_ends_in_the_middle_is_an_error_of_its_own() -> None:
    for end in range(1, len(JSON)):
        assert code(JSON[:end], "json") == "truncated", f"ends at {end}"


def test_a_file_that_ends_in_the_middle_is_an_error_of_its_own() -> None:
    whole = OWN.encode()
    assert code(whole[: whole.index(b"09:50,SCI 101,a")], "csv") == "truncated"
    assert code(whole[:-10], "csv") == "truncated"
    assert code(whole + b'3,"Thr', "csv") == "truncated"
    assert code(whole + b'3,"Thr\n4,Four,LEC,WE,10:00,10:50,SCI 101,\n', "csv") == "truncated"
    assert len(own(whole.rstrip(b"\n")).meetings) == 2  # its last line has no end, and is whole


def test_a_line_that_is_no_json_is_rejected_and_the_others_are_read() -> None:
    lines = NDJSON.split(b"\n")
    reading = read([b"\n".join([lines[0], b"{nonsense", b"", b"[1]", *lines[1:]])], "ndjson", BANNER.frame)
    assert [(one.place.line, one.reason) for one in reading.rejected] == [(2, "not_json"), (4, "not_an_object")]
    assert (len(reading.meetings), reading.rows) == (1, 4), "the blank line is none"


def test_a_line_in_another_encoding_is_rejected_and_its_section_counts_as_present() -> None:
    """Else the section would be missing, and be cancelled after a night."""
    line = json.dumps(SECTION | {"title": "Fête"}, ensure_ascii=False).encode("latin-1")
    for lines in ([line, json.dumps(SECTION | {"section": "2"}).encode()], [line]):
        reading = read([b"\n".join([json.dumps(HEAD).encode(), *lines])], "ndjson", BANNER.frame)
        assert [(one.place.line, one.section, one.reason) for one in reading.rejected] == [(2, "20005", "encoding")]
        assert "20005" in reading.sections


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("Atlantic", "Atlantic\t"),
        ("Atlantic", 'the "Atlantic"'),
        ("Atlantic", 'the 12" Atlantic'),
        ("Atlantic", r"the \\Atlantic"),
        (", ", ",, "),
        (r"\[{", "[,{"),
        ("{", "{,"),
        ('"20005"', "020005"),
        ("$", ";"),
        ("$", ","),
        ("}$", ""),
    ],
)
@pytest.mark.parametrize("line", [SECTION, dict(reversed(SECTION.items()))], ids=["key first", "key last"])
def test_a_broken_line_keeps_its_key(line: dict[str, Any], good: str, bad: str) -> None:
    """Else the section would be missing, and be cancelled after a night."""
    broken = re.sub(good, bad, json.dumps(line))
    reading = read([f"{json.dumps(HEAD)}\n{broken}\n".encode()], "ndjson", BANNER.frame)
    key = "020005" if "020005" in bad else "20005"
    assert [(one.section, one.reason) for one in reading.rejected] == [(key, "not_json")]
    assert reading.sections == {key}
    assert reading.meetings == []


def test_a_section_in_a_list_is_no_section_and_keeps_its_key() -> None:
    reading = read([f"{json.dumps(HEAD)}\n{json.dumps([SECTION])}\n".encode()], "ndjson", BANNER.frame)
    assert [(one.section, one.reason) for one in reading.rejected] == [("20005", "not_an_object")]


def test_two_sections_on_one_line_both_count_as_present() -> None:
    lines = [json.dumps(HEAD), json.dumps(SECTION) + json.dumps(SECTION | {"section": 20006}), ""]
    reading = read(["\n".join(lines).encode()], "ndjson", BANNER.frame)
    assert [(one.place.line, one.section) for one in reading.rejected] == [(2, "20005"), (2, "20006")]


@pytest.mark.parametrize(
    "line",
    [
        "{nonsense",
        '{"section": null,}',
        '{"section": "",}',
        '{"section": "2000',
        '{"section": "2\\u0",}',
        '{"title": "the \\"section\\": \\"20005\\" of it",}',
    ],
)
def test_a_broken_line_has_no_key_that_cannot_be_read(line: str) -> None:
    reading = read([f"{json.dumps(HEAD)}\n{line}\n".encode()], "ndjson", BANNER.frame)
    assert [(one.section, one.reason) for one in reading.rejected] == [(None, "not_json")]
    assert reading.sections == frozenset()


@pytest.mark.parametrize(
    ("body", "form", "expected"),
    [
        (b"", "json", "not_json"),
        (b"hello", "json", "not_json"),
        (b"[]", "json", "declaration"),
        (b"{}", "json", "declaration"),
        (b'{"sections": {}}', "json", "declaration"),
        (b'{"sections": [], "complete": "yes"}', "json", "declaration"),
        (b'{"sections": [], "completed": true}', "json", "declaration"),
        (b'{"sections": [NaN]}', "json", "not_json"),
        (b'{"sections": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}", "json", "not_json"),
        (b'{"sections": [' + b"1" * 10_000 + b"]}", "json", "not_json"),
        (b'{"sections": "\xff"}', "json", "encoding"),
        (b"", "ndjson", "no_declaration"),
        (json.dumps(SECTION).encode(), "ndjson", "no_declaration"),
        (JSON, "ndjson", "no_declaration"),
        (b"", "csv", "no_header"),
        (b"a,b,c\n1,2,3\n", "csv", "no_header"),
        (b"section,title,days\n", "csv", "columns"),
        (b"section,title,start,start\n", "csv", "columns"),
        (b"section,title,start\n\x81\n", "csv", "encoding"),
    ],
)
def test_what_cannot_be_read_at_all_says_why(body: bytes, form: Form, expected: str) -> None:
    assert code(body, form) == expected


def test_more_meetings_than_the_limit_are_refused() -> None:
    section = SECTION | {"meetings": [{"meeting": str(number)} for number in range(1000)]}
    lines = [json.dumps(HEAD), *(json.dumps(section | {"section": str(number)}) for number in range(21))]
    assert code("\n".join(lines).encode(), "ndjson") == "too_many_meetings"


def test_rows_without_keys_are_never_complete() -> None:
    assert code(KALTURA.body, "csv", profile="kaltura", complete=True) == "complete_needs_keys"
    assert code(b"", "csv", profile="peoplesoft") == "unknown_profile"


# --- encodings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "charset"),
    [
        ("utf-8", None),
        ("utf-8-sig", None),
        ("cp1252", None),
        ("utf-16", None),
        ("utf-8", "iso-8859-2"),
        ("cp1252", "utf-8"),
        ("iso-8859-2", "iso-8859-2"),
        ("cp437", "cp437"),
    ],
)
def test_a_file_is_read_in_its_encoding(encoding: str, charset: str | None) -> None:
    assert own(OWN.encode(encoding), charset=charset).meetings[1].title == "Zwölf"


def test_an_unknown_charset_is_said() -> None:
    assert code(OWN.encode(), "csv", charset="klingon") == "encoding"
    assert code(OWN.encode(), "csv", charset="base64") == "encoding"


def test_a_mark_that_lies_is_dropped() -> None:
    titles = [meeting.title for meeting in SYLLABUS_PLUS.read().meetings]
    assert titles[0] == "COMP101/LEC/01 Einführung in die Informatik"
    assert "HIST150/LEC/01 L’été français" in titles
    assert "ECON160/LEC/01 Der 5-€-Markt" in titles


# --- any bytes -----------------------------------------------------------------------------------------------


def _damaged(body: bytes) -> st.SearchStrategy[bytes]:
    """A file with a piece of it exchanged for something else."""

    def exchange(start: int, length: int, piece: bytes) -> bytes:
        return body[:start] + piece + body[start + length :]

    pieces = st.one_of(
        st.binary(max_size=8), st.sampled_from([b'"', b"\n", b",", b";", b"{", b"9" * 400, b"-", b"\xe2\x80\x93"])
    )
    return st.builds(exchange, st.integers(0, len(body)), st.integers(0, 40), pieces)


FORMS: list[tuple[Form, str | None]] = [("json", None), ("ndjson", None), ("csv", None), ("csv", "kaltura")]


@pytest.mark.parametrize(("form", "profile"), FORMS)
@given(body=st.one_of(st.binary(max_size=200), *map(_damaged, [JSON, NDJSON, OWN.encode()])))
def test_no_bytes_make_any_other_error(form: Form, profile: str | None, body: bytes) -> None:
    _read_or_refuse(body, form, profile)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
@given(data=st.data())
def test_no_damage_to_a_sample_makes_any_other_error(sample: Sample, data: st.DataObject) -> None:
    head = b"\n".join(sample.body.split(b"\n")[:20])
    _read_or_refuse(data.draw(_damaged(head)), "csv", sample.profile)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    field=st.sampled_from(sorted(SECTION)), meeting=st.sampled_from(["days", "weeks", "start", "dates"]), value=VALUES
)
def test_no_value_of_a_field_makes_any_other_error(field: str, meeting: str, value: Any) -> None:
    damaged = SECTION | {"meetings": [SECTION["meetings"][0] | {meeting: value}]}
    for section in (SECTION | {field: value}, damaged, value):
        reading = read([json.dumps({"sections": [section]}).encode()], "json", BANNER.frame)
        assert len(reading.meetings) + len(reading.rejected) >= 1


def _read_or_refuse(body: bytes, form: Form, profile: str | None) -> None:
    with suppress(CannotReadError):
        read([body], form, BANNER.frame, profile=profile)


# --- memory --------------------------------------------------------------------------------------------------

MEASURE = """
import resource
from app.terms.meetings.frame import frame
from app.terms.meetings.settings import TermSettings
from app.terms.reading.read import read
from tests.terms.reading.test_streams import sixteen_mebibytes
from tests.terms.samples import NOW, SPRING
within = frame(TermSettings.model_validate(SPRING | {"rooms": {}}), "UTC", NOW)
read([next(sixteen_mebibytes())], "ndjson", within)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reading = read(sixteen_mebibytes(), "ndjson", within)
print(len(reading.meetings), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
SECTIONS = 19_999


def sixteen_mebibytes() -> Iterator[bytes]:
    """The head, then as many sections as a declaration may have, each in a room of its own."""
    yield json.dumps(HEAD).encode() + b"\n"
    for number in range(SECTIONS):
        meetings = [SECTION["meetings"][0] | {"room": f"Room {number}"}]
        section = SECTION | {"section": str(number), "title": f"Title {number}", "meetings": meetings}
        yield json.dumps(section | {"description": "d" * 630}).encode() + b"\n"


def test_sixteen_mebibytes_of_lines_take_less_than_a_hundred_megabytes() -> None:
    assert 15.5 < sum(map(len, sixteen_mebibytes())) / 1024**2 <= 16
    ran = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    meetings, kilobytes = map(int, ran.stdout.split())
    assert meetings == SECTIONS
    assert kilobytes < 100_000
