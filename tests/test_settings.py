"""Settings: read from the environment alone, wrong ones told by name and rule, never by value."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from app.cli.main import main
from app.settings import PREFIX, Settings, is_loopback, unknown_variables
from tests.service import logs_as_they_are

SECRET = "swordfish-0123456789abcdef"
KALTURA = {"kaltura_url": "https://kaltura.example", "kaltura_partner_id": 101}
TOKEN = {"kaltura_app_token_id": "0_abc", "kaltura_app_token": SECRET}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """An environment without settings, in a folder without `.env`."""
    for name in list_settings():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with logs_as_they_are():
        yield


def list_settings() -> list[str]:
    return [PREFIX + name.upper() for name in Settings.model_fields]


def test_nothing_has_to_be_set() -> None:
    settings = Settings()
    assert settings.embedded_sandbox
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 8)
    assert settings.time_zone == "UTC"


def test_every_setting_is_described() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LECTERN_PORT=1\nLECTERN_WORKERS=2\n")
    monkeypatch.setenv("LECTERN_PORT", "3")
    assert (Settings().port, Settings().workers) == (3, 2)


def test_what_is_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Settings()
    for name in list_settings():
        monkeypatch.setenv(name, "")
    assert Settings() == plain


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ({}, "sqlite:///lectern-sandbox.db"),
        (KALTURA | TOKEN, "sqlite:///lectern.db"),
        ({"database_url": "sqlite:///lectern.db"}, "sqlite:///lectern.db"),
        (KALTURA | TOKEN | {"database_url": "sqlite:///mine.db"}, "sqlite:///mine.db"),
    ],
)
def test_a_first_try_with_the_embedded_sandbox_has_a_database_of_its_own(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], url: str
) -> None:
    assert Settings(**values).database_url == url
    for name, value in values.items():
        monkeypatch.setenv(PREFIX + name.upper(), str(value))
    assert Settings().database_url == url


@pytest.mark.parametrize("name", ["kaltura_app_token", "kaltura_admin_secret", "api_keys", "database_url"])
def test_secrets_are_not_shown(name: str) -> None:
    value = f"postgresql+psycopg://lectern:{SECRET}@db/lectern" if name == "database_url" else SECRET
    settings = Settings(**{name: value})  # type: ignore[arg-type]
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"kaltura_url": f"ftp://{SECRET}"}, "KALTURA_URL"),
        ({"kaltura_url": f"https://user:{SECRET}@kaltura.example"}, "KALTURA_URL"),
        ({"kaltura_url": f"https://kaltura.example?ks={SECRET}"}, "KALTURA_URL"),
        ({"kaltura_url": SECRET}, "KALTURA_URL"),
        ({"kaltura_url": f"https://kaltura.example:{SECRET}"}, "KALTURA_URL"),
        ({"kaltura_url": "https://kaltura.example:65536"}, "KALTURA_URL"),
        ({"kaltura_partner_id": SECRET}, "KALTURA_PARTNER_ID"),
        ({"kaltura_url": "https://kaltura.example"} | TOKEN, "KALTURA_PARTNER_ID"),
        (KALTURA, "KALTURA_APP_TOKEN_ID"),
        (KALTURA | {"kaltura_app_token": SECRET}, "KALTURA_APP_TOKEN_ID"),
        ({"kaltura_read_timeout": 0}, "KALTURA_READ_TIMEOUT"),
        ({"database_url": f"postgresql://lectern:{SECRET}@db/lectern"}, "DATABASE_URL"),
        ({"database_url": f"mysql://{SECRET}"}, "DATABASE_URL"),
        ({"database_url": SECRET}, "DATABASE_URL"),
        ({"database_url": f"postgresql+psycopg://lectern:p@ss:{SECRET}@127.0.0.1/lectern"}, "DATABASE_URL"),
        ({"database_url": f"postgresql+psycopg://lectern:p@{SECRET}@127.0.0.1:1/lectern"}, "DATABASE_URL"),
        ({"database_url": f"postgresql+psycopg://lectern:p@127/{SECRET}@127.0.0.1:1/lectern"}, "DATABASE_URL"),
        ({"database_url": f"postgresql+psycopg://lectern:{SECRET}/lectern"}, "DATABASE_URL"),
        ({"database_url": f"postgresql+psycopg://?user=lectern&password=p@{SECRET}"}, "DATABASE_URL"),
        ({"database_url": "sqlite:///"}, "DATABASE_URL"),
        ({"database_url": "sqlite:///:memory:"}, "DATABASE_URL"),
        ({"database_url": "sqlite:///file::memory:?uri=true"}, "DATABASE_URL"),
        ({"database_url": f"sqlite:///lectern.db?key={SECRET}"}, "DATABASE_URL"),
        ({"allowed_hosts": f"http://{SECRET}"}, "ALLOWED_HOSTS"),
        ({"allowed_hosts": f"localhost,{SECRET}:8000"}, "ALLOWED_HOSTS"),
        ({"port": 65536}, "PORT"),
        ({"port": SECRET}, "PORT"),
        ({"workers": 0}, "WORKERS"),
        ({"lease_seconds": 0.5}, "LEASE_SECONDS"),
        ({"log_level": SECRET}, "LOG_LEVEL"),
        ({"time_zone": SECRET}, "TIME_ZONE"),
        ({"kaltura_server_time_zone": SECRET}, "KALTURA_SERVER_TIME_ZONE"),
        ({"api_keys": f"registrar:{SECRET}"}, "API_KEYS"),
        ({"api_keys": f"registrar={SECRET}"}, "API_KEYS"),  # 26 characters are too few
        ({"api_keys": f"={SECRET}{SECRET}"}, "API_KEYS"),
        (KALTURA | TOKEN, "API_KEYS"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_its_name_and_rule(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], named: str
) -> None:
    for name, value in ({"port": 0} | values).items():
        monkeypatch.setenv(PREFIX + name.upper(), str(value))
    done = CliRunner().invoke(main, ["serve"])
    assert done.exit_code == 2
    assert PREFIX + named in done.output
    assert SECRET not in done.output
    assert "Traceback" not in done.output
    assert len(done.output.splitlines()) == 1
    assert list(Path().iterdir()) == [], "nothing was opened"
    assert not set("^$|\\").intersection(done.output), "in words, not as a regular expression"


@pytest.mark.parametrize("level", ["DEBUG", "debug", "Warning"])
def test_a_log_level_is_taken_in_any_case(monkeypatch: pytest.MonkeyPatch, level: str) -> None:
    monkeypatch.setenv("LECTERN_LOG_LEVEL", level)
    assert Settings().log_level == level.upper()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////var/lib/lectern/lectern.db",
        "postgresql+psycopg://lectern:p%40ss%3Aw0rd@127.0.0.1:5432/lectern",
        "postgresql+psycopg://lectern:p/w?r#d@db.campus.example/lectern?sslmode=require",
        "postgresql+psycopg:///lectern?host=/var/run/postgresql",
    ],
)
def test_an_address_that_can_be_read_is_taken_as_it_is(url: str) -> None:
    assert Settings(database_url=url).database_url == url


def test_an_error_shown_as_it_is_holds_no_value_either() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(kaltura_url=SECRET, log_level=SECRET)
    assert SECRET not in str(caught.value)


def test_misspelt_variables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert unknown_variables() == []
    monkeypatch.setenv("LECTERN_PROT", SECRET)
    monkeypatch.setenv("LECTERN_PORT", "8000")
    monkeypatch.setenv("lectern_workers", "2")
    monkeypatch.setenv("LECTERN_TEST_DATABASE_URL", "")
    Path(".env").write_text("LECTERN_TIMEZONE=UTC\nOTHER=1\nLECTERN_HOST=127.0.0.1\n")
    assert unknown_variables() == ["LECTERN_PROT", "LECTERN_TIMEZONE"]
    done = CliRunner().invoke(main, ["migrate"], catch_exceptions=False)
    told = [json.loads(line) for line in done.output.splitlines()]
    assert [line["name"] for line in told if line["event"] == "unknown_setting"] == ["LECTERN_PROT", "LECTERN_TIMEZONE"]
    assert SECRET not in done.output


# Who may run without a key


@pytest.mark.parametrize(
    ("values", "here"),
    [
        ({"kaltura_url": "http://127.0.0.1:8100"}, True),
        ({"kaltura_url": "http://localhost:8100"}, True),
        ({"kaltura_url": "http://[::1]:8100", "host": "::1"}, True),
        ({"kaltura_url": "http://127.0.0.1:8100", "host": "0.0.0.0"}, False),  # noqa: S104
        ({"kaltura_url": "http://127.0.0.1:8100", "host": "::"}, False),
        ({"kaltura_url": "http://10.0.0.1:8100"}, False),
    ],
)
def test_what_is_on_this_machine_has_its_addresses(values: dict[str, Any], here: bool) -> None:
    given: dict[str, Any] = KALTURA | TOKEN | values
    assert Settings(**given).on_this_machine is here


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104
        ("::", False),
        ("10.0.0.1", False),
        ("", False),
        ("no-such-host.invalid", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("addresses", "loopback"),
    [(["127.0.0.1"], True), (["::1", "127.0.0.1"], True), (["127.0.0.1", "10.0.0.1"], False), (["10.0.0.1"], False)],
)
def test_a_name_is_loopback_if_all_of_its_addresses_are(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str], loopback: bool
) -> None:
    """Who connects to it may be given any of them."""
    known = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0)) for address in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_asked: known)
    assert is_loopback("both-ways.example") is loopback
