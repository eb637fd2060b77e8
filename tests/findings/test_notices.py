"""What is raised and cleared becomes notices: in order, with what a person needs, and only for those whom it is for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.notices import listening
from app.webhooks import deliverers, receivers
from tests.findings.world import soon
from tests.keys import bearer, key
from tests.recordings.documents import SINGLE
from tests.resources.polls import book, refresh
from tests.service import Json, Lectern, eventually, found, lectern, problem
from tests.webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.both_databases

ROOM = "EXTRON-100-ABC"
RAISED, CLEARED = "finding.raised", "finding.cleared"


@pytest.fixture
def service(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lectern]:
    monkeypatch.setattr(listening, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(deliverers, "POLL", 0.02)
    with lectern(tmp_path, database_url=database_url) as running:
        yield running


@pytest.fixture
def keys(service: Lectern) -> dict[str, dict[str, str]]:
    read, write, schedule = "recordings:read", "recordings:write", "schedule:read"
    made = {
        "admin": key(service, "technician", "admin"),
        "registrar": key(service, "registrar", read, write),
        "library": key(service, "library", read, write, schedule),
        "device": key(service, "device", read, schedule, resources=[ROOM]),
    }
    return {name: bearer(secret) for name, secret in made.items()}


def say(service: Lectern, headers: dict[str, str], state: str, detail: str | None = None) -> None:
    said = {"state": state, "detail": detail}
    found(service.client.put(f"/resources/{ROOM}/state", json=said, headers=headers))
    assert service.app.state.watch.look()


def notices(service: Lectern, headers: dict[str, str]) -> list[Json]:
    shown: list[Json] = found(service.client.get("/notices", headers=headers))["items"]
    return [one for one in shown if one["type"].startswith("finding.")]


def test_an_encoder_s_trouble_is_told_to_those_who_see_all(service: Lectern, keys: dict[str, dict[str, str]]) -> None:
    say(service, keys["device"], "error", "Disk full <script>")
    (listed,) = found(service.client.get("/findings", headers=keys["admin"]))["items"]
    say(service, keys["device"], "idle")
    raised, cleared = notices(service, keys["admin"])
    assert [(one["type"], one["client"]) for one in (raised, cleared)] == [(RAISED, None), (CLEARED, None)]
    assert raised["data"] == cleared["data"] == listed
    assert (listed["kind"], listed["severity"]) == ("encoder_error", "now")
    assert listed["detail"].endswith("Disk full <script>.")
    assert listed["what_to_do"].startswith("Look at the encoder.")
    assert listed["subject"]["resource"]["system_name"] == ROOM
    for other in ("registrar", "library", "device"):
        assert notices(service, keys[other]) == []


def test_what_is_about_a_recording_is_told_to_its_client(service: Lectern, keys: dict[str, dict[str, str]]) -> None:
    registrar = keys["registrar"]
    made = found(service.client.post("/recordings", json=SINGLE | {"resource": ROOM}, headers=registrar), 201)
    problem(
        service.client.post("/recordings", json=SINGLE | {"resource": ROOM}, headers=registrar),
        409,
        "schedule_conflict",
    )
    assert service.app.state.watch.look()
    found(service.client.delete(f"/recordings/{made['id']}", headers=registrar))
    found(service.client.post("/recordings", json=SINGLE | {"resource": ROOM}, headers=registrar), 201)
    assert service.app.state.watch.look()
    told = notices(service, registrar)
    assert [(one["type"], one["client"], one["data"]["kind"]) for one in told] == [
        (RAISED, "registrar", "recording_failed"),
        (CLEARED, "registrar", "recording_failed"),
    ]
    assert told == notices(service, keys["admin"])
    assert notices(service, keys["library"]) == notices(service, keys["device"]) == []
    types = [one["type"] for one in found(service.client.get("/notices", headers=registrar))["items"]]
    assert types == [
        *("recording.scheduled", "recording.failed", RAISED),
        *("recording.cancelled", "recording.scheduled", CLEARED),
    ]


def test_webhooks_bring_findings_to_those_who_asked_for_them(service: Lectern, keys: dict[str, dict[str, str]]) -> None:
    with receiving(Receiver()) as everything, receiving(Receiver()) as registrars:
        for receiver, client in ((everything, None), (registrars, "registrar")):
            with service.app.state.database.write() as session:
                receiver.secret = receivers.create(session, client, receiver.url, ["finding.*"]).secret
        start = soon(60).replace(second=0)
        document = SINGLE | {"resource": ROOM, "start": start.isoformat(), "title": "“<b>Optics</b>” \u202eadd me"}
        found(service.client.post("/recordings", json=document, headers=keys["registrar"]), 201)
        theirs = book(service, start, summary="Theirs")
        service.client.headers.update(keys["admin"])
        refresh(service)
        say(service, keys["device"], "error")
        service.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=theirs["id"])
        refresh(service)
        say(service, keys["device"], "idle")
        both = [RAISED, RAISED, CLEARED, CLEARED]
        assert eventually(lambda: everything.told() == both)
        assert eventually(lambda: registrars.told() == [RAISED, CLEARED])
        assert {one["data"]["kind"] for one in registrars.taken} == {"sessions_overlap"}
        assert document["title"] in registrars.taken[0]["data"]["detail"]
        assert "Theirs" not in str(registrars.taken)


def test_an_open_service_tells_whoever_asks(service: Lectern) -> None:
    """As whoever tries it out does, and waits for what happens."""
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(service.client.get, "/notices", headers={"Prefer": "wait=20"})
        assert eventually(lambda: None in service.app.state.listening._sleepers)
        say(service, {}, "error")
        (one,) = found(waiting.result())["items"]
    assert (one["type"], one["client"], one["data"]["kind"]) == (RAISED, None, "encoder_error")
