"""Resources as they are shown: each with its encoder, the session that runs, the next one, and what is to be seen to.

A fixed number of statements, however many resources.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from app.access.keys import Client
from app.database.database import Database
from app.database.types import utc_now
from app.resources.conflicts import LONGEST
from app.resources.encoders import states
from app.resources.encoders.signs import Signs
from app.resources.models import Booking, Encoder, Occurrence, OccurrenceStatus, Resource
from app.resources.schemas import ResourceView, SessionView

Counts = Callable[[Session, Client], Mapping[int, int]]
"""How many findings there are of each resource, for whoever asks."""

# Built once: building a statement costs more than running it.
_ONE, _WHOSE = aliased(Occurrence), aliased(Booking)
_OF_IT = (
    select(col(_ONE.id))
    .join(_WHOSE, col(_WHOSE.id) == col(_ONE.booking_id))
    .where(
        col(_ONE.resource_id) == col(Resource.id),
        col(_ONE.status) == OccurrenceStatus.SCHEDULED,
        ~col(_ONE.withdrawn),
        col(_WHOSE.kind) != "other",
    )
    .order_by(col(_ONE.start), col(_ONE.id))
    .limit(1)
    .correlate(Resource)
)
_RUNS = _OF_IT.where(
    col(_ONE.start) <= bindparam("now"), col(_ONE.end) > bindparam("now"), col(_ONE.start) > bindparam("after")
)
_NEXT = _OF_IT.where(col(_ONE.start) > bindparam("now"))
_RUNNING, _FOLLOWING = (
    select(Occurrence, Booking)
    .select_from(Resource)
    .join(Occurrence, col(Occurrence.id) == which.scalar_subquery())
    .join(Booking, col(Booking.id) == col(Occurrence.booking_id))
    .where(col(Resource.id).in_(bindparam("of", expanding=True)))
    for which in (_RUNS, _NEXT)
)
_ENCODERS = select(Encoder).where(col(Encoder.resource_id).in_(bindparam("of", expanding=True)))


def views(
    database: Database, signs: Signs, counts: Counts, client: Client, rows: Sequence[Resource]
) -> list[ResourceView]:
    """The resources as this client is shown them."""
    now, of = utc_now(), [row.id for row in rows]
    with database.read() as session:
        encoders = {row.resource_id: row for row in session.execute(_ENCODERS, {"of": of}).scalars()}
        asked = {"of": of, "now": now, "after": now - LONGEST}
        running, following = (
            {occurrence.resource_id: _session(occurrence, booking) for occurrence, booking in found}
            for found in (session.execute(which, asked).all() for which in (_RUNNING, _FOLLOWING))
        )
        counted = counts(session, client)
    return [
        ResourceView(
            **row.model_dump(),
            encoder=states.shown(encoders.get(row.id) or Encoder(resource_id=row.id), signs),
            now=running.get(row.id),
            next=following.get(row.id),
            findings=counted.get(row.id, 0),
        )
        for row in rows
    ]


def _session(occurrence: Occurrence, booking: Booking) -> SessionView:
    own = booking.source == "lectern"
    return SessionView(
        uid=occurrence.id,
        title=booking.title_of(occurrence),
        start=occurrence.start,
        end=occurrence.end,
        recording_id=booking.id if own else None,
        source="lectern" if own else "kaltura",
    )
