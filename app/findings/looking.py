"""All findings there are, computed anew whenever somebody looks.

SQL ──▶ LOOKS, one function a kind or family ──┐
this process's own memory of Kaltura ──────────┴──▶ `Findings.now`, the worst first ──▶ /findings, /metrics, …
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from sqlmodel import Session

from app.access.keys import Client
from app.database.types import utc_now
from app.findings import differences, encoders, recordings, service
from app.findings.finding import Finding, View
from app.findings.schemas import Kind, Severity
from app.kaltura.gate import Gate
from app.kaltura.session import Sessions
from app.resources.lookup import is_id

LATELY = 5.0  # seconds for which counts are good: lists of resources are asked for often

LOOKS: Sequence[Callable[[View], Iterable[Finding]]] = (
    encoders.encoder_silent,
    encoders.encoder_error,
    encoders.not_recorded,
    recordings.chain_stuck,
    recordings.recording_failed,
    differences.otherwise,
    differences.sessions_overlap,
    service.mirror_stale,
    recordings.calendar_behind,
    recordings.left_out,
    recordings.term_refused,
    recordings.chain_waiting,
    service.webhook_failing,
)


def in_sql(session: Session, now: datetime, per_second: float, *, confirms: bool) -> list[Finding]:
    """What SQL alone tells, the worst first."""
    view = View(session, now, per_second, confirms)
    return sorted((one for look in LOOKS for one in look(view)), key=lambda one: one.order)


class Findings:
    """What one process finds. Threads may share it."""

    def __init__(
        self,
        gate: Gate,
        sessions: Sessions,
        per_second: float,
        *,
        confirms: bool = True,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`per_second`: refreshes of all processes together, at most. `confirms`: whether uploads are looked for."""
        self._gate = gate
        self._sessions = sessions
        self._per_second = per_second
        self._confirms = confirms
        self.clock = clock
        self._lately: tuple[float, Sequence[Finding]] | None = None

    def now(self, session: Session) -> list[Finding]:
        """All there are, the worst first, and of those the oldest."""
        now = self.clock()
        remembered = (*service.kaltura_away(self._gate, now), *service.sign_in_refused(self._sessions, now))
        found = [*remembered, *in_sql(session, now, self._per_second, confirms=self._confirms)]
        self._lately = time.monotonic() + LATELY, found
        return sorted(found, key=lambda one: one.order)

    def of(self, session: Session, client: Client) -> list[Finding]:
        """Those that this client is shown."""
        known = partial(is_id, session)
        return [one for one in self.now(session) if one.is_for(client, known)]

    def counted(self, session: Session, client: Client) -> Mapping[int, int]:
        """How many there are of each resource, of those that this client is shown; up to LATELY old."""
        known = partial(is_id, session)
        mine = (one for one in self._recent(session) if one.is_for(client, known))
        return Counter(one.subject.resource.id for one in mine if one.subject.resource)

    def by_kind(self, session: Session) -> Mapping[tuple[Kind, Severity], int]:
        """How many there are of each kind and severity, whoever's; up to LATELY old."""
        return Counter((one.kind, one.severity) for one in self._recent(session))

    def _recent(self, session: Session) -> Sequence[Finding]:
        lately = self._lately
        return lately[1] if lately and time.monotonic() < lately[0] else self.now(session)
