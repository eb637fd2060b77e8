"""The threads that keep mirrors fresh.

Of the idle threads one at a time looks for a resource that is due; when it has claimed one it refreshes it, and the
next idle thread looks. What is asked for is noted in memory and written by whoever looks, many at once.
"""

import threading
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from app.kaltura.client import KalturaClient
from app.resources.mirror import Claim, Mirror

log = structlog.get_logger(__name__)

POLL = 0.25  # seconds between two looks for a resource that is due
AFTER_FAILURE = 2.0  # seconds of rest when the database does not answer


class Refreshers:
    """`count` threads; `client` makes each one's own way to Kaltura."""

    def __init__(self, mirror: Mirror, client: Callable[[], KalturaClient], count: int = 2) -> None:
        self._mirror = mirror
        self._client = client
        self._asked = set[int]()
        self._asking = threading.Lock()
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._leading = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"mirror-{number}", daemon=True) for number in range(count)
        ]

    @property
    def alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Lets each thread end the call it is in; what is not written then is read again by somebody else."""
        self._stop.set()
        self._wake.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(timeout)

    def ask(self, resource_id: int) -> None:
        """Somebody wants to see this resource. Costs nothing worth mentioning."""
        with self._asking:
            self._asked.add(resource_id)
        self._wake.set()

    def _work(self) -> None:
        client = self._client()
        try:
            while (claim := self._next()) is not None:
                try:
                    with bound_contextvars(resource_id=claim.resource_id):  # on every line of the log
                        self._mirror.refresh(client, claim)
                except Exception:
                    # Nothing was written; the lease runs out and the resource is refreshed again.
                    log.exception("mirror_left", resource_id=claim.resource_id)
        finally:
            client.close()

    def _next(self) -> Claim | None:
        """The next resource that is due, claimed; None when the process stops."""
        with self._leading:
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    self._tell()
                    claim = self._mirror.claim()
                except SQLAlchemyError as error:
                    log.error("cannot_claim_mirror", kind=type(error).__name__)
                    self._stop.wait(AFTER_FAILURE)
                    continue
                if claim is not None:
                    return claim
                self._wake.wait(POLL)
        return None

    def _tell(self) -> None:
        with self._asking:
            asked = set(self._asked)
        if asked:
            self._mirror.ask(asked)
            with self._asking:
                self._asked -= asked
