"""schedule_scheduleEventResource: add, get, list, delete (exchanges 298 to 325)."""

from typing import Any

from app.sandbox.calls import FILTER_PAGER, Call, Parameter, action, optional
from app.sandbox.errors import KalturaError
from app.sandbox.schedule.events import listed, look_up, touch, with_children
from app.sandbox.store.index import list_again, never_list
from app.sandbox.store.state import dumps
from app.sandbox.trouble.modes import struck
from app.sandbox.wire.paging import page_of
from app.sandbox.wire.reading import Given, number, refuse_read_only, require


def add(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """Takes the room's reservation, and gives it back only when all went well (exchange 324). Double booking works
    (exchange 325).
    """
    given: Given = arguments["scheduleEventResource"]
    require(given, "eventId", "resourceId")
    event, resource = given.get("eventId"), given.get("resourceId")
    if call.modes.reservations_down:
        raise KalturaError("RESOURCE_IS_RESERVED", RESOURCE_ID=resource)
    call.reservations.take([resource], call.session.ks if call.session else "", call.time)
    if look_up(call, event) is None:
        raise KalturaError("SCHEDULE_EVENT_ID_NOT_FOUND", ID=event)
    if resource and not call.store.one(
        "SELECT 1 FROM resources WHERE id = ? AND partner = ?", (resource, call.partner)
    ):
        raise KalturaError("SCHEDULE_RESOURCE_ID_NOT_FOUND", ID=resource)
    if call.store.one("SELECT 1 FROM event_resources WHERE event = ? AND resource = ?", (event, resource)):
        raise KalturaError("SCHEDULE_EVENT_RESOURCE_ALREADY_EXISTS", EVENT_ID=event, RESOURCE_ID=resource)
    refuse_read_only(given)
    body = {
        "eventId": event,
        "resourceId": resource,
        "partnerId": call.partner,
        "createdAt": call.now,
        "updatedAt": call.now,
        "objectType": given.type.name,
    }
    call.store.run(
        "INSERT INTO event_resources (event, resource, partner, body) VALUES (?, ?, ?, ?)",
        (event, resource, call.partner, dumps(body)),
    )
    half = struck(call.modes.half_link)
    if call.modes.engine_down:
        never_list(call, resource, with_children(call, event))
    elif half:
        _, *children = with_children(call, event)
        never_list(call, resource, (children or [event])[half.indexed :])
    touch(call, event)
    if half:
        half.end()
    call.reservations.release([resource])
    return body


def _load(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    event, resource = arguments["scheduleEventId"], arguments["scheduleResourceId"]
    body = call.store.body(
        "SELECT body FROM event_resources WHERE event = ? AND resource = ? AND partner = ?",
        (event, resource, call.partner),
    )
    if body is None:
        raise KalturaError("INVALID_OBJECT_ID", ID=f"{event},{resource}")
    return body


def get(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    return _load(call, arguments)


def list_(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    given: Given | None = arguments["filter"]
    found = [
        body
        for body in call.store.bodies(
            "SELECT body FROM event_resources WHERE partner = ? ORDER BY number", (call.partner,)
        )
        if given is None or _matches(body, given)
    ]
    return listed(page_of(found, arguments["pager"]), len(found), "ScheduleEventResource")


def _matches(body: dict[str, Any], given: Given) -> bool:
    for name in ("eventId", "resourceId"):
        equal, among = given.get(f"{name}Equal"), given.get(f"{name}In")
        if equal is not None and body[name] != equal:
            return False
        if among and body[name] not in [number(part) for part in among.split(",")]:
            return False
    return True


def update(call: Call, arguments: dict[str, Any]) -> dict[str, Any]:
    """The event and the room stay what they are, and the index does not hear of it."""
    body = _load(call, arguments) | {"updatedAt": call.now}
    call.store.run(
        "UPDATE event_resources SET body = ? WHERE event = ? AND resource = ?",
        (dumps(body), body["eventId"], body["resourceId"]),
    )
    return body


def delete(call: Call, arguments: dict[str, Any]) -> None:
    body = _load(call, arguments)
    call.store.run(
        "DELETE FROM event_resources WHERE event = ? AND resource = ?", (body["eventId"], body["resourceId"])
    )
    list_again(call, body["resourceId"], with_children(call, body["eventId"]))
    touch(call, body["eventId"])


_LINK = (Parameter("scheduleEventId", "int"), Parameter("scheduleResourceId", "int"))
_EVENT_RESOURCE = Parameter("scheduleEventResource", "KalturaScheduleEventResource")

SERVICE = {
    "add": action(add, _EVENT_RESOURCE),
    "get": action(get, *_LINK),
    "list": action(list_, optional("filter", "KalturaScheduleEventResourceFilter"), optional("pager", FILTER_PAGER)),
    "update": action(update, *_LINK, _EVENT_RESOURCE),
    "delete": action(delete, *_LINK),
}
