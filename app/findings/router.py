"""`/findings`: what a person should look at."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from app.access.door import REFUSALS, Reader
from app.findings import listing
from app.findings.schemas import FindingPage, Kind, Severity
from app.http.errors import DatabaseUnavailable, InvalidDocument, responses
from app.http.fields import Line
from app.http.threads import Reading

EXAMPLE = "MCAyMDI3LTAxLTEzVDEzOjU4OjAyKzAwOjAwIGVuY29kZXJfc2lsZW50OjU2MjkzMQ"

router = APIRouter(prefix="/findings", tags=["findings"])


@router.get(
    "",
    summary="List findings",
    response_description="The findings.",
    responses=responses(*REFUSALS, InvalidDocument, DatabaseUnavailable),
)
def list_findings(
    request: Request,
    client: Reader,
    database: Reading,
    severity: Annotated[
        list[Severity] | None, Query(description="Only these; repeat it for several.", examples=[["now", "soon"]])
    ] = None,
    kind: Annotated[
        list[Kind] | None, Query(description="Only these; repeat it for several.", examples=[["chain_stuck"]])
    ] = None,
    resource: Annotated[
        Line | None, Query(description="Only those about it: Kaltura id or system name.", examples=["EXTRON-100-ABC"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.", examples=[100])] = 100,
    cursor: Annotated[
        str | None, Query(max_length=400, description="`next_cursor` of the page before.", examples=[EXAMPLE])
    ] = None,
) -> FindingPage:
    """What a person should look at, the worst first: about your recordings, about resources whose schedule your key
    may read, and about the service. With `admin`, everybody's. Computed when you ask: what was mended is not there.
    """
    filters = listing.Filters(tuple(severity or ()), tuple(kind or ()), resource)
    return listing.page(database, request.app.state.findings, client, filters, limit, cursor)
