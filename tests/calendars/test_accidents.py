"""Calendars and accidents: killed twice on the way, and several processes at once."""

from collections.abc import Iterator
from threading import Event
from typing import Any

import httpx
import pytest

from app.sandbox.simulator import Sandbox
from tests.calendars.campus import NAME, day, held, section
from tests.conftest import Databases
from tests.crash.stage import Stage, stage, stages
from tests.crash.watching import LONGEST_HOLD, Phase
from tests.service import Json, eventually

pytestmark = pytest.mark.both_databases

TOUCHED, OTHERS = 6, 3
ALL = [day(week) for week in range(8)]


class Held:
    """Holds the call to Kaltura that cancels a session, the `number`th of them, until its service is dead."""

    def __init__(self, sandbox: Sandbox, number: int, phase: Phase) -> None:
        self._left, self._phase, self._sandbox = number, phase, sandbox
        self._caught, self._dead = Event(), Event()
        sandbox.watch = self._see

    def caught(self) -> None:
        assert self._caught.wait(LONGEST_HOLD)

    def release(self) -> None:
        self._sandbox.watch = None
        self._dead.set()

    def _see(self, _service: str, action: str, phase: Phase) -> None:
        if action != "cancel" or phase != self._phase:
            return
        self._left -= 1
        if self._left >= 0:
            return
        self._caught.set()
        assert self._dead.wait(LONGEST_HOLD)
        if self._phase == "before":
            raise ConnectionAbortedError  # the request is lost with its sender


def say(it: Stage, *days: Any, prefer: str = "respond-async") -> Json:
    answer = it.client.put(f"/calendars/{NAME}", json={"days": list(days)}, headers={"Prefer": prefer})
    assert answer.status_code in (200, 202), answer.text
    return dict(answer.json())


def campus(it: Stage) -> list[Json]:
    """Those that meet on Mondays, then those that do not."""
    say(it)
    sections = [section(f"ROOM-{number}", "MO" if number < TOUCHED else "TU") for number in range(TOUCHED + OTHERS)]
    answers = [it.post(document, prefer="wait=30") for document in sections]
    assert [answer.status_code for answer in answers] == [201] * len(sections)
    return [dict(answer.json()) for answer in answers]


def all_follow(it: Stage) -> None:
    def done() -> bool:
        shown = it.get(f"/calendars/{NAME}")
        return bool(shown["done"] == shown["recordings"] == TOUCHED + OTHERS)

    eventually(done, 60.0)


def changes(it: Stage, recording: Json) -> int:
    """How many chains a calendar has begun for it."""
    return [one["operation"] for one in it.get(f"/recordings/{recording['id']}/history")["items"]].count("calendar")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("killed")
    with databases.one() as url, stage(folder, database_url=url, workers=4, lease_seconds=2) as found:
        yield found


@pytest.fixture(scope="module")
def sections(service: Stage) -> list[Json]:
    return campus(service)


@pytest.mark.parametrize(
    ("snow", "points"),  # each a day of its own: one that came back is an event by itself
    [
        pytest.param(day(2), ((0, "before"), (0, "after")), id="at the first"),
        pytest.param(day(4), ((2, "after"), (0, "before")), id="half-way"),
    ],
)
def test_killed_twice_on_the_way_it_ends_the_same(
    service: Stage, sections: list[Json], snow: str, points: tuple[tuple[int, Phase], ...]
) -> None:
    before = [changes(service, one) for one in sections]
    first, second = points
    kill_at = Held(service.sandbox, *first)
    say(service, {"name": "Snow", "date": snow})
    kill_at.caught()
    service.service.kill()
    kill_at.release()
    kill_at = Held(service.sandbox, *second)  # before anything goes on
    service.service.restart()
    kill_at.caught()
    service.service.kill()
    kill_at.release()
    service.service.restart()
    all_follow(service)
    for recording in sections[:TOUCHED]:
        assert held(service, recording) == [one for one in ALL if one != snow]
    assert [changes(service, one) for one in sections] == [
        count + (number < TOUCHED) for number, count in enumerate(before)
    ], "each is changed once, and nobody else"
    say(service)
    all_follow(service)
    for recording in sections[:TOUCHED]:
        assert held(service, recording) == ALL


def test_several_processes_change_each_once(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> None:
    folder = tmp_path_factory.mktemp("several")
    with databases.one() as url, stages(folder, 3, database_url=url, workers=2) as replicas:
        made = campus(replicas[0])
        for number, days in enumerate(([day(1)], [day(1), day(3)], [day(3)])):
            say(replicas[number], *days, prefer="wait=30")
        all_follow(replicas[1])
        for recording in made[:TOUCHED]:
            assert held(replicas[0], recording) == [one for one in ALL if one != day(3)]
            assert changes(replicas[2], recording) == 3
        assert [changes(replicas[2], recording) for recording in made[TOUCHED:]] == [0] * OTHERS
        refused = replicas[1].client.delete(f"/calendars/{NAME}")
        assert refused.status_code == httpx.codes.CONFLICT
