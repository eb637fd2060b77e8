"""kill -9 of the service: each notice is told all the same, at least once, and in order for each recording."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.database.database import Database
from app.webhooks import receivers
from tests.processes import Program, start_sandbox, start_service
from tests.recordings.documents import SINGLE
from tests.service import eventually
from tests.webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.both_databases

LONG = 60.0  # seconds: a lease, and what two cores need for the rest
KILLS, ROOMS = 2, 3


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(Receiver()) as running:
        yield running


def test_killed_again_and_again_none_is_lost(tmp_path: Path, database_url: str, receiver: Receiver) -> None:
    """In the middle of an exchange, which nobody notes; and while chains are under way."""
    own = {"LECTERN_LEASE_SECONDS": "1", "LECTERN_DATABASE_URL": database_url}
    with start_sandbox(tmp_path) as sandbox, start_service(tmp_path, sandbox.url, own) as service:
        database = Database(database_url)
        with database.write() as session:
            receiver.secret = receivers.create(session, None, receiver.url, ["recording.*"]).secret
        database.close()
        recordings = [accepted(service, number) for number in range(ROOMS)]
        for title in range(KILLS):
            receiver.behaviour, tries = "hold", len(receiver.tries)
            eventually(lambda seen=tries: len(receiver.tries) > seen, LONG)  # type: ignore[misc]
            for recording in recordings:
                httpx.patch(
                    f"{service.url}/recordings/{recording}",
                    json={"title": f"title {title}"},
                    headers={"Prefer": "wait=30"},
                    timeout=LONG,
                    trust_env=False,
                )
            service.kill()
            receiver.behaviour = "take"
            receiver.free.set()
            receiver.free.clear()
            service.restart()
        wanted = ["scheduled", *["changed"] * KILLS]
        for recording in recordings:
            eventually(lambda of=recording: told(receiver, of) == wanted, LONG)  # type: ignore[misc]


def accepted(service: Program, number: int) -> str:
    document = SINGLE | {"resource": {"system_name": f"ROOM-{number}", "name": "Room"}}
    answer = httpx.post(f"{service.url}/recordings", json=document, timeout=LONG, trust_env=False)
    assert answer.status_code in (201, 202), answer.text
    return str(answer.json()["id"])


def told(receiver: Receiver, recording: str) -> list[str]:
    """What it was told of a recording, each notice once, in the order of their first coming."""
    found = {one["id"]: one for one in receiver.taken if one["data"]["recording_id"] == recording}
    return [one["type"].removeprefix("recording.") for one in found.values()]
