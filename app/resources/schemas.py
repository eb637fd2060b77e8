"""What the resources' endpoints show."""

from typing import Literal

from pydantic import Field

from app.http.fields import In, OptionalLine, OptionalNote, Out, WholeList
from app.http.times import Instant, ZonedTime
from app.resources.models import EncoderState


class EncoderSaid(In):
    """How an encoder is, in its own words."""

    state: EncoderState = Field(
        description="`idle`, `recording`, `uploading`, `error` (a person should look), `offline` (switched off on "
        "purpose).",
        examples=["recording"],
    )
    detail: OptionalNote = Field(None, description="More about it, for people.", examples=["Disk full", None])
    occurrence: OptionalLine = Field(
        None, description="`uid` of the session that it is about.", examples=["occ_01kantf3wqz6t4s8w2v1x0y9ab"]
    )


class EncoderView(Out):
    """The device that polls for a resource, as far as it is known."""

    state: EncoderState | None = Field(description="What it last said; null if it never did.", examples=["recording"])
    detail: str | None = Field(description="What it said about that.", examples=["Disk full", None])
    last_poll_at: Instant | None = Field(
        description="When it last asked for its schedule, with a key for some resources alone; null if it never did.",
        examples=["2027-01-13T13:58:02Z"],
    )
    said_at: Instant | None = Field(description="When it last said its state.", examples=["2027-01-13T13:58:03Z"])


class SessionView(Out):
    """One session on a resource, in short."""

    uid: str = Field(description="As its encoder knows it.", examples=["occ_01kantf3wqz6t4s8w2v1x0y9ab"])
    title: str = Field(description="What it is called.", examples=["MATH-123 Linear Algebra"])
    start: Instant = Field(description="When it begins, in UTC.", examples=["2027-01-13T14:00:00Z"])
    end: Instant = Field(description="When it ends, in UTC.", examples=["2027-01-13T14:50:00Z"])
    recording_id: str | None = Field(
        description="Lectern's recording; null for what was booked elsewhere.",
        examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"],
    )
    source: Literal["lectern", "kaltura"] = Field(description="Who booked it.", examples=["lectern"])


class ResourceView(Out):
    """A Kaltura schedule resource: the camera or encoder in a room."""

    id: int = Field(description="Kaltura's id.", examples=[562931])
    system_name: str | None = Field(description="Its system name.", examples=["EXTRON-100-ABC"])
    name: str = Field(description="The name that people see.", examples=["EXTRON-100-ABC"])
    description: str | None = Field(description="What and where it is.", examples=["Camera in Classroom #702"])
    kind: str = Field(description="`camera`, `location`, `live_entry` or `other`.", examples=["camera"])
    encoder: EncoderView = Field(description="The device that polls for it.")
    now: SessionView | None = Field(description="The session that runs; null if none does.")
    next: SessionView | None = Field(description="The next one to begin; null if there is none.")
    findings: int = Field(
        description="How many findings there are about it: `GET /findings?resource=…` lists them.", examples=[0]
    )


class ResourcePage(WholeList[ResourceView]):
    """Every resource, by id."""


class ResourceName(Out):
    """A resource, by its names."""

    id: int = Field(description="Kaltura's id.", examples=[562931])
    system_name: str | None = Field(description="Its system name.", examples=["EXTRON-100-ABC"])
    name: str = Field(description="The name that people see.", examples=["EXTRON-100-ABC"])


class UpcomingOccurrence(Out):
    """One session that the resource is to record."""

    uid: str = Field(
        description="The same for life, also when it is moved.", examples=["occ_01kantf3wqz6t4s8w2v1x0y9ab"]
    )
    status: Literal["upcoming", "recording_now"] = Field(
        description="`recording_now` once it has begun.", examples=["upcoming"]
    )
    kind: Literal["recording", "live"] = Field(
        description="`recording`, or `live`: a live stream's event.", examples=["recording"]
    )
    title: str = Field(description="What it is called.", examples=["MATH-123 Linear Algebra"])
    description: str | None = Field(description="More about it.", examples=["Section 01, fall term"])
    start: Instant = Field(description="When it begins, in UTC.", examples=["2027-01-13T14:00:00Z"])
    end: Instant = Field(description="When it ends, in UTC.", examples=["2027-01-13T14:50:00Z"])
    local_start: ZonedTime = Field(
        description="When it begins by the clocks of its zone.", examples=["2027-01-13T09:00:00-05:00"]
    )
    time_zone: str = Field(description="IANA name of that zone.", examples=["America/New_York"])
    duration_seconds: int = Field(description="How long it lasts.", examples=[3000])
    recording_id: str | None = Field(
        description="Lectern's recording; null for what was booked elsewhere.",
        examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"],
    )
    event_id: int | None = Field(description="Kaltura's id of the session.", examples=[1336592])
    series_id: int | None = Field(
        description="Kaltura's id of its series; null for a single event.", examples=[1336591]
    )
    template_entry_id: str | None = Field(
        description="The entry whose metadata the recorded one inherits.", examples=["1_erl8rgx8"]
    )
    tags: list[str] = Field(description="Its tags.", examples=[["mathematics"]])
    location: str | None = Field(description="Where it takes place, in words.", examples=["Room 702"])
    organizer: str | None = Field(description="Who arranges it.", examples=["Registrar"])
    contact: str | None = Field(description="Whom to ask about it.", examples=["av@campus.example"])
    owner: str | None = Field(
        description="Kaltura user id of the owner; null if the document names none.", examples=["lecturer1"]
    )
    source: Literal["lectern", "kaltura"] = Field(description="Who booked it.", examples=["lectern"])


class UpcomingView(Out):
    """What a resource has to record next."""

    resource: ResourceName = Field(description="The resource.")
    server_time: Instant = Field(description="The service's clock.", examples=["2027-01-13T13:58:02Z"])
    as_of: Instant = Field(
        description="When Kaltura was last asked for it with success.", examples=["2027-01-13T13:57:40Z"]
    )
    stale: bool = Field(description="Whether it could not be refreshed in time.", examples=[False])
    schedule_version: str = Field(description="Changes whenever `occurrences` does.", examples=["5f2c9a1b7e3d4c60"])
    from_: Instant = Field(alias="from", description="Where the window begins.", examples=["2027-01-13T13:58:02Z"])
    to: Instant = Field(description="Where the window ends.", examples=["2027-01-27T13:58:02Z"])
    occurrences: list[UpcomingOccurrence] = Field(
        description="By start. Running ones are there, ended and cancelled ones are not."
    )
    next_cursor: str | None = Field(
        description="Send it as `cursor`, with `from` and `to` as here, to get the next page; null on the last one.",
        examples=["MTc5OTg0ODgwMCBv", None],
    )


class CalendarLinkView(Out):
    """A new link. Its address is told once; what is kept of it is a hash."""

    url: str = Field(
        description="What a calendar program subscribes to. Whoever has it may read the calendar.",
        examples=["https://lectern.campus.example/calendar-links/3q2uS0mXr8n1v5yZ7b9dFhJkLpQtWxYz0A2C4E6G8I.ics"],
    )
    created_at: Instant = Field(description="When it was made.", examples=["2026-11-22T14:03:07Z"])
