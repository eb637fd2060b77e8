"""The recorded exchanges with a real Kaltura: when each was made, and what was done besides them.

A few exchanges were not kept, among them those that made the objects which others then use. What they must have made
is known from the first answer that shows it; `UNRECORDED` makes it again, at the recorded time.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent.parent / "data" / "exchanges.json"

# Not compared, and not sent: what a sandbox need not have.
EXCLUDED = {
    59: "PHP's own format",
    60: "JSONP, and its answer was not kept",
    61: "an unknown format, and its answer was not kept",
    **dict.fromkeys(range(662, 668), "a real outage of the database"),
}

# The clock at exchanges whose time no answer shows, but their names or later answers do.
AT = {
    24: 1795333315,  # a session of one second has expired
    315: 1795333540,  # when the link went that exchange 316 shows
    376: 1795333575,  # "after 6s"
    639: 1795333919,  # when exchange 645 cancelled
    705: 1795334121,  # "after the populate daemon ran"
}

# Modes of the sandbox, set before an exchange: outages that were made on purpose.
MODES: dict[int, dict[str, float | bool]] = {
    639: {"search_down": True},
    652: {"search_down": False},
    656: {"reservations_down": True},
    661: {"reservations_down": False},
    698: {"index_lag": 30.0},
    705: {"index_lag": 0.0},
}


@dataclass(frozen=True)
class Exchange:
    n: int
    name: str
    group: str
    service: str
    action: str
    params: dict[str, Any]
    http: dict[str, Any]
    status: int
    response: Any
    text: str | None
    at: int  # epoch seconds of the recorded clock

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The calls of it: one, or those of a multirequest."""
        if self.service != "multirequest":
            return [{**self.params, "service": self.service, "action": self.action}]
        return [step for key, step in self.params.items() if key.isdigit()]

    @property
    def excluded(self) -> str | None:
        return EXCLUDED.get(self.n)


def load() -> list[Exchange]:
    exchanges = []
    at = 1795333313  # as exchange 3 says
    for raw in json.loads(DATA.read_text())["exchanges"]:
        at = max([at, AT.get(raw["n"], 0), *_times(raw["response"])])
        request = raw["request"]
        exchanges.append(
            Exchange(
                n=raw["n"],
                name=raw["name"],
                group=raw["group"],
                service=request["service"],
                action=request["action"],
                params=request["params"],
                http=raw["http"],
                status=raw["http_status"],
                response=raw["response"],
                text=raw.get("response_text"),
                at=at,
            )
        )
    return exchanges


def _times(response: Any) -> Iterator[int]:
    """Times in a response that show the server's clock: none of them lies after the exchange."""
    if isinstance(response, list):
        for item in response:
            yield from _times(item)
    elif isinstance(response, dict):
        yield from (response[name] for name in ("createdAt", "updatedAt") if name in response)
        for item in response.values():
            yield from _times(item)


@dataclass(frozen=True)
class Unrecorded:
    """A call that the recorder made before exchange `before`, and the id that Kaltura gave to what it made."""

    before: int
    service: str
    action: str
    params: dict[str, Any]
    at: int | None = None
    made: int | str | None = None


def _event(
    before: int, made: int, start: int, at: int | None = None, summary: str = "Lecture", **properties: object
) -> Unrecorded:
    event = {
        "objectType": "KalturaRecordScheduleEvent",
        "recurrenceType": 0,
        "summary": summary,
        "startDate": start,
        "endDate": start + 3600,
        **properties,
    }
    return Unrecorded(before, "schedule_scheduleEvent", "add", {"scheduleEvent": event}, at, made)


def _series(before: int, made: int, start: int, at: int, summary: str, count: int, **properties: object) -> Unrecorded:
    rule = {
        "objectType": "KalturaScheduleEventRecurrence",
        "frequency": "weeks",
        "count": count,
        "timeZone": "Europe/Zurich",
    }
    return _event(before, made, start, at, summary, recurrenceType=1, recurrence=rule, **properties)


def _room(made: int, name: str, **properties: object) -> Unrecorded:
    room = {"objectType": "KalturaLocationScheduleResource", "name": name, "systemName": name, **properties}
    return Unrecorded(298, "schedule_scheduleResource", "add", {"scheduleResource": room}, None, made)


def _link(before: int, event: int, room: int, at: int, action: str = "add") -> Unrecorded:
    link = {"objectType": "KalturaScheduleEventResource", "eventId": event, "resourceId": room}
    params: dict[str, Any] = (
        {"scheduleEventResource": link} if action == "add" else {"scheduleEventId": event, "scheduleResourceId": room}
    )
    return Unrecorded(before, "schedule_scheduleEventResource", action, params, at)


def _entry(before: int, made: str, name: str, at: int) -> Unrecorded:
    entry = {"objectType": "KalturaMediaEntry", "mediaType": 1, "name": name, "referenceId": name}
    return Unrecorded(before, "media", "add", {"entry": entry}, at, made)


REFERENCES = [
    *("flt-1", "flt-10", "FLT-1", "flt 1", "flt.1", "flt_1", "flt/1", "é-ref", "e-ref", "a:b:c", "a b c"),
    *('x"y', "q'z", "semi;x", "123", "UUID-8c1f6f3a-0d5b-4a3e-9f4e-000000000001", "trail ", "-lead", "sch:ü"),
    *("a,b", "tag#1", "50%", "star*", "a?b", "a(b)", "a@b.ch"),
]
TEMPLATE = "0_m4v0ekwu"

UNRECORDED = [
    _event(212, 36, 1796112000, description="d" * 70000),
    _room(9, "rA"),
    _room(10, "rB"),
    _room(11, "rA-camera", objectType="KalturaCameraScheduleResource", parentId=9),
    _room(12, "rC"),
    _room(13, "rD"),
    _event(298, 1989, 1809331200, 1795333538, referenceId="link-1"),
    _event(320, 1990, 1809431200, 1795333540, referenceId="link-parent"),
    _event(325, 1991, 1809331200, 1795333540, referenceId="double-1"),
    # The child's own link is known from its updatedAt alone (exchanges 346, 349).
    _link(338, 42, 10, 1795333540),
    _link(338, 44, 12, 1795333540),
    _link(338, 44, 12, 1795333540, "delete"),
    _event(365, 1992, 1814428800, referenceId="reserve-1"),
    _event(
        380,
        1993,
        1817193600,
        1795333675,
        "Old title",
        description="keep",
        referenceId="upd-1",
        tags="keep",
        templateEntryId=TEMPLATE,
    ),
    _event(380, 1994, 1817393600, 1795333675, templateEntryId=TEMPLATE),
    _series(
        415,
        1998,
        1809504000,
        1795333676,
        "UpdSeries",
        5,
        description="D",
        referenceId="us-1",
        templateEntryId=TEMPLATE,
    ),
    _event(452, 2019, 1820217600, 1795333678, referenceId="can-1"),
    _event(471, 2020, 1820217600, 1795333679, referenceId="del-1"),
    _series(475, 2021, 1820304000, 1795333679, "CanSeries", 4, referenceId="cs-1"),
    _series(494, 2029, 1820390400, 1795333680, "DelSeries", 3, referenceId="ds-1"),
    *(
        _event(510, 2033 + i, 1822636800 + 7200 * i, 1795333773 + (i >= 10), f"Flt {i}", referenceId=reference)
        for i, reference in enumerate(REFERENCES)
    ),
    _event(586, 2059, 1823636800, 1795333777, referenceId="two-rooms"),
    _link(586, 2059, 12, 1795333777),
    _link(586, 2059, 13, 1795333777),
    _event(639, 2099, 1851667200, 1795333918, referenceId="out-0"),
    _entry(732, "0_oz2867jo", "TR/1", 1795334235),
    _entry(732, "0_5erxtwqu", "tr.1.x", 1795334235),
]
