"""The lanes that chains of recordings take: what must not be done by two at a time.

A chain of a party (app/recordings/changing/switching.py) names those of all that are done together with it.
"""

from collections.abc import Mapping
from typing import Any

from app.chains.lanes import subject_lane
from app.recordings.scheduling.context import Ctx, chain_resource


def making_lanes(context: Ctx) -> list[str]:
    """The lanes of the names that the chain may make a resource of: such chains run one after another, because Kaltura
    might take a name twice (exchange 105)."""
    asked = context.input["resource"] or {}
    own = {asked["system_name"]} if asked.get("kind") else set()
    return sorted(map(name_lane, {*own, *_party(context)["names"]}))


def lanes(context: Ctx) -> list[str]:
    """All lanes of a chain: its recording's and its resources', in the order in which they are to be taken."""
    return [*recording_lanes(context), *resource_lanes(context)]


def recording_lanes(context: Ctx) -> list[str]:
    """Those of its recording, and of all recordings of its party."""
    return sorted(map(recording_lane, {context.subject, *_party(context)["items"]}))


def resource_lanes(context: Ctx) -> list[str]:
    """Those of the resource that the recording has and the one that it is to have, and of those that single occurrences
    were put on, where the chain may touch these.

    A recording that is cancelled early has no resource yet. A resource that was made just now sorts last, by its id.
    """
    more = (*_party(context)["rooms"], *context.input.get("rooms", ()))
    resources = {chain_resource(context), context.input.get("resource_id"), *more} - {None}
    return sorted(resource_lane(number) for number in resources if number is not None)


def _party(context: Ctx) -> Mapping[str, Any]:
    return context.input.get("party") or {"items": (), "rooms": (), "names": ()}


def recording_lane(recording_id: str) -> str:
    return subject_lane(recording_id)


def name_lane(system_name: str) -> str:
    """Kaltura does not look at the case of a system name."""
    return f"name:{system_name.casefold()}"


def resource_lane(resource_id: int) -> str:
    """With leading zeros: lanes are taken in the order of their text."""
    return f"resource:{resource_id:020d}"
