"""The page that schedules a recording, and its form."""

from fastapi import APIRouter, Request, Response

from app.console import new
from app.console.frame import PageRoute, go, page
from app.console.people import Posted, Writer

creating = APIRouter(prefix="/console", route_class=PageRoute, include_in_schema=False)


@creating.get("/new")
async def show_form(request: Request, _person: Writer) -> Response:
    return _show(request, new.blank(request.app.state.settings.time_zone))


@creating.post("/new")
async def preview_or_schedule(request: Request, person: Writer, form: Posted) -> Response:
    draft = await new.answer(request, person, form)
    return go(draft.location) if draft.location else _show(request, draft)


def _show(request: Request, draft: new.Draft) -> Response:
    base = str(request.base_url)
    return page(request, "new.html", draft.status, draft=draft, curl=draft.curl(base), python=draft.python(base))
