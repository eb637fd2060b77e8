"""How the service says how it is: `/healthz` and `/readyz`."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI

from app.operations import health
from tests.client import client_of
from tests.service import Json, Lectern, eventually, found, lectern, problem


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    with lectern(tmp_path) as running:
        yield running


def test_a_process_that_answers_is_alive(service: Lectern) -> None:
    service.fault("drop_before")
    assert service.get("/healthz") == {"status": "ok"}
    assert service.calls() == []


def test_a_service_that_has_everything_is_ready(service: Lectern) -> None:
    service.calls()
    shown = service.get("/readyz")
    assert shown["status"] == "ok"
    assert {name: part["state"] for name, part in shown["parts"].items()} == dict.fromkeys(shown["parts"], "ok")
    assert set(shown["parts"]) == {"database", "kaltura", "workers", "mirror", "chains", "findings"}
    assert service.calls() == ["session.startWidgetSession", "appToken.startSession", "scheduleEvent.list"]
    assert service.get("/readyz") == shown
    assert service.calls() == [], "Kaltura was asked just now"


@pytest.mark.parametrize(
    ("fault", "service_name", "more"),
    [("drop_before", "*", {}), ("html", "*", {}), ("error", "appToken", {"code": "APP_TOKEN_ID_NOT_FOUND"})],
)
def test_kaltura_away_is_degraded_until_it_is_back(
    service: Lectern, fault: str, service_name: str, more: dict[str, str]
) -> None:
    service.fault(fault, service_name, **more)
    recording = found(service.schedule(prefer="wait=0"), 202)

    def look() -> Json | None:
        shown: Json = service.get("/readyz")
        return shown if shown["status"] == "degraded" else None

    ready = eventually(look)
    assert ready["parts"]["kaltura"]["state"] == "degraded"
    assert ready["parts"]["kaltura"]["detail"]
    assert ready["parts"]["database"]["state"] == "ok"
    assert "sandbox-token" not in str(ready)
    service.heal()
    service.until(recording["id"], "scheduled", 20)
    assert service.get("/readyz")["status"] == "ok"


def test_readiness_is_worked_out_once_a_second_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOK_EVERY", 1.0)
    now, looked = [1000.0], []
    monkeypatch.setattr(health, "monotonic", lambda: now[0])
    part = health.Part(state="ok", detail="answers")
    app = FastAPI()
    app.include_router(health.router)
    app.state.looking = health.Looking({"one": lambda: looked.append(now[0]) or part})  # type: ignore[func-returns-value]
    with client_of(app) as client, ThreadPoolExecutor(10) as many:
        for moment in (1000.0, 1000.9, 1001.0):
            now[0] = moment
            answers = list(many.map(lambda _: client.get("/readyz").json(), range(20)))
            assert answers == [{"status": "ok", "parts": {"one": {"state": "ok", "detail": "answers"}}}] * 20
    assert looked == [1000.0, 1001.0]


def test_a_database_away_is_not_ready(service: Lectern, tmp_path: Path) -> None:
    """The file is gone, and so are the connections that had it open."""
    service.app.state.database.engine.dispose()
    for file in tmp_path.glob("lectern.db*"):
        file.rename(file.with_name("away" + file.name))
    (tmp_path / "lectern.db").mkdir()
    shown = found(service.client.get("/readyz"), 503)
    assert (shown["status"], shown["parts"]["database"]["state"]) == ("down", "down")
    assert service.get("/healthz") == {"status": "ok"}
    for answer in (service.client.get("/recordings"), service.schedule()):
        problem(answer, 503, "database_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
    assert service.writes() == [], "nothing is begun that cannot be remembered"
    (tmp_path / "lectern.db").rmdir()
    for file in tmp_path.glob("awaylectern.db*"):
        file.rename(file.with_name(file.name.removeprefix("away")))
    assert service.get("/readyz")["parts"]["database"]["state"] == "ok"
    assert service.made()["occurrence_count"] == 36
