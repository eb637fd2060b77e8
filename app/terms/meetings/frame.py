"""What a declaration is read within: the term's settings, its clocks, and what Kaltura has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.recurrence.occurrences import zone
from app.terms.meetings.settings import TermSettings, plain_room

NOTHING_LEFT = "no_sessions_left"


@dataclass(frozen=True, slots=True)
class Frame:
    """What a declaration is read within. `now` is wall-clock time of the term's zone, without an offset.

    `resources` are Kaltura's, each id with its system name; None if nobody asked: then none is unknown.
    """

    settings: TermSettings
    zone: ZoneInfo
    now: datetime
    rooms: Mapping[str, tuple[str, str | None]]
    resources: Mapping[int, str] | None
    by_name: Mapping[str, str]


def frame(
    settings: TermSettings, default_zone: str, now: datetime, resources: Mapping[int, str] | None = None
) -> Frame:
    """`default_zone` is the service's own; `now` is an instant."""
    tz = zone(settings.time_zone or default_zone)
    return Frame(
        settings=settings,
        zone=tz,
        now=now.astimezone(tz).replace(tzinfo=None, fold=0),
        rooms={plain_room(name): (name, resource) for name, resource in settings.rooms.items()},
        resources=resources,
        by_name={plain_room(name): name for name in (resources or {}).values()},
    )


def is_over(last: date, end: int, within: Frame) -> bool:
    """Whether what ends `end` minutes after the beginning of its last day is over."""
    return datetime.combine(last, datetime.min.time()) + timedelta(minutes=end) <= within.now
