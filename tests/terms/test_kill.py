"""kill -9 in the middle of an apply, again and again: nothing is lost, and nothing is made twice."""

import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.processes import Program, start_sandbox, start_service
from tests.service import Json, eventually
from tests.terms.campus import TERM, but, section

PATIENCE = 90.0
TERM_PATH = "/terms/2027S"
SLOTS = [f"{hour:02}:00" for hour in range(8, 20)]
SEEDED = {"SCI 101": "EXTRON-100-ABC", "SCI 210": "EXTRON-200-DEF"}
FAST = {"LECTERN_LEASE_SECONDS": "1", "LECTERN_SWEEP_SECONDS": "1"}


def ends(start: str) -> str:
    return f"{start[:2]}:50"


def first_night() -> list[Json]:
    """Two rooms, six sections in each."""
    return [
        section(f"{room[-1]}{number}", room, start, ends(start), days=["TU"])
        for room in SEEDED
        for number, start in enumerate(SLOTS[:6])
    ]


def second_night(before: list[Json]) -> list[Json]:
    """Of each kind of item there is one at least: swaps, changes, a cancellation, a new number, new sections."""
    sections = {one["section"]: one for one in before}
    sections["10"], sections["00"] = but(sections["10"], room="SCI 210"), but(sections["00"], room="SCI 101")
    sections["11"] = but(sections["11"], start="15:00", end="15:50")
    sections["12"] = {**sections["12"], "status": "cancelled"}
    sections["13"] = {**sections["13"], "section": "13-new"}
    sections["14"] = {**sections["14"], "title": "Another title"}
    sections["new"] = section("new", "SCI 101", SLOTS[2], ends(SLOTS[2]))  # where 12 leaves
    sections["new2"] = section("new2", "SCI 210", "16:00", "16:50")
    return list(sections.values())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def ask(service: Program, method: str, path: str, **more: object) -> Json:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=30) as client:
        answer = client.request(method, path, **more)  # type: ignore[arg-type]
    assert answer.is_success, answer.text
    shown: Json = answer.json()
    return shown


def planned(service: Program, sections: list[Json]) -> Json:
    return ask(service, "POST", f"{TERM_PATH}/plans", json={"complete": True, "sections": sections})


def done(service: Program, apply_id: str) -> Json:
    def look() -> Json | None:
        shown = ask(service, "GET", f"{TERM_PATH}/applies/{apply_id}")
        return shown if shown["status"] == "done" else None

    return eventually(look, PATIENCE)


def killed_through(service: Program, plan: Json, pauses: list[float]) -> Json:
    """Applies the plan, with a kill after each pause."""
    apply_id = ask(service, "POST", f"{TERM_PATH}/plans/{plan['id']}/apply", json={})["id"]
    for pause in pauses:
        time.sleep(pause)
        service.kill()
        service.restart()
    return done(service, apply_id)


def test_an_apply_that_is_killed_again_and_again_does_all_of_it_once(folder: Path) -> None:
    with start_sandbox(folder) as sandbox, start_service(folder, sandbox.url, FAST) as service:
        ask(service, "PUT", TERM_PATH, json={**TERM, "rooms": SEEDED})
        before = first_night()
        first = killed_through(service, planned(service, before), [0.1, 0.3, 0.5])
        assert first["counts"]["done"] == len(before), first
        after = second_night(before)
        plan = planned(service, after)
        kinds = {kind: number for kind, number in plan["counts"].items() if number}
        assert kinds == {"create": 2, "change": 4, "rekey": 1, "cancel": 1, "unchanged": 6}
        second = killed_through(service, plan, [0.05, 0.15, 0.25, 0.35])
        assert second["counts"]["done"] == 8, second
        assert planned(service, after)["status"] == "nothing_to_do"
        shown = ask(service, "GET", "/recordings?term=2027S&limit=100")["items"]
        scheduled = Counter(one["section"] for one in shown if one["status"] == "scheduled")
        expected = {one["section"] for one in after if one.get("status") != "cancelled"}
        assert scheduled == dict.fromkeys(expected, 1)
        state = httpx.get(f"{sandbox.url}/_sandbox/state", trust_env=False).json()
        names = Counter(one["name"] for one in state["entries"])
        assert max(names.values()) == 1, names
