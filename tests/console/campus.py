"""A campus that looks real, in a service in front of the sandbox: for pictures, and for looking at pages."""

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

ZONE = "America/New_York"
ROOMS = (
    *("Aldrich Hall 101", "Aldrich Hall 204", "Baker Auditorium", "Chemistry 1B", "Chemistry 3", "Engineering 110"),
    *("Engineering 220", "Founders Theater", "Library Seminar", "Math Tower 12", "Math Tower 702", "Physics Forum"),
    *("Rosen Center 5", "South Hall 2"),
)
COURSES = (
    *("MATH-123 Linear Algebra", "CHEM-101 General Chemistry", "HIST-210 Modern Europe", "PHYS-151 Mechanics"),
    *("CS-102 Data Structures", "BIO-140 Cell Biology", "ECON-201 Microeconomics", "PHIL-110 Logic"),
    *("ENG-230 The Novel", "STAT-200 Inference", "ART-115 Drawing", "MUS-101 Harmony", "PSY-120 Perception"),
    *("GEO-105 Earth Systems", "LAW-300 Contracts", "CS-240 Operating Systems", "MATH-240 Topology"),
)
SLOTS = ((8, 0, 50), (9, 0, 50), (10, 0, 75), (11, 30, 50), (13, 0, 75), (14, 30, 50), (16, 0, 90), (18, 0, 100))


def documents(day: date, rooms: Sequence[str] = ROOMS, full: float = 0.6) -> Iterator[dict[str, Any]]:
    """Lectures that are held on that day, each for five weeks; the same ones for the same day."""
    chance = random.Random(day.toordinal())
    for room in rooms:
        name = room.upper().replace(" ", "-")
        for hour, minute, length in SLOTS:
            if chance.random() > full:
                continue
            title = chance.choice(COURSES)
            yield {
                "reference_id": f"SIS-{name}-{hour:02}{minute:02}",
                "title": title,
                "resource": {"system_name": name, "name": room, "description": f"Camera in {room}"},
                "start": f"{day}T{hour:02}:{minute:02}:00",
                "time_zone": ZONE,
                "duration_minutes": length,
                "recurrence": {"frequency": "weekly", "count": 5},
                "tags": ["lecture"],
                "owner": f"lecturer{chance.randrange(40)}",
            }


def build(url: str, day: date | None = None) -> list[dict[str, Any]]:
    """Schedules it all, and has most of the encoders poll. Returns the recordings."""
    day = day or datetime.now(ZoneInfo(ZONE)).date()
    made = []
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for document in documents(day):
            answer = client.post("/recordings", json=document)
            if answer.status_code == 422 and answer.json()["code"] == "nothing_ahead":
                continue
            answer.raise_for_status()
            made.append(answer.json())
        for number, room in enumerate(ROOMS):
            if number % 7 != 3:
                client.get(f"/resources/{room.upper().replace(' ', '-')}/upcoming").raise_for_status()
        tomorrow = day + timedelta(days=7)
        for one in made[5:40:12]:
            sessions = client.get(f"/recordings/{one['id']}/occurrences").json()["items"]
            now_or_next = next(s for s in sessions if s["status"] == "scheduled")
            client.delete(f"/recordings/{one['id']}/occurrences/{now_or_next['id']}", headers={"Prefer": "wait=20"})
        state = {"state": "error", "detail": f"Disk full; next on {tomorrow}"}
        client.put(f"/resources/{ROOMS[2].upper().replace(' ', '-')}/state", json=state).raise_for_status()
    return made
