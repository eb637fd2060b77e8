"""A service whose time is not the world's: a day passes in seconds, and everything is told by its clock.

`World` plays the service over a transport. `Encoder` is `lectern watch` on a host whose clock on the wall is wrong; its
commands are real, and write down what they do, with the time that stands in a file.
"""

import hashlib
import json
import shlex
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from app.watch import cache
from app.watch.commands import Command
from app.watch.runs import Runs
from app.watch.service import Service
from app.watch.watching import Host, Watch
from tests.service import eventually

ROOM = "HALL 1/A"
URL = "http://lectern.test"
KEY = "lct_hall1_secret"

# A capture: it runs until it is ended, and takes a moment to finish its file.
CAPTURE = """
say() { echo "$1 $LECTERN_UID $(cat {now})" >> {log}; }
trap 'say end; exit 0' TERM
say start
while :; do sleep 0.02; done
"""
UPLOAD = 'echo "upload $LECTERN_UID $(cat {now})" >> {log}'


class AtOnce(Executor):
    """What is submitted is done when it is submitted."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass
class World:
    """`now` is the service's time, in epoch seconds. `sessions` are those on the resource, by uid.

    `mode`: `up`, `gone` (nobody answers), `away` (503). `happens` at its time, however long a host sleeps.
    """

    now: float
    clock: Path
    occurrences: dict[str, dict[str, Any]] = field(default_factory=dict)
    mode: str = "up"
    happens: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    polls: list[tuple[float, int]] = field(default_factory=list)
    states: list[tuple[str, str | None]] = field(default_factory=list)
    state_answer: int = 204

    def book(self, uid: str, start: float, minutes: float) -> None:
        self.occurrences[uid] = {"uid": uid, "title": f"Lecture {uid}", "start": _text(start), "end": ""}
        self.end(uid, start + minutes * 60)

    def end(self, uid: str, end: float) -> None:
        self.occurrences[uid]["end"] = _text(end)

    def at(self, when: float, what: Callable[[], object]) -> None:
        self.happens.append((when, what))
        self.happens.sort(key=lambda one: one[0])

    def pass_by(self, seconds: float) -> None:
        until = self.now + seconds
        while self.happens and self.happens[0][0] <= until:
            self.now, what = self.happens.pop(0)
            what()
        self.now = until
        self.clock.write_text(f"{self.now:.2f}")

    def handle(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        assert request.url.raw_path.startswith(b"/resources/HALL%201%2FA/")
        if self.mode == "gone":
            raise httpx.ConnectError("nobody is there")
        if request.method == "PUT" and self.mode == "up":
            said = json.loads(request.content)
            self.states.append((said["state"], said["occurrence"]))
            return httpx.Response(self.state_answer)
        if self.mode == "away":
            answer = httpx.Response(503, headers={"Retry-After": "30"})
            return self._counted(answer) if request.method == "GET" else answer
        ahead = (
            one | {"status": "recording_now" if _epoch(one["start"]) <= self.now else "upcoming"}
            for one in self.occurrences.values()
            if _epoch(one["end"]) > self.now
        )
        shown = sorted(ahead, key=lambda one: str(one["start"]))
        etag = f'"{hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return self._counted(httpx.Response(304, headers={"ETag": etag}))
        body = {"resource": {"id": 7, "system_name": ROOM}, "server_time": _text(self.now), "occurrences": shown}
        return self._counted(httpx.Response(200, headers={"ETag": etag}, json=body))

    def _counted(self, response: httpx.Response) -> httpx.Response:
        self.polls.append((self.now, response.status_code))
        return response


def _text(moment: float) -> str:
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Encoder:
    """A host: its clock on the wall is `wrong` seconds ahead of the service's."""

    world: World
    folder: Path
    wrong: float = 0.0
    on_start: str = CAPTURE
    on_stop: str = UPLOAD
    before: timedelta = timedelta(0)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.log = self.folder / "log"
        self.log.touch()
        self.path = self.folder / "cache.json"
        self._every_run: list[Runs] = []
        self.boot()

    def boot(self) -> None:
        """A new process, which knows what the last one left on disk."""
        self._woken = False
        self.runs = Runs(
            self._told(self.on_start), self._told(self.on_stop), {"PATH": "/usr/bin:/bin"}, self.said.append
        )
        self._every_run.append(self.runs)
        service = Service(URL, KEY, ROOM, self.steady, httpx.MockTransport(self.world.handle))
        self.watch = Watch(
            service,
            AtOnce(),
            Host(self.steady, lambda: self.world.now + self.wrong),
            self.path,
            cache.load(self.path, ROOM),
            self.runs,
            before=self.before,
            say=self.said.append,
            wake=self._wake,
        )

    def _told(self, command: str) -> str:
        log, now = shlex.quote(str(self.log)), shlex.quote(str(self.world.clock))
        return command.replace("{log}", log).replace("{now}", now)

    def steady(self) -> float:
        return self.world.now - 1_800_000_000

    def _wake(self) -> None:
        self._woken = True

    def until(self, when: float) -> None:
        while self.world.now < when:
            self._woken = False
            pause = self.watch.turn()
            self._settle()
            if not self._woken:
                self.world.pass_by(min(pause, when - self.world.now))

    def _settle(self) -> None:
        """No time passes before every command has done what it does at once."""
        for left in self._every_run[:-1]:  # whose process is gone: else, init would see to its children
            for run in left.running.values():
                _ = run.command and run.command.code
        for uid, run in self.runs.running.items():
            command = run.command
            if command and run.phase == "recording" and self.on_start == CAPTURE:
                eventually(partial(self._has_begun_or_died, uid, command))
            elif command:
                _gone(command)

    def _has_begun_or_died(self, uid: str, command: Command) -> bool:
        log = self.log.read_text()
        return log.count(f"start {uid} ") > log.count(f"end {uid} ") or not command.alive

    def logged(self) -> list[tuple[str, str, float]]:
        """What commands did: what, of which session, when by the service's clock."""
        lines = (line.split() for line in self.log.read_text().splitlines())
        return [(what, uid, float(when)) for what, uid, when in lines]

    def clean_up(self) -> None:
        for runs in self._every_run:
            for run in runs.running.values():
                if run.command:
                    run.command.end()
                    _gone(run.command)


def _gone(command: Command) -> None:
    eventually(lambda: not command.alive)


__all__ = ["KEY", "ROOM", "URL", "AtOnce", "Encoder", "World"]
