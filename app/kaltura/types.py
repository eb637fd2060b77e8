"""What is read from Kaltura (models) and what is sent to it (drafts).

Models hold only what Lectern uses, ignore everything else and are strict about the types of what they hold;
text loses what no database stores (NUL and other control characters, lone surrogates), an empty string where
Kaltura may leave a property out becomes None. Times are aware and in UTC. Property names: exchanges 133, 134.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
)

SINGLE, SERIES, OCCURRENCE = 0, 1, 2
"""recurrenceType: an event of its own, the parent of a series, one of its generated children."""

CANCELLED, ACTIVE, DELETED = 1, 2, 3
"""An event's status."""

CLASSIFICATIONS: Mapping[str, int] = {"public": 1, "private": 2, "confidential": 3}
"""classificationType by the word that Lectern's documents use."""

RESOURCE_TYPES: Mapping[str, str] = {
    "camera": "KalturaCameraScheduleResource",
    "location": "KalturaLocationScheduleResource",
    "live_entry": "KalturaLiveEntryScheduleResource",
}
_KINDS = {object_type: kind for kind, object_type in RESOURCE_TYPES.items()}

# Kaltura adds any smaller number to *now* instead of taking it as a time (exchange 168).
_EARLIEST_EPOCH = 315_360_001
# Year 9000: far from where converting into a zone overflows.
_LATEST_EPOCH = 221_845_392_000

_UNSTORABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def epoch(moment: datetime) -> int:
    """Seconds since 1970, as Kaltura takes them. ValueError for a naive time and for one it would take as relative."""
    if moment.tzinfo is None:
        raise ValueError("a naive time has no place here")
    seconds = int(moment.timestamp())
    if not _EARLIEST_EPOCH <= seconds <= _LATEST_EPOCH:
        raise ValueError("Kaltura takes times from 1980 on")
    return seconds


def _from_epoch(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        return value
    if not 0 <= value <= _LATEST_EPOCH:
        raise ValueError("not a time")
    return datetime.fromtimestamp(value, UTC)


def _clean(value: object) -> object:
    """Nearly all of the thousands of texts in a resource's list are printable, which is quick to see."""
    return value if not isinstance(value, str) or value.isprintable() else _UNSTORABLE.sub("", value)


def _clean_or_none(value: object) -> object:
    return _clean(value) or None if isinstance(value, str) else value


def _numbers(value: object) -> object:
    """``"5,6"``, as Kaltura answers ids (exchange 839)."""
    return (
        tuple(int(part) for part in value.split(",") if part.strip().isdecimal()) if isinstance(value, str) else value
    )


def _positive_or_none(value: object) -> object:
    return None if value == 0 and not isinstance(value, bool) else value


def _split(value: object) -> object:
    """``"a, b"`` as Kaltura answers it (exchanges 134, 870)."""
    return (
        tuple(filter(None, (part.strip() for part in _UNSTORABLE.sub("", value).split(","))))
        if isinstance(value, str)
        else value
    )


Moment = Annotated[datetime, BeforeValidator(_from_epoch)]
Text = Annotated[str, BeforeValidator(_clean)]
OptionalText = Annotated[str | None, BeforeValidator(_clean_or_none)]
Id = Annotated[int, Field(gt=0, lt=2**31)]  # 32 bits in Kaltura, and in the tables here
OptionalId = Annotated[Id | None, BeforeValidator(_positive_or_none)]
Tags = Annotated[tuple[str, ...], BeforeValidator(_split)]
Ids = Annotated[tuple[int, ...], BeforeValidator(_numbers)]
EntryId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Read(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", populate_by_name=True)


class Resource(Read):
    """A schedule resource (exchange 116). `system_name` need not be set, and is unique only within one kind (exchange
    107).
    """

    id: Id
    name: Text
    system_name: OptionalText = Field(None, alias="systemName")
    description: OptionalText = None
    object_type: str = Field(alias="objectType", pattern=r"^Kaltura\w*ScheduleResource$")

    @property
    def kind(self) -> str:
        """``camera``, ``location``, ``live_entry``, or ``other`` for a kind this program does not know."""
        return _KINDS.get(self.object_type, "other")


ERROR_CONVERTING, IMPORTING, CONVERTING, READY = -1, 0, 1, 2
"""An entry's status when its media is there, or on its way from where it is."""

PENDING, NO_CONTENT = 4, 7
"""An entry's status before there is media in it (exchange 829); the first one where it was made by halves."""

ANY_ENTRY = "-2,-1,0,1,2,4,5,6,7"
"""Every status that an entry can have, but for 3, deleted. A list that is asked for none shows those with media."""

MADE_ENTRY = "-1,0,1,2,7"
"""Those that an entry goes through which an encoder uploads: without media at first (7), in the end ready (2)."""


class Entry(Read):
    """A media entry (exchange 81)."""

    id: EntryId
    name: Text
    status: int
    reference_id: OptionalText = Field(None, alias="referenceId")
    description: OptionalText = None
    tags: Tags = ()
    owner: OptionalText = Field(None, alias="userId")
    editors: Tags = Field((), alias="entitledUsersEdit")
    publishers: Tags = Field((), alias="entitledUsersPublish")
    category_ids: Ids = Field((), alias="categoriesIds")
    template_entry_id: OptionalText = Field(None, alias="templateEntryId")
    created_at: Moment | None = Field(None, alias="createdAt")
    duration: int = 0  # seconds, as far as it is known
    object_type: str = Field(alias="objectType", pattern=r"^Kaltura\w*Entry$")

    @property
    def has_media(self) -> bool:
        """Whether its media has arrived, be it converted or not."""
        return self.status in (ERROR_CONVERTING, IMPORTING, CONVERTING, READY)

    def differs(self, words: Mapping[str, object]) -> bool:
        """Whether it shows other words or people than an EntryDraft's; without an owner there, anybody may be it."""
        return any(
            _shown(getattr(self, name)) != _shown(words.get(name))
            for name in _ENTRY_WORDS
            if name != "owner" or words.get(name)
        )


class Recurrence(Read):
    """What an event shows of its series' rule (exchanges 218, 221): the zone, which nobody has checked (exchange 237),
    and its end.
    """

    time_zone: OptionalText = Field(None, alias="timeZone")
    until: int | None = None  # epoch seconds


_ANY_EVENT = r"^Kaltura\w*ScheduleEvent$"


class BriefEvent(Read):
    """Which event a list shows, and of what kind: read in a tenth of the time that all of it takes."""

    id: Id
    recurrence_type: int = Field(alias="recurrenceType")
    status: int
    object_type: str = Field("KalturaRecordScheduleEvent", alias="objectType", pattern=_ANY_EVENT)

    @property
    def active(self) -> bool:
        return self.status == ACTIVE


class TimedEvent(BriefEvent):
    """When it is, its title, and its series: read in less than half the time that all of it takes."""

    parent_id: OptionalId = Field(None, alias="parentId")
    start: Moment = Field(alias="startDate")
    end: Moment = Field(alias="endDate")
    summary: OptionalText = None


class Event(TimedEvent):
    """A schedule event (exchange 134), a series (exchange 218) or one of its occurrences (exchange 221).

    An occurrence shows its series' summary, description, tags, reference id and template entry where it has no own.
    A series' `start` and `end` are those of its first occurrence. Which resources it is on does not stand in it.
    """

    description: OptionalText = None
    reference_id: OptionalText = Field(None, alias="referenceId")
    template_entry_id: OptionalText = Field(None, alias="templateEntryId")
    tags: Tags = ()
    location: OptionalText = None
    organizer: OptionalText = None
    contact: OptionalText = None
    owner: OptionalText = Field(None, alias="ownerId")
    entry_ids: Tags = Field((), alias="entryIds")
    recurrence: Recurrence | None = None

    @property
    def live(self) -> bool:
        """Whether it is a live stream's event, not a recording's."""
        return self.object_type == "KalturaLiveStreamScheduleEvent"

    @property
    def recorded(self) -> bool:
        """Whether it is something for an encoder to do: not a blackout, a meeting, or what takes no time."""
        return self.end > self.start and (self.live or self.object_type == "KalturaRecordScheduleEvent")


class Category(Read):
    """A category (exchange 822); `full_name` is its path, ``Canvas>site>channels>1234``."""

    id: Id
    full_name: Text = Field(alias="fullName")
    object_type: Literal["KalturaCategory"] = Field("KalturaCategory", alias="objectType")


class Assignment(Read):
    """An entry's place in a category (exchange 830)."""

    category_id: Id = Field(alias="categoryId")
    entry_id: EntryId = Field(alias="entryId")
    object_type: Literal["KalturaCategoryEntry"] = Field("KalturaCategoryEntry", alias="objectType")


class Link(Read):
    """An event on a resource (exchange 308)."""

    event_id: Annotated[int, Field(ge=0, lt=2**31)] = Field(alias="eventId")
    resource_id: Annotated[int, Field(ge=0, lt=2**31)] = Field(alias="resourceId")
    object_type: Literal["KalturaScheduleEventResource"] = Field("KalturaScheduleEventResource", alias="objectType")


@dataclass(frozen=True, kw_only=True)
class EntryDraft:
    """A template entry to be made: a video entry without media (exchange 829).

    Categories go by id only: a name that Kaltura does not know would be created without a word (exchange 841).
    """

    name: str
    reference_id: str
    description: str = ""
    tags: Sequence[str] = ()
    category_ids: Sequence[int] = ()
    owner: str | None = None
    editors: Sequence[str] = ()
    publishers: Sequence[str] = ()

    def wire(self) -> dict[str, object]:
        """As `media.add` takes it; what is empty is left out."""
        return {
            "objectType": "KalturaMediaEntry",
            "mediaType": 1,
            **_filled(
                **_named(_ENTRY_WORDS, vars(self)),
                referenceId=self.reference_id,
                categoriesIds=",".join(map(str, self.category_ids)),
            ),
        }


@dataclass(frozen=True, kw_only=True)
class EventDraft:
    """A recording's event to be made: a series where `recurrence` is given, else a single event.

    `recurrence` holds Kaltura's own property names. A `duration` is always sent, because without it getConflicts
    overlooks a series' conflicts (exchange 348).
    """

    summary: str
    start: datetime
    end: datetime
    reference_id: str
    template_entry_id: str | None = None
    recurrence: Mapping[str, object] | None = None
    description: str = ""
    tags: Sequence[str] = ()
    entry_ids: Sequence[str] = ()
    organizer: str | None = None
    contact: str | None = None
    location: str | None = None
    classification: int | None = None
    comment: str | None = None

    def wire(self) -> dict[str, object]:
        """As `scheduleEvent.add` takes it; what is empty is left out. ValueError for times that cannot be sent."""
        start, end = epoch(self.start), epoch(self.end)
        event: dict[str, object] = {
            "objectType": "KalturaRecordScheduleEvent",
            "recurrenceType": SINGLE if self.recurrence is None else SERIES,
            "startDate": start,
            "endDate": end,
            "duration": end - start,
            **_filled(
                **_named(_EVENT_WORDS, vars(self)),
                referenceId=self.reference_id,
                templateEntryId=self.template_entry_id,
            ),
        }
        if self.recurrence is not None:
            event["recurrence"] = wire_recurrence(self.recurrence)
        return event


def wire_recurrence(recurrence: Mapping[str, object]) -> dict[str, object]:
    """A whole recurrence, as adding and updating take it: an update replaces it and merges nothing."""
    return {"objectType": "KalturaScheduleEventRecurrence", **recurrence}


def entry_words(words: Mapping[str, object]) -> dict[str, object]:
    """As `media.update` takes them: what is empty is cleared (exchange 847), but for the owner: every entry has one."""
    changed = {name: "" if value is None else value for name, value in _named(_ENTRY_WORDS, words).items()}
    if not changed["userId"]:
        del changed["userId"]
    return {"objectType": "KalturaMediaEntry", **changed}


def event_words(words: Mapping[str, object]) -> dict[str, object]:
    """An EventDraft's words as `scheduleEvent.update` takes them: what is empty is cleared."""
    changed = {name: "" if value is None else value for name, value in _named(_EVENT_WORDS, words).items()}
    return {"objectType": "KalturaRecordScheduleEvent", **changed}


_ENTRY_WORDS = {
    "name": "name",
    "description": "description",
    "tags": "tags",
    "owner": "userId",
    "editors": "entitledUsersEdit",
    "publishers": "entitledUsersPublish",
}
_EVENT_WORDS = {
    "summary": "summary",
    "description": "description",
    "tags": "tags",
    "entry_ids": "entryIds",
    "organizer": "organizer",
    "contact": "contact",
    "location": "location",
    "classification": "classificationType",
    "comment": "comment",
}


def _shown(value: object) -> object:
    """A word as it can be compared: what is empty is None, and a list a tuple."""
    return (tuple(value) if isinstance(value, list | tuple) else value) or None


def _named(names: Mapping[str, str], words: Mapping[str, object]) -> dict[str, object]:
    """Words under Kaltura's names; lists joined as Kaltura keeps them."""
    found = {theirs: words.get(ours) for ours, theirs in names.items()}
    return {
        name: ",".join(map(str, value)) if isinstance(value, list | tuple) else value for name, value in found.items()
    }


def _filled(**properties: object) -> dict[str, object]:
    return {name: value for name, value in properties.items() if value is not None and value != ""}
