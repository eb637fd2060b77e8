"""Who asks, and whether they may: what stands before every request, and the dependencies that operations declare.

A key is sent as `Authorization: Bearer <key>`, or as the password of HTTP Basic, which encoders speak; never in an
address. app/access/keys.py knows whose it is.

    request ── Door: whose key is it? too many with it, or from a stranger's address? ──▶ 429
                 │                                                   a change, and nobody's ──▶ 401
                 │
                 ▼
    operation ── Reader, Writer, Encoder …: nobody's ──▶ 401      without that scope ──▶ 403

An operation takes one of `Reader`, `Writer`, `Encoder`, `CalendarWriter` and `Admin` (all `Client`s) as a parameter,
and lists `REFUSALS` among its problems; so the OpenAPI document tells its scope. One that takes none of them is open to
everybody.
What belongs to another client, or lies beyond the resources that a key is narrowed to, is not there: 404.
"""

import base64
from collections.abc import Mapping
from ipaddress import IPv6Network
from typing import Annotated, Any

from fastapi import Request, Security
from fastapi.openapi.models import HTTPBase
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access import rates, scopes
from app.access.keys import LOCAL, Client, Keys
from app.access.rates import Rates
from app.http.errors import Busy, Forbidden, Problem, TooManyRequests, Unauthorized, render

STRANGERS_PER_MINUTE = 600  # from one address: enough for a fleet whose key was revoked to be told so
UNCOUNTED = frozenset({"/healthz", "/readyz"})
CONSOLE = "/console"  # its pages are counted and judged by themselves: app/console/people.py
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})  # all else changes something, and needs a key whatever its address
REFUSALS = (Unauthorized, Forbidden, TooManyRequests, Busy)


class Door:
    """The ASGI application `app` behind keys and rates: it finds the client in the request's state, or None.

    What a client has used up is told in the headers of every answer. An open service counts nothing. Supervisors are
    not counted, whatever key they send: behind a proxy that is not trusted they and all strangers come from one
    address, and what they ask for costs no more than a refusal.
    """

    def __init__(self, app: ASGIApp, keys: Keys, counted: Rates | None) -> None:
        """`counted`: how many requests a key may send; None for as many as it likes."""
        self._app = app
        self._keys = keys
        self._rates = counted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if _is_console(scope["path"]):  # a browser sends what it knows, also where another site's page sends it
            scope.setdefault("state", {})["client"] = None
            await self._app(scope, receive, send)
            return
        client = client_of(self._keys, authorization(scope))
        scope.setdefault("state", {})["client"] = client
        if client is None:
            refusal = _refusal(scope)
            await (render(refusal) if refusal else self._app)(scope, receive, send)  # without reading a body
            return
        if client is LOCAL or self._rates is None or _is_supervisor(scope):
            await self._app(scope, receive, send)
            return
        allowance = self._rates.take(client.key)
        told = rates.headers(self._rates.per_minute, allowance)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *told]
            await send(message)

        answer = render(too_many(allowance.wait)) if allowance.wait else self._app
        await answer(scope, receive, with_headers)


def _is_console(path: str) -> bool:
    return path == CONSOLE or path.startswith(f"{CONSOLE}/")


def _is_supervisor(scope: Scope) -> bool:
    return scope["path"] in UNCOUNTED and scope["method"] in SAFE


def too_many(wait: int, detail: str = "") -> TooManyRequests:
    problem = TooManyRequests(detail)
    problem.retry_after = wait
    return problem


def _refusal(scope: Scope) -> Problem | None:
    """Of a request without a key that counts: of too many from one address, and of each that changes something."""
    if _is_supervisor(scope):
        return None
    strangers: Rates = scope["app"].state.strangers
    wait = strangers.take(address_of(scope)).wait
    if wait:
        return too_many(wait, "Too many requests without a valid API key from this address.")
    return None if scope["method"] in SAFE else Unauthorized()


def address_of(scope: Mapping[str, Any]) -> str:
    """Where a request comes from, as far as it counts: of IPv6 a whole /64, which one machine may have."""
    address: str = (scope.get("client") or ("", 0))[0]
    if ":" not in address:
        return address
    try:
        return str(IPv6Network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


def client_of(keys: Keys, authorization: str | None) -> Client | None:
    """Who sends this `Authorization` header; None for nobody that is known."""
    if keys.is_open:
        return LOCAL
    key = _key(authorization or "")
    return keys.owner(key) if key else None


def authorization(scope: Mapping[str, Any]) -> str | None:
    """The header, if there is one, and one only."""
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _key(authorization: str) -> str:
    """The key in the header, or an empty string."""
    scheme, _, sent = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return sent.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(sent.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


# What operations declare


class _Way(SecurityBase):
    """A way to send a key, for the OpenAPI document; the header is read by the door."""

    def __init__(self, name: str, scheme: str, description: str) -> None:
        self.scheme_name = name
        self.model = HTTPBase(scheme=scheme, description=description)

    async def __call__(self) -> None:
        """Nothing is left to be done."""


_BEARER = _Way("HTTPBearer", "bearer", "An API key.")
_BASIC = _Way("HTTPBasic", "basic", "Any user name; the API key as password.")


async def _client(
    request: Request,
    scopes: SecurityScopes,
    _bearer: Annotated[None, Security(_BEARER)],
    _basic: Annotated[None, Security(_BASIC)],
) -> Client:
    client: Client | None = request.state.client
    if client is None:
        raise Unauthorized()
    missing = [scope for scope in scopes.scopes if scope not in client.scopes]
    if missing:
        raise Forbidden(f"This API key lacks the scope {missing[0]}.", scope=missing[0])
    return client


Reader = Annotated[Client, Security(_client, scopes=[scopes.Scope.RECORDINGS_READ.value])]
Writer = Annotated[Client, Security(_client, scopes=[scopes.Scope.RECORDINGS_WRITE.value])]
Encoder = Annotated[Client, Security(_client, scopes=[scopes.Scope.SCHEDULE_READ.value])]
CalendarWriter = Annotated[Client, Security(_client, scopes=[scopes.Scope.CALENDARS_WRITE.value])]
Admin = Annotated[Client, Security(_client, scopes=[scopes.Scope.ADMIN.value])]
