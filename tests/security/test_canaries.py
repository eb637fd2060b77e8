"""Secrets are planted, all goes well and all goes wrong, and then they are looked for.

A service in a process of its own, logging all it can, meets good documents and bad ones, right keys and wrong ones,
every fault of Kaltura's, sessions that end, and tables that are gone. Nowhere in its logs, its files or its answers
is a secret; and in its logs is no word of a document.
"""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.recordings.document.document import EXAMPLE
from app.sandbox.seed.seed import ADMIN_SECRET, APP_TOKEN
from app.sandbox.server import running
from app.sandbox.simulator import Answer, Sandbox
from tests.processes import Program, start_service
from tests.service import Json, eventually


def canary(kind: str) -> str:
    return f"canary-{kind}-{secrets.token_hex(16)}"


KEY, WRONG_KEY, WRONG_TOKEN, WRONG_SECRET, PASSWORD = map(canary, ("key", "other-key", "token", "secret", "password"))
WORDS = {
    name: canary(name) for name in ("title", "description", "organizer", "contact", "location", "owner", "reference_id")
}
TAG, EXTRA = canary("tag"), canary("extra")
FAULTS = ("drop_before", "http_500", "http_429", "html", "drop_after", "truncated", "error")


class Overheard(Sandbox):
    """Keeps every session that it was sent, which nobody else is to see."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions = set[str]()

    def handle(self, path: str, query: str, content_type: str, body: bytes) -> Answer:
        answer = super().handle(path, query, content_type, body)
        for said in (body, answer.body):
            found = json.loads(said) if said[:1] == b"{" and answer.content_type.startswith("application/json") else {}
            if isinstance(found.get("ks"), str):
                self.sessions.add(found["ks"])
        return answer


@dataclass
class Scene:
    """What was answered, and where the rest is to be found."""

    sandbox: Overheard
    folder: Path
    answers: list[str] = field(default_factory=list)

    @property
    def secrets(self) -> set[str]:
        given = {KEY, WRONG_KEY, WRONG_TOKEN, WRONG_SECRET, PASSWORD, APP_TOKEN, ADMIN_SECRET}
        return given | self.sandbox.sessions

    def ask(
        self, service: Program, method: str, path: str, key: str = KEY, prefer: str = "wait=5", **more: Any
    ) -> httpx.Response:
        headers = {b"Authorization": f"Bearer {key}".encode(), b"Prefer": prefer.encode()}
        answer = httpx.request(method, service.url + path, headers=headers, timeout=30, trust_env=False, **more)
        self.answers.append(f"{method} {path}: {answer.status_code} {answer.headers} {answer.text}")
        return answer


def document(**changes: object) -> Json:
    return EXAMPLE | WORDS | {"tags": [TAG]} | changes


def refused(scene: Scene, service: Program) -> None:
    bad: tuple[Json, ...] = ({"title": 5}, {"start": EXTRA}, {"secret": EXTRA}, {"resource": {"x": EXTRA}})
    for wrong in bad:
        assert scene.ask(service, "POST", "/recordings", json=document(**wrong)).status_code == 422
    assert scene.ask(service, "POST", "/recordings", content=f'{{"title": "{EXTRA}').status_code == 415
    assert scene.ask(service, "POST", "/recordings", json=[document()]).status_code == 422
    for key in (WRONG_KEY, WRONG_KEY + "ü"):
        assert scene.ask(service, "GET", f"/recordings?key={KEY}", key=key).status_code == 401
    assert scene.ask(service, "GET", f"/recordings/{EXTRA}").status_code == 404
    assert scene.ask(service, "GET", "/recordings", params={"tag": TAG, "limit": 0}).status_code == 422
    assert scene.ask(service, "PUT", f"/nowhere/{KEY}").status_code == 404


def faulty(scene: Scene, service: Program) -> None:
    """Each of Kaltura's faults, at one call and at another, in rooms that are all new."""
    calls = (("media", "add"), ("schedule_scheduleEvent", "add"))
    once = [
        {"service": of, "action": action, "fault": fault, "times": 1}
        | ({"code": "INVALID_KS"} if fault == "error" else {})
        for fault in FAULTS
        for of, action in calls
    ]
    scene.sandbox.set_faults({"faults": once})
    before = len(adding(scene))
    for number in range(len(FAULTS)):
        wanted = document(reference_id=f"{WORDS['reference_id']}-{number}", resource={"system_name": f"ROOM-{number}"})
        sent = scene.ask(service, "POST", "/recordings", json=wanted, prefer="respond-async")
        assert sent.status_code == 202
    eventually(lambda: len(adding(scene)) >= before + len(once) + 1, 30)
    scene.sandbox.set_faults({})


def adding(scene: Scene) -> list[Json]:
    services = ("media", "schedule_scheduleEvent")
    return [call for call in scene.sandbox.requests() if call["action"] == "add" and call["service"] in services]


def crashed(scene: Scene, service: Program, recording_id: str) -> None:
    """A mistake of ours: what was stored can't be read any more."""
    with sqlite3.connect(scene.folder / "lectern.db") as database:
        database.execute("UPDATE recording SET document = json_set(document, '$.start', ?)", (WORDS["title"],))
    database.close()
    assert scene.ask(service, "GET", f"/recordings/{recording_id}").status_code == 500
    assert scene.ask(service, "GET", "/recordings").status_code == 500


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """All that can happen, over."""
    folder, sandbox = tmp_path_factory.mktemp("canaries"), Overheard()
    it = Scene(sandbox, folder)
    loud = {"LECTERN_API_KEYS": f"registrar={KEY}", "LECTERN_LOG_LEVEL": "DEBUG", "LECTERN_KALTURA_READ_TIMEOUT": "2"}
    wrong = {"LECTERN_KALTURA_APP_TOKEN": WRONG_TOKEN, "LECTERN_DATABASE_URL": f"sqlite:///{folder / 'wrong.db'}"}
    with running(sandbox) as url:
        with start_service(folder, url, loud | wrong, name="wrong") as service:
            assert it.ask(service, "POST", "/recordings", json=document(), prefer="wait=1").status_code == 202
            eventually(lambda: "sign-in" in it.ask(service, "GET", "/readyz").text)
            assert service.stop() == 0
        with start_service(folder, url, loud) as service:
            made = it.ask(service, "POST", "/recordings", json=document())
            assert made.status_code == 201
            for path in ("", "/occurrences", "/history", "/calendar.ics"):
                assert it.ask(service, "GET", f"/recordings/{made.json()['id']}{path}").status_code == 200
            for path in ("/readyz", "/openapi.json", "/resources", "/resources/EXTRON-100-ABC/upcoming", "/metrics"):
                it.ask(service, "GET", path)
            refused(it, service)
            faulty(it, service)
            crashed(it, service, made.json()["id"])
            service.kill()
        yield it
    sandbox.close()


def test_something_was_there_to_be_found(scene: Scene) -> None:
    assert len(scene.sandbox.sessions) >= 3
    assert WORDS["title"] in "".join(scene.answers)
    assert any(WORDS["title"].encode() in path.read_bytes() for path in scene.folder.glob("lectern.db*"))
    logs = (scene.folder / "service.log").read_text()
    assert {"chain_ended", "mistake"} <= {json.loads(line)["event"] for line in logs.splitlines()}


def test_no_log_holds_a_secret_or_a_word_of_a_document(scene: Scene) -> None:
    words = {*WORDS.values(), TAG, EXTRA} | scene.secrets
    logs = {path.name: path.read_text() for path in scene.folder.glob("*.log")}
    assert set(logs) == {"service.log", "wrong.log"}
    assert {(name, word) for name, log in logs.items() for word in words if word in log} == set()


def test_no_file_holds_a_secret(scene: Scene) -> None:
    files = [path for path in scene.folder.rglob("*") if path.is_file()]
    assert {"lectern.db", "wrong.db"} <= {path.name for path in files}
    found = {(path.name, one) for path in files for one in scene.secrets if one.encode() in path.read_bytes()}
    assert found == set()


def test_no_answer_holds_a_secret_or_what_was_refused(scene: Scene) -> None:
    said = "\n".join(answer.partition(": ")[2] for answer in scene.answers)
    assert {word for word in scene.secrets | {EXTRA} if word in said} == set()


def test_a_database_s_password_is_not_told_when_it_cannot_be_reached(scene: Scene, tmp_path: Path) -> None:
    url = f"postgresql+psycopg://lectern:{PASSWORD}@127.0.0.1:1/lectern"
    with pytest.raises(RuntimeError) as told:
        start_service(tmp_path, "http://127.0.0.1:1", {"LECTERN_DATABASE_URL": url, "LECTERN_LOG_LEVEL": "DEBUG"})
    assert "127.0.0.1" in str(told.value)
    assert PASSWORD not in (tmp_path / "service.log").read_text()


def test_a_check_tells_no_secret(tmp_path: Path) -> None:
    """`lectern check` with an admin secret that is wrong."""
    with running(Sandbox()) as url:
        environment = {"LECTERN_KALTURA_URL": url, "LECTERN_KALTURA_PARTNER_ID": "101"}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("lectern")), "check"],
            env=os.environ | environment | {"LECTERN_KALTURA_ADMIN_SECRET": WRONG_SECRET},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 1, done.stderr
    assert WRONG_SECRET not in done.stdout + done.stderr
