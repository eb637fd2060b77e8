"""An item of a plan while it is worked out, and how it is shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from app.terms.comparing.known import Known, ResourceKey
from app.terms.meetings.rows import Meeting, Note, Place
from app.terms.meetings.sessions import Sessions, Span


class Kind(StrEnum):
    CREATE = "create"
    CHANGE = "change"
    REKEY = "rekey"
    ADOPT = "adopt"
    CANCEL = "cancel"
    UNCHANGED = "unchanged"
    HELD = "held"  # somebody cancelled it by hand
    MISSING = "missing"
    SKIPPED = "skipped"
    CONFLICT = "conflict"
    REJECTED = "rejected"


APPLIED = (Kind.CREATE, Kind.CHANGE, Kind.REKEY, Kind.ADOPT, Kind.CANCEL)
SEEN = (Kind.CHANGE, Kind.UNCHANGED, Kind.HELD, Kind.CONFLICT, Kind.REJECTED, Kind.REKEY)
"""What is there: applying its plan stops the clock of one that was missing."""


Places = Mapping[ResourceKey | None, Sequence[Span]]
"""Sessions by their resources, each by start; by None as long as that is not known."""
NOWHERE: Places = MappingProxyType({})


def places(sessions: Iterable[tuple[ResourceKey | None, Span]]) -> Places:
    found: dict[ResourceKey | None, list[Span]] = {}
    for resource, span in sessions:
        found.setdefault(resource, []).append(span)
    return {resource: sorted(spans) for resource, spans in found.items()}


@dataclass(slots=True)
class Effect:
    """What an item does to sessions that have not begun.

    `new`: those that are not there now; `final`: all that will be there; `old`: all that are there now; `left`: those
    of them that will not be.
    """

    new: Places = field(default_factory=lambda: NOWHERE)
    final: Places = field(default_factory=lambda: NOWHERE)
    old: Places = field(default_factory=lambda: NOWHERE)
    left: Places = field(default_factory=lambda: NOWHERE)
    added: int = 0
    moved: int = 0
    cancelled: int = 0
    soon: int = 0


@dataclass(slots=True, eq=False)
class Item:
    """`document` is what the recording is to say, None if that does not change; `declared` what is kept of it.

    `recording_id` is of the recording that it is about, None of one that is to be made; `after` are items that must be
    done before it.
    """

    kind: Kind
    section: str | None
    sections: tuple[str, ...] = ()
    number: str | None = None  # the meeting's own id
    title: str = ""
    room: str | None = None
    places: list[Place] = field(default_factory=list)
    known: Known | None = None
    recording_id: str | None = None
    etag: str | None = None
    meeting: Meeting | None = None
    reason: str | None = None
    because: str = ""
    changes: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    sessions: Sessions | None = None
    document: dict[str, Any] | None = None
    declared: dict[str, Any] | None = None
    hash: str = ""
    effect: Effect = field(default_factory=Effect)
    group: str | None = None
    after: list["Item"] = field(default_factory=list)
    early: bool = False
    n: int = 0

    @property
    def rank(self) -> int:
        """Its turn: what makes room for others, changes, what is new, and the other cancellations."""
        if self.kind == Kind.CANCEL:
            return 0 if self.early else 3
        return 2 if self.kind == Kind.CREATE else 1

    def shown(self) -> dict[str, Any]:
        lines = [place.line for place in self.places if place.line]
        pointer = next((place.pointer for place in self.places if place.pointer), None)
        return {
            "n": self.n,
            "kind": str(self.kind),
            "section": self.section,
            "sections": list(self.sections),
            "meeting": self.number,
            "recording_id": self.recording_id,
            "title": self.title,
            "room": self.room,
            "lines": lines,
            "pointer": pointer,
            "sessions": self._sessions(),
            "changes": self.changes,
            "reason": self.reason,
            "because": self.because or None,
            "warnings": [{"code": note.code, "detail": note.detail} for note in self.notes],
            "group": self.group,
            "etag": self.etag,
        }

    def _sessions(self) -> dict[str, Any] | None:
        effect = self.effect
        touched = {"added": effect.added, "moved": effect.moved, "cancelled": effect.cancelled}
        if self.sessions is None:
            return touched if any(touched.values()) else None
        return {**_in_short(self.sessions), **touched}


def _in_short(found: Sessions) -> dict[str, Any]:
    """What a plan shows of an item's sessions."""
    return {
        "count": len(found.held),
        "first": f"{found.held[0].local:%Y-%m-%dT%H:%M}" if found.held else None,
        "last": f"{found.held[-1].local:%Y-%m-%dT%H:%M}" if found.held else None,
        "excluded": [[str(day), why] for day, why in found.excluded],
        "extra": [str(day) for day in found.extra],
    }


def of_meeting(kind: Kind, meeting: Meeting, known: Known | None = None) -> Item:
    """An item about a declared meeting, and the one that the term keeps of it."""
    return Item(
        kind,
        meeting.section,
        meeting.sections,
        meeting.meeting,
        meeting.title,
        meeting.room,
        list(meeting.places),
        known,
        known.recording_id if known else None,
        known.etag if known else None,
        meeting,
        notes=list(meeting.notes),
        hash=meeting.hash,
    )


def of_known(kind: Kind, known: Known) -> Item:
    """An item about what the term keeps and nobody declares."""
    section = known.sections[0] if known.sections else None
    return Item(
        kind,
        section,
        known.sections,
        known.meeting,
        known.title,
        known=known,
        recording_id=known.recording_id,
        etag=known.etag,
    )


def changed(name: str, before: object, after: object) -> Mapping[str, Any]:
    return {"field": name, "from": before, "to": after}
