"""The sessions that were started, each with its command.

start ──▶ recording ──stop──▶ ending ──────▶ stopping ──▶ gone
             │ ▲               its command    on-stop runs, again if it fails
             └─┘ again, if     is ended
                 it fails
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from signal import SIGKILL
from typing import Any, Literal

from app.watch.commands import Command, hold, release
from app.watch.schedule import Occurrence, environment, read_occurrence

GRACE = 20.0  # seconds that a command has to finish its file before it is killed
POLITE = 2.0  # seconds that the next session waits for on-stop of the one before
LOOK = 0.25  # seconds between two looks at a command that is ending
WATCH = 2.0  # seconds between two looks at one that is to go on
TRIES = 5  # of on-stop
CANNOT = 127  # instead of an exit code, where no shell could be started
FIRST_PAUSE, LONGEST_PAUSE = 2.0, 60.0  # seconds before a command that failed is started again

Phase = Literal["recording", "ending", "stopping"]


@dataclass
class Run:
    """`since`: of its phase, by the steady clock. `released`: its command was told to go on."""

    occurrence: Occurrence
    phase: Phase = "recording"
    command: Command | None = None
    released: bool = False
    since: float = 0.0
    killed: bool = False
    tries: int = 0
    again_at: float | None = None
    failure: str = ""

    def kept(self) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "occurrence": dict(self.occurrence.words),
            "phase": self.phase,
            "released": self.released,
        }
        if command := self.command:
            shown |= {"pid": command.pid, "born": command.born, "code": command.code}
        return shown


@dataclass
class Runs:
    """By uid. `inherited` is the environment that each command gets beside its session's."""

    on_start: str
    on_stop: str
    inherited: Mapping[str, str]
    say: Callable[[str], None]
    save: Callable[[], None] = lambda: None
    resource: Mapping[str, Any] = field(default_factory=dict)
    running: dict[str, Run] = field(default_factory=dict)

    @property
    def occurrences(self) -> dict[str, Occurrence]:
        """Those that record."""
        return {uid: run.occurrence for uid, run in self.running.items() if run.phase == "recording"}

    def kept(self) -> dict[str, dict[str, Any]]:
        return {uid: run.kept() for uid, run in self.running.items()}

    def take_up(self, kept: Mapping[str, Mapping[str, Any]], steady: float) -> None:
        """What an earlier process has left. What it never told to go on has not begun, and is started anew."""
        for uid, said in kept.items():
            command = Command(said["pid"], said["born"], seen=said.get("code")) if "pid" in said else None
            if said["phase"] == "recording" and not said["released"] and not (command and command.alive):
                continue
            run = self.running[uid] = Run(read_occurrence(said["occurrence"]), said["phase"], command, True, steady)
            if run.phase == "stopping":
                run.command = None  # whether it was done is not known: once more does no harm
            elif run.phase == "ending" and command:
                command.end()
            self.say(f"From before: {run.occurrence.title} ({uid}), {run.phase}.")

    def free(self, steady: float) -> bool:
        """Whether what was ended before has let go of the device."""
        return not any(
            run.phase == "ending" or (run.phase == "stopping" and steady - run.since < POLITE and not run.failure)
            for run in self.running.values()
        )

    def start(self, occurrence: Occurrence, steady: float) -> None:
        """If on-stop of the same session still runs, which was then extended, it goes on by itself."""
        run = self.running[occurrence.uid] = Run(occurrence)
        self._run(run, self.on_start, steady)

    def follow(self, occurrence: Occurrence) -> None:
        self.running[occurrence.uid].occurrence = occurrence

    def stop(self, occurrence: Occurrence, steady: float) -> None:
        run = self.running[occurrence.uid]
        run.occurrence, run.phase, run.since = occurrence, "ending", steady
        run.tries, run.again_at, run.failure = 0, None, ""
        if run.command:
            run.command.end()

    def look_after(self, steady: float) -> None:
        """Starts again what failed, and brings to its end what is ending."""
        for uid, run in list(self.running.items()):
            match run.phase:
                case "recording":
                    self._look_at_recording(run, steady)
                case "ending":
                    self._look_at_ending(run, steady)
                case "stopping" if self._is_stopped(run, steady):
                    del self.running[uid]

    def pause(self, steady: float) -> float:
        """Seconds until the next look."""
        if any(run.phase != "recording" for run in self.running.values()):
            return LOOK
        waiting = [run.again_at - steady for run in self.running.values() if run.again_at is not None]
        watched = any(run.command and run.command.code != 0 for run in self.running.values())
        return min([*waiting, *([WATCH] if watched else [])], default=LONGEST_PAUSE)

    def state(self) -> tuple[str, str | None, str | None]:
        """As the service is told: state, detail, occurrence."""
        runs = sorted(self.running.values(), key=lambda run: run.phase != "recording")
        for run in runs:
            if run.failure:
                return "error", run.failure, run.occurrence.uid
        for run in runs:
            return "recording" if run.phase == "recording" else "uploading", None, run.occurrence.uid
        return "idle", None, None

    # One of them

    def _run(self, run: Run, command: str, steady: float) -> None:
        """What runs is known before it does anything: a crash in between leaves nothing behind that nobody ends."""
        run.released, run.since, run.again_at = False, steady, None
        try:
            run.command = hold(command, {**self.inherited, **environment(run.occurrence, self.resource)})
        except OSError as error:
            run.command = None
            self._failed(run, f"cannot be started: {error.strerror}")
            return
        self.save()
        release(run.command)
        run.released = True

    def _failed(self, run: Run, how: str) -> None:
        name = "on-start" if run.phase == "recording" else "on-stop"
        failure = f"The command {name} {how}."
        if failure != run.failure:
            self.say(f"{failure} ({run.occurrence.title}, {run.occurrence.uid})")
        run.failure = failure

    def _look_at_recording(self, run: Run, steady: float) -> None:
        if run.again_at is not None:
            if steady >= run.again_at and self.free(steady):
                self._run(run, self.on_start, steady)
            return
        code = run.command.code if run.command else CANNOT
        if code:
            self._again(run, code, steady)
        elif run.command and run.command.lost:
            self._again(run, None, steady)
        elif run.failure and (code == 0 or steady - run.since > LONGEST_PAUSE):
            run.failure, run.tries = "", 0

    def _again(self, run: Run, code: int | None, steady: float) -> None:
        if code is None:
            self._failed(run, "has ended, and nobody saw how")
        elif run.command:
            self._failed(run, f"ended with {code}" if code > 0 else f"was ended by signal {-code}")
        run.again_at = steady + min(FIRST_PAUSE * 2.0 ** min(run.tries, 10), LONGEST_PAUSE)
        run.tries += 1

    def _look_at_ending(self, run: Run, steady: float) -> None:
        if run.command and run.command.alive:
            if steady - run.since < GRACE:
                return
            if not run.killed:
                self.say(f"{run.occurrence.title} ({run.occurrence.uid}) does not end: its command is killed.")
                run.command.end(SIGKILL)
                run.killed = True
        run.phase, run.since, run.command = "stopping", steady, None
        if self.on_stop:
            self._run(run, self.on_stop, steady)

    def _is_stopped(self, run: Run, steady: float) -> bool:
        """Whether on-stop is done, or given up."""
        if not self.on_stop:
            return True
        if run.again_at is not None:
            if any(other.phase == "recording" for other in self.running.values()):
                return True  # it might end that one
            if steady >= run.again_at:
                self._run(run, self.on_stop, steady)
            return False
        if run.command is None and not run.failure:  # left by an earlier process
            self._run(run, self.on_stop, steady)
            return False
        code = run.command.code if run.command else CANNOT
        if code:
            self._again(run, code, steady)
        return code == 0 or run.tries >= TRIES
