"""What the recordings' endpoints show: a recording, its occurrences, and the chains that made it so."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.chains.models import ChainStatus, StepStatus
from app.http.fields import Out, Page, WholeList
from app.http.times import Instant, ZonedTime
from app.recordings.document.advice import DocumentWarning
from app.recordings.document.document import DocumentFields
from app.recordings.document.fields import ZoneName
from app.recordings.models import RecordingStatus
from app.resources.mirror.compare import DriftKind


class FailureView(Out):
    """What went wrong in a step. `code` is stable and often Kaltura's own; further fields say more."""

    model_config = ConfigDict(extra="allow")

    code: str = Field(description="Stable, for programs.", examples=["kaltura_unavailable"])
    detail: str = Field(description="One sentence, for people.", examples=["Kaltura does not answer."])


class ProblemView(FailureView):
    """Why a recording failed, or what its last chain ran into: as a problem answer (RFC 9457) says it."""

    type: str = Field(description="A URI of the kind.", examples=["urn:lectern:problem:schedule_conflict"])
    title: str = Field(description="The kind, in words.", examples=["The resource is booked already"])
    status: int = Field(description="The HTTP status of such an answer.", examples=[409])


class StepView(Out):
    """One step of a chain."""

    name: str = Field(description="What it does.", examples=["template_entry"])
    status: StepStatus = Field(
        description="`pending`, `running`, `succeeded`, `waiting` (will be tried again), `failed`, `undone`.",
        examples=["succeeded"],
    )
    attempts: int = Field(description="How often it was tried.", examples=[1])
    kaltura_id: (
        Annotated[int, Field(description="A resource's or an event's.")]
        | Annotated[str, Field(description="An entry's.")]
        | None
    ) = Field(
        description="Kaltura's id of what it made or found, the first one if there are several.",
        examples=["1_erl8rgx8", 1336591],
    )
    started_at: Instant | None = Field(description="When it was first tried.", examples=["2026-11-22T14:03:07.120Z"])
    finished_at: Instant | None = Field(description="When it was over.", examples=["2026-11-22T14:03:07.214Z"])
    next_attempt_at: Instant | None = Field(description="When it will be tried again, while it waits.", examples=[None])
    error: FailureView | None = Field(description="What the last attempt ran into.", examples=[None])


class ChainView(Out):
    """One durable run of ordered steps over a recording."""

    id: str = Field(description="The chain's id.", examples=["chn_01kantf3wr8q0vdzn6y5h2x9ms"])
    operation: str = Field(description="What it is for.", examples=["schedule"])
    status: ChainStatus = Field(
        description="`queued`, `running`, `waiting` (will go on by itself), `undoing`, `succeeded`, `failed` "
        "(refused and undone), `stuck` (can be resumed).",
        examples=["succeeded"],
    )
    created_at: Instant = Field(description="When it was asked for.", examples=["2026-11-22T14:03:07Z"])
    finished_at: Instant | None = Field(description="When nothing was left to do.", examples=["2026-11-22T14:03:08Z"])
    steps: list[StepView] = Field(description="Its steps, in order.")


class HistoryPage(WholeList[ChainView]):
    """Every chain that a recording ever had, the latest first."""


class EventView(Out):
    """A schedule event in Kaltura that carries occurrences of the recording."""

    id: int = Field(description="Kaltura's id of the event.", examples=[1336591])
    kind: Literal["series", "single"] = Field(
        description="A `series`, which Kaltura expands, or a `single` event.", examples=["series"]
    )
    occurrences: int = Field(description="How many occurrences it carries.", examples=[40])


class InKalturaView(Out):
    """What stands in Kaltura for a recording."""

    template_entry_id: str | None = Field(
        description="The media entry whose metadata every recorded entry inherits.", examples=["1_erl8rgx8"]
    )
    events: list[EventView] = Field(description="The schedule events, in order of time.")


class RoomView(Out):
    """The resource that records."""

    id: int | None = Field(description="Its Kaltura id; null until Kaltura was asked for it.", examples=[562931])
    system_name: str | None = Field(description="Its system name.", examples=["EXTRON-100-ABC"])
    name: str | None = Field(description="The name that people see.", examples=["EXTRON-100-ABC"])


class Standing(BaseModel):
    """What a recording is called here, and how it stands."""

    id: str = Field(description="Lectern's id; sorts by time.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])
    status: RecordingStatus = Field(
        description="`scheduling`, `scheduled`, `failed` (refused and undone), `stuck` (can be resumed), "
        "`cancelling`, `cancelled`.",
        examples=["scheduled"],
    )


class DriftView(Out):
    """Where Kaltura has something else than Lectern scheduled, because somebody changed it there."""

    kind: DriftKind = Field(
        description="Of a session, `missing`: not in Kaltura; `moved`: at another time there; `replaced`: at its time, "
        "under another id; `unlisted`: there, and left out by Kaltura's list of the resource, so that others see it "
        "free; `extra`: there, though it is cancelled, excluded or nobody's. Of the whole recording, "
        "`resource_gone`: the resource of sessions ahead was deleted in Kaltura; `template_entry_gone`: its template "
        "entry was.",
        examples=["missing"],
    )
    occurrence_id: str | None = Field(
        description="The session; null for what is nobody's, and for what is about the whole recording.",
        examples=["occ_01kantf3wqz6t4s8w2v1x0y9ab"],
    )
    start: Instant | None = Field(description="When it begins as Lectern has it.", examples=["2027-01-13T14:00:00Z"])
    end: Instant | None = Field(description="When it ends as Lectern has it.", examples=["2027-01-13T14:50:00Z"])
    event_id: int | None = Field(description="Kaltura's id of what is there.", examples=[1336592])
    found_start: Instant | None = Field(description="When that begins.", examples=["2027-01-13T15:00:00Z"])
    found_end: Instant | None = Field(description="When that ends.", examples=["2027-01-13T15:50:00Z"])
    since: Instant = Field(description="When it was first seen.", examples=["2027-01-12T08:00:00Z"])


class RecordingView(Out, DocumentFields, Standing):
    """A recording: the document that asked for it, and what became of it."""

    resource: RoomView = Field(description="The camera or encoder that records.")
    time_zone: ZoneName = Field(
        description="IANA name of the zone whose clocks it follows.", examples=["America/New_York"]
    )
    occurrence_count: int = Field(
        description="How many occurrences there are, without excluded and cancelled ones.", examples=[36]
    )
    first_start: Instant | None = Field(description="When the first of them begins.", examples=["2027-01-13T14:00:00Z"])
    last_end: Instant | None = Field(description="When the last of them ends.", examples=["2027-04-14T13:50:00Z"])
    kaltura: InKalturaView = Field(description="What stands in Kaltura for it.")
    chain: ChainView | None = Field(description="Its latest chain.")
    problem: ProblemView | None = Field(
        description="Why it failed, or what it is stuck at; null when all is well.", examples=[None]
    )
    drift: list[DriftView] = Field(
        description="Where Kaltura has something else, seen twice; `resume` mends it.",
        examples=[[]],
    )
    warnings: list[DocumentWarning] = Field(
        description="What the document may not mean as it says it, as its preview has it. Sessions are over already if "
        "they were so when it was asked for.",
        examples=[[]],
    )
    term: str | None = Field(None, description="The term that keeps it, if one does.", examples=["2027S"])
    section: str | None = Field(None, description="The section of the term that it is of.", examples=["20005"])
    meeting: str | None = Field(
        None, description="The meeting of the section, if the timetable names one.", examples=["1"]
    )
    created_at: Instant = Field(description="When it was asked for.", examples=["2026-11-22T14:03:07Z"])
    updated_at: Instant = Field(description="When it last changed.", examples=["2026-11-22T14:03:08Z"])


class RecordingPage(Page[RecordingView]):
    """A page of recordings, the latest first."""


class RecordedView(Out):
    """What an encoder has uploaded of a session."""

    entry_id: str = Field(description="The media entry.", examples=["1_q7w2e9rt"])
    duration_seconds: int | None = Field(
        description="How long it is; null while Kaltura has not looked at it yet.", examples=[2987]
    )


class OccurrenceView(Out):
    """One session of a recording."""

    id: str = Field(
        description="Its id, the same for life, also when it is moved.",
        examples=["occ_01kantf3wqz6t4s8w2v1x0y9ab"],
    )
    title: str = Field(
        description="What it is called: as the recording is, unless it was given a title of its own.",
        examples=["MATH-123 Linear Algebra", "Guest: Dr. Vera Rubin"],
    )
    start: Instant = Field(description="When it begins, in UTC.", examples=["2027-01-13T14:00:00Z"])
    end: Instant = Field(description="When it ends, in UTC.", examples=["2027-01-13T14:50:00Z"])
    local_start: ZonedTime = Field(
        description="When it begins by the clocks of its zone.", examples=["2027-01-13T09:00:00-05:00"]
    )
    time_zone: str = Field(description="IANA name of that zone.", examples=["America/New_York"])
    status: Literal["scheduled", "cancelled", "excluded", "past"] = Field(
        description="`scheduled`, `cancelled`, `excluded` (the document says that nothing is recorded then, or "
        "something is in the way), `past` (over).",
        examples=["scheduled"],
    )
    reason: str | None = Field(
        None,
        description="What excluded it, what is in the way of one that `on_conflict: skip` left out, or the make-up day "
        "that it is held on; null for all others.",
        examples=["campus-2027: Spring break", None, "in the way: 'Chemistry 101', 2027-01-20 09:30 to 10:20"],
    )
    event_id: int | None = Field(description="Kaltura's id of it; null while it is not there.", examples=[1336592])
    resource: RoomView = Field(
        description="The camera or encoder that records it: the recording's, unless it was put on another by hand."
    )
    recorded: RecordedView | None = Field(
        description="The media entry that was uploaded of it, as far as Lectern has found one in Kaltura."
    )


class OccurrencePage(WholeList[OccurrenceView]):
    """Every occurrence of a recording, in order of time."""
