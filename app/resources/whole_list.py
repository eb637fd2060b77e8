"""All that Kaltura has on a resource, also where that is more than it lists at once."""

from datetime import datetime, timedelta

from app.kaltura.answers import Listed
from app.kaltura.client import KalturaClient
from app.kaltura.errors import Refused
from app.kaltura.types import Event

SHORTEST = timedelta(days=1)  # a span that is halved no more: no resource has so many events in it


def everything(client: KalturaClient, resource_id: int, start: datetime, end: datetime) -> Listed[Event]:
    """All that Kaltura lists on the resource between two instants; in halves, where that is more than it lists
    (exchange 290).

    Raises KalturaError.
    """
    try:
        return client.list_events_on_resource(resource_id, start, end)
    except Refused as refusal:
        if refusal.code != "QUERY_EXCEEDED_MAX_MATCHES_ALLOWED" or end - start < SHORTEST:
            raise
    middle = start + (end - start) / 2
    halves = everything(client, resource_id, start, middle), everything(client, resource_id, middle, end)
    both = Listed({event.id: event for half in halves for event in half}.values())
    both.missing = sum(half.missing for half in halves)
    both.odd = [one for half in halves for one in half.odd]
    return both
