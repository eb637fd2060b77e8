"""Drift in SQL: where Kaltura has something else than Lectern scheduled, because somebody changed it there.

Each refresh replaces what is known of its resource. What two refreshes in a row have seen is confirmed: one alone may
have been misled by an index that lags behind.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlmodel import Session, col

from app.resources.comparing import Difference
from app.resources.models import Drift, Occurrence

# Built once: building a statement costs more than running it.
_KNOWN = select(Drift).where(col(Drift.resource_id) == bindparam("of"))
_CONFIRMED = (
    select(Drift, Occurrence)
    .outerjoin(Occurrence, col(Occurrence.id) == col(Drift.occurrence_id))
    .where(col(Drift.booking_id).in_(bindparam("of", expanding=True)), col(Drift.confirmed))
)


def write(session: Session, resource_id: int, found: Sequence[Difference], now: datetime) -> None:
    """What a refresh has found, instead of what the one before it had."""
    before = {row.key: row for row in session.execute(_KNOWN, {"of": resource_id}).scalars()}
    for difference in found:
        row = _row(resource_id, difference, now)
        known = before.pop(row.key, None)
        if known and _same(known, row):
            known.confirmed = True
        else:
            session.merge(row)
    for gone in before.values():
        session.delete(gone)


def drift_of(session: Session, booking_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The confirmed drift of each of the recordings that has some, by start.

    `[{"kind": "missing" | "moved" | "replaced" | "extra", "occurrence_id", "start", "end": as Lectern has it,
    "event_id", "found_start", "found_end": as Kaltura has it, "since"}]`. `missing` has nothing in Kaltura; `replaced`
    is at its time, under another event id; `extra` is in Kaltura though it is cancelled, excluded or nobody's (then
    `occurrence_id`, `start` and `end` are null).
    """
    rows = session.execute(_CONFIRMED, {"of": list(booking_ids)}).all()
    found = defaultdict(list)
    for row, occurrence in sorted(rows, key=lambda pair: _start(*pair)):
        found[row.booking_id].append(
            {
                "kind": row.kind,
                "occurrence_id": row.occurrence_id,
                "start": occurrence and occurrence.start,
                "end": occurrence and occurrence.end,
                "event_id": row.event_id,
                "found_start": row.found_start,
                "found_end": row.found_end,
                "since": row.since,
            }
        )
    return dict(found)


def forget_extra(session: Session, booking_id: str) -> None:
    """What a recording that is over had too much is cancelled. Should it stand still, the next refresh says so."""
    session.execute(delete(Drift).where(col(Drift.booking_id) == booking_id, col(Drift.kind) == "extra"))


def _row(resource_id: int, difference: Difference, now: datetime) -> Drift:
    found = difference.found
    return Drift(
        resource_id=resource_id,
        key=difference.key,
        booking_id=difference.booking_id,
        occurrence_id=difference.occurrence_id,
        kind=difference.kind,
        event_id=found.id if found else None,
        found_start=found.start if found else None,
        found_end=found.end if found else None,
        since=now,
    )


def _same(one: Drift, other: Drift) -> bool:
    return one.model_dump(exclude={"since", "confirmed"}) == other.model_dump(exclude={"since", "confirmed"})


def _start(row: Drift, occurrence: Occurrence | None) -> tuple[datetime, str]:
    start = occurrence.start if occurrence else row.found_start
    return start or row.since, row.key
