"""What is there after the storm: of each recording's objects in Kaltura how many, and whose the others are."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = dict[str, Any]
KINDS = ("entries", "events", "links")


@dataclass
class Accounts:
    """`wrong` has one line for each thing that should not be; all else is counted for people to read."""

    statuses: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)
    looked_twice: int = 0  # steps that were tried more than once
    wrong: list[str] = field(default_factory=list)


def draw_up(recordings: Sequence[Json], state: Mapping[str, list[Json]]) -> Accounts:
    """`recordings` as the service shows them, with their `occurrences`; `state` is the sandbox's."""
    accounts = Accounts()
    entries, events, links = _by_recording(state)
    owners = set()
    for recording in recordings:
        accounts.statuses[recording["status"]] += 1
        accounts.looked_twice += sum(step["attempts"] > 1 for step in recording["chain"]["steps"])
        mine = entries[recording["id"]], events[recording["id"]], links[recording["id"]]
        if recording["status"] == "scheduled":
            owners.add(recording["id"])
            accounts.wrong += _differences(recording, *mine)
        else:
            accounts.refusals[(recording["problem"] or {}).get("code", "none")] += 1
            accounts.wrong += [
                f"{recording['id']} is {recording['status']} and has {len(found)} {kind}"
                for kind, found in zip(KINDS, mine, strict=True)
                if found
            ]
        if recording["status"] not in ("scheduled", "failed"):
            accounts.wrong.append(f"{recording['id']} is {recording['status']}: {recording['problem']}")
    for kind, found in zip(KINDS, (entries, events, links), strict=True):
        accounts.objects[kind] = sum(map(len, found.values()))
        accounts.wrong += [f"{len(found[owner])} {kind} of {owner}" for owner in found.keys() - owners if found[owner]]
    alive = Counter(one["reference_id"] for one in recordings if one["status"] == "scheduled")
    accounts.wrong += [f"{reference} is scheduled {count} times" for reference, count in alive.items() if count > 1]
    return accounts


def _by_recording(state: Mapping[str, list[Json]]) -> tuple[dict[str, list[Json]], ...]:
    """Entries, events and links, by the recording that their `referenceId` names; whose has none are `nobody`'s."""
    entries, events, links = (defaultdict[str, list[Json]](list) for _ in range(3))
    for entry in state["entries"]:
        entries[_owner(entry)].append(entry)
    owners = {}
    for event in state["events"]:
        owners[event["id"]] = _owner(event)
        events[_owner(event)].append(event)
    for link in state["event_resources"]:
        links[owners.get(link["eventId"], "nobody")].append(link)
    return entries, events, links


def _owner(found: Json) -> str:
    prefix, _, rest = str(found.get("referenceId", "")).partition("-")
    return rest.partition("-")[0] if prefix == "lectern" else "nobody"


def _differences(recording: Json, entries: list[Json], events: list[Json], links: list[Json]) -> list[str]:
    """Where what is in Kaltura is not exactly what the recording says."""
    says = recording["kaltura"]
    parents = [event for event in events if event["recurrenceType"] != 2]
    wanted = {
        (_epoch(one["start"]), _epoch(one["end"])) for one in recording["occurrences"] if one["status"] == "scheduled"
    }
    held = [
        (event["startDate"], event["endDate"])
        for event in events
        if event["recurrenceType"] != 1 and event["status"] == 2
    ]
    pairs = {
        "entries": ([one["id"] for one in entries], [says["template_entry_id"]]),
        "events": (sorted(one["id"] for one in parents), sorted(one["id"] for one in says["events"])),
        "sessions": (sorted(held), sorted(wanted)),
        "links": (
            sorted((one["eventId"], one["resourceId"]) for one in links),
            sorted((one["id"], recording["resource"]["id"]) for one in says["events"]),
        ),
    }
    return [f"{recording['id']}: {kind} {there}, not {due}" for kind, (there, due) in pairs.items() if there != due]


def _epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())
