"""One chain in the hands of one worker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from app.chains.models import ChainState, ChainStatus, StepState, StepStatus
from app.chains.steps import Call, Context, Definition, Done, Json, Outcome, Step
from app.chains.store import Claim
from app.db import utc_now

T = TypeVar("T")

PENDING, SENT, MADE, UNDONE = "pending", "sent", "made", "undone"  # a call's states: app/chains/steps.py


@dataclass(slots=True)
class Run(Generic[T]):
    """One claimed chain in the hands of one worker."""

    claim: Claim
    chain: ChainState
    rows: list[StepState]
    definition: Definition[T]
    context: Context[T]
    results: dict[str, dict[str, Json]]  # of the context, growing
    changed: dict[int, StepState] = field(default_factory=dict)  # since the last checkpoint, by position
    finished: list[StepState] = field(default_factory=list)  # those of them whose results are still to be saved
    checked: set[int] = field(default_factory=set)  # steps whose check has let them through, by position
    in_line: bool = False  # whether this run has made sure of the lanes of the steps before

    @property
    def over(self) -> bool:
        return self.chain.status in (ChainStatus.SUCCEEDED, ChainStatus.FAILED, ChainStatus.STUCK)

    @property
    def refused(self) -> StepState | None:
        return next((row for row in self.rows if row.status == StepStatus.FAILED), None)

    @property
    def current(self) -> StepState | None:
        """The step to go on with, or the refused one of a chain that is being undone."""
        return next((row for row in self.rows if row.status not in (StepStatus.SUCCEEDED, StepStatus.UNDONE)), None)

    @property
    def begun(self) -> StepState | None:
        """The step in the middle of which it is. Steps before it may have to be done anew."""
        begun = (row for row in reversed(self.rows) if row.status in (StepStatus.RUNNING, StepStatus.WAITING))
        return next(begun, None)

    @property
    def returns(self) -> bool:
        """Whether it can be undone: no final step has begun."""
        return not any(self.step(row).final for row in self.rows if row.status != StepStatus.PENDING)

    @property
    def stops(self) -> bool:
        """Whether it is asked to stop, and can."""
        return self.claim.stop and self.returns

    def step(self, row: StepState) -> Step[T]:
        return self.definition.known[row.name]

    def glides(self, row: StepState) -> bool:
        """Whether the step's next call may be sent before anything is committed."""
        step = self.step(row)
        if not step.repeatable or (row.status == StepStatus.PENDING and step.final):
            return False
        return not any(self.lanes(one) or self.passing(one) for one in self.to_line_up(row))

    def to_line_up(self, row: StepState) -> Sequence[StepState]:
        """The steps whose lanes are to be taken before the row's next call: in each run, first those of all before."""
        if not self.in_line:
            return self.rows[: row.position + 1]
        return [row] if row.status == StepStatus.PENDING else []

    def lanes(self, row: StepState) -> Sequence[str]:
        named = self.step(row).lanes
        return named(self.context) if named else ()

    def passing(self, row: StepState) -> Sequence[str]:
        named = self.step(row).passing
        return named(self.context) if named else ()

    def waited(self, row: StepState) -> float:
        """Seconds since the step was first tried."""
        return (utc_now() - row.started_at).total_seconds() if row.started_at else 0.0

    def forget(self) -> None:
        """What its steps have found out that holds for as long as it has its lanes: they are done anew."""
        for row in self.rows:
            if self.step(row).anew and row.status != StepStatus.PENDING:
                row.status, row.calls, row.error, row.next_attempt_at = StepStatus.PENDING, None, None, None
                row.started_at = row.finished_at = None
                self.change(row)

    def begin(self, row: StepState) -> None:
        calls = self.step(row).calls(self.context)
        row.calls = [{"key": call.key, "request": dict(call.request), "state": PENDING} for call in calls]
        row.status, row.started_at, row.next_attempt_at = StepStatus.RUNNING, utc_now(), None
        row.attempts = 1 if row.calls else 0
        self.results[row.name] = {}
        self.change(row)

    def send(self, row: StepState) -> Callable[[Context[T], Call], Outcome]:
        """How the step's next call is sent: the first one of this run only after the step's check."""
        step = self.step(row)
        check = step.check
        if check is None or row.position in self.checked:
            return step.send
        asked = [Call(call["key"], call["request"]) for call in open_calls(row)]

        def after_check(context: Context[T], call: Call) -> Outcome:
            found = check(context, asked)
            if not isinstance(found, Done):
                return found
            self.checked.add(row.position)
            return step.send(context, call)

        return after_check

    def intend(self, row: StepState) -> None:
        """Its open call is going to be sent."""
        open_calls(row)[0].update(state=SENT, looks=0)
        row.status, row.next_attempt_at = StepStatus.RUNNING, None
        self.change(row)

    def finish(self, row: StepState) -> None:
        row.status, row.finished_at = StepStatus.SUCCEEDED, utc_now()
        row.error, row.next_attempt_at, row.failures = None, None, 0
        self.finished.append(row)
        self.change(row)

    def change(self, row: StepState) -> None:
        """It is saved at the next checkpoint."""
        self.changed[row.position] = row

    def made(self, row: StepState, call: dict[str, Any], result: Json) -> None:
        row.failures = 0
        self.change(row)
        call |= {"state": MADE, "result": result}
        self.results[row.name][call["key"]] = result
        self.context.made_here.add((row.name, call["key"]))

    def to_undo(self) -> list[tuple[StepState, dict[str, Any], Callable[..., Outcome]]]:
        """What is, or may be, there to be removed, and how: newest first."""
        return [
            (row, call, undo)
            for row in reversed(self.rows)
            if (undo := self.step(row).undo) is not None
            for call in reversed(row.calls or [])
            if call["state"] in (SENT, MADE)
        ]


def open_calls(row: StepState) -> list[dict[str, Any]]:
    """Those of a step that has begun which are not made, in order."""
    return [call for call in row.calls or () if call["state"] != MADE]
