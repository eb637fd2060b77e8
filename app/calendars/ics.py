"""text/calendar (RFC 5545) as a registrar exports it: which of its events are campus days.

    an event       is cancelled? ──▶ left out
                   has times? ─────▶ left out, with a warning if its category counts
                   X-LECTERN-MEETS-AS ──▶ each of its dates is a make-up day
                   no named category? ──▶ left out
                   else ─────▶ nothing is recorded on its dates

Its dates are those of DTSTART, RRULE and RDATE without EXDATE, and without those that another event with its UID and a
RECURRENCE-ID replaces: from a year ago to five years ahead. `DTEND` is the day after the last.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import islice, takewhile
from typing import Any

from dateutil.rrule import rrule, rrulestr
from fastapi.exceptions import RequestValidationError
from icalendar import Calendar, Component

from app.calendars.days import Ignored, Named, Reason, Said, Warned
from app.recurrence.rules import WEEKDAYS

BEFORE, AHEAD = timedelta(days=366), timedelta(days=5 * 366)
MAX_EVENTS = 5000
MAX_LOOKS = 500_000  # days that all rules of a file may look at: a second or two
A_YEAR = 366  # days: dateutil may look at as many before the first, and after the last
MAX_DATES = 1001  # of one make-up event: a calendar of more is refused
MAX_NAMED = 20  # categories in one warning
MAX_TOLD = 1000  # of what is left out
_FOLD = re.compile(rb"\r?(?:(?<!\n)\r\n|(?<![\r\n])\n)(?:\r?\n)*[ \t]")  # icalendar's own: it looks at each byte once
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


class Unreadable(Exception):  # noqa: N818
    """An event has dates that cannot be read."""


class _Beyond(Exception):  # noqa: N818
    """A rule has been walked past all that matters."""


class _Months(tuple[int, ...]):
    """A rule's months, which dateutil asks about each day that it looks at, one after the other: `left` of them.

    It looks at UNTIL only when a date comes out, so a rule that yields none would be walked to the year 9999.
    """

    left: int

    def __contains__(self, month: object) -> bool:
        self.left -= 1
        if self.left < 0:
            raise _Beyond
        return super().__contains__(month)


def read(content: bytes, categories: Sequence[str], today: date) -> Said:
    """The days of the events in these categories, of all if none is named. Raises RequestValidationError."""
    file = _calendar(content)
    events = file.walk("VEVENT")
    if len(events) > MAX_EVENTS:
        raise _refused(f"must have at most {MAX_EVENTS:,} events, and has {len(events):,}")
    counted = set(map(_plain, categories))
    replaced = _replaced(events)
    looks = 0
    days, ignored, warnings = list[Named](), list[Ignored](), list[Warned]()
    for event in events:
        name = _text(event, "SUMMARY")
        try:
            looks += _days_walked(event, today)
            if looks > MAX_LOOKS:
                raise _refused("takes too long to work out: let its rules begin later, or send fewer of them")
            why, spans = _left_out(event, counted), list(_spans(event, replaced, today))
        except (Unreadable, ValueError, TypeError, AttributeError, OverflowError):
            detail = f"The dates of {name or 'an event without a name'} cannot be read: it excludes nothing."
            warnings.append(Warned("unreadable", detail))
            ignored.append(Ignored(name, None, None, "unreadable"))
            continue
        makes_up = [] if why else list(islice(_make_up_days(event, name, spans), MAX_DATES))
        looks += len(makes_up)
        if why is None:
            days += makes_up or [Named(name, first, last) for first, last in spans]
            continue
        ignored += [Ignored(name, first, last, why) for first, last in spans]
        if why == "not_a_whole_day" and spans and _counts(event, counted):
            when = " and ".join(str(first) for first, _ in spans[:2]) + (" and later" if len(spans) > 2 else "")
            detail = f"{name or 'An event without a name'}, on {when}, is not a whole day: it excludes nothing."
            warnings.append(Warned("partial_day", detail))
    warnings += _nowhere(categories, events)
    return Said(_text(file, "X-WR-CALNAME"), tuple(days), tuple(ignored[:MAX_TOLD]), tuple(warnings[:MAX_TOLD]))


def _calendar(content: bytes) -> Component:
    try:
        text = _FOLD.sub(b"", content).decode("utf-8-sig")  # a line may be folded within a character (RFC 5545 3.1)
    except UnicodeDecodeError as error:
        raise _refused(f"must be UTF-8: byte {_unfolded_from(content, error.start) + 1} of the body is not") from None
    if "\n" not in text:  # lines of an old Mac
        text = text.replace("\r", "\n")
    try:
        found = Calendar.from_ical(text.replace("\r\r\n", "\r\n"))  # of a CRLF that was made one again
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise _refused("must be one calendar by RFC 5545, from BEGIN:VCALENDAR to END:VCALENDAR") from None
    if not isinstance(found, Component) or found.name != "VCALENDAR":
        raise _refused("must be one calendar by RFC 5545, from BEGIN:VCALENDAR to END:VCALENDAR")
    return found


def _unfolded_from(content: bytes, place: int) -> int:
    """Where in the content it is what is at that place once its lines are unfolded."""
    for fold in _FOLD.finditer(content):
        if fold.start() > place:
            break
        place += len(fold[0])
    return place


def _left_out(event: Component, counted: set[str]) -> Reason | None:
    if (_text(event, "STATUS") or "").upper() == "CANCELLED":
        return "cancelled"
    if isinstance(_moment(event, "DTSTART"), datetime):
        return "not_a_whole_day"
    return None if _meets_as(event) or _counts(event, counted) else "category"


def _counts(event: Component, counted: set[str]) -> bool:
    """Whether it is in one of the categories that count: in any, if none is named."""
    return not counted or not counted.isdisjoint(map(_plain, _categories(event)))


def _categories(event: Component) -> Iterator[str]:
    found = event.get("CATEGORIES", [])
    for group in found if isinstance(found, list) else [found]:
        yield from map(str, getattr(group, "cats", [group]))


def _plain(category: str) -> str:
    """By what categories are compared: é may be written as one character or as two, and a space in several ways."""
    return " ".join(unicodedata.normalize("NFKC", category).casefold().split())


def _meets_as(event: Component) -> str | None:
    """Raises Unreadable for what is no weekday, or several."""
    said = (_text(event, "X-LECTERN-MEETS-AS") or "").upper()
    if len(_listed(event, "X-LECTERN-MEETS-AS")) > 1 or (said and said not in WEEKDAYS):
        raise Unreadable
    return said or None


def _make_up_days(event: Component, name: str | None, spans: Sequence[tuple[date, date]]) -> Iterator[Named]:
    """Each date by itself: a make-up day is said of one. None, if the event is no make-up day."""
    meets_as, told = _meets_as(event), date.min
    for first, last in spans if meets_as else ():
        for day in range(max(first, told + timedelta(days=1)).toordinal(), last.toordinal() + 1):
            told = date.fromordinal(day)
            yield Named(name, told, told, meets_as)


def _nowhere(categories: Sequence[str], events: Sequence[Component]) -> Iterator[Warned]:
    """A file without events, and categories that were named and that no event has: they may be misspelt."""
    if not events:
        yield Warned("no_events", "The file has no event, so the calendar has no day.")
        return
    there = {_plain(one): one.strip()[:64] for event in events for one in _categories(event)}
    some = ", ".join(sorted(there.values())[:MAX_NAMED]) or "none"
    for category in categories:
        if _plain(category) not in there:
            yield Warned("unknown_category", f"No event is in the category {category}. In the file are: {some}.")


def _replaced(events: Sequence[Component]) -> Mapping[str, set[date]]:
    """Of each UID, the dates of which an event of its own says what becomes of them."""
    found = defaultdict[str, set[date]](set)
    for event in events:
        with suppress(ValueError, OverflowError):  # it is told as unreadable, in its turn
            one = _value(event, "RECURRENCE-ID")
            if isinstance(one, date):
                found[_text(event, "UID") or ""].add(_day(one, _zone(event)))
    return found


def _spans(event: Component, replaced: Mapping[str, set[date]], today: date) -> Iterator[tuple[date, date]]:
    """Each time that it takes place: its first and last date, within what is looked at. Raises Unreadable."""
    start = _moment(event, "DTSTART")
    if not isinstance(start, date):
        raise Unreadable
    first, more = _day(start), _length(event, start) - timedelta(days=1)
    earliest, latest = today - BEFORE - more, today + AHEAD
    gone = set() if event.get("RECURRENCE-ID") else replaced.get(_text(event, "UID") or "", set())
    for day in sorted(_dates(event, first, latest) - gone):
        if earliest <= day <= latest:
            yield day, day + more


def _days_walked(event: Component, today: date) -> int:
    """How many days its rules look at, about."""
    start = _value(event, "DTSTART")
    days = (today + AHEAD - _day(start)).days if isinstance(start, date) else 0
    return max(days, 0) * len(_listed(event, "RRULE"))


def _length(event: Component, start: date) -> timedelta:
    """Whole days, at least one. `DTEND` is the day after the last; that of a timed event is on its last."""
    end, duration = _moment(event, "DTEND"), _value(event, "DURATION")
    if isinstance(end, date):
        length = _day(end) - _day(start) + timedelta(days=isinstance(start, datetime))
    else:
        length = duration if isinstance(duration, timedelta) else timedelta(days=1)
    return max(timedelta(days=length.days), timedelta(days=1))


def _dates(event: Component, first: date, latest: date) -> set[date]:
    """The dates on which it begins, up to the latest, and perhaps some later ones."""
    found = {first}
    zone = _zone(event)
    for one in _listed(event, "RRULE"):
        if until := one.get("UNTIL"):
            one["UNTIL"] = [_day(moment, zone) for moment in until]
        found |= _yielded(one.to_ical().decode(), first, latest)
    found |= {_day(one.dt[0] if isinstance(one.dt, tuple) else one.dt, zone) for one in _several(event, "RDATE")}
    return found - {_day(one.dt, zone) for one in _several(event, "EXDATE")}


def _several(event: Component, name: str) -> Iterator[Any]:
    for group in filter(None, _listed(event, name)):  # some exporters write a line that says nothing
        yield from group.dts


def _yielded(text: str, first: date, latest: date) -> set[date]:
    if not text.upper().partition("FREQ=")[2].startswith(FREQUENCIES):
        raise Unreadable
    rule = rrulestr(text, dtstart=_at_midnight(first), ignoretz=True)
    if not isinstance(rule, rrule):
        raise Unreadable
    months = _Months(getattr(rule, "_bymonth", None) or range(1, 13))
    months.left = max((latest - first).days, 0) + A_YEAR
    setattr(rule, "_bymonth", months)  # noqa: B010 - dateutil has no other way to bound a walk
    found = set[date]()
    with suppress(_Beyond):
        for moment in takewhile(lambda moment: moment.date() <= latest, rule):
            found.add(moment.date())
    return found


def _listed(event: Component, name: str) -> list[Any]:
    found = event.get(name, [])
    return found if isinstance(found, list) else [found]


def _value(event: Component, name: str) -> object:
    return getattr(event.get(name), "dt", None)


def _moment(event: Component, name: str) -> object:
    """DTSTART or DTEND. Outlook's all-day events may say the midnights that they lie between: those are dates.

    So is what says that it is one, with a zone or a midnight.
    """
    said = _value(event, name)
    if isinstance(said, datetime) and said.time() == time() and event[name].params.get("VALUE") == "DATE":
        return said.date()
    ends = [one for one in (_value(event, "DTSTART"), _value(event, "DTEND")) if one is not None]
    if (_text(event, "X-MICROSOFT-CDO-ALLDAYEVENT") or "").upper() != "TRUE" or not isinstance(said, datetime):
        return said
    return said.date() if all(isinstance(one, datetime) and one.time() == time() for one in ends) else said


def _text(component: Component, name: str) -> str | None:
    """One line, as far as it is shown; None if there is none."""
    first = next(iter(_listed(component, name)), "")
    said = " ".join("".join(c if c.isprintable() else " " for c in str(first)).split())
    return said.encode()[:256].decode(errors="ignore") or None


def _zone(event: Component) -> tzinfo | None:
    start = _value(event, "DTSTART")
    return start.tzinfo if isinstance(start, datetime) else None


def _day(moment: date, zone: tzinfo | None = None) -> date:
    """Its date, by the clocks of the zone: an instant is often said in UTC where the event has a zone."""
    if not isinstance(moment, datetime):
        return moment
    return (moment.astimezone(zone) if zone and moment.tzinfo else moment).date()


def _at_midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def _refused(rule: str) -> RequestValidationError:
    return RequestValidationError([{"type": "rule", "loc": ("body",), "ctx": {"rule": rule}}])
