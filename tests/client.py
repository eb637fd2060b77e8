"""A client of an application in this process, for which a request is one call into the application's event loop.

Starlette's own makes ten, each a change of threads and back; they take longer than most requests here.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import httpx2
from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi import FastAPI

ADDRESS = ("testclient", 50000)


class Calls(httpx2.BaseTransport):
    """Requests to `app` in the event loop of `portal`, from any thread. A mistake in it is an answer 500."""

    def __init__(self, app: FastAPI, portal: BlockingPortal) -> None:
        self._app = httpx2.ASGITransport(app, raise_app_exceptions=False, client=ADDRESS)
        self._portal = portal

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        return self._portal.call(self._answer, request)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self._app.handle_async_request(request)
        body = httpx2.ByteStream(await answer.aread())  # as it is: content would be decoded, and measured anew
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=body)


@contextmanager
def client_of(app: FastAPI, *, started: bool = True, **options: Any) -> Iterator[httpx2.Client]:
    """With the application started, and stopped at the end; or without both."""
    with start_blocking_portal() as portal:
        life = portal.wrap_async_context_manager(app.router.lifespan_context(app)) if started else nullcontext()
        with life, httpx2.Client(transport=Calls(app, portal), base_url="http://testserver", **options) as client:
            yield client
