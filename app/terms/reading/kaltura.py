"""Rows of Kaltura's schedule-event bulk upload: no key, times that name their date, durations in seconds.

What Kaltura would drop, guess or do otherwise than it was told is rejected. The columns, and the rules of times and
recurrences, are those of its own engine (plugins/schedule/bulk_upload).
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from app.recurrence.rules import Rule, RuleError, parse_day, walk
from app.terms.meetings.errors import CannotReadError, RejectedError
from app.terms.meetings.frame import NOTHING_LEFT, Frame, is_over
from app.terms.meetings.parts import limited, shown
from app.terms.meetings.profiles import plain_name
from app.terms.meetings.rows import Head, Note, Place, Reading, Row, Words
from app.terms.meetings.settings import plain_room
from app.terms.meetings.times import Times
from app.terms.reading.declaration import SectionWords, short_text, validated
from app.terms.reading.gathering import Gathering
from app.terms.reading.making import Room
from app.terms.reading.table import decoded, table

COLUMNS = (
    *("action", "eventType", "title", "description", "tags", "categoryIds", "categoryPaths", "resource", "resourceID"),
    *("startTime", "duration", "endTime", "recurrence", "coEditors", "coPublishers", "eventOrganizerId"),
    *("contentOwnerId", "templateEntryType"),
)
ALSO = ("calendars",)  # ours: `none` keeps what falls on a holiday
_NEEDED = ("action", "title", "startTime")

SHORTEST = 300  # seconds; who writes 90 means minutes

_ISO = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})?")
_AMERICAN = re.compile(
    r"(\d{1,2})/(\d{1,2})/(\d{4})[T ](\d{1,2}:\d{2}(?::\d{2})?)"
)  # month first, as PHP reads slashes
_KEYS = ("FREQ", "INTERVAL", "BYMONTHDAY", "BYMONTH", "BYDAY", "BYSETPOS", "COUNT")
_NUMBER = re.compile(r"-?\d{1,4}")

Values = Mapping[str, str]


def read_kaltura(body: bytes, charset: str | None, within: Frame, *, complete: bool) -> Reading:
    """Raises CannotReadError."""
    if complete:
        raise CannotReadError(
            "complete_needs_keys", "Rows of this profile have no key, so nothing can be missing: leave complete out."
        )
    known = {plain_name(name): name for name in (*COLUMNS, *ALSO)}
    found = table(decoded(body, charset), known.keys(), "#")
    if missing := [name for name in _NEEDED if plain_name(name) not in found.columns]:
        raise CannotReadError("columns", f"The header has no column {', '.join(missing)}.")
    places = {known[name]: place for name, place in found.columns.items() if name in known}
    gathering = Gathering(within)
    for line in found.lines():
        if line.ignored:
            continue
        try:
            if line.broken:
                raise RejectedError("cells", line.broken)
            values = dict.fromkeys(known.values(), "") | {name: line.cells[place] for name, place in places.items()}
            gathering.add(_row(Place(line.number), values, within))
        except RejectedError as error:
            gathering.reject(Place(line.number), None, error)
    return gathering.finish(Head())


def _row(place: Place, values: Values, within: Frame) -> Row:
    for holds, reason, detail in (
        (values["action"] in ("", "1"), "action", "Only action 1 (add) is read here."),
        (values["eventType"] in ("", "1"), "event_type", "Only event type 1 (recording) is made here."),
        (
            values["templateEntryType"].casefold() in ("", "media"),
            "template_type",
            "Only template entries of type media are made here.",
        ),
        (values["title"], "no_title", "The row has no title."),
        (values["contentOwnerId"], "no_owner", "contentOwnerId is required: who owns what is recorded."),
        (values["eventOrganizerId"], "no_organizer", "eventOrganizerId is required: who arranges it."),
        (
            not (values["categoryIds"] and values["categoryPaths"]),
            "categories_both",
            "Kaltura takes categoryIds or categoryPaths, and with both of them none: leave one out.",
        ),
    ):
        if not holds:
            raise RejectedError(reason, detail)
    words = _words(values)
    room = _resource(values, within)
    times, skip, notes = _times(values, within)
    calendars = values["calendars"].casefold()
    return Row(
        place=place,
        section=None,
        words=words,
        times=times,
        room=room.name,
        resource=room.resource,
        calendars=None if not calendars else () if calendars == "none" else tuple(_list(calendars)),
        skip=skip,
        notes=notes,
    )


def _words(values: Values) -> Words:
    categories: list[Any] = [int(one) for one in _list(values["categoryIds"]) if one.isdecimal() and one.isascii()]
    said: dict[str, Any] = {
        "section": "-",
        "title": values["title"],
        "description": values["description"],
        "tags": _list(values["tags"]),
        "categories": categories or _list(values["categoryPaths"]),
        "editors": _list(values["coEditors"]),
        "publishers": _list(values["coPublishers"]),
        "instructors": [values["contentOwnerId"]],
        "contact": values["eventOrganizerId"],
    }
    section = validated(SectionWords, said)
    return Words(
        title=section.title,
        description=section.description,
        tags=tuple(section.tags),
        categories=tuple(section.categories),
        owner=section.instructors[0],
        editors=tuple(section.editors),
        publishers=tuple(section.publishers),
        organizer=section.contact,
    )


def _list(cell: str) -> list[str]:
    return list(dict.fromkeys(filter(None, map(str.strip, re.split("[,;|]", cell)))))


def _resource(values: Values, within: Frame) -> Room:
    name, number = short_text("resource", values["resource"]), values["resourceID"]
    if not name and not number:
        raise RejectedError("no_resource", "The row names no resource: fill in resource, or resourceID.")
    if number and not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise RejectedError("unknown_room", f"'{shown(number)}' is no resource's id.")
    if within.resources is None:
        return Room(name or number, name or int(number))
    by_id = within.resources.get(int(number)) if number else None
    by_name = within.by_name.get(plain_room(name)) if name else None
    if (number and by_id is None) or (name and by_name is None):
        what = shown(name) if name and by_name is None else number
        raise RejectedError("unknown_room", f"Kaltura has no resource '{what}'. Mend the name, or the id.")
    if number and name and by_id != by_name:
        raise RejectedError(
            "resource_differs", f"{number} is {by_id}, and the row's resource is {by_name}: Kaltura would take the id."
        )
    return Room(by_id or by_name, by_id or by_name)


# --- times ---------------------------------------------------------------------------------------------------


def _times(values: Values, within: Frame) -> tuple[Times | None, str | None, tuple[Note, ...]]:
    """When it is held; or why nothing is; and what to say of it."""
    start = _moment("startTime", values["startTime"], within)
    if start is None:
        raise RejectedError("no_time", "The row has no startTime.")
    end = _moment("endTime", values["endTime"], within)
    seconds = _seconds(values["duration"])
    if not values["recurrence"]:
        minutes = _once(start, end, seconds, within)
        return _in_term(Times(start.time(), minutes, start.date()), [], within)
    if seconds is None:
        raise RejectedError("no_duration", "A recurrence needs a duration, in seconds: endTime is where it ends.")
    rule, notes = _rule(values["recurrence"], start, end)
    return _in_term(
        Times(start.time(), limited(seconds // 60, within.settings.max_hours), start.date(), rule), notes, within
    )


def _moment(column: str, text: str, within: Frame) -> datetime | None:
    """Wall-clock time of the term's zone."""
    if not text:
        return None
    try:
        if _ISO.fullmatch(text):
            found = datetime.fromisoformat(text)
        elif american := _AMERICAN.fullmatch(text):
            clock = american[4].rjust(len("09:00:00") if american[4].count(":") > 1 else len("09:00"), "0")
            day = date(int(american[3]), int(american[1]), int(american[2]))
            found = datetime.fromisoformat(f"{day}T{clock}")
        else:
            raise ValueError
        if found.tzinfo:
            found = found.astimezone(within.zone).replace(tzinfo=None, fold=0)
        if not 2000 <= found.year <= 2099:
            raise ValueError
    except (ValueError, OverflowError):
        raise RejectedError(
            "time_unreadable", f"{column} '{shown(text)}' is not a time: write 2027-01-13T09:00:00."
        ) from None
    return found.replace(second=0) if column == "startTime" else found


def _seconds(text: str) -> int | None:
    if not text:
        return None
    seconds = int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else 0
    if seconds < SHORTEST or seconds % 60:
        wrong = "is less than five minutes" if 0 < seconds < SHORTEST else "is not whole minutes"
        raise RejectedError(
            "duration", f"duration '{shown(text)}' {wrong}: it counts seconds, and 50 minutes are 3000."
        )
    return seconds


def _once(start: datetime, end: datetime | None, seconds: int | None, within: Frame) -> int:
    if end is None and seconds is None:
        raise RejectedError("no_duration", "The row has neither a duration, in seconds, nor an endTime.")
    lasts = timedelta(seconds=seconds or 0) if end is None else end - start
    if lasts <= timedelta(0):
        raise RejectedError("end_before_start", "endTime is not after startTime. Mend one of them.")
    if seconds is not None and lasts != timedelta(seconds=seconds):
        raise RejectedError(
            "end_and_duration",
            f"duration says {seconds // 60} minutes, endTime {lasts.total_seconds() / 60:g}. Leave one of them out.",
        )
    if lasts % timedelta(minutes=1):
        raise RejectedError("duration", "It does not last whole minutes.")
    return limited(int(lasts / timedelta(minutes=1)), within.settings.max_hours)


def _rule(text: str, start: datetime, end: datetime | None) -> tuple[Rule, list[Note]]:
    """`FREQ=WEEKLY,INTERVAL=1,BYDAY=MO;WE`: commas between the parts, semicolons within them."""
    parts = dict[str, str]()
    for part in text.upper().replace(" ", "").split(","):
        name, equals, value = part.partition("=")
        if not equals or "=" in value or name in parts:
            raise RejectedError(
                "recurrence",
                "Kaltura's recurrences have commas between the parts and semicolons within them, each part once: "
                "FREQ=WEEKLY,INTERVAL=1,BYDAY=MO;WE,COUNT=40.",
            )
        if name not in _KEYS:
            raise RejectedError(
                "recurrence_key",
                f"{shown(name)} is not among Kaltura's keys, which are {', '.join(_KEYS)}: it would be dropped. "
                "A series ends by COUNT, or by endTime.",
            )
        parts[name] = value
    count, until, notes = _int(parts.pop("COUNT", "")), None, []
    if end is not None:
        until = end.date() if end.time() >= start.time() else end.date() - timedelta(days=1)
        if count is not None:
            notes.append(Note("count_ignored", "The row has COUNT and endTime: as in Kaltura, it ends by endTime."))
            count = None
    if count is None and until is None:
        raise RejectedError("no_end", "The series has no end: give COUNT, or endTime.")
    if "BYMONTH" in parts:
        raise RejectedError("recurrence", "BYMONTH is not read here: write a row for each month.")
    try:
        rule = Rule(
            frequency=parts.get("FREQ", "").lower(),  # type: ignore[arg-type] # checked by Rule
            interval=_int(parts.get("INTERVAL", "")) or 1,
            days=tuple(parse_day(day) for day in parts["BYDAY"].split(";")) if parts.get("BYDAY") else (),
            month_days=_ints(parts.get("BYMONTHDAY", "")),
            positions=_ints(parts.get("BYSETPOS", "")),
            count=count,
            until=until,
        )
    except RuleError as error:
        raise RejectedError("recurrence", f"{error.detail} Mend the recurrence.") from None
    if end is not None and until is not None and until < end.date() and _occurs(rule, start.date(), end.date()):
        notes.append(
            Note("until_before_last", f"The series ends before the session of {end.date()}: as in Kaltura, without it.")
        )
    return rule, notes


def _occurs(rule: Rule, first: date, day: date) -> bool:
    return first <= day and day in list(walk(rule, first, min(day, first + timedelta(days=1100))))


def _int(text: str) -> int | None:
    if not text:
        return None
    if not _NUMBER.fullmatch(text):
        raise RejectedError("recurrence", f"'{shown(text)}' is not a number. Mend the recurrence.")
    return int(text)


def _ints(text: str) -> tuple[int, ...]:
    return tuple(number for piece in text.split(";") if (number := _int(piece)) is not None)


def _in_term(times: Times, notes: list[Note], within: Frame) -> tuple[Times | None, str | None, tuple[Note, ...]]:
    """The same within the term: a rule that leaves it is cut, one that counts is counted again."""
    term, rule = within.settings, times.rule
    horizon = min(term.last_date, times.first + timedelta(days=1000))
    end = times.start.hour * 60 + times.start.minute + times.minutes
    if rule is None:
        held = [times.first] if term.first_date <= times.first <= term.last_date else []
        last = times.first
    else:
        until = min(rule.until or horizon, horizon)
        dates = list(walk(rule, times.first, until))[: rule.count] if until >= times.first else []
        held = [day for day in dates if day >= term.first_date]
        last = rule.until or max(dates, default=times.first)
    if not held:
        return None, "past" if is_over(last, end, within) else NOTHING_LEFT, ()
    if rule is None:
        return times, None, tuple(notes)
    before = len(dates) - len(held)
    cut = before or (rule.until and rule.until > horizon) or (rule.count and len(dates) < rule.count)
    if cut:
        notes.append(Note("clipped", f"Only what lies from {term.first_date} to {term.last_date} is recorded."))
        rule = _until(rule, min(rule.until or held[-1], held[-1]))
    elif held[0] != times.first:
        detail = f"{times.first} is not one of its days: the first session is on {held[0]}."
        notes.append(Note("first_day", detail))
    return Times(times.start, times.minutes, held[0], rule), None, tuple(notes)


def _until(rule: Rule, last: date) -> Rule:
    return Rule(
        rule.frequency,
        rule.interval,
        rule.days,
        rule.month_days,
        rule.positions,
        until=last,
        week_start=rule.week_start,
    )
