"""`/notices`: parse, call one function, answer."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request

from app.access.door import REFUSALS, Reader
from app.http.errors import DatabaseUnavailable, InvalidDocument, responses
from app.http.parameters import LONGEST_WAIT, wait_of
from app.notices.listening import Listening
from app.notices.reading import AFTER, NoticePage

router = APIRouter(prefix="/notices", tags=["notices"])

DEFAULT_WAIT = 0.0


@router.get(
    "",
    summary="Read what has come true",
    response_description="The next notices, or none.",
    responses=responses(*REFUSALS, InvalidDocument, DatabaseUnavailable),
)
async def list_notices(
    request: Request,
    client: Reader,
    after: Annotated[
        str | None,
        Query(max_length=200, description="`next_cursor` of the page before; else from the start.", examples=[AFTER]),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most.", examples=[100])] = 100,
    prefer: Annotated[
        str | None,
        Header(
            alias="Prefer",
            description="RFC 7240. `wait=N`: how many seconds to wait for a notice if there is none, at most "
            f"{LONGEST_WAIT:.0f} (0 if not said).",
            examples=["wait=30"],
        ),
    ] = None,
) -> NoticePage:
    """Your notices in the order in which they came true: each once, and none is left out. With `admin`, everybody's.

    Keep `next_cursor` with what you made of the page, and send it as `after`. A page that is not full is the last for
    now. Notices are kept for 30 days. Webhooks bring the same ones to you.
    """
    listening: Listening = request.app.state.listening
    return await listening.page(client, after, limit, wait_of(prefer, DEFAULT_WAIT))
