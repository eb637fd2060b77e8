"""The service without its threads: chains run in the test's own, and die at any moment of it.

The moments of a chain, of which each is a place to die at:

    … commit of an intent ─▶ sending ─▶ commit of the result, and of the next intent ─▶ sending ─▶ …

To die before a call is to die after the checkpoint before it; to die within the commit after a call is to die after
the call, which nobody knows of then. A dead owner is followed by another, as if all leases and pauses were over.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.chains.engine import Engine
from app.chains.pauses import Pauses
from app.chains.store import Store
from app.main import create_app
from app.recordings.changing.operations import DEFINITIONS
from app.recordings.document.document import EXAMPLE
from app.recordings.scheduling.context import Tools
from app.recurrence.server import STEADY
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from app.sandbox.trouble.faults import Faults
from tests.chains.world import Crash, Watched
from tests.client import client_of
from tests.recordings.changing.scene import SIGN_IN
from tests.sandbox.kaltura import embedded
from tests.service import Json, Lectern, found, hurry, settings, with_tables

_OWNERS = count(1)


def die() -> None:
    raise Crash


Moment = tuple[tuple[Path, sqlite3.Connection], ...]


@dataclass(frozen=True)
class Death:
    """What somebody leaves behind who dies at a moment."""

    moment: str
    files: Moment
    faults: Faults


def moments(deaths: Iterable[Death]) -> list[str]:
    """When they died, in words for a test that fails."""
    return [death.moment for death in deaths]


@dataclass
class House(Lectern):
    """As Lectern, but what is asked of it goes on only when it is told to, and it can be as it was before."""

    folder: Path = Path()
    during: tuple[str, Json] | None = None  # while the next call of this name is done, the sandbox has these modes

    def __post_init__(self) -> None:
        self.database = Watched(self.app.state.database)

    def heal(self) -> None:
        self.during = None
        super().heal()

    def settle(
        self,
        at: int | None = None,
        happens: Callable[[], None] = die,
        *,
        each: Callable[[], object] = lambda: None,
        rounds: int = 10_000,
    ) -> list[str]:
        """Runs all chains to their end, but for sweeps. At the moment of a number something happens.

        `each` is called at each moment. After so many rounds of chains being taken up, whatever goes wrong in Kaltura
        ends. Returns the moments that there were.
        """
        moments: list[str] = []
        runs = count(1)

        def tick(moment: str) -> None:
            moments.append(moment)
            each()
            if len(moments) - 1 == at:
                happens()

        def sending(service: str, action: str, phase: str) -> None:
            call = f"{service.removeprefix('schedule_')}.{action}"
            if phase == "before" and service not in SIGN_IN:
                tick(call)
            if self.during and call == self.during[0]:
                self.sandbox.set_faults({"modes": self.during[1]} if phase == "before" else {})
                self.during = self.during if phase == "before" else None

        while claim := self._claim(store := Store(self.database, f"owner {next(_OWNERS)}", 30.0)):
            if next(runs) == rounds:
                self.heal()
            engine = Engine(store, DEFINITIONS, Pauses())
            self.database.tick = lambda moment: tick("commit") if moment == "committing" else None
            self.sandbox.watch = sending
            try:
                engine.run(claim, Tools(self.app.state.kaltura, self.database, STEADY))
            except Crash:
                pass
            finally:
                self.database.tick, self.sandbox.watch = lambda _moment: None, None
        return moments

    def deaths(self) -> list[Death]:
        """Runs all chains to their end, and tells what whoever dies at each moment on the way, or at the end, leaves
        behind."""
        left: list[tuple[Moment, Faults]] = []

        def keep() -> None:
            left.append((self.keep(), deepcopy(self.sandbox._faults)))

        moments = self.settle(each=keep)
        keep()
        return [Death(moment, *there) for moment, there in zip([*moments, "end"], left, strict=True)]

    def after(self, death: Death) -> None:
        """Goes on where somebody died, to the end: it takes half as long as to come there once more."""
        self.back_to(death.files)
        self.sandbox._faults = deepcopy(death.faults)
        self.settle()

    def sweep(self) -> None:
        """The same with sweeps, whose time comes some minutes later."""
        with self.database.write() as session:
            due = "UPDATE chain SET next_attempt_at = 0 WHERE next_attempt_at > 0"
            session.connection().execute(text(f"{due} AND operation = 'sweep'"))
        self.settle()

    def _claim(self, store: Store) -> Any:
        """A chain that is due; if none is, as if all leases and pauses were over."""
        if claim := store.claim():
            return claim
        due = "UPDATE chain SET lease_until = 0, next_attempt_at = 0"
        with store.database.write() as session:
            session.connection().execute(text(f"{due} WHERE next_attempt_at >= 0 AND operation <> 'sweep'"))
        return store.claim()

    def keep(self) -> Moment:
        """Everything as it is now, in Lectern and in Kaltura."""
        kept = []
        for path in (self.folder / "lectern.db", self.folder / "sandbox.db"):
            memory = sqlite3.connect(":memory:")
            with closing(sqlite3.connect(path)) as database:
                database.backup(memory)
            kept.append((path, memory))
        return tuple(kept)

    def back_to(self, moment: Moment) -> None:
        self.heal()
        for path, memory in moment:
            with closing(sqlite3.connect(path)) as database:
                database.execute("PRAGMA synchronous=OFF")
                memory.backup(database)

    def made(self, document: object = EXAMPLE, **headers: str) -> Json:
        recording: Json = found(self.schedule(document, **headers), 202)
        self.settle()
        shown: Json = self.get(f"/recordings/{recording['id']}")
        return shown


@contextmanager
def house(folder: Path) -> Iterator[House]:
    sandbox = Sandbox(str(folder / "sandbox.db"), server_zone="UTC")  # as in tests/service.py
    kaltura = embedded(sandbox).sign_in()
    app = create_app(settings(with_tables(folder), kaltura_server_time_zone="UTC"), transport=SandboxTransport(sandbox))
    hurry(app.state.database)
    app.state.keys.look()
    with client_of(app, started=False, headers={"Prefer": "respond-async"}) as client:
        yield House(app, client, sandbox, kaltura, folder=folder)
    app.state.database.close()
    kaltura.client.close()
    sandbox.close()
