"""What a comparison starts from: the meetings that a term keeps, and what is booked."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from app.recordings.document.document import RecordingDocument
from app.resources.conflicts import Booked
from app.terms.meetings.rows import Meeting
from app.terms.meetings.sessions import Span
from app.terms.meetings.times import Times

ResourceKey = int | str
"""Kaltura's id of a resource; of one that nobody has seen there its system name, in lower case."""


@dataclass(frozen=True, slots=True)
class Known:
    """A meeting that the term keeps, as it was declared when it was last applied; and how its recording stands.

    `etag` changes with each change of the recording. `is_over`: its last session has ended.
    """

    id: str
    recording_id: str
    status: str
    etag: str
    is_over: bool
    sections: tuple[str, ...]
    meeting: str | None
    hash: str
    slot: str
    times: str
    days: str
    title: str
    missing_since: datetime | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A session of a recording that has not begun, and what somebody decided of it by hand.

    `decided`: it was moved or cancelled, and stays as it is. `stays`: it was restored, or put on a resource of its own
    (`own_resource`), and is held whether the recording has its date or not, at the recording's time if it has one there
    (app/recordings/changing/difference.py).
    """

    slot: date | None
    start: datetime
    end: datetime
    resource: ResourceKey | None
    scheduled: bool
    decided: bool = False
    stays: bool = False
    own_resource: ResourceKey | None = None

    @property
    def span(self) -> Span:
        return self.start, self.end


@dataclass(frozen=True, slots=True)
class Documents:
    """A recording's document as it is, and what was declared of it when it was last applied. Each names its zone."""

    now: Mapping[str, Any]
    declared: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Own:
    """A recording of the client's that no term keeps. Its document names its zone."""

    recording_id: str
    reference_id: str | None
    etag: str
    document: Mapping[str, Any]


class World(Protocol):
    """What is asked for only where something differs: what is unchanged costs no question."""

    def documents(self, known: Collection[Known]) -> Mapping[str, Documents]:
        """By the recording's id."""

    def standing(self, recording_ids: Collection[str]) -> Mapping[str, Sequence[Standing]]:
        """The sessions that have not begun, by start, of each recording."""

    def resources(self, names: Collection[str | int]) -> Mapping[str | int, ResourceKey]:
        """What each name or id means; a name that nobody knows in lower case."""

    def booked(self, resource: ResourceKey, span: Span, but: Collection[str]) -> Sequence[Booked]:
        """What is booked there between two instants, without these recordings."""

    def own(self, references: Collection[str], titles: Collection[str]) -> Sequence[Own]:
        """The client's scheduled recordings that no term keeps, with one of these references or titles."""

    def references(self, begin: str) -> Collection[str]:
        """The client's references in use that begin so."""


def slot_of(meeting: Meeting) -> str:
    """Room, days, times and dates in one word; "" if some of that is not known."""
    return f"{_room(meeting)} {exact(meeting.times)}" if meeting.times and meeting.resource is not None else ""


def times_of(meeting: Meeting) -> str:
    return meeting.times.key if meeting.times else ""


def days_of(meeting: Meeting) -> str:
    """Room and days in one word."""
    if meeting.times is None or meeting.resource is None:
        return ""
    return f"{_room(meeting)} {meeting.times.key.partition(' ')[0]}"


def exact(times: Times) -> str:
    rule = times.plain.rule
    dates = f"{rule.interval}/{times.first}/{rule.until}/{rule.week_start}" if rule else ""
    gaps = ",".join(f"{first}:{last}" for first, last in times.gaps)
    return f"{times.key} {dates} {gaps}".strip()


def _room(meeting: Meeting) -> str:
    return str(meeting.resource).casefold()


def normal(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as recordings keep theirs, so that the two can be compared. Raises pydantic's ValidationError."""
    return RecordingDocument.model_validate(document).model_dump(mode="json", exclude_unset=True)
