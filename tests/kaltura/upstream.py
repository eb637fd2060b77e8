"""Stands in for Kaltura: replies that were recorded of a real one, or made up to be wrong."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from app.kaltura.client import KalturaClient
from app.kaltura.observing import outcome_of
from app.kaltura.session import Credentials, Sessions
from app.kaltura.transport import http_client
from app.kaltura.types import MADE_ENTRY, EntryDraft, EventDraft

RECORDINGS = {
    exchange["n"]: exchange
    for exchange in json.loads((Path(__file__).parents[1] / "data" / "exchanges.json").read_text())["exchanges"]
}
START = datetime(2027, 1, 13, 14, tzinfo=UTC)
EVENT = EventDraft(summary="s", start=START, end=START + timedelta(minutes=50), reference_id="lectern-rec_1-1")
ENTRY = EntryDraft(name="n", reference_id="lectern-rec_1-0")

Answer = object
Reply = Callable[[], httpx.Response]


def recorded(n: int) -> Reply:
    return answer(RECORDINGS[n]["response"])


def answer(value: object) -> Reply:
    return lambda: httpx.Response(200, text=json.dumps(value))


def refusal(code: str) -> Reply:
    return answer({"objectType": "KalturaAPIException", "code": code, "message": "", "args": []})


class Upstream:
    """Answers sign-ins by itself and everything else with the replies given, in order."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.sign_ins = 0
        self.observed: list[tuple[str, str, str]] = []
        transport = httpx.MockTransport(self._answer)
        http = [http_client("https://kaltura.example", transport=transport) for _ in range(2)]
        self.client = KalturaClient(
            http[0],
            Sessions(http[1], Credentials(101, admin_secret="x")),
            observe=lambda service, action, error, _: self.observed.append((service, action, outcome_of(error))),
        )

    def will(self, *replies: Reply) -> KalturaClient:
        self.replies = list(replies)
        return self.client

    @property
    def sent(self) -> dict[str, Any]:
        """The last call's own parameters."""
        return {name: value for name, value in self.calls[-1][1].items() if name not in ("ks", "format")}

    def _answer(self, request: httpx.Request) -> httpx.Response:
        _, service, _, action = f"{request.url.path.removeprefix('/api_v3/')}//".split("/")[:4]
        if service == "session":
            self.sign_ins += 1
            return httpx.Response(200, json=f"ks-{self.sign_ins}")
        self.calls.append((f"{service}.{action}", json.loads(request.content)))
        return self.replies.pop(0)()


def event(number: int, **properties: object) -> dict[str, object]:
    at = 1_799_848_800 + number * 3600
    return {
        "objectType": "KalturaRecordScheduleEvent",
        "id": number,
        "recurrenceType": 0,
        "status": 2,
        "startDate": at,
        "endDate": at + 60,
        **properties,
    }


def page(*objects: object, total: int | None = None) -> Reply:
    total = len(objects) if total is None else total
    return answer({"objectType": "KalturaScheduleEventListResponse", "totalCount": total, "objects": list(objects)})


# What each method sends, and the number of the exchange that answers it

CALLS: dict[str, tuple[Callable[[KalturaClient], object], int, str, dict[str, Any]]] = {
    "ping": (lambda k: k.ping(), 1, "system.ping", {}),
    "time": (lambda k: k.time(), 3, "system.getTime", {}),
    "get_resource": (
        lambda k: k.get_resource(2),
        116,
        "schedule_scheduleResource.get",
        {"scheduleResourceId": 2},
    ),
    "add_resource": (
        lambda k: k.add_resource("camera", "Cam 1", "CAM1", None),
        104,
        "schedule_scheduleResource.add",
        {
            "scheduleResource": {
                "objectType": "KalturaCameraScheduleResource",
                "name": "Cam 1",
                "systemName": "CAM1",
            }
        },
    ),
    "add_entry": (lambda k: k.add_entry(ENTRY), 829, "media.add", {"entry": ENTRY.wire()}),
    "get_entry": (lambda k: k.get_entry("0_m4v0ekwu"), 81, "media.get", {"entryId": "0_m4v0ekwu"}),
    "delete_entry": (lambda k: k.delete_entry("0_w01vbix8"), 97, "media.delete", {"entryId": "0_w01vbix8"}),
    "update_entry": (
        lambda k: k.update_entry("0_7wvwca43", {"objectType": "KalturaMediaEntry", "name": "MATH-123b", "tags": "a,b"}),
        844,
        "media.update",
        {
            "entryId": "0_7wvwca43",
            "mediaEntry": {"objectType": "KalturaMediaEntry", "name": "MATH-123b", "tags": "a,b"},
        },
    ),
    "add_category": (
        lambda k: k.add_category("0_7wvwca43", 6),
        830,
        "categoryEntry.add",
        {"categoryEntry": {"objectType": "KalturaCategoryEntry", "categoryId": 6, "entryId": "0_7wvwca43"}},
    ),
    "remove_category": (
        lambda k: k.remove_category("0_7wvwca43", 6),
        837,
        "categoryEntry.delete",
        {"entryId": "0_7wvwca43", "categoryId": 6},
    ),
    "newest_event_id": (
        lambda k: k.newest_event_id(),
        577,
        "schedule_scheduleEvent.list",
        {
            "filter": {"objectType": "KalturaScheduleEventFilter", "orderBy": "-createdAt"},
            "pager": {"objectType": "KalturaFilterPager", "pageSize": 3},
        },
    ),
    "newest_occurrences_at": (
        lambda k: k.newest_occurrences_at(START),
        224,
        "schedule_scheduleEvent.list",
        {
            "filter": {
                "objectType": "KalturaScheduleEventFilter",
                "startDateGreaterThanOrEqual": 1_799_848_800,
                "startDateLessThanOrEqual": 1_799_848_800,
                "statusEqual": 2,
                "recurrenceTypeIn": "2",
                "orderBy": "-createdAt",
            },
            "pager": {"objectType": "KalturaFilterPager", "pageSize": 30},
        },
    ),
    "update_event": (
        lambda k: k.update_event(1993, {"objectType": "KalturaRecordScheduleEvent", "summary": "New title"}),
        380,
        "schedule_scheduleEvent.update",
        {
            "scheduleEventId": 1993,
            "scheduleEvent": {"objectType": "KalturaRecordScheduleEvent", "summary": "New title"},
        },
    ),
    "add_event": (
        lambda k: k.add_event(EVENT),
        133,
        "schedule_scheduleEvent.add",
        {"scheduleEvent": EVENT.wire()},
    ),
    "get_event": (lambda k: k.get_event(2), 134, "schedule_scheduleEvent.get", {"scheduleEventId": 2}),
    "cancel_event": (
        lambda k: k.cancel_event(2019),
        454,
        "schedule_scheduleEvent.cancel",
        {"scheduleEventId": 2019},
    ),
    "get_category": (lambda k: k.get_category(6), 827, "category.get", {"id": 6}),
    "delete_resource": (
        lambda k: k.delete_resource(7),
        130,
        "schedule_scheduleResource.delete",
        {"scheduleResourceId": 7},
    ),
    "delete_event": (
        lambda k: k.delete_event(2020),
        472,
        "schedule_scheduleEvent.delete",
        {"scheduleEventId": 2020},
    ),
    "get_conflicts": (
        lambda k: k.get_conflicts([9, 10], EVENT, 42, kind="both"),
        344,
        "schedule_scheduleEvent.getConflicts",
        {
            "resourceIds": "9,10",
            "scheduleEvent": EVENT.wire(),
            "scheduleEventConflictType": 3,
            "scheduleEventIdToIgnore": 42,
        },
    ),
    "add_link": (
        lambda k: k.add_link(1989, 9),
        298,
        "schedule_scheduleEventResource.add",
        {
            "scheduleEventResource": {
                "objectType": "KalturaScheduleEventResource",
                "eventId": 1989,
                "resourceId": 9,
            }
        },
    ),
    "remove_link": (
        lambda k: k.remove_link(1989, 10),
        315,
        "schedule_scheduleEventResource.delete",
        {"scheduleEventId": 1989, "scheduleResourceId": 10},
    ),
}
PAGER = {"objectType": "KalturaFilterPager", "pageSize": 500, "pageIndex": 1}
ON_THE_ROOM: dict[str, Any] = {
    "objectType": "KalturaScheduleEventFilter",
    "resourceIdsLike": "9",
    "statusEqual": 2,
    "recurrenceTypeIn": "0,2",
    "startDateLessThanOrEqual": 1_799_848_800 + 86_400,
    "endDateGreaterThanOrEqual": 1_799_848_800,
    "orderBy": "+startDate",
}

LISTS: dict[str, tuple[Callable[[KalturaClient], object], int, str, dict[str, Any]]] = {
    "list_resources": (
        lambda k: k.list_resources(),
        118,
        "schedule_scheduleResource.list",
        {"objectType": "KalturaScheduleResourceFilter", "orderBy": "+createdAt"},
    ),
    "list_resources by name": (
        lambda k: k.list_resources(system_name="hg-f-1"),
        119,
        "schedule_scheduleResource.list",
        {
            "objectType": "KalturaScheduleResourceFilter",
            "orderBy": "+createdAt",
            "systemNameEqual": "hg-f-1",
        },
    ),
    "list_resources by ids": (
        lambda k: k.list_resources(ids=[2, 3]),
        124,
        "schedule_scheduleResource.list",
        {"objectType": "KalturaScheduleResourceFilter", "orderBy": "+createdAt", "idIn": "2,3"},
    ),
    "find_category": (
        lambda k: k.find_category("canvas>SITE>channels>1234"),
        823,
        "category.list",
        {"objectType": "KalturaCategoryFilter", "fullNameEqual": "canvas>SITE>channels>1234"},
    ),
    "list_entries": (
        lambda k: k.list_entries(["0_m4v0ekwu", "0_tjua5fnm"]),
        87,
        "media.list",
        {
            "objectType": "KalturaMediaEntryFilter",
            "idIn": "0_m4v0ekwu,0_tjua5fnm",
            "statusIn": "-2,-1,0,1,2,4,5,6,7",
        },
    ),
    "list_entries_since": (
        lambda k: k.list_entries_since(datetime(2027, 1, 13, tzinfo=UTC)),
        87,
        "media.list",
        {
            "objectType": "KalturaMediaEntryFilter",
            "createdAtGreaterThanOrEqual": 1799798400,
            "statusIn": MADE_ENTRY,
            "orderBy": "+createdAt",
        },
    ),
    "find_events": (
        lambda k: k.find_events("link-1"),
        299,
        "schedule_scheduleEvent.list",
        {"objectType": "KalturaScheduleEventFilter", "referenceIdEqual": "link-1", "orderBy": "+startDate"},
    ),
    "list_events": (
        lambda k: k.list_events([2033, 2034, 999999]),
        545,
        "schedule_scheduleEvent.list",
        {"objectType": "KalturaScheduleEventFilter", "idIn": "2033,2034,999999"},
    ),
    "list_children": (
        lambda k: k.list_children(42),
        224,
        "schedule_scheduleEvent.list",
        {"objectType": "KalturaScheduleEventFilter", "parentIdEqual": 42, "orderBy": "+startDate"},
    ),
    "list_events_on_resource": (
        lambda k: k.list_events_on_resource(9, START, START + timedelta(days=1)),
        326,
        "schedule_scheduleEvent.list",
        ON_THE_ROOM,
    ),
    "list_briefly_on_resource": (
        lambda k: k.list_briefly_on_resource(9, START, START + timedelta(days=1)),
        326,
        "schedule_scheduleEvent.list",
        ON_THE_ROOM,
    ),
    "list_links_on": (
        lambda k: k.list_links_on(9, START),
        309,
        "schedule_scheduleEventResource.list",
        {
            "objectType": "KalturaScheduleEventResourceFilter",
            "resourceIdEqual": 9,
            "createdAtGreaterThanOrEqual": 1_799_848_800,
        },
    ),
    "list_links": (
        lambda k: k.list_links(1989),
        309,
        "schedule_scheduleEventResource.list",
        {"objectType": "KalturaScheduleEventResourceFilter", "eventIdEqual": 1989, "orderBy": "+createdAt"},
    ),
}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
