"""Was it recorded? Entries that encoders upload, found for the sessions that they are of.

    session over ──▶ an entry names its template, or the event names the entry ──▶ announced ──▶ media there ──▶ long
                     │                                                             └── looked at again, by its id
                     └── not there an hour after the end: `not_recorded`

Kaltura has no filter for an entry's `templateEntryId`, so a round asks for all entries that were made since the last
one, and looks at each: one list for all sessions. `entryIds` of the events is asked for with one more list, by ids. An
encoder that fills neither is not seen.

All sessions of a recording have one template, so when an entry was made tells which of them it is of: the last one that
had begun, or the one before it, if that has none and was over for less than a day.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import and_, bindparam, exists, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, SQLModel, col

from app.database.database import Database
from app.database.types import insert
from app.kaltura.calls import PAGE_SIZE
from app.kaltura.client import KalturaClient
from app.kaltura.errors import Refused
from app.kaltura.types import Entry
from app.resources.models import Booking, Occurrence, OccurrenceStatus, Resource, Upload
from app.resources.rounds import UPLOADS, Busy, Write, last_read

log = structlog.get_logger(__name__)

EVERY = 120.0  # seconds
BACK = timedelta(days=3)  # for so long after a session its recording is looked for
LATE = timedelta(days=1)  # after a session's end its entry is made at the latest
EARLY = timedelta(minutes=10)  # before its start at the earliest: some start ahead, and clocks differ
AGAIN = timedelta(hours=1)  # so much of what the last round has seen is asked for again: an index may lag
MISSED = timedelta(hours=1)  # after its end a session that has no recording is told

_UPLOAD = SQLModel.metadata.tables["upload"]
_OWN = and_(
    col(Booking.source) == "lectern",
    col(Occurrence.status) == OccurrenceStatus.SCHEDULED,
    ~col(Occurrence.withdrawn),
    col(Occurrence.resource_id).is_not(None),
)
_BEGUN = (
    select(
        *(col(Occurrence.id), col(Occurrence.resource_id), col(Occurrence.start), col(Occurrence.end)),
        *(col(Occurrence.event_id), col(Booking.template_entry_id), col(Upload.entry_id)),
        *(col(Upload.arrived), col(Upload.duration_seconds)),
    )
    .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
    .outerjoin(Upload, col(Upload.occurrence_id) == col(Occurrence.id))
    .where(_OWN, col(Occurrence.start) <= bindparam("now"), col(Occurrence.end) > bindparam("since"))
    .order_by(col(Occurrence.start), col(Occurrence.id))
)
_OTHER = aliased(Upload)
_MISSING = (
    # From resources to sessions: so each is a short piece of an index.
    select(Occurrence)
    .select_from(Resource)
    .join(Occurrence, col(Occurrence.resource_id) == col(Resource.id))
    .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
    .where(_OWN, col(Occurrence.end) > bindparam("after"), col(Occurrence.end) <= bindparam("until"))
    .where(exists().where(col(_OTHER.resource_id) == col(Resource.id), col(_OTHER.arrived)))
    .where(~exists().where(col(Upload.occurrence_id) == col(Occurrence.id), col(Upload.arrived)))
    .order_by(col(Occurrence.start), col(Occurrence.id))
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A session that has begun lately, and its upload, as far as one is known."""

    id: str
    resource_id: int
    start: datetime
    end: datetime
    event_id: int | None
    template_entry_id: str | None
    entry_id: str | None = None
    arrived: bool | None = None
    duration_seconds: int | None = None

    def may_be_of(self, made: datetime) -> bool:
        """Whether an entry that was made then may be its recording."""
        return self.start - EARLY <= made <= self.end + LATE


def read(
    database: Database,
    client: KalturaClient,
    busy: Busy,  # noqa: ARG001 - what has begun is no chain's to change
    now: datetime,
) -> Write:
    """Looks for the recordings of sessions that have begun lately. Raises KalturaError."""
    with database.read() as session:
        begun = [Begun(*row) for row in session.execute(_BEGUN, {"now": now, "since": now - BACK})]
        last = last_read(session, UPLOADS)
    waiting = [one for one in begun if one.entry_id is None and one.end <= now]
    unfinished = [one.entry_id for one in begun if one.entry_id and not (one.arrived and one.duration_seconds)]
    found = _by_template(begun, _made_since(client, since(begun, last, now), now)) if waiting else {}
    still = sorted((one for one in waiting if one.id not in found), key=lambda one: one.end, reverse=True)
    named = _named_by_events(client, still[:PAGE_SIZE])
    asked = [*unfinished, *dict.fromkeys(entry_id for ids in named.values() for entry_id in ids)][:PAGE_SIZE]
    seen = {entry.id: entry for entry in client.list_entries(asked)} if asked else {}
    found |= _by_event(begun, named, seen, {entry.id for entry in found.values()})
    again = [seen[entry_id] for entry_id in unfinished if entry_id in seen]

    def write(session: Session) -> None:
        _keep(session, {one.id: one for one in begun}, found, now)
        for entry in again:
            _update(session, entry)

    return write


def since(begun: Iterable[Begun], last: datetime | None, now: datetime) -> datetime:
    """From when on entries are asked for: what the last round has seen already is left out, all but the latest of it.

    What was made while a session ran was of no interest before it was over.
    """
    seen = now - BACK if last is None else last - AGAIN
    over = [one.start for one in begun if one.entry_id is None and seen < one.end <= now]
    return max(min([seen, *over]) - EARLY, now - BACK - LATE)


def _made_since(client: KalturaClient, moment: datetime, now: datetime) -> list[Entry]:
    try:
        return client.list_entries_since(moment)
    except Refused as refusal:
        log.warning("uploads_not_all_seen", since=moment.isoformat(), reason=str(refusal))
        return client.list_entries_since(now - AGAIN)  # there are more than any list shows


def _by_template(begun: Sequence[Begun], entries: Iterable[Entry]) -> dict[str, Entry]:
    """By session. The newest entry first, so that of two that are late each finds its session."""
    of_template = defaultdict[str, list[Begun]](list)
    for one in begun:
        if one.template_entry_id:
            of_template[one.template_entry_id].append(one)
    taken = {one.entry_id for one in begun if one.entry_id}
    found: dict[str, Entry] = {}
    made_at = [(entry.created_at, entry.id, entry) for entry in entries if entry.created_at and entry.id not in taken]
    for made, _, entry in sorted(made_at, key=lambda one: one[:2], reverse=True):
        of = [
            one
            for one in of_template.get(entry.template_entry_id or "", ())
            if one.entry_id is None and one.id not in found and one.may_be_of(made)
        ]
        if of:
            found[of[-1].id] = entry
    return found


def _named_by_events(client: KalturaClient, begun: Sequence[Begun]) -> dict[str, list[str]]:
    """By session: the entries that its event names. Those that the document relates to are among them."""
    events = {one.event_id: one.id for one in begun if one.event_id}
    listed = client.list_events(list(events), lenient=True)
    return {events[event.id]: list(event.entry_ids) for event in listed if event.entry_ids}


def _by_event(
    begun: Iterable[Begun], named: Mapping[str, Iterable[str]], seen: Mapping[str, Entry], taken: set[str]
) -> dict[str, Entry]:
    """Of the entries that an event names the first one that was made for its session, and for no other."""
    taken = taken | {one.entry_id for one in begun if one.entry_id}
    found: dict[str, Entry] = {}
    for one in begun:
        for entry_id in named.get(one.id, ()):
            entry = seen.get(entry_id)
            if entry and entry.id not in taken and entry.created_at and one.may_be_of(entry.created_at):
                found[one.id] = entry
                taken.add(entry.id)
                break
    return found


# SQL


def _keep(session: Session, begun: Mapping[str, Begun], found: Mapping[str, Entry], now: datetime) -> None:
    if not found:
        return
    there = select(col(Occurrence.id)).where(col(Occurrence.id).in_(found)).with_for_update(read=True, key_share=True)
    rows = [
        {"occurrence_id": one, "resource_id": begun[one].resource_id, "seen_at": now, **_said(found[one])}
        for one in session.execute(there).scalars()
    ]
    if rows:
        new = insert(session.get_bind().dialect.name, _UPLOAD).on_conflict_do_nothing()
        session.connection().execute(new, rows)


def _update(session: Session, entry: Entry) -> None:
    session.execute(_UPLOAD.update().where(_UPLOAD.c.entry_id == entry.id).values(**_said(entry)))


def _said(entry: Entry) -> dict[str, object]:
    return {"entry_id": entry.id, "arrived": entry.has_media, "duration_seconds": entry.duration or None}


def not_recorded(session: Session, now: datetime) -> list[Occurrence]:
    """Sessions of the last days that ended more than an hour ago without a recording, by their start.

    Of resources where a recording was ever seen: elsewhere it only means that encoders say nothing. As far as Kaltura
    was asked since.
    """
    last = last_read(session, UPLOADS)
    if last is None:
        return []
    return list(session.execute(_MISSING, {"after": now - BACK, "until": min(now, last) - MISSED}).scalars())
