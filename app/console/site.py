"""Every page and form of the console, put into the application."""

from fastapi import FastAPI

from app.console.actions import actions
from app.console.calendars import calendars
from app.console.creating import creating
from app.console.frame import add_pages
from app.console.pages import pages
from app.console.signing import signing
from app.console.terms import terms

ROUTERS = (signing, pages, actions, creating, calendars, terms)


def add_console(app: FastAPI) -> None:
    add_pages(app, *ROUTERS)
