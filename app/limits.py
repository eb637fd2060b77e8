"""How much a request may bring."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import PayloadTooLarge, render

MAX_BODY = 64 * 1024  # bytes; a document with every field in use has a tenth of it
DRAINED = 1024 * 1024  # bytes read and dropped of a body that is too large, so that its sender sees the answer


class BodyLimit:
    """Reads a request's body, at most `MAX_BODY` bytes, before anything works on it. Chunked ones too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body, size, more = b"", 0, True
        while more and size <= DRAINED:
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
        replayed = False

        async def replay() -> Message:
            nonlocal replayed
            if replayed:
                return await receive()
            replayed = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)
