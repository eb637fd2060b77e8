"""What stands around every page: its templates, its headers, and how problems are told within it."""

import hashlib
from collections.abc import Callable, Coroutine, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from app.console import words
from app.console.people import Person, SignedOut
from app.database.database import unavailable
from app.http.docs import STATIC
from app.http.errors import DatabaseUnavailable, Problem
from app.http.problems import from_http, from_validation

FILES = STATIC / "console"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    # With `no-referrer` a browser would not tell where a form stood.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


_VERSION = Markup("<version>")  # stands where it will be, until it is known: others' words have no such bracket
TOLD = {
    "precondition_failed": {"title": "It has changed meanwhile"},
    "unauthorized": {"title": "Sign in first"},
    "forbidden": {"title": "Not with this key"},
}
"""What is said of a problem instead of what a program is told."""


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= words.FILTERS
    made.globals |= {
        "state_of": words.state_of,
        "kind_of": words.kind_of,
        "file": _file,
        "weekdays": words.WEEKDAYS,
        "guards_in_words": words.GUARDS,
    }
    return made


@cache
def _file(name: str) -> str:
    """The address of a file of the pages: another one when the file is another, since browsers keep it for an hour."""
    made = hashlib.sha256((FILES / name).read_bytes()).hexdigest()[:12]
    return f"/static/console/{name}?v={made}"


def page(request: Request, template: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A page of whoever looks at it; of nobody before the sign-in."""
    return HTMLResponse(_written(request, template, values), status, HEADERS)


def _written(request: Request, template: str, values: Mapping[str, Any]) -> str:
    person: Person | None = getattr(request.state, "person", None)
    settings = request.app.state.settings
    return (
        _templates()
        .get_template(template)
        .render(person=person, path=request.url.path, docs=settings.docs, sandboxed=settings.embedded_sandbox, **values)
    )


def page_or_not_modified(request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
    """The page, or a 304 for whoever has it as it is. Its `version` is its ETag: live.js asks with that."""
    text = _written(request, template, {**values, "version": _VERSION})
    tag = hashlib.sha256(text.encode()).hexdigest()[:32]
    headers = {**HEADERS, "ETag": f'"{tag}"'}
    if headers["ETag"] in [each.strip() for each in request.headers.get("If-None-Match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return HTMLResponse(text.replace(_VERSION, tag), status, headers)


def go(address: str) -> Response:
    """On to another page, after a form has done what it says."""
    return RedirectResponse(address, 303, HEADERS)


def trouble(request: Request, problem: Problem) -> Response:
    """A problem, as a page. What the API's answer says of it is said here, too."""
    answer = page(
        request,
        "problem.html",
        problem.status,
        problem={**problem.document(), **TOLD.get(problem.code, {})},
        back=getattr(request.state, "back", None),
    )
    if problem.retry_after is not None:
        answer.headers["Retry-After"] = str(problem.retry_after)
    return answer


class PageRoute(APIRoute):
    """A route that tells people of a problem, and leads to the sign-in whoever is not signed in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await answer(request)
            except SignedOut:
                return _to_sign_in(request)
            except Problem as problem:
                return trouble(request, problem)
            except RequestValidationError as error:
                return trouble(request, from_validation(error))
            except HTTPException as error:
                return trouble(request, from_http(error))
            except (DBAPIError, PoolTimeout) as error:
                if isinstance(error, DBAPIError) and not unavailable(error):
                    raise
                return trouble(request, DatabaseUnavailable())

        return shown


def _to_sign_in(request: Request) -> Response:
    """After it, back to the page. A form is not sent again: whoever sent it looks first."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    back = f"?to={quote(here, safe='')}" if request.method == "GET" and here != "/console" else ""
    return go(f"/console/sign-in{back}")
