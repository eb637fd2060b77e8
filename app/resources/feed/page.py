"""What a resource has to record next, from SQL alone: it is answered whether Kaltura is up or not.

`page` reads it, `content` is what is shown of it, `as_json` puts around that what differs from answer to answer. The
ETag covers what is shown, and nothing of what differs: an occurrence that enters the window changes it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlmodel import Session, col

from app.http.errors import InvalidDocument
from app.http.parameters import as_cursor, of_cursor
from app.resources.conflicts import LONGEST
from app.resources.feed.etags import digest
from app.resources.models import Booking, Occurrence, OccurrenceStatus
from app.resources.schemas import ResourceName, UpcomingOccurrence

WINDOW = timedelta(days=14)
_OCCURRENCES = TypeAdapter(list[UpcomingOccurrence])
_NEVER = datetime.max.replace(tzinfo=UTC)
Pair = tuple[Occurrence, Booking]


class Cursor(NamedTuple):
    """The last occurrence of the page before."""

    start: datetime
    uid: str


@dataclass(frozen=True, slots=True)
class Window:
    """The query of a poll. Without `start` it begins now, without `end` it is 14 days long.

    `tags`: only what has any of them, in whatever case; all, if there are none. `end_named`: what `end` is called where
    it was asked for.
    """

    start: datetime | None = None
    end: datetime | None = None
    limit: int = 100
    cursor: Cursor | None = None
    tags: tuple[str, ...] = ()
    end_named: str = "to"

    def at(self, now: datetime) -> tuple[datetime, datetime]:
        """Its begin and end (UTC), asked at `now`. Raises InvalidDocument if the end is not after the begin."""
        start = self.start or now
        end = self.end or start + WINDOW
        if end < start:
            rule = "must not be before from, which is now if not said"
            errors = [{"pointer": f"/query/{self.end_named}", "detail": rule}]
            raise InvalidDocument(f"{self.end_named} {rule}.", errors=errors)
        return start, end


@dataclass(frozen=True, slots=True)
class Page:
    """`until`: as long as nothing is rescheduled, this is what there is to show before then. `more` begins the rest."""

    rows: list[Pair]
    more: Cursor | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Content:
    """JSON of what is shown. `version` is over the occurrences, `etag` (without its quotes) over all of it. `more` is
    the next page's cursor, empty on the last."""

    resource: bytes
    occurrences: bytes
    version: str
    etag: str
    link: str | None
    more: str


def page(session: Session, resource_id: int, window: Window, now: datetime) -> Page:
    """The scheduled occurrences of the resource that touch the window and have not ended, by start; from SQL alone."""
    start, end = window.at(now)
    after = max(start, now)
    here = (
        col(Occurrence.resource_id) == resource_id,
        col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
        ~col(Occurrence.withdrawn),
        col(Booking.kind) != "other",
    )
    wanted: list[ColumnElement[bool]] = [
        *here,
        col(Occurrence.end) > after,
        col(Occurrence.start) < end,
        col(Occurrence.start) > after - LONGEST,  # so that the index is read from there on, and not from the first year
    ]
    if window.cursor:
        begun, uid = window.cursor
        same_start = and_(col(Occurrence.start) == begun, col(Occurrence.id) > uid)
        wanted += [col(Occurrence.start) >= begun, or_(col(Occurrence.start) > begun, same_start)]
    found = session.execute(
        select(Occurrence, Booking)
        .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
        .where(*wanted)
        .order_by(col(Occurrence.start), col(Occurrence.id))
        .limit(None if window.tags else window.limit + 1)
    )
    pairs = ((occurrence, booking) for occurrence, booking in found)
    rows = list(islice(_tagged(pairs, window.tags), window.limit + 1))
    changes = [moment for row, _ in rows for moment in (row.start, row.end) if moment > now]
    if window.start is None and window.end is None and len(rows) <= window.limit:
        following = session.execute(
            select(func.min(col(Occurrence.start)))
            .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
            .where(*here, col(Occurrence.start) >= end)
        ).scalar_one()
        changes += [following - WINDOW] if following else []
    elif window.start is None and window.end is not None:
        changes.append(window.end)  # from then on it ends before it begins
    last = rows[window.limit - 1][0] if len(rows) > window.limit else None
    return Page(rows[: window.limit], Cursor(last.start, last.id) if last else None, min(changes, default=_NEVER))


def _tagged(rows: Iterable[Pair], tags: Collection[str]) -> Iterable[Pair]:
    """Those that have any of the tags; not by SQL, of which each dialect lowers other letters."""
    asked = {tag.casefold() for tag in tags}
    return (row for row in rows if not asked or any(tag.casefold() in asked for tag in row[1].tags))


def content(resource: ResourceName, path: str, window: Window, found: Page, now: datetime) -> Content:
    """What is shown of a page. `path` is where it was asked for, encoded, as its next page will be."""
    shown = _OCCURRENCES.dump_json([_shown(*row, resource.name, now) for row in found.rows])
    name = resource.model_dump_json().encode()
    more = show_cursor(found.more) if found.more else ""
    etag = digest(name, shown, more.encode())
    link = _link(path, window, now, more) if more else None
    return Content(name, shown, digest(shown), etag, link, more)


def as_json(shown: Content, window: Window, now: datetime, as_of: datetime, stale: bool) -> bytes:
    """An UpcomingView, put together of what was put into bytes before."""
    start, end = window.at(now)
    more = f'"{shown.more}"'.encode() if shown.more else b"null"
    return b"".join(
        (
            *(b'{"resource":', shown.resource, b',"server_time":', _instant(now), b',"as_of":', _instant(as_of)),
            *(b',"stale":', b"true" if stale else b"false", b',"schedule_version":"', shown.version.encode(), b'"'),
            *(b',"from":', _instant(start), b',"to":', _instant(end), b',"occurrences":', shown.occurrences),
            *(b',"next_cursor":', more, b"}"),
        )
    )


def _shown(occurrence: Occurrence, booking: Booking, place: str, now: datetime) -> UpcomingOccurrence:
    own = booking.source == "lectern"
    return UpcomingOccurrence(
        uid=occurrence.id,
        status="recording_now" if occurrence.start <= now else "upcoming",
        kind="live" if booking.kind == "live" else "recording",
        title=booking.title_of(occurrence),
        description=booking.description,
        start=occurrence.start,
        end=occurrence.end,
        local_start=occurrence.start.astimezone(ZoneInfo(booking.time_zone)),
        time_zone=booking.time_zone,
        duration_seconds=int((occurrence.end - occurrence.start).total_seconds()),
        recording_id=booking.id if own else None,
        event_id=occurrence.event_id,
        series_id=occurrence.series_id,
        template_entry_id=booking.template_entry_id,
        tags=booking.tags,
        location=booking.location_of(occurrence, place),
        organizer=booking.organizer,
        contact=booking.contact,
        owner=booking.owner,
        source="lectern" if own else "kaltura",
    )


def _instant(moment: datetime) -> bytes:
    return moment.astimezone(UTC).strftime('"%Y-%m-%dT%H:%M:%SZ"').encode()


# Pages


def _link(path: str, window: Window, now: datetime, cursor: str) -> str:
    """RFC 8288, relative to the service: who asked under which host's name stays out of what is kept for others."""
    start, end = (moment.astimezone(UTC).isoformat().replace("+00:00", "Z") for moment in window.at(now))
    asked = {"from": start, "to": end, "limit": window.limit, "tag": window.tags, "cursor": cursor}
    query = urlencode(asked, doseq=True)
    return f'<{quote(path, safe="/%")}?{query}>; rel="next"'


def show_cursor(cursor: Cursor) -> str:
    return as_cursor(f"{int(cursor.start.timestamp())} {cursor.uid}")


def read_cursor(given: str) -> Cursor:
    """Raises InvalidDocument for what was never given out."""
    try:
        start, uid = of_cursor(given).split(" ")
        cursor = Cursor(datetime.fromtimestamp(int(start), UTC), uid)
    except (ValueError, OverflowError, OSError):
        cursor = Cursor(_NEVER, "")
    if not cursor.uid.isprintable() or show_cursor(cursor) != given:
        rule = "is not a cursor that was given out"
        raise InvalidDocument(f"cursor {rule}.", errors=[{"pointer": "/query/cursor", "detail": rule}])
    return cursor
