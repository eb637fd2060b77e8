"""Names in addresses: any system name is one segment of a path, with whatever characters, percent-encoded.

Servers decode a path before it is routed, and then `/resources/A%2FB/upcoming` looks like `/resources/A/B/upcoming`,
and a resource that is called `..` like none. So the segment after `/resources/` is put back as it came. Who takes it
decodes it.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/resources/"


class Paths:
    """The ASGI application `app`, for which a resource in a path is one segment, still encoded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            segments = scope["raw_path"].decode("latin-1").split("/")
            if segments[1] == PREFIX.strip("/"):
                scope["path"] = "/".join(segments)
        await self._app(scope, receive, send)
