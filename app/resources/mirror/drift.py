"""Drift in SQL: where Kaltura has something else than Lectern scheduled, because somebody changed it there.

Of occurrences, each refresh replaces what is known of its resource. What two refreshes in a row have seen is confirmed:
one alone may have been misled by an index that lags behind; what a list leaves out is confirmed when the list is
believed (app/resources/mirror/doubts.py). What is confirmed stays so if it becomes wrong in another way. When a chain
of a recording has succeeded, what was seen before is not confirmed any more: the chain may have mended it.

Of whole recordings (their resource or their template entry is gone), each round replaces what the one before it had.
What was seen holds as long as occurrences ahead are on that resource, or need that entry.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col

from app.database.types import utc_now
from app.resources.mirror.again import read_again
from app.resources.mirror.compare import Difference, DriftKind
from app.resources.models import Booking, Drift, Occurrence, OccurrenceStatus
from app.resources.rounds import Busy

WHOLE = (DriftKind.RESOURCE_GONE, DriftKind.TEMPLATE_ENTRY_GONE)  # of whole recordings

# Built once: building a statement costs more than running it.
_KNOWN = select(Drift).where(col(Drift.resource_id) == bindparam("of"), col(Drift.kind).not_in(WHOLE))
_AHEAD_OF = aliased(Occurrence)
_AHEAD = select(col(_AHEAD_OF.id)).where(
    col(_AHEAD_OF.booking_id) == col(Drift.booking_id),
    col(_AHEAD_OF.status) == OccurrenceStatus.SCHEDULED,
    col(_AHEAD_OF.end) > bindparam("now"),
)
_NEEDS_IT = select(col(Booking.id)).where(
    col(Booking.id) == col(Drift.booking_id), col(Booking.template_entry_id) == col(Drift.template_entry_id)
)
_HOLDS = or_(
    col(Drift.kind).not_in(WHOLE),
    and_(
        col(Drift.kind) == DriftKind.RESOURCE_GONE,
        _AHEAD.where(col(_AHEAD_OF.resource_id) == col(Drift.resource_id)).correlate(Drift).exists(),
    ),
    and_(
        col(Drift.kind) == DriftKind.TEMPLATE_ENTRY_GONE,
        _NEEDS_IT.correlate(Drift).exists(),
        _AHEAD.correlate(Drift).exists(),
    ),
)
_CONFIRMED = (
    select(Drift, Occurrence)
    .outerjoin(Occurrence, col(Occurrence.id) == col(Drift.occurrence_id))
    .where(col(Drift.booking_id).in_(bindparam("of", expanding=True)), col(Drift.confirmed), _HOLDS)
)
_KINDS = select(col(Drift.kind), func.count()).where(col(Drift.confirmed), _HOLDS).group_by(col(Drift.kind))
_RECORDINGS = select(func.count(col(Drift.booking_id).distinct())).where(col(Drift.confirmed), _HOLDS)

_EVERY = select(Drift).where(col(Drift.confirmed), _HOLDS)
_DRIFTED = select(col(Drift.booking_id)).where(col(Drift.confirmed), _HOLDS)

_DRIFT = SQLModel.metadata.tables["drift"]
_OF_SESSIONS = (_DRIFT.c.booking_id == bindparam("of"), _DRIFT.c.kind.not_in(WHOLE))
_DOUBT = update(_DRIFT).where(*_OF_SESSIONS).values(confirmed=False)


def write(
    session: Session,
    resource_id: int,
    found: Sequence[Difference],
    now: datetime,
    busy: Collection[str] = (),
    *,
    lasting: bool,
) -> None:
    """Replaces the drift of a resource by what a refresh has `found`, but for the `busy` recordings.

    `lasting`: its list is believed, so what that leaves out is left out for good.
    """
    before = {
        row.key: row for row in session.execute(_KNOWN, {"of": resource_id}).scalars() if row.booking_id not in busy
    }
    for difference in found:
        row = _row(resource_id, difference, now)
        known = before.pop(row.key, None)
        if known and _same(known, row):
            known.confirmed = known.confirmed or lasting or row.kind != DriftKind.UNLISTED
        else:
            row.confirmed = known is not None and known.confirmed  # that it is wrong, in whatever way
            session.merge(row)
    for gone in before.values():
        session.delete(gone)


def write_whole(
    session: Session, kind: DriftKind, found: Mapping[tuple[int, str], str | None], busy: Busy, now: datetime
) -> None:
    """Replaces the drift of one kind, about whole recordings, by what a round has `found`, but for the `busy` ones.

    `found`: (resource id, recording id) → the template entry that is gone, if it is about that. It is confirmed.
    """
    known = {
        (row.resource_id, row.booking_id): row
        for row in session.execute(select(Drift).where(col(Drift.kind) == kind)).scalars()
    }
    at_work = busy(session, {booking_id for _, booking_id in (*known, *found)})
    for place, row in known.items():
        if place[1] not in at_work and (place not in found or row.template_entry_id != found[place]):
            session.delete(row)
    session.flush()
    for (resource_id, booking_id), entry_id in found.items():
        row = known.get((resource_id, booking_id))
        if booking_id not in at_work and (row is None or row.template_entry_id != entry_id):
            session.add(
                Drift(
                    resource_id=resource_id,
                    key=f"{kind}:{booking_id}",
                    booking_id=booking_id,
                    kind=kind,
                    template_entry_id=entry_id,
                    since=now,
                    confirmed=True,
                )
            )


def doubt(session: Session, booking_id: str) -> None:
    """Hides the recording's drift until it is seen again: a chain has succeeded, and may have mended it."""
    if session.connection().execute(_DOUBT, {"of": booking_id}).rowcount:
        read_again(session, select(_DRIFT.c.resource_id).where(*_OF_SESSIONS).params(of=booking_id))


def counted(session: Session) -> tuple[dict[str, int], int]:
    """Confirmed drift: how much of each kind, and how many recordings have some."""
    asked = {"now": utc_now()}
    kinds = {row[0]: row[1] for row in session.execute(_KINDS, asked)}
    return kinds, session.execute(_RECORDINGS, asked).scalar_one()


def with_drift(now: datetime) -> Select[str]:
    """The query for the ids of recordings that have confirmed drift."""
    return _DRIFTED.params(now=now)


def every(session: Session, now: datetime) -> Sequence[Drift]:
    """All confirmed drift there is."""
    return session.execute(_EVERY, {"now": now}).scalars().all()


def drift_of(session: Session, booking_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """The confirmed drift of each of the recordings that has some, by start.

    `[{"kind": a DriftKind, "occurrence_id", "start", "end": as Lectern has it, "event_id", "found_start", "found_end":
    as Kaltura has it, "since"}]`. `missing` has nothing in Kaltura; `replaced` is at its time, under another event id;
    `unlisted` is where it should be, and the resource's list leaves it out; `extra` is in Kaltura though it is
    cancelled, excluded or nobody's (then `occurrence_id`, `start` and `end` are null). What is about a whole recording
    has its kind and `since` alone.
    """
    rows = session.execute(_CONFIRMED, {"of": list(booking_ids), "now": utc_now()}).all()
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
