"""The threads that keep mirrors fresh, and make the rounds.

Of the idle threads one at a time looks for a round or a resource that is due; when it has claimed one it sees to it,
and the next idle thread looks. What is asked for is noted in memory and written by whoever looks, many at once.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.database.database import is_away
from app.kaltura.client import KalturaClient
from app.resources.mirror.refresh import Mirror, MirrorClaim
from app.resources.rounds import RoundClaim, Rounds

log = structlog.get_logger(__name__)

POLL = 0.25  # seconds between two looks for a resource that is due
ROUND_POLL = 1.0  # seconds between two looks for a round that is due
AFTER_FAILURE = 2.0  # seconds of rest when the database does not answer


class Refreshers:
    """`count` threads; `client` makes each one's own way to Kaltura."""

    def __init__(self, mirror: Mirror, rounds: Rounds, client: Callable[[], KalturaClient], count: int = 2) -> None:
        self._mirror = mirror
        self._rounds = rounds
        self._client = client
        self._asked, self._glanced = set[int](), set[int]()
        self._wanted = False  # whether anybody has asked for anything
        self._looked = float("-inf")  # for a round (monotonic)
        self._left = deque[MirrorClaim | RoundClaim]()  # while the database was away: to be given back
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
        until = time.monotonic() + timeout
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))

    def ask(self, resource_id: int | None = None) -> None:
        """Notes, in memory, that somebody wants to see this resource; without one, the list of all."""
        with self._asking:
            self._asked.update([] if resource_id is None else [resource_id])
            self._wanted = True
        self._wake.set()

    def look(self, resource_ids: Iterable[int]) -> None:
        """Notes, in memory, that somebody has looked at these resources among many, and asks for none of them alone."""
        with self._asking:
            self._glanced.update(resource_ids)
        self._wake.set()

    def _work(self) -> None:
        client = self._client()
        try:
            while (claim := self._next()) is not None:
                try:
                    self._see_to(client, claim)
                except Exception as error:
                    # Nothing was written; the lease runs out, and it is claimed again.
                    log.exception("mirror_left", claim=repr(claim))
                    if is_away(error):
                        self._left.extend([claim] if isinstance(claim, RoundClaim) else claim)
        finally:
            client.close()

    def _see_to(self, client: KalturaClient, claim: list[MirrorClaim] | RoundClaim) -> None:
        if isinstance(claim, RoundClaim):
            self._rounds.run(client, claim)
        else:
            self._mirror.refresh_together(client, claim)

    def _next(self) -> list[MirrorClaim] | RoundClaim | None:
        """What is due next, claimed; None when the process stops."""
        with self._leading:
            while not self._stop.is_set():
                self._wake.clear()
                try:
                    self._tell()
                    self._give_back()
                    claim = self._round() or self._mirror.claim_some()
                except SQLAlchemyError as error:
                    log.error("cannot_claim_mirror", kind=type(error).__name__)
                    self._stop.wait(AFTER_FAILURE)
                    continue
                if claim:
                    return claim
                self._wake.wait(POLL)
        return None

    def _give_back(self) -> None:
        while self._left:
            claim = self._left[0]
            if isinstance(claim, RoundClaim):
                self._rounds.give_back(claim)
            else:
                self._mirror.give_back(claim)
            self._left.popleft()

    def _round(self) -> RoundClaim | None:
        if time.monotonic() - self._looked < ROUND_POLL:
            return None
        self._looked = time.monotonic()
        return self._rounds.claim()

    def _tell(self) -> None:
        with self._asking:
            asked, glanced, wanted = set(self._asked), set(self._glanced), self._wanted
        if wanted:
            self._rounds.ask()
            self._looked = float("-inf")
        if asked:
            self._mirror.ask(asked)
        if glanced:
            self._mirror.look(glanced)
        with self._asking:
            self._asked -= asked
            self._glanced -= glanced
            self._wanted = self._wanted and not wanted
