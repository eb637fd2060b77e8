"""Watching the service's calls from inside the sandbox, and holding one of them at an exact point.

Chains are started one after another: the one that was started last is the one that is followed, as all before it
have ended or are held. So a single kill finds any number of chains, each at its own point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Literal, NamedTuple

from app.sandbox.simulator import Sandbox

SIGN_IN = ("session", "appToken")  # services that no chain calls: a process does, when it needs to
Phase = Literal["before", "after"]
PHASES: tuple[Phase, ...] = ("before", "after")
LONGEST_HOLD = 110.0  # seconds; a test that forgets what it holds fails


class Point(NamedTuple):
    """`phase` of the `number`th call of a chain, from 0 on. `call` is its name: `media.add`."""

    number: int
    call: str
    phase: Literal["before", "after", "end"]

    def __str__(self) -> str:
        return f"{self.number:02d}-{self.call}-{self.phase}"


@dataclass(frozen=True)
class Meddling:
    """What somebody else does right after the first call of a name, and how the chain is refused then."""

    call: str
    act: Callable[[Sandbox, str], None]  # given the sandbox and the name of the recording's room
    refusal: str  # the problem's code

    def after(self, calls: Sequence[str]) -> int:
        """The number of that call."""
        return calls.index(self.call)


@dataclass
class Watch:
    """Follows one chain at a time. `calls` are its calls so far."""

    sandbox: Sandbox
    calls: list[str] = field(default_factory=list)
    _point: Point | None = None
    _meddling: Meddling | None = None
    _room: str = ""
    _caught: Event = field(default_factory=Event)
    _meddled: Event = field(default_factory=Event)
    _released: Event = field(default_factory=Event)
    _dead: bool = False
    _busy: bool = False

    def __post_init__(self) -> None:
        self.sandbox.watch = self._see

    def follow(self, point: Point | None = None, meddling: Meddling | None = None, room: str = "") -> None:
        """From now on the next chain. It is held at `point`; `meddling` happens on its way."""
        self.calls, self._point, self._meddling, self._room = [], point, meddling, room
        self._caught.clear()
        self._meddled.clear()

    def caught(self) -> None:
        """Returns when the chain is held at its point."""
        assert self._caught.wait(LONGEST_HOLD), f"{self._point} was never reached, only {self.calls}"

    def meddled(self) -> None:
        """Returns when somebody has meddled with the chain."""
        assert self._meddled.wait(LONGEST_HOLD), f"there was no occasion, only {self.calls}"

    def release(self, *, dead: bool) -> None:
        """Lets go of all that is held, and follows no more. Of a dead service, what was not done is not done."""
        self.sandbox.watch, self._dead = None, dead
        self._released.set()

    def _see(self, service: str, action: str, phase: Phase) -> None:
        if service in SIGN_IN or self._busy:
            return
        call = f"{service.removeprefix('schedule_')}.{action}"
        if phase == "before":
            self.calls.append(call)
        else:
            self._meddle(call)
        if self._point == Point(len(self.calls) - 1, call, phase):
            self._point = None
            self._caught.set()
            assert self._released.wait(LONGEST_HOLD)
            if self._dead and phase == "before":
                raise ConnectionAbortedError  # the request is lost with its sender

    def _meddle(self, call: str) -> None:
        if self._meddling and self._meddling.call == call and self.calls.count(call) == 1:
            self._busy = True
            self._meddling.act(self.sandbox, self._room)
            self._busy = False
            self._meddled.set()
