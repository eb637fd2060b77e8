"""Notices, receivers and the threads that deliver, over a database of either kind."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.database.database import Database
from app.notices.telling import tell
from app.webhooks import deliverers, receivers
from app.webhooks.deliverers import Deliverers
from app.webhooks.exchange import Sender
from app.webhooks.models import Undelivered, Webhook
from app.webhooks.people import People
from app.webhooks.store import Store
from tests.webhooks.receiver import Receiver, receiving

QUICK = (0.02,)  # seconds between tries


@dataclass
class Post:
    """What is told, and to whom. Each notice's `data` has its `subject`, and a `number` that counts from 1."""

    database: Database
    store: Store
    stack: ExitStack
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def tell(self, *subjects: str, kind: str = "recording.changed", client: str | None = "registrar") -> None:
        for subject in subjects:
            with self.database.write() as session:
                tell(session, kind, client, subject, {"subject": subject, "number": next(self.numbers)})

    def receiver(self, *notices: str, client: str | None = "registrar", behaviour: str = "take") -> Receiver:
        """One that listens until the test ends."""
        receiver = self.stack.enter_context(receiving(Receiver(behaviour=behaviour)))
        self.subscribe(receiver, *notices, client=client)
        return receiver

    def subscribe(self, receiver: Receiver, *notices: str, client: str | None = "registrar") -> str:
        with self.database.write() as session:
            made = receivers.create(session, client, receiver.url, notices or ["*"])
            receiver.secret = made.secret
            return made.id

    def deliver(self, sender: Sender | None = None, people: People | None = None, **changes: Any) -> Deliverers:
        """Threads that deliver until the test ends."""
        store = replace(self.store, **changes)
        working = Deliverers(store, sender or Sender(seconds=0.5), people, lambda _taken: None)
        working.start()
        self.stack.callback(working.stop, 60.0)
        return working

    def undelivered(self) -> list[tuple[int, bool]]:
        """Each notice that was not taken, and whether it was given up on."""
        with self.database.read() as session:
            rows = session.execute(select(Undelivered).order_by(col(Undelivered.number))).scalars()
            return [(row.number, row.next_attempt_at is None) for row in rows]

    def webhook(self) -> Webhook:
        with self.database.read() as session:
            found: Webhook = session.execute(select(Webhook)).scalar_one()
            return found


@pytest.fixture
def post(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    monkeypatch.setattr(deliverers, "POLL", 0.02)
    with ExitStack() as stack:
        yield Post(database, Store(database, "me", 60.0, pauses=QUICK), stack)
