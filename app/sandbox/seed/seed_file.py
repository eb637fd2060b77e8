"""The file of `lectern sandbox --seed`: a campus of one's own, in Kaltura's words.

    {"resources":  [{"name", "systemName", "id"?, …}]      cameras, unless `objectType` says otherwise
     "categories": ["Physics", {"fullName", "id"?, …}]     parents are made with them
     "events":     [{"summary", "startDate", "endDate", "recurrence"?, …, "resources": ["A-1", 562931]}]}

An event is added as `scheduleEvent.add` adds it, then linked to each of its resources (system name or id). Times may be
RFC 3339 with an offset; a number below ten years counts from now, as it does in Kaltura.

What is there already stays as it is: a resource by its system name, a category by its full name, an event that was
loaded from the same words before. So the same file can be loaded at every start.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from app.sandbox.actions import category, schedule_event, schedule_event_resource
from app.sandbox.calls import Call
from app.sandbox.errors import FatalError, KalturaError
from app.sandbox.seed.seed import ADMIN_USER, CAMERA, PARTNER_ID, plant_category, plant_resource
from app.sandbox.store.state import dumps
from app.sandbox.types import TYPES
from app.sandbox.validation import refuse_unknown
from app.sandbox.wire.reading import read_object

Item = dict[str, Any]

MAX_ID = 2**31 - 1
TIMES = ("startDate", "endDate", "until")
RECURRENCE = "KalturaScheduleEventRecurrence"


def load(call: Call, document: Any) -> dict[str, int]:
    """How many of each kind were made of what a file holds; raises ValueError, naming what is wrong and where."""
    if not isinstance(document, dict):
        raise ValueError("the file must hold a JSON object")
    refuse_unknown(document, tuple(LOADERS), "")
    call.session = call.sessions.acting_as(PARTNER_ID, ADMIN_USER)
    made = dict.fromkeys(LOADERS, 0)
    for kind, loader in LOADERS.items():
        items = document.get(kind, [])
        if not isinstance(items, list):
            raise ValueError(f"{kind} must be a list")
        for number, item in enumerate(items):
            try:
                made[kind] += loader(call, item)
            except KalturaError as error:
                raise ValueError(f"{kind}/{number}: {error.code}: {error}") from None
            except FatalError:
                raise ValueError(f"{kind}/{number}: a real Kaltura dies of this (HTTP 500, empty)") from None
            except ValueError as error:
                raise ValueError(f"{kind}/{number}: {error}") from None
    return made


def _load_resource(call: Call, item: Any) -> bool:
    wanted = {"objectType": CAMERA} | _object(item)
    _check_properties(wanted, "KalturaScheduleResource", "id")
    if not wanted.get("systemName"):
        raise ValueError("needs a systemName")
    found = call.store.one(
        "SELECT id FROM resources WHERE partner = ? AND type = ? AND system_name = ?",
        (call.partner, wanted["objectType"], str(wanted["systemName"]).casefold()),
    )
    if _is_new(call, "resources", wanted, found[0] if found else None):
        plant_resource(call, wanted)
        return True
    return False


def _load_category(call: Call, item: Any) -> bool:
    wanted = {"objectType": "KalturaCategory"} | ({"fullName": item} if isinstance(item, str) else _object(item))
    _check_properties(wanted, "KalturaCategory", "id", "fullName")
    full_name = wanted.get("fullName")
    if not isinstance(full_name, str) or not all(level == level.strip() != "" for level in full_name.split(">")):
        raise ValueError("needs a fullName without spaces around its levels, such as Canvas>site>channels>1234")
    found = category.named(call, full_name)
    if _is_new(call, "categories", wanted, found["id"] if found else None):
        plant_category(call, wanted)
        return True
    return False


def _load_event(call: Call, item: Any) -> bool:
    mark = "seeded " + hashlib.sha256(dumps(_object(item)).encode()).hexdigest()
    if call.store.meta(mark):
        return False
    is_series = item.get("recurrence") is not None
    wanted = {"objectType": "KalturaRecordScheduleEvent", "recurrenceType": int(is_series)} | item
    rooms = wanted.pop("resources", [])
    if not isinstance(rooms, list):
        raise ValueError("resources must be a list of system names and ids")
    _check_properties(wanted, "KalturaScheduleEvent")
    if is_series:
        rule = {"objectType": RECURRENCE} | _object(wanted["recurrence"])
        _check_properties(rule, RECURRENCE)
        wanted["recurrence"] = _with_times(rule)
    given = read_object(_with_times(wanted), TYPES["KalturaScheduleEvent"], "event", call.now)
    event = schedule_event.add(call, {"scheduleEvent": given})["id"]
    for room in rooms:
        sent = {"eventId": event, "resourceId": _room(call, room)}
        link = read_object(sent, TYPES["KalturaScheduleEventResource"], "link", call.now)
        schedule_event_resource.add(call, {"scheduleEventResource": link})
    call.store.set_meta(mark, str(event))
    return True


LOADERS: Mapping[str, Callable[[Call, Any], bool]] = {
    "resources": _load_resource,
    "categories": _load_category,
    "events": _load_event,
}


def _object(item: Any) -> Item:
    if not isinstance(item, dict):
        raise ValueError("must be an object")
    return item


def _check_properties(item: Item, declared: str, *more: str) -> None:
    """Kaltura drops what it does not know without a word; in a file that is a mistake."""
    kinds = {kind.name: kind for kind in TYPES.values() if kind.is_a(declared) and not kind.abstract}
    kind = kinds.get(str(item["objectType"]))
    if kind is None:
        raise ValueError(f"objectType must be one of {', '.join(kinds)}")
    properties = kind.properties
    writable = [name for name in properties if not properties[name].read_only]
    refuse_unknown(item, ("objectType", *more, *writable), "")


def _is_new(call: Call, table: str, wanted: Item, found: int | None) -> bool:
    """Whether it has to be made; an id that is wanted for it must be free, or its own already."""
    number = wanted.get("id")
    if number is None:
        return found is None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= MAX_ID:
        raise ValueError(f"id must be a whole number from 1 to {MAX_ID}")
    if number == found:
        return False
    if found is not None:
        raise ValueError(f"is there already, with the id {found}")
    if call.store.one(f"SELECT 1 FROM {table} WHERE id = ?", (number,)):  # noqa: S608 - the names are ours
        raise ValueError(f"the id {number} is taken")
    return True


def _room(call: Call, room: object) -> int:
    found = call.store.rows(
        "SELECT id FROM resources WHERE partner = ? AND (id = ? OR system_name = ?)",
        (call.partner, room if isinstance(room, int) else 0, str(room).casefold()),
    )
    if len(found) != 1:
        raise ValueError(f"{'no resource is' if not found else 'several resources are'} called {room}")
    number: int = found[0][0]
    return number


def _with_times(item: Item) -> Item:
    """Times that are written as text, in epoch seconds."""
    return item | {name: _moment(name, item[name]) for name in TIMES if isinstance(item.get(name), str)}


def _moment(name: str, written: str) -> int:
    try:
        moment = datetime.fromisoformat(written)
        if moment.tzinfo is None:
            raise ValueError(written)
        return int(moment.timestamp())
    except (ValueError, OverflowError):
        detail = f"{name} must be a number, or a time with an offset such as 2027-01-13T09:00:00-05:00"
        raise ValueError(detail) from None
