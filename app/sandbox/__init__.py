"""A Kaltura simulator: behaves like the server that was recorded, faults and bad days on purpose included."""

from app.sandbox.seed import (
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
from app.sandbox.server import SandboxServer, running, serve
from app.sandbox.simulator import Answer, Sandbox
from app.sandbox.transport import SandboxTransport
from app.sandbox.words import HELP, started

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
