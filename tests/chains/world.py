"""A world for chains to act on, in which every thing that was made can be counted, and a chain that acts on it.

The chain `build`:

    look ──▶ place ──▶ thing ──▶ parts (3 calls) ──▶ nothing (no call) ──▶ ties (2 calls)
             a lane     make/find/delete              saves                 tie/untie, harmless to repeat

Things are made anew at each sending, as in Kaltura: only a lookup by reference tells whether one is there.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, delete, insert, select, text
from sqlmodel import Session, SQLModel

from app.chains.engine import Engine
from app.chains.models import Chain, ChainStatus, StepState
from app.chains.pauses import Pauses
from app.chains.steps import (
    Call,
    Context,
    Definition,
    Done,
    Failed,
    Outcome,
    Retry,
    SideBySide,
    Step,
    Unknown,
    one_after_another,
)
from app.chains.store import Claim, Store, steps_of
from app.database.database import Database
from app.database.types import database_now

# What hooks write, within the engine's transactions. Not a table of Lectern's.
NOTES = Table("note", MetaData(), Column("id", Integer, primary_key=True), Column("text", String))

THINGS = ("thing", "a", "b", "c")
TIES = ("x", "y")
SENDINGS = ("look", "place", *THINGS, *TIES)  # the keys of all calls, in order
REFUSAL = {"code": "refused_by_kaltura", "detail": "No."}


class Crash(BaseException):
    """The process dies here."""


class Watched(Database):
    """A database that tells of each moment: "committing", "committed"."""

    def __init__(self, database: Database) -> None:
        self.__dict__.update(database.__dict__)
        self.tick: Callable[[str], None] = lambda _moment: None

    @contextmanager
    def transaction(self, turn: str | Collection[str] | None = None) -> Iterator[Connection]:
        with super().transaction(turn) as connection:
            yield connection
            self.tick("committing")
        self.tick("committed")


@dataclass
class World:
    """`script` says how the next answers to a call go; what it does not mention, is done.

    An answer is an outcome (nothing was done), an exception to raise, or `lost`: done, but nobody hears of it.
    """

    script: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    things: dict[int, str] = field(default_factory=dict)  # id → reference
    ties: set[str] = field(default_factory=set)
    calls: list[tuple[str, str]] = field(default_factory=list)  # (verb, key), in order
    blind: int = 0  # lookups that find nothing: the index lags
    tick: Callable[[str], None] = lambda _moment: None  # told of each moment: "sending", "done"
    ids: Any = field(default_factory=lambda: itertools.count(1))

    def act(self, verb: str, key: str, do: Callable[[], Any]) -> Any:
        self.tick("sending")
        self.calls.append((verb, key))
        answers = self.script.get((verb, key))
        answer = answers.pop(0) if answers else None
        if isinstance(answer, BaseException):
            raise answer
        if answer is not None and answer is not LOST:
            return answer
        done = do()
        self.tick("done")
        return Unknown("no answer") if answer is LOST else done

    def count(self, verb: str) -> Counter[str]:
        return Counter(key for done, key in self.calls if done == verb)

    def make(self, reference: str) -> Outcome:
        number = next(self.ids)
        self.things[number] = reference
        return Done(number)

    def find(self, reference: str) -> Outcome | None:
        if self.blind:
            self.blind -= 1
            return None
        return next((Done(number) for number, made in self.things.items() if made == reference), None)

    def delete(self, number: int) -> Outcome:
        self.things.pop(number, None)
        return Done()

    def tie(self, key: str) -> Outcome:
        self.ties.add(key)
        return Done()

    def untie(self, key: str) -> Outcome:
        self.ties.discard(key)
        return Done()

    def made(self) -> Counter[str]:
        """How often each thing is there."""
        return Counter(reference.split("/")[1] for reference in self.things.values())

    def is_built(self) -> bool:
        return self.made() == Counter(THINGS) and self.ties == set(TIES)

    def is_empty(self) -> bool:
        return not self.things and not self.ties


LOST = object()
Ctx = Context[World]


def _reference(context: Ctx, call: Call) -> str:
    return f"{context.subject}/{call.key}"


def _make(context: Ctx, call: Call) -> Outcome:
    made: Outcome = context.tools.act("make", call.key, lambda: context.tools.make(_reference(context, call)))
    return made


def _find(context: Ctx, call: Call) -> Outcome | None:
    found: Outcome | None = context.tools.act("find", call.key, lambda: context.tools.find(_reference(context, call)))
    return found


def _delete(context: Ctx, call: Call, made: int) -> Outcome:
    gone: Outcome = context.tools.act("delete", call.key, lambda: context.tools.delete(made))
    return gone


def _look(context: Ctx, call: Call) -> Outcome:
    seen: Outcome = context.tools.act("make", call.key, lambda: Done({"seen": context.input["lane"]}))
    return seen


def _tie(context: Ctx, call: Call) -> Outcome:
    tied: Outcome = context.tools.act("make", call.key, lambda: context.tools.tie(call.key))
    return tied


def _untie(context: Ctx, call: Call, _result: None) -> Outcome:
    gone: Outcome = context.tools.act("delete", call.key, lambda: context.tools.untie(call.key))
    return gone


def _calls(*keys: str) -> Callable[[Ctx], Sequence[Call]]:
    return lambda context: [Call(key, {"of": context.subject}) for key in keys]


def _lanes(context: Ctx) -> Sequence[str]:
    lanes: Sequence[str] = context.input["lane"]
    return lanes


def _save(session: Session, context: Ctx) -> None:
    name, made = list(context.results.items())[-1]
    note(session, f"{name}: {made}")


def note(session: Session, text: str) -> None:
    session.execute(insert(NOTES).values(text=text))


STEPS: tuple[Step[World], ...] = (
    Step("look", _calls("look"), _look),
    Step("place", _calls("place"), _look, lanes=_lanes),
    Step("thing", _calls("thing"), _make, _find, _delete),
    Step("parts", _calls("a", "b", "c"), _make, _find, _delete, save=_save),
    Step("nothing", _calls(), _make, save=_save),
    Step("ties", _calls("x", "y"), _tie, undo=_untie),
)


def step_of(key: str) -> str:
    """The step that a call belongs to."""
    return {**dict.fromkeys("abc", "parts"), **dict.fromkeys("xy", "ties")}.get(key, key)


@dataclass
class House:
    """A database, a world, and owners that come and go. `run()` is what one process does with one chain."""

    database: Database
    world: World = field(default_factory=World)
    steps: Sequence[Step[World]] = STEPS
    retired: Sequence[Step[World]] = ()
    pauses: Pauses = field(default_factory=lambda: Pauses(aside=1e9))  # for tests/chains/test_aside.py
    stopping: Callable[[], bool] = lambda: False
    before_end: Callable[[], None] = lambda: None
    lease: float = 30.0
    patience: float = 3600.0
    trips: SideBySide = one_after_another

    def __post_init__(self) -> None:
        NOTES.create(self.database.engine, checkfirst=True)
        self.notes()

    def store(self, owner: str = "first") -> Store:
        return Store(self.database, owner, self.lease, self.patience)

    def engine(self, store: Store | None = None) -> Engine[World]:
        definition = Definition("build", self.steps, self._ended, retired=self.retired, trips=lambda _: self.trips)
        return Engine(store or self.store(), {"build": definition}, self.pauses, lambda: self.stopping())

    def _ended(self, session: Session, subject: str, status: ChainStatus, error: Mapping[str, Any] | None) -> None:
        self.before_end()
        note(session, " ".join([subject, status, *([error["code"]] if error else [])]))

    def create(self, subject: str = "one", *lanes: str) -> str:
        with self.database.write() as session:
            names = [step.name for step in self.steps]
            return self.store().create(session, subject, "build", names, {"lane": list(lanes)})

    def create_claimed(self, subject: str = "one", *lanes: str) -> Claim:
        """A chain that its maker has claimed."""
        with self.database.write() as session:
            names = [step.name for step in self.steps]
            return self.store().create_claimed(session, subject, "build", names, {"lane": list(lanes)})

    def claim(self, owner: str = "first") -> Claim:
        claim = self.store(owner).claim()
        assert claim is not None
        return claim

    def run(self, owner: str = "first") -> bool:
        """Claims the next due chain and takes it as far as it goes."""
        return self.engine(self.store(owner)).run(self.claim(owner), self.world)

    def run_to_the_end(self, owner: str = "first") -> Chain:
        """As often as needed, as if all pauses were over. A crash is followed by another owner."""
        for number in range(60):
            self.let_time_pass()
            try:
                if self.run(f"{owner}-{number}"):
                    return self.chain()
            except Crash:
                continue
        raise AssertionError("the chain does not end")

    def let_time_pass(self) -> None:
        """Every lease has run out, and every pause is over."""
        self.sql("UPDATE chain SET lease_until = 0")
        self.sql("UPDATE chain SET next_attempt_at = 0 WHERE next_attempt_at IS NOT NULL AND waiting_for IS NULL")

    def let_hours_pass(self, hours: float) -> None:
        """Whatever is kept by the database's clock is so much longer ago."""
        past = {"seconds": hours * 3600}
        self.sql("UPDATE chain SET lease_until = lease_until - :seconds", **past)
        self.sql("UPDATE chain SET next_attempt_at = next_attempt_at - :seconds", **past)

    def lose_patience(self) -> None:
        """It has been under trial for years."""
        self.sql("UPDATE chain SET tried = 1e9")

    def sql(self, statement: str, **values: Any) -> list[Any]:
        with self.database.write() as session:
            result = session.connection().execute(text(statement), values)
            return list(result) if result.returns_rows else []

    def seconds_until(self, column: str) -> float:
        """When, by the database's clock, comes what a column of the only chain says."""
        with self.database.read() as session:
            chain = select(SQLModel.metadata.tables["chain"].c[column] - database_now())
            return float(session.execute(chain).scalar_one())

    def chain(self, chain_id: str | None = None) -> Chain:
        """One chain; the only one, when none is named."""
        with self.database.read() as session:
            chains: list[Chain] = list(session.execute(select(Chain)).scalars())
        return next(chain for chain in chains if chain_id in (None, chain.id))

    def notes(self) -> list[str]:
        """What the hooks have written since the last time."""
        with self.database.write() as session:
            found = list(session.execute(select(NOTES.c.text).order_by(NOTES.c.id)).scalars())
            session.execute(delete(NOTES))
        return found

    def rows(self, chain_id: str | None = None) -> dict[str, StepState]:
        with self.database.read() as session:
            of = chain_id or self.chain().id
            return {row.name: row for row in steps_of(session, [of])[of]}

    def lanes(self) -> dict[str, str]:
        """Which subject's chain holds which lane."""
        line = self.sql("SELECT key, subject FROM lane JOIN chain ON chain.id = chain_id ORDER BY place DESC, number")
        return dict(line)

    def states(self) -> dict[str, str]:
        """The state of each call of the only chain, by key."""
        return {call["key"]: call["state"] for row in self.rows().values() for call in row.calls or ()}

    def statuses(self) -> list[str]:
        return [str(row.status) for row in self.rows().values()]


def refused() -> Failed:
    return Failed(REFUSAL)


def retry(after: float | None = None) -> Retry:
    return Retry("not now", after)
