"""The document that a meeting becomes, as `POST /recordings` takes it, and the hash by which it is known as unchanged.

Neither needs the meeting's sessions: a rule stays a rule, and calendars are named.
"""

import hashlib
import json
from typing import Any

from app.recurrence.rules import Rule
from app.terms.meetings.frame import Frame
from app.terms.meetings.rows import Meeting
from app.terms.meetings.times import Span, Times, at


def document(meeting: Meeting, within: Frame) -> dict[str, Any]:
    """The document of a meeting that is recorded. What it does not say is left out."""
    if meeting.times is None or meeting.resource is None:
        raise ValueError("A meeting that is not recorded has no document.")
    defaults, words = within.settings.defaults, meeting.words
    owner = next((user for user in [*meeting.instructors[:1], words.owner, defaults.owner] if user), None)
    editors = [*meeting.instructors[1:], *words.editors, *defaults.editors]
    said = {
        "title": words.title,
        "description": words.description,
        "tags": _once([*words.tags, *defaults.tags]),
        "categories": _once([*words.categories, *defaults.categories]),
        "owner": owner,
        "editors": [user for user in _once(editors) if user != owner],
        "publishers": _once([*words.publishers, *defaults.publishers]),
        "organizer": words.organizer or defaults.organizer,
        "contact": words.contact or defaults.contact,
        "location": meeting.room if meeting.room != meeting.resource else None,
        "visibility": str(defaults.visibility),
        "resource": meeting.resource,
        **_times(meeting.times),
        "time_zone": within.zone.key,
        "calendars": list(meeting.calendars),
    }
    return {name: value for name, value in said.items() if value not in (None, [])}


def hashed(meeting: Meeting, within: Frame) -> str:
    """SHA-256 (hex) of the document, and of the keys that the timetable knows it by."""
    said = [meeting.sections, meeting.meeting, document(meeting, within)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _times(times: Times) -> dict[str, Any]:
    recurrence: dict[str, Any] | None = None
    if times.rule:
        recurrence = _rule(times.rule)
    elif times.dates:
        recurrence = {"dates": [str(day) for day in times.dates]}
    return {
        "start": at(times.first, times.start).isoformat(),
        "duration_minutes": times.minutes,
        "recurrence": recurrence,
        "exclude": [_exclusion(gap) for gap in times.gaps],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    said = {
        "frequency": rule.frequency,
        "interval": rule.interval if rule.interval > 1 else None,
        "days": [str(day) for day in rule.days],
        "month_days": list(rule.month_days),
        "positions": list(rule.positions),
        "count": rule.count,
        "until": str(rule.until) if rule.until else None,
        "week_start": rule.week_start if rule.week_start != "MO" else None,
    }
    return {name: value for name, value in said.items() if value not in (None, [])}


def _exclusion(gap: Span) -> str | dict[str, str]:
    first, last = gap
    return str(first) if first == last else {"from": str(first), "to": str(last)}


def _once(items: list[Any]) -> list[Any]:
    return list(dict.fromkeys(items))
