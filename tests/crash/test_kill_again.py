"""kill -9 again and again, and what a client sees of it: it sends its request once more."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.chains.models import Chain, ChainStep
from tests.crash.rehearsal import Json, rehearse, rows, series
from tests.crash.stage import PATIENCE, Stage, stage
from tests.crash.watching import PHASES, SIGN_IN, Phase, Point, Watch

pytestmark = pytest.mark.both_databases

ROOMS, KILLS = 6, 3
REHEARSAL = rehearse(series)


def test_row_18_killed_again_and_again(tmp_path: Path, database_url: str) -> None:
    """At a call that chance names, three times. What Kaltura holds is what the rows say, or what they say may be."""
    chance = random.Random(18)
    with stage(tmp_path, lease_seconds=1, database_url=database_url) as it:
        killer = Killer(it)
        recordings = [it.accepted(series(f"ROOM-{number}")) for number in range(ROOMS)]
        for turn in range(KILLS):
            if turn:
                it.service.restart()
            killer.kill_at(chance.randint(3, 18), chance.choice(PHASES))
            for recording in recordings:
                made, may_be_made = told(database_url, recording)
                there = Counter(one for kind in ("entries", "events") for one in references(it, kind, recording))
                assert set(there.values()) <= {1}
                assert made <= set(there) <= made | may_be_made
        killer.rest()
        it.service.restart()
        for recording in recordings:
            it.until(recording, "scheduled")
            assert it.standing(recording) == REHEARSAL.left


def told(database_url: str, recording: str) -> tuple[set[str], set[str]]:
    """The reference ids of what the rows say is made, and of what was sent and may be made."""
    steps = select(col(ChainStep.calls)).join(Chain).where(col(Chain.subject) == recording)
    calls = [
        call for (written,) in rows(database_url, steps) for call in written or () if "reference_id" in call["request"]
    ]
    made, sent = ({call["request"]["reference_id"] for call in calls if call["state"] == s} for s in ("made", "sent"))
    return made, sent


def references(it: Stage, kind: str, recording: str) -> list[str]:
    return [
        one["referenceId"]
        for one in it.sandbox.state()[kind]
        if f"-{recording}-" in one.get("referenceId", "") and "parentId" not in one
    ]


class Killer:
    """Kills the service at its so-many-th call, whichever chain makes it. Before it is told when, nobody calls."""

    def __init__(self, it: Stage) -> None:
        self._it, self._lock, self._ready, self._killed = it, Lock(), Event(), Event()
        self._left, self._phase, self._kills = 0, "", 0
        it.sandbox.watch = self._see

    def kill_at(self, calls: int, phase: str) -> None:
        """Returns when it has killed."""
        self._left, self._phase = calls, phase
        self._killed.clear()
        self._ready.set()
        assert self._killed.wait(PATIENCE)

    def rest(self) -> None:
        self._it.sandbox.watch = None
        self._ready.set()

    def _see(self, service: str, _action: str, phase: Phase) -> None:
        life = self._kills
        assert self._ready.wait(PATIENCE)
        with self._lock:
            if life == self._kills and service not in SIGN_IN and phase == self._phase:
                self._left -= 1
                if self._left == 0:
                    self._ready.clear()
                    self._it.service.kill()
                    self._kills += 1
                    self._killed.set()
        if life != self._kills and phase == "before":
            raise ConnectionAbortedError  # lost with its sender


def test_a_client_that_was_cut_off_sends_its_request_again(tmp_path: Path) -> None:
    named, keyed = series("NAMED"), series("KEYED")
    del keyed["reference_id"]
    requests: list[tuple[Json, dict[str, str]]] = [(named, {}), (keyed, {"idempotency_key": "once"})]
    with stage(tmp_path) as it, ThreadPoolExecutor() as clients:
        watch, cut_off = Watch(it.sandbox), []
        for document, headers in requests:
            watch.follow(Point(REHEARSAL.calls.index("media.add"), "media.add", "after"))
            cut_off.append(clients.submit(it.post, document, prefer="wait=30", **headers))
            watch.caught()
        it.service.kill()
        watch.release(dead=True)
        for request in cut_off:
            with pytest.raises(httpx.TransportError):
                request.result()
        it.service.restart()
        for document, headers in requests:
            answer = it.post(document, prefer="wait=30", **headers)
            assert (answer.status_code, answer.json()["status"]) == (200, "scheduled")
            assert it.standing(answer.json()["id"]) == REHEARSAL.left
        assert len(it.get("/recordings")["items"]) == len(it.sandbox.state()["entries"]) == len(requests)
