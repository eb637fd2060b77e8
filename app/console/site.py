"""Every page and form of the console, and the files of its pages."""

from fastapi import APIRouter, Depends

from app.console.actions import actions
from app.console.creating import creating
from app.console.frame import FILES
from app.console.pages import pages
from app.console.signing import signing
from app.http.docs import Assets
from app.http.parameters import only_known

console = APIRouter(dependencies=[Depends(only_known)])
console.include_router(signing)
console.include_router(pages)
console.include_router(actions)
console.include_router(creating)
console.mount("/static/console", Assets(directory=FILES), name="console")
