"""What `/metrics` looks up when somebody asks: the state of chains and mirrors in SQL, and of this process.

Of chains those are counted that are not over; the others would be all there ever were, and are counted as they end.
"""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col

from app.chains.models import Chain, ChainStatus
from app.chains.worker import Workers
from app.database.database import Database
from app.database.types import utc_now
from app.kaltura.gate import Gate
from app.kaltura.session import Sessions
from app.recordings.scheduling.context import Tools
from app.resources.mirror.compare import DriftKind
from app.resources.mirror.drift import counted
from app.resources.mirror.freshness import freshness
from app.webhooks.receivers import counted as counted_webhooks

UNFINISHED = (
    *(ChainStatus.QUEUED, ChainStatus.RUNNING, ChainStatus.WAITING),
    *(ChainStatus.UNDOING, ChainStatus.STUCK),
)


class Gauges(Collector):
    def __init__(
        self, database: Database, gate: Gate, sessions: Sessions, workers: Workers[Tools], refreshes_per_second: float
    ) -> None:
        self._database = database
        self._per_second = refreshes_per_second
        self._gate = gate
        self._sessions = sessions
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        yield from self._of_kaltura()
        yield _one("lectern_workers_busy", "Workers of this process that run a chain.", self._workers.running)
        try:
            with self._database.read() as session:
                found = [*_of_chains(session), *_of_mirrors(session, self._per_second), *_of_drift(session)]
                found += _of_webhooks(session)
        except SQLAlchemyError:
            found = []
        yield _one(
            "lectern_database_up", "1 if the database answers; without it, much of this is missing.", bool(found)
        )
        yield from found

    def _of_kaltura(self) -> Iterator[Metric]:
        state = self._gate.state()
        yield _one("lectern_kaltura_breaker_open", "1 while all calls of this process wait.", state.name != "closed")
        yield _one(
            "lectern_kaltura_failing_seconds", "Since when Kaltura gives no answer; 0 if it does.", state.failing
        )
        yield _one("lectern_kaltura_calls_waiting", "Calls that wait for their turn.", state.waiting)
        refused = self._sessions.problem is not None
        yield _one("lectern_kaltura_sign_in_refused", "1 while Kaltura refuses the sign-in.", refused)


def _of_chains(session: Session) -> Iterator[Metric]:
    rows = session.execute(
        select(col(Chain.status), func.count(), func.min(col(Chain.created_at)))
        .where(col(Chain.status).in_(UNFINISHED))
        .group_by(col(Chain.status))
    ).all()
    counts = {status: count for status, count, _ in rows}
    chains = GaugeMetricFamily("lectern_chains", "Chains that are not over, by state.", labels=["status"])
    for status in UNFINISHED:
        chains.add_metric([str(status)], counts.get(status, 0))
    yield chains
    oldest = min((created for status, _, created in rows if status != ChainStatus.STUCK), default=None)
    age = (utc_now() - oldest).total_seconds() if oldest else 0.0
    yield _one("lectern_chain_oldest_seconds", "Age of the oldest chain that is neither over nor stuck.", max(0.0, age))


def _of_mirrors(session: Session, per_second: float) -> Iterator[Metric]:
    found = freshness(session, utc_now(), per_second)
    yield _one("lectern_mirror_resources", "Resources that were asked for in the last hour.", found.wanted)
    yield _one("lectern_mirror_stale_resources", "Those of them that could not be read in time.", found.stale)
    yield _one("lectern_mirror_oldest_age_seconds", "Age of the oldest copy of one of them.", found.oldest)


def _of_drift(session: Session) -> Iterator[Metric]:
    kinds, recordings = counted(session)
    drift = GaugeMetricFamily("lectern_drift_sessions", "What Kaltura has otherwise, by kind.", labels=["kind"])
    for kind in DriftKind:
        drift.add_metric([str(kind)], kinds.get(str(kind), 0))
    yield drift
    yield _one("lectern_drift_recordings", "Recordings of which it has something otherwise.", recordings)


def _of_webhooks(session: Session) -> Iterator[Metric]:
    found = counted_webhooks(session)
    undelivered = GaugeMetricFamily(
        "lectern_webhook_undelivered", "Notices that a receiver has not taken.", labels=["state"]
    )
    undelivered.add_metric(["waiting"], found.waiting)
    undelivered.add_metric(["given_up"], found.given_up)
    yield undelivered
    yield _one("lectern_webhooks_in_trouble", "Receivers that take nothing.", found.in_trouble)


def _one(name: str, text: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value or 0))
