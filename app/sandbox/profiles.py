"""Response profiles: which properties an answer shows (exchanges 225, 582 to 584)."""

from typing import Any

from app.sandbox.calls import optional
from app.sandbox.schedule.events import Shown
from app.sandbox.wire.reading import Given

INCLUDE, EXCLUDE = 1, 2
PROFILE = optional("responseProfile", "KalturaDetachedResponseProfile")
ALWAYS = ("objectType",)


def profiled(result: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The result, or each object of a list result, cut to the profile that was sent."""
    profile: Given | None = arguments["responseProfile"]
    if profile is None:
        return result
    fields = [name.strip() for name in (profile.get("fields") or "").split(",") if name.strip()]
    if "objects" in result:
        return result | {"objects": [_cut(item, profile.get("type"), fields) for item in result["objects"]]}
    return _cut(result, profile.get("type"), fields)


def _cut(item: dict[str, Any], kind: int, fields: list[str]) -> dict[str, Any]:
    if kind == EXCLUDE:
        return {name: value for name, value in item.items() if name not in fields}
    if kind != INCLUDE:
        return item
    # Kaltura's bug: of a child whose included fields are all its own, the whole parent is shown (exchanges 582, 583).
    if isinstance(item, Shown) and item.parent is not None and all(name in item.own for name in fields):
        return item.parent
    shown = (*fields, *ALWAYS, *(("type",) if "mediaType" in item else ()))
    return {name: value for name, value in item.items() if name in shown}
