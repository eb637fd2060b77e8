"""kill -9 at every point of a chain, then a restart: each recording ends scheduled, and nothing is there twice.

Scenarios 1 and 2 of the fault table. All chains of a document are held, each at its own point, when one kill finds
them there; so every point is tried, by a real process, in the time of one restart.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

import pytest

from tests.crash.rehearsal import rehearse, series, two_events
from tests.crash.stage import Stage, stage
from tests.crash.watching import Point, Watch

REHEARSALS = {"series": rehearse(series), "two_events": rehearse(two_events)}
WAVES = [(name, wave) for name, rehearsal in REHEARSALS.items() for wave in rehearsal.waves()]


@dataclass
class Wreck:
    stage: Stage
    recordings: dict[Point, str]


@pytest.fixture(scope="module")
def wrecks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Wreck]]:
    """By the number of a wave: the service restarted, after a kill that found a chain at each of its points."""
    with ExitStack() as stack:

        @cache
        def wreck(number: int) -> Wreck:
            name, wave = WAVES[number]
            it = stack.enter_context(stage(tmp_path_factory.mktemp("wreck")))
            watch = Watch(it.sandbox)
            recordings = it.started(REHEARSALS[name], {point: f"ROOM-{point}" for point in wave}, watch)
            it.service.kill()
            watch.release(dead=True)
            it.service.restart()
            return Wreck(it, recordings)

        yield wreck


@pytest.mark.parametrize(
    ("number", "point"),
    [
        pytest.param(number, point, id=f"{name}-{point}", marks=pytest.mark.xdist_group(f"kill-{number}"))
        for number, (name, wave) in enumerate(WAVES)
        for point in wave
    ],
)
def test_rows_1_and_2_killed_at_any_point_it_is_scheduled_once(
    wrecks: Callable[[int], Wreck], number: int, point: Point
) -> None:
    wreck = wrecks(number)
    recording = wreck.stage.until(wreck.recordings[point], "scheduled")
    assert wreck.stage.standing(recording["id"]) == REHEARSALS[WAVES[number][0]].left
    assert {step["status"] for step in recording["chain"]["steps"]} == {"succeeded"}
