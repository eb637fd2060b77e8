"""`/chains`: what whoever looks after the service does to one."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.access.door import REFUSALS, Admin
from app.http.errors import DatabaseUnavailable, InvalidDocument, NotFound, NothingToResume, responses
from app.recordings.parameters import RETRY, Accepting, Prefer, wait_of
from app.recordings.reading.views import ChainView

router = APIRouter(prefix="/chains", tags=["operations"])


@router.post(
    "/{id}/resume",
    response_model=ChainView,
    summary="Resume a chain",
    response_description="It has ended.",
    responses={
        202: {"model": ChainView, "description": "Taken up; it goes on.", "headers": RETRY},
        **responses(*REFUSALS, NotFound, NothingToResume, InvalidDocument, DatabaseUnavailable),
    },
)
async def resume_chain(
    id: Annotated[
        str,
        Path(description="The chain's id: a recording's `chain` has it.", examples=["chn_01kantf3wq5m2c7j8e9g0h1k3p"]),
    ],
    client: Admin,
    accepting: Accepting,
    prefer: Prefer = None,
) -> Response:
    """Takes a chain that is stuck, or waits for its next attempt, up again at once, from its open step.

    For what `/readyz` names: also a sweep, which looks for second objects of a recording, and which its recording's own
    `resume` does not take up. A chain of a recording that is not there for your key is not there either.
    """
    return await accepting.resume_chain(client, id, wait_of(prefer))
