"""Rounds: what is asked of Kaltura about all resources at once, while somebody asks for any of them.

             asked for                    claimed, by one process at a time
    asleep ───────────▶ due ──────────────────────────────────────────────▶ asking Kaltura
       ▲                 ▲                                                        │
       │                 └──────────────────── some time later ───────────────────┤ written in one transaction,
       └── nobody has asked for an hour ──────────────────────────────────────────┘ if the claim still holds

What each round asks and writes stands in a module of its own: `mirror/listing.py`, `mirror/template_entries.py`,
`mirror/uploads.py`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import bindparam, case, func, select, update
from sqlmodel import Session, SQLModel

from app.database.database import Database
from app.database.types import database_now, insert, utc_now
from app.kaltura.client import KalturaClient
from app.kaltura.errors import KalturaError

log = structlog.get_logger(__name__)

RESOURCES, ENTRIES, UPLOADS = "resources", "entries", "uploads"
INTEREST = 3600.0  # seconds for which a round goes on after somebody asked
LEASE = 120.0  # seconds after which another process takes over

_ROUND = SQLModel.metadata.tables["mirror_round"]
_DUE = (
    select(_ROUND.c.name)
    .where(_ROUND.c.due_at <= database_now(), _ROUND.c.lease_until <= database_now())
    .order_by(_ROUND.c.due_at)
    .limit(1)
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = (
    update(_ROUND)
    .where(_ROUND.c.name.in_(select(_DUE.c.name)))
    .values(owner=bindparam("by"), fence=_ROUND.c.fence + 1, lease_until=database_now() + LEASE)
    .returning(_ROUND.c.name, _ROUND.c.fence)
)
_HELD = select(_ROUND.c.fence).where(_ROUND.c.name == bindparam("of")).with_for_update()
_AS_OF = select(_ROUND.c.as_of).where(_ROUND.c.name == bindparam("of"))

Busy = Callable[[Session, Collection[str]], Collection[str]]
"""Those of the recordings that a chain is working on, or will be: what Kaltura has of them is on its way."""

Write = Callable[[Session], None]
"""What a round has found out, into SQL."""

Read = Callable[[Database, KalturaClient, Busy, datetime], Write]
"""One round's questions. Raises KalturaError, and NotBelieved for an answer that makes no sense."""


class NotBelieved(Exception):  # noqa: N818
    """What Kaltura says makes no sense: what was known before stays."""


@dataclass(frozen=True, slots=True)
class RoundClaim:
    name: str
    fence: int


class Rounds:
    """What one process needs to take part. Threads may share it; each brings its own client."""

    def __init__(
        self,
        database: Database,
        owner: str,
        work: Mapping[str, tuple[float, Read]],
        *,
        busy: Busy = lambda _session, _recordings: (),
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`work`: by name, how many seconds are between two rounds, and what is asked."""
        self._database = database
        self._owner = owner
        self._work = work
        self._busy = busy
        self.clock = clock
        new = insert(database.kind, _ROUND).values(
            fence=0, lease_until=0.0, asked_at=database_now(), due_at=database_now(), name=bindparam("of")
        )
        self._ask = new.on_conflict_do_update(
            index_elements=["name"],
            set_={"asked_at": database_now(), "due_at": func.coalesce(_ROUND.c.due_at, database_now())},
        )

    def ask(self) -> None:
        """Makes rounds due for an hour from now."""
        with self._database.write() as session:
            session.connection().execute(self._ask, [{"of": name} for name in sorted(self._work)])

    def claim(self) -> RoundClaim | None:
        """Claims the round that has waited longest; None if none is due."""
        with self._database.write() as session:
            row = session.connection().execute(_CLAIM, {"by": self._owner}).one_or_none()
        return RoundClaim(*row) if row else None

    def give_back(self, claim: RoundClaim) -> None:
        """Gives up a claim of which nothing came: whoever looks next may have the round."""
        with self._database.write() as session:
            session.connection().execute(
                update(_ROUND)
                .where(_ROUND.c.name == claim.name, _ROUND.c.fence == claim.fence)
                .values(owner=None, lease_until=0.0)
            )

    def run(self, client: KalturaClient, claim: RoundClaim) -> None:
        """Asks Kaltura and writes what came of it, or notes why nothing did. Raises SQLAlchemyError."""
        every, read = self._work[claim.name]
        failure, write = None, None
        try:
            write = read(self._database, client, self._busy, self.clock())
        except (KalturaError, NotBelieved) as error:
            failure = str(error)
            log.warning("round_not_made", round=claim.name, reason=failure)
        with self._database.write() as session:
            if session.connection().execute(_HELD, {"of": claim.name}).scalar_one_or_none() != claim.fence:
                log.warning("round_lease_lost", round=claim.name)
                return
            if write is not None:
                write(session)
            interesting = _ROUND.c.asked_at > database_now() - INTEREST
            following = case((interesting, database_now() + every), else_=None)
            due_since_claimed = _ROUND.c.due_at > _ROUND.c.lease_until - LEASE  # what was read may be older than that
            session.flush()
            session.connection().execute(
                update(_ROUND)
                .where(_ROUND.c.name == claim.name)
                .values(
                    owner=None,
                    lease_until=0.0,
                    failure=failure,
                    due_at=case((due_since_claimed, _ROUND.c.due_at), else_=following),
                    **({} if failure else {"as_of": database_now()}),
                )
            )


def was_read(session: Session, name: str) -> bool:
    """Whether this round was ever made with success."""
    return session.connection().execute(_AS_OF, {"of": name}).scalar_one_or_none() is not None


def read_within(session: Session, name: str, seconds: float) -> bool:
    """Whether this round was made with success so lately."""
    as_of = session.connection().execute(_AS_OF, {"of": name}).scalar_one_or_none()
    return as_of is not None and as_of > session.connection().execute(select(database_now() - seconds)).scalar_one()


def last_read(session: Session, name: str) -> datetime | None:
    """When this round was last made with success, by the database's clock."""
    as_of = session.connection().execute(_AS_OF, {"of": name}).scalar_one_or_none()
    return None if as_of is None else datetime.fromtimestamp(as_of, UTC)
