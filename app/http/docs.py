"""The API's page: Swagger UI at ``/docs``, from files in ``app/static`` alone.

Nothing the page shows or runs comes from another host, and the browser is told to refuse it if it ever did:
scripts, styles and requests are this origin's or blocked, inline ones included. Neither ``/docs`` nor
``/static`` nor the OpenAPI document itself stands in that document.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from app.http.parameters import preferred

STATIC = Path(__file__).parents[1] / "static"

# The style sheet holds its icons as data: images.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


DESCRIPTION = """
Campus systems send **one JSON document**; Lectern makes of it everything that Kaltura's Recording Scheduler needs,
never twice, and finishes what was interrupted. Encoders ask for what to record next.

Try `POST /recordings` with the example as it stands, then `GET /resources/EXTRON-100-ABC/upcoming`
with `from=2027-01-13T00:00:00Z` and `to=2027-06-01T00:00:00Z`. Without a Kaltura, all that is made is made in the
sandbox, and nothing can be broken. Where the service has keys, **Authorize** takes one, as Bearer or as the password of
Basic; the page forgets it when it is closed.

Every error is `application/problem+json`: `code` is for programs, `detail` for people; a 422 points at each mistake.
"""

TAGS = [
    {
        "name": "recordings",
        "description": "For those who plan: what is to be recorded, when and where. `preview` shows what a document "
        "would come to; `POST` makes it once, however often it is sent; `PATCH` and `DELETE` change what lies ahead "
        "and leave alone what was recorded. An answer 202 means that it goes on: look at its `Location` again.",
    },
    {
        "name": "resources",
        "description": "For those who record: the cameras and encoders that Kaltura knows, and what each has to record "
        "next, whoever booked it. Made to be polled with `If-None-Match`, and answered also while Kaltura is away.",
    },
    {
        "name": "calendars",
        "description": "For the registrar: days on which nothing is recorded, said once for all recordings that name "
        "them. A snow day is one call.",
    },
    {
        "name": "notices",
        "description": "For programs that want to know what became of what they asked for, without asking again and "
        "again. Webhooks bring the same notices: `lectern webhooks create`.",
    },
    {
        "name": "findings",
        "description": "For those who look after it all: what a person should see to, and how.",
    },
    {"name": "operations", "description": "For those who keep it running: supervisors, load balancers, monitoring."},
]


class Assets(StaticFiles):
    """``app/static`` with HEADERS, kept by browsers for an hour, asked for by ETag afterwards."""

    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(full_path, *args, **kwargs)
        response.headers.update({**HEADERS, "Cache-Control": "public, max-age=3600"})
        return response


_FILES = Assets(directory=STATIC)


class _Made:
    """Bytes that are made when they are first asked for, in a thread and once: strangers may ask as they like."""

    def __init__(self, make: Callable[[], str], media_type: str, headers: Mapping[str, str]) -> None:
        self._make = make
        self._media_type = media_type
        self._headers = {**headers, "Cache-Control": "no-cache"}
        self._making = asyncio.Lock()
        self._body: bytes | None = None

    async def answer(self, request: Request) -> Response:
        async with self._making:
            if self._body is None:
                self._body = (await asyncio.to_thread(self._make)).encode()
                self._headers["ETag"] = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
        answer = Response(self._body, headers=self._headers, media_type=self._media_type)
        if _FILES.is_not_modified(answer.headers, request.headers):
            return NotModifiedResponse(answer.headers)
        return answer


def add_front(app: FastAPI, *, docs: bool, console: bool) -> None:
    """``/``: leads people to the console, or else to the docs, and tells a program where they are."""
    there = {name: f"/{name}" for name, served in (("console", console), ("docs", docs)) if served}
    told = {"service": "Lectern", **there, **({"openapi": "/openapi.json"} if docs else {})}

    async def front(request: Request) -> Response:
        if there and preferred(request.headers.get("Accept"), ["application/json", "text/html"]) == "text/html":
            return RedirectResponse(next(iter(there.values())), 303, {"Vary": "Accept"})
        return JSONResponse(told, headers={"Vary": "Accept"})

    app.add_route("/", front, include_in_schema=False)


def add_docs(app: FastAPI) -> None:
    """Serve ``/docs``, ``/static`` and ``/openapi.json``; ``app`` is made without any of its own."""
    page = _Made(lambda: (STATIC / "docs.html").read_text(encoding="utf-8"), "text/html", HEADERS)
    document = _Made(lambda: json.dumps(app.openapi(), ensure_ascii=False), "application/json", {})
    app.add_route("/docs", page.answer, include_in_schema=False)
    app.add_route("/openapi.json", document.answer, include_in_schema=False)
    app.mount("/static", _FILES, name="static")
