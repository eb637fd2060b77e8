"""The common form of what is declared: one row for each meeting that a line, or an object, speaks of."""

from dataclasses import dataclass, field
from datetime import datetime

from app.terms.meetings.times import Times


@dataclass(frozen=True, slots=True)
class Note:
    """Something that was read, and may not be what was meant. `code` is one stable word."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a line of the file (from 1, the header included), a pointer (RFC 6901), or both."""

    line: int | None = None
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """What a section says that goes into the recording's document as it is."""

    title: str
    description: str | None = None
    tags: tuple[str, ...] = ()
    categories: tuple[int | str, ...] = ()
    owner: str | None = None  # of those who are no instructors: Kaltura's rows name one
    editors: tuple[str, ...] = ()
    publishers: tuple[str, ...] = ()
    organizer: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One meeting, as one line says it.

    `section` is None only in rows that have no key (Kaltura's). `times` is None where nothing says when, or no date is
    left in the term: `skip` then says which. `room` is what the row says, `resource` what the term's settings make of
    it. `skip` is why it is not recorded, one of the plan's reasons, if reading the row alone decides that.
    `calendars` is None for the term's.
    """

    place: Place
    section: str | None
    words: Words
    meeting: str | None = None
    group: str | None = None
    instructors: tuple[str, ...] = ()
    primary: bool = False
    times: Times | None = None
    room: str | None = None
    resource: str | int | None = None
    calendars: tuple[str, ...] | None = None
    skip: str | None = None
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """What cannot be read. If `section` is known, that section counts as present, and its recordings stay."""

    place: Place
    section: str | None
    reason: str
    detail: str


@dataclass(slots=True)
class Meeting:
    """What becomes one recording; or does not, and then `skip` says why, and `because` who or what.

    `sections` are all that share it, its own `section` first. `places` are all rows that it is made of. `instructors`
    are theirs: the first owns it. `hash` is of the document and the keys, and is the same as long as nothing changed;
    it is "" where `skip` is set. `was`: what an older version had instead, for which a rule with one date was that
    date.
    """

    section: str | None
    sections: tuple[str, ...]
    meeting: str | None
    places: list[Place]
    words: Words
    instructors: list[str]
    group: str | None
    times: Times | None
    room: str | None
    resource: str | int | None
    calendars: tuple[str, ...]
    skip: str | None = None
    because: str = ""
    notes: list[Note] = field(default_factory=list)
    hash: str = ""
    was: str | None = None

    @property
    def title(self) -> str:
        return self.words.title


@dataclass(frozen=True, slots=True)
class Head:
    """What a declaration says of itself."""

    complete: bool = False
    source: str | None = None
    generated_at: datetime | None = None
    expected_sections: int | None = None


@dataclass(slots=True)
class Reading:
    """A declaration, read. `sections` are all whose key could be read, rejected ones too: they are present.

    `rows` counts what was declared: all rows, but not what is blank, a remark, or no row of the table.
    """

    head: Head
    meetings: list[Meeting]
    rejected: list[Rejected]
    sections: frozenset[str]
    rows: int
