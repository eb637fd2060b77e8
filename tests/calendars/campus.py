"""A campus: sections that meet in the weeks to come, and calendars that say when they do not."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from httpx2 import Response

from app.database.types import utc_now
from app.sandbox.simulator import Sandbox
from tests.service import Json, Lectern, found

NAME = "campus"
_TODAY = utc_now().date()
MONDAY = _TODAY + timedelta(days=21 - _TODAY.weekday())  # a Monday that is two weeks ahead, or more


class WithSandbox(Protocol):
    """A service whose Kaltura can be looked at."""

    @property
    def sandbox(self) -> Sandbox: ...


def day(week: int, weekday: int = 0) -> str:
    """A date by weeks from the first Monday on."""
    return str(MONDAY + timedelta(weeks=week, days=weekday))


def section(room: str, days: str = "MO", **more: Any) -> Json:
    """One that meets at nine on these weekdays for eight weeks, and names the calendar."""
    return {
        "reference_id": room,
        "title": f"Section in {room}",
        "resource": {"system_name": room},
        "start": f"{MONDAY}T09:00:00",
        "time_zone": "UTC",
        "duration_minutes": 50,
        "recurrence": f"FREQ=WEEKLY;BYDAY={days};UNTIL={MONDAY + timedelta(weeks=8) - timedelta(days=1):%Y%m%d}",
        "calendars": [NAME],
        **more,
    }


def say(service: Lectern, *days: Any, name: str = NAME, status: int = 200, wait: int = 20, **more: Any) -> Json:
    """The answer to a calendar with these days."""
    headers = {"Prefer": f"wait={wait}"}
    answer = service.client.put(f"/calendars/{name}", json={"days": list(days), **more}, headers=headers)
    shown: Json = found(answer, status)
    return shown


def send(service: Lectern, ics: str | bytes, **query: str) -> Response:
    """A calendar as a file."""
    return service.client.put(
        f"/calendars/{NAME}", content=ics, params=query, headers={"Content-Type": "text/calendar; charset=utf-8"}
    )


def sessions(service: Lectern, recording: Json) -> dict[str, str]:
    """What each local date of a recording is: `scheduled`, `excluded`, `cancelled`."""
    items = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    return {one["local_start"][:10]: one["status"] for one in items}


def reasons(service: Lectern, recording: Json) -> dict[str, str]:
    items = service.get(f"/recordings/{recording['id']}/occurrences")["items"]
    return {one["local_start"][:10]: one["reason"] for one in items if one["reason"]}


def held(service: WithSandbox, recording: Json) -> list[str]:
    """The dates on which Kaltura would record it."""
    state = service.sandbox.state()
    mark = f"lectern-{recording['id']}-"
    own = {one["id"] for one in state["events"] if str(one.get("referenceId", "")).startswith(mark)}
    parents = {one["parentId"] for one in state["events"] if one.get("parentId") in own}
    return sorted(
        str(datetime.fromtimestamp(one["startDate"], UTC).date())
        for one in state["events"]
        if one["status"] == 2 and (one["id"] in own - parents or one.get("parentId") in own)
    )


def operations(service: Lectern, recording: Json) -> list[str]:
    """What its chains were, the first first."""
    return [one["operation"] for one in service.get(f"/recordings/{recording['id']}/history")["items"]][::-1]
