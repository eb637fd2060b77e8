"""Every page and form of the console, and the files of its pages."""

from fastapi import APIRouter, Depends

from app.console.actions import actions
from app.console.calendars import calendars
from app.console.creating import creating
from app.console.frame import FILES
from app.console.pages import pages
from app.console.signing import signing
from app.console.terms import terms
from app.http.docs import Assets
from app.http.parameters import only_known

ROUTERS = (signing, pages, actions, creating, calendars, terms)

console = APIRouter(dependencies=[Depends(only_known)])
for router in ROUTERS:
    console.include_router(router)
console.mount("/static/console", Assets(directory=FILES), name="console")
