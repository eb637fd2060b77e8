"""`GET /findings`: which of them, and where the next page begins."""

from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi.exceptions import RequestValidationError

from app.access.keys import Client
from app.database.database import Database
from app.findings.finding import Finding
from app.findings.looking import Findings
from app.findings.schemas import FindingPage, FindingView, Kind, Severity
from app.http.parameters import as_cursor, of_cursor
from app.resources.lookup import ever_known

Place = tuple[int, datetime, str]  # `Finding.order` of the last one on the page before


@dataclass(frozen=True, slots=True)
class Filters:
    """Empty: whatever it is."""

    severity: tuple[Severity, ...] = ()
    kind: tuple[Kind, ...] = ()
    resource: str | None = None


def page(
    database: Database, findings: Findings, client: Client, filters: Filters, limit: int, cursor: str | None
) -> FindingPage:
    """Raises RequestValidationError for a cursor that was never given out."""
    after = None if cursor is None else _read(cursor)
    with database.read() as session:
        rooms = None if filters.resource is None else {one.id for one in ever_known(session, filters.resource)}
        found = [
            one
            for one in findings.of(session, client)
            if (not filters.severity or one.severity in filters.severity)
            and (not filters.kind or one.kind in filters.kind)
            and (rooms is None or (one.subject.resource is not None and one.subject.resource.id in rooms))
            and (after is None or one.order > after)
        ]
    shown = [FindingView.model_validate(one.model_dump(include=set(FindingView.model_fields))) for one in found[:limit]]
    return FindingPage(items=shown, next_cursor=_cursor(found[limit - 1]) if len(found) > limit else None)


def _cursor(last: Finding) -> str:
    rank, since, key = last.order
    return as_cursor(f"{rank} {since.isoformat()} {key}")


def _read(cursor: str) -> Place:
    try:
        rank, since, key = of_cursor(cursor).split(" ", 2)
        return int(rank), datetime.fromisoformat(since).astimezone(UTC), key
    except (ValueError, OverflowError):
        rule = "is not a cursor that was given out"
        raise RequestValidationError([{"type": "rule", "loc": ("query", "cursor"), "ctx": {"rule": rule}}]) from None
