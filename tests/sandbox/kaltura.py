"""A caller of the sandbox that is no more than httpx and JSON."""

from typing import Any

import httpx

from app.sandbox.seed.seed import ADMIN_SECRET, PARTNER_ID
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport

ADMIN = 2
MONDAY = 1799848800  # 2027-01-13T14:00:00Z, 09:00 in New York (a Wednesday, whatever its name)
HOUR = 3600


class Kaltura:
    """Calls actions and answers their JSON; `ks` is sent along once `sign_in` was called."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.ks: str | None = None

    def __call__(self, service: str, action: str, **params: Any) -> Any:
        response = self.post(service, action, **params)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, service: str, action: str, **params: Any) -> httpx.Response:
        sent = {"format": 1, **({"ks": self.ks} if self.ks else {}), **params}
        return self.client.post(f"/api_v3/service/{service}/action/{action}", json=sent)

    def sign_in(self, user: str = "lectern", kind: int = ADMIN) -> "Kaltura":
        self.ks = None
        self.ks = self(
            "session", "start", secret=ADMIN_SECRET, userId=user, type=kind, partnerId=PARTNER_ID, expiry=86400
        )
        return self

    def add_event(self, **values: Any) -> Any:
        return self("schedule_scheduleEvent", "add", scheduleEvent=event(**values))

    def events(self, pager: dict[str, Any] | None = None, **filters: Any) -> Any:
        return self("schedule_scheduleEvent", "list", filter=filters, **({"pager": pager} if pager else {}))

    def children(self, series: dict[str, Any]) -> list[Any]:
        found = self.events({"pageSize": 500}, parentIdEqual=series["id"], orderBy="+startDate")["objects"]
        assert isinstance(found, list)
        return found

    def update(self, event_id: int, **values: Any) -> Any:
        sent = {"objectType": "KalturaRecordScheduleEvent", **values}
        return self("schedule_scheduleEvent", "update", scheduleEventId=event_id, scheduleEvent=sent)

    def link(self, event_id: int, resource_id: int) -> Any:
        sent = {"objectType": "KalturaScheduleEventResource", "eventId": event_id, "resourceId": resource_id}
        return self("schedule_scheduleEventResource", "add", scheduleEventResource=sent)

    def conflicts(self, resource_ids: object, ignore: int | None = None, **values: Any) -> Any:
        ignored = {} if ignore is None else {"scheduleEventIdToIgnore": ignore}
        return self(
            "schedule_scheduleEvent", "getConflicts", resourceIds=resource_ids, scheduleEvent=event(**values), **ignored
        )


def event(**values: Any) -> dict[str, Any]:
    """A single recording of an hour unless the values say otherwise; None leaves a property out."""
    sent = {
        "objectType": "KalturaRecordScheduleEvent",
        "recurrenceType": 0,
        "summary": "Lecture",
        "startDate": MONDAY,
        "endDate": MONDAY + HOUR,
        **values,
    }
    return {name: value for name, value in sent.items() if value is not None}


def weekly(count: int, **values: Any) -> dict[str, Any]:
    """The properties of a weekly series."""
    rule = {"frequency": "weeks", "count": count, "timeZone": "Europe/Zurich"}
    return {"recurrenceType": 1, "recurrence": rule, **values}


def embedded(sandbox: Sandbox, **options: Any) -> Kaltura:
    return Kaltura(httpx.Client(transport=SandboxTransport(sandbox), base_url="http://kaltura.test", **options))


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: float = 1795333313.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
