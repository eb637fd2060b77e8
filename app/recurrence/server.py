"""The hour that Kaltura's server repeats, and how an occurrence goes there that begins or ends in it.

Kaltura keeps times by its own server's wall clock, which has no name for the second run of an hour: once a year it
answers what lies in it an hour early (exchanges 216, 217; measured for `add`, `get` and `list`, whatever the event's
zone).

    New York, 7 November 2027    01:00 ──── 02:00        what Kaltura keeps of it
                                   first run             05:00:00Z to 05:59:59Z
                                 01:00 ──── 02:00
                                   second run            06:00:00Z to 06:59:59Z becomes 05:00:00Z to 05:59:59Z
                                 02:00 …                 from 07:00:00Z on

So what begins in the second run is sent as beginning in the last second before it, and what ends in it as ending with
it: an event from 05:59:59Z to 07:00:00Z comes back exactly. Whoever compares an occurrence with what Kaltura has of it
asks here, so that the wider event is right for that occurrence. Everybody else goes by the occurrence's own times.
"""

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from app.recurrence.occurrences import MAX_DURATION

SECOND = timedelta(seconds=1)
LONGEST_REPEAT = timedelta(hours=3)  # no zone has set its clocks further back since 2000 (Antarctica/Casey, 2010)
STEADY = ZoneInfo("UTC")
"""Of a server whose clocks repeat nothing: every instant survives. It will do where only the sessions matter, and not
how they are sent."""

Span = tuple[datetime, datetime]


def repeated(instant: datetime, server: ZoneInfo) -> Span | None:
    """Begin and end (UTC) of the second run that holds `instant`; None where there is none."""
    local = instant.astimezone(server)
    if not local.fold:
        return None
    length = (server.utcoffset(local.replace(fold=0)) or timedelta(0)) - (server.utcoffset(local) or timedelta(0))
    earliest = instant - length + SECOND
    seconds = range(int(length.total_seconds()))
    begins = bisect_left(seconds, 1, key=lambda passed: (earliest + passed * SECOND).astimezone(server).fold)
    begin = (earliest + begins * SECOND).astimezone(UTC)
    return begin, begin + length


def as_sent(start: datetime, end: datetime, server: ZoneInfo) -> Span:
    """The times at which Kaltura is given an occurrence from `start` to `end` (UTC, whole seconds): its own, if it can.

    Else wider; where that is more than Kaltura's 24 hours, instead shorter by what lies in the repeated hour.
    """
    around_start, around_end = repeated(start, server), repeated(end, server)
    wider = around_start[0] - SECOND if around_start else start, around_end[1] if around_end else end
    if wider[1] - wider[0] <= MAX_DURATION:
        return wider
    return around_start[1] if around_start else start, around_end[0] - SECOND if around_end else end


def agrees(found: Span, wanted: Span, server: ZoneInfo) -> bool:
    """Whether Kaltura has an occurrence where it should be: at its own times, or at those that were sent instead."""
    return found == wanted or found == as_sent(*wanted, server)
