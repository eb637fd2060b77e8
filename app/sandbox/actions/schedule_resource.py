"""schedule_scheduleResource: add, get, list, update, delete (exchanges 102 to 132)."""

from typing import Any

from app.sandbox.calls import FILTER_PAGER, Call, Parameter, action, optional
from app.sandbox.errors import KalturaError
from app.sandbox.profiles import PROFILE, profiled
from app.sandbox.schedule.events import listed
from app.sandbox.store.state import dumps
from app.sandbox.types import ACTIVE, DELETED, TYPES
from app.sandbox.wire.paging import order_keys, page_of
from app.sandbox.wire.reading import Given, refuse_read_only, require

ORDERS = {"createdAt": "createdAt", "updatedAt": "updatedAt", "name": "name", "systemName": "systemName"}


def _save(call: Call, body: dict[str, Any]) -> None:
    call.store.run(
        "INSERT OR REPLACE INTO resources (id, partner, type, parent, system_name, body) VALUES (?, ?, ?, ?, ?, ?)",
        (
            body["id"],
            body["partnerId"],
            body["objectType"],
            body.get("parentId"),
            body.get("systemName", "").casefold(),
            dumps(body),
        ),
    )


def add(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    return make(call, arguments["scheduleResource"], call.store.next_id("resources"))


def make(call: Call, given: Given, number: int) -> dict[str, Any]:
    """A new resource with an id that is free."""
    require(given, "name")
    _check_system_name(call, given, given.type.name, 0)
    parent = given.get("parentId")
    if parent and not call.store.one("SELECT 1 FROM resources WHERE id = ? AND partner = ?", (parent, call.partner)):
        raise KalturaError("RESOURCE_PARENT_ID_NOT_FOUND", PARENT_ID=parent)
    refuse_read_only(given)
    body = {name: value for name, value in given.values.items() if value is not None} | {
        "id": number,
        "partnerId": call.partner,
        "status": ACTIVE,
        "createdAt": call.now,
        "updatedAt": call.now,
        "objectType": given.type.name,
    }
    _save(call, body)
    return _ordered(body)


def _check_system_name(call: Call, given: Given, kind: str, own: int) -> None:
    """Unique within the partner and the type, without case; free again after a delete."""
    if given.has("systemName") and call.store.one(
        "SELECT 1 FROM resources WHERE partner = ? AND type = ? AND system_name = ? AND id != ?",
        (call.partner, kind, given.get("systemName").casefold(), own),
    ):
        raise KalturaError("SYSTEM_NAME_ALREADY_EXISTS", SYS_NAME=given.get("systemName"))


def _ordered(body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in TYPES[body["objectType"]].order if name in body}


def _read(body: dict[str, Any]) -> dict[str, Any]:
    """As read back: a resource without system name then shows an empty one (exchanges 103, 118)."""
    return _ordered({"systemName": ""} | body)


def _load(call: Call, resource: int) -> dict[str, Any]:
    body = call.store.body("SELECT body FROM resources WHERE id = ? AND partner = ?", (resource, call.partner))
    if body is None:
        raise KalturaError("INVALID_OBJECT_ID", ID=resource)
    return body


def get(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    return profiled(_read(_load(call, arguments["scheduleResourceId"])), arguments)


def list_(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    given: Given | None = arguments["filter"]
    name = str((given and given.get("systemNameEqual")) or "").casefold()  # most lists ask for one, of thousands
    bodies = call.store.bodies(
        "SELECT body FROM resources WHERE partner = ? AND (? = '' OR system_name = ?) ORDER BY id",
        (call.partner, name, name),
    )
    found = [_read(body) for body in bodies if given is None or _matches(body, given)]
    for key, descending in reversed(order_keys(given.get("orderBy") if given else None, ORDERS)):
        found.sort(key=lambda body: body.get(key, ""), reverse=descending)
    return profiled(listed(page_of(found, arguments["pager"]), len(found), "ScheduleResource"), arguments)


def _matches(body: dict[str, Any], given: Given) -> bool:
    """Empty values ask for nothing; texts are compared without case."""
    if given.type.name != "KalturaScheduleResourceFilter" and body["objectType"] != given.type.name.removesuffix(
        "Filter"
    ):
        return False
    for name, value in given.values.items():
        if value in (None, "") or name == "orderBy":
            continue
        field, several = (name.removesuffix("In"), True) if name.endswith("In") else (name.removesuffix("Equal"), False)
        wanted = str(value).casefold().split(",") if several else [str(value).casefold()]
        negated = field.endswith("Not")
        if (str(body.get(field.removesuffix("Not"), "")).casefold() in wanted) == negated:
            return False
    return True


def update(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    body = _load(call, arguments["scheduleResourceId"])
    given: Given = arguments["scheduleResource"]
    refuse_read_only(given, "id")
    _check_system_name(call, given, body["objectType"], body["id"])
    known = TYPES[body["objectType"]].properties
    for name, value in given.values.items():
        if value is None:
            body.pop(name, None)
        elif name in known and name != "id":
            body[name] = value
    body["updatedAt"] = call.now
    _save(call, body)
    return _read(body)


def delete(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """Events that were linked to it still list under it."""
    body = _load(call, arguments["scheduleResourceId"])
    call.store.run("DELETE FROM resources WHERE id = ?", (body["id"],))
    return _read(body | {"status": DELETED, "updatedAt": call.now})


_ID = Parameter("scheduleResourceId", "int")
_RESOURCE = Parameter("scheduleResource", "KalturaScheduleResource")

SERVICE = {
    "add": action(add, _RESOURCE),
    "get": action(get, _ID, PROFILE),
    "list": action(
        list_, optional("filter", "KalturaScheduleResourceFilter"), optional("pager", FILTER_PAGER), PROFILE
    ),
    "update": action(update, _ID, _RESOURCE),
    "delete": action(delete, _ID),
}
