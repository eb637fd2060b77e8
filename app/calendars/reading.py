"""What a body says, as JSON or as text/calendar: the days of a calendar, and what is left out of it.

bytes ── by their media type ──▶ Said ── a make-up day on which nothing is recorded is left out ──▶ Said
                                        what meets as several weekdays is warned of
"""

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.calendars import ics
from app.calendars.days import Ignored, Named, Said, Warned
from app.calendars.schemas import MAX_DAYS, CalendarDocument
from app.http.errors import UnsupportedMediaType
from app.recurrence.occurrences import Exclusion, excluding


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent. `categories`: those of its query, None if it has none."""

    content: bytes
    media_type: str
    categories: str | None


def read(body: Body, today: date) -> Said:
    """Raises RequestValidationError, and UnsupportedMediaType for what is neither JSON nor a calendar."""
    if body.media_type == "text/calendar":
        named = [one for one in map(str.strip, (body.categories or "").split(",")) if one]
        said = ics.read(body.content, named, today)
    elif body.media_type == "application/json" or body.media_type.endswith("+json"):
        if body.categories is not None:
            raise _refused(("query", "categories"), "is for text/calendar: JSON says only days that count")
        said = _from_json(body.content)
    else:
        raise UnsupportedMediaType("Send JSON as application/json, or an iCalendar file as text/calendar.")
    return _bounded(_told_of_several(_without_closed(said)))


def _from_json(content: bytes) -> Said:
    try:
        document = CalendarDocument.model_validate(json.loads(content))
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise RequestValidationError([one | {"loc": ("body", *one["loc"])} for one in found]) from None
    except (ValueError, RecursionError):
        raise _refused(("body",), "the body must be valid JSON, in UTF-8") from None
    days = [
        Named(None, item, item) if isinstance(item, date) else Named(item.name, item.begins, item.ends, item.meets_as)
        for item in document.days
    ]
    return Said(document.title, tuple(days))


def _without_closed(said: Said) -> Said:
    """On a date that is closed nothing is made up for. The rest in order of time, each once."""
    closed = excluding([Exclusion(day.first, day.last) for day in said.days if day.meets_as is None])
    ignored, warnings, days = list[Ignored](), list[Warned](), set[Named]()
    for day in said.days:
        if day.meets_as is not None and closed(day.first):
            ignored.append(Ignored(day.name, day.first, day.last, "closed"))
            detail = f"{day.name or 'The make-up day'}, on {day.first}, is no make-up day: nothing is recorded then."
            warnings.append(Warned("closed", detail))
        else:
            days.add(day)
    ordered = sorted(days, key=lambda day: (day.first, day.last, day.name or "", day.meets_as or ""))
    return replace(said, days=tuple(ordered), ignored=(*said.ignored, *ignored), warnings=(*said.warnings, *warnings))


def _told_of_several(said: Said) -> Said:
    """With a warning of each date that meets as several weekdays (app/recurrence/make_up.py)."""
    weekdays = defaultdict[date, dict[str, None]](dict)
    for day in said.days:
        if day.meets_as is not None:
            weekdays[day.first][day.meets_as] = None
    several = (
        Warned("several_weekdays", f"{day} meets as {' and as '.join(found)}: the sessions of each are held then.")
        for day, found in weekdays.items()
        if len(found) > 1
    )
    return replace(said, warnings=(*said.warnings, *several))


def _bounded(said: Said) -> Said:
    """Dates that several entries hold count once. The days are in order of time."""
    count = until = 0
    for day in said.days:
        first, last = day.first.toordinal(), day.last.toordinal()
        count += max(0, last - max(first - 1, until))
        until = max(until, last)
    if len(said.days) > MAX_DAYS:
        rule = f"must have at most 1,000 entries, and has {len(said.days):,}: name the categories that count"
        raise _refused(("body", "days"), rule)
    if count > MAX_DAYS:
        rule = f"must be at most 1,000 dates in all, and are {count:,}: name the categories that count, or fewer years"
        raise _refused(("body", "days"), rule)
    return said


def _refused(loc: tuple[str, ...], rule: str) -> RequestValidationError:
    return RequestValidationError([{"type": "rule", "loc": loc, "ctx": {"rule": rule}}])
