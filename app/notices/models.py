"""What a notice is in SQL, and which kinds there are."""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Float, Index
from sqlmodel import Field, SQLModel


class NoticeKind(StrEnum):
    RECORDING_SCHEDULED = "recording.scheduled"
    RECORDING_CHANGED = "recording.changed"
    RECORDING_CANCELLED = "recording.cancelled"
    RECORDING_FAILED = "recording.failed"  # what was asked for was refused, and undone
    RECORDING_STUCK = "recording.stuck"  # given up on for now; can be resumed
    FINDING_RAISED = "finding.raised"
    FINDING_CLEARED = "finding.cleared"
    TERM_APPLIED = "term.applied"
    CALENDAR_APPLIED = "calendar.applied"


class Notice(SQLModel, table=True):
    """Something that has come true; written in the transaction that makes it so, and never changed.

    `number` is the database's, and counts all notices: nobody sees one before all that have lower numbers, so whoever
    has read up to a number has missed none. `id` is what the world knows it by.

    `client` is whose it is: null is nobody's, and for those who see all. Notices with the same `subject` are about the
    same thing, and are told in order. `told_at` is in seconds since 1970, by the database's clock.
    """

    __table_args__ = (Index("ix_notice_client", "client", "number"),)

    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    id: str = Field(unique=True)
    kind: str
    client: str | None = None
    subject: str
    data: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    told_at: float = Field(sa_column=Column(Float(53), nullable=False))
