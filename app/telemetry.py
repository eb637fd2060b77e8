"""How the service says how it is: logs, request ids, `/healthz` and `/readyz`.

Logs are JSON lines on standard error, ours and those of libraries alike. They hold ids and codes; no document, no
secret, no session. Lines of a request carry `request_id`, lines of a worker `chain_id` and `subject`, the recording.
"""

import asyncio
import logging
import re
import sys
from collections.abc import Callable, Mapping
from time import monotonic, perf_counter
from typing import Literal

import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, WrappedLogger

from app import scopes
from app.db import new_id
from app.fields import Out
from app.keys import Client

log = structlog.get_logger(__name__)

LOOK_EVERY = 1.0  # seconds for which an answer of `/readyz` is good for others, too

State = Literal["ok", "degraded", "down"]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NO_ROUTE = "none"
POLLED = ("/healthz", "/readyz", "/metrics", "/resources/{id}/upcoming", "/resources/{id}/upcoming.ics")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def configure_logs(level: str) -> None:
    """One pipeline for structlog and the standard library. To be called once, by the process that serves."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_request_id,
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("httpx", "httpcore", "alembic"):  # httpx logs whole addresses
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _with_request_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if request_id := correlation_id.get():
        event["request_id"] = request_id
    return event


def add_request_ids(app: FastAPI) -> None:
    """Every answer carries `X-Request-ID`: the client's own, if it is a plain token, or a new one."""
    app.add_middleware(
        CorrelationIdMiddleware,
        header_name="X-Request-ID",
        generator=lambda: new_id("req"),
        validator=lambda given: REQUEST_ID.fullmatch(given) is not None,
        transformer=lambda given: given,
    )


Count = Callable[[str, str, int, float], object]
"""Told of each request: its method, the template of its route, its status, and how many seconds it took."""


class Requests:
    """Tells of each request that `app` has answered: `count`, and the log. Nothing of its address, headers or body.

    What comes every few seconds for years is below INFO, so that it fills no disk; unless it is refused.
    """

    def __init__(self, app: ASGIApp, count: Count) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, method = perf_counter(), method_of(scope)
        status = 500  # what a mistake becomes, further out

        async def seen(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            seconds, route = perf_counter() - began, _template(scope)
            self._count(method, route, status, seconds)
            log.log(
                logging.DEBUG if status < 400 and route in POLLED else logging.INFO,
                "request",
                method=method,
                route=route,
                status=status,
                milliseconds=round(seconds * 1000, 1),
                client=getattr(scope.get("state", {}).get("client"), "name", None),
            )


def _template(scope: Scope) -> str:
    """`/recordings/{id}`; `page` for what is no operation, and NO_ROUTE for what is nothing."""
    path: str | None = getattr(scope.get("route"), "path", None)
    return path or ("page" if "endpoint" in scope else NO_ROUTE)


def method_of(scope: Scope) -> str:
    """One of few, whatever a client makes up."""
    return scope["method"] if scope["method"] in METHODS else "OTHER"


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


class _Lately:
    """What `look` finds, in a thread that no request waits for, at most once in LOOK_EVERY, however many ask."""

    def __init__(self, look: Callable[[], Readiness]) -> None:
        self._look = look
        self._looking = asyncio.Lock()
        self._found: Readiness | None = None
        self._at = 0.0

    async def __call__(self) -> Readiness:
        async with self._looking:
            if self._found is None or monotonic() - self._at >= LOOK_EVERY:
                self._found = await asyncio.to_thread(self._look)
                self._at = monotonic()
            return self._found


def health_router(parts: Mapping[str, Callable[[], Part]]) -> APIRouter:
    """`/healthz` and `/readyz`, which looks at each of `parts`."""

    def look() -> Readiness:
        found = {name: part() for name, part in parts.items()}
        worst = max((part.state for part in found.values()), key=("ok", "degraded", "down").index)
        return Readiness(status=worst, parts=found)

    lately = _Lately(look)
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
        found = await lately()
        response.status_code = 503 if found.status == "down" else 200
        return _told(found, getattr(request.state, "client", None))

    return router
