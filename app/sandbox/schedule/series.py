"""The rules of schedule events: what is refused, in which order, and how a series makes its children.

add:     recurrenceType, summary, startDate, [series: recurrence, duration], endDate, order, 2 years,
         template slot (singles only), 24 hours, read-only properties
update:  of a series always generates again: a child whose (start, end) still matches keeps its row with its
         own texts and its CANCELLED status, every other one is deleted and made anew
"""

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.sandbox.calls import Call
from app.sandbox.errors import FatalError, KalturaError, SearchDownError
from app.sandbox.schedule.events import CHILD, Body, children, remove, save
from app.sandbox.schedule.recurrence import FatalRuleError, generate
from app.sandbox.store.index import never_index
from app.sandbox.types import ACTIVE
from app.sandbox.wire.reading import Given

TWO_YEARS = 63_072_000
DAY = 86_400
DEFAULT_INTERVAL = 1


def as_stored(moment: int, server_zone: str) -> int:
    """Dates are kept as the server's wall-clock time: the second of two equal instants becomes the first (exchange
    216).
    """
    try:
        local = datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(server_zone))
    except (ValueError, OverflowError, OSError):
        return moment  # beyond the calendar's years nothing is folded
    if not local.fold:
        return moment
    first = local.replace(fold=0).utcoffset()
    second = local.utcoffset()
    return moment if first is None or second is None else moment - int((first - second).total_seconds())


def stored_span(call: Call, start: int, end: int) -> tuple[int, int]:
    """A span as it is kept, which may well end before it begins; what is refused depends on what was sent."""
    return as_stored(start, call.server_zone), as_stored(end, call.server_zone)


def check_span(start: int, end: int) -> None:
    """The limits of the span before the template's slot is looked at."""
    if end < start:
        raise KalturaError("INVALID_SCHEDULE_END_BEFORE_START", START=start, END=end)
    if end - start > TWO_YEARS:
        raise KalturaError("MAX_SCHEDULE_DURATION_REACHED", MAX=TWO_YEARS)


def check_day(start: int, end: int) -> None:
    if end - start > DAY:
        raise KalturaError("MAX_SCHEDULE_DURATION_REACHED", MAX=DAY)


def check_slot(call: Call, template: str | None, start: int, end: int, own: int = 0) -> None:
    """SCHEDULE_TIME_IN_USE if another event of the template overlaps, a cancelled one too (exchanges 202 to 208)."""
    if not template:
        return
    if call.modes.engine_away:
        raise SearchDownError
    taken = call.store.one(
        "SELECT 1 FROM event_index AS d JOIN events AS e ON e.id = d.id WHERE d.template = ? AND d.partner = ? "
        "AND d.start < ? AND d.end > ? AND d.id != ?",
        (template, call.partner, end, start, own),
    )
    if taken:
        raise KalturaError("SCHEDULE_TIME_IN_USE")


def check_recurrence(recurrence: Given | None, owner: str) -> Body:
    """A series' rule as it is kept; `owner` is the event's type, for the error."""
    if recurrence is None:
        raise KalturaError("PROPERTY_VALIDATION_CANNOT_BE_NULL", PROP_NAME=f"{owner}::recurrence")
    if recurrence.has("until") == recurrence.has("count"):
        raise KalturaError("PROPERTY_VALIDATION_ALL_MUST_BE_NULL_BUT_ONE", PROP_NAME="until / count")
    if not recurrence.has("frequency"):
        raise KalturaError("PROPERTY_VALIDATION_CANNOT_BE_NULL", PROP_NAME="frequency")
    return recurrence_body(recurrence)


def recurrence_body(recurrence: Given) -> Body:
    values = {name: value for name, value in recurrence.values.items() if value is not None}
    values.setdefault("interval", DEFAULT_INTERVAL)
    return {name: values[name] for name in recurrence.type.order if name in values} | {
        "objectType": recurrence.type.name
    }


def windows(call: Call, start: int, duration: int, recurrence: Body) -> list[tuple[int, int]]:
    """(start, end) of each occurrence that Kaltura would make; some rules are fatal to it."""
    try:
        made = generate(start, duration, recurrence, call.server_zone)
    except FatalRuleError:
        raise FatalError from None
    return [stored_span(call, first, last) for first, last in made]


def set_times(body: Body, start: int, end: int, duration: int | None = None) -> None:
    """An event that lasts no time has no duration (exchange 160); a series has its own, whatever its dates show."""
    lasts = end - start if duration is None else duration
    body["startDate"], body["endDate"] = start, end
    if lasts > 0:
        body["duration"] = lasts
    else:
        body.pop("duration", None)


def make_children(call: Call, parent: Body, slots: list[tuple[int, int]], indexed: int | None = None) -> None:
    """Children for all slots, with consecutive ids; only the first `indexed` of them get into the index."""
    first = call.store.next_id("events")
    made: list[Body] = []
    for offset, (start, end) in enumerate(slots):
        child: dict[str, Any] = {
            "id": first + offset,
            "parentId": parent["id"],
            "partnerId": parent["partnerId"],
            "status": ACTIVE,
            "sequence": 1,
            "recurrenceType": CHILD,
            "createdAt": call.now,
            "updatedAt": call.now,
            "objectType": parent["objectType"],
        }
        set_times(child, start, end)
        made.append(child)
    if indexed is not None:
        never_index(call, "event", [child["id"] for child in made[indexed:]])
    save(call, made)


def regenerate(call: Call, parent: Body) -> None:
    """Bring a series' children in line with its rule, and its own dates to the first of them."""
    duration = parent.get("duration", 0)
    slots = windows(call, parent["startDate"], duration, parent["recurrence"])
    if slots:
        set_times(parent, *slots[0], duration)
    wanted = Counter(slots)
    kept: list[Body] = []
    gone: list[int] = []
    for child in children(call, parent["id"]):
        slot = (child["startDate"], child["endDate"])
        if wanted[slot]:
            wanted[slot] -= 1
            kept.append(child)
        else:
            gone.append(child["id"])
    remove(call, gone)
    save(call, [parent, *kept])
    make_children(call, parent, list(wanted.elements()))
