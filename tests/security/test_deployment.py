"""What is written down for running it: compose.yaml, nginx.conf, .env.example, and the systemd units in docs.

No engine runs them here, so their texts are held to what can be checked without one.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from configparser import ConfigParser
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml  # type: ignore[import-untyped]

from app.http.hosts import allowed
from app.main import create_app
from app.settings import PREFIX, Settings
from tests.service import lectern

ROOT = Path(__file__).parents[2]
OPERATING, ENCODERS = ((ROOT / f"docs/{page}.md").read_text(encoding="utf-8") for page in ("operating", "encoders"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
NGINX = (ROOT / "deploy/nginx.conf").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
SERVICES: dict[str, Any] = COMPOSE["services"]
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields} | {PREFIX + "TEST_DATABASE_URL"}
# What commands that ask a service read, and what `lectern watch` tells those that it starts.
for source in (ROOT / "app/cli").rglob("*.py"):
    KNOWN |= set(re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]\b", source.read_text(encoding="utf-8")))
KNOWN |= {PREFIX + name for name in re.findall('"([A-Z_]+)":', (ROOT / "app/watch/schedule.py").read_text())}


PAGES = ["README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("file", ["compose.yaml", ".env.example", "deploy/nginx.conf", "Dockerfile", *PAGES])
def test_every_setting_that_is_named_exists(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+[A-Z]\b", text)) <= KNOWN


# compose.yaml


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_read_only_without_rights_and_watched(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "healthcheck" in service or (service["image"] == "lectern" and "HEALTHCHECK" in DOCKERFILE)
    assert all(not volume.startswith("/") for volume in service.get("volumes", [])), "nothing of the machine's"


def test_two_lecterns_share_postgresql_and_nothing_else() -> None:
    service = SERVICES["lectern"]
    assert service["deploy"]["replicas"] == 2
    assert "volumes" not in service
    assert service["depends_on"] == {"database": {"condition": "service_healthy"}}
    url = service["environment"]["LECTERN_DATABASE_URL"]
    assert re.fullmatch(r"postgresql\+psycopg://lectern:\$\{DATABASE_PASSWORD[^}]*}@database/lectern", url)
    assert {SERVICES["database"]["environment"][f"POSTGRES_{name}"] for name in ("USER", "DB")} == {"lectern"}


def test_only_the_balancer_is_reached_from_outside_and_the_database_reaches_nowhere() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]
    assert SERVICES["balancer"]["ports"] == ["127.0.0.1:8080:8080"]
    assert SERVICES["database"]["networks"] == ["back"]
    assert COMPOSE["networks"]["back"] == {"internal": True}


def test_no_secret_stands_in_it() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|TOKEN|KEY", name) or value.startswith("${")
    assert SERVICES["lectern"]["env_file"] == ".env"
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_balancer_knows_where_to_and_waits_long_enough() -> None:
    host, port = re.findall(r"server (\w+):(\d+) resolve", NGINX)[0]
    assert host in SERVICES
    assert f"LECTERN_PORT={port}" in DOCKERFILE
    assert int(re.findall(r"proxy_read_timeout (\d+)s", NGINX)[0]) > 30
    listens = re.findall(r"listen (\d+);", NGINX)
    assert SERVICES["balancer"]["ports"][0].endswith(f":{listens[0]}")
    assert f":{listens[0]}/healthz" in " ".join(SERVICES["balancer"]["healthcheck"]["test"])


def test_the_balancer_passes_on_what_addresses_are_made_of(tmp_path: Path) -> None:
    """The console's forms and calendar links need the name with its port, and the scheme that a browser sees."""
    assert dict(re.findall(r"proxy_set_header (\S+) (\S+);", NGINX)) == {
        "Connection": '""',
        "Host": "$http_host",
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$asked_by",
    }
    (schemes,) = re.findall(r"map \$http_x_forwarded_proto \$asked_by {([^}]*)}", NGINX)
    assert schemes.split() == ["default", "$scheme;", "http", "http;", "https", "https;"]
    seen_by = SERVICES["balancer"]["ports"][0].rpartition(":")[0]
    with lectern(tmp_path, api_keys=f"registrar={'k' * 40}") as service:
        sent = {"Host": seen_by, "Origin": f"http://{seen_by}"}
        answer = service.client.post("/console/sign-in", data={"key": "k" * 40}, headers=sent, follow_redirects=False)
        assert answer.status_code == 303


def test_every_file_it_mounts_is_there() -> None:
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    for source in (volume.split(":")[0] for volume in volumes):
        assert source in COMPOSE["volumes"] or (ROOT / source).is_file(), source


# .env.example


def test_the_example_s_settings_start_the_service(tmp_path: Path) -> None:
    shutil.copyfile(ROOT / ".env.example", tmp_path / ".env")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with mock.patch.dict(os.environ, clean, clear=True):
        settings = Settings(_env_file=tmp_path / ".env", api_keys="registrar=" + "k" * 40)
    assert not settings.embedded_sandbox
    assert "lectern.campus.example" in allowed(settings)
    assert create_app(settings).title == "Lectern"


# The systemd units of docs/operating.md, and of docs/encoders.md

(UNIT,), (WATCH,) = (re.findall(r"```ini\n(\[Unit\].*?)```", page, re.DOTALL) for page in (OPERATING, ENCODERS))


def service_of(unit: str) -> Mapping[str, str]:
    found = ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment]
    found.read_string(unit)
    return found["Service"]


def test_the_unit_runs_as_nobody_and_writes_nowhere_else() -> None:
    service = service_of(UNIT)
    hardened = {
        "DynamicUser": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "StateDirectory": "lectern",
    }
    assert {name: service[name] for name in hardened} == hardened
    assert service["ExecStart"].endswith("/lectern serve")
    assert int(service["TimeoutStopSec"]) >= 30
    assert service["EnvironmentFile"].startswith("/etc/")


def test_a_stop_of_lectern_watch_leaves_what_it_has_started() -> None:
    service = service_of(WATCH)
    assert (service["KillMode"], service["Restart"]) == ("process", "always")
    assert f"/var/lib/{service['StateDirectory']}" == service["WorkingDirectory"], "what it keeps is kept there"
    assert service["ExecStart"].split()[1:4:2] == ["watch", "--on-start"]


@pytest.mark.parametrize("unit", [UNIT, WATCH], ids=["serve", "watch"])
def test_systemd_understands_the_unit(tmp_path: Path, unit: str) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    file = tmp_path / "lectern.service"
    file.write_text(re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true", unit, flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(file)], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "lectern.service" in line]
    assert (done.returncode, told) == (0, [])
