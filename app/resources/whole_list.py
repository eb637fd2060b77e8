"""All that Kaltura has on a resource, also where that is more than it lists at once."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from app.kaltura.answers import Listed
from app.kaltura.errors import Refused
from app.kaltura.types import BriefEvent

E = TypeVar("E", bound=BriefEvent)

SHORTEST = timedelta(days=1)  # a span that is halved no more: no resource has so many events in it


def everything(
    look: Callable[[int, datetime, datetime], Listed[E]], resource_id: int, start: datetime, end: datetime
) -> Listed[E]:
    """All that Kaltura lists on the resource between two instants; in halves, where that is more than it lists
    (exchange 290).

    `look`: a client's `list_events_on_resource`, or its brief one. Raises KalturaError.
    """
    try:
        return look(resource_id, start, end)
    except Refused as refusal:
        if refusal.code != "QUERY_EXCEEDED_MAX_MATCHES_ALLOWED" or end - start < SHORTEST:
            raise
    middle = start + (end - start) / 2
    halves = everything(look, resource_id, start, middle), everything(look, resource_id, middle, end)
    both = Listed({event.id: event for half in halves for event in half}.values())
    both.missing = sum(half.missing for half in halves)
    both.odd = [one for half in halves for one in half.odd]
    return both
