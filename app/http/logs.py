"""Logs, and the ids by which a request is found in them.

Logs are JSON lines on standard error, ours and those of libraries alike. They hold ids and codes; no document, no
secret, no session. Lines of a request carry `request_id`, lines of a worker `chain_id` and `subject`, the recording.
"""

import logging
import re
import sys
from collections.abc import Callable
from time import perf_counter

import structlog
from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import EventDict, WrappedLogger

from app.database.types import new_id

log = structlog.get_logger(__name__)


METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NO_ROUTE = "none"
POLLED = (
    "/healthz",
    "/readyz",
    "/metrics",
    "/resources/{id}/upcoming",
    "/resources/{id}/upcoming.ics",
    "/calendar-links/{token}.ics",
)
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


CLIENT_WENT_AWAY = 499
"""What is counted of a request that was given up before it was here whole: nobody was answered (nginx says so, too)."""

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
        status = CLIENT_WENT_AWAY  # until there is an answer

        async def seen(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, seen)
        except Exception:
            status = 500  # what a mistake becomes, further out
            raise
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
