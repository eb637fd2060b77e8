"""The lanes that chains of recordings take: what must not be done by two at a time."""

from app.chains.lanes import subject_lane
from app.recordings.scheduling.context import Ctx, room


def making_lanes(context: Ctx) -> list[str]:
    """Chains that may make one resource look for it one after another: Kaltura might take its name twice (exchange
    105).
    """
    asked = context.input["resource"] or {}
    return [name_lane(asked["system_name"])] if asked.get("kind") else []


def lanes(context: Ctx) -> list[str]:
    """Chains of one recording, and chains on one resource, run one after another."""
    return [recording_lane(context.subject), room_lane(room(context))]


def recording_lane(recording_id: str) -> str:
    return subject_lane(recording_id)


def name_lane(system_name: str) -> str:
    return f"name:{system_name.casefold()}"


def room_lane(resource_id: int) -> str:
    return f"resource:{resource_id:020d}"
