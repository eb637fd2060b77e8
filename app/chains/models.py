"""What a chain is in SQL: `chain`, its `chain_step` rows, and its places in `lane`s."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, Enum, Float, Index
from sqlmodel import Field, SQLModel

from app.database.types import UtcDateTime, utc_now


# app/chains/engine.py draws how a chain comes from one to the next. A docstring would be shown in the API.
class ChainStatus(StrEnum):
    QUEUED = "queued"  # not begun, or standing in line for a lane
    RUNNING = "running"
    WAITING = "waiting"  # will be tried again
    UNDOING = "undoing"  # refused; what it made is being removed
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused, and undone
    STUCK = "stuck"  # given up on for now; can be resumed


class StepStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDONE = "undone"


def _by_value(kind: type[StrEnum]) -> Enum:
    # SQLAlchemy stores an enum's *names* unless told otherwise.
    return Enum(kind, native_enum=False, length=16, values_callable=lambda k: [str(member) for member in k])


class Chain(SQLModel, table=True):
    """One durable run of ordered steps over one subject.

    `number` counts the chains of a subject from 1: the highest is the latest, whatever clocks and ids say.

    `next_attempt_at` and `lease_until` are seconds since 1970 by the database's clock. A chain can be claimed when
    both have passed; `next_attempt_at` is null once nothing is left to do. `tried` is for how many seconds it has been
    under trial: in the hands of a process that is alive, or in a pause that was due.
    """

    __table_args__ = (
        Index("ix_chain_due", "next_attempt_at"),
        Index("ix_chain_number", "subject", "number", unique=True),
        Index("ix_chain_waiting_for", "waiting_for"),
    )

    id: str = Field(primary_key=True)
    subject: str
    number: int
    operation: str
    status: ChainStatus = Field(
        default=ChainStatus.QUEUED, sa_column=Column(_by_value(ChainStatus), nullable=False, index=True)
    )
    input: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    owner: str | None = None
    fence: int = 0
    lease_until: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))
    next_attempt_at: float | None = Field(default=0.0, sa_column=Column(Float(53)))
    tried: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))
    waiting_for: str | None = None
    stop: bool = False  # somebody asks that it is undone, or ended where it can't be
    party: str | None = Field(default=None, index=True)  # chains of which all are done, or none: app/chains/parties.py
    verdict: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))  # on its party
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class ChainStep(SQLModel, table=True):
    """One step of a chain. `calls` holds what it sends, each with its state: see `app/chains/steps.py`."""

    __tablename__ = "chain_step"

    chain_id: str = Field(primary_key=True, foreign_key="chain.id")
    position: int = Field(primary_key=True)
    name: str
    status: StepStatus = Field(default=StepStatus.PENDING, sa_column=Column(_by_value(StepStatus), nullable=False))
    attempts: int = 0
    failures: int = 0  # since anything of it succeeded; what the next pause grows with
    calls: list[dict[str, Any]] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    error: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    started_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    next_attempt_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


@dataclass(slots=True)
class ChainState:
    """What a worker knows of its chain: columns of `chain`. A plain class: a mapped one costs time at each change."""

    id: str
    subject: str
    operation: str
    status: ChainStatus
    input: Mapping[str, Any]
    created_at: datetime
    error: dict[str, Any] | None = None
    stop: bool = False
    verdict: dict[str, Any] | None = None


@dataclass(slots=True)
class StepState:
    """A row of `chain_step` that a worker changes, and writes at the next checkpoint. Plain for the same reason."""

    chain_id: str
    position: int
    name: str
    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    failures: int = 0
    calls: list[dict[str, Any]] | None = None
    error: dict[str, Any] | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    next_attempt_at: datetime | None = None


class Lane(SQLModel, table=True):
    """A chain's place in the line for a lane; the lowest has it: app/chains/lanes.py."""

    key: str = Field(primary_key=True)
    chain_id: str = Field(primary_key=True, foreign_key="chain.id", index=True)
    place: int
