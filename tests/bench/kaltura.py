"""The floor: the calls of one recording, made again by nothing but httpx.

The calls are those that the service really made for one document, as the sandbox noted them. A replay sends them in
the same order with what must differ exchanged: the session, the reference ids, the room, and each id that an answer
gave. Nothing is stored, decided, logged or tried again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any

import httpx

LINKS = "schedule_scheduleEventResource"
SIGN_IN = re.compile(r"session\.|appToken\.", re.IGNORECASE)


@dataclass(frozen=True)
class Room:
    id: int
    system_name: str


@dataclass(frozen=True)
class Recorded:
    """One recording as the sandbox saw it: its calls in order, and what in them is its own.

    ``words`` are parts of strings: the recording's id, its reference id, its room's system name. ``entry``,
    ``events`` and ``children`` (those of each event, by start) are ids that answers gave, ``room`` was there.
    """

    calls: list[dict[str, Any]]
    words: tuple[str, str, str]
    room: str
    entry: str
    events: list[str]
    children: list[list[str]]

    @property
    def names(self) -> list[str]:
        return [f"{call['service']}.{call['action']}" for call in self.calls]

    def trips(self) -> list[list[str]]:
        """The same by requests."""
        pairs = zip(self.names, self.calls, strict=True)
        by_trip = groupby(pairs, key=lambda pair: int(pair[1].get("trip", 0)))
        return [[name for name, _ in some] for _, some in by_trip]


def call(http: httpx.Client, service: str, action: str, params: dict[str, Any]) -> Any:
    """One call, at once and once. RuntimeError when Kaltura refuses it: a floor of refusals would be a lie."""
    response = http.post(f"/api_v3/service/{service}/action/{action}", json={**params, "format": 1})
    answer = response.raise_for_status().json()
    if isinstance(answer, dict) and answer.get("objectType") == "KalturaAPIException":
        raise RuntimeError(f"{service}.{action}: {answer['code']}: {answer['message']}")
    return answer


def sign_in(http: httpx.Client) -> str:
    ks: str = call(http, "session", "start", {"partnerId": 101, "secret": "sandbox-secret", "type": 2})
    return ks


def make_rooms(http: httpx.Client, ks: str, count: int) -> Iterator[Room]:
    for number in range(count):
        name = f"ROOM-{number:04}"
        resource = {"objectType": "KalturaCameraScheduleResource", "name": name, "systemName": name}
        answer = call(http, "schedule_scheduleResource", "add", {"ks": ks, "scheduleResource": resource})
        yield Room(answer["id"], name)


def requests_so_far(http: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = http.get("/_sandbox/requests").raise_for_status().json()
    return found


def recorded(http: httpx.Client, calls: list[dict[str, Any]], recording: dict[str, Any], room: Room) -> Recorded:
    """What ``calls`` and ``recording``, the service's answer to the same document, have to do with each other.

    A recording's last trip has its links, and the resource's list; what came after it is the mirror's own look.
    """
    last = max(number for number, one in enumerate(calls) if one["service"] == LINKS)
    calls = [one for one in calls if one["trip"] <= calls[last]["trip"]]
    events = [event["id"] for event in recording["kaltura"]["events"]]
    stored = http.get("/_sandbox/state").raise_for_status().json()["events"]
    return Recorded(
        calls=[call for call in calls if not SIGN_IN.match(f"{call['service']}.{call['action']}")],
        words=(recording["id"], recording["reference_id"], room.system_name),
        room=str(room.id),
        entry=recording["kaltura"]["template_entry_id"],
        events=[str(event) for event in events],
        children=[sorted_children(stored, event) for event in events],
    )


class Renewal:
    """Exchanges what is the original's own for what is this replay's own, as far as answers have named it."""

    def __init__(self, original: Recorded, room: Room, reference_id: str) -> None:
        own = (f"rec_{reference_id}", reference_id, room.system_name)
        self._words = dict(zip(original.words, own, strict=True))
        self._ids = {original.room: str(room.id)}
        self._entry = original.entry
        self._events = iter(zip(original.events, original.children, strict=True))
        self._children: dict[int, list[str]] = {}  # the original's, by this replay's event
        self._later = {original.entry, *original.events, *chain.from_iterable(original.children)}

    def renewed(self, value: Any, key: str = "") -> Any:
        """``value``, the parameter ``key``, as this replay has to send it."""
        if isinstance(value, dict):
            return {name: self.renewed(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.renewed(inner, key) for inner in value]
        if "id" in key.lower() and isinstance(value, int | str):
            parts = str(value).split(",")
            unknown = self._later.intersection(parts) - self._ids.keys()
            assert not unknown, f"{key} {unknown} is sent before an answer named it"
            value = type(value)(",".join(self._ids.get(part, part) for part in parts))
        if isinstance(value, str):
            for old, new in self._words.items():
                value = value.replace(old, new)
        return value

    def learn(self, name: str, answer: Any) -> None:
        """Note the ids in the answer to ``name`` (``service.action``) beside those that the original got."""
        if name == "media.add":
            self._ids[self._entry] = answer["id"]
        elif name == "schedule_scheduleEvent.add":
            event, self._children[answer["id"]] = next(self._events)
            self._ids[event] = str(answer["id"])
        elif name == "schedule_scheduleEvent.list":
            for parent, children in self._children.items():
                found = sorted_children(answer.get("objects") or [], parent)
                self._ids.update(zip(children, found, strict=False))


def sorted_children(events: list[dict[str, Any]], parent: int) -> list[str]:
    children = [event for event in events if event.get("parentId") == parent]
    return [str(child["id"]) for child in sorted(children, key=lambda child: child["startDate"])]


def replay(http: httpx.Client, ks: str, original: Recorded, room: Room, reference_id: str) -> None:
    """Make the calls of ``original`` anew, in ``room``, as a recording of their own. Raises when one is refused."""
    renewal = Renewal(original, room, reference_id)
    for one, name in zip(original.calls, original.names, strict=True):
        answer = call(http, one["service"], one["action"], {**renewal.renewed(one["params"]), "ks": ks})
        renewal.learn(name, answer)
