"""Killed by kill -9, restarted: the same as `test_crashes.py`, by real processes at a sample of the points.

Every recording has rooms of its own, so all changes are held, each at its own point, when one kill finds them there.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.crash.stage import PATIENCE, Stage, stage
from tests.crash.watching import Point, Watch
from tests.recordings.changing.cases import CASES, picture, prepared
from tests.recordings.changing.house import house
from tests.recordings.changing.scene import Scene
from tests.sandbox.kaltura import embedded
from tests.service import READING, Json, Lectern, eventually, found

Sample = tuple[str, Point]
SAMPLE = ("retime", "cancel")


@dataclass
class Process(Lectern):
    """As Lectern, but of another process."""

    def made(self, document: object = None, **headers: str) -> Json:
        recording: Json = found(self.schedule(document, **headers), 202)
        eventually(lambda: self.get(f"/recordings/{recording['id']}")["status"] == "scheduled", PATIENCE)
        shown: Json = self.get(f"/recordings/{recording['id']}")
        return shown


def rehearse(folder: Path) -> dict[Sample, Json]:
    """What each change comes to, undisturbed; and each of its writing calls, before and after it, is a point."""
    found_out = {}
    with house(folder) as service:
        for name in SAMPLE:
            scene = prepared(service, CASES[name], service.settle)
            found(CASES[name].act(scene), 202)
            calls = [moment for moment in service.settle() if moment != "commit"]
            wanted = picture(scene)
            for number, call in enumerate(calls):
                if call.split(".")[1] not in READING:
                    phase = "after" if number % 2 else "before"
                    found_out[name, Point(number, call, cast(Any, phase))] = wanted
    return found_out


def play(it: Stage, samples: dict[Sample, Json]) -> dict[Sample, Scene]:
    """The service restarted, after a kill that found a change at each of the points."""
    it.client.headers["Prefer"] = "respond-async"
    kaltura = embedded(it.sandbox).sign_in("somebody")
    service = Process(cast(Any, None), cast(Any, it.client), it.sandbox, kaltura)
    watch, scenes = Watch(it.sandbox), {}
    for name, point in samples:
        watch.follow()
        scenes[name, point] = scene = prepared(service, CASES[name])
        watch.follow(point)
        found(cast(Any, CASES[name].act(scene)), 202)
        watch.caught()
    it.service.kill()
    watch.release(dead=True)
    it.service.restart()
    return scenes


def test_rows_1_and_2_killed_in_the_middle_of_a_change_it_comes_to_the_same(tmp_path: Path) -> None:
    samples = rehearse(tmp_path)
    (tmp_path / "stage").mkdir()
    assert {name for name, _ in samples} == set(SAMPLE)
    with stage(tmp_path / "stage", workers=len(samples) + 2) as it:
        for (name, point), scene in play(it, samples).items():
            scene.until_settled(PATIENCE)
            assert picture(scene) == samples[name, point], f"{name}, killed at {point}"
