"""Rows of a CSV file, read by a profile: ours, a built-in one, or one of the term's own."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.http.fields import Words
from app.terms.meetings.errors import CannotReadError, RejectedError
from app.terms.meetings.frame import Frame
from app.terms.meetings.parts import DAY_NAMES, read_date, read_days, read_week_pattern, read_weeks, shown
from app.terms.meetings.profiles import PLACEHOLDER, Profile, plain_name
from app.terms.meetings.rows import Head, Note, Place, Reading, Row
from app.terms.meetings.settings import TermSettings
from app.terms.reading.declaration import SectionWords, readable_key, short_text, validated, words_of
from app.terms.reading.gathering import Gathering
from app.terms.reading.making import Said, made, not_recorded
from app.terms.reading.table import Line, Table, decoded, table

Values = Mapping[str, str]

_TRUE, _FALSE = {"true", "yes", "y", "1"}, {"false", "no", "n", "0"}
_ACTIVE, _CANCELLED = {"", "active"}, {"cancelled", "canceled"}
_LISTS = ("tags", "categories", "editors", "publishers")
_TEXTS = ("section", "title", "type", "group", "description", "contact")
_MEETING = Words(100)
_LINE_END = re.compile(r"[^\S\r\n]*[\r\n]+\s*")


def read_csv(body: bytes, charset: str | None, profile: Profile, within: Frame, *, complete: bool) -> Reading:
    """Raises CannotReadError."""
    found = table(decoded(body, charset), profile.known, profile.comment)
    columns = _columns(profile, found)
    code = within.settings.term_code or _usual_code(columns, found)
    gathering = Gathering(within)
    for line in found.lines():
        values = columns.values(line.cells)
        if line.ignored or (not values["section"] and sum(map(bool, line.cells)) == 1):
            continue
        place, key = Place(line.number), readable_key(values["section"])
        try:
            _whole(line, values, code)
            for row in _rows(place, values, profile, within):
                gathering.add(row)
        except RejectedError as error:
            gathering.reject(place, key, error)
    return gathering.finish(Head(complete=complete))


# --- columns -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Columns:
    """For each field its cells, each with what stands between it and the next one, if that says anything."""

    fields: Mapping[str, tuple[tuple[int, str], ...]]
    empty: frozenset[str]

    def values(self, cells: Sequence[str]) -> Values:
        """What each field says, "" if nothing. A room of several cells says nothing where one of them is empty."""
        said = dict.fromkeys(("section", "title", "start"), "")
        for name, parts in self.fields.items():
            text = between = ""
            for place, after in parts:
                part = cells[place] if place < len(cells) else ""
                if part and part.casefold() not in self.empty:
                    text += between + part
                    between = after
                elif name == "room":
                    text = ""
                    break
            said[name] = text
        return said


def _columns(profile: Profile, found: Table) -> _Columns:
    fields = {}
    for name, template in profile.columns.items():
        pieces = PLACEHOLDER.split(template) if PLACEHOLDER.search(template) else ["", template, ""]
        columns = list(zip(map(plain_name, pieces[1::2]), pieces[2::2], strict=True))
        there = tuple((found.columns[column], after) for column, after in columns if column in found.columns)
        if there:
            fields[name] = there
        elif name in ("section", "title", "start"):
            wanted = " or ".join(profile.names(name))
            raise CannotReadError("columns", f"The header has no column {wanted}, which has the {name}.")
    return _Columns(fields, frozenset(word.casefold() for word in profile.empty))


def _usual_code(columns: _Columns, found: Table) -> str | None:
    """What most rows say that this term is called."""
    if "term" not in columns.fields:
        return None
    place = columns.fields["term"][0][0]
    said = Counter(line.cells[place] for line in found.lines() if not line.ignored and not line.broken)
    usual = [code for code, _ in said.most_common() if code]
    return usual[0] if usual else None


# --- one row -------------------------------------------------------------------------------------------------


def _whole(line: Line, values: Values, code: str | None) -> None:
    if line.broken:
        raise RejectedError("cells", line.broken)
    if not values["section"]:
        raise RejectedError("no_key", "The row has nothing in the column of the section's key.")
    if values.get("term") and values["term"] != code:
        raise RejectedError(
            "other_term", f"The row is of term {shown(values['term'])}, and this is {shown(code or '')}."
        )


def _rows(place: Place, values: Values, profile: Profile, within: Frame) -> list[Row]:
    title = _LINE_END.sub(" ", values["title"])
    if not title:
        raise RejectedError("no_title", "The row has no title.")
    said: dict[str, Any] = {name: values[name] for name in _TEXTS if values.get(name)}
    said |= {name: _list(values[name], profile.separator) for name in _LISTS if values.get(name)}
    said |= {"title": title, "instructors": _people(values.get("instructors", ""))}
    said["categories"] = [int(one) if one.isdecimal() and one.isascii() else one for one in said.get("categories", [])]
    if values.get("calendars"):
        asked = values["calendars"].casefold()
        said["calendars"] = [] if asked == "none" else _list(asked, profile.separator)
    section = validated(SectionWords, said)
    row = Row(
        place=place,
        section=section.section,
        words=words_of(section),
        meeting=short_text("meeting", values.get("meeting", ""), _MEETING),
        group=_group(section, values),
        instructors=tuple(section.instructors),
        primary=values.get("primary", "").casefold() in _TRUE,
        calendars=None if section.calendars is None else tuple(section.calendars),
        skip=_skip(section, values, profile, within.settings),
        notes=(Note("title_line_end", "A line end in the title is read as a space."),)
        if title != values["title"]
        else (),
    )
    room = short_text("room", values.get("room", ""))
    return made(row, lambda: _when(values, profile, within.settings), room, within)


def _list(cell: str, separator: str) -> list[str]:
    return list(dict.fromkeys(filter(None, map(str.strip, cell.split(separator)))))


def _people(cell: str) -> list[str]:
    """User ids have no commas, whatever the file puts between them."""
    return list(dict.fromkeys(filter(None, map(str.strip, re.split("[|;,\r\n]", cell)))))


def _group(section: SectionWords, values: Values) -> str | None:
    """What names the others that it is held with makes a group: all of them name the same."""
    others = _list(values.get("jointly", "").replace(";", ","), ",")
    if not others:
        return section.group
    own = section.section if section.section[:1] == others[0][:1] else values.get("name", section.section)
    return hashlib.sha256(" ".join(sorted({own, *others})).encode()).hexdigest()


def _skip(section: SectionWords, values: Values, profile: Profile, settings: TermSettings) -> str | None:
    status, record = values.get("status", "").casefold(), values.get("record", "").casefold()
    if profile.cancelled:
        cancelled = status in {word.casefold() for word in profile.cancelled}
    elif status in _ACTIVE | _CANCELLED:
        cancelled = status in _CANCELLED
    else:
        raise RejectedError("status_unreadable", f"'{shown(status)}' is not a status: write active or cancelled.")
    meant = {word.casefold(): value for word, value in profile.record.items()}
    meant = meant or dict.fromkeys(_TRUE, True) | dict.fromkeys(_FALSE, False)
    if record and record not in meant:
        detail = f"'{shown(record)}' does not say whether it is recorded: write one of {', '.join(sorted(meant))}."
        raise RejectedError("record_unreadable", detail)
    return "cancelled" if cancelled else not_recorded(section.section, section.type, meant.get(record), settings)


def _when(values: Values, profile: Profile, settings: TermSettings) -> Said:
    days = {word.casefold(): day for word, day in profile.days.items()} or DAY_NAMES
    weeks = read_weeks(values["weeks"], settings.last_week) if values.get("weeks") else ()
    if values.get("week_pattern"):
        pattern = read_week_pattern(values["week_pattern"])
        if weeks and weeks != pattern:
            raise RejectedError(
                "weeks_differ", "The weeks and the pattern of weeks do not say the same. Mend one of them."
            )
        weeks = pattern

    def on(name: str) -> list[str]:
        return _list(values.get(name, ""), profile.separator)

    first, last = ([read_date(text, profile.dates) for text in on(name)[:1]] for name in ("from", "to"))
    return Said(
        start=values["start"] or None,
        end=values.get("end") or None,
        days=read_days(values["days"], days) if values.get("days") else (),
        dates=tuple(read_date(text, profile.dates) for text in on("date")),
        first=first[0] if first else None,
        last=last[0] if last else None,
        weeks=weeks,
    )
