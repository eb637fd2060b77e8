"""CSV files as hands and programs leave them: nothing is read as something else, and no section is lost."""

import pytest

from app.terms.meetings.errors import CannotReadError
from app.terms.meetings.rows import Reading
from app.terms.reading.read import read
from tests.terms.reading.test_rows import within

HEADER = "section,title,type,days,start,end,room,categories,tags"
GOOD = "1,One,LEC,MO,09:00,09:50,SCI 101,,"


def reading(*lines: str, header: str = HEADER) -> Reading:
    return read(["\n".join([header, *lines]).encode() + b"\n"], "csv", within())


def rejected(found: Reading) -> list[tuple[str | None, int | None]]:
    return [(one.section, one.place.line) for one in found.rejected]


@pytest.mark.parametrize("title", ["Intro, Part 2", "Intro, Part 2, and more"])
def test_a_comma_too_many_is_seen_also_where_the_last_cells_are_empty(title: str) -> None:
    found = reading(GOOD, GOOD.replace("1,One", f"2,{title}"))
    assert [meeting.section for meeting in found.meetings] == ["1"]
    assert rejected(found) == [("2", 3)]
    assert found.sections == {"1", "2"}


@pytest.mark.parametrize("rows_too", [True, False])
def test_a_header_may_end_in_delimiters(rows_too: bool) -> None:
    found = reading(GOOD + ",," * rows_too, header=HEADER + ",,")
    assert ([meeting.section for meeting in found.meetings], found.rejected) == (["1"], [])


def test_every_row_may_end_in_a_delimiter_that_the_header_has_not() -> None:
    found = reading(*(GOOD.replace("1,", f"{section},", 1) + "," for section in "123"))
    assert found.sections == {"1", "2", "3"}
    assert found.rejected == []


@pytest.mark.parametrize("title", ['"Hamlet" on film', '"Hamlet"?', 'The "Hamlet", "Macbeth" and so on'])
def test_a_row_with_a_quotation_mark_too_many_keeps_its_key(title: str) -> None:
    found = reading(GOOD, GOOD.replace("1,One", f"4,{title}"), GOOD.replace("1,", "5,", 1))
    assert rejected(found) == [("4", 3)]
    assert found.sections == {"1", "4", "5"}


@pytest.mark.parametrize("ends_it", ['"Macbeth"', 'Macbeth 12"'])
def test_the_rows_that_a_quotation_mark_swallows_keep_their_keys(ends_it: str) -> None:
    rows = [GOOD.replace("1,One", f"{section},{title}") for section, title in (("4", '"Hamlet'), ("5", "x"))]
    found = reading(GOOD, *rows, GOOD.replace("1,One", f"6,{ends_it}"), GOOD.replace("1,", "7,", 1))
    assert found.sections == {"1", "4", "5", "6", "7"}
    assert {section for section, _ in rejected(found)} == {"4", "5", "6"}


def test_a_file_that_is_utf_8_but_for_a_byte_is_refused() -> None:
    body = f"{HEADER}\n{GOOD.replace('One', 'Übung')}\n".encode() + GOOD.replace("1,One", "2,Caf\xe9").encode("cp1252")
    for charset in (None, "utf-8"):
        with pytest.raises(CannotReadError, match=r"^Line 3 has a character in another encoding"):
            read([body + b"\n"], "csv", within(), charset=charset)
    said = read([body + b"\n"], "csv", within(cross_listing="none"), charset="windows-1252")
    assert [meeting.title for meeting in said.meetings] == ["Ãœbung", "Café"], "as whoever sends it says"


def test_a_file_in_windows_1252_is_read() -> None:
    body = f"{HEADER}\n{GOOD.replace('One', 'Übung für Anfänger – “Teil” 1, JOSÉ’S Straße')}\n".replace("1, J", "1 J")
    (meeting,) = read([body.encode("cp1252")], "csv", within()).meetings
    assert meeting.title == "Übung für Anfänger – “Teil” 1 JOSÉ’S Straße"
