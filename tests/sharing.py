"""What each application works out for itself, and a thousand tests need once: it took a third of their time."""

from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import routing
from httpx import create_ssl_context
from httpx._transports import default as httpx_transports
from sqlalchemy import Dialect, Engine, event

from app.database import database
from app.recordings.reading.calendar import router as calendars
from app.recordings.router import router as recordings
from app.resources.router import router as resources


def share() -> None:
    database._engine = _engines(database._engine)  # type: ignore[assignment]
    vars(httpx_transports)["create_ssl_context"] = cache(create_ssl_context)  # no test has certificates of its own
    _share_routes()


def _engines(make: Callable[[str], Engine]) -> Callable[[str], Engine]:
    """Engines of one kind of database compile a statement once. What is compiled is its dialect's: one has to do."""
    dialects: dict[str, Dialect] = {}
    compiled: dict[Any, Any] = {}

    def made(url: str) -> Engine:
        engine = make(url)
        engine.update_execution_options(compiled_cache=compiled)
        if shared := dialects.get(engine.dialect.name):
            engine.dialect = shared
        else:
            event.listen(engine, "connect", lambda *_: dialects.setdefault(engine.dialect.name, engine.dialect))
        return engine

    return made


def _share_routes() -> None:
    """FastAPI finds out anew what each address takes, at the first request to each application."""
    context = routing._EffectiveRouteContext
    make = context.from_api_route
    ours = {id(route) for router in (recordings, calendars, resources) for route in router.routes}
    found: dict[int, Any] = {}

    def once(*, original_route: Any, include_context: Any) -> Any:
        of = id(original_route)
        if of not in ours:
            return make(original_route=original_route, include_context=include_context)
        if of not in found:
            found[of] = make(original_route=original_route, include_context=include_context)
        return found[of]

    context.from_api_route = once  # type: ignore[method-assign]
