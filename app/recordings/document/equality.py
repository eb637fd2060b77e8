"""When two documents ask for the same, however each is spelt.

Compared is one spelling of both. What a recording keeps of its document is spelt anew each time, so documents that an
older version kept, or that name a zone which has another name by now, are compared like all others. A fingerprint is
kept only to see at a glance that nothing has changed; and of an `Idempotency-Key`, which keeps nothing else.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from app.recordings.document.document import RecordingDocument, Schedule, spelt
from app.recordings.document.fields import NewResource
from app.recordings.models import Recording
from app.recurrence.occurrences import Exclusion, Inclusion, begins, same_clocks
from app.recurrence.rules import with_defaults
from app.resources.naming import as_id

_SETS = ("calendars", "editors", "publishers", "related_entries")


def resource_meant(document: RecordingDocument) -> tuple[str, str]:
    """What the document's reference to a resource means, as far as the document alone can say.

    An object adds only what it takes to make one that is not there.
    """
    asked = document.resource
    if isinstance(asked, NewResource):
        return "name", asked.system_name.casefold()
    return ("id or name", str(asked)) if as_id(asked) else ("name", str(asked).casefold())


def canonical(document: RecordingDocument, schedule: Schedule) -> dict[str, Any]:
    """The document as JSON in one spelling; `schedule` is what it comes to in time."""
    said = document.canonical()
    for name in ("end", "duration_minutes"):
        said.pop(name, None)
    said |= {name: sorted(said[name]) for name in _SETS if name in said}
    if schedule.include:
        said["include"] = sorted(_included(one, schedule) for one in schedule.include)
    return said | {
        "tags": sorted(tag.casefold() for tag in document.tags),
        "categories": sorted(str(category).casefold() for category in document.categories),
        "resource": resource_meant(document),
        "time_zone": same_clocks(schedule.zone),
        "start": _clock(schedule.start),
        "seconds": int(schedule.duration.total_seconds()),
        "exclude": [[str(first), str(last)] for first, last in _spans(schedule.exclude)],
        "recurrence": _recurrence(schedule),
    }


def _recurrence(schedule: Schedule) -> dict[str, Any] | list[str] | None:
    """A rule in one spelling, or the dates, in whatever way they were said; None is once."""
    if schedule.rule:
        return spelt(with_defaults(schedule.rule, schedule.start.date()))
    return [str(day) for day in schedule.dates] if schedule.dates not in ((), (schedule.start.date(),)) else None


def _included(one: Inclusion, schedule: Schedule) -> list[str | int]:
    at, length = begins(schedule.start, one.day, one.start).time(), one.duration or schedule.duration
    return [str(one.day), _clock(at), int(length.total_seconds())]


def _clock(at: datetime | time) -> str:
    return f"{at.isoformat()}{', the second time' * at.fold}"


def fingerprint(document: RecordingDocument, schedule: Schedule) -> str:
    """SHA-256 (hex) of the canonical document."""
    return _hash(canonical(document, schedule))


def fits(kept: str, document: RecordingDocument, schedule: Schedule) -> bool:
    """Whether a fingerprint that was kept is the document's. The first versions made it of another spelling."""
    return kept in (fingerprint(document, schedule), _hash(document.canonical()))


def same(recording: Recording, document: RecordingDocument, default_zone: str) -> bool:
    """Whether the document asks for what the recording's own document asks for."""
    schedule = document.schedule(zone_for(recording, default_zone))
    if recording.fingerprint == fingerprint(document, schedule):
        return True
    return same_documents(recording.document, recording.time_zone, document, schedule)


def same_documents(kept: Mapping[str, Any], kept_zone: str, document: RecordingDocument, schedule: Schedule) -> bool:
    """Whether a document that was kept, with its zone, asks for the same as `document`, whose `schedule` is given."""
    before = RecordingDocument.model_validate(kept)
    return canonical(before, before.schedule(kept_zone)) == canonical(document, schedule)


def zone_for(recording: Recording, default_zone: str) -> str:
    """The zone of a document for this recording that names none: as before, if that one named none either."""
    return default_zone if recording.document.get("time_zone") else recording.time_zone


def _spans(exclusions: Iterable[Exclusion]) -> list[tuple[date, date]]:
    """The same days in as few ranges as there can be."""
    found: list[tuple[date, date]] = []
    for one in sorted(exclusions, key=lambda exclusion: exclusion.first):
        if found and one.first <= found[-1][1] + timedelta(days=1):
            found[-1] = found[-1][0], max(found[-1][1], one.last)
        else:
            found.append((one.first, one.last))
    return found


def _hash(said: Mapping[str, Any]) -> str:
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
