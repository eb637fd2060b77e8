"""What a changed declaration changes of a recording's document: what was declared anew, and nobody has changed by hand.

The timetable says what it said before, or something new; only what is new reaches the recording. Where somebody has
changed that very thing by hand meanwhile, it stays as they have it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from app.recordings.document.document import RecordingDocument
from app.recordings.document.equality import canonical

TIMES = "times"
ROOM = "room"
_UNITS = {
    TIMES: (
        "start",
        "end",
        "duration_minutes",
        "seconds",
        "recurrence",
        "exclude",
        "include",
        "time_zone",
        "calendars",
    ),
    ROOM: ("resource", "location"),
}
_UNIT_OF = {name: unit for unit, names in _UNITS.items() for name in names}


@dataclass(slots=True)
class Difference:
    """`document` is what the recording is to say. `kept` are the fields that stay as somebody changed them by hand."""

    document: dict[str, Any]
    changes: list[dict[str, Any]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def touches(self, *units: str) -> bool:
        return any(change["field"] in units for change in self.changes)


def difference(now: Mapping[str, Any], declared: Mapping[str, Any], wanted: Mapping[str, Any]) -> Difference:
    """All three are documents as recordings keep them: as it is, as it was declared, as it is declared now.

    Each names its zone.
    """
    found, spelt = Difference(dict(now)), _spelt(declared, wanted, now)
    for unit in dict.fromkeys(_UNIT_OF.get(name, name) for name in (*declared, *wanted) if name != "reference_id"):
        before, after, is_now = (_part(document, unit) for document in spelt)
        if before == after or is_now == after:
            continue
        if _decided(is_now, unit) != _decided(before, unit):
            found.kept.append(unit)
            continue
        for name in _UNITS.get(unit, (unit,)):
            found.document.pop(name, None)
        found.document |= _part(wanted, unit)
        found.changes.append(_change(_part(declared, unit), _part(wanted, unit), unit))
    return found


def _spelt(*documents: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """All in one spelling, in which what is left out is the same as what says its default.

    As they stand, if one was kept by an older version, which took what this one does not.
    """
    try:
        read = [(RecordingDocument.model_validate(one), one["time_zone"]) for one in documents]
        return [canonical(one, one.schedule(zone)) for one, zone in read]
    except ValidationError:
        return list(documents)


def _change(before: Mapping[str, Any], after: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """As it is shown. A room that is only called otherwise is none that changes."""
    told = [_told(part, unit) for part in (before, after)]
    if unit == ROOM and told[0] == told[1]:
        return {"field": "location", "from": before.get("location"), "to": after.get("location")}
    if unit == TIMES and told[0] == told[1]:
        told = [f"{words}, {part.get('time_zone')}" for words, part in zip(told, (before, after), strict=True)]
    return {"field": unit, "from": told[0], "to": told[1]}


def adopted(now: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """What counts as declared of a recording that a term takes over, and whether it is what is declared already.

    Where it is not, what it says now counts, so that the next plan changes it.
    """
    units = dict.fromkeys(_UNIT_OF.get(name, name) for name in wanted)
    declared = {name: value for unit in units for name, value in _part(now, unit).items()}
    mine, its = _spelt(wanted, now)
    return declared, all(_part(mine, unit) == _part(its, unit) for unit in units)


def slot(document: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Its resource and its times: documents that have the same ones are in one slot, however they are spelt."""
    (spelt,) = _spelt(document)
    return spelt["resource"], _part(spelt, TIMES)


def _part(document: Mapping[str, Any], unit: str) -> dict[str, Any]:
    return {name: document[name] for name in _UNITS.get(unit, (unit,)) if name in document}


def _decided(part: Mapping[str, Any], unit: str) -> object:
    """What of it somebody may have decided by hand: a room's name in words goes with the room."""
    return part.get("resource") if unit == ROOM else dict(part)


def _told(part: Mapping[str, Any], unit: str) -> object:
    if unit == TIMES:
        return in_words(part)
    if unit == ROOM:
        resource = part.get("resource")
        return resource.get("system_name") if isinstance(resource, Mapping) else resource
    return part.get(unit, RecordingDocument.model_fields[unit].get_default())


def in_words(times: Mapping[str, Any]) -> str:
    """`MO WE FR 09:00, 50 minutes, 2027-01-11 to 2027-04-30`."""
    day, _, clock = str(times.get("start", "")).partition("T")
    rule = times.get("recurrence")
    length = f"{times['duration_minutes']} minutes" if "duration_minutes" in times else f"until {times.get('end')}"
    words = [f"{clock[:5]}, {length}"]
    if isinstance(rule, Mapping) and "dates" in rule:
        words.append(", ".join(rule["dates"]))
    elif isinstance(rule, Mapping):
        every = f" every {rule['interval']} weeks" if rule.get("interval", 1) > 1 else ""
        words[0] = f"{' '.join(rule.get('days', ()))}{every} {words[0]}"
        words.append(f"{day} to {rule.get('until') or ''}")
    else:
        words.append(day)
    gaps = [gap if isinstance(gap, str) else f"{gap['from']} to {gap['to']}" for gap in times.get("exclude", ())]
    if gaps:
        words.append(f"without {', '.join(gaps)}")
    if times.get("calendars"):
        words.append(f"by {', '.join(times['calendars'])}")
    return ", ".join(words)
