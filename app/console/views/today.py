"""The day of all rooms: what a technician looks at, or a screen on the wall."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial

from fastapi import Request
from sqlalchemy import select
from sqlmodel import Session, col

from app.access.keys import Client
from app.console.people import Person
from app.console.views.axis import Axis, Bar, Seen, axis_for, lanes, sessions
from app.database.types import utc_now
from app.findings.encoders import SILENT
from app.findings.finding import Finding
from app.recordings.models import Recording
from app.resources.encoders import states
from app.resources.encoders.signs import Signs
from app.resources.lookup import is_id
from app.resources.models import Encoder, EncoderState, Resource
from app.resources.schemas import EncoderView

MOST_FINDINGS = 12  # on the page; the others are counted


@dataclass(frozen=True, slots=True)
class Room:
    """One row. `encoder` is one of `words.STATES`, `since` when it was last heard, by the clocks of the axis."""

    id: int
    name: str
    encoder: str
    since: str
    bars: list[Bar]
    lanes: int


@dataclass(frozen=True, slots=True)
class Today:
    """`now` is the place of the line, or None on another day. `is_empty`: nothing was ever scheduled here by them."""

    day: date
    axis: Axis
    now: int | None
    rooms: list[Room]
    findings: list[Finding]
    more_findings: int
    sessions: int
    is_empty: bool


def today(request: Request, person: Person, asked: date | None) -> Today:
    state, now = request.app.state, utc_now()
    client = person.client
    with state.database.read() as session:
        found = state.findings.of(session, client)
        after, before = _span(asked, now)
        seen = sessions(session, client, after, before, now)
        rooms = visible(session, client) if person.sees_rooms else _of_their_own(session, seen)
        there = {row.id for row in rooms}
        seen = [one for one in seen if one.resource_id in there]
        encoders = {row.resource_id: row for row in session.execute(select(Encoder)).scalars()}
        is_empty = person.reads and not _has_any(session, client)
    axis = axis_for(seen, state.settings.time_zone)
    day = asked or now.astimezone(axis.zone).date()
    midnight = datetime.combine(day, time(), axis.zone)
    of_day = [one for one in seen if one.start < midnight + timedelta(days=1) and one.end > midnight]
    axis = axis_for(of_day, axis.zone.key)
    rows = _rows(rooms, of_day, encoders, state.signs, axis, midnight, now)
    is_today = day == now.astimezone(axis.zone).date()
    here = axis.place(now, midnight) if is_today else None
    return Today(
        day,
        axis,
        here if here is not None and 0 < here < axis.units else None,
        rows,
        found[:MOST_FINDINGS],
        max(len(found) - MOST_FINDINGS, 0),
        len(of_day),
        is_empty,
    )


def _span(asked: date | None, now: datetime) -> tuple[datetime, datetime]:
    """What may lie on the day, whatever the zone."""
    if asked is None:
        return now - timedelta(days=1, hours=1), now + timedelta(days=1, hours=1)
    noon = datetime.combine(asked, time(12), now.tzinfo)
    return noon - timedelta(hours=27), noon + timedelta(hours=27)


def visible(session: Session, client: Client) -> list[Resource]:
    """The rooms whose schedule this client may read, by name."""
    rows = session.execute(select(Resource).where(col(Resource.gone_since).is_(None))).scalars().all()
    known = partial(is_id, session)
    seen = (row for row in rows if client.may_see(row.id, row.system_name, known))
    return sorted(seen, key=lambda row: (row.name.casefold(), row.id))


def _of_their_own(session: Session, seen: Sequence[Seen]) -> list[Resource]:
    ids = {one.resource_id for one in seen}
    rows = session.execute(select(Resource).where(col(Resource.id).in_(ids))).scalars()
    return sorted(rows, key=lambda row: (row.name.casefold(), row.id))


def _has_any(session: Session, client: Client) -> bool:
    mine = select(col(Recording.id)).limit(1)
    return (
        session.execute(mine if client.sees_all else mine.where(col(Recording.client) == client.name)).first()
        is not None
    )


def _rows(
    rooms: Sequence[Resource],
    seen: Sequence[Seen],
    encoders: Mapping[int, Encoder],
    signs: Signs,
    axis: Axis,
    midnight: datetime,
    now: datetime,
) -> list[Room]:
    on = defaultdict(list)
    for one in seen:
        on[one.resource_id].append(one)
    made = []
    for row in rooms:
        bars = axis.bars(on[row.id], midnight)
        encoder = states.shown(encoders.get(row.id) or Encoder(resource_id=row.id), signs)
        state, since = how_it_is(encoder, axis, now)
        made.append(Room(row.id, row.name, state, since, bars, lanes(bars)))
    return made


def how_it_is(encoder: EncoderView, axis: Axis, now: datetime) -> tuple[str, str]:
    """An encoder's state, one of `words.STATES`, and since when it is silent: `08:52`, or with its date."""
    if encoder.state in (EncoderState.ERROR, EncoderState.OFFLINE):
        return encoder.state, ""
    if encoder.last_poll_at is None:
        return "never", ""
    if encoder.last_poll_at > now - SILENT:
        return "in_touch", ""
    local = encoder.last_poll_at.astimezone(axis.zone)
    return "silent", f"{local:%H:%M}" if local.date() == now.astimezone(axis.zone).date() else f"{local.day} {local:%b}"
