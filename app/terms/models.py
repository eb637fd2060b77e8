"""Terms in SQL: their settings, the meetings that they keep, plans with their items, and applies."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, Index
from sqlmodel import Field, SQLModel

from app.database.types import UtcDateTime, utc_now

LONGEST_MAKING = timedelta(minutes=15)  # a plan that is not made by then was killed


class PlanStatus(StrEnum):
    MAKING = "making"
    FAILED = "failed"  # nothing of the declaration could be read
    READY = "ready"
    NOTHING_TO_DO = "nothing_to_do"
    BLOCKED = "blocked"


class ApplyStatus(StrEnum):
    RUNNING = "running"
    STOPPED = "stopped"  # somebody has asked for it; it can be resumed
    DONE = "done"


class Outcome(StrEnum):
    """What became of an item. None of a plan that was not applied has one."""

    PENDING = "pending"
    WAITING = "waiting"  # its chain is at work, or waits
    DONE = "done"
    STALE = "stale"  # its recording is not as it was when the plan was made
    CONFLICT = "conflict"
    FAILED = "failed"


class Term(SQLModel, table=True):
    """A client's named scope. Only what it made or adopted is ever changed by it.

    `applied` is the number of the plan that was applied last, `sections` how many the last applied complete declaration
    had, `generated_at` when the last applied one was made.
    """

    client: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    settings: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    applied: int = Field(default=0, sa_type=BigInteger)
    sections: int | None = None
    generated_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class TermMeeting(SQLModel, table=True):
    """A meeting that a term keeps, with its recording.

    `document` is what was declared of it when it was last applied, and `hash` the meeting's then: "" if the recording
    is something else yet. `slot`, `times` and `days` are what it is matched by (app/terms/comparing/matching.py).
    `missing_since` is when its sections were first missing in an applied plan. It is kept until it has `ended_at`.
    """

    __tablename__ = "term_meeting"
    __table_args__ = (Index("ix_term_meeting_term", "client", "term", "ended_at"),)

    id: str = Field(primary_key=True)
    client: str
    term: str
    recording_id: str = Field(index=True)
    sections: list[str] = Field(sa_column=Column(JSON, nullable=False))
    meeting: str | None = None
    hash: str
    slot: str
    times: str
    days: str
    document: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    adopted: bool = False
    last_seen_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    missing_since: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    ended_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Plan(SQLModel, table=True):
    """A frozen comparison of a declaration with what the term keeps. `number` says which came later.

    `shown` is what everybody sees of it, `head` what applying needs: `{"complete", "sections", "generated_at"}`.
    """

    __tablename__ = "term_plan"
    __table_args__ = (Index("ix_term_plan_term", "client", "term", "number"),)

    id: str = Field(primary_key=True)
    number: int = Field(sa_type=BigInteger)
    client: str
    term: str
    status: str = PlanStatus.MAKING
    shown: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    head: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    problem: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    sha256: str | None = None
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    expires_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class PlanItem(SQLModel, table=True):
    """One line of a plan. `shown` is what everybody sees; `work` what applying it needs, null if that is nothing.

    `rank` is its turn when the plan is applied: what has a lower one is begun before it. What has the same `party` is
    done together, or not at all. `chain_id` is of the chain that does it, null if it needs none or has not begun.
    """

    __tablename__ = "term_item"
    __table_args__ = (
        Index("ix_term_item_kind", "plan_id", "kind", "n"),
        Index("ix_term_item_outcome", "plan_id", "outcome", "rank", "n"),
    )

    plan_id: str = Field(sa_column=Column(ForeignKey("term_plan.id", ondelete="CASCADE"), primary_key=True))
    n: int = Field(primary_key=True)
    kind: str
    section: str | None = None
    reason: str | None = None
    shown: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    work: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    rank: int = 0
    party: str | None = None
    outcome: str | None = None
    recording_id: str | None = None
    chain_id: str | None = None
    problem: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class Apply(SQLModel, table=True):
    """The job that carries out one plan. It belongs to one process until `lease_until`, by the database's clock."""

    __tablename__ = "term_apply"
    __table_args__ = (Index("ix_term_apply_term", "client", "term", "status"),)

    id: str = Field(primary_key=True)
    plan_id: str = Field(sa_column=Column(ForeignKey("term_plan.id", ondelete="CASCADE"), nullable=False, unique=True))
    client: str
    term: str
    status: str = ApplyStatus.RUNNING
    allowed: list[str] = Field(sa_column=Column(JSON, nullable=False))
    owner: str | None = None
    lease_until: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    finished_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
