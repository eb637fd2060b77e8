"""What the steps of every chain of a recording share: their tools, and what they read of input and results.

A chain plans its events either when its document is accepted (`schedule`: they are its input), or in its `state` step
(changes: they are that step's result). Either way they are `{number: {"kind", "start", "end", "recurrence",
"occurrences": [[start, end, occurrence id | None, wanted]]}}`, times in epoch seconds. An event whose only occurrence
was put on another resource than the recording's has that one's id as "room", too.

An event's times are those that are sent, an occurrence's those that are wanted: in the hour that Kaltura's server
repeats they differ. The number ends the event's `referenceId` but for a token (app/resources/references.py); number 0
is the template entry's.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.chains.steps import Context
from app.database.database import Database
from app.kaltura.client import KalturaClient
from app.kaltura.types import Event
from app.recordings.document.fields import OnConflict
from app.resources.conflicts import Booked
from app.resources.references import recording_of


@dataclass(frozen=True, slots=True)
class Tools:
    """What belongs to one worker thread. `server_zone` is the zone of Kaltura's server (app/recurrence/server.py)."""

    kaltura: KalturaClient
    database: Database
    server_zone: ZoneInfo


Ctx = Context[Tools]


def planned(context: Ctx) -> Mapping[str, Mapping[str, Any]]:
    """The events that this chain makes, by number, a decimal string. What something is in the way of is not wanted."""
    source = context.result("state") if "state" in context.results else context.input
    events: Mapping[str, Mapping[str, Any]] = source["events"]
    return _without(events, out) if (out := left_out(context)) else events


def _without(events: Mapping[str, Mapping[str, Any]], out: Collection[str]) -> dict[str, Mapping[str, Any]]:
    found = {
        number: {
            **event,
            "occurrences": [
                [start, end, occurrence_id, is_wanted and occurrence_id not in out]
                for start, end, occurrence_id, is_wanted in event["occurrences"]
            ],
        }
        for number, event in events.items()
    }
    return {number: event for number, event in found.items() if any(one for *_, one in event["occurrences"])}


def skips(context: Ctx) -> bool:
    return bool(context.input.get("on_conflict") == OnConflict.SKIP)


def may_stay_out(context: Ctx) -> Sequence[str]:
    """The sessions that are not there, and that no document asks for anew: their ids. A change leaves them out, if
    something is in their way, and is not refused for them."""
    state = context.results.get("state")
    found: Sequence[str] = context.result("state").get("out_before", ()) if state else ()
    return found


def leaves_out(context: Ctx) -> bool:
    """Whether sessions are left out if something is in their way: all (`skip`), or those of `may_stay_out`."""
    return skips(context) or bool(may_stay_out(context))


def left_out(context: Ctx) -> Mapping[str, str]:
    """The sessions that are left out because something is in their way, by id: what that is, in words."""
    if not leaves_out(context):
        return {}
    found = dict[str, str]()
    for step in ("state", "conflicts", "links"):
        for result in context.results.get(step, {}).values():
            if isinstance(result, Mapping):
                found |= result.get("left_out", {})
    return found


def generated(event: Mapping[str, Any]) -> list[tuple[int, int]]:
    """What Kaltura is to generate of a planned event: start and end of each occurrence, in epoch seconds."""
    if len(event["occurrences"]) == 1:
        return [(event["start"], event["end"])]
    return [(start, end) for start, end, *_ in event["occurrences"]]


def wanted(context: Ctx, on_resource: int | None = None) -> list[tuple[datetime, datetime]]:
    """Start and end (UTC) of the wanted occurrences of the chain's events, sorted; if it is named, on that resource."""
    return [(start, end) for start, end, _ in wanted_occurrences(context, on_resource)]


def wanted_occurrences(context: Ctx, on_resource: int | None = None) -> list[tuple[datetime, datetime, str]]:
    """The same, each with its id."""
    found = _wanted(context, on_resource)
    return sorted((instant(start), instant(end), occurrence_id) for start, end, occurrence_id in found)


def is_anything_wanted(context: Ctx) -> bool:
    """Whether the chain's events have a wanted occurrence."""
    return next(_wanted(context, None), None) is not None


def span(context: Ctx, on_resource: int | None = None) -> tuple[datetime, datetime]:
    """From the first start to the last end (UTC) of the wanted occurrences. ValueError if there are none."""
    starts, ends, _ = zip(*_wanted(context, on_resource), strict=True)
    return instant(min(starts)), instant(max(ends))


def _wanted(context: Ctx, on_resource: int | None) -> Iterator[tuple[int, int, str]]:
    for number, event in planned(context).items():
        if on_resource is None or event_resource(context, number) == on_resource:
            yield from (
                (start, end, occurrence_id)
                for start, end, occurrence_id, is_wanted in event["occurrences"]
                if is_wanted
            )


def chain_resource(context: Ctx) -> int:
    """Kaltura's id of the resource: found by this chain, or known before where it does not change."""
    found: int = context.result("resource")["id"] if context.results.get("resource") else context.input["resource_id"]
    return found


def event_resource(context: Ctx, number: str) -> int:
    """Kaltura's id of the resource of a planned event: its occurrence's own one, else the chain's."""
    own: int | None = planned(context)[number].get("room")
    return chain_resource(context) if own is None else own


def event_resources(context: Ctx) -> list[int]:
    """Those of all planned events, ascending."""
    return sorted({event_resource(context, number) for number in planned(context)})


def newest(context: Ctx) -> int:
    """The id of the newest event that there was before the chain made any; 0 if it does not know."""
    found: int = context.result("newest")["event_id"] if context.results.get("newest") else 0
    return found


def template_entry(context: Ctx) -> str | None:
    """The template entry's id in Kaltura; None before it is made."""
    made = context.results.get("template_entry")
    found: str | None = context.result("template_entry") if made else context.input.get("template_entry_id")
    return found


def party_members(context: Ctx) -> frozenset[str]:
    """The recordings whose bookings are no conflict: the chain's own, and those that are changed together with it."""
    return frozenset({context.subject, *context.input.get("together", ())})


def booked(event: Event) -> Booked:
    """An event of Kaltura's as the conflict rule sees it."""
    recording_id = recording_of(event.reference_id)
    source = "lectern" if recording_id else "kaltura"
    return Booked(event.start, event.end, event.summary, source, recording_id, event.id)


def instant(seconds: int) -> datetime:
    """Epoch seconds as an aware time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def shown(seconds: int) -> str:
    """Epoch seconds as RFC 3339, with `Z`."""
    return instant(seconds).isoformat().replace("+00:00", "Z")
