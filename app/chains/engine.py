"""The durable engine: takes a claimed chain as far as it goes. It knows nothing of Kaltura or HTTP.

A chain's states:

    queued ──▶ running ──▶ succeeded
      ▲          │  ▲
      │ lane is  │  │ pause is over
      │ taken    ▼  │
      └─────── waiting ──── 24 hours ───▶ stuck ──▶ (resume) queued
                 │                          ▲
      refused    ▼          24 hours        │
               undoing ─────────────────────┘
                 │
                 ▼
               failed

For each call: its intent is committed, then it is sent, then its result is committed together with the intent of
the next. No transaction is open while something is sent. What is found as an intent without a result has an
unknown outcome, and is looked up before anything is sent again.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Generic, TypeVar

import structlog
from sqlalchemy import update
from sqlmodel import Session, col

from app.chains.models import Chain, ChainStatus, ChainStep, StepStatus
from app.chains.steps import Call, Context, Definition, Done, Failed, Json, Outcome, Retry, Step, Unknown
from app.chains.store import Claim, LeaseLost, Store
from app.db import utc_now

log = structlog.get_logger(__name__)
T = TypeVar("T")

PENDING, SENT, MADE, UNDONE = "pending", "sent", "made", "undone"  # a call's states: app/chains/steps.py
LOOKS = 2  # times that something must not be found before it counts as not done: an index may lag


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds between attempts: `first`, doubling to `longest`, with jitter; `look` between two looks."""

    first: float = 1.0
    longest: float = 300.0
    look: float = 3.0

    def after(self, failures: int) -> float:
        grown = min(self.longest, self.first * 2.0 ** min(failures - 1, 30))
        return grown * random.uniform(0.75, 1.25)  # noqa: S311 - so that chains don't come back in step


@dataclass(slots=True)
class Run(Generic[T]):
    """One claimed chain in the hands of one worker."""

    claim: Claim
    chain: Chain
    rows: list[ChainStep]
    definition: Definition[T]
    context: Context[T]
    results: dict[str, dict[str, Json]] = field(default_factory=dict)

    @property
    def undoing(self) -> bool:
        return any(row.status == StepStatus.FAILED for row in self.rows)

    @property
    def current(self) -> ChainStep | None:
        return next((row for row in self.rows if row.status != StepStatus.SUCCEEDED), None)

    def step(self, row: ChainStep) -> Step[T]:
        return self.definition.steps[row.position]


@dataclass(frozen=True, slots=True)
class Engine(Generic[T]):
    store: Store
    definitions: Mapping[str, Definition[T]]
    pauses: Pauses = Pauses()
    stopping: Callable[[], bool] = lambda: False

    def run(self, claim: Claim, tools: T) -> bool:
        """Takes the chain as far as it goes now. Whether it came to an end (succeeded, failed or stuck)."""
        try:
            run = self._load(claim, tools)
            if run is None:
                return True
            return self._undo(run) if run.undoing else self._forward(run)
        except LeaseLost:
            log.warning("lease_lost", chain_id=claim.chain_id)
            return False

    def _load(self, claim: Claim, tools: T) -> Run[T] | None:
        chain, rows = self.store.load(claim)
        definition = self.definitions.get(chain.operation)
        if definition is None or [row.name for row in rows] != [step.name for step in definition.steps]:
            # Made by another version of Lectern: refused, not guessed.
            error = {"code": "internal", "detail": "The steps of this operation have changed since it began."}
            log.error("steps_changed", chain_id=chain.id, operation=chain.operation)
            with self.store.checkpoint(claim, status=ChainStatus.STUCK, error=error) as session:
                self.store.release(session, claim, None)
                if definition:
                    definition.ended(session, chain.subject, ChainStatus.STUCK, error)
            return None
        results: dict[str, dict[str, Json]] = {}
        for row in rows:
            if row.status != StepStatus.PENDING:
                made = {c["key"]: c.get("result") for c in row.calls or () if c["state"] == MADE}
                results[row.name] = made
        context = Context(chain.id, chain.subject, chain.input, results, tools)
        return Run(claim, chain, rows, definition, context, results)

    # Forward

    def _forward(self, run: Run[T]) -> bool:
        row = run.current
        fresh = False  # whether the current call's intent was committed by us, just now
        if row is None or row.status == StepStatus.PENDING:
            fresh = True
            if not self._advance(run, None):
                return run.chain.finished_at is not None
        while (row := run.current) is not None:
            step, call = run.step(row), _open_call(row)
            outcome: Outcome | None = None
            if call["state"] == SENT and not fresh and step.find is not None:
                outcome = self._look(run, row, call, step.find)
                if outcome is None and call["looks"] < LOOKS:
                    return self._wait(run, row, "looked up, not found yet", self.pauses.look, failed=False)
            if outcome is None:
                if not fresh:
                    self._commit_intent(run, row, call)
                run.claim.guard()
                outcome = self._try(run, row, call, step.send)
            fresh = True
            if isinstance(outcome, Done):
                call |= {"state": MADE, "result": outcome.result}
                run.results.setdefault(row.name, {})[call["key"]] = outcome.result
                if not self._advance(run, row):
                    return run.chain.finished_at is not None
            elif isinstance(outcome, Failed):
                call["state"] = PENDING
                return self._fail(run, row, outcome.error)
            else:
                if isinstance(outcome, Retry) or step.find is None:
                    call["state"] = PENDING
                after = outcome.after if isinstance(outcome, Retry) else None
                return self._wait(run, row, outcome.reason, after)
        return True

    def _advance(self, run: Run[T], row: ChainStep | None) -> bool:
        """Commits what `row`'s last call resulted in, with the intent of what comes next.

        Returns whether there is something to send now: not at the end, nor when a lane is taken, nor when the
        process is stopping.
        """
        going = not self.stopping()
        with self.store.checkpoint(run.claim) as session:
            if row is not None and not self._finish(run, session, row):
                self._begin_call(row, going)
                self._save(session, row)
                return self._go_on(run, session, going)
            for row in run.rows:
                if row.status != StepStatus.PENDING:
                    continue
                step = run.step(row)
                lane = self.store.take_lanes(session, run.claim, step.lanes(run.context) if step.lanes else ())
                if lane is not None:
                    self.store.release(session, run.claim, 0, status=ChainStatus.QUEUED, waiting_for=lane)
                    return False
                calls = step.calls(run.context)
                row.calls = [{"key": c.key, "request": dict(c.request), "state": PENDING} for c in calls]
                row.started_at = utc_now()
                run.results[row.name] = {}
                if not self._finish(run, session, row):
                    self._begin_call(row, going)
                    self._save(session, row)
                    return self._go_on(run, session, going)
            self._end(run, session, ChainStatus.SUCCEEDED, None)
            return False

    def _finish(self, run: Run[T], session: Session, row: ChainStep) -> bool:
        """Marks the step as succeeded if all its calls are made. Whether it is."""
        if any(call["state"] != MADE for call in row.calls or ()):
            return False
        row.status, row.finished_at = StepStatus.SUCCEEDED, utc_now()
        row.error, row.next_attempt_at, row.failures = None, None, 0
        save = run.step(row).save
        if save is not None:
            save(session, run.context)
        self._save(session, row)
        return True

    def _begin_call(self, row: ChainStep, going: bool) -> None:
        row.status = StepStatus.RUNNING
        if going:
            _open_call(row)["state"] = SENT
            row.attempts += 1

    def _go_on(self, run: Run[T], session: Session, going: bool) -> bool:
        if not going:
            self.store.release(session, run.claim, 0)
        elif run.chain.status != ChainStatus.RUNNING:
            run.chain.status = ChainStatus.RUNNING
            self._mark(session, run, status=ChainStatus.RUNNING)
        return going

    def _commit_intent(self, run: Run[T], row: ChainStep, call: dict[str, Any]) -> None:
        call |= {"state": SENT, "looks": 0}
        row.status, row.next_attempt_at = StepStatus.RUNNING, None
        row.attempts += 1
        run.chain.status = ChainStatus.RUNNING
        with self.store.checkpoint(run.claim, status=ChainStatus.RUNNING) as session:
            self._save(session, row)

    # Looking up, waiting, failing

    def _look(
        self, run: Run[T], row: ChainStep, call: dict[str, Any], find: Callable[..., Outcome | None]
    ) -> Outcome | None:
        """What became of a call whose outcome is unknown: Done, or None when it is not to be found."""
        found = self._try(run, row, call, find)
        if found is None:
            call["looks"] = call.get("looks", 0) + 1
        return found if found is None or isinstance(found, Done) else Unknown(_reason(found))

    def _try(self, run: Run[T], row: ChainStep, call: dict[str, Any], act: Callable[..., Any], *more: Json) -> Any:
        waited = (utc_now() - row.started_at).total_seconds() if row.started_at else 0.0
        try:
            return act(replace(run.context, step_seconds=waited), Call(call["key"], call["request"]), *more)
        except Exception:
            # A mistake of ours. The chain is kept, with its unknown outcome, until a version that knows better.
            log.exception("step_raised", chain_id=run.chain.id, step=row.name)
            return Unknown("Lectern made a mistake in this step; its log says more.")

    def _wait(self, run: Run[T], row: ChainStep, reason: str, after: float | None, *, failed: bool = True) -> bool:
        """Gives the chain back for a while; for good (stuck) when its patience is over."""
        delay = after or 0.0
        if failed:
            row.failures += 1
            delay = max(delay, self.pauses.after(row.failures))
        if not run.undoing:
            row.status, row.error = StepStatus.WAITING, {"detail": reason}
        row.next_attempt_at = utc_now() + timedelta(seconds=delay)
        with self.store.checkpoint(run.claim) as session:
            self._save(session, row)
            if self.store.patience_is_over(session, run.claim):
                error = {**(run.chain.error or {}), "code": "stuck", "detail": reason, "step": row.name}
                self._end(run, session, ChainStatus.STUCK, error)
                return True
            status = ChainStatus.UNDOING if run.undoing else ChainStatus.WAITING
            self.store.release(session, run.claim, delay, status=status)
        log.info("chain_waits", chain_id=run.chain.id, step=row.name, reason=reason, seconds=round(delay, 1))
        return False

    def _fail(self, run: Run[T], row: ChainStep, error: Mapping[str, Json]) -> bool:
        row.status, row.finished_at = StepStatus.FAILED, utc_now()
        row.error, row.next_attempt_at = dict(error), None
        run.chain.status, run.chain.error = ChainStatus.UNDOING, {**error, "step": row.name}
        log.info("chain_refused", chain_id=run.chain.id, step=row.name, code=error.get("code"))
        with self.store.checkpoint(run.claim, status=ChainStatus.UNDOING, error=run.chain.error) as session:
            self._save(session, row)
            if not self._undoable(run):
                self._end(run, session, ChainStatus.FAILED, run.chain.error)
                return True
        return self._undo(run)

    # Undoing

    def _undoable(self, run: Run[T]) -> list[tuple[ChainStep, dict[str, Any], Callable[..., Outcome]]]:
        """What is, or may be, there to be removed, and how: newest first."""
        return [
            (row, call, undo)
            for row in reversed(run.rows)
            if (undo := run.step(row).undo) is not None
            for call in reversed(row.calls or [])
            if call["state"] in (SENT, MADE)
        ]

    def _undo(self, run: Run[T]) -> bool:
        for row, call, undo in self._undoable(run):
            if self.stopping():
                with self.store.checkpoint(run.claim) as session:
                    self.store.release(session, run.claim, 0)
                return False
            if call["state"] == SENT and (find := run.step(row).find) is not None:
                found = self._look(run, row, call, find)
                if found is None and call["looks"] < LOOKS:
                    return self._wait(run, row, "looked up, not found yet", self.pauses.look, failed=False)
                if found is not None and not isinstance(found, Done):
                    return self._wait(run, row, _reason(found), None)
                call |= {"state": MADE, "result": found.result} if found else {"state": UNDONE}
            if call["state"] != UNDONE:
                run.claim.guard()
                outcome = self._try(run, row, call, undo, call.get("result"))
                if not isinstance(outcome, Done):
                    return self._wait(run, row, _reason(outcome), getattr(outcome, "after", None))
                call["state"] = UNDONE
            row.next_attempt_at = None
            if row.status == StepStatus.SUCCEEDED and all(c["state"] == UNDONE for c in row.calls or ()):
                row.status = StepStatus.UNDONE
            with self.store.checkpoint(run.claim) as session:
                self._save(session, row)
        with self.store.checkpoint(run.claim) as session:
            self._end(run, session, ChainStatus.FAILED, run.chain.error)
        return True

    # Writing

    def _end(self, run: Run[T], session: Session, status: ChainStatus, error: Mapping[str, Json] | None) -> None:
        run.chain.finished_at = None if status == ChainStatus.STUCK else utc_now()
        self.store.release(session, run.claim, None, status=status, error=error, finished_at=run.chain.finished_at)
        self.store.hand_on_lanes(session, run.claim)
        run.definition.ended(session, run.chain.subject, status, error)
        log.info("chain_ended", chain_id=run.chain.id, operation=run.chain.operation, status=str(status))

    def _mark(self, session: Session, run: Run[T], **changes: Any) -> None:
        session.execute(update(Chain).where(col(Chain.id) == run.chain.id).values(**changes))

    def _save(self, session: Session, row: ChainStep) -> None:
        session.execute(
            update(ChainStep)
            .where(col(ChainStep.chain_id) == row.chain_id, col(ChainStep.position) == row.position)
            .values(
                status=row.status,
                attempts=row.attempts,
                failures=row.failures,
                calls=row.calls,
                error=row.error,
                started_at=row.started_at,
                finished_at=row.finished_at,
                next_attempt_at=row.next_attempt_at,
            )
        )


def _open_call(row: ChainStep) -> dict[str, Any]:
    return next(call for call in row.calls or () if call["state"] != MADE)


def _reason(outcome: Outcome) -> str:
    return str(outcome.error.get("detail")) if isinstance(outcome, Failed) else getattr(outcome, "reason", "")
