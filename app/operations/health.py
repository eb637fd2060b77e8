"""`/healthz` and `/readyz`, which answer whatever the threads do."""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from app.access import scopes
from app.access.keys import Client
from app.http.fields import Out

LOOK_EVERY = 1.0  # seconds for which an answer of `/readyz` is good for others, too


State = Literal["ok", "degraded", "down"]


class Part(Out):
    """How one part of the service is."""

    state: State = Field(description="`ok`, `degraded` (works, with something missing) or `down`.", examples=["ok"])
    detail: str = Field(description="In words, for an operator.", examples=["answers"])


class Naming(Part):
    """One that names recordings: `names` is told after `detail`, to who may read recordings."""

    names: str


class Readiness(Out):
    """How the service is. `degraded`: documents are accepted, and finished once what is missing is back."""

    status: State = Field(description="The worst of the parts.", examples=["ok"])
    parts: dict[str, Part] = Field(description="By name.", examples=[{"kaltura": {"state": "ok", "detail": "answers"}}])


def _told(found: Readiness, client: Client | None) -> Readiness:
    """What a client is told of it, or a stranger."""
    if client is None or scopes.Scope.RECORDINGS_READ not in client.scopes:
        return found  # of a part, what it names is not shown
    parts = {
        name: Part(state=part.state, detail=f"{part.detail}: {part.names}") if isinstance(part, Naming) else part
        for name, part in found.parts.items()
    }
    return found.model_copy(update={"parts": parts})


class Health(Out):
    """The process answers."""

    status: Literal["ok"] = Field(description="Always `ok`.", examples=["ok"])


class Looking:
    """How each of `parts` is: looked at in a thread that no request waits for, at most once in LOOK_EVERY, however many
    ask."""

    def __init__(self, parts: Mapping[str, Callable[[], Part]]) -> None:
        self._parts = parts
        self._looking = asyncio.Lock()
        self._found: Readiness | None = None
        self._at = 0.0

    async def __call__(self) -> Readiness:
        async with self._looking:
            if self._found is None or monotonic() - self._at >= LOOK_EVERY:
                self._found = await asyncio.to_thread(self._look)
                self._at = monotonic()
            return self._found

    def _look(self) -> Readiness:
        found = {name: part() for name, part in self._parts.items()}
        worst = max((part.state for part in found.values()), key=("ok", "degraded", "down").index)
        return Readiness(status=worst, parts=found)


router = APIRouter(tags=["operations"])


@router.get("/healthz", summary="Is the process alive?", response_description="It is.")
async def healthz() -> Health:
    """Answers as long as the process does. For a supervisor that would restart it otherwise."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Can it work?",
    response_description="It can.",
    responses={503: {"model": Readiness, "description": "A part that is needed for every request is down."}},
)
async def readyz(request: Request, response: Response) -> Readiness:
    """For a load balancer: 503 when requests should go elsewhere. Kaltura away is `degraded`, and no reason to.

    Of a part that is not `ok`, `detail` names the cause; recordings are named to who has a key with
    `recordings:read`. When nobody has asked Kaltura for a minute, this does.
    """
    looking: Looking = request.app.state.looking
    found = await looking()
    response.status_code = 503 if found.status == "down" else 200
    return _told(found, getattr(request.state, "client", None))
