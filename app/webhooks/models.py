"""Webhooks in SQL, and what they have not been given yet."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, Column, Float, ForeignKey, Index
from sqlmodel import Field, SQLModel

from app.database.types import UtcDateTime, utc_now


class Webhook(SQLModel, table=True):
    """A receiver of notices: those of `client` (null: everybody's) that its patterns in `notices` name.

    `secret` is what they are signed with. It is needed as it is, so it is kept as it is, until the webhook is revoked.

    `seen`: all notices up to this number were delivered, or are no business of its, or are `undelivered`.
    `failures` counts tries that came to nothing since the last one that did not; `error` is what the last one met.
    Like a chain, it is worked for by one process at a time, whose `fence` it has. `failing_since`, `lease_until` and
    `next_attempt_at` are seconds since 1970 by the database's clock.
    """

    id: str = Field(primary_key=True)
    client: str | None = None
    url: str
    notices: list[str] = Field(sa_column=Column(JSON, nullable=False))
    secret: str
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    revoked_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    seen: int = Field(sa_type=BigInteger)
    failures: int = 0
    failing_since: float | None = Field(default=None, sa_column=Column(Float(53)))
    error: str | None = None
    owner: str | None = None
    fence: int = 0
    lease_until: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))
    next_attempt_at: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))


class Undelivered(SQLModel, table=True):
    """A notice that a receiver did not take, or that waits behind such a one about the same subject.

    It is tried again at `next_attempt_at`; null: it was given up on, having been tried for `PATIENCE`, from `since` on.
    """

    __table_args__ = (
        Index("ix_undelivered_subject", "webhook_id", "subject", "number"),
        Index("ix_undelivered_number", "number"),
    )

    webhook_id: str = Field(primary_key=True, foreign_key="webhook.id")
    number: int = Field(sa_column=Column(BigInteger, ForeignKey("notice.number", ondelete="CASCADE"), primary_key=True))
    subject: str
    attempts: int = 0
    error: str | None = None
    since: float = Field(sa_column=Column(Float(53), nullable=False))
    next_attempt_at: float | None = Field(default=None, sa_column=Column(Float(53)))
