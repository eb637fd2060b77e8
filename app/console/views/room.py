"""One room's week: whose each session is, what differs in Kaltura, how its encoder is."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from itertools import pairwise

from fastapi import Request

from app.console.people import Person
from app.console.views.axis import Axis, Bar, axis_for, lanes, sessions, zone_of
from app.console.views.today import how_it_is
from app.database.database import Database
from app.database.types import utc_now
from app.findings.finding import Finding
from app.http.errors import NotFound
from app.resources.encoders import states
from app.resources.lookup import ever_known, is_id
from app.resources.models import Encoder, Mirror, Resource
from app.resources.schemas import EncoderView


@dataclass(frozen=True, slots=True)
class OneDay:
    day: date
    is_today: bool
    bars: list[Bar]
    lanes: int
    now: int | None


@dataclass(frozen=True, slots=True)
class Week:
    """`as_of`: when Kaltura was last asked. `state` and `heard` are the encoder's, as on the day's page."""

    resource: Resource
    encoder: EncoderView
    state: str
    heard: str
    as_of: datetime | None
    axis: Axis
    days: list[OneDay]
    findings: list[Finding]
    feed: str
    calendar: str

    @property
    def monday(self) -> date:
        return self.days[0].day

    @property
    def before(self) -> date:
        return self.monday - timedelta(days=7)

    @property
    def after(self) -> date:
        return self.monday + timedelta(days=7)


def week_of(request: Request, database: Database, person: Person, named: str, asked: date | None) -> Week:
    """`named` is a resource's id or its system name. Raises NotFound, also for a room that the key may not see."""
    state, now = request.app.state, utc_now()
    with database.read() as session:
        found = ever_known(session, named)
        row = found[0] if len(found) == 1 else None
        if row is None or not person.client.may_see(row.id, row.system_name, partial(is_id, session)):
            raise NotFound("There is no such room.")
        noon = datetime.combine(asked or now.date(), time(12), now.tzinfo)
        around = noon - timedelta(days=8), noon + timedelta(days=8)
        zone = zone_of(session, person.client, *around, state.settings.time_zone, row.id)
        today = now.astimezone(zone).date()
        monday = (asked or today) - timedelta(days=(asked or today).weekday())
        midnights = [datetime.combine(monday + timedelta(days=number), time(), zone) for number in range(8)]
        seen = sessions(session, person.client, midnights[0], midnights[7], now, resource_id=row.id)
        encoder = states.shown(session.get(Encoder, row.id) or Encoder(resource_id=row.id), state.signs)
        mirror = session.get(Mirror, row.id)
        about = [
            one
            for one in state.findings.of(session, person.client)
            if one.subject.resource is not None and one.subject.resource.id == row.id
        ]
    axis = axis_for(seen, zone)
    days = []
    for midnight, next_midnight in pairwise(midnights):
        bars = axis.bars((one for one in seen if one.start < next_midnight and one.end > midnight), midnight)
        is_today = midnight.date() == today
        days.append(
            OneDay(midnight.date(), is_today, bars, lanes(bars), axis.line(now, midnight) if is_today else None)
        )
    state.refreshers.ask(row.id)
    told, heard = how_it_is(encoder, axis, now)
    feed = f"{request.base_url}resources/{row.id}/upcoming"
    as_of = mirror.as_of if mirror else None
    return Week(row, encoder, told, heard, as_of, axis, days, about, feed, f"{feed}.ics")
