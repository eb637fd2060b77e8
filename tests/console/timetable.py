"""Campus days and a term, in a service in front of the sandbox: for pictures, and for looking at pages."""

import random
from collections.abc import Iterator, Sequence
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
