"""Signing in and out."""

import re

from fastapi import APIRouter, Request, Response

from app.access import sessions
from app.console.frame import PageRoute, go, page
from app.console.people import COOKIE, Anyone, Posted, count_stranger, fields_of, person_of

signing = APIRouter(prefix="/console", route_class=PageRoute, include_in_schema=False)
_OURS = re.compile(r"/console(?:[/?][!-\[\]-~]+)?")  # no backslash, which browsers take for a slash


@signing.get("/sign-in")
async def show_sign_in(request: Request, to: str = "") -> Response:
    person = await person_of(request)
    return go(_ours(to)) if person else page(request, "sign_in.html", to=_ours(to), wrong=False)


@signing.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Takes a key, once. From then on the session's token stands for it."""
    form = await fields_of(request)
    key, to = (form.get(name, [""])[0].strip() for name in ("key", "to"))
    state = request.app.state
    client = state.keys.owner(key) if key else None
    if client is None:
        count_stranger(request)
        return page(request, "sign_in.html", 401, to=_ours(to), wrong=True)
    token = await state.threads.writing.run(sessions.begin, state.database, client, key)
    answer = go(_ours(to))
    answer.set_cookie(
        COOKIE,
        token,
        max_age=int(sessions.LASTS.total_seconds()),
        path="/console",
        secure=_is_https(request),
        httponly=True,
        samesite="strict",
    )
    return answer


@signing.post("/sign-out")
async def sign_out(request: Request, person: Anyone, _form: Posted) -> Response:
    state = request.app.state
    await state.threads.writing.run(sessions.end, state.database, person.token)
    answer = go("/console/sign-in")
    answer.delete_cookie(COOKIE, path="/console", httponly=True, samesite="strict", secure=_is_https(request))
    return answer


def _ours(to: str) -> str:
    """Where to go then: to a page of the console, whatever a link says."""
    return to if _OURS.fullmatch(to) else "/console"


def _is_https(request: Request) -> bool:
    """A browser tells it, too, where a proxy that ends TLS does not."""
    return request.url.scheme == "https" or request.headers.get("Origin", "").startswith("https://")
