"""Declarations in JSON: one object, or (NDJSON) its head in the first line and a section in each line after it."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from pydantic import ValidationError

from app.http.fields import messages
from app.terms.meetings.errors import CannotReadError, RejectedError
from app.terms.meetings.frame import Frame
from app.terms.meetings.parts import read_weeks
from app.terms.meetings.rows import Head, Place, Reading, Row, Words
from app.terms.reading.declaration import (
    MAX_MEETINGS_OF_ONE,
    DeclarationHead,
    MeetingDeclared,
    SectionWords,
    readable_key,
    validated,
    words_of,
)
from app.terms.reading.gathering import Gathering
from app.terms.reading.making import Said, made, not_recorded

_NOT_ONE = "The line is not one JSON object: write each section on one line."
_KEY = re.compile(r'"section"\s*:\s*(?:(?P<text>"(?:[^"\\]|\\.)*+")|(?P<number>-?[0-9]+))')


def read_json(chunks: Iterable[bytes], within: Frame) -> Reading:
    """One object with `sections`. Raises CannotReadError."""
    said = _parsed(b"".join(chunks))
    if not isinstance(said, dict):
        raise CannotReadError("declaration", "A declaration is an object with sections.")
    sections = said.pop("sections", None)
    head = _head(said)
    if not isinstance(sections, list):
        wrong = [{"pointer": "/sections", "detail": "must be a list"}]
        raise CannotReadError("declaration", "A declaration has sections, which are a list.", wrong)
    gathering = Gathering(within)
    for index, section in enumerate(sections):
        _take(section, Place(pointer=f"/sections/{index}"), gathering, within)
        sections[index] = None  # what is taken in needs no memory twice
    return gathering.finish(head)


def read_ndjson(chunks: Iterable[bytes], within: Frame) -> Reading:
    """A head and sections, a line each. A line that is no JSON is rejected, unless it is the first or cut off.

    Its section counts as present, if its key can be found.
    """
    gathering = Gathering(within)
    head: Head | None = None
    for number, (line, is_whole) in enumerate(_lines(chunks), 1):
        if not line.strip():
            continue
        if head is None:
            said = _parsed(line)
            if not isinstance(said, dict) or "section" in said or "sections" in said:
                detail = 'The first line is the declaration without its sections, like {"complete": true}.'
                raise CannotReadError("no_declaration", detail)
            head = _head(said)
        else:
            try:
                section = _parsed(line)
                if not isinstance(section, dict):
                    raise CannotReadError("not_an_object", "A section is an object.")
            except CannotReadError as error:
                if error.code in ("not_json", "truncated"):
                    if not is_whole:
                        raise cut_off() from None
                    error = CannotReadError("not_json", _NOT_ONE)
                for key in _keys_of(line):
                    gathering.reject(Place(number), key, RejectedError(error.code, error.detail))
            else:
                _take(section, Place(number), gathering, within)
    if head is None:
        raise CannotReadError("no_declaration", 'Nothing was sent. The first line is like {"complete": true}.')
    return gathering.finish(head)


def _lines(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each line without its end, and whether it has one; the last need not."""
    rest: list[bytes] = []
    for chunk in chunks:
        *whole, last = chunk.split(b"\n")
        for line in whole:
            rest.append(line)
            yield b"".join(rest), True
            rest = []
        rest.append(last)
    if line := b"".join(rest):
        yield line, False


def cut_off() -> CannotReadError:
    return CannotReadError("truncated", "The body ends in the middle. Nothing of it was taken: send it again, whole.")


def _parsed(body: bytes) -> Any:
    """JSON in UTF-8, a byte order mark is dropped. Raises CannotReadError: `truncated`, `encoding` or `not_json`."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.end >= len(body):
            raise cut_off() from None
        raise CannotReadError("encoding", "JSON is sent in UTF-8.") from None
    text = text.strip()
    try:
        return json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        if text.startswith("{") and (error.pos >= len(text) or not text.endswith("}")):
            raise cut_off() from None
        where = f"line {error.lineno}, column {error.colno}"
        raise CannotReadError("not_json", f"This is not JSON: {where}.") from None
    except (ValueError, RecursionError):
        raise CannotReadError("not_json", "This is not JSON that can be read here.") from None


def _keys_of(line: bytes) -> Sequence[str | None]:
    """Every key that a line which cannot be read may have; a None if there is none.

    There are several if two sections stand on one line. Each counts as present, also one that something else within the
    section has: a recording too many is the lesser evil.
    """
    text = line.decode(errors="replace")
    keys = [readable_key(found["number"] or _text(found["text"])) for found in _KEY.finditer(text)]
    return [key for key in dict.fromkeys(keys) if key and "\N{REPLACEMENT CHARACTER}" not in key] or [None]


def _text(literal: str) -> str | None:
    try:
        return str(json.loads(literal))
    except ValueError:
        return None


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _head(said: dict[str, Any]) -> Head:
    try:
        head = DeclarationHead.model_validate(said)
    except ValidationError as error:
        wrong = messages(error.errors(include_url=False))
        raise CannotReadError("declaration", "What the declaration says of itself cannot be read.", wrong) from None
    return Head(head.complete, head.source, head.generated_at, head.expected_sections)


def _take(said: Any, place: Place, gathering: Gathering, within: Frame) -> None:
    """One section, with all of its meetings."""
    key = None
    try:
        if not isinstance(said, dict):
            raise RejectedError("not_an_object", "A section is an object.")
        key = readable_key(said.get("section"))
        section = validated(SectionWords, {name: value for name, value in said.items() if name != "meetings"})
        meetings = said.get("meetings") or []
        if not isinstance(meetings, list) or len(meetings) > MAX_MEETINGS_OF_ONE:
            rule = f"must be a list of at most {MAX_MEETINGS_OF_ONE:,} meetings"
            raise RejectedError("invalid_document", f"/meetings {rule}.", "/meetings")
    except RejectedError as error:
        gathering.reject(place, key, error)
        return
    row = _row(section, words_of(section), place, within)
    if not meetings:
        gathering.add(replace(row, skip=row.skip or "no_time"))
    for index, meeting in enumerate(meetings):
        there = Place(place.line, f"{place.pointer}/meetings/{index}")
        try:
            for one in _meeting(meeting, replace(row, place=there), within):
                gathering.add(one)
        except RejectedError as error:
            if row.skip:
                gathering.add(replace(row, place=there))
            else:
                gathering.reject(there, key, error)


def _row(section: SectionWords, words: Words, place: Place, within: Frame) -> Row:
    skip = not_recorded(section.section, section.type, section.record, within.settings)
    return Row(
        place=place,
        section=section.section,
        words=words,
        group=section.group,
        instructors=tuple(section.instructors),
        calendars=None if section.calendars is None else tuple(section.calendars),
        skip="cancelled" if section.status == "cancelled" else skip,
    )


def _meeting(said: Any, row: Row, within: Frame) -> list[Row]:
    meeting = validated(MeetingDeclared, said)
    if meeting.date and meeting.dates:
        raise RejectedError("date_differs", "Give date, or dates.", "/dates")
    dates = (meeting.date,) if meeting.date else tuple(meeting.dates)
    when = Said(
        start=meeting.start,
        end=meeting.end,
        days=tuple(dict.fromkeys(meeting.days)),
        dates=dates,
        first=meeting.first,
        last=meeting.last,
        weeks=read_weeks(meeting.weeks, within.settings.last_week) if meeting.weeks else (),
    )
    return made(replace(row, meeting=meeting.meeting), lambda: when, meeting.room, within)
