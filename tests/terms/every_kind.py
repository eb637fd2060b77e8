"""A timetable, and the one of the next night, of which each kind of item comes, with everything that may be done."""

from collections.abc import Mapping
from typing import Any

from tests.service import Json
from tests.terms.campus import but, section

COUNTS = {"create": 2, "change": 4, "rekey": 1, "adopt": 1, "cancel": 1, "unchanged": 2, "held": 1, "missing": 1}
TO_DO = 10  # items: also the unchanged one whose new title gives way to one that was given by hand
SCHEDULED = {
    *("later", "title", "left", "right", "new-number", "mine", "as-it-was", "by-hand", "fresh", "fresh-too", "gone"),
}
"""The sections that have a recording in the end."""


def _at(key: str, room: str, hour: int) -> Json:
    return section(key, room, f"{hour:02}:00", f"{hour:02}:50")


FIRST = [
    *(_at("later", "SCI 101", 8), _at("title", "SCI 101", 9), _at("left", "SCI 101", 10), _at("off", "SCI 101", 11)),
    *(_at("by-hand", "SCI 101", 13), _at("old-number", "SCI 210", 8), _at("right", "SCI 210", 10)),
    *(_at("held", "SCI 210", 11), _at("gone", "SCI 210", 12), _at("as-it-was", "SCI 210", 13)),
]
"""Ten sections in two rooms, every Tuesday."""


def second() -> list[Json]:
    there = {one["section"]: one for one in FIRST if one["section"] != "gone"}
    there["later"] = but(there["later"], start="15:00", end="15:50")
    there["title"] = {**there["title"], "title": "Another title"}
    there["left"], there["right"] = but(there["left"], room="SCI 210"), but(there["right"], room="SCI 101")
    there["off"] = {**there["off"], "status": "cancelled"}
    there["old-number"] = {**there["old-number"], "section": "new-number"}
    there["by-hand"] = {**there["by-hand"], "title": "A title that comes too late"}
    return [
        *there.values(),
        *(_at("fresh", "SCI 101", 11), _at("fresh-too", "SCI 101", 16)),  # the first of them where "off" leaves
        _at("mine", "SCI 210", 9),
    ]


def mine(rooms: Mapping[str, Any]) -> Json:
    """What the client has made itself, to be adopted."""
    return {
        "title": "Course mine",
        "owner": "jdoe1",
        "location": "SCI 210",
        "visibility": "public",
        "resource": rooms["SCI 210"],
        "start": "2027-01-12T09:00:00",
        "duration_minutes": 50,
        "time_zone": "America/New_York",
        "recurrence": {"frequency": "weekly", "days": ["TU"], "until": "2027-04-30"},
    }


BY_HAND = {"title": "By hand"}
"""The patch of "by-hand"; "held" is cancelled."""
