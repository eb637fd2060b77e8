"""Recordings in SQL: what was asked for, and what stands in Kaltura for it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Float, Index, UniqueConstraint, true
from sqlmodel import Field, SQLModel

from app.database.types import UtcDateTime, utc_now


class RecordingStatus(StrEnum):
    SCHEDULING = "scheduling"
    SCHEDULED = "scheduled"
    FAILED = "failed"  # refused and undone: nothing of it in Kaltura
    STUCK = "stuck"  # given up on for now; can be resumed
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


class Recording(SQLModel, table=True):
    """One document, one id, one life.

    `active_reference` is the document's `reference_id` while the recording is alive, and null once it is failed or
    cancelled: a client has each reference once at most.

    `version` is raised by the database (a trigger, migration 0005) with each change of the row. `last_number` is the
    highest number that a change gave an event of it, also one that is gone or was undone: none is given twice.

    `term`, `section` and `meeting` say which meeting of a declared timetable it is of, if it is of one (app/terms).

    A failed one is not `listed` any more when a client has deleted it, or has sent its document once more.

    `campus` are the days of its calendars that its sessions may meet, as it follows them
    (app/recordings/document/campus.py).
    """

    __table_args__ = (
        UniqueConstraint("client", "active_reference"),
        Index("ix_recording_first_start", "first_start", "id"),
        Index("ix_recording_updated_at", "updated_at", "id"),
        Index("ix_recording_last_end", "last_end"),
        Index("ix_recording_term", "client", "term"),
    )

    id: str = Field(primary_key=True)
    client: str = Field(index=True)
    reference_id: str | None = Field(default=None, index=True)
    active_reference: str | None = None
    fingerprint: str
    document: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    status: str = Field(default=RecordingStatus.SCHEDULING, index=True)
    problem: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    time_zone: str
    resource_id: int | None = Field(default=None, sa_type=BigInteger, index=True)
    template_entry_id: str | None = None
    first_start: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    last_end: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    updated_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    version: int = Field(default=1, sa_type=BigInteger)
    last_number: int = 0
    listed: bool = Field(default=True, sa_column_kwargs={"server_default": true()})
    term: str | None = None
    section: str | None = None
    meeting: str | None = None
    campus: list[Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class RecordingTag(SQLModel, table=True):
    """A tag by which a recording is found: in lower case, as `str.casefold` has it."""

    __tablename__ = "recording_tag"

    recording_id: str = Field(primary_key=True, foreign_key="recording.id")
    tag: str = Field(primary_key=True, index=True)


class ScheduleEvent(SQLModel, table=True):
    """A Kaltura event that carries occurrences of the recording. `number` ends its `referenceId`.

    `recurrence` is what Kaltura was given, since an update must send the whole of it.
    """

    __tablename__ = "schedule_event"

    recording_id: str = Field(primary_key=True, foreign_key="recording.id")
    number: int = Field(primary_key=True)
    event_id: int = Field(sa_type=BigInteger, index=True)
    kind: str
    occurrences: int
    recurrence: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class Calendar(SQLModel, table=True):
    """Campus days under a name, which documents say. Recordings read them; only app/calendars writes them.

    `version` is the database's own number (app/database/counters.py): whatever says other days has a higher one.
    `days`: `[{"name", "from", "to", "meets_as"}]`, in order of their dates, null where there is nothing to say.
    `said_by` is the client that said it last. `applied` is the version that it was told of to have come to everybody.
    """

    name: str = Field(primary_key=True)
    title: str | None = None
    version: int = Field(sa_type=BigInteger)
    days: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    said_by: str | None = None
    applied: int | None = Field(default=None, sa_type=BigInteger)
    updated_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class RecordingCalendar(SQLModel, table=True):
    """A calendar that a recording's document names, and which version of it the recording follows.

    `tried` is the version that a chain of the fan-out was last begun for, and `chain_id` that chain: whoever is behind,
    and was tried already, is not tried again before the calendar changes, or is sent once more.
    """

    __tablename__ = "recording_calendar"
    __table_args__ = (Index("ix_recording_calendar_version", "calendar", "version"),)

    recording_id: str = Field(primary_key=True, foreign_key="recording.id")
    calendar: str = Field(primary_key=True)
    version: int = Field(sa_type=BigInteger)
    tried: int | None = Field(default=None, sa_type=BigInteger)
    chain_id: str | None = None


class IdempotencyKey(SQLModel, table=True):
    """What a client's `Idempotency-Key` was first used for."""

    __tablename__ = "idempotency_key"

    client: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    fingerprint: str
    recording_id: str = Field(foreign_key="recording.id", index=True)
    created_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False, index=True))


class Upkeep(SQLModel, table=True):
    """What one process of several does from time to time, and when next, in seconds of the database's clock."""

    name: str = Field(primary_key=True)
    due_at: float = Field(sa_column=Column(Float(53), nullable=False))
