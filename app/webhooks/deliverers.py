"""The threads that deliver notices: one for each receiver that there is something for, so that none waits for another.

One more looks for such receivers, `1 / POLL` times a second. All of them use the database in turns of `PLACES`.
"""

import threading
import time
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.database.background import Background
from app.notices.reading import view
from app.webhooks.address import read
from app.webhooks.exchange import Sender, Undeliverable
from app.webhooks.people import PEOPLE, People
from app.webhooks.sending import send
from app.webhooks.store import Claim, Delivery, Store, Tried

log = structlog.get_logger(__name__)

POLL = 0.5  # seconds
PLACES = 2


class Deliverers:
    """One a process. `counted` is told of each try whether it was taken."""

    def __init__(self, store: Store, sender: Sender, people: People | None, counted: Callable[[bool], None]) -> None:
        self._store = store
        self._sender = sender
        self._people = people
        self._counted = counted
        self._places = threading.BoundedSemaphore(PLACES)
        self._threads = set[threading.Thread]()
        self._looker = Background("deliveries", self._look, POLL)

    def start(self) -> None:
        self._looker.start()

    def stop(self, timeout: float) -> None:
        """Lets each end the exchange it is in. What is not noted in time is sent again, when its lease is over."""
        until = time.monotonic() + timeout
        self._looker.stop(timeout)
        for thread in tuple(self._threads):
            thread.join(max(0.0, until - time.monotonic()))

    def _look(self) -> float:
        while not self._looker.stopping and (claim := self._claim()) is not None:
            thread = threading.Thread(target=self._work, args=(claim,), name="delivery", daemon=True)
            self._threads.add(thread)
            thread.start()
        return POLL

    def _claim(self) -> Claim | None:
        with self._places:
            return self._store.claim()

    def _work(self, claim: Claim) -> None:
        """Delivers all that there is for a receiver. What was not noted has not happened: its lease runs out."""
        try:
            tried = None
            while (delivery := self._go_on(claim, tried)) is not None:
                if time.monotonic() + self._sender.seconds > claim.valid_until:
                    return  # it was stopped for long: another may send this by now
                tried = self._try(delivery)
        except SQLAlchemyError as error:
            log.error("cannot_deliver", kind=type(error).__name__, webhook=claim.webhook_id)
        except Exception:
            log.exception("delivery_left", webhook=claim.webhook_id)
        finally:
            self._threads.discard(threading.current_thread())

    def _go_on(self, claim: Claim, tried: Tried | None) -> Delivery | None:
        with self._places:
            return self._store.go_on(claim, tried, stopping=self._looker.stopping)

    def _try(self, delivery: Delivery) -> Tried:
        try:
            if delivery.webhook_id == PEOPLE:
                self._tell_people(delivery)
            else:
                send(self._sender, read(delivery.url), delivery.secret, view(delivery.notice))
        except Undeliverable as error:
            self._counted(False)
            log.info("not_delivered", webhook=delivery.webhook_id, notice=delivery.notice["id"], detail=str(error))
            return Tried(delivery, str(error))
        self._counted(True)
        return Tried(delivery)

    def _tell_people(self, delivery: Delivery) -> None:
        if self._people is None:
            raise Undeliverable("This process has no LECTERN_NOTIFY.")
        self._people.tell(delivery.notice)
