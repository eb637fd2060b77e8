"""How problems are answered, whoever met them, and what they look like in the OpenAPI document."""

from functools import cache
from html import escape
from typing import Any

import structlog
from asgi_correlation_id import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from app.database.database import unavailable
from app.http.errors import (
    CATALOGUE,
    WAITING,
    BadRequest,
    DatabaseUnavailable,
    Internal,
    InvalidDocument,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unauthorized,
    UnsupportedMediaType,
    render,
)
from app.http.fields import messages

log = structlog.get_logger(__name__)


def from_http(error: HTTPException) -> Problem:
    """Starlette's own refusals (no such route, wrong method, unreadable body) as problems."""
    if error.status_code == 400:  # FastAPI could not read the body, and keeps why as the cause
        return _invalid([{"pointer": "", "detail": _unreadable(error.__cause__)}])
    by_status = {kind.status: kind for kind in (NotFound, MethodNotAllowed, Unauthorized)}
    return by_status.get(error.status_code, BadRequest if error.status_code < 500 else Internal)()


def _unreadable(why: BaseException | None) -> str:
    if isinstance(why, UnicodeDecodeError):
        return f"must be UTF-8: byte {why.start + 1} of the body is not"
    return "must be JSON, not too deep, with numbers of a sensible length"


def _with_places(error: RequestValidationError) -> list[dict[str, str]]:
    """FastAPI gives the place where JSON breaks off as a number of characters."""
    found = messages(error.errors())
    if error.errors()[0]["type"] == "json_invalid" and isinstance(error.body, str):
        before = error.body[: error.errors()[0]["loc"][1]]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        found[0]["detail"] += f", and is not from line {line}, column {column} on"
    return found


def _invalid(errors: list[dict[str, str]]) -> InvalidDocument:
    return InvalidDocument(f"{len(errors)} mistake(s), each with its place in errors.", errors=errors)


def from_validation(error: RequestValidationError) -> Problem:
    return _invalid(_with_places(error))


def _allowed(request: Request) -> str:
    """The methods that an address takes. Starlette names those of the first route that matches alone."""
    route = request.scope.get("route")  # none: the page and static files
    documented = request.app.openapi()["paths"].get(route.path_format, {}) if route else {}
    taken = [method.upper() for method in documented]
    return ", ".join(["HEAD", *taken] if "GET" in taken else taken) or "GET, HEAD"


def add_handlers(app: FastAPI) -> None:
    @app.exception_handler(Problem)
    async def _problem(_request: Request, error: Problem) -> Response:
        return render(error)

    @app.exception_handler(RequestValidationError)
    async def _validation(_request: Request, error: RequestValidationError) -> Response:
        # FastAPI hands on the bytes of a body that does not claim to be JSON.
        return render(UnsupportedMediaType() if isinstance(error.body, bytes) else from_validation(error))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        answer = render(from_http(error))
        if error.status_code == 405:
            answer.headers["Allow"] = _allowed(request)
        return answer

    @app.exception_handler(DBAPIError)
    @app.exception_handler(PoolTimeout)
    async def _database(_request: Request, error: Exception) -> Response:
        if isinstance(error, DBAPIError) and not unavailable(error):
            raise error
        log.error("database_unavailable", kind=type(getattr(error, "orig", error)).__name__)
        return render(DatabaseUnavailable())

    @app.exception_handler(Exception)
    async def _mistake(_request: Request, error: Exception) -> Response:
        log.error("mistake", exc_info=error)
        answer = render(Internal())
        # This one is sent from outside the middleware that gives all others their id.
        answer.headers["X-Request-ID"] = correlation_id.get() or ""
        return answer


# In the OpenAPI document


class Mistake(BaseModel):
    """One thing that is wrong with a document or a parameter."""

    pointer: str = Field(
        description="Where (RFC 6901): a place in the document, or `/query/…`, `/path/…`, `/header/…`; empty for the "
        "whole document.",
        examples=["/recurrence/count"],
    )
    detail: str = Field(description="What the rule is, for people.", examples=["must be at least 1"])


class ProblemDocument(BaseModel):
    """What went wrong, as `application/problem+json` (RFC 9457). Some kinds say more than is listed here."""

    model_config = ConfigDict(title="Problem", extra="allow")

    type: str = Field(description="A URI of the kind.", examples=["urn:lectern:problem:invalid_document"])
    title: str = Field(description="The kind, in words.", examples=["The document is not valid"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What is wrong and what to do, for people.", examples=["1 mistake in the document"])
    code: str = Field(
        description="The kind, for programs: stable. One of "
        + ", ".join(f"`{code}`" for code in sorted(CATALOGUE))
        + ".",
        examples=["invalid_document"],
    )
    request_id: str = Field(
        description="This request's id, for whoever looks into it.", examples=["req_01kantf3wm1q8r5x0y6h9b2e7d"]
    )
    errors: list[Mistake] = Field(
        [],
        description="422: everything that is wrong, each with its place.",
        examples=[[{"pointer": "/recurrence/count", "detail": "must be at least 1"}]],
    )
    recording_id: str = Field(
        "", description="The recording that this is about.", examples=["rec_01kantf3wq5m2c7j8e9g0h1k3p"]
    )
    step: str = Field("", description="The step of its chain that was refused.", examples=["template_entry"])
    kaltura_code: str = Field("", description="Kaltura's own code.", examples=["CATEGORY_NOT_FOUND"])
    conflicts: list[dict[str, Any]] = Field(
        [],
        description="`schedule_conflict`: each session that meets one that is booked already.",
        examples=[
            [
                {
                    "start": "2027-01-13T14:00:00Z",
                    "end": "2027-01-13T14:50:00Z",
                    "booked": {
                        "start": "2027-01-13T14:30:00Z",
                        "end": "2027-01-13T16:00:00Z",
                        "title": "Faculty meeting",
                        "source": "kaltura",
                        "recording_id": None,
                        "event_id": 1336401,
                    },
                }
            ]
        ],
    )


SAYS_MORE = {
    "invalid_document": ("errors",),
    "schedule_conflict": ("conflicts",),
    **dict.fromkeys(
        ("refused_by_kaltura", "category_not_found", "resource_not_found"), ("recording_id", "step", "kaltura_code")
    ),
}


def example(kind: type[Problem]) -> dict[str, Any]:
    """A problem of that kind, as the document shows it."""
    said = ("request_id", *SAYS_MORE.get(kind.code, ()))
    return kind().document() | {name: (ProblemDocument.model_fields[name].examples or [])[0] for name in said}


def add_schema(app: FastAPI) -> None:
    """Puts `Problem` among the schemas, and one of each kind among the examples.

    Named by `model=`, FastAPI would list problems as application/json too.
    """
    make = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        document = make()
        schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= schema.pop("$defs") | {"Problem": schema}
        for operation in [one for path in document["paths"].values() for one in path.values()]:
            for content in operation.get("requestBody", {}).get("content", {}).values():
                # Of a body that an operation reads by itself.
                document["components"]["schemas"] |= content["schema"].pop("$defs", {})
        document["components"]["examples"] = {
            code: {"summary": kind.title, "value": example(kind)} for code, kind in sorted(CATALOGUE.items())
        }
        # First what somebody tries who sees it for the first time. Routes need another order: the longest path first.
        document["paths"] = dict(sorted(document["paths"].items(), key=lambda item: "/by-reference/" in item[0]))
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def table() -> str:
    """The catalogue as docs/errors.md shows it, by status and code."""
    kinds = sorted(CATALOGUE.values(), key=lambda kind: (kind.status, kind.code))
    waits = "In a step of a chain: it is not done yet, and is tried again at its `next_attempt_at`."
    rows = [
        "| `code` | status | when it comes | what to do |",
        "| --- | --- | --- | --- |",
        *(f"| `{kind.code}` | {kind.status} | {kind.when} | {escape(kind.advice, quote=False)} |" for kind in kinds),
        f"| `{WAITING}` | | {waits} | Nothing; its `detail` says what is in the way. |",
    ]
    return "\n".join(rows)
