"""A receiver of notices that takes none: known to those who look, and not only to who asks the command line."""

from pathlib import Path

import pytest
from sqlalchemy import update

from app.database.types import database_now
from app.findings.service import FAILING
from app.webhooks import people, receivers
from app.webhooks.models import Webhook
from app.webhooks.store import TROUBLE
from tests.findings.world import Told, look, watched
from tests.keys import bearer, key
from tests.service import Lectern, eventually, found, lectern
from tests.webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.both_databases

FAILED = {"failures": TROUBLE, "error": "It answered 500."}


def subscribe(service: Lectern, receiver: Receiver, client: str | None = None) -> str:
    with service.app.state.database.write() as session:
        made = receivers.create(session, client, f"{receiver.url}?token=secret", ["*"])
        receiver.secret = made.secret
        return made.id


def set_webhooks(service: Lectern, **values: object) -> None:
    with service.app.state.database.write() as session:
        session.execute(update(Webhook).values(**values))


def failing(service: Lectern) -> int:
    with service.app.state.database.read() as session:
        return len(receivers.in_trouble(session))


def test_a_receiver_that_takes_nothing_until_it_is_well(service: Lectern, told: Told) -> None:
    with receiving(Receiver()) as receiver:
        webhook = subscribe(service, receiver)
        set_webhooks(service, **FAILED, failing_since=database_now(), next_attempt_at=4e9)
        service.made()
        assert look(service) == [], "it may be well again in a moment"
        set_webhooks(service, failing_since=database_now() - FAILING)
        for _ in range(2):
            (one,) = look(service)
        assert (one["kind"], one["severity"], one["actions"]) == ("webhook_failing", "notice", [])
        assert one["detail"] == f"The webhook {webhook} (127.0.0.1) takes no notices: It answered 500."
        set_webhooks(service, next_attempt_at=0.0)
        assert eventually(lambda: receiver.told() == ["recording.scheduled"])
        assert eventually(lambda: failing(service) == 0)
        assert look(service) == []
    assert told == [("raised", "webhook_failing"), ("cleared", "webhook_failing")]


def test_it_is_its_client_s_business_and_that_of_people_is_the_admins(tmp_path: Path, database_url: str) -> None:
    with lectern(tmp_path, database_url=database_url) as service:
        with service.app.state.database.write() as session:
            people.set_up(session, True)
            receivers.create(session, "registrar", "https://campus.example/a", ["*"])
            session.execute(update(Webhook).values(**FAILED, failing_since=1.0, next_attempt_at=4e9))
        made = {name: key(service, name, "recordings:read") for name in ("registrar", "library")}
        made["admin"] = key(service, "admin", "admin")
        shown = {
            name: {
                one["detail"].partition(" ")[0]
                for one in found(service.client.get("/findings", headers=bearer(secret)))["items"]
            }
            for name, secret in made.items()
        }
        assert shown == {"registrar": {"The"}, "library": set(), "admin": {"LECTERN_NOTIFY,", "The"}}


def test_a_revoked_receiver_is_nobody_s_trouble(tmp_path: Path, database_url: str) -> None:
    with watched(tmp_path, database_url=database_url) as (service, _):
        webhook = subscribe(service, Receiver(port=1))
        set_webhooks(service, **FAILED, failing_since=1.0, next_attempt_at=4e9)
        assert [one["kind"] for one in look(service)] == ["webhook_failing"]
        with service.app.state.database.write() as session:
            receivers.revoke(session, webhook)
        assert look(service) == []
