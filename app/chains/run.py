"""One chain while a worker runs it: what is known of its steps, and what changes in them until the next checkpoint.

Nothing here is durable: app/chains/engine.py decides when it is committed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice, takewhile
from typing import Any, Generic, TypeVar

import structlog
from sqlmodel import Session

from app.chains.models import ChainState, ChainStatus, StepState, StepStatus
from app.chains.steps import (
    MAX_CALLS_AT_ONCE,
    Act,
    Again,
    Call,
    Context,
    Definition,
    Done,
    Failed,
    Json,
    Outcome,
    Retry,
    SideBySide,
    Step,
    Unknown,
)
from app.chains.store import Claim
from app.database.database import is_away
from app.database.types import utc_now

log = structlog.get_logger(__name__)
T = TypeVar("T")

MISTAKE = "Lectern made a mistake in this step; its log says more."
AWAY = "Lectern's database did not answer in time; the step is tried again."
# A call's states: app/chains/steps.py
PENDING, SENT, MADE, AGAIN, UNDONE = "pending", "sent", "made", "again", "undone"
TOLD = 3  # times in a row that something must be refused for it to be believed, where something may have been done


@dataclass(slots=True)
class Run(Generic[T]):
    """One claimed chain and its `rows`, a StepState for each step, by position.

    A call is `{"key", "request", "state"}` and what became of it: "result", "looks", "failures", "unsure" (it was sent
    and had no answer), "told" (a refusal that is not believed yet), "again", "lost", "note".
    """

    claim: Claim
    chain: ChainState
    rows: list[StepState]
    definition: Definition[T]
    context: Context[T]
    results: dict[str, dict[str, Json]]  # of the context, growing
    again: dict[tuple[str, str], int]  # the same
    side_by_side: SideBySide
    changed: dict[int, StepState] = field(default_factory=dict)  # since the last checkpoint, by position
    finished: list[StepState] = field(default_factory=list)  # those of them whose results are still to be saved
    checked: set[int] = field(default_factory=set)  # steps whose check has let them through, by position
    has_lanes: bool = False  # whether this run has made sure of the lanes of the steps before
    holds_subject: bool = False  # whether this checkpoint has locked the subject's row

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or is stuck."""
        return self.chain.status in (ChainStatus.SUCCEEDED, ChainStatus.FAILED, ChainStatus.STUCK)

    @property
    def refused_step(self) -> StepState | None:
        """The step that the chain is, or was, undone for."""
        return next((row for row in self.rows if row.status == StepStatus.FAILED), None)

    @property
    def refusal(self) -> dict[str, Any] | None:
        """The error that it is undone for, with the "step" that met it."""
        row = self.refused_step
        return {**(row.error or {}), "step": row.name} if row else None

    @property
    def current_step(self) -> StepState | None:
        """The step to go on with, or the refused one of a chain that is being undone."""
        return next((row for row in self.rows if row.status not in (StepStatus.SUCCEEDED, StepStatus.UNDONE)), None)

    @property
    def interrupted_step(self) -> StepState | None:
        """The last step of which some calls may have been sent. Steps before it may have to be done anew."""
        begun = (row for row in reversed(self.rows) if row.status in (StepStatus.RUNNING, StepStatus.WAITING))
        return next(filter(open_calls, begun), None)

    @property
    def can_be_undone(self) -> bool:
        """Whether it can be undone: no final step has begun."""
        return not any(self.step(row).final for row in self.rows if row.status != StepStatus.PENDING)

    @property
    def is_to_stop(self) -> bool:
        """Whether it is asked to stop, and has not passed its point of no return."""
        return self.claim.stop and self.can_be_undone

    def step(self, row: StepState) -> Step[T]:
        """The definition of a row's step."""
        return self.definition.known[row.name]

    def may_go_on_uncommitted(self, row: StepState) -> bool:
        """Whether the step's next call may be sent before anything is committed."""
        step = self.step(row)
        if not step.repeatable or (row.status == StepStatus.PENDING and step.final):
            return False
        return not any(self.lanes(one) or self.lanes_without_waiting(one) for one in self.steps_needing_lanes(row))

    def steps_needing_lanes(self, row: StepState) -> Sequence[StepState]:
        """The steps whose lanes are to be taken before the row's next call.

        In a new run those of all steps before it too: the chain may have stepped aside since it took them.
        """
        if not self.has_lanes:
            return self.rows[: row.position + 1]
        return [row] if row.status == StepStatus.PENDING else []

    def lanes(self, row: StepState) -> Sequence[str]:
        """The keys of the lanes that the step waits for."""
        named = self.step(row).lanes
        return named(self.context) if named else ()

    def lanes_without_waiting(self, row: StepState) -> Sequence[str]:
        """The keys of the lanes in which it only takes its place."""
        named = self.step(row).lanes_without_waiting
        return named(self.context) if named else ()

    def seconds_since_first_try(self, row: StepState) -> float:
        """By this host's clock; 0 before the first try."""
        return (utc_now() - row.started_at).total_seconds() if row.started_at else 0.0

    def forget_what_lanes_protected(self) -> None:
        """Sets the steps back whose results hold only while the chain has its lanes: they are done once more.

        None of a chain that is undone, or past its point of no return.
        """
        if self.refused_step or not self.can_be_undone:
            return
        for row in self.rows:
            redo = self.step(row).redo_after_stepping_aside
            if row.status != StepStatus.PENDING and redo and redo(self.context):
                row.status, row.calls, row.error, row.next_attempt_at = StepStatus.PENDING, None, None, None
                row.started_at = row.finished_at = None
                self.mark_changed(row)

    def start_step(self, row: StepState) -> None:
        """Asks the step for its calls. None of them is sent by that, nor marked as sent."""
        calls = self.step(row).calls(self.context)
        row.calls = [{"key": call.key, "request": dict(call.request), "state": PENDING} for call in calls]
        row.status, row.started_at, row.next_attempt_at = StepStatus.RUNNING, utc_now(), None
        row.attempts = 1 if row.calls else 0
        self.results[row.name] = {}
        self.mark_changed(row)

    def next_calls(self, row: StepState) -> list[dict[str, Any]]:
        """The open calls that are sent next: the first, and with it those behind it that need not wait for it."""
        calls, independent = open_calls(row), self.step(row).independent
        first = takewhile(lambda call: independent(call["key"]), calls) if independent else ()
        return list(islice(first, MAX_CALLS_AT_ONCE)) or calls[:1]

    def prefetches(self, row: StepState, calls: Sequence[Mapping[str, Any]]) -> tuple[Sequence[Act], Sequence[Act]]:
        """The step's `prefetch` and `prefetch_after`, if these are the last of its independent calls; else nothing.

        Nothing does after a failure: it may be a question of which Kaltura has died, and the calls with it.
        """
        step, behind = self.step(row), open_calls(row)[len(calls) :]
        if row.failures:
            return (), ()
        if step.independent is not None and (
            not step.independent(calls[0]["key"]) or any(step.independent(one["key"]) for one in behind)
        ):
            return (), ()
        try:
            prefetch, prefetch_after = (
                named(self.context) if named else () for named in (step.prefetch, step.prefetch_after)
            )
        except Exception:
            log.exception("questions_raised", chain_id=self.chain.id, step=row.name)  # the steps ask by themselves
            return (), ()
        return prefetch, prefetch_after

    def send(self, row: StepState, calls: Sequence[dict[str, Any]]) -> list[Outcome]:
        """Sends the calls, the first ones of this run only after the step's check. The outcome of each, in order."""
        step = self.step(row)
        if (check := step.check) is not None and row.position not in self.checked:
            asked = [Call(call["key"], call["request"]) for call in open_calls(row)]
            first = partial(self.attempt, row, calls[0], lambda context, _call: check(context, asked))
            (found,) = self.side_by_side([first])
            if not isinstance(found, Done):
                return [found] * len(calls)
            self.checked.add(row.position)
        prefetch, prefetch_after = self.prefetches(row, calls)
        return self.side_by_side(
            [partial(self.attempt, row, call, step.send) for call in calls], prefetch, prefetch_after
        )

    def attempt(self, row: StepState, call: Mapping[str, Any], act: Callable[..., Any], *more: Json) -> Any:
        """What one of the step's functions (`send`, `find`, `undo` …) returns. What it raises is an Unknown."""
        try:
            return act(
                replace(self.context, step_seconds=self.seconds_since_first_try(row), failures=row.failures),
                Call(call["key"], call["request"], call.get("note")),
                *more,
            )
        except Exception as error:
            if is_away(error):
                log.warning("database_away", chain_id=self.chain.id, step=row.name, kind=type(error).__name__)
                return Unknown(AWAY)
            # The chain is kept, with its unknown outcome, until a version that knows better.
            log.exception("step_raised", chain_id=self.chain.id, step=row.name)
            return Unknown(MISTAKE)

    def mark_sent(self, row: StepState) -> None:
        """Marks the step's next calls as sent: their intent, to be committed before they are."""
        for call in self.next_calls(row):
            call.update(state=SENT, looks=0)
        row.status, row.next_attempt_at = StepStatus.RUNNING, None
        self.mark_changed(row)

    def record_outcomes(
        self, row: StepState, calls: Sequence[dict[str, Any]], outcomes: Sequence[Outcome]
    ) -> list[Retry | Unknown | Failed | Again]:
        """Keeps what the calls have come to. Returns the outcomes of those that are not done."""
        found = [(call, believed(call, outcome)) for call, outcome in zip(calls, outcomes, strict=True)]
        for call, outcome in found:
            if isinstance(outcome, Done):
                self.record_result(row, call, outcome.result)
        rest = [(call, outcome) for call, outcome in found if not isinstance(outcome, Done)]
        for call, outcome in rest:
            if isinstance(outcome, Again):
                continue
            if isinstance(outcome, Retry) and outcome.note is not None:
                call["note"] = outcome.note
            call["failures"] = row.failures + 1
            if not isinstance(outcome, Unknown):
                # Not done by this sending; but perhaps by an earlier one, which got no answer.
                call["state"] = SENT if call.get("unsure") else PENDING
            self.mark_changed(row)
        return [outcome for _, outcome in rest]

    def hold_subject(self, session: Session) -> None:
        """Within a checkpoint: locks the subject's row, before anything of the subject is written."""
        if not self.holds_subject:
            self.definition.lock_subject(session, self.chain.subject)
            self.holds_subject = True

    def finish_step(self, row: StepState) -> None:
        """Marks the step as done. Its `save` runs within the next checkpoint."""
        row.status, row.finished_at = StepStatus.SUCCEEDED, utc_now()
        row.error, row.next_attempt_at, row.failures = None, None, 0
        self.finished.append(row)
        self.mark_changed(row)

    def mark_changed(self, row: StepState) -> None:
        """The row is written at the next checkpoint."""
        self.changed[row.position] = row

    def record_result(self, row: StepState, call: dict[str, Any], result: Json) -> None:
        """Marks the call as made; later steps see its result."""
        row.failures = 0
        self.mark_changed(row)
        call |= {"state": MADE, "result": result}
        self.results[row.name][call["key"]] = result
        self.context.done_in_this_run.add((row.name, call["key"]))

    def to_undo(self) -> list[tuple[StepState, dict[str, Any], Callable[..., Outcome]]]:
        """The calls that have, or may have, left something behind, newest first, each with its step's `undo`."""
        return [
            (row, call, undo)
            for row in reversed(self.rows)
            if (undo := self.step(row).undo) is not None
            for call in reversed(row.calls or [])
            if call["state"] in (SENT, MADE, AGAIN)
            if (needs_undo := self.step(row).needs_undo) is None or needs_undo(call.get("result"))
        ]

    # Making anew

    def reopen(self, row: StepState, again: Again) -> StepState:
        """Marks the call that `again` names as one to undo and make anew, and sets back the steps since then.

        Returns the earlier step, which made it. Raises ValueError if it cannot be undone, or one of the steps since
        then leaves something behind.
        """
        earlier = next(one for one in self.rows[: row.position] if one.name == again.step)
        call = next(one for one in earlier.calls or () if one["key"] == again.key)
        since = self.rows[earlier.position + 1 : row.position + 1]
        if self.step(earlier).undo is None or not all(self.step(one).repeatable for one in since):
            raise ValueError(f"{again.step} cannot be made anew by {row.name}")
        call["state"], earlier.status, earlier.finished_at = AGAIN, StepStatus.RUNNING, None
        earlier.error = {"detail": again.reason}
        del self.results[again.step][again.key]
        self.context.done_in_this_run.discard((again.step, again.key))
        self.mark_changed(earlier)
        for one in since:
            one.status, one.calls, one.attempts, one.failures = StepStatus.PENDING, None, 0, 0
            one.error = one.started_at = one.finished_at = one.next_attempt_at = None
            for key in self.results.pop(one.name, ()):
                self.context.done_in_this_run.discard((one.name, key))
            self.checked.discard(one.position)
            self.mark_changed(one)
        return earlier

    def renew(self, row: StepState, call: dict[str, Any]) -> None:
        """Makes an undone call one that was never sent, with a new request. Kept are how often it was made anew
        ("again"), and the requests that had no answer ("lost"): what those made may still turn up."""
        key = call["key"]
        self.again[row.name, key] = self.again.get((row.name, key), 0) + 1
        request = next(one.request for one in self.step(row).calls(self.context) if one.key == key)
        lost = _unsure(call)
        call.clear()
        call |= {"key": key, "request": dict(request), "state": PENDING, "again": self.again[row.name, key]}
        call |= {"lost": lost} if lost else {}
        row.failures = 0
        self.mark_changed(row)

    def unsure(self) -> dict[str, list[dict[str, Json]]]:
        """The sendings that had no answer, `{"key", "request"}` each, by the names of steps that can look them up."""
        return {
            row.name: [
                {"key": call["key"], "request": request} for call in row.calls or () for request in _unsure(call)
            ]
            for row in self.rows
            if self.step(row).find is not None
        }


def results_of(rows: Iterable[StepState]) -> dict[str, dict[str, Json]]:
    """Step name → call key → result, of the steps that have begun."""
    return {
        row.name: {call["key"]: call["result"] for call in row.calls or () if call["state"] == MADE}
        for row in rows
        if row.status != StepStatus.PENDING
    }


def worst(outcomes: Sequence[Retry | Unknown | Failed]) -> Retry | Unknown | Failed:
    """The outcome that decides how long all wait: a hopeless one, else a refusal, else the longest pause."""

    def weight(outcome: Retry | Unknown | Failed) -> tuple[bool, bool, bool, float]:
        if isinstance(outcome, Failed):
            return outcome.hopeless, True, True, 0.0
        return False, False, outcome.pause is None, outcome.pause or outcome.after or 0.0

    return max(outcomes, key=weight)


def open_calls(row: StepState) -> list[dict[str, Any]]:
    """The calls of a step that are not made yet, in order; none of a step that has not begun."""
    return [call for call in row.calls or () if call["state"] != MADE]


def _unsure(call: Mapping[str, Json]) -> list[Json]:
    """The requests of a call, also of those before it was made anew, that were sent and had no answer."""
    return [*call.get("lost", ()), *([call["request"]] if call.get("unsure") else [])]


def believed(call: dict[str, Any], outcome: Outcome) -> Outcome:
    """The outcome that counts: an Unknown with a `refusal` is a Failed once the call has met it TOLD times in a row."""
    before = call.pop("told", None)
    if not isinstance(outcome, Unknown) or outcome.refusal is None:
        return outcome
    error = dict(outcome.refusal)
    times = before["times"] + 1 if before and before["error"] == error else 1
    if times >= TOLD:
        return Failed(error)
    call["told"] = {"error": error, "times": times}
    return outcome
