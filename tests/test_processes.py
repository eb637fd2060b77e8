"""The harness keeps its word: what is killed is gone, what is started again is the same, what fails says why."""

from pathlib import Path

import httpx
import pytest

from tests import processes
from tests.processes import command, start_sandbox, start_service


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command itself; all other tests have theirs forked."""
    monkeypatch.setattr(processes, "launch", command)


@pytest.mark.always
def test_a_service_is_killed_restarted_and_stopped_on_one_port_with_one_database(tmp_path: Path) -> None:
    with start_sandbox(tmp_path) as sandbox, start_service(tmp_path, sandbox.url) as service:
        first, document = (
            service.pid,
            {
                "reference_id": "A",
                "title": "One",
                "resource": "EXTRON-100-ABC",
                "start": "2027-01-13T09:00:00",
                "duration_minutes": 50,
            },
        )
        made = httpx.post(f"{service.url}/recordings", json=document, timeout=30)
        assert made.status_code == 201

        service.kill()
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{service.url}/healthz")

        service.restart({"LECTERN_WORKERS": "1"})
        assert service.pid != first
        assert httpx.get(f"{service.url}{made.headers['Location']}").json()["id"] == made.json()["id"]
        assert service.stop() == 0
        assert "stopped" in service.tail()


def test_a_service_that_cannot_start_tells_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"not ready \(exit 2\).*LECTERN_WORKERS"):
        start_service(tmp_path, "http://127.0.0.1:1", {"LECTERN_WORKERS": "many"})
