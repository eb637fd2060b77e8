"""Days, times, weeks and dates as timetables write them. What is not understood is rejected, never guessed."""

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache, lru_cache

from app.http.times import FIRST_YEAR, LAST_YEAR
from app.recurrence.rules import WEEKDAYS
from app.terms.meetings.errors import RejectedError

MIDNIGHT = 24 * 60
MAX_WEEK = 200

_CLOCK = re.compile(r"(\d{1,2})[:.h](\d{2})(?:[:.]00)?(?:\s*([ap])\.?m\.?)?|(\d{1,2})\s*([ap])\.?m\.?", re.IGNORECASE)
_DIGITS = re.compile(r"(\d{1,2})(\d{2})")
_DASH = re.compile(r"\s*[-‐‑‒–—−]\s*")
_WEEKS = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")
_PATTERN = re.compile(r"[01]{1,200}")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ]00:00(?::00)?)?")
_BETWEEN = re.compile(r"[\s,;|/+&]+")

# The first day is Monday. Two letters only where no two languages share them: `di` is Dienstag and dimanche.
_NAMES = (
    "mo mon monday montag lun lundi lunedì lunedi lunes",
    "tu tue tues tuesday di die dienstag mar mardi martedì martedi martes",
    "we wed wednesday mi mit mittwoch mer mercredi mercoledì mercoledi mié mie miércoles miercoles",
    "th thu thur thurs thursday do don donnerstag jeu jeudi gio giovedì giovedi jue jueves",
    "fr fri friday fre freitag ven vendredi venerdì venerdi vie viernes",
    "sa sat saturday sam samstag sonnabend samedi sab sabato sáb sábado sabado",
    "su sun sunday so son sonntag dim dimanche dom domenica domingo",
)
DAY_NAMES: Mapping[str, str] = {name: WEEKDAYS[index] for index, line in enumerate(_NAMES) for name in line.split()}
_CODES = {day.casefold(): day for day in WEEKDAYS}
_ODD, _EVEN = {"odd", "ungerade", "impair", "impaires"}, {"even", "gerade", "pair", "paires"}

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FORM = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<short>\d{2})",
    "MON": rf"(?P<name>{'|'.join(_MONTHS)})",
    "MM": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{1,2})",
}


@lru_cache(maxsize=4096)
def read_time(text: str) -> tuple[int, bool]:
    """Minutes since midnight, 0 to 1440 (24:00), and whether a lost zero was put back: `900` is 09:00.

    `09:00`, `9.00`, `9h00`, `0900`, `9:00 am`, `9 am`; seconds only if they are 00.
    """
    if found := _CLOCK.fullmatch(text):
        hour, minute = int(found[1] or found[4]), int(found[2] or 0)
        half = (found[3] or found[5] or "").lower()
        if half:
            hour = hour % 12 + (12 if half == "p" else 0) if 1 <= hour <= 12 else 99
        padded = False
    elif found := _DIGITS.fullmatch(text):
        hour, minute, padded = int(found[1]), int(found[2]), len(text) == 3
    else:
        hour, minute, padded = 99, 0, False
    if minute > 59 or hour * 60 + minute > MIDNIGHT:
        raise RejectedError("time_unreadable", f"'{shown(text)}' is not a time of day: write 09:00 or 0900.")
    return hour * 60 + minute, padded


def length(start: int, end: int, max_hours: int) -> int:
    """Minutes from one time of day to another, over midnight if that is short enough."""
    if start == MIDNIGHT:
        raise RejectedError("time_unreadable", "Nothing begins at 24:00: write 00:00, and the next day.", "/start")
    if start == end:
        raise RejectedError("no_duration", "It ends when it begins: give the time when it ends.", "/end")
    minutes = end - start
    if minutes < 0:
        minutes += MIDNIGHT
        if minutes > max_hours * 60:
            raise RejectedError(
                "end_before_start",
                f"It ends before it begins; across midnight it would last {hours(minutes)}, and the term's max_hours "
                f"is {max_hours}. Mend the times.",
                "/end",
            )
    return limited(minutes, max_hours)


def limited(minutes: int, max_hours: int) -> int:
    if minutes > max_hours * 60:
        raise RejectedError(
            "too_long",
            f"It lasts {hours(minutes)}, and the term's max_hours is {max_hours}. Mend the times, or raise max_hours.",
            "/end",
        )
    return minutes


def hours(minutes: int) -> str:
    return f"{minutes / 60:.4g} hours"


def read_days(text: str, table: Mapping[str, str] = DAY_NAMES) -> tuple[str, ...]:
    """Weekdays in the week's order. `table` has the words in lower case; short ones may stand side by side: MWF."""
    letters = _CODES if table is DAY_NAMES else table
    found = set()
    for piece in _BETWEEN.split(text.strip(" ,;|/+&")):
        word = piece.casefold().rstrip(".")
        if word in table:
            found.add(table[word])
            continue
        while word:
            size = next((size for size in (3, 2, 1) if word[:size] in letters), 0)
            if not size:
                raise RejectedError("days_unreadable", _days_rule(piece, table))
            found.add(letters[word[:size]])
            word = word[size:]
    if not found:
        raise RejectedError("days_unreadable", _days_rule(text, table))
    return tuple(sorted(found, key=WEEKDAYS.index))


def _days_rule(text: str, table: Mapping[str, str]) -> str:
    known = "MO, TU, WE, TH, FR, SA, SU" if table is DAY_NAMES else ", ".join(word.upper() for word in table)
    return f"'{shown(text)}' is not a day: write {known}."


def read_weeks(text: str, last: int) -> tuple[int, ...]:
    """Numbers of weeks, ascending: `1-5,7-11`, `1–5; 7–11`, `2,4,6`, `3`, `odd`, `even 2-10`. `last` ends
    what is open."""
    parity, weeks = None, set[int]()
    for piece in _DASH.sub("-", text.casefold()).replace(",", " ").replace(";", " ").replace("|", " ").split():
        if piece in _ODD | _EVEN and parity is None:
            parity = 1 if piece in _ODD else 0
        elif found := _WEEKS.fullmatch(piece):
            first, until = int(found[1]), int(found[2] or found[1])
            if not 1 <= first <= until <= MAX_WEEK:
                raise _weeks_error(piece, "weeks begin with 1, and a range goes forward")
            weeks.update(range(first, until + 1))
        else:
            raise _weeks_error(piece, "write 1-5,7-11, or odd, or even")
    if parity is not None:
        weeks = {week for week in weeks or range(1, max(last, 1) + 1) if week % 2 == parity}
    if not weeks:
        raise _weeks_error(text, "write 1-5,7-11, or odd, or even")
    return tuple(sorted(weeks))


def read_week_pattern(text: str) -> tuple[int, ...]:
    """The weeks that have a 1: `11111011111000`."""
    if not _PATTERN.fullmatch(text) or "1" not in text:
        raise _weeks_error(text, "a pattern has a 1 for each week with a session, and a 0 for each without")
    return tuple(number for number, held in enumerate(text, 1) if held == "1")


def _weeks_error(text: str, rule: str) -> RejectedError:
    return RejectedError("weeks_unreadable", f"'{shown(text)}' are not weeks: {rule}.")


def read_date(text: str, form: str) -> date:
    """A date in the profile's form, or as 2027-01-13."""
    found = _ISO.fullmatch(text)
    numbers = (int(found[1]), int(found[2]), int(found[3])) if found else _by_form(text, form)
    try:
        if numbers and FIRST_YEAR <= numbers[0] <= LAST_YEAR:
            return date(*numbers)
    except ValueError:
        pass
    also = "" if form == "YYYY-MM-DD" else f" (this profile says {form})"
    raise RejectedError("date_unreadable", f"'{shown(text)}' is not a date: write 2027-01-13{also}.")


def _by_form(text: str, form: str) -> tuple[int, int, int] | None:
    pattern = date_form(form)
    if pattern is None or not (found := pattern.fullmatch(text)):
        return None
    said = found.groupdict()
    year = int(said["year"]) if said.get("year") else 2000 + int(said["short"])
    month = _MONTHS.index(said["name"].lower()) + 1 if said.get("name") else int(said["month"])
    return year, month, int(said["day"])


@cache
def date_form(form: str) -> re.Pattern[str] | None:
    """The pattern of a form like DD-MON-YY; None if that is not one."""
    pieces = re.split(r"(YYYY|YY|MON|MM|DD)", form)
    kinds = sorted(piece[0] for piece in pieces if piece in _FORM)
    if kinds != ["D", "M", "Y"] or any(char.isalnum() for piece in pieces if piece not in _FORM for char in piece):
        return None
    return re.compile("".join(_FORM.get(piece) or re.escape(piece) for piece in pieces), re.IGNORECASE)


def week_dates(days: tuple[str, ...], week: int, week_1: date) -> list[date]:
    """The dates of a week's days, ascending."""
    begin = week_1 + timedelta(weeks=week - 1)
    offsets = sorted((WEEKDAYS.index(day) - begin.weekday()) % 7 for day in days)
    return [begin + timedelta(days=offset) for offset in offsets]


def shown(text: str) -> str:
    """What a message repeats of a cell: printable, and short."""
    clean = "".join(char if char.isprintable() else "\ufffd" for char in text[:40])
    return clean + "…" if len(text) > 40 else clean
