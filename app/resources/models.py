"""What is booked where, in SQL: resources, bookings, and every occurrence of them.

    mirror 1 ── 1 resource 1 ── * occurrence * ── 1 booking
       1
       └── * drift                 round: what is asked about all of them at once

A booking is what stands on a resource under one title: a recording of Lectern's, or an event that someone made in
Kaltura. Its words are kept once, however many occurrences it has. Recordings are written by app/recordings, all else
by app/resources/mirror/refresh.py.

Triggers in the database (migrations 0003 and 0016) hold these together, so that no writer can forget to: a resource
has a mirror from its first row on; whatever changes what is shown of a resource raises its mirror's `version`; and
where that was a scheduled occurrence, the mirror is due for a look at Kaltura at once.
"""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import JSON, BigInteger, Column, Float, Index, Text, false
from sqlmodel import Field, SQLModel

from app.database.types import UtcDateTime, utc_now

URGENT = 3600.0  # seconds that a mirror which is wanted at once has waited already; also in migration 0003


class OccurrenceStatus(StrEnum):
    PLANNED = "planned"  # wanted, but not yet on the resource in Kaltura: nobody else sees it
    SCHEDULED = "scheduled"
    EXCLUDED = "excluded"  # the document says that nothing is recorded then, or its place is taken
    CANCELLED = "cancelled"


def _changed_at() -> Column[datetime]:
    """When what calendars show of the row last changed. A trigger sees to it (migration 0016), so nobody writes it."""
    return Column(UtcDateTime, nullable=False, default=utc_now)


class Resource(SQLModel, table=True):
    """A Kaltura schedule resource as Lectern last saw it. `id` is Kaltura's.

    `gone_since` is when it was first missing in Kaltura; from then on its id and its name mean it no more. Its row
    stays: recordings name it.
    """

    id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    system_name: str | None = Field(default=None, index=True)
    name: str
    description: str | None = Field(default=None, sa_type=Text)
    kind: str
    seen_at: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    gone_since: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Booking(SQLModel, table=True):
    """`id` is the recording's id where `source` is `lectern`; else (`kaltura`) it says which event and which words.

    `kind` is `recording`, `live`, or `other` for what is no encoder's business and keeps the room all the same.
    """

    id: str = Field(primary_key=True)
    source: str
    kind: str = "recording"
    title: str
    description: str | None = Field(default=None, sa_type=Text)
    tags: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    location: str | None = None
    organizer: str | None = None
    contact: str | None = None
    owner: str | None = None
    time_zone: str
    template_entry_id: str | None = None
    changed_at: datetime = Field(default_factory=utc_now, sa_column=_changed_at())

    def title_of(self, occurrence: "Occurrence") -> str:
        """What one of its occurrences is called."""
        return occurrence.title or self.title

    def location_of(self, occurrence: "Occurrence", place: str | None) -> str | None:
        """Where one of its occurrences is, in words; `place`: the name of its resource, which is it where the
        occurrence was put elsewhere, as what the booking says is about the usual resource."""
        return (occurrence.placed and place) or self.location


class Occurrence(SQLModel, table=True):
    """One session. `id` is its `uid` for life. `event_id` is Kaltura's own event, `series_id` that one's parent.

    `slot` is the local date on which the booking's rule holds it, its identity when times change; it is null for what
    no rule holds. Decisions by hand: `moved`, it is not when the rule has it, by its own change; `placed`, its
    resource is its own, and not the recording's; `restored`, it takes place although it was cancelled or
    excluded. `withdrawn`: a client has cancelled it, or a change takes it away, and encoders are not shown it any more,
    whatever stands in Kaltura still. `title` is its own, where somebody gave it one. `planned_end` is when it was to
    end, if it was stopped or extended while it ran: Kaltura ends it then again whenever its series is changed.
    `in_the_way`: why it is excluded although the document wants it, in words for its client.
    """

    __table_args__ = (
        Index("ix_occurrence_resource", "resource_id", "end"),
        Index("ix_occurrence_upcoming", "resource_id", "start"),
    )

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
    placed: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    restored: bool = False
    withdrawn: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    title: str | None = None
    planned_end: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    in_the_way: str | None = Field(default=None, sa_type=Text)
    changed_at: datetime = Field(default_factory=utc_now, sa_column=_changed_at())


class Mirror(SQLModel, table=True):
    """How well Lectern knows what Kaltura has on a resource. Times are seconds of the database's clock, but `as_of`.

    `version` grows whenever something that is shown of the resource changes, `changed_at` says when this row last
    did. `as_of` is when Kaltura was last asked with success (null: never), `failure` why that did not succeed since.
    `asked_at` is when somebody last wanted to see it, about; `due_at` since when the next refresh is wanted (null: it
    is not). Whoever's `fence` stands here refreshes it until `lease_until`.

    `failures` are the looks in a row that nobody could believe; `doubts` are those of them, since `doubted_at`, whose
    list was odd. `odd` is how many events the list that was believed last has wrong: app/resources/mirror/doubts.py.
    `trouble` is what a person should look at: something there that cannot be read, or a mistake of ours.
    """

    __table_args__ = (
        Index("ix_mirror_changed_at", "changed_at"),
        Index("ix_mirror_due_at", "due_at"),
        Index("ix_mirror_claimed_at", "claimed_at"),
    )

    resource_id: int = Field(
        primary_key=True, foreign_key="resource.id", sa_type=BigInteger, sa_column_kwargs={"autoincrement": False}
    )
    version: int = Field(default=0, sa_type=BigInteger)
    changed_at: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))
    as_of: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    failure: str | None = None
    asked_at: float | None = Field(default=None, sa_column=Column(Float(53)))
    due_at: float | None = Field(default=None, sa_column=Column(Float(53)))
    claimed_at: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))
    owner: str | None = None
    fence: int = 0
    lease_until: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))
    failures: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    doubts: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    doubted_at: float | None = Field(default=None, sa_column=Column(Float(53)))
    odd: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    trouble: str | None = None


class Round(SQLModel, table=True):
    """What is asked of Kaltura about all resources at once, by one process at a time: app/resources/rounds.py.

    Times are seconds of the database's clock: `as_of` when it was last asked with success (null: never), `asked_at`
    when somebody last wanted to know, `due_at` since when the next one is wanted (null: it is not). `failure` is why
    it did not succeed since. Whoever's `fence` stands here is at it until `lease_until`.
    """

    __tablename__ = "mirror_round"

    name: str = Field(primary_key=True)
    as_of: float | None = Field(default=None, sa_column=Column(Float(53)))
    failure: str | None = None
    asked_at: float | None = Field(default=None, sa_column=Column(Float(53)))
    due_at: float | None = Field(default=None, sa_column=Column(Float(53)))
    owner: str | None = None
    fence: int = 0
    lease_until: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))


class Drift(SQLModel, table=True):
    """Where Kaltura differs from what Lectern has scheduled on a resource; `kind` is one of `mirror/compare.py`'s.

    `occurrence_id` is null for an event too many, and for what is about a whole recording. `event_id`, `found_start`
    and `found_end` are what Kaltura has instead, null where it has nothing; `template_entry_id` is the one that is
    gone. `confirmed`: it was seen twice, so it is no lagging index.
    """

    resource_id: int = Field(primary_key=True, sa_type=BigInteger)
    key: str = Field(primary_key=True)
    booking_id: str = Field(index=True)
    occurrence_id: str | None = None
    kind: str
    event_id: int | None = Field(default=None, sa_type=BigInteger)
    found_start: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    found_end: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    template_entry_id: str | None = None
    since: datetime = Field(default_factory=utc_now, sa_column=Column(UtcDateTime, nullable=False))
    confirmed: bool = False


class Upload(SQLModel, table=True):
    """The media entry of an occurrence that was recorded: app/resources/mirror/uploads.py.

    A table of its own: any change of an occurrence is one of what encoders are shown (the triggers see to it).
    `arrived`: its media is there; before, an encoder has only announced it. `duration_seconds` is null until Kaltura
    knows it.
    """

    occurrence_id: str = Field(primary_key=True, foreign_key="occurrence.id", ondelete="CASCADE")
    resource_id: int = Field(sa_type=BigInteger, index=True)
    entry_id: str = Field(unique=True)
    arrived: bool = False
    duration_seconds: int | None = None
    seen_at: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))


class EncoderState(StrEnum):
    """What an encoder says of itself."""

    IDLE = "idle"
    RECORDING = "recording"
    UPLOADING = "uploading"
    ERROR = "error"
    OFFLINE = "offline"


class Encoder(SQLModel, table=True):
    """What is known of the device that polls for a resource: app/resources/encoders.

    `polled_at` is when it last polled (null: never), at most `signs.WRITE_EVERY` late. `state`, `detail` and
    `occurrence_id` are as it said them at `said_at`; `since` is when it began to say this state.
    """

    resource_id: int = Field(
        primary_key=True, foreign_key="resource.id", sa_type=BigInteger, sa_column_kwargs={"autoincrement": False}
    )
    polled_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    state: str | None = None
    detail: str | None = Field(default=None, sa_type=Text)
    occurrence_id: str | None = None
    said_at: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))
    since: datetime | None = Field(default=None, sa_column=Column(UtcDateTime))


class Listening(SQLModel, table=True):
    """One row: from when to when some process has been there, without a gap, for encoders to poll."""

    id: int = Field(default=1, primary_key=True, sa_column_kwargs={"autoincrement": False})
    since: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
    until: datetime = Field(sa_column=Column(UtcDateTime, nullable=False))
