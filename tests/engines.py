"""Engines of one kind of database compile a statement once for all: each test has its own, and compiles hundreds."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect, Engine, event

Make = Callable[[str], Engine]


def that_share(make: Make) -> Make:
    """`make` of such engines. What is compiled is kept by its dialect; the first one that has connected is taken."""
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
