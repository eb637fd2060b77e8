"""A service whose watch looks when a test says so, and what it has told."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlmodel import Session

from app.database.types import utc_now
from app.findings.finding import Finding
from app.findings.looking import Findings
from app.findings.watch import Watch
from tests.service import Json, Lectern, lectern

Told = list[tuple[str, str]]
"""`raised` or `cleared`, and the finding's kind."""


@contextmanager
def watched(folder: Path, **values: Any) -> Iterator[tuple[Lectern, Told]]:
    """The service, and what its watch tells, in order."""
    with lectern(folder, **values) as service:
        yield service, hear(service.app.state.watch)


def hear(watch: Watch) -> Told:
    told: Told = []

    def note(happened: str, _session: Session, one: Finding) -> None:
        told.append((happened, one.kind))

    watch._raised = lambda session, one: note("raised", session, one)
    watch._cleared = lambda session, one: note("cleared", session, one)
    return told


def look(service: Lectern) -> list[Json]:
    """The watch looks; what is listed then. Counts are not older than that."""
    watch: Watch = service.app.state.watch
    assert watch.look()
    return listed(service)


def listed(service: Lectern, **query: Any) -> list[Json]:
    found: list[Json] = service.get("/findings", **query)["items"]
    return found


def kinds(found: list[Json]) -> list[str]:
    return [one["kind"] for one in found]


def later(service: Lectern, by: timedelta) -> None:
    """For findings, that much time has gone by."""
    findings: Findings = service.app.state.findings
    findings.clock = lambda: utc_now() + by


def soon(minutes: float) -> datetime:
    return utc_now().replace(microsecond=0) + timedelta(minutes=minutes)
