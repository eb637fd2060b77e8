"""By what names the service may be called.

A page on somebody's web site can have its own name resolve to a loopback address, and so reach what listens there
from the browser of whoever reads it; the name in `Host` gives it away. So on a loopback address Lectern answers to
that address's names alone, by which no such page is called, and to those in `LECTERN_ALLOWED_HOSTS`; elsewhere
to the latter, or to any if none are given.
"""

from collections.abc import Iterable

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.errors import BadRequest, render
from app.http.logs import NO_ROUTE, Count, method_of
from app.settings import Settings, is_loopback

log = structlog.get_logger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
FOR_SUPERVISORS = frozenset({"/healthz", "/readyz", "/metrics"})  # they call a process by its address
ANY = "*"


def allowed(settings: Settings) -> tuple[str, ...]:
    """The names, lower case; `*.campus.example` means every name below; `*` any."""
    own = (*LOOPBACK, settings.host.lower()) if is_loopback(settings.host) else ()
    given = tuple(name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip())
    return (*own, *given) or (ANY,)


class AllowedHosts:
    """Refuses requests that call the service by any other name than `names`, and counts them."""

    def __init__(self, app: ASGIApp, names: Iterable[str], count: Count) -> None:
        self.app = app
        self._count = count
        self._exact = frozenset(name for name in names if not name.startswith("*"))
        self._below = tuple(name[1:] for name in names if name.startswith("*."))
        self._any = ANY in names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._any or scope["path"] in FOR_SUPERVISORS or self._may(scope):
            await self.app(scope, receive, send)
        else:
            log.info("host_refused")  # what it was is the caller's to choose, and stands in no log
            self._count(method_of(scope), NO_ROUTE, BadRequest.status, 0.0)
            await render(
                BadRequest("The Host header names no host that this service answers to: see LECTERN_ALLOWED_HOSTS.")
            )(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        host = _without_port(given[0].decode("latin-1").lower())
        return host in self._exact or host.endswith(self._below)


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdigit() or not port) else host
