"""How much a request may bring, and what is refused before anything looks at it."""

import re
from itertools import chain

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.errors import (
    BadRequest,
    HeadersTooLarge,
    PayloadTooLarge,
    Problem,
    TooManyConnections,
    UnsupportedMediaType,
    render,
)
from app.http.hosts import FOR_SUPERVISORS
from app.http.logs import NO_ROUTE, Count, method_of

MAX_HEAD = 16 * 1024  # bytes of address and headers; a browser behind two proxies sends a tenth of it
MAX_BODY = 256 * 1024  # bytes; holds the longest description, 65,535 bytes, also with most of it escaped
STREAMED = re.compile(r"/terms/[^/]+/plans")  # where an operation reads its body itself, as a stream


class BodyLimit:
    """Reads a request's body, at most `MAX_BODY` bytes, before anything works on it. Chunked ones too.

    A body in a coding (gzip) is refused. What has not been read of a body is dropped where it comes in
    (app/http/serving/connections.py).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_coded = any(name == b"content-encoding" and value.lower() != b"identity" for name, value in scope["headers"])
        if scope["method"] == "POST" and STREAMED.fullmatch(scope["path"]) and not is_coded:
            await self.app(scope, receive, send)
            return
        body, size, more = b"", 0, True
        while more and size <= MAX_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            if size <= MAX_BODY:
                body += message.get("body", b"")
            more = message.get("more_body", False)
        if size > MAX_BODY:
            await render(PayloadTooLarge())(scope, receive, send)
            return
        if is_coded and body:
            advice = "Send the body as it is, without Content-Encoding: compressed ones are not read here."
            await render(UnsupportedMediaType(advice))(scope, receive, send)
            return
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)


class Entrance:
    """Refuses what a server lets through and should not, and counts it: the connection is closed after that.

    A reserved connection has the `crowd` in its requests' state (app/http/serving/connections.py): while there are more
    connections than there should be, it is for supervisors.
    """

    def __init__(self, app: ASGIApp, count: Count) -> None:
        self.app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self.app(scope, receive, send)
            return
        self._count(method_of(scope), NO_ROUTE, refusal.status, 0.0)
        answer = render(refusal)
        answer.headers["Connection"] = "close"
        await answer(scope, receive, send)


def _refusal(scope: Scope) -> Problem | None:
    # A head that comes in many pieces is refused before it is here (app/http/serving/connections.py).
    # In C as far as that goes, since each poll comes through here.
    names = [name for name, _ in scope["headers"]]
    size = len(scope["raw_path"]) + len(scope["query_string"]) + 4 * len(names)
    if size + sum(map(len, chain.from_iterable(scope["headers"]))) > MAX_HEAD:
        return HeadersTooLarge()
    hosts, codings = names.count(b"host"), b"transfer-encoding" in names
    if hosts > 1 or (not hosts and scope["http_version"] == "1.1"):
        return BadRequest("A request has one Host header.")  # RFC 9112, 3.2
    if codings and (b"content-length" in names or scope["http_version"] == "1.0"):
        # RFC 9112, 6.1 and 6.3: somebody in between may have read another body than we would.
        return BadRequest("A request has a Content-Length or, in HTTP/1.1, a Transfer-Encoding; never both.")
    crowd = scope.get("state", {}).get("crowd")
    if crowd is not None and crowd.full and scope["path"] not in FOR_SUPERVISORS:
        return TooManyConnections()
    return None
