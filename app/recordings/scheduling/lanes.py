"""The lanes that chains of recordings take: what must not be done by two at a time.

A chain of a party (app/recordings/changing/switching.py) names those of all that are done together with it.
"""

from collections.abc import Mapping
from typing import Any

from app.chains.lanes import subject_lane
from app.recordings.scheduling.context import Ctx, chain_resource


def making_lanes(context: Ctx) -> list[str]:
    """Chains that may make one resource look for it one after another: Kaltura might take its name twice (exchange
    105).
    """
    asked = context.input["resource"] or {}
    own = {asked["system_name"]} if asked.get("kind") else set()
    return sorted(map(name_lane, {*own, *_party(context)["names"]}))


def lanes(context: Ctx) -> list[str]:
    """Chains of one recording, and chains on one resource, run one after another."""
    return [*recording_lanes(context), *resource_lanes(context)]


def recording_lanes(context: Ctx) -> list[str]:
    return sorted(map(recording_lane, {context.subject, *_party(context)["items"]}))


def resource_lanes(context: Ctx) -> list[str]:
    """Its old resource's and its new resource's (or its occurrence's); of an end, or where drift is mended, also those
    of occurrences that have resources of their own.

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
    return f"name:{system_name.casefold()}"


def resource_lane(resource_id: int) -> str:
    return f"resource:{resource_id:020d}"
