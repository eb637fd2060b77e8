"""Campus days and a term, in a service in front of the sandbox: for pictures, and for looking at pages."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from tests.console.campus import COURSES, ROOMS, ZONE

CALENDAR = "campus-2027"
DAYS: list[dict[str, str]] = [
    {"name": "Martin Luther King Jr. Day", "date": "2027-01-18"},
    {"name": "Presidents’ Day", "date": "2027-02-15"},
    {"name": "Monday schedule", "date": "2027-02-16", "meets_as": "MO"},
    {"name": "Spring break", "from": "2027-03-15", "to": "2027-03-19"},
    {"name": "Good Friday", "date": "2027-03-26"},
    {"name": "Reading days", "from": "2027-05-03", "to": "2027-05-04"},
    {"name": "Memorial Day", "date": "2027-05-31"},
]
TERM = "2027S"
SETTINGS: dict[str, Any] = {
    "name": "Spring 2027",
    "time_zone": ZONE,
    "first_date": "2027-01-11",
    "last_date": "2027-04-30",
    "calendars": [CALENDAR],
    "record_types": ["LEC"],
    "opt_outs": {"instructors": ["rkeller"], "sections": []},
}
PATTERNS = (("MO", "WE", "FR"), ("TU", "TH"))
SLOTS = (("08:00", "08:50"), ("09:00", "09:50"), ("10:30", "11:45"), ("13:00", "14:15"), ("15:00", "15:50"))


def settings(rooms: Sequence[str] = ROOMS) -> dict[str, Any]:
    """With two rooms in which nothing records."""
    known: dict[str, str | None] = {room: room.upper().replace(" ", "-") for room in rooms}
    return SETTINGS | {"rooms": known | {"Annex 9": None, "Online": None}}


def sections(number: int, rooms: Sequence[str] = ROOMS) -> Iterator[dict[str, Any]]:
    """So many, each in a place of its own as long as there are places; the same ones for the same number."""
    chance = random.Random(number)
    places = [(room, days, slot) for slot in SLOTS for days in PATTERNS for room in rooms]
    for place in range(number):
        room, days, (start, end) = places[place % len(places)]
        yield {
            "section": f"{20001 + place}",
            "title": f"{chance.choice(COURSES)}",
            "type": "LEC" if chance.random() < 0.9 else "LAB",
            "instructors": [chance.choice(("jdoe", "mcurie", "anoether", "rkeller", "ahopper", "eturing"))],
            "meetings": [{"days": list(days), "start": start, "end": end, "room": room}],
        }


def say_days(client: httpx.Client) -> None:
    body = {"title": "Campus 2027", "days": DAYS}
    client.put(f"/calendars/{CALENDAR}", json=body).raise_for_status()


def plan(client: httpx.Client, declared: Sequence[dict[str, Any]], **head: Any) -> dict[str, Any]:
    """The plan of these sections."""
    body = {"complete": True, "source": "banner", "sections": declared, **head}
    answer = client.post(f"/terms/{TERM}/plans", json=body, headers={"Prefer": "wait=30"})
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def apply(client: httpx.Client, planned: dict[str, Any], *allow: str) -> dict[str, Any]:
    answer = client.post(f"/terms/{TERM}/plans/{planned['id']}/apply", json={"allow": list(allow)})
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def make_rooms(client: httpx.Client, rooms: Sequence[str] = ROOMS) -> None:
    """Kaltura knows a room once something is scheduled in it."""
    for room in rooms:
        resource = {"system_name": room.upper().replace(" ", "-"), "name": room, "description": f"Camera in {room}"}
        document = {"title": "Commencement rehearsal", "resource": resource, "start": "2027-05-20T09:00:00"}
        client.post("/recordings", json=document | {"time_zone": ZONE, "duration_minutes": 50}).raise_for_status()


def build(url: str) -> Mapping[str, str]:
    """Campus days, and a term with one plan applied and another to review. Returns the addresses of their pages."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        make_rooms(client)
        say_days(client)
        client.put("/calendars/library", json={"title": "Library hours", "days": ["2027-05-28"]}).raise_for_status()
        client.put(f"/terms/{TERM}", json=settings()).raise_for_status()
        before = list(sections(30))
        applied = apply(client, plan(client, before))
        while client.get(f"/terms/{TERM}/applies/{applied['id']}").json()["status"] != "done":
            time.sleep(0.3)
        planned = plan(client, _a_week_later(before))
    term, calendar = f"/console/terms/{TERM}", f"/console/calendars/{CALENDAR}"
    return {
        "terms": "/console/terms",
        "term": term,
        "term-all": f"{term}/plans/{planned['id']}?kind=all",
        "apply": f"{term}/plans/{planned['id']}/apply",
        "applied": f"{term}/plans/{applied['plan_id']}",
        "calendars": "/console/calendars",
        "calendar": f"{calendar}?year=2027",
        "snow-day": f"{calendar}/add?first=2027-02-11&name=Snow+day",
    }


def _a_week_later(declared: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same timetable with some of everything that happens to timetables."""
    found = [{**one, "meetings": [dict(one["meetings"][0])]} for one in declared[1:]]
    found[0]["meetings"][0] |= {"start": "17:00", "end": "17:50"}
    found[3]["meetings"][0]["room"] = "Atlantis 7"
    found[5]["status"] = "cancelled"
    found[8]["section"] = "20900"
    found[9]["title"] = "STAT-201 Inference II"
    found.append({**found[12], "section": "20901", "meetings": [found[12]["meetings"][0] | {"start": "08:20"}]})
    found.append({**found[14], "section": "20902", "meetings": [found[14]["meetings"][0] | {"room": "Annex 9"}]})
    return found
