"""`/resources`: what Kaltura can record with, and what each has to record next."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from app.access import CurrentClient
from app.db import Database, utc_now
from app.errors import (
    AmbiguousResource,
    DatabaseUnavailable,
    InvalidDocument,
    KalturaUnavailable,
    NotFound,
    RefusedByKaltura,
    Unauthorized,
    responses,
)
from app.fields import Line, Moment
from app.kaltura.client import KalturaClient
from app.resources import feed, lookup
from app.resources.models import Resource
from app.resources.schemas import ResourcePage, ResourceView, UpcomingView

router = APIRouter(prefix="/resources", tags=["resources"])

WINDOW = timedelta(days=14)
ResourceId = Annotated[Line, Path(description="Kaltura id or system name.", examples=["EXTRON-100-ABC"])]
_ETAG = {"ETag": {"description": "Of what is shown.", "schema": {"type": "string"}}}
LOOKING_UP = (
    *(Unauthorized, NotFound, AmbiguousResource, InvalidDocument, RefusedByKaltura),
    *(KalturaUnavailable, DatabaseUnavailable),
)


def _database(request: Request) -> Database:
    found: Database = request.app.state.database
    return found


def _kaltura(request: Request) -> KalturaClient:
    found: KalturaClient = request.app.state.kaltura
    return found


State = Annotated[Database, Depends(_database)]
Kaltura = Annotated[KalturaClient, Depends(_kaltura)]


def _resource(id: ResourceId, database: State, kaltura: Kaltura) -> Resource:
    return lookup.find_resource(database, kaltura, id)


Named = Annotated[Resource, Depends(_resource)]


@router.get(
    "",
    summary="List resources",
    response_description="The resources.",
    responses=responses(Unauthorized, RefusedByKaltura, KalturaUnavailable, DatabaseUnavailable),
)
def list_resources(_client: CurrentClient, database: State, kaltura: Kaltura) -> ResourcePage:
    """Every schedule resource that Kaltura knows, by id. All on one page."""
    found = lookup.all_resources(database, kaltura)
    return ResourcePage(items=[ResourceView.model_validate(row.model_dump()) for row in found], next_cursor=None)


@router.get("/{id}", summary="Show a resource", response_description="The resource.", responses=responses(*LOOKING_UP))
def get_resource(_client: CurrentClient, resource: Named) -> ResourceView:
    """One resource, by its Kaltura id or its system name."""
    return ResourceView.model_validate(resource.model_dump())


def _window(
    after: Annotated[
        Moment | None, Query(alias="from", description="Now, if not said.", examples=["2027-01-13T00:00:00Z"])
    ] = None,
    before: Annotated[
        Moment | None,
        Query(alias="to", description="14 days after `from`, if not said.", examples=["2027-06-01T00:00:00Z"]),
    ] = None,
) -> tuple[datetime, datetime]:
    start = after or utc_now()
    end = before or start + WINDOW
    if end < start:
        rule = "must not be before from, which is now if not said"
        raise InvalidDocument(f"to {rule}.", errors=[{"pointer": "/query/to", "detail": rule}])
    return start, end


Window = Annotated[tuple[datetime, datetime], Depends(_window)]


@router.get(
    "/{id}/upcoming",
    response_model=UpcomingView,
    summary="What a resource has to record next",
    response_description="Its schedule.",
    responses={
        200: {"headers": _ETAG},
        304: {"description": "Nothing has changed since that ETag.", "headers": _ETAG},
        **responses(*LOOKING_UP),
    },
)
def get_upcoming(
    _client: CurrentClient,
    resource: Named,
    database: State,
    window: Window,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many occurrences at most.", examples=[100])] = 100,
    if_none_match: Annotated[
        str | None,
        Header(
            alias="If-None-Match",
            description="The `ETag` of the answer that you have; `W/`, lists and `*` are understood.",
            examples=['"5f2c9a1b7e3d4c60"'],
        ),
    ] = None,
) -> Response:
    """The expanded schedule for an encoder, by start: running occurrences too, ended and cancelled ones not.

    Answered from Lectern's own state, whether Kaltura is up or not. Poll it with `If-None-Match`.
    """
    with database.read() as session:
        shown = feed.upcoming(session, resource, utc_now(), *window, limit)
    headers = {"ETag": f'"{shown.schedule_version}"', "Cache-Control": "private, no-cache"}
    if feed.matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(shown.model_dump_json(by_alias=True), headers=headers, media_type="application/json")
