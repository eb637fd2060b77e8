"""Calendar links: made for a resource, revoked, and read. Those of recordings: app/recordings/calendar_router.py."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import or_
from sqlmodel import col

from app.access.door import Encoder
from app.access.keys import Client
from app.database.database import Database
from app.http.errors import (
    AmbiguousResource,
    Busy,
    DatabaseUnavailable,
    InvalidDocument,
    KalturaUnavailable,
    NotFound,
    RefusedByKaltura,
    ScheduleUnknown,
    TooManyRequests,
    responses,
)
from app.resources.feed import ics, links, page
from app.resources.feed.etags import IfNoneMatch
from app.resources.feed.links import CalendarLink
from app.resources.feed.polling import Feed
from app.resources.lookup import ever_known, is_id, known_resources
from app.resources.models import Resource
from app.resources.naming import NO_RESOURCE, only
from app.resources.router import LOOKING_UP, ResourceId
from app.resources.schemas import CalendarLinkView

router = APIRouter(tags=["resources"])
READING_ONE = (
    *(NotFound, AmbiguousResource, InvalidDocument, RefusedByKaltura, TooManyRequests),
    *(KalturaUnavailable, ScheduleUnknown, Busy, DatabaseUnavailable),
)


@router.post(
    "/resources/{id}/calendar-link",
    status_code=201,
    summary="Make a calendar link of a resource",
    response_description="The link.",
    responses=responses(*LOOKING_UP),
)
async def make_resource_link(request: Request, client: Encoder, id: ResourceId) -> CalendarLinkView:
    """An address for calendar programs that send no key: the resource's `upcoming.ics`.

    Whoever has the address may read. `DELETE` revokes it; the key's own end does not.
    """
    state = request.app.state
    found: Resource = await state.finder.one(id, client)
    make = partial(links.make, resource_id=found.id, resource=id)
    made: CalendarLinkView = await state.threads.writing.run(make, state.database, str(request.base_url), client)
    return made


@router.delete(
    "/resources/{id}/calendar-link",
    status_code=204,
    response_class=Response,
    summary="Revoke a resource's calendar links",
    response_description="There are none of yours any more.",
    responses=responses(*LOOKING_UP),
)
async def revoke_resource_links(request: Request, client: Encoder, id: ResourceId) -> None:
    """All that your client has made of it, and those whose name means it now; with `admin`, everybody's.

    Harmless to repeat. Links to a resource that Kaltura has no more are revoked by the name or the id that it had.
    """
    state = request.app.state
    found: Sequence[Resource] = await state.finder.all(id, client)
    await state.threads.writing.run(_revoke, state.database, client, id, found)


@router.get(
    "/calendar-links/{token}.ics",
    response_class=Response,
    summary="A calendar, by its link",
    response_description="One VEVENT for each session, all times in UTC.",
    responses=ics.ANSWERS | responses(*READING_ONE),
)
async def get_linked_calendar(
    request: Request,
    token: Annotated[str, Path(description="What makes the address hard to guess.", examples=["3q2uS0mXr8n1v5yZ7b9d"])],
    if_none_match: IfNoneMatch = None,
) -> Response:
    """What `POST …/calendar-link` has made an address of. It needs no key."""
    state = request.app.state
    link, recording = await state.threads.feed.run(_look, state.database, token)
    if recording is not None:
        return ics.answer(recording, if_none_match)
    found: Feed = state.feed
    return await found.answer(
        (f"/resources/{quote(link.resource, safe='')}/upcoming.ics".encode(), b""),  # of the token nothing is kept
        link.resource,
        page.Window(limit=1000),
        "ics",
        if_none_match,
        lambda named: state.finder.all(named, Client(link.client)),
        lambda _number, _name: True,
    )


def _revoke(database: Database, client: Client, named: str, there: Sequence[Resource]) -> None:
    """Revokes the client's links to what `named` means. `there`: what Kaltura has of it.

    Raises NotFound for what the client may not see, or nobody ever saw; and AmbiguousResource.
    """
    with database.read() as session:
        seen = [
            (row.id, row.system_name)
            for row in there or ever_known(session, named)
            if client.may_see(row.id, row.system_name, partial(is_id, session))
        ]
        ids = {only(seen, lambda _number, _name: True)} if there else {number for number, _ in seen}
        names = {
            name
            for name in links.names_in_use(session, client)
            if (not there and client.may_name(named) and name.lower() == named.lower())
            or any(row.id in ids for row in known_resources(session, name))
        }
    if not ids and not names:
        raise NotFound(NO_RESOURCE)
    links.revoke(database, client, or_(col(CalendarLink.resource_id).in_(ids), col(CalendarLink.resource).in_(names)))


def _look(database: Database, token: str) -> tuple[CalendarLink, bytes | None]:
    """The link, and its calendar if it is a recording's."""
    with database.read() as session:
        link = links.find(session, token)
        return link, ics.recording_calendar(session, link.recording_id) if link.recording_id else None
