"""What is to be started and ended, given the schedule, the time and what runs: pure functions.

                       not before `opens`               its end, or it is gone, or it is later now
    in the schedule ───────────────────▶ Start ─▶ runs ───────────────────────────────────────────▶ Stop
                                           ▲       └─ it looks different: Follow                      │
                                           └── it ends later than it did when it was ended ◀──────────┘

All times are the service's.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

LEAD = timedelta(seconds=5)  # before each start and end it is asked once more: somebody may have changed it just now
NEARLY = timedelta(seconds=2)  # two clocks differ


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence; `words` is all that the service said of it, but for its `status`, which time alone changes."""

    uid: str
    start: datetime
    end: datetime
    words: Mapping[str, Any]

    @property
    def title(self) -> str:
        return str(self.words.get("title") or self.uid)


@dataclass(frozen=True, slots=True)
class Answer:
    """What `GET /resources/{id}/upcoming` said."""

    resource: Mapping[str, Any]
    server_time: datetime
    occurrences: tuple[Occurrence, ...]


@dataclass(frozen=True, slots=True)
class Start:
    occurrence: Occurrence


@dataclass(frozen=True, slots=True)
class Follow:
    """It runs, and something about it has changed."""

    occurrence: Occurrence


@dataclass(frozen=True, slots=True)
class Stop:
    """`session` as it is known now. `until` is how far it counts as recorded: only what ends later is started again."""

    occurrence: Occurrence
    until: datetime
    why: str


Step = Start | Follow | Stop


def read_answer(body: bytes) -> Answer:
    """Raises ValueError for whatever is not a whole answer of the service: such a one changes nothing."""
    try:
        said = json.loads(body)
        occurrences = tuple(map(read_occurrence, said["occurrences"]))
        return Answer(dict(said["resource"]), _moment(said["server_time"]), occurrences)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a schedule: {type(error).__name__} {error}") from None


def read_occurrence(words: Mapping[str, Any]) -> Occurrence:
    """Raises ValueError, KeyError or TypeError for what is no occurrence."""
    lasting = {name: value for name, value in words.items() if name != "status"}
    occurrence = Occurrence(str(words["uid"]), _moment(words["start"]), _moment(words["end"]), lasting)
    if occurrence.end < occurrence.start:
        raise ValueError("a session ends before it starts")
    return occurrence


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset")
    return moment.astimezone(UTC)


def steps(
    occurrences: Iterable[Occurrence],
    running: Mapping[str, Occurrence],
    done: Mapping[str, datetime],
    now: datetime,
    before: timedelta,
) -> list[Step]:
    """What is due now: what ends comes first, then what starts, by its start.

    `running` is what was started and not ended, `done` up to when each session was recorded, both by uid.
    """
    known = {occurrence.uid: occurrence for occurrence in occurrences}
    found: list[Step] = []
    for uid, was in running.items():
        occurrence = known.get(uid)
        if occurrence is None:
            why = "it is over" if now >= was.end - NEARLY else "it was stopped or cancelled, or is elsewhere now"
            found.append(Stop(was, min(now, was.end), why))
        elif now >= occurrence.end:
            found.append(Stop(occurrence, occurrence.end, "it is over"))
        elif occurrence.start > was.start and now < occurrence.start - before:
            found.append(Stop(occurrence, now, "it is later now"))
        elif occurrence != was:
            found.append(Follow(occurrence))
    found += [
        Start(occurrence)
        for occurrence in sorted(known.values(), key=lambda one: (one.start, one.uid))
        if occurrence.uid not in running
        and opens(occurrence, known.values(), before) <= now < occurrence.end
        and not (occurrence.uid in done and occurrence.end <= done[occurrence.uid])
    ]
    return found


def opens(occurrence: Occurrence, occurrences: Iterable[Occurrence], before: timedelta) -> datetime:
    """When it is started: `before` its start, but not while the one before it lasts."""
    first = occurrence.start - before
    ends = (other.end for other in occurrences if other != occurrence)
    return max([first, *(end for end in ends if first < end <= occurrence.start)])


def edges(occurrences: Sequence[Occurrence], before: timedelta) -> list[datetime]:
    """Every instant at which something starts or ends, in order."""
    return sorted({*(opens(one, occurrences, before) for one in occurrences), *(one.end for one in occurrences)})


def next_poll(last: datetime, edges: Iterable[datetime], every: timedelta) -> datetime:
    """When the service is asked next: regularly, and shortly before something starts or ends."""
    return min([last + every, *(edge - LEAD for edge in edges if edge - LEAD > last)])


def kept_done(done: Mapping[str, datetime], occurrences: Iterable[Occurrence], now: datetime) -> dict[str, datetime]:
    """Without what nobody asks for any more: what was over two days ago and is in no schedule."""
    known = {occurrence.uid for occurrence in occurrences}
    return {uid: until for uid, until in done.items() if uid in known or until > now - timedelta(days=2)}


def environment(occurrence: Occurrence, resource: Mapping[str, Any]) -> dict[str, str]:
    """What a command is told of its session. What is not known is empty, so that `set -u` minds nothing."""
    words = occurrence.words
    said = {
        "UID": occurrence.uid,
        "TITLE": words.get("title"),
        "DESCRIPTION": words.get("description"),
        "START": words.get("start"),
        "END": words.get("end"),
        "LOCAL_START": words.get("local_start"),
        "DURATION_SECONDS": int((occurrence.end - occurrence.start).total_seconds()),
        "KIND": words.get("kind"),
        "SOURCE": words.get("source"),
        "RECORDING_ID": words.get("recording_id"),
        "EVENT_ID": words.get("event_id"),
        "SERIES_ID": words.get("series_id"),
        "TEMPLATE_ENTRY_ID": words.get("template_entry_id"),
        "TAGS": ",".join(map(str, words.get("tags") or ())),
        "LOCATION": words.get("location"),
        "ORGANIZER": words.get("organizer"),
        "CONTACT": words.get("contact"),
        "OWNER": words.get("owner"),
        "RESOURCE": resource.get("system_name") or resource.get("name") or resource.get("id"),
        "RESOURCE_ID": resource.get("id"),
    }
    return {f"LECTERN_{name}": "" if value is None else str(value).replace("\0", "") for name, value in said.items()}
