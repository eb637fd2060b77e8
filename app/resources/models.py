"""What is booked where, in SQL: resources, bookings, and every occurrence of them.

    resource 1 ── * occurrence * ── 1 booking

A booking is what stands on a resource under one title: a recording of Lectern's, or an event that someone made in
Kaltura. Its words are kept once, however many occurrences it has.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel

from app.db import UtcDateTime, utc_now


class OccurrenceStatus(StrEnum):
    PLANNED = "planned"  # wanted, but not yet on the resource in Kaltura: nobody else sees it
    SCHEDULED = "scheduled"
    EXCLUDED = "excluded"  # the document says that nothing is recorded then
    CANCELLED = "cancelled"


class Resource(SQLModel, table=True):
    """A Kaltura schedule resource as Lectern last saw it. `id` is Kaltura's."""

    id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    system_name: str | None = Field(default=None, index=True)
    name: str
    description: str | None = Field(default=None, sa_type=Text)
    kind: str
    seen_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))


class Booking(SQLModel, table=True):
    """`id` is the recording's id where `source` is `lectern`."""

    id: str = Field(primary_key=True)
    source: str
    title: str
    description: str | None = Field(default=None, sa_type=Text)
    tags: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    time_zone: str
    template_entry_id: str | None = None


class Occurrence(SQLModel, table=True):
    """One session. `id` is its `uid` for life. `event_id` is Kaltura's own event, `series_id` that one's parent.

    `slot` is the local date on which the booking's rule holds it, its identity when times change; it is null for what
    no rule holds. `moved`: it is not at the time that the rule gives it, by its own change.
    """

    __table_args__ = (Index("ix_occurrence_resource", "resource_id", "end"),)

    id: str = Field(primary_key=True)
    booking_id: str = Field(foreign_key="booking.id", index=True)
    resource_id: int | None = Field(default=None, sa_type=BigInteger)
    start: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    end: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    status: str = OccurrenceStatus.PLANNED
    event_id: int | None = Field(default=None, sa_type=BigInteger)
    series_id: int | None = Field(default=None, sa_type=BigInteger)
    slot: date | None = None
    moved: bool = False
