"""Runs a claimed chain: sends the calls of its steps in order, until it ends, has to wait, or belongs to another owner.

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

The 24 hours are those under trial. Time in which nobody tried (no process ran, a lane was taken) does not count.

For each call: its intent is committed, then it is sent, then its result is committed together with the intent of
the next. Calls that do not depend on each other are sent together: their intents are committed as one, and so are
their results. No transaction is open while something is sent. What is found as an intent without a result has an
unknown outcome, and is looked up before anything is sent again. Calls that are harmless to repeat, and leave nothing
to undo, share an intent and a result, those of several steps too: those of a second.

A step that only looks may find that what an earlier one made is no good (`Again`). That this is to be undone is
committed, then it is undone, and then the intent to make it anew is committed, as another call with another request.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar

import structlog
from sqlmodel import Session

from app.chains.models import ChainStatus, StepState, StepStatus
from app.chains.observing import UNOBSERVED, Observer, seconds_between
from app.chains.pauses import Pauses
from app.chains.run import AGAIN, MADE, MISTAKE, PENDING, SENT, UNDONE, Run, open_calls, results_of, worst
from app.chains.steps import Again, Context, Definition, Done, Failed, Json, Retry, Unknown
from app.chains.store import Claim, LeaseLost, Store
from app.chains.sweeping import plan_sweep
from app.database.deadlocks import again_if_crossed
from app.database.types import utc_now

log = structlog.get_logger(__name__)
T = TypeVar("T")

LOOKS = 2  # times that something must not be found before it counts as not done: an index may lag
UNSAVED = 1.0  # seconds' worth of harmless calls that a crash repeats, besides the last
STOPPED = {"code": "cancelled", "detail": "It was cancelled before it was done."}


@dataclass(frozen=True, slots=True)
class Engine(Generic[T]):
    """Runs chains of `definitions` (by operation). Threads may share it. When `stopping`, it gives chains back."""

    store: Store
    definitions: Mapping[str, Definition[T]]
    pauses: Pauses = field(default_factory=Pauses)
    stopping: Callable[[], bool] = lambda: False
    observer: Observer = UNOBSERVED

    def run(self, claim: Claim, tools: T) -> bool:
        """Sends what can be sent now. Returns whether the chain came to an end: succeeded, failed or stuck."""
        try:
            return again_if_crossed(lambda: self._run(claim, tools))
        except LeaseLost:
            log.warning("lease_lost", chain_id=claim.chain_id)
            return False
        except Exception:
            # The database does not answer, or a hook of ours made a mistake. What was not committed has not
            # happened: the chain as it stands in the database waits, and is stuck when that lasts too long.
            log.exception("chain_raised", chain_id=claim.chain_id)
            return self._set_back(claim, tools)

    def _run(self, claim: Claim, tools: T) -> bool:
        run = self._load(claim, tools)
        if run is None:
            return True
        claim.stop = run.chain.stop
        if run.refused_step:
            self._undo(run)
        elif run.is_to_stop and run.current_step:
            self._refuse(run, run.current_step, STOPPED)
        else:
            self._forward(run)
        return run.is_over

    def _set_back(self, claim: Claim, tools: T) -> bool:
        if (run := self._load(claim, tools)) is None:
            return True
        self._wait(run, run.current_step or run.rows[-1], Retry(MISTAKE))
        return run.is_over

    def _load(self, claim: Claim, tools: T) -> Run[T] | None:
        chain, rows = self.store.load(claim)
        definition = self.definitions.get(chain.operation)
        unknown = [row.name for row in rows if definition is None or row.name not in definition.known]
        if definition is None or unknown:
            # Begun by another version of Lectern: not guessed. Under one that knows its steps, a person resumes it.
            error = {"code": "internal", "detail": f"This version does not know its steps: {', '.join(unknown)}."}
            log.error("steps_unknown", chain_id=chain.id, operation=chain.operation, steps=unknown)
            with self.store.checkpoint(claim) as session:
                self.store.end(session, claim, ChainStatus.STUCK, error)
                if definition is not None:
                    definition.lock_subject(session, chain.subject)
                    definition.ended(session, chain.subject, ChainStatus.STUCK, error)
            return None
        results = results_of(rows)
        again = {(row.name, call["key"]): call["again"] for row in rows for call in row.calls or () if "again" in call}
        context = Context(chain.id, chain.subject, chain.input, results, tools, again=again)
        run = Run(claim, chain, rows, definition, context, results, again, definition.trips(tools))
        if run.refused_step:
            chain.error = run.refusal  # should it have been stuck since
        return run

    # Forward

    def _forward(self, run: Run[T]) -> None:
        row, begun = run.current_step, run.interrupted_step
        if begun is not None and begun is not row and not self._make_sure(run, begun):
            return
        on = self._resume(run, row) if row and row.status != StepStatus.PENDING else self._go_on(run)
        while on and (row := run.current_step) is not None:
            calls = run.next_calls(row)
            run.claim.guard()
            left = run.record_outcomes(row, calls, run.send(row, calls))
            refused = next((one for one in left if isinstance(one, Failed)), None)
            again = [one for one in left if isinstance(one, Again)]
            if refused and run.can_be_undone:
                self._refuse(run, row, refused.error)
                return
            if again:
                on = self._again(run, row, again)
            elif left:
                self._wait(run, row, worst([one for one in left if not isinstance(one, Again)]))
                return
            else:
                on = self._go_on(run)
        if run.refused_step:
            self._undo(run)

    def _go_on(self, run: Run[T]) -> bool:
        """Whether there is something to send now, and all is committed that must be before that."""
        return self._go_on_uncommitted(run) or self._advance(run)

    def _go_on_uncommitted(self, run: Run[T]) -> bool:
        """Goes on in memory alone, from calls that are harmless to repeat to others: a crash repeats them all.

        Whether there is such a call to send now.
        """
        if run.chain.status != ChainStatus.RUNNING or run.claim.since_checkpoint() >= UNSAVED:
            return False
        while (row := run.current_step) is not None and run.may_go_on_uncommitted(row):
            if run.is_to_stop or self.stopping():
                return False
            if row.status == StepStatus.PENDING:
                run.start_step(row)
            elif open_calls(row):
                return True
            else:
                self._finish(run, row)
        return False

    def _resume(self, run: Run[T], row: StepState) -> bool:
        """Goes on in the middle of a step. Whether there is something to send now."""
        calls = run.next_calls(row)
        if not self._make_sure(run, row):
            return False
        if all(call["state"] == MADE for call in calls):
            return self._advance(run)
        with self._checkpoint(run) as session:
            if not self._take_lanes(run, session, row):
                return False
            run.mark_sent(row)
            row.attempts += 1
            run.chain.status = ChainStatus.RUNNING
            self.store.change(session, run.claim, status=ChainStatus.RUNNING, error=None)
        return True

    def _advance(self, run: Run[T]) -> bool:
        """Commits what was done since the last checkpoint, with the intent of what comes next.

        Returns whether there is something to send now: not at the end, nor when a lane is taken, nor when the
        process is stopping.
        """
        going = not self.stopping()
        with self._checkpoint(run) as session:
            while (row := run.current_step) is not None:
                if open_calls(row):
                    break
                if row.status != StepStatus.PENDING:
                    self._finish(run, row)
                    self._save(run, session)
                elif run.is_to_stop:
                    break
                elif self._take_lanes(run, session, row):
                    run.start_step(row)
                else:
                    return False
            if row is None:
                self._end(session, run, ChainStatus.SUCCEEDED, None)
                return False
            if run.is_to_stop:
                self.store.change(session, run.claim, **self._refused(run, row, STOPPED))
                return False
            if going:
                run.mark_sent(row)
                if run.chain.status != ChainStatus.RUNNING:
                    run.chain.status = ChainStatus.RUNNING
                    self.store.change(session, run.claim, status=ChainStatus.RUNNING, error=None)
            else:
                self.store.release(session, run.claim, 0)
        return going

    @contextmanager
    def _checkpoint(self, run: Run[T], **changes: Any) -> Iterator[Session]:
        """`Store.checkpoint`, with all that the run has come to since the last one."""
        with self.store.checkpoint(run.claim, run.changed.values(), **changes) as session:
            run.holds_subject = False
            self._save(run, session)
            yield session
        run.changed.clear()

    def _save(self, run: Run[T], session: Session) -> None:
        for row in run.finished:
            if (save := run.step(row).save) is not None:
                run.hold_subject(session)
                save(session, run.context)
        run.finished.clear()

    def _finish(self, run: Run[T], row: StepState) -> None:
        run.finish_step(row)
        self.observer.step(run.chain.operation, row.name, seconds_between(row.started_at, row.finished_at))

    def _take_lanes(self, run: Run[T], session: Session, row: StepState) -> bool:
        """Those of a step that is to be sent; first, in each run, those of the steps before it too."""
        keys, before = run.lanes(row), [key for one in run.rows[: row.position] for key in run.lanes(one)]
        if keys and before and min(keys) <= max(before):
            raise ValueError(f"the lanes of {row.name} do not sort after those before it")
        rows = run.steps_needing_lanes(row)
        keys, lanes_without_waiting = (
            [key for one in rows for key in named(one)] for named in (run.lanes, run.lanes_without_waiting)
        )
        taken = self.store.take_lanes(session, run.claim, keys, lanes_without_waiting)
        if taken is not None:
            self.store.release(session, run.claim, 0, status=ChainStatus.QUEUED, waiting_for=taken)
        run.has_lanes = taken is None
        return run.has_lanes

    def _step_aside(self, run: Run[T], session: Session) -> None:
        """Lets others have its lanes. What steps found out under their protection, they find out anew."""
        self.store.step_aside(session, run.claim)
        run.forget_what_lanes_protected()

    # Looking up, waiting

    def _make_sure(self, run: Run[T], row: StepState) -> bool:
        """Whether it is known what became of the step's calls, and what is to be made anew is taken back."""
        return self._settle(run, row) and all(
            self._take_back(run, row, call) for call in open_calls(row) if call["state"] == AGAIN
        )

    def _settle(self, run: Run[T], row: StepState) -> bool:
        """Looks up what became of the calls that are found as sent. Whether there is no more to wait for.

        Then each is made; or pending, not found in `LOOKS` looks; or still sent, in a step that can't look it up.
        """
        calls = [call for call in open_calls(row) if call["state"] == SENT]
        for call in calls:
            call["unsure"] = True
        find = run.step(row).find
        if find is None or not calls:
            return True
        found = run.side_by_side([partial(run.attempt, row, call, find) for call in calls])
        for call, outcome in zip(calls, found, strict=True):
            if isinstance(outcome, Done):
                run.record_result(row, call, outcome.result)
        left = [outcome for outcome in found if not isinstance(outcome, Done | None)]
        missing = [call for call, outcome in zip(calls, found, strict=True) if outcome is None]
        for call in missing:
            call["looks"] = call.get("looks", 0) + 1
            call["state"] = SENT if call["looks"] < LOOKS else PENDING
        if left:
            self._wait(run, row, worst(left))
            return False
        if missing:  # looks that failed are forgotten, but no sending that came to nothing
            row.failures = max(call.get("failures", 0) for call in missing)
        if any(call["state"] == SENT for call in missing):
            self._wait(run, row, Unknown("Looked up, and not found yet."), self.pauses.look)
            return False
        return True

    def _wait(self, run: Run[T], row: StepState, outcome: Retry | Unknown | Failed, pause: float | None = None) -> None:
        """Gives the chain back for a while; for good (stuck) when its patience is over."""
        hopeless = outcome.error if isinstance(outcome, Failed) and outcome.hopeless else None
        shared = None if isinstance(outcome, Failed) else outcome.pause
        reason = str(outcome.error.get("detail")) if isinstance(outcome, Failed) else outcome.reason
        pause = shared if pause is None else pause
        if pause is None:
            row.failures += 1
            asked = None if isinstance(outcome, Failed) else outcome.after
            pause = max(asked or 0.0, self.pauses.after(row.failures))
        row.next_attempt_at = utc_now() + timedelta(seconds=pause)
        if row.status != StepStatus.FAILED:  # that one keeps what it was refused for
            row.error = dict(hopeless or {"detail": reason})
        if row.status == StepStatus.RUNNING:
            row.status = StepStatus.WAITING
        run.mark_changed(row)
        with self._checkpoint(run) as session:
            if hopeless or run.claim.tried >= self.store.patience:
                why = hopeless or {"code": "stuck", "detail": reason}
                self._end(session, run, ChainStatus.STUCK, {**(run.chain.error or {}), **why, "step": row.name})
                run.forget_what_lanes_protected()
                return
            # The trouble of all chains together keeps nobody from anything. Those that wait for each other do.
            is_own = shared is None or run.step(row).announced
            if is_own and not run.claim.verdict and run.seconds_since_first_try(row) + pause > self.pauses.aside:
                self._step_aside(run, session)
            status = ChainStatus.UNDOING if run.refused_step else ChainStatus.WAITING
            self.store.release(session, run.claim, pause, status=status)
        self.observer.retry(run.chain.operation, row.name)
        log.info("chain_waits", chain_id=run.chain.id, step=row.name, reason=reason, seconds=round(pause, 1))

    # Making anew

    def _again(self, run: Run[T], row: StepState, outcomes: Sequence[Again]) -> bool:
        """Goes on in the earlier step. Whether there is something to send now."""
        for outcome in outcomes:
            earlier = run.reopen(row, outcome)
            log.info("chain_again", chain_id=run.chain.id, step=outcome.step, reason=outcome.reason)
        with self._checkpoint(run):
            pass
        return self._resume(run, earlier)

    def _take_back(self, run: Run[T], row: StepState, call: dict[str, Any]) -> bool:
        run.claim.guard()
        undo = run.step(row).undo
        outcome = run.attempt(row, call, undo, call["result"]) if undo else Done()
        if isinstance(outcome, Done):
            run.renew(row, call)
            return True
        self._wait(run, row, outcome)
        return False

    # Undoing

    def _refuse(self, run: Run[T], row: StepState, error: Mapping[str, Json]) -> None:
        with self._checkpoint(run, **self._refused(run, row, error)):
            pass
        self._undo(run)

    def _refused(self, run: Run[T], row: StepState, error: Mapping[str, Json]) -> dict[str, Any]:
        """Marks the step as what the chain is undone for. What changes in the chain's own row."""
        row.status, row.finished_at = StepStatus.FAILED, utc_now()
        row.error, row.next_attempt_at, row.failures = dict(error), None, 0
        log.info("chain_refused", chain_id=run.chain.id, step=row.name, code=error.get("code"))
        run.chain.error = run.refusal
        run.mark_changed(row)
        return {"status": ChainStatus.UNDOING, "error": run.chain.error, "tried": 0.0}

    def _undo(self, run: Run[T]) -> None:
        for row, call, undo in run.to_undo():
            if self.stopping():
                with self._checkpoint(run) as session:
                    self.store.release(session, run.claim, 0)
                return
            if not self._settle(run, row):
                return
            if call["state"] != PENDING:
                run.claim.guard()
                outcome = run.attempt(row, call, undo, call.get("result"))
                if not isinstance(outcome, Done):
                    self._wait(run, row, outcome)
                    return
            call["state"], row.next_attempt_at, row.failures = UNDONE, None, 0
            if row.status == StepStatus.SUCCEEDED and all(call["state"] == UNDONE for call in row.calls or ()):
                row.status, row.error = StepStatus.UNDONE, None
            run.mark_changed(row)
            with self._checkpoint(run, status=ChainStatus.UNDOING):
                pass
        with self._checkpoint(run) as session:
            self._end(session, run, ChainStatus.FAILED, run.chain.error)

    def _end(self, session: Session, run: Run[T], status: ChainStatus, error: Mapping[str, Json] | None) -> None:
        run.chain.status = status
        self.store.end(session, run.claim, status, error)
        run.hold_subject(session)  # also of its sweep: two that end at once count no number twice
        plan_sweep(self.store, session, self.definitions, run, self.pauses.sweep)
        run.definition.ended(session, run.chain.subject, status, error)  # tells of it, which comes last
        self.observer.chain(run.chain.operation, str(status), seconds_between(run.chain.created_at, utc_now()))
        log.info("chain_ended", chain_id=run.chain.id, operation=run.chain.operation, status=str(status))
