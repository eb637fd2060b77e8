"""A Kaltura simulator: behaves like the server that was recorded, faults and bad days on purpose included."""

from .seed import (
    ADMIN_SECRET,
    APP_TOKEN,
    APP_TOKEN_ID,
    CATEGORY_ID,
    DEFAULT_SEED,
    PARTNER_ID,
    RESOURCE_ID,
    USER_SECRET,
    WIDGET_ID,
    Partner,
    Seed,
)
from .server import SandboxServer, running, serve
from .simulator import Answer, Sandbox
from .transport import SandboxTransport
from .words import HELP, started

__all__ = [
    "ADMIN_SECRET",
    "APP_TOKEN",
    "APP_TOKEN_ID",
    "CATEGORY_ID",
    "DEFAULT_SEED",
    "HELP",
    "PARTNER_ID",
    "RESOURCE_ID",
    "USER_SECRET",
    "WIDGET_ID",
    "Answer",
    "Partner",
    "Sandbox",
    "SandboxServer",
    "SandboxTransport",
    "Seed",
    "running",
    "serve",
    "started",
]
