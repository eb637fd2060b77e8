"""`/metrics`: what is counted while it happens. What is looked up when somebody asks: app/operations/gauges.py.

Names and meanings stand in docs/operating.md, "Metrics", one a line; a test compares. Labels have few values: templates
of routes, never addresses; names of steps and of Kaltura's actions, never ids.
"""

from fastapi import APIRouter, Request, Response
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from app.access.door import REFUSALS, Reader
from app.http.errors import responses
from app.http.threads import Health

# Of requests, of calls to Kaltura (a series of 1,000 takes it nine seconds), and of steps, which wait and try again.
REQUEST_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0)
CALL_SECONDS = (0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
CHAIN_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0, 60.0, 600.0, 3600.0, 86400.0)

FEED = {False: "/resources/{id}/upcoming", True: "/resources/{id}/upcoming.ics"}

disable_created_metrics()  # type: ignore[no-untyped-call] # one more series for each, of no use to anybody


class Metrics:
    """One a service, with a registry of its own. Threads may share it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "lectern_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._request_seconds = Histogram(
            "lectern_http_request_duration_seconds",
            "How long requests took, but for polls answered from memory.",
            ["method", "route"],
            buckets=REQUEST_SECONDS,
            registry=self.registry,
        )
        self._calls = Counter(
            "lectern_kaltura_calls",
            "Calls to Kaltura: done, refused, transient or unknown.",
            ["action", "outcome"],
            registry=self.registry,
        )
        self._call_seconds = Histogram(
            "lectern_kaltura_call_duration_seconds",
            "How long Kaltura took.",
            ["action"],
            buckets=CALL_SECONDS,
            registry=self.registry,
        )
        self._step_seconds = Histogram(
            "lectern_step_duration_seconds",
            "From a step's first try to its end.",
            ["operation", "step"],
            buckets=CHAIN_SECONDS,
            registry=self.registry,
        )
        self._retries = Counter(
            "lectern_step_retries",
            "Tries of a step that came to nothing and will be repeated.",
            ["operation", "step"],
            registry=self.registry,
        )
        self._chain_seconds = Histogram(
            "lectern_chain_duration_seconds",
            "From a chain's beginning to its end: succeeded, failed or stuck.",
            ["operation", "status"],
            buckets=CHAIN_SECONDS,
            registry=self.registry,
        )
        self._deliveries = Counter(
            "lectern_webhook_deliveries",
            "Tries to deliver a notice: taken or not.",
            ["outcome"],
            registry=self.registry,
        )
        self._polls = {
            (method, is_calendar, status): self._requests.labels(method, route, str(status)).inc
            for method in ("GET", "HEAD")
            for is_calendar, route in FEED.items()
            for status in (200, 304)
        }

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def poll(self, method: str, is_calendar: bool, status: int) -> None:
        """One that was answered from memory."""
        self._polls[method, is_calendar, status]()

    def call(self, action: str, outcome: str, seconds: float) -> None:
        self._calls.labels(action, outcome).inc()
        self._call_seconds.labels(action).observe(seconds)

    def step(self, operation: str, step: str, seconds: float) -> None:
        """A step that is done."""
        self._step_seconds.labels(operation, step).observe(seconds)

    def retry(self, operation: str, step: str) -> None:
        self._retries.labels(operation, step).inc()

    def chain(self, operation: str, status: str, seconds: float) -> None:
        """A chain that has ended."""
        self._chain_seconds.labels(operation, status).observe(seconds)

    def delivery(self, taken: bool) -> None:
        """A try to deliver a notice."""
        self._deliveries.labels("taken" if taken else "not_taken").inc()


router = APIRouter(tags=["operations"])


@router.get(
    "/metrics",
    response_class=Response,
    summary="Figures for a monitoring system",
    response_description="In Prometheus' text format.",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **responses(*REFUSALS)},
)
def metrics(request: Request, _client: Reader, _place: Health) -> Response:
    """Counts and durations; no id, no name and no title. A key with `recordings:read` that owns nothing will do."""
    counted: Metrics = request.app.state.metrics
    return Response(generate_latest(counted.registry), media_type=CONTENT_TYPE_PLAIN_0_0_4)
