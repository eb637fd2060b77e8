"""Whatever is wrong on the way to Kaltura, `lectern check` and `/readyz` name it in a sentence, without a secret."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text, update
from typer.testing import CliRunner, Result

from app.chains.models import Chain
from app.cli import main
from app.database.account import Account
from app.database.database import Database
from app.database.migrating import MIGRATIONS, migrate
from app.database.types import database_now
from app.main import Kaltura, create_app
from app.operations import checks
from app.operations.checks import Finding
from app.resources.models import Mirror, Resource
from app.sandbox.seed.seed import ADMIN_SECRET, APP_TOKEN, APP_TOKEN_ID, PARTNER_ID
from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from app.sandbox.transport import SandboxTransport
from tests.service import Json, Lectern, eventually, found, lectern, logs_as_they_are, settings

KEY = "k" * 32
ACCOUNT = Account("sandbox:", 0)  # of an application whose network is a stand-in
SCHEDULE = ("schedule_scheduleEvent", "schedule_scheduleResource", "schedule_scheduleEventResource")


# Causes


@dataclass(frozen=True)
class Cause:
    """What is wrong, what both say of it, and what the command advises."""

    says: str
    advises: str
    faults: list[Json] = field(default_factory=list)
    url: str = ""  # instead of the sandbox's, or added to it
    sign_in: Json = field(default_factory=lambda: {"app_token_id": APP_TOKEN_ID, "app_token": APP_TOKEN})


def refused(code: str, *services: str, action: str = "*") -> list[Json]:
    return [{"service": service, "action": action, "fault": "error", "code": code} for service in services]


CAUSES = {
    "wrong secret": Cause(
        "Kaltura does not accept the admin secret for this partner id.",
        "LECTERN_KALTURA_PARTNER_ID",
        sign_in={"admin_secret": "canary-secret"},
    ),
    "wrong token": Cause(
        "Kaltura does not accept the app token's value for this app token id.",
        "LECTERN_KALTURA_APP_TOKEN",
        sign_in={"app_token_id": APP_TOKEN_ID, "app_token": "canary-token"},
    ),
    "expired token": Cause(
        "The app token has expired: Kaltura does not accept it any more.",
        "Make a new app token",
        refused("APP_TOKEN_EXPIRED", "appToken"),
    ),
    "no schedule feature": Cause(
        "(SERVICE_FORBIDDEN): the schedule feature is not enabled for this account, or not for this sign-in",
        "Ask your Kaltura account manager to enable the schedule feature",
        refused("SERVICE_FORBIDDEN", *SCHEDULE),
    ),
    "no schedule plugin": Cause(
        "(SERVICE_DOES_NOT_EXISTS): the schedule feature is not enabled for this account",
        "Ask your Kaltura account manager to enable the schedule feature",
        refused("SERVICE_DOES_NOT_EXISTS", *SCHEDULE),
    ),
    "wrong address": Cause(
        "HTTP 404 instead of an answer: is Kaltura's address right?", "LECTERN_KALTURA_URL", url="/elsewhere"
    ),
    "a web page": Cause(
        "a web page instead of an answer: is Kaltura's address right, is a proxy between?",
        "LECTERN_KALTURA_URL",
        [{"fault": "html"}],
    ),
    "no DNS": Cause(
        "Kaltura cannot be reached: its host name has no address (DNS)",
        "LECTERN_KALTURA_URL",
        url="http://kaltura.invalid",
    ),
    "nothing there": Cause(
        "Kaltura cannot be reached: nothing listens at its address", "LECTERN_KALTURA_URL", url="http://127.0.0.1:9"
    ),
}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Sandbox, str]]:
    sandbox = Sandbox()
    with running(sandbox) as url:
        yield sandbox, url
    sandbox.close()


@pytest.fixture(params=CAUSES, ids=lambda name: name.replace(" ", "-"))
def wrong(request: pytest.FixtureRequest, served: tuple[Sandbox, str]) -> Iterator[tuple[Cause, Json]]:
    """What is wrong, and the settings with which it is."""
    cause, (sandbox, url) = CAUSES[request.param], served
    sandbox.set_faults({"faults": cause.faults})
    address = cause.url if cause.url.startswith("http") else url + cause.url
    sign_in = {f"kaltura_{name}": value for name, value in cause.sign_in.items()}
    yield cause, {"kaltura_url": address, "kaltura_partner_id": PARTNER_ID, "api_keys": f"a={KEY}", **sign_in}
    sandbox.set_faults({})


def no_secret_in(shown: str, values: Json) -> None:
    for secret in (values.get("kaltura_admin_secret"), values.get("kaltura_app_token"), KEY):
        assert not secret or secret not in shown
    assert "Traceback" not in shown


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str, **values: Any) -> Result:
    monkeypatch.chdir(folder)
    for name, value in {"database_url": f"sqlite:///{folder}/lectern.db", **values}.items():
        monkeypatch.setenv(f"LECTERN_{name.upper()}", str(value))
    with logs_as_they_are():
        return CliRunner().invoke(main.main, ["check", *arguments], catch_exceptions=False)


def test_the_command_names_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: tuple[Cause, Json]
) -> None:
    cause, values = wrong
    answer = command(monkeypatch, tmp_path, **values)
    assert answer.exit_code == 1
    lines = answer.output.splitlines()
    line, advice = next((lines[n], lines[n + 1]) for n in range(len(lines)) if "NOT OK" in lines[n])
    assert cause.says in line
    assert cause.advises in advice
    no_secret_in(answer.output, values)


def test_readiness_names_the_cause_before_anybody_has_asked_for_anything(
    tmp_path: Path, wrong: tuple[Cause, Json]
) -> None:
    cause, values = wrong
    app = create_app(settings(tmp_path, **values))
    with TestClient(app) as client:

        def look() -> Json | None:
            shown: Json = found(client.get("/readyz"))
            return shown if shown["parts"]["kaltura"]["state"] != "ok" else None

        shown = eventually(look)
    assert shown["status"] == "degraded"
    assert cause.says in shown["parts"]["kaltura"]["detail"]
    assert len(shown["parts"]["kaltura"]["detail"]) < 300
    no_secret_in(str(shown), values)


# The command

check = partial(checks.check, per_second=5.0, confirms=True)


def checked(service: Lectern, **more: bool) -> list[Finding]:
    return list(check(service.app.state.database, MIGRATIONS, service.app.state.kaltura, ACCOUNT, **more))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lectern]:
    with lectern(tmp_path_factory.mktemp("checks")) as running:
        yield running


def test_where_all_is_well_it_says_what_was_looked_at_and_changes_nothing(service: Lectern) -> None:
    service.calls()
    findings = checked(service)
    assert [finding for finding in findings if not finding.ok] == []
    said = "\n".join(finding.checked for finding in findings)
    for part in ("database", "stuck", "sign-in", "clock", "3", "schedule events", "links", "entries", "categories"):
        assert part in said
    assert service.writes() == []


def test_with_write_it_adds_what_a_chain_adds_and_removes_it(service: Lectern) -> None:
    before = service.left()
    service.calls()
    findings = checked(service, write=True)
    assert all(finding.ok for finding in findings)
    assert service.writes() == ["media.add", "media.delete", "scheduleEvent.add", "scheduleEvent.delete"]
    assert service.left() == before


def test_what_may_not_be_added_is_named(service: Lectern) -> None:
    service.fault("error", "media", "add", code="SERVICE_FORBIDDEN")
    wrong = [finding for finding in checked(service, write=True) if not finding.ok]
    service.heal()
    assert [finding.checked for finding in wrong] == [
        "Kaltura forbids media.add (SERVICE_FORBIDDEN): this sign-in lacks the permission for it"
    ]
    assert wrong[0].what_to_do == "Ask your Kaltura account manager to let this sign-in use media.add."


@pytest.mark.parametrize(("hours", "says"), [(1, "behind"), (-1, "ahead of")])
def test_a_clock_that_is_wrong_is_named(tmp_path: Path, hours: int, says: str) -> None:
    apart = timedelta(hours=hours)
    sandbox = Sandbox(clock=lambda: (datetime.now(UTC) + apart).timestamp())
    kaltura = Kaltura(settings(tmp_path), SandboxTransport(sandbox))
    database = Database(f"sqlite:///{tmp_path}/lectern.db")
    migrate(database)
    (wrong,) = [one for one in check(database, MIGRATIONS, kaltura.client(), kaltura.account) if not one.ok]
    assert wrong.checked in {f"this machine's clock is {3600 - off} s {says} Kaltura's" for off in (0, 1)}
    assert "NTP" in wrong.what_to_do
    database.close()
    sandbox.close()


@pytest.mark.parametrize(
    ("statement", "ok", "says"),
    [
        ("SELECT 1", True, "its tables are this version's"),
        ("UPDATE alembic_version SET version_num = '0001'", False, "an older version's"),
        ("UPDATE alembic_version SET version_num = 'from_the_future'", False, "a newer version's"),
        ("DROP TABLE alembic_version", True, "empty"),
    ],
)
def test_the_state_of_the_database_is_told(
    tmp_path: Path, service: Lectern, statement: str, ok: bool, says: str
) -> None:
    database = Database(f"sqlite:///{tmp_path}/lectern.db")
    migrate(database)
    with database.write() as session:
        session.execute(text(statement))
    _, state, *_ = check(database, MIGRATIONS, service.app.state.kaltura, ACCOUNT)
    database.close()
    assert (state.ok, says in state.checked) == (ok, True)


def test_how_often_the_rooms_are_looked_at_is_told(service: Lectern) -> None:
    database = service.app.state.database
    with database.write() as session:
        session.add_all(Resource(id=number, name="r", kind="camera") for number in (1, 2))
        session.flush()
        session.execute(update(Mirror).values(asked_at=database_now()))

    def told(per_second: float) -> Finding:
        findings = check(database, MIGRATIONS, service.app.state.kaltura, ACCOUNT, per_second=per_second)
        return next(one for one in findings if "asked for" in one.checked)

    assert told(5.0).checked == "2 resource(s) were asked for in the last hour; each is looked at every 60 s"
    seldom = told(0.01)
    assert "every 200 s" in seldom.checked
    assert (seldom.ok, "LECTERN_REFRESHES_PER_SECOND" in seldom.what_to_do) == (True, True)


@pytest.mark.parametrize(
    ("account", "says"),
    [
        (Account("https://kaltura.example", 4711), "https://kaltura.example, partner 4711"),
        (ACCOUNT, "the embedded sandbox: this is no real account"),
    ],
)
def test_which_kaltura_is_asked_is_said_first(tmp_path: Path, service: Lectern, account: Account, says: str) -> None:
    """Before a wrong one is: whoever has left a setting out would believe that all is well."""
    database = Database(f"sqlite:///{tmp_path}/lectern.db")
    first = next(check(database, MIGRATIONS, service.app.state.kaltura, account))
    database.close()
    assert first.checked == f"the Kaltura that is asked is {says}"
    assert ("LECTERN_KALTURA_URL" in first.what_to_do) is account.embedded


def test_a_database_that_is_away_is_told_and_kaltura_looked_at_all_the_same(tmp_path: Path, service: Lectern) -> None:
    (tmp_path / "lectern.db").mkdir()
    database = Database(f"sqlite:///{tmp_path}/lectern.db")
    findings = list(check(database, MIGRATIONS, service.app.state.kaltura, ACCOUNT))
    database.close()
    says = "the database cannot be used: its file cannot be opened (unable to open database file)"
    assert findings[1].checked == says
    assert findings[1].what_to_do.startswith("Its folder must be there, on a file system that is not read-only")
    assert any("accepts the sign-in" in finding.checked for finding in findings)


def test_the_command_ends_with_zero_where_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: tuple[Sandbox, str]
) -> None:
    sign_in = {"kaltura_partner_id": PARTNER_ID, "kaltura_admin_secret": ADMIN_SECRET}
    answer = command(monkeypatch, tmp_path, "--write", kaltura_url=served[1], **sign_in)
    assert (answer.exit_code, "NOT OK" in answer.output) == (0, False)
    assert ADMIN_SECRET not in answer.output


# What is stuck


def impatient(service: Lectern) -> None:
    """As if a day had gone by."""
    with service.app.state.database.write() as session:
        session.execute(update(Chain).values(tried=1e9, next_attempt_at=0.0))


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
        (stuck,) = [one for one in checked(service) if not one.ok]
        assert recording["id"] in stuck.checked
        assert "template_entry" in stuck.checked
        assert f"POST /recordings/{recording['id']}/resume" in stuck.what_to_do
        service.heal()
        found(service.client.post(f"/recordings/{recording['id']}/resume"), 200)
        eventually(lambda: parts(service)["chains"]["state"] == "ok" or None)
