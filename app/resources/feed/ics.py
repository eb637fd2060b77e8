"""Calendars (RFC 5545) as capture agents and lecturers' programs read them.

One VEVENT for each occurrence and no rule, all times in UTC: what reads these knows neither RRULE nor VTIMEZONE. `UID`
is the occurrence's own for life; `DTSTAMP` and `LAST-MODIFIED` are when what is shown of it last changed, so that the
same schedule is the same bytes.
"""

import re
from collections.abc import Iterable
from typing import Any

import icalendar
from fastapi import Response
from sqlalchemy import select
from sqlmodel import Session, col

from app.http.errors import NotFound
from app.resources.feed.etags import HEADER, NOT_MODIFIED, digest, matches
from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource

MEDIA_TYPE = "text/calendar; charset=utf-8"
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"headers": HEADER, "content": {"text/calendar": {"schema": {"type": "string"}}}},
    304: NOT_MODIFIED,
}
"""What an operation that answers with a calendar says of that."""

Bookings = Iterable[tuple[Occurrence, Booking]]

# What Python, and with it many a reader, takes for the end of a line, and what RFC 5545 (3.1) has in no text. icalendar
# sees to CR and LF alone.
_BREAK = re.compile("[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def calendar(name: str, occurrences: Bookings, places: dict[int, str], *, truncated: bool = False) -> bytes:
    """A VCALENDAR of occurrences; `places` are the names of resources, for those that say of no location or are
    elsewhere.

    An empty one is a calendar too. One that is `truncated` says so, to programs and to people: there are more
    occurrences.
    """
    made = icalendar.Calendar()
    made.add("prodid", "-//Lectern//Schedule//EN")
    made.add("version", "2.0")
    made.add("calscale", "GREGORIAN")
    made.add("x-wr-calname", icalendar.vText(_text(name)))  # an unknown name: it would not be escaped otherwise
    if truncated:
        made.add("x-lectern-truncated", "TRUE")
        made.add("x-wr-caldesc", icalendar.vText("Not all: there are more sessions. Ask for a shorter time."))
    for occurrence, booking in occurrences:
        made.add_component(_event(occurrence, booking, places.get(occurrence.resource_id or 0)))
    return bytes(made.to_ical())


def recording_calendar(session: Session, booking_id: str) -> bytes:
    """All occurrences of a recording that are on a resource, those that are over too; cancelled ones are not there.

    Raises NotFound.
    """
    rows = session.execute(
        select(Occurrence, Booking, Resource)
        .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
        .join(Resource, col(Resource.id) == col(Occurrence.resource_id))
        .where(col(Occurrence.booking_id) == booking_id, col(Occurrence.status) == OccurrenceStatus.SCHEDULED)
        .order_by(col(Occurrence.start), col(Occurrence.id))
    ).all()
    places = {resource.id: resource.name for _, _, resource in rows}
    booking = session.get(Booking, booking_id)
    if booking is None:
        raise NotFound("There is no such recording.")
    return calendar(booking.title, [(occurrence, booking) for occurrence, booking, _ in rows], places)


def answer(made: bytes, if_none_match: str | None) -> Response:
    """A calendar that is made anew each time it is asked for, or a 304."""
    headers = {"ETag": f'"{digest(made)}"', "Cache-Control": "private, no-cache"}
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(made, headers=headers, media_type=MEDIA_TYPE)


def _event(occurrence: Occurrence, booking: Booking, place: str | None) -> icalendar.Event:
    event = icalendar.Event()
    event.add("uid", f"{occurrence.id}@lectern")
    changed_at = max(occurrence.changed_at, booking.changed_at).replace(microsecond=0)
    event.add("dtstamp", changed_at)
    event.add("last-modified", changed_at)
    event.add("dtstart", occurrence.start)
    event.add("dtend", occurrence.end)
    event.add("summary", _text(booking.title_of(occurrence)))
    if booking.description:
        event.add("description", _text(booking.description))
    if where := booking.location_of(occurrence, place) or place:
        event.add("location", _text(where))
    if booking.contact:
        event.add("contact", _text(booking.contact))
    if booking.tags:
        event.add("categories", [_text(tag) for tag in booking.tags])
    event.add("status", "CONFIRMED")
    return event


def _text(value: str) -> str:
    """Without what would end a line or has no place in one; whoever booked in Kaltura may have written it."""
    return _CONTROL.sub("", _BREAK.sub("\n", value))
