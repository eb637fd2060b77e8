"""Two processes over one database: scenarios 12 and 13 of the fault table."""

import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.rehearsal import rehearse, series
from tests.crash.stage import PATIENCE, Stage, two_services
from tests.crash.watching import Point, Watch
from tests.service import eventually

pytestmark = pytest.mark.xdist_group("replicas")

REHEARSAL = rehearse(series)
ADDING = Point(REHEARSAL.calls.index("media.add"), "media.add", "after")
LOOK = "baseEntry.listByReferenceId"
ROOMS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def replicas(folder: Path) -> Iterator[tuple[Stage, Stage]]:
    with two_services(folder) as found:
        yield found


def test_row_12_a_chain_has_one_owner(replicas: tuple[Stage, Stage]) -> None:
    """Whoever runs it: each call is made once."""
    recordings = [replicas[number % 2].accepted(series(f"ROOM-{number}")) for number in range(ROOMS)]
    for recording in recordings:
        replicas[0].until(recording, "scheduled")
        assert replicas[1].standing(recording) == REHEARSAL.left
    assert Counter(replicas[0].calls()) == Counter(REHEARSAL.calls * ROOMS)


def test_row_13_who_sleeps_past_its_lease_changes_nothing_when_it_wakes(
    replicas: tuple[Stage, Stage], folder: Path
) -> None:
    """The other one looks up what was made, and goes on; what the sleeper then hears from Kaltura is no news."""
    before, watch = len(replicas[0].calls()), Watch(replicas[0].sandbox)
    recording = replicas[0].held(watch, REHEARSAL, ADDING, "SLEEPER")
    sleeper, other = sorted(replicas, key=lambda it: it.service.pid != owner(folder, recording))
    sleeper.service.process.send_signal(signal.SIGSTOP)
    other.until(recording, "scheduled")
    so_far = len(sleeper.service.log.read_text())
    sleeper.service.process.send_signal(signal.SIGCONT)
    watch.release(dead=False)
    eventually(lambda: "lease_lost" in sleeper.service.log.read_text()[so_far:], PATIENCE)
    assert other.standing(recording) == REHEARSAL.left
    expected = [*REHEARSAL.calls[: ADDING.number + 1], LOOK, *REHEARSAL.calls[ADDING.number + 1 :]]
    assert other.calls()[before:] == expected


def owner(folder: Path, recording: str) -> int:
    """The process that runs the recording's chain."""
    connection = sqlite3.connect(folder / "lectern.db")
    (found,) = connection.execute("SELECT owner FROM chain WHERE subject = ?", (recording,)).fetchone()
    connection.close()
    return int(found.split("-")[-2])
