"""SIGTERM in the middle of things: scenario 17 of the fault table."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.access import keys
from app.database.database import Database
from app.resources.models import Encoder
from tests.crash.rehearsal import rehearse, series
from tests.crash.stage import PATIENCE, Stage, client_of, stage
from tests.crash.watching import Watch
from tests.service import READING, eventually

pytestmark = pytest.mark.both_databases

REHEARSAL = rehearse(series)
WITHIN = [point for point in REHEARSAL.points() if point.phase == "before"]
SECONDS = 10.0  # to end in, once Kaltura has answered; a supervisor waits twice as long


@dataclass(frozen=True)
class Stopped:
    """A service that was told to stop while chains were within each of their calls, and started again."""

    stage: Stage
    recordings: list[str]
    answer: httpx.Response  # what a client got that waited for its chain
    exit_code: int
    seconds: float  # that it took to end when Kaltura had answered


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stopped]:
    workers = len(WITHIN) + 2  # one for each chain that is held, and one that is idle
    with stage(tmp_path_factory.mktemp("stop"), workers=workers) as it, ThreadPoolExecutor() as clients:
        watch = Watch(it.sandbox)
        recordings = [it.held(watch, REHEARSAL, point, str(point)) for point in WITHIN]
        watch.follow(WITHIN[-1])
        waiting = clients.submit(it.post, series("WAITING"), prefer="wait=30")
        watch.caught()
        it.service.process.terminate()
        answer = waiting.result()  # while nothing has moved yet
        until_it_listens_no_more(it)
        began = monotonic()
        watch.release(dead=False)
        exit_code = it.service.process.wait(PATIENCE)
        seconds = monotonic() - began
        it.service.restart()
        yield Stopped(it, [*recordings, answer.json()["id"]], answer, exit_code, seconds)


def until_it_listens_no_more(it: Stage) -> None:
    deadline = monotonic() + PATIENCE
    with client_of(it.service) as client:
        while True:
            try:
                client.get("/healthz", headers={"Connection": "close"})
            except httpx.TransportError:
                return
            assert monotonic() < deadline
            sleep(0.05)


def test_row_17_a_stop_within_steps_ends_well_and_soon(stopped: Stopped) -> None:
    assert (stopped.exit_code, stopped.seconds < SECONDS) == (0, True), stopped.seconds


def test_row_17_who_waits_for_a_chain_is_told_that_it_goes_on(stopped: Stopped) -> None:
    answer = stopped.answer
    assert (answer.status_code, answer.json()["status"]) == (202, "scheduling")
    assert answer.headers["Location"] == f"/recordings/{answer.json()['id']}"
    assert int(answer.headers["Retry-After"]) > 0


def test_row_17_nothing_is_lost_and_nothing_is_looked_up(stopped: Stopped) -> None:
    """No call was marked as sent that was not: after the restart each goes on with the next one, as if undisturbed.

    But for questions: what stands in Kaltura by now, as what another process has made is not believed, and what it had
    asked ahead.
    """
    for recording in stopped.recordings:
        stopped.stage.until(recording, "scheduled")
        assert stopped.stage.standing(recording) == REHEARSAL.left
    asked, undisturbed = Counter(stopped.stage.calls()), Counter(REHEARSAL.calls * len(stopped.recordings))
    assert undisturbed - asked == Counter()
    more = asked - undisturbed  # what another run is going to cancel, and what to link, it reads first
    assert {call.split(".")[1] for call in more} <= READING
    assert more.total() <= 6 * len(stopped.recordings)


def test_row_17_what_was_known_in_memory_alone_is_written_while_kaltura_does_not_answer(tmp_path: Path) -> None:
    """A stop's seconds are over before the call under way is."""
    room = "EXTRON-100-ABC"
    with stage(tmp_path, stop_seconds=2) as it, closing(Database(it.database_url)) as database:
        with database.write() as session:
            first, later = (keys.create(session, name, ["schedule:read"], [room]) for name in ("hall-1", "hall-2"))

        def is_known(key: str) -> bool:
            """Polls with it. That nothing is known of the room yet is an answer, too."""
            answer = it.client.get(f"/resources/{room}/upcoming", headers={"Authorization": f"Bearer {key}"})
            return answer.status_code != 401

        def used() -> dict[str, bool]:
            with database.read() as session:
                return {each.name: each.used_at is not None for each in keys.every(session)}

        watch = Watch(it.sandbox)
        it.held(watch, REHEARSAL, WITHIN[0], "HELD")
        assert eventually(lambda: not is_known("nobody's") and is_known(first[1]), PATIENCE)
        assert eventually(lambda: used()["hall-1"], PATIENCE)  # and the next uses are written a minute later
        assert is_known(later[1])
        assert it.service.stop() == 0
        assert used() == {"hall-1": True, "hall-2": True}
        with database.read() as session:
            assert session.execute(select(col(Encoder.polled_at)).where(col(Encoder.polled_at).is_not(None))).all()
        watch.release(dead=False)
