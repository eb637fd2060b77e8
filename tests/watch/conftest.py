"""An encoder's day, played fast."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.watch import runs
from tests.watch.world import Encoder, World

MORNING = 1_799_827_200.0  # 2027-01-13T08:00:00Z


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(MORNING, tmp_path / "now")
    world.pass_by(0)
    return world


@pytest.fixture
def encoder(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Encoder]]:
    """Makes them, and ends afterwards what still runs."""
    monkeypatch.setattr(runs, "WATCH", 20.0)  # seconds of a day that is to pass in some
    made: list[Encoder] = []

    def make(**how: Any) -> Encoder:
        made.append(Encoder(world, tmp_path, **how))
        return made[-1]

    yield make
    for one in made:
        one.clean_up()
