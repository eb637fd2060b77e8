"""Dates and times as documents, queries and answers write them (RFC 3339)."""

import re
from datetime import UTC, date, datetime, time
from typing import Annotated

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    PlainSerializer,
    WithJsonSchema,
)

from app.http.fields import broken, kind

FIRST_YEAR, LAST_YEAR = 2000, 2099  # far enough for every term, near enough that no arithmetic overflows

_DAY = r"(?P<year>[0-9]{4})-[0-9]{2}-[0-9]{2}"
_DATE = re.compile(_DAY)
_MINUTE = rf"{_DAY}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]"
_OFFSET = "(?P<offset>[Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])?"
_TIME = re.compile(rf"(?P<local>{_MINUTE}(:[0-5][0-9])?)(\.0{{1,9}})?{_OFFSET}")
_MOMENT = re.compile(rf"(?P<local>{_MINUTE}(:[0-5][0-9](\.[0-9]{{1,9}})?)?){_OFFSET}")

_CLOCK = re.compile("([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")


def _matched(pattern: re.Pattern[str], value: object, rule: str) -> re.Match[str]:
    if not isinstance(value, str):
        raise broken(f"{rule}, got {kind(value)}")
    found = pattern.fullmatch(value)
    if not found:
        raise broken(rule)
    if not FIRST_YEAR <= int(found["year"]) <= LAST_YEAR:
        raise broken(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return found


def _read_date(value: object) -> date:
    found = _matched(_DATE, value, "must be a string with a date like 2027-01-13")
    try:
        return date.fromisoformat(found[0])
    except ValueError:
        raise broken("must be a day that the calendar has") from None


def _read_time(value: object) -> datetime:
    rule = "must be a string with a time like 2027-01-13T09:00:00, in whole seconds, with or without an offset"
    return _timed(_matched(_TIME, value, rule))


def _timed(found: re.Match[str]) -> datetime:
    try:
        return datetime.fromisoformat((found["local"] + (found["offset"] or "")).upper())  # RFC 3339, 5.6: in any case
    except ValueError:
        raise broken("must be a day that the calendar has") from None


def _read_clock(value: object) -> time:
    rule = "must be a string with a time of day like 14:00"
    if not isinstance(value, str):
        raise broken(f"{rule}, got {kind(value)}")
    if not _CLOCK.fullmatch(value):
        raise broken(rule)
    return time.fromisoformat(value)


def _read_moment(value: object) -> datetime:
    if isinstance(value, str) and _DATE.fullmatch(value):
        return datetime.combine(_read_date(value), time(), UTC)
    # An unescaped "+" of a query arrives as a space.
    value = value.replace(" ", "+") if isinstance(value, str) else value
    read = _timed(_matched(_MOMENT, value, "must be a string with a time like 2027-01-13T09:00:00Z, or a date"))
    if read.tzinfo is None:
        raise broken("must have an offset from UTC, or Z")
    return read


def _show_time(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


def _show_clock(value: time) -> str:
    return value.isoformat("seconds" if value.second else "minutes")


def _show_instant(value: datetime) -> str:
    timespec = "milliseconds" if value.microsecond else "seconds"
    return value.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


LocalDate = Annotated[date, BeforeValidator(_read_date)]
"""A date without a time, in some room's zone: `2027-01-13`."""

LocalClock = Annotated[
    time,
    BeforeValidator(_read_clock),
    PlainSerializer(_show_clock, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK.pattern}$"}),
]
"""A time of day by the clocks of some room's zone: `14:00`."""

LocalTime = Annotated[
    datetime,
    BeforeValidator(_read_time),
    PlainSerializer(_show_time, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^" + re.sub(r"\?P<\w+>", "", _TIME.pattern) + "$"}),
]
"""A wall-clock time (naive), or one with the offset that the client gave it (aware). In whole seconds: a
fraction is read only where it is zero, as JavaScript writes it."""

_INSTANTS = [
    {"format": "date-time", "description": "An instant, with an offset."},
    {"format": "date", "description": "Its first instant in UTC."},
]
Moment = Annotated[
    datetime,
    BeforeValidator(_read_moment),
    WithJsonSchema({"type": "string", "anyOf": _INSTANTS}),
]
"""An instant that a client names: RFC 3339 with an offset, or a date, which is its first instant in UTC.

With a fraction of a second, as JavaScript and Python write it: it is compared, and nothing takes place then."""

Instant = Annotated[AwareDatetime, PlainSerializer(_show_instant, return_type=str)]
"""An instant, shown in UTC: `2027-01-13T14:00:00Z`. With milliseconds where it has some."""

ZonedTime = Annotated[AwareDatetime, PlainSerializer(datetime.isoformat, return_type=str)]
"""A wall-clock time, shown with its offset: `2027-01-13T09:00:00-05:00`."""
