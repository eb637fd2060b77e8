"""`/recordings/{id}/calendar.ics`: a recording's sessions for a calendar program."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.access.door import REFUSALS, Reader
from app.http.errors import DatabaseUnavailable, InvalidDocument, NotFound, responses
from app.http.threads import Reading
from app.recordings import whose
from app.resources.feed import ics
from app.resources.feed.etags import HEADER, NOT_MODIFIED, IfNoneMatch

router = APIRouter(prefix="/recordings", tags=["recordings"])


@router.get(
    "/{id}/calendar.ics",
    response_class=Response,
    summary="A recording's sessions as a calendar",
    response_description="One VEVENT for each session, all times in UTC.",
    responses={
        200: {"headers": HEADER, "content": {"text/calendar": {"schema": {"type": "string"}}}},
        304: NOT_MODIFIED,
        **responses(*REFUSALS, NotFound, InvalidDocument, DatabaseUnavailable),
    },
)
def get_calendar(
    id: Annotated[str, Path(description="The recording's id.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"])],
    client: Reader,
    database: Reading,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """For a lecturer's own calendar: every session that is scheduled, those that are over too."""
    with database.read() as session:
        found = whose.find(session, client, id)
        return ics.answer(ics.recording_calendar(session, found.id), if_none_match)
