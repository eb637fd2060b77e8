"""Every page and form of the console, and the files of its pages."""

from fastapi import APIRouter, Depends

from app.console.actions import actions
from app.console.calendars import calendars
from app.console.creating import creating
from app.console.frame import FILES, PageRoute
from app.console.pages import pages
from app.console.people import Anyone
from app.console.signing import signing
from app.console.terms import terms
from app.http.docs import Assets
from app.http.errors import NotFound
from app.http.parameters import only_known

elsewhere = APIRouter(prefix="/console", route_class=PageRoute, include_in_schema=False)


@elsewhere.get("/{path:path}")
async def show_nothing(_person: Anyone, path: str) -> None:  # noqa: ARG001 - whatever it is
    """What is no page is said in one, too."""
    raise NotFound("There is no such page.")


ROUTERS = (signing, pages, actions, creating, calendars, terms, elsewhere)

console = APIRouter(dependencies=[Depends(only_known)])
for router in ROUTERS:
    console.include_router(router)
console.mount("/static/console", Assets(directory=FILES), name="console")
