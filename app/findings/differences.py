"""Findings about what Kaltura has otherwise, and about sessions that are in each other's way."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.database.many_rows import portions
from app.findings.finding import Finding, View, at, count, finding, resume
from app.findings.recordings import AT_ONCE, Named, named, rooms_of
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
    rooms = rooms_of(view.session, {row.resource_id for row in rows})
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
    starts = _starts(view.session, (row.occurrence_id for row in rows))
    for recording_id, found in of_sessions.items():
        yield _differs(recording_id, whose[recording_id], found, starts)


def _differs(recording_id: str, own: Named, found: Sequence[Drift], starts: Mapping[str, datetime]) -> Finding:
    """`starts` of sessions, by their ids; Kaltura may have some that Lectern has not."""
    oldest = min(found, key=lambda row: (row.since, row.key))
    kinds = ", ".join(sorted({row.kind for row in found}))
    differ = f"{count(len(found), 'session')} of “{own.title}” differ{'s' * (len(found) == 1)}"
    first = min((starts[of] for row in found if (of := row.occurrence_id) and of in starts), default=None)
    when = f", the first at {at(first, own.time_zone)}" if first else ""
    detail = f"In Kaltura, {differ} from what Lectern scheduled ({kinds}){when}"
    return _about(Kind.DRIFT, recording_id, oldest.since, detail, own, occurrence_id=oldest.occurrence_id)


def _starts(session: Session, occurrence_ids: Iterable[str | None]) -> Mapping[str, datetime]:
    ids, found = sorted({each for each in occurrence_ids if each}), dict[str, datetime]()
    for some in portions(ids, AT_ONCE):
        rows = session.execute(select(col(Occurrence.id), col(Occurrence.start)).where(col(Occurrence.id).in_(some)))
        found.update((row.id, row.start) for row in rows)
    return found


def _about(
    kind: Kind,
    recording_id: str,
    since: datetime,
    detail: str,
    own: Named,
    room: ResourceName | None = None,
    *,
    occurrence_id: str | None = None,
    actions: Sequence[Action] = (),
    what_to_do: str = "",
) -> Finding:
    """About a recording, which resuming mends unless other `actions` are named."""
    return finding(
        kind,
        recording_id,
        since,
        detail,
        client=own.client,
        recording_id=recording_id,
        occurrence_id=occurrence_id,
        resource=room or own.resource,
        actions=actions or [resume(recording_id)],
        what_to_do=what_to_do,
    )


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
    detail = (
        f"“{own.title}” was asked for on the resource with the system name {now.system_name}. In Kaltura, resource "
        f"{now.id} (“{now.name}”) has that system name now"
    )
    was = f"resource {before.id} (“{before.name}”)"
    since = before.gone_since or now.seen_at
    if before.gone_since is not None:
        detail = f"{detail}, and {was}, which has the sessions, is not there any more"
        yield _about(Kind.RESOURCE_REPLACED, recording_id, since, detail, own)
        return
    another = f"has the system name {before.system_name}" if before.system_name else "has no system name"
    yield _about(
        Kind.RESOURCE_REPLACED,
        recording_id,
        since,
        f"{detail}. The sessions are on {was}, which {another}",
        own,
        actions=[Action(rel="change", method="PATCH", href=f"/recordings/{recording_id}")],
        what_to_do=f'PATCH the recording with the id of the resource that is meant: {{"resource": {now.id}}}, or '
        f'{{"resource": {before.id}}} to leave it where it is.',
    )


# Sessions in each other's way

_ONE, _MET, _WHOSE, _THEIRS = aliased(Occurrence), aliased(Occurrence), aliased(Booking), aliased(Booking)
_SHOWN: tuple[Any, ...] = (
    *(_ONE.id, _ONE.booking_id, _ONE.start, _ONE.changed_at, _WHOSE.source, _WHOSE.time_zone),
    *(_MET.id, _MET.booking_id, _MET.start, _MET.changed_at, _THEIRS.source, _THEIRS.time_zone),
)
# Of two that overlap, one begins while the other runs. So each looks for those in a short piece of an index.
_PAIRS = (
    select(*_SHOWN, col(_ONE.resource_id))
    .select_from(Resource)
    .join(_ONE, col(_ONE.resource_id) == col(Resource.id))
    .join(_MET, col(_MET.resource_id) == col(_ONE.resource_id))
    .join(_WHOSE, col(_WHOSE.id) == col(_ONE.booking_id))
    .join(_THEIRS, col(_THEIRS.id) == col(_MET.booking_id))
    .where(
        *(col(one.status) == OccurrenceStatus.SCHEDULED for one in (_ONE, _MET)),
        *(~col(one.withdrawn) for one in (_ONE, _MET)),
        *(col(one.kind) != "other" for one in (_WHOSE, _THEIRS)),
        *(col(one.end) > bindparam("now") for one in (_ONE, _MET)),
        col(_ONE.start) > bindparam("after"),
        col(_ONE.start) < bindparam("before"),
        *(col(_MET.start) >= col(_ONE.start), col(_MET.start) < col(_ONE.end)),
        or_(col(_MET.start) > col(_ONE.start), col(_MET.id) > col(_ONE.id)),
        col(_MET.booking_id) != col(_ONE.booking_id),
    )
    .order_by(col(_ONE.resource_id), col(_ONE.start), col(_ONE.id), col(_MET.start), col(_MET.id))
)


class _Session(NamedTuple):
    id: str
    booking_id: str
    start: datetime
    changed_at: datetime
    source: str
    time_zone: str


def sessions_overlap(view: View) -> Iterator[Finding]:
    """Of each recording and resource one, at its first such session. The other session is not named: it may be another
    client's."""
    now = view.now
    rows = view.session.execute(_PAIRS, {"now": now, "after": now - LONGEST, "before": now + OVERLAPS}).all()
    mine: dict[tuple[str, int], list[tuple[_Session, _Session]]] = defaultdict(list)
    for *shown, resource_id in rows:
        pair = _Session(*shown[:6]), _Session(*shown[6:])
        for session, met in (pair, pair[::-1]):
            if session.source == "lectern":
                mine[session.booking_id, resource_id].append((session, met))
    ids = {booking_id for booking_id, _ in mine}
    whose, rooms = named(view.session, ids), rooms_of(view.session, {room for _, room in mine})
    allowing = _allowing(view.session, ids)
    for (recording_id, resource_id), found in mine.items():
        own = whose.get(recording_id)
        if own is None:
            continue
        first, room = min((session for session, _ in found), key=lambda one: one.start), rooms[resource_id]
        number = count(len({session.id for session, _ in found}), "session")
        allowed = all(one.booking_id in allowing for pair in found for one in pair if one.source == "lectern")
        yield finding(
            Kind.SESSIONS_OVERLAP,
            f"{recording_id}:{resource_id}",
            min(max(session.changed_at, met.changed_at) for session, met in found),
            f"On {room.name}, {number} of “{own.title}” overlap with others, the first at "
            f"{at(first.start, first.time_zone)}",
            client=own.client,
            recording_id=recording_id,
            occurrence_id=first.id,
            resource=room,
            severity=Severity.NOTICE if allowed else None,
            actions=[
                Action(rel="move", method="PATCH", href=f"/recordings/{recording_id}/occurrences/{first.id}"),
                Action(rel="cancel", method="DELETE", href=f"/recordings/{recording_id}/occurrences/{first.id}"),
            ],
        )


def _allowing(session: Session, recording_ids: Iterable[str]) -> set[str]:
    """The recordings whose documents allow it."""
    ids, found = sorted(recording_ids), set[str]()
    allows = col(Recording.document)["on_conflict"].as_string() == "allow"
    for some in portions(ids, AT_ONCE):
        found |= set(session.execute(select(col(Recording.id)).where(col(Recording.id).in_(some), allows)).scalars())
    return found
