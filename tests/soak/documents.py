"""What clients want in a soak: documents, what a batch makes of them, and when their sessions are.

A family is ten documents, one of each kind, at one hour in ten rooms:

    0, 1   change rooms with each other in a batch            5   is made shorter in the same batch
    2      meets the hour that Kaltura's server repeats       6   is cancelled
    3      runs across the spring gap                         7   names a category that is not there
    4      has a category that many have                      8   goes to another hour in the same batch
                                                              9   wants the hour of another family
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import DAILY, WEEKLY, rrule, weekday

Json = dict[str, Any]
Span = tuple[int, int]  # seconds since 1970

FAMILY = 10
ROOMS = 100
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
SERVER = "America/New_York"  # the zone of Kaltura's server
REPEATED = datetime(2027, 11, 7, 6, tzinfo=UTC)  # the hour that it has no name for
HOUR = 3600
UNTIL = "2028-01-01T00:00:00Z"  # all is over by then


def room(number: int) -> str:
    return f"SOAK-{number % ROOMS:03d}"


def reference(number: int) -> str:
    return f"SOAK-{number:04d}"


def document(number: int) -> Json:
    """Each in its own hour of one of the rooms, but for kind 9."""
    hour, kind = number // ROOMS, number % FAMILY
    shape: Json = {"recurrence": {"frequency": "weekly", "days": ["MO", "WE"], "count": 6}, "exclude": ["2027-01-20"]}
    if kind == 2:
        sundays = {"frequency": "weekly", "days": ["SU"], "count": 3}
        shape = {"start": f"2027-10-31T{12 + hour:02d}:00:00", "time_zone": "Asia/Kolkata", "recurrence": sundays}
    if kind == 3:  # two series and a single event
        shape = {"start": "2027-03-12T02:30:00", "recurrence": {"frequency": "daily", "count": 4}}
    if kind in (1, 4):
        shape["categories"] = ["Mathematics"]
    if kind == 7:
        shape["categories"] = ["No>Such>Category"]
    if kind == 9 and hour:
        hour -= 1
    return {
        "reference_id": reference(number),
        "title": f"Soak {number}",
        "resource": {"system_name": room(number), "name": room(number)},
        "start": f"2027-01-13T{8 + hour:02d}:00:00",
        "time_zone": "America/New_York",
        "duration_minutes": 50,
        "on_conflict": "reject" if kind != 3 else "allow",
    } | shape


def changes(family: int) -> dict[int, Json]:
    """The patches of a family's batch, by the number of their documents."""
    first = family * FAMILY
    start = datetime.fromisoformat(document(first + 8)["start"]) + timedelta(hours=5)
    return {
        first: {"resource": room(first + 1)},
        first + 1: {"resource": room(first)},
        first + 5: {"duration_minutes": 40},
        first + 8: {"start": start.isoformat()},
    }


def place(document: Json) -> str:
    """The system name of its room."""
    named = document["resource"]
    return str(named if isinstance(named, str) else named["system_name"])


def sessions(document: Json) -> list[Span]:
    """When it is to be recorded. A time that a spring gap leaves out takes the offset from before it."""
    rule, begins = document["recurrence"], datetime.fromisoformat(document["start"])
    found = rrule(
        DAILY if rule["frequency"] == "daily" else WEEKLY,
        begins,
        count=rule["count"],
        byweekday=[weekday(DAYS.index(day)) for day in rule["days"]] if "days" in rule else None,
    )
    left_out = {date.fromisoformat(day) for day in document.get("exclude", [])}
    zone, length = ZoneInfo(document["time_zone"]), document["duration_minutes"] * 60
    starts = [int(one.replace(tzinfo=zone).timestamp()) for one in found if one.date() not in left_out]
    return [(start, start + length) for start in starts]


def in_kaltura(span: Span) -> Span:
    """Where Kaltura has it: what begins in the hour that its server repeats begins a second before that hour."""
    first = int(REPEATED.timestamp())
    start, end = span
    within = first <= start < first + HOUR, first <= end < first + HOUR
    return first - 1 if within[0] else start, first + HOUR if within[1] else end
