"""What a chain is made of: definitions, steps, calls, and the outcomes a call can have.

A call's state, as it is kept in `chain_step.calls`:

              intent committed            result committed
    pending ───────────────────▶ sent ───────────────────────▶ made ──────▶ undone
       ▲                          │ crash, time-out, broken answer              ▲
       │ surely not done          ▼                                             │
       └───────────────────── (unknown) ── looked up: found ──▶ made            │
       └── looked up in vain, twice ── │                                        │
                                       └── the chain is undone: not there ──────┘

    made ──(a later step answers Again)──▶ again ──(undone)──▶ pending, with a new request

`sent` without a result *is* the unknown outcome, whoever finds it: a process that got no answer, or one that
took the chain over from a dead owner.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from sqlmodel import Session

from app.chains.models import ChainStatus

Json = Any  # what JSON can hold
T = TypeVar("T")
Act = Callable[[], Any]

MAX_CALLS_AT_ONCE = 50  # calls that are sent at once


@dataclass(frozen=True, slots=True)
class Done:
    """It is done. `result` is kept, and given to later steps and to undo."""

    result: Json = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Surely not done, or harmless to send again. Tried again after a pause of at least `after` seconds.

    `pause`, here and below: it is the trouble of all chains together. Each waits exactly that long, and it is no
    failure of this one, whose own pauses do not grow.
    """

    reason: str
    after: float | None = None
    pause: float | None = None
    note: Json = None  # what this try has found out, for the next one: its `Call.note`


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have been done. Looked up before anything is sent again, after at least `after` seconds.

    `refusal`: an error that this may be, for good. It counts as that when it is the same `TOLD` times in a row, and
    was looked up in vain in between; then the chain is undone, which looks once more.
    """

    reason: str
    pause: float | None = None
    after: float | None = None
    refusal: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Refused for good. `error` is `{"code", "detail", …}`; the chain is undone.

    `hopeless`: trying again would not help. Past its point of no return the chain is stuck at once, with this error.
    """

    error: Mapping[str, Json]
    hopeless: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """What a call of an earlier step has made is no good: it is undone, and made anew.

    For a `send` alone, of a step that leaves nothing behind, as those between the two must not: they are begun anew.
    """

    step: str
    key: str
    reason: str


Outcome = Done | Retry | Unknown | Failed | Again


@dataclass(frozen=True, slots=True)
class Call:
    """One thing to send. `key` is unique in its step; `request` says what, for the record and for the sender."""

    key: str
    request: Mapping[str, Json] = field(default_factory=dict)
    note: Json = None  # the last one that a `Retry` of it had


@dataclass(frozen=True, slots=True)
class Context(Generic[T]):
    """What a step may know: the chain's input, the results of earlier calls, and the worker's tools."""

    chain_id: str
    subject: str
    input: Mapping[str, Json]
    results: Mapping[str, Mapping[str, Json]]  # step name → call key → result
    tools: T
    step_seconds: float = 0.0  # since the step was first tried
    failures: int = 0  # of the step, since anything of it succeeded; outages that all chains wait for are none
    # What this run knows by itself, forgotten with it: the calls that it got the results of (step, key), and whatever
    # steps have found out and need not ask again.
    done_in_this_run: set[tuple[str, str]] = field(default_factory=set)
    seen: set[Json] = field(default_factory=set)
    again: Mapping[tuple[str, str], int] = field(default_factory=dict)  # how often a call (step, key) was made anew

    def result(self, step: str) -> Json:
        """The result of the only call of an earlier step."""
        return next(iter(self.results[step].values()))


class SideBySide(Protocol):
    """Does several things that do not depend on each other, perhaps in one request. Returns what each act returns.

    `prefetch` and `prefetch_after` are questions that will be asked soon. Asking them now saves a request later, and
    nothing depends on it.
    """

    def __call__(
        self, acts: Sequence[Act], prefetch: Sequence[Act] = (), prefetch_after: Sequence[Act] = ()
    ) -> list[Any]: ...


def one_after_another(
    acts: Sequence[Act],
    prefetch: Sequence[Act] = (),  # noqa: ARG001
    prefetch_after: Sequence[Act] = (),  # noqa: ARG001
) -> list[Any]:
    """Asks nothing ahead: for definitions without `trips`."""
    return [act() for act in acts]


def every(_one: object) -> bool:
    """For `Step.independent`: no call depends on another; and for `Step.redo_after_stepping_aside`."""
    return True


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """An ordered part of a chain: a few calls of one kind.

    What is sent:

    * `calls` says what to send. Pure: it depends on the input, the results of earlier steps, and `Context.again` alone.
    * `check` is asked once in each run, before the first call, about all open calls of the step: `Done` lets them
      through, any other outcome is that of all of them. Its answer is not kept: the next run asks anew.
    * `send` does one call.
    * `find` looks up whether one call was done: `Done`, or None if it is not there. A step without `find` is harmless
      to repeat.
    * `undo` removes what one call made, given its result (None if that never became known). It must be harmless to
      repeat. A step without `undo` leaves nothing behind.
    * `needs_undo` says of a result whether there is anything to undo. A step that has it is harmless to repeat.
    * `save` writes what the finished step has found out, within the transaction that finishes it. It may run again
      after something was made anew, and then writes over what it wrote before.

    What goes into one request:

    * `independent` says of a call, by its key, that it does not depend on the others of which this is true: neighbours
      are sent together, `MAX_CALLS_AT_ONCE` at most. Each still has its own intent, outcome, look-up and undo. The
      others are sent one after another.
    * `prefetch` and `prefetch_after` are questions that later steps will ask. They go along with the last of the calls,
      the second kind behind what these change.

    What it waits for:

    * `lanes` are taken before the step begins, and kept until the chain ends, or steps aside because it waits for long.
      They must sort after those of the steps before it: chains that took lanes in another order could wait for each
      other for ever.
    * `lanes_without_waiting`: the chain takes its place in these, and does not wait for whoever is before it. Those
      behind wait for it.
    * `redo_after_stepping_aside` says whether what the step has found out holds only while the chain has its lanes.
      Unless the chain is past its point of no return, the step is done once more then when it has them again.

    Where it stands in the chain:

    * `final`: from here on the chain is past its point of no return. It is neither undone nor stopped, and what is
      refused is tried again until a person looks into it.
    * `announced`: that the step has begun is committed before anything of it is sent, because others look for it.
    """

    name: str
    calls: Callable[[Context[T]], Sequence[Call]]
    send: Callable[[Context[T], Call], Outcome]
    find: Callable[[Context[T], Call], Outcome | None] | None = None
    undo: Callable[[Context[T], Call, Json], Outcome] | None = None
    needs_undo: Callable[[Json], bool] | None = None
    lanes: Callable[[Context[T]], Sequence[str]] | None = None
    save: Callable[[Session, Context[T]], None] | None = None
    check: Callable[[Context[T], Sequence[Call]], Outcome] | None = None
    final: bool = False
    announced: bool = False
    redo_after_stepping_aside: Callable[[Context[T]], bool] | None = None
    lanes_without_waiting: Callable[[Context[T]], Sequence[str]] | None = None
    independent: Callable[[str], bool] | None = None
    prefetch: Callable[[Context[T]], Sequence[Act]] | None = None
    prefetch_after: Callable[[Context[T]], Sequence[Act]] | None = None

    @property
    def repeatable(self) -> bool:
        """Whether its calls are harmless to send again, so that nobody needs to know of each whether it was sent."""
        return self.find is None and (self.undo is None or self.needs_undo is not None) and not self.announced


@dataclass(frozen=True, slots=True)
class Definition(Generic[T]):
    """An operation: its steps in order, and what its end means to its subject.

    New chains have `steps`. A chain goes on with those that it was begun with, by name and in its own order, whatever
    a newer version does: `retired` are steps that new chains do without and older ones may still have.

    `lock_subject` locks the subject's own row, before each `save` and `ended` writes anything: whoever changes a
    subject locks its chains first, that row next, and then the rest, so that two never wait for each other.

    `trips` makes, for each run, what sends calls side by side.

    `ended` runs within the transaction that ends the chain: `succeeded`, `failed` (with what it was refused for), or
    `stuck` (with `{"code": "stuck", "detail", "step", …}`; once resumed, the chain ends another time).
    `sweep` names the operation that looks once more, some minutes after a chain had an unknown outcome, for what may
    have been made without being seen. Its subject is `sweep:<subject>`, its input `{"subject", "input", "results",
    "unsure": {step: [{"key", "request"}]}}`; after a chain that failed, there are no results.
    """

    operation: str
    steps: Sequence[Step[T]]
    ended: Callable[[Session, str, ChainStatus, Mapping[str, Json] | None], None]
    sweep: str | None = None
    retired: Sequence[Step[T]] = ()
    lock_subject: Callable[[Session, str], None] = lambda _session, _subject: None
    trips: Callable[[T], SideBySide] = lambda _tools: one_after_another
    known: Mapping[str, Step[T]] = field(init=False)  # every step that a chain may have, by name

    def __post_init__(self) -> None:
        known = {step.name: step for step in (*self.steps, *self.retired)}
        if len(known) < len(self.steps) + len(self.retired):
            raise ValueError("two steps have the same name")
        object.__setattr__(self, "known", known)  # frozen for everybody else
