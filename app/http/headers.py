"""What every answer carries, whoever made it, and HEAD: a GET's headers without its body.

A browser that is shown an answer of this service is to do nothing with it: guess no type, run nothing, frame it
nowhere, keep nothing, tell nobody where it came from. What an answer says for itself (the page's own policy, a
feed's ETag and Cache-Control) stays. There is no CORS header: no other origin's page may read an answer.
Strict-Transport-Security is left to whoever ends TLS; Lectern speaks plain HTTP.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

EVERY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
_RAW = tuple((name.lower().encode(), value.encode()) for name, value in EVERY.items())


class Headers:
    """Adds those of `EVERY` that an answer does not have yet."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def completed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                given = {name.lower() for name, _ in headers}
                message["headers"] = headers + [header for header in _RAW if header[0] not in given]
            await send(message)

        await self.app(scope, receive, completed if scope["type"] == "http" else send)


class Head:
    """Answers HEAD as the route's GET would, without the body. What stands outside sees a HEAD before and after."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def without_body(message: Message) -> None:
            scope["method"] = "HEAD"  # servers look at it when they write
            await send(message if message["type"] != "http.response.body" else {**message, "body": b""})

        scope["method"] = "GET"
        await self.app(scope, receive, without_body)
