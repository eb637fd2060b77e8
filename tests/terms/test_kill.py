"""kill -9 in the middle of an apply, at each kind of call that changes something: nothing is lost, or made twice."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import httpx

from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from tests.crash.watching import LONGEST_HOLD, PHASES, SIGN_IN, Phase
from tests.processes import Program, start_service
from tests.service import READING, Json, eventually
from tests.terms import every_kind
from tests.terms.campus import TERM

PATIENCE = 90.0
TERM_PATH = "/terms/2027S"
SEEDED = {"SCI 101": "EXTRON-100-ABC", "SCI 210": "EXTRON-200-DEF"}
FAST = {"LECTERN_LEASE_SECONDS": "1", "LECTERN_SWEEP_SECONDS": "1"}


@dataclass
class Killer:
    """Holds the first call of each kind that changes something, before it is done or after, in turns; others pass."""

    caught: Event = field(default_factory=Event)
    kinds: list[str] = field(default_factory=list)
    _released: Event = field(default_factory=Event)

    def see(self, service: str, action: str, phase: Phase) -> None:
        call = f"{service}.{action}"
        if service in SIGN_IN or action in READING or call in self.kinds or self.caught.is_set():
            return
        if phase == PHASES[len(self.kinds) % 2]:
            self.kinds.append(call)
            self._released.clear()
            self.caught.set()
            assert self._released.wait(LONGEST_HOLD)
            if phase == "before":
                raise ConnectionAbortedError  # the request is lost with its sender

    def kill(self, service: Program) -> None:
        service.kill()
        self._released.set()
        self.caught.clear()
        service.restart()


def ask(service: Program, method: str, path: str, **more: object) -> Json:
    with httpx.Client(base_url=service.url, trust_env=False, timeout=30) as client:
        answer = client.request(method, path, **more)  # type: ignore[arg-type]
    assert answer.is_success, answer.text
    shown: Json = answer.json() if answer.content else {}
    return shown


def planned(service: Program, sections: list[Json]) -> Json:
    return ask(service, "POST", f"{TERM_PATH}/plans", json={"complete": True, "sections": sections})


def begun(service: Program, plan: Json) -> str:
    return str(ask(service, "POST", f"{TERM_PATH}/plans/{plan['id']}/apply", json={})["id"])


def done(service: Program, apply_id: str, killer: Killer) -> Json:
    def look() -> Json | None:
        if killer.caught.is_set():
            killer.kill(service)
        shown = ask(service, "GET", f"{TERM_PATH}/applies/{apply_id}")
        return shown if shown["status"] == "done" else None

    return eventually(look, PATIENCE)


def scheduled(service: Program) -> dict[str, str]:
    shown = ask(service, "GET", "/recordings?term=2027S&limit=100")["items"]
    counted = Counter(one["section"] for one in shown if one["status"] == "scheduled")
    assert set(counted.values()) == {1}, counted
    return {one["section"]: one["id"] for one in shown if one["status"] == "scheduled"}


def test_an_apply_that_is_killed_at_each_kind_of_call_does_all_of_it_once(tmp_path: Path) -> None:
    sandbox, killer = Sandbox(), Killer()
    with running(sandbox) as url, start_service(tmp_path, url, FAST) as service:
        ask(service, "PUT", TERM_PATH, json={**TERM, "rooms": SEEDED})
        first = done(service, begun(service, planned(service, every_kind.FIRST)), killer)
        assert first["counts"]["done"] == len(every_kind.FIRST), first
        ids = scheduled(service)
        ask(service, "POST", "/recordings", json=every_kind.mine(SEEDED))
        ask(service, "PATCH", f"/recordings/{ids['by-hand']}", json=every_kind.BY_HAND)
        ask(service, "DELETE", f"/recordings/{ids['held']}")
        plan = planned(service, every_kind.second())
        assert {kind: number for kind, number in plan["counts"].items() if number} == every_kind.COUNTS
        sandbox.watch = killer.see
        second = done(service, begun(service, plan), killer)
        assert second["counts"]["done"] == every_kind.TO_DO, second
        assert len(killer.kinds) >= 5, killer.kinds
        sandbox.watch = None
        assert planned(service, every_kind.second())["status"] == "nothing_to_do"
        assert set(scheduled(service)) == every_kind.SCHEDULED
        names = Counter(one["name"] for one in sandbox.state()["entries"])
        assert set(names.values()) == {1}, names
    sandbox.close()
