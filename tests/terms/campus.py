"""A service with a campus: rooms in Kaltura, a term, and a registrar who sends it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from app.terms import showing
from app.terms.applying import asking
from app.terms.planning.making import Asked
from tests.service import Json, Lectern, eventually, found, lectern

TERM: Json = {
    "name": "Spring 2027",
    "time_zone": "America/New_York",
    "first_date": "2027-01-11",
    "last_date": "2027-04-30",
    "week_1": "2027-01-11",
    "rooms": {"SCI 101": "EXTRON-SCI-101", "SCI 210": "EXTRON-SCI-210", "ENG 404": None},
}
ME = "local"


def section(key: str, room: str = "SCI 101", start: str = "09:00", end: str = "09:50", **more: Any) -> Json:
    """A section with one meeting, on Tuesdays unless `days` says otherwise: sixteen of them in the term."""
    meeting = {"days": more.pop("days", ["TU"]), "start": start, "end": end, "room": room, **more.pop("meeting", {})}
    return {"section": key, "title": f"Course {key}", "instructors": ["jdoe1"], "meetings": [meeting], **more}


@dataclass
class Registrar:
    """Sends a term's timetable, looks at its plans, applies them."""

    service: Lectern
    term: str = "2027S"

    @property
    def path(self) -> str:
        return f"/terms/{self.term}"

    def set(self, **changes: Any) -> Json:
        answer = self.service.client.put(self.path, json={**TERM, **changes})
        assert answer.status_code in (200, 201), answer.text
        shown: Json = answer.json()
        return shown

    def plan(self, sections: Sequence[Json], *, complete: bool = True, **head: Any) -> Json:
        body = {"complete": complete, "sections": sections, **head}
        plan: Json = found(self.service.client.post(f"{self.path}/plans", json=body), 201)
        return plan

    def plan_at(self, now: datetime, sections: Sequence[Json], *, complete: bool = True) -> Json:
        """The plan that would be made then."""
        planner = self.service.app.state.terms.planner
        plan_id = planner.begin(ME, self.term, now)
        body = json.dumps({"complete": complete, "sections": sections}).encode()
        assert planner.make(plan_id, BytesIO(body), Asked("json"), now) is None
        return self.shown(plan_id)

    def shown(self, plan_id: str) -> Json:
        plan: Json = self.service.get(f"{self.path}/plans/{plan_id}")
        return plan

    def items(self, plan: Mapping[str, Any], **wanted: str) -> list[Json]:
        items: list[Json] = self.service.get(f"{self.path}/plans/{plan['id']}/items", limit=1000, **wanted)["items"]
        return items

    def begin(self, plan: Mapping[str, Any], *allow: str) -> str:
        answer = self.service.client.post(f"{self.path}/plans/{plan['id']}/apply", json={"allow": list(allow)})
        return str(found(answer, 202)["id"])

    def begin_at(self, now: datetime, plan: Mapping[str, Any], *allow: str) -> str:
        with self.service.app.state.database.write() as session:
            apply, _ = asking.begin(session, ME, self.term, plan["id"], allow, now)
            session.flush()
            return showing.shown_apply(session, apply).id

    def ended(self, apply_id: str) -> Json:
        def look() -> Json | None:
            shown: Json = self.service.get(f"{self.path}/applies/{apply_id}")
            return shown if shown["status"] == "done" else None

        return eventually(look, 60.0)

    def apply(self, plan: Mapping[str, Any], *allow: str) -> Json:
        return self.ended(self.begin(plan, *allow))

    def applied(self, sections: Sequence[Json], **head: Any) -> Json:
        """A plan of these, carried out: all of it."""
        plan = self.plan(sections, **head)
        done = self.apply(plan)
        assert done["items"] == [], done
        return plan

    def recordings(self, **wanted: Any) -> list[Json]:
        page: Json = self.service.get("/recordings", term=self.term, limit=100, **wanted)
        found: list[Json] = page["items"]
        while cursor := page["next_cursor"]:
            page = self.service.get("/recordings", term=self.term, limit=100, cursor=cursor, **wanted)
            found += page["items"]
        return found


def add_rooms(service: Lectern, names: Sequence[str]) -> None:
    for name in names:
        camera = {"objectType": "KalturaCameraScheduleResource", "name": name, "systemName": name}
        service.kaltura("schedule_scheduleResource", "add", scheduleResource=camera)


@contextmanager
def campus(
    folder: Path, rooms: Sequence[str] = tuple(filter(None, TERM["rooms"].values())), **settings: Any
) -> Iterator[Registrar]:
    with lectern(folder, **settings) as service:
        add_rooms(service, [name for name in TERM["rooms"].values() if name])
        yield Registrar(service)


def counts(plan: Mapping[str, Any]) -> dict[str, int]:
    """Those that are not 0."""
    return {kind: number for kind, number in plan["counts"].items() if number}


def but(section: Json, **changes: Any) -> Json:
    """The same, but its meeting, with changes."""
    changed = deepcopy(section)
    changed["meetings"][0] |= changes
    return changed
