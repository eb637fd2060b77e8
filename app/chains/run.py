"""One chain in the hands of one worker."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.chains.models import Chain, ChainStatus, ChainStep, StepStatus
from app.chains.steps import Context, Definition, Json, Outcome, Step
from app.chains.store import Claim

T = TypeVar("T")

PENDING, SENT, MADE, UNDONE = "pending", "sent", "made", "undone"  # a call's states: app/chains/steps.py


@dataclass(slots=True)
class Run(Generic[T]):
    """One claimed chain in the hands of one worker."""

    claim: Claim
    chain: Chain
    rows: list[ChainStep]
    definition: Definition[T]
    context: Context[T]
    results: dict[str, dict[str, Json]]  # of the context, growing

    @property
    def over(self) -> bool:
        return self.chain.status in (ChainStatus.SUCCEEDED, ChainStatus.FAILED, ChainStatus.STUCK)

    @property
    def refused(self) -> ChainStep | None:
        return next((row for row in self.rows if row.status == StepStatus.FAILED), None)

    @property
    def current(self) -> ChainStep | None:
        """The step to go on with, or the refused one of a chain that is being undone."""
        return next((row for row in self.rows if row.status not in (StepStatus.SUCCEEDED, StepStatus.UNDONE)), None)

    @property
    def returns(self) -> bool:
        """Whether it can be undone: no final step has begun."""
        return not any(self.step(row).final for row in self.rows if row.status != StepStatus.PENDING)

    @property
    def stops(self) -> bool:
        """Whether it is asked to stop, and can."""
        return self.claim.stop and self.returns

    def step(self, row: ChainStep) -> Step[T]:
        return self.definition.steps[row.position]

    def made(self, row: ChainStep, call: dict[str, Any], result: Json) -> None:
        call |= {"state": MADE, "result": result}
        self.results[row.name][call["key"]] = result

    def to_undo(self) -> list[tuple[ChainStep, dict[str, Any], Callable[..., Outcome]]]:
        """What is, or may be, there to be removed, and how: newest first."""
        return [
            (row, call, undo)
            for row in reversed(self.rows)
            if (undo := self.step(row).undo) is not None
            for call in reversed(row.calls or [])
            if call["state"] in (SENT, MADE)
        ]
