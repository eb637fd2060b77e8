"""The API's page: Swagger UI at ``/docs``, from files in ``app/static`` alone.

Nothing the page shows or runs comes from another host, and the browser is told to refuse it if it ever did:
scripts, styles and requests are this origin's or blocked, inline ones included. Neither ``/docs`` nor
``/static`` stands in the OpenAPI document.
"""

import os
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"

# The style sheet holds its icons as data: images.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class _Assets(StaticFiles):
    """``app/static`` with HEADERS, kept by browsers for an hour, asked for by ETag afterwards."""

    def file_response(self, full_path: str | os.PathLike[str], *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(full_path, *args, **kwargs)
        response.headers.update({**HEADERS, "Cache-Control": "public, max-age=3600"})
        return response


def add_docs(app: FastAPI) -> None:
    """Serve ``/docs`` and ``/static``; ``app`` is made with ``docs_url=None`` and has ``/openapi.json``."""
    page = (STATIC / "docs.html").read_text(encoding="utf-8")

    def docs(_: Request) -> HTMLResponse:
        return HTMLResponse(page, headers={**HEADERS, "Cache-Control": "no-cache"})

    app.add_route("/docs", docs, include_in_schema=False)
    app.mount("/static", _Assets(directory=STATIC), name="static")
