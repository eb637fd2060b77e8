"""Findings about what Kaltura has otherwise, and about sessions that are in each other's way."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select
from sqlmodel import Session, col

from app.findings.finding import Finding, View, at, count, finding, resume
from app.findings.recordings import AT_ONCE, Named, name_of, named
from app.findings.schemas import Action, Kind, Severity
from app.recordings.models import Recording, RecordingStatus
from app.resources.conflicts import LONGEST
from app.resources.mirror import drift
from app.resources.mirror.compare import DriftKind
from app.resources.models import Booking, Drift, Occurrence, OccurrenceStatus, Resource
from app.resources.naming import as_id
from app.resources.schemas import ResourceName

OVERLAPS = timedelta(days=14)  # ahead that are looked through


def otherwise(view: View) -> Iterator[Finding]:
    """`drift`, `template_entry_gone`, `resource_gone` and `resource_replaced`: of each recording one of each."""
    rows = drift.every(view.session, view.now)
    replaced = _replaced(view.session, view.now)
    whose = named(view.session, {row.booking_id for row in rows} | replaced.keys())
    rooms = _rooms(view.session, {row.resource_id for row in rows})
    of_sessions: dict[str, list[Drift]] = defaultdict(list)
    for row in rows:
        own = whose.get(row.booking_id)
        if own is None:
            continue
        if row.kind == DriftKind.TEMPLATE_ENTRY_GONE:
            detail = f"The template entry of “{own.title}” is not in Kaltura any more"
            yield _about(Kind.TEMPLATE_ENTRY_GONE, row.booking_id, row.since, detail, own)
        elif row.kind != DriftKind.RESOURCE_GONE:
            of_sessions[row.booking_id].append(row)
        elif row.booking_id not in replaced:
            room = rooms[row.resource_id]
            detail = f"{room.name}, on which sessions of “{own.title}” lie ahead, is not in Kaltura any more"
            yield _about(Kind.RESOURCE_GONE, row.booking_id, row.since, detail, own, room)
    for recording_id, (before, now) in replaced.items():
        yield from _moved_on(recording_id, whose[recording_id], before, now)
    for recording_id, found in of_sessions.items():
        first = min(found, key=lambda row: (row.since, row.key))
        kinds = ", ".join(sorted({row.kind for row in found}))
        detail = f"Kaltura has {count(len(found), 'session')} of “{whose[recording_id].title}” otherwise ({kinds})"
        yield _about(
            Kind.DRIFT, recording_id, first.since, detail, whose[recording_id], occurrence_id=first.occurrence_id
        )


def _about(
    kind: Kind,
    recording_id: str,
    since: datetime,
    detail: str,
    own: Named,
    room: ResourceName | None = None,
    **more: Any,
) -> Finding:
    given = {"client": own.client, "recording_id": recording_id, "resource": room or own.resource} | more
    return finding(kind, recording_id, since, detail, **{"actions": [resume(recording_id)]} | given)


def _rooms(session: Session, ids: Iterable[int]) -> Mapping[int, ResourceName]:
    rows = session.execute(select(Resource).where(col(Resource.id).in_(sorted(ids)))).scalars()
    return {row.id: name_of(row) for row in rows}


# Names that mean another resource


def _replaced(session: Session, now: datetime) -> dict[str, tuple[Resource, Resource]]:
    """The recordings with sessions ahead whose document names its resource by a name that is another one's now: the
    resource that it has, and that other one."""
    resources = session.execute(select(Resource)).scalars().all()
    known = {row.id: row for row in resources}
    by_name: dict[str, list[Resource]] = defaultdict(list)
    for row in resources:
        if row.gone_since is None and row.system_name:
            by_name[row.system_name.lower()].append(row)
    said = col(Recording.document)["resource"]
    name = func.lower(func.coalesce(said["system_name"].as_string(), said.as_string()))
    rows = session.execute(
        select(col(Recording.id), col(Recording.resource_id), name.label("name"))
        .join(Resource, col(Resource.id) == col(Recording.resource_id))
        .where(
            col(Recording.status) == RecordingStatus.SCHEDULED,
            col(Recording.last_end) > now,
            or_(col(Resource.gone_since).is_not(None), func.lower(col(Resource.system_name)).is_distinct_from(name)),
        )
    )
    found = {}
    for recording_id, resource_id, said_name in rows:
        others = by_name.get((said_name or "").lower(), [])
        if as_id(said_name or "") in known:
            continue  # it names an id
        if len(others) == 1 and others[0].id != resource_id:
            found[recording_id] = known[resource_id], others[0]
    return found


def _moved_on(recording_id: str, own: Named, before: Resource, now: Resource) -> Iterator[Finding]:
    """Resuming moves what lies ahead off a resource that is gone. From one that is there somebody has to say it."""
    detail = f"“{own.title}” was asked for on {now.system_name}, which is another resource in Kaltura now"
    since = before.gone_since or now.seen_at
    if before.gone_since is not None:
        yield _about(Kind.RESOURCE_REPLACED, recording_id, since, detail, own)
        return
    yield _about(
        Kind.RESOURCE_REPLACED,
        recording_id,
        since,
        f"{detail}, while its sessions are on {before.name}",
        own,
        actions=[Action(rel="change", method="PATCH", href=f"/recordings/{recording_id}")],
        what_to_do=f'PATCH the recording with the id of the resource that is meant: {{"resource": {now.id}}}, or '
        f'{{"resource": {before.id}}} to leave it where it is.',
    )


# Sessions in each other's way


def sessions_overlap(view: View) -> Iterator[Finding]:
    """Of each recording and resource one, at its first such session. The other session is not named: it may be another
    client's."""
    pairs = _pairs(_in_the_way(view))
    mine: dict[tuple[str, int], list[tuple[Row[Any], Row[Any]]]] = defaultdict(list)
    for one, other in pairs:
        for own, met in ((one, other), (other, one)):
            if own.source == "lectern":
                mine[own.booking_id, own.resource_id].append((own, met))
    ids = {booking_id for booking_id, _ in mine}
    whose, rooms = named(view.session, ids), _rooms(view.session, {room for _, room in mine})
    allowing = _allowing(view.session, {row.booking_id for pair in pairs for row in pair if row.source == "lectern"})
    for (recording_id, resource_id), found in mine.items():
        own = whose.get(recording_id)
        if own is None:
            continue
        first, sessions = found[0][0], {session.id for session, _ in found}
        allowed = all(row.booking_id in allowing for pair in found for row in pair if row.source == "lectern")
        room = rooms[resource_id]
        yield finding(
            Kind.SESSIONS_OVERLAP,
            f"{recording_id}:{resource_id}",
            min(max(session.changed_at, met.changed_at) for session, met in found),
            f"{count(len(sessions), 'session')} of “{own.title}” overlap with others on {room.name}, the first at "
            f"{at(first.start, first.time_zone)}",
            client=own.client,
            recording_id=recording_id,
            occurrence_id=first.id,
            resource=room,
            severity=Severity.NOTICE if allowed else None,
            actions=[
                Action(rel=rel, method=method, href=f"/recordings/{recording_id}/occurrences/{first.id}")
                for rel, method in (("move", "PATCH"), ("cancel", "DELETE"))
            ],
        )


def _in_the_way(view: View) -> Sequence[Row[Any]]:
    """The sessions that overlap with the one before or after them on their resource, by resource and start."""
    order = {"partition_by": col(Occurrence.resource_id), "order_by": (col(Occurrence.start), col(Occurrence.id))}
    here = (
        select(
            *(col(Occurrence.id), col(Occurrence.booking_id), col(Occurrence.resource_id), col(Occurrence.start)),
            *(col(Occurrence.end), col(Occurrence.changed_at), col(Booking.source), col(Booking.time_zone)),
            func.max(col(Occurrence.end)).over(**order, rows=(None, -1)).label("busy_until"),
            func.lead(col(Occurrence.start)).over(**order).label("next_start"),
        )
        .select_from(Resource)
        .join(Occurrence, col(Occurrence.resource_id) == col(Resource.id))
        .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
        .where(
            col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
            ~col(Occurrence.withdrawn),
            col(Booking.kind) != "other",
            col(Occurrence.start) > view.now - LONGEST,
            col(Occurrence.start) < view.now + OVERLAPS,
            col(Occurrence.end) > view.now,
        )
        .subquery()
    )
    met = or_(here.c.busy_until > here.c.start, here.c.next_start < here.c.end)
    return view.session.execute(select(here).where(met).order_by(here.c.resource_id, here.c.start, here.c.id)).all()


def _pairs(rows: Sequence[Row[Any]]) -> list[tuple[Row[Any], Row[Any]]]:
    """Those of different bookings that overlap; back-to-back is free."""
    found, open_ones = [], list[Row[Any]]()
    for row in rows:
        open_ones = [one for one in open_ones if one.resource_id == row.resource_id and one.end > row.start]
        found += [(one, row) for one in open_ones if one.booking_id != row.booking_id]
        open_ones.append(row)
    return found


def _allowing(session: Session, recording_ids: Iterable[str]) -> set[str]:
    """The recordings whose documents allow it."""
    ids, found = sorted(recording_ids), set[str]()
    allows = col(Recording.document)["on_conflict"].as_string() == "allow"
    for first in range(0, len(ids), AT_ONCE):
        some = col(Recording.id).in_(ids[first : first + AT_ONCE])
        found |= set(session.execute(select(col(Recording.id)).where(some, allows)).scalars())
    return found
