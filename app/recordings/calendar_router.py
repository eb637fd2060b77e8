"""`/recordings/{id}/calendar.ics`: a recording's occurrences for a calendar program; and links to it, for those that
send no key (app/resources/feed/links.py)."""

from fastapi import APIRouter, Request, Response
from sqlmodel import col

from app.access.door import Reader
from app.http.errors import responses
from app.http.threads import Reading, Writing
from app.recordings import whose
from app.recordings.parameters import READING, RecordingId
from app.resources.feed import ics, links
from app.resources.feed.etags import IfNoneMatch
from app.resources.feed.links import CalendarLink
from app.resources.schemas import CalendarLinkView

router = APIRouter(prefix="/recordings", tags=["recordings"])


@router.get(
    "/{id}/calendar.ics",
    response_class=Response,
    summary="A recording's sessions as a calendar",
    response_description="One VEVENT for each session, all times in UTC.",
    responses=ics.ANSWERS | responses(*READING),
)
def get_calendar(id: RecordingId, client: Reader, database: Reading, if_none_match: IfNoneMatch = None) -> Response:
    """For a lecturer's own calendar: every session that is scheduled, those that are over too."""
    with database.read() as session:
        found = whose.find(session, client, id)
        return ics.answer(ics.recording_calendar(session, found.id), if_none_match)


@router.post(
    "/{id}/calendar-link",
    status_code=201,
    summary="Make a calendar link of a recording",
    response_description="The link.",
    responses=responses(*READING),
)
def make_link(request: Request, id: RecordingId, client: Reader, database: Writing) -> CalendarLinkView:
    """An address for calendar programs that send no key: the recording's `calendar.ics`.

    Whoever has the address may read. `DELETE` revokes it; the key's own end does not.
    """
    with database.read() as session:
        found = whose.find(session, client, id).id
    return links.make(database, str(request.base_url), client, recording_id=found)


@router.delete(
    "/{id}/calendar-link",
    status_code=204,
    response_class=Response,
    summary="Revoke a recording's calendar links",
    response_description="There are none of yours any more.",
    responses=responses(*READING),
)
def revoke_links(id: RecordingId, client: Reader, database: Writing) -> None:
    """All that your client has made of it; with `admin`, everybody's. Harmless to repeat."""
    with database.read() as session:
        found = whose.find(session, client, id).id
    links.revoke(database, client, col(CalendarLink.recording_id) == found)
