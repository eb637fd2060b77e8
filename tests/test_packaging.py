"""What is installed: the locks, and the image."""

import json
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

# The locks


LOCKS = {"requirements.lock": {"build"}, "requirements-test.lock": {"build", "test"}}  # which extras each has


def pins(lock: str) -> dict[str, str]:
    """What a lock pins: name to version. Each of its lines is checked on the way."""
    text = (ROOT / lock).read_text()
    found = dict[str, str]()
    for line in text.replace("\\\n", " ").splitlines():
        pinned = re.fullmatch(r"([\w.-]+)==(\S+)(?: ; [^#]+?)?((?:\s+--hash=sha256:[0-9a-f]{64})+)\s*", line)
        assert pinned, f"not a pinned and hashed package: {line[:80]}"
        found[canonicalize_name(pinned[1])] = pinned[2]
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    assert len(pins(lock)) > 1
    assert "://" not in (ROOT / lock).read_text()
    assert not (ROOT / "uv.lock").exists()


@pytest.mark.parametrize(("lock", "extras"), LOCKS.items())
def test_a_lock_has_what_the_project_asks_for(lock: str, extras: set[str]) -> None:
    project, locked = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"], pins(lock)
    asked = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    for wanted in map(Requirement, asked):
        version = locked.get(canonicalize_name(wanted.name))
        assert version, f"{wanted.name} is missing: make lock"
        assert wanted.specifier.contains(version, prereleases=True), f"{wanted} is locked at {version}"


def test_what_is_tested_is_what_is_installed_and_no_test_tool_is_installed_with_it() -> None:
    service, tests = pins("requirements.lock"), pins("requirements-test.lock")
    assert service.items() <= tests.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    tools = {canonicalize_name(Requirement(one).name) for one in project["optional-dependencies"]["test"]}
    assert tools & service.keys() <= {"python-dateutil"}  # icalendar's


# The image: no engine builds it here, so its text is held to what can be checked without one.


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile: for each stage its instructions ``(name, rest)``, comments and line breaks undone."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE).replace("\\\n", "")
    instructions = [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line]
    starts = [n for n, (name, _) in enumerate(instructions) if name == "FROM"]
    assert starts[0] == 0
    return [instructions[start:end] for start, end in zip(starts, [*starts[1:], len(instructions)], strict=True)]


def test_an_image_of_somebody_else_is_named_by_its_digest(stages: list[list[tuple[str, str]]]) -> None:
    """A tag says what it is, and moves; the digest holds it to what was tried."""
    named = {rest.split()[0] for stage in stages for name, rest in stage if name == "FROM"}
    named |= set(re.findall(r"^ +image: (\S+)", (ROOT / "compose.yaml").read_text(), flags=re.MULTILINE)) - {"lectern"}
    assert len(named) == 3
    assert [image for image in named if not re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image)] == []


def test_what_is_built_is_copied_into_a_stage_without_tools(stages: list[list[tuple[str, str]]]) -> None:
    build, final = stages
    assert build[0][1].endswith(" AS build")
    assert [rest.split()[0] for name, rest in final if name == "COPY"] == ["--from=build"]
    assert not re.search(r"\b(pip|apt-get|gcc|curl)\b", " ".join(rest for _, rest in final))
    fetch = next(rest for _, rest in build if "pip download" in rest)
    assert "--require-hashes" in fetch
    assert "-r requirements.lock" in fetch
    install = next(rest for _, rest in build if " install " in rest)
    assert "--no-index" in install


def test_every_file_it_copies_exists_and_reaches_the_builder(stages: list[list[tuple[str, str]]]) -> None:
    copied = {source for name, rest in stages[0] if name == "COPY" for source in rest.split()[:-1]}
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignore, "all is ignored"
    assert {line.removeprefix("!") for line in ignore if line.startswith("!")} == copied
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert {"app", "migrations", "requirements.lock"} <= copied


def test_it_runs_as_nobody_special_and_writes_to_its_volume_only(stages: list[list[tuple[str, str]]]) -> None:
    final = dict(stages[-1])
    user, group = final["USER"].split(":")
    assert int(user) >= 10000
    assert int(group) >= 10000
    assert final["WORKDIR"] == final["VOLUME"] == "/data"
    assert f"-o {user} -g {group} /data" in final["RUN"]
    environment = dict(pair.split("=", 1) for pair in final["ENV"].split())
    assert "LECTERN_DATABASE_URL" not in environment, "it is chosen by whether there is a Kaltura, in the folder /data"
    assert environment["LECTERN_HOST"] == "0.0.0.0"  # noqa: S104
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    assert final["EXPOSE"] == environment["LECTERN_PORT"]
    assert json.loads(final["CMD"]) == ["lectern", "serve"]


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (None, 1)])
def test_its_health_check_tells_well_from_ill(
    stages: list[list[tuple[str, str]]], status: int | None, code: int
) -> None:
    command = json.loads(dict(stages[-1])["HEALTHCHECK"].split(" CMD ", 1)[1])

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 0 if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Kept quiet."""

    with HTTPServer(("127.0.0.1", 0), Service) as server:
        if status:
            threading.Thread(target=server.handle_request, daemon=True).start()
        else:
            server.server_close()
        done = subprocess.run(
            [sys.executable, *command[1:]],
            env={"LECTERN_PORT": str(server.server_port), "http_proxy": "http://127.0.0.1:1"},
            capture_output=True,
            check=False,
            timeout=20,
        )
    assert (command[0], done.returncode) == ("python", code), done.stderr.decode()
