"""Killed twice at any moment of a fan-out, and of the chains that it begins: it ends the same.

In one process, which abandons everything where it stands (`recordings/changing/house.py`); real ones:
`test_accidents.py`.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.calendars.fan_out import FanOut
from app.chains.store import Store
from tests.calendars.campus import NAME, day, held, operations, section, sessions
from tests.recordings.changing.house import House, house
from tests.service import Json, found

SNOW, BY_HAND = day(2), day(4)
ALL = [day(week) for week in range(8)]


class Dead(BaseException):
    """The process is gone."""


def die() -> None:
    raise Dead


def follow(service: House, *deaths: int) -> int:
    """One process after another looks who is behind and runs the chains; each of the first dies at that moment of its
    own. The last one lives: how many moments it had.
    """
    for at in (*deaths, None):
        try:
            return _live(service, at)
        except Dead:
            with service.database.write() as session:
                session.connection().execute(text("UPDATE upkeep SET due_at = 0"))
    raise AssertionError("nobody died")


def _live(service: House, at: int | None) -> int:
    begun = 0

    def tick(moment: str) -> None:
        nonlocal begun
        if moment == "committing":
            begun += 1
            if at is not None and begun > at:
                die()

    store = Store(service.database, "looking", 30.0)
    service.database.tick = tick
    try:
        FanOut(service.database, store, 1_000, lambda: None).run()
    finally:
        service.database.tick = lambda _moment: None
    return begun + len(service.settle(None if at is None else at - begun, die))


def say(service: House, *days: Any) -> None:
    answer = service.client.put(f"/calendars/{NAME}", json={"days": days}, headers={"Prefer": "wait=0"})
    assert answer.is_success, answer.text


def picture(service: House, recordings: list[Json]) -> list[Any]:
    return [(held(service, one), sessions(service, one), operations(service, one)) for one in recordings]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder: Path = tmp_path_factory.mktemp("moments")
    with house(folder) as running:
        yield running


@pytest.fixture(scope="module")
def recordings(service: House) -> list[Json]:
    """Two that meet on that day, of which one has been decided on by hand, and one that does not."""
    found(service.client.put(f"/calendars/{NAME}", json={"days": []}))
    made = [service.made(section(f"ROOM-{days}", days)) for days in ("MO", "MO,WE", "TU")]
    path = f"/recordings/{made[1]['id']}/occurrences"
    for date in (SNOW, BY_HAND):
        (one,) = (each["id"] for each in service.get(path)["items"] if each["local_start"].startswith(date))
        found(service.client.delete(f"{path}/{one}"), 202)
        service.settle()
    return made


@pytest.mark.parametrize("before", [[], [SNOW]], ids=["added", "removed"])
def test_killed_twice_at_any_moment_it_ends_the_same(service: House, recordings: list[Json], before: list[str]) -> None:
    after = [] if before else [SNOW, day(3, 2)]
    say(service, *before, *([day(3, 2)] if before else []))
    follow(service)
    start, chance = service.keep(), random.Random(1)
    say(service, *after)
    moments = follow(service)
    wanted = picture(service, recordings)
    assert [one.count("calendar") for *_, one in wanted] == [1 + bool(before), 1 + bool(before), 0]
    assert wanted[0][0] == [one for one in ALL if one not in after]
    assert {wanted[1][1][date] for date in (SNOW, BY_HAND)} == {"cancelled"}
    for first in range(moments):
        for second in (0, chance.randrange(moments)):
            service.back_to(start)
            say(service, *after)
            follow(service, first, second)
            assert picture(service, recordings) == wanted, f"killed at {first}, then at {second}"
    service.back_to(start)
