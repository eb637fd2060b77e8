"""What is given up on is listed for a person, with its id; `lectern check` says what to do about what it finds."""

from pathlib import Path

import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from app import cli
from app.chains.models import Chain
from app.checks import check
from app.sandbox import ADMIN_SECRET, PARTNER_ID, Sandbox, running
from tests.service import Lectern, eventually, found, lectern


def impatient(service: Lectern) -> None:
    """As if a day had gone by."""
    with service.app.state.database.write() as session:
        session.execute(update(Chain).values(deadline=0.0, next_attempt_at=0.0))


def parts(service: Lectern) -> dict[str, dict[str, str]]:
    shown: dict[str, dict[str, str]] = service.get("/readyz")["parts"]
    return shown


def test_a_stuck_recording_is_listed_until_somebody_resumes_it(tmp_path: Path) -> None:
    with lectern(tmp_path) as service:
        assert parts(service)["chains"] == {"state": "ok", "detail": "none is stuck"}
        service.fault("drop_before", "media", "add")
        recording = service.schedule(prefer="wait=1").json()
        impatient(service)
        service.until(recording["id"], "stuck")
        assert parts(service)["chains"]["state"] == "degraded"
        assert recording["id"] in parts(service)["chains"]["detail"]
        (stuck,) = [one for one in check(service.app.state.database, service.app.state.kaltura) if not one.ok]
        assert recording["id"] in stuck.checked
        assert "template_entry" in stuck.checked
        assert f"POST /recordings/{recording['id']}/resume" in stuck.what_to_do
        service.heal()
        found(service.client.post(f"/recordings/{recording['id']}/resume"), 200)
        eventually(lambda: parts(service)["chains"]["state"] == "ok" or None)


@pytest.mark.parametrize(
    ("secret", "code", "says"),
    [(ADMIN_SECRET, 0, "accepts the sign-in"), ("another secret", 1, "refuses the sign-in")],
)
def test_the_command_says_whether_kaltura_accepts_the_sign_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str, code: int, says: str
) -> None:
    sandbox = Sandbox()
    with running(sandbox) as url:
        monkeypatch.setenv("LECTERN_KALTURA_URL", url)
        monkeypatch.setenv("LECTERN_KALTURA_PARTNER_ID", str(PARTNER_ID))
        monkeypatch.setenv("LECTERN_KALTURA_ADMIN_SECRET", secret)
        monkeypatch.setenv("LECTERN_DATABASE_URL", f"sqlite:///{tmp_path}/lectern.db")
        answer = CliRunner().invoke(cli.main, ["check"])
    sandbox.close()
    assert answer.exit_code == code
    assert says in answer.output
    assert secret not in answer.output
