"""What terms' endpoints take beside declarations, and what they show."""

from datetime import date
from typing import Any, Literal

from pydantic import Field

from app.http.fields import In, Out, Page
from app.http.times import Instant
from app.recordings.models import RecordingStatus
from app.recordings.reading.views import FailureView
from app.terms.comparing.items import Kind
from app.terms.meetings.settings import TermSettings
from app.terms.models import ApplyStatus, Outcome, PlanStatus

GuardName = Literal[
    "input_drop", "expected", "cancel_share", "change_share", "reject_share", "unknown_rooms", "soon", "old_export"
]
EXAMPLE: dict[str, Any] = {
    "name": "Spring 2027",
    "time_zone": "America/New_York",
    "first_date": "2027-01-11",
    "last_date": "2027-04-30",
    "week_1": "2027-01-11",
    "rooms": {"SCI 101": "EXTRON-100-ABC", "ENG 404": None},
    "record_types": ["LEC"],
    "defaults": {"owner": "lecture-capture"},
    "opt_outs": {"instructors": ["rkeller"], "sections": []},
}
DECLARATION: dict[str, Any] = {
    "complete": True,
    "source": "banner",
    "generated_at": "2026-12-01T02:00:00-05:00",
    "expected_sections": 1,
    "sections": [
        {
            "section": "20005",
            "title": "HIST-101-01 Atlantic Worlds",
            "type": "LEC",
            "instructors": ["jdoe1"],
            "meetings": [{"days": ["TU", "TH"], "start": "11:00", "end": "12:15", "room": "SCI 101"}],
        }
    ],
}


class TermView(Out):
    """A term: its settings, and what it keeps."""

    term: str = Field(description="Its name in addresses.", examples=["2027S"])
    settings: TermSettings = Field(description="As they were set, with opt-outs.")
    recordings: int = Field(description="How many recordings it keeps.", examples=[412])
    plan_id: str | None = Field(description="Its latest plan.", examples=["pln_01kantf3wq5m2c7j8e9g0h1k3p"])
    created_at: Instant = Field(description="When it was made.", examples=["2026-11-22T14:03:07Z"])
    updated_at: Instant = Field(description="When its settings last changed.", examples=["2026-11-22T14:03:08Z"])


class Declared(Out):
    """What was sent."""

    rows: int = Field(description="Rows, without those that are ignored.", examples=[9])
    sections: int = Field(description="Sections whose key could be read.", examples=[9])
    meetings: int = Field(description="Meetings that could be read.", examples=[9])
    complete: bool = Field(description="Whether it is all that the term has.", examples=[True])
    source: str | None = Field(description="Where it comes from.", examples=["banner"])
    generated_at: Instant | None = Field(description="When it was made.", examples=["2026-12-01T07:00:00Z"])


class Kept(Out):
    """What the term kept when the plan was made."""

    sections: int = Field(description="Sections.", examples=[20])
    recordings: int = Field(description="Recordings.", examples=[20])


class SessionCounts(Out):
    """What becomes of sessions that have not begun."""

    added: int = Field(description="New ones.", examples=[101])
    moved: int = Field(description="To another time or room.", examples=[0])
    cancelled: int = Field(description="Cancelled ones.", examples=[0])
    soon: int = Field(description="Of those moved or cancelled, such as begin soon.", examples=[0])


class Absences(Out):
    """Recordings whose sections begin to be missing, or are back: applying the plan notes it."""

    begin: int = Field(0, description="Missing for the first time: their grace begins.", examples=[0])
    end: int = Field(0, description="They were missing, and are there again.", examples=[0])


class GuardView(Out):
    """A guard that was tripped: it blocks the plan until somebody allows it."""

    guard: str = Field(description="Its name, for `allow`.", examples=["input_drop"])
    tripped: bool = Field(description="Whether it blocks.", examples=[True])
    found: str = Field(description="What was found.", examples=["9 of 20 sections (45 %)"])
    limit: str = Field(description="What would be taken.", examples=["at least 80 %"])
    what_to_do: str = Field(
        description="What somebody should look at.",
        examples=['See whether the export is whole. If it is right, apply with allow: ["input_drop"].'],
    )


class PlanView(Out):
    """A plan: what a declaration would change, frozen."""

    id: str = Field(description="Its id.", examples=["pln_01kantf3wq5m2c7j8e9g0h1k3p"])
    term: str = Field(description="The term.", examples=["2027S"])
    status: PlanStatus = Field(
        description="`making`, `ready`, `nothing_to_do`, `blocked` (a guard was tripped), `failed` (nothing could be "
        "read).",
        examples=["ready"],
    )
    created_at: Instant = Field(description="When it was asked for.", examples=["2026-12-01T08:00:00Z"])
    expires_at: Instant = Field(description="Until when it may be applied.", examples=["2026-12-02T08:00:00Z"])
    expired: bool = Field(description="Whether it is too old to be applied.", examples=[False])
    superseded: bool = Field(description="Whether a later plan of the term was applied.", examples=[False])
    apply_id: str | None = Field(description="Its apply, once it is applied.", examples=[None])
    sha256: str | None = Field(description="Of all its items.", examples=[None])
    declared: Declared | None = Field(description="What was sent; null while it is being made.")
    known: Kept | None = Field(description="What the term keeps; null while it is being made.")
    counts: dict[str, int] = Field(description="Items by kind.", examples=[{"create": 4, "unchanged": 0}])
    sessions: SessionCounts | None = Field(description="What becomes of sessions; null while it is being made.")
    absences: Absences = Field(Absences(), description="What the plan changes of how long sections are missing.")
    guards: list[GuardView] = Field(description="Guards that were tripped.")
    warnings: dict[str, int] = Field(description="Warnings by code.", examples=[{"same_slot": 1}])
    summary: str | None = Field(description="One sentence.", examples=["4 to create (sessions: 101 added)"])
    problem: FailureView | None = Field(description="Why there is none, of a failed one.", examples=[None])


class NoteView(Out):
    """Something that may not be what was meant."""

    code: str = Field(description="Stable, for programs.", examples=["same_slot"])
    detail: str = Field(description="For people.", examples=["Other sections have the same room and times."])


class ItemSessions(Out):
    """The sessions of an item."""

    count: int | None = Field(None, description="How many.", examples=[43])
    first: str | None = Field(None, description="The first, by the term's clocks.", examples=["2027-01-11T09:00"])
    last: str | None = Field(None, description="The last, by the term's clocks.", examples=["2027-04-30T09:00"])
    excluded: list[tuple[date, str]] = Field(
        [], description="Dates that are left out, each with why.", examples=[[["2027-02-15", "Presidents"]]]
    )
    extra: list[date] = Field([], description="Dates that a make-up day adds.", examples=[["2027-02-16"]])
    added: int = Field(0, description="How many are new.", examples=[43])
    moved: int = Field(0, description="How many move.", examples=[0])
    cancelled: int = Field(0, description="How many are cancelled.", examples=[0])


class FieldChange(Out):
    """A field that differs."""

    field: str = Field(description="Its name.", examples=["room"])
    from_: Any = Field(alias="from", description="What it was.", examples=["EXTRON-SCI-101"])
    to: Any = Field(description="What it becomes.", examples=["EXTRON-SCI-210"])


class ItemView(Out):
    """One line of a plan."""

    n: int = Field(description="Its number in the plan.", examples=[1])
    kind: Kind = Field(
        description="`create`, `change`, `rekey`, `adopt` and `cancel` are applied; `unchanged`, `held`, `missing`, "
        "`skipped`, `conflict` and `rejected` are not.",
        examples=["create"],
    )
    section: str | None = Field(description="The section.", examples=["20005"])
    sections: list[str] = Field(description="All sections that share the recording.", examples=[["20005", "20006"]])
    meeting: str | None = Field(description="The meeting's own id, if it has one.", examples=["1"])
    recording_id: str | None = Field(description="Its recording.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])
    title: str = Field(description="What it is called.", examples=["HIST-101-01 Atlantic Worlds"])
    room: str | None = Field(description="The room, as it was declared.", examples=["HUM 12"])
    lines: list[int] = Field(description="Lines of the file that it comes from.", examples=[[8, 9]])
    pointer: str | None = Field(description="Where it stands in JSON.", examples=["/sections/0/meetings/0"])
    sessions: ItemSessions | None = Field(description="Its sessions, where they were worked out.")
    changes: list[FieldChange] = Field(description="What differs.", examples=[[]])
    reason: str | None = Field(description="Why it is of this kind; stable.", examples=["opted_out"])
    because: str | None = Field(description="More of why, for people.", examples=["rkeller"])
    warnings: list[NoteView] = Field(description="What may not be what was meant.", examples=[[]])
    group: str | None = Field(description="What has the same is changed together, or not at all.", examples=["g1"])
    etag: str | None = Field(description="The recording's ETag when the plan was made.", examples=[None])
    outcome: Outcome | None = Field(description="What became of it, once it is applied.", examples=["done"])
    problem: FailureView | None = Field(description="Why it was not done.", examples=[None])


class ItemPage(Page[ItemView]):
    """Items of a plan, in order."""


class ApplyIn(In):
    """Which guards do not block it."""

    allow: list[GuardName] = Field([], description="Names of guards.", examples=[["input_drop"]])


class NotDoneView(Out):
    """An item that is under way, or was not done."""

    n: int = Field(description="Its number in the plan.", examples=[1])
    kind: Kind = Field(description="What was to be done.", examples=["change"])
    section: str | None = Field(description="The section.", examples=["20005"])
    meeting: str | None = Field(description="The meeting's own id, if it has one.", examples=[None])
    title: str = Field(description="What it is called.", examples=["HIST-101-01 Atlantic Worlds"])
    recording_id: str | None = Field(description="Its recording.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])
    outcome: Outcome = Field(
        description="`waiting` (its chain is at work, or waits), `stale` (its recording has changed since the plan was "
        "made), `conflict`, `failed`.",
        examples=["stale"],
    )
    problem: FailureView | None = Field(description="Why it was not done, or what it waits for.", examples=[None])


class ApplyView(Out):
    """A plan that is being carried out, or was."""

    id: str = Field(description="Its id.", examples=["apl_01kantf3wq5m2c7j8e9g0h1k3p"])
    plan_id: str = Field(description="The plan.", examples=["pln_01kantf3wq5m2c7j8e9g0h1k3p"])
    term: str = Field(description="The term.", examples=["2027S"])
    status: ApplyStatus = Field(description="`running`, `stopped`, `done`.", examples=["done"])
    counts: dict[str, int] = Field(
        description="Items by what became of them: `pending`, `waiting`, `done`, `stale`, `conflict`, `failed`.",
        examples=[{"pending": 0, "waiting": 0, "done": 4, "stale": 0, "conflict": 0, "failed": 0}],
    )
    items: list[NotDoneView] = Field(description="The first hundred that are under way, or were not done.")
    created_at: Instant = Field(description="When it was asked for.", examples=["2026-12-01T08:10:00Z"])
    finished_at: Instant | None = Field(description="When it was over.", examples=["2026-12-01T08:12:00Z"])


class SectionRecording(Out):
    """A recording that the term keeps of a section."""

    recording_id: str = Field(description="The recording.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])
    status: RecordingStatus = Field(description="How it stands.", examples=["scheduled"])
    title: str = Field(description="What it is called.", examples=["HIST-101-01 Atlantic Worlds"])
    sections: list[str] = Field(description="All sections that share it.", examples=[["20005", "20006"]])
    meeting: str | None = Field(description="The meeting's own id, if it has one.", examples=["1"])
    adopted: bool = Field(description="Whether the client had made it before.", examples=[False])
    last_seen_at: Instant = Field(description="When it was last in an applied plan.", examples=["2026-12-01T08:10:00Z"])
    missing_since: Instant | None = Field(description="Since when it is missing.", examples=[None])


class SectionView(Out):
    """Why a section is, or is not, recorded."""

    section: str = Field(description="The section.", examples=["20005"])
    term: str = Field(description="The term.", examples=["2027S"])
    recordings: list[SectionRecording] = Field(description="What the term keeps of it.")
    plan_id: str | None = Field(description="The latest plan.", examples=["pln_01kantf3wq5m2c7j8e9g0h1k3p"])
    items: list[ItemView] = Field(description="What that says of it.")
