"""What is there after the storm: of each recording's objects in Kaltura how many, and whose the others are.

what was asked for ── says, for each reference ──▶ document ──▶ sessions (tests/soak/documents.py)
                                                                    =
the service's document and sessions = the events, entry and links in Kaltura = the feed of the room
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.sandbox.types import CANCELLED
from tests.soak.clients import Asked
from tests.soak.documents import Json, Span, in_kaltura, place, reference, sessions

KINDS = ("entries", "events", "links")
Feeds = dict[str, list[tuple[Span, str | None]]]  # by room: what is to be recorded, and of which recording


@dataclass
class Accounts:
    """`wrong` has one line for each thing that should not be; all else is counted for people to read."""

    statuses: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)  # how the parts of batches ended
    objects: Counter[str] = field(default_factory=Counter)
    never_found: int = 0  # entries beside those of recordings that no search can find (`scheduling/template_entry.py`)
    looked_twice: int = 0  # steps that were tried more than once
    feeds: Feeds = field(default_factory=lambda: defaultdict(list))  # as they must be
    wrong: list[str] = field(default_factory=list)


def draw_up(recordings: Sequence[Json], state: Mapping[str, list[Json]], asked: Mapping[str, Asked]) -> Accounts:
    """`recordings` as the service shows them, with their `occurrences` and `history`; `state` is the sandbox's, without
    what others had there before.
    """
    accounts = Accounts()
    entries, events, links = _by_recording(state)
    owners = set()
    for recording in recordings:
        accounts.statuses[recording["status"]] += 1
        accounts.looked_twice += sum(step["attempts"] > 1 for chain in recording["history"] for step in chain["steps"])
        mine = entries[recording["id"]], events[recording["id"]], links[recording["id"]]
        if recording["status"] == "scheduled":
            owners.add(recording["id"])
            accounts.wrong += _differences(accounts, recording, asked[recording["reference_id"]], *mine)
        else:
            accounts.refusals[(recording["problem"] or {}).get("code", "none")] += 1
            accounts.wrong += [
                f"{recording['id']} is {recording['status']} and has {len(found)} {kind}"
                for kind, found in zip(KINDS, mine, strict=True)
                if found
            ]
        if recording["status"] not in ("scheduled", "failed", "cancelled"):
            accounts.wrong.append(f"{recording['id']} is {recording['status']}: {recording['problem']}")
        if recording["drift"]:
            accounts.wrong.append(f"{recording['id']} has drifted: {recording['drift']}")
    for kind, found in zip(KINDS, (entries, events, links), strict=True):
        accounts.objects[kind] = sum(map(len, found.values()))
        accounts.wrong += [f"{len(found[owner])} {kind} of {owner}" for owner in found.keys() - owners if found[owner]]
    alive = Counter(one["reference_id"] for one in recordings if one["status"] == "scheduled")
    accounts.wrong += [f"{reference} is scheduled {count} times" for reference, count in alive.items() if count > 1]
    accounts.wrong += [f"{one} is not cancelled" for one, wish in asked.items() if wish.is_cancelled and alive[one]]
    accounts.wrong += _half_swaps(recordings, asked)
    return accounts


def _by_recording(state: Mapping[str, list[Json]]) -> tuple[dict[str, list[Json]], ...]:
    """Entries, events and links, by the recording that their `referenceId` names; whose has none are `nobody`'s.

    Occurrences that are cancelled, and whose series is gone, count for nothing: after Kaltura has deleted a series by
    halves nobody can do more for them.
    """
    entries, events, links = (defaultdict[str, list[Json]](list) for _ in range(3))
    for entry in state["entries"]:
        entries[_owner(entry)].append(entry)
    owners, there = dict[int, str](), {event["id"] for event in state["events"]}
    for event in state["events"]:
        if event["status"] == CANCELLED and event.get("parentId", event["id"]) not in there:
            continue
        owners[event["id"]] = _owner(event)
        events[_owner(event)].append(event)
    for link in state["event_resources"]:
        links[owners.get(link["eventId"], "nobody")].append(link)
    return entries, events, links


def _owner(found: Json) -> str:
    prefix, _, rest = str(found.get("referenceId", "")).partition("-")
    return rest.partition("-")[0] if prefix == "lectern" else "nobody"


def _differences(
    accounts: Accounts, recording: Json, asked: Asked, entries: list[Json], events: list[Json], links: list[Json]
) -> list[str]:
    """Where what is there is not exactly what was asked for; notes what the feed has to show of it."""
    says, change = recording["kaltura"], _change(recording)
    if asked.after:
        accounts.changes[change] += 1
    due = asked.after if asked.after and change == "succeeded" else asked.document
    wanted = sessions(due)
    accounts.feeds[place(due)] += [(span, recording["id"]) for span in wanted]
    parents = [event for event in events if event["recurrenceType"] != 2]
    held = [
        (event["startDate"], event["endDate"])
        for event in events
        if event["recurrenceType"] != 1 and event["status"] == 2
    ]
    shown = [span(one) for one in recording["occurrences"] if one["status"] == "scheduled"]
    pairs = {
        "room": (recording["resource"]["system_name"], place(due)),
        "sessions": (sorted(shown), sorted(wanted)),
        "entries": ([one["id"] for one in entries], [says["template_entry_id"]]),
        "categories": ([one["categories"] for one in entries], [",".join(due.get("categories", []))]),
        "events": (sorted(one["id"] for one in parents), sorted(one["id"] for one in says["events"])),
        "sessions in Kaltura": (sorted(held), sorted(map(in_kaltura, wanted))),
        "links": (
            sorted((one["eventId"], one["resourceId"]) for one in links),
            sorted((one["id"], recording["resource"]["id"]) for one in says["events"]),
        ),
        "answer": (asked.outcome == "applied" and change != "succeeded", False),
    }
    return [f"{recording['id']}: {kind} {there}, not {due}" for kind, (there, due) in pairs.items() if there != due]


def _change(recording: Json) -> str:
    """How the latest of its changes ended; each was asked for by a batch. A batch that was refused began none."""
    ends = [chain["status"] for chain in recording["history"] if chain["operation"] == "update"]
    return ends[0] if ends else "none"


def _half_swaps(recordings: Sequence[Json], asked: Mapping[str, Asked]) -> list[str]:
    """Of two that change rooms, both do or none."""
    rooms = {one["reference_id"]: one["resource"]["system_name"] for one in recordings if one["status"] == "scheduled"}
    swapped = {one: rooms[one] == place(wish.after) for one, wish in asked.items() if wish.after and one in rooms}
    pairs = [(reference(number), reference(number + 1)) for number in range(0, len(asked), 10)]
    return [
        f"{one} has changed rooms and {other} has not, or the other way round"
        for one, other in pairs
        if one in swapped and other in swapped and swapped[one] != swapped[other]
    ]


def span(occurrence: Json) -> Span:
    start, end = (int(datetime.fromisoformat(occurrence[name]).timestamp()) for name in ("start", "end"))
    return start, end
