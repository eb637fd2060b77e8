"""The house rules as tests: who imports whom, how long a file is, who commits, what the image holds."""

import ast
import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"
MAX_LINES = 400

BASE = {"settings", "db", "errors", "problems", "headers", "hosts", "limits", "access", "telemetry", "metrics"}
BASE |= {"account", "connections", "fields", "docs", "keys", "rates", "scopes", "cpu"}
BASE |= {"threads", "counters", "deadlocks", "files", "trouble"}
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(BASE, BASE),
    "kaltura": set(),
    "calendar": set(),
    "sandbox": set(),
    "__init__": set(),
    "chains": BASE,
    "resources": BASE | {"kaltura", "calendar"},
    "recordings": BASE | {"kaltura", "calendar", "chains", "resources"},
}
KNOWS_EVERYTHING = {
    *(
        "app/main.py",
        "app/server.py",
        "app/cli.py",
        "app/cli_keys.py",
        "app/cli_account.py",
        "app/cli_database.py",
        "app/checks.py",
        "app/readiness.py",
    ),
    "app/gauges.py",
    *("app/__main__.py", "migrations/env.py"),
}
MIGRATIONS_MAY_IMPORT = {"db"}  # a migration describes its own tables: models go on without it

MAY_COMMIT = {"app/db.py", "app/chains/store.py"}
MAY_READ_ENVIRONMENT = {"app/settings.py"}
# These must not hold a thread while they wait.
WAIT_FOR_A_CHAIN = {
    "post /recordings",
    "post /recordings/{}/resume",
    "post /chains/{}/resume",
    "post /recordings/batch",
    "put /recordings/by-reference/{}",
    "patch /recordings/{}",
    "delete /recordings/{}",
    "patch /recordings/{}/occurrences/{}",
    "delete /recordings/{}/occurrences/{}",
    "post /recordings/{}/occurrences/{}/restore",
}
WAIT_FOR_KALTURA = {"post /recordings/preview", "get /resources", "get /resources/{}"}
ANSWER_FROM_MEMORY = {"get /resources/{}/upcoming", "get /resources/{}/upcoming.ics"}
ANSWER_WHATEVER_THE_THREADS_DO = {"get /healthz", "get /readyz"}
HTTP_METHODS = {"get", "put", "post", "patch", "delete", "head", "options", "api_route"}


def name_of(path: Path) -> str:
    """A file's path from the root, as the rules write it: ``app/chains/store.py``."""
    return path.relative_to(ROOT).as_posix()


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path)))


def imported(name: str, tree: Iterable[ast.AST]) -> set[str]:
    """Every module of ours that a file imports, in full and absolute: ``app.chains.store``, ``app.db``."""
    package = name.split("/")[:-1]
    found = set[str]()
    for node in tree:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*parent, *([node.module] if node.module else [])])
            found |= {f"{origin}.{alias.name}" for alias in node.names} if origin == "app" else {origin}
    return {module for module in found if module.split(".")[0] in {"app", "migrations", "tests"}}


def forbidden_imports(name: str, tree: Iterable[ast.AST]) -> set[str]:
    """The modules that the file called ``name`` imports and may not."""
    found = imported(name, tree)
    if name in KNOWS_EVERYTHING:
        return {module for module in found if module.startswith("tests")}
    folder, part = name.removesuffix(".py").split("/")[:2]
    if folder == "migrations":
        allowed = MIGRATIONS_MAY_IMPORT
    else:
        assert part in MAY_IMPORT, f"{name}: give this new part its place in MAY_IMPORT"
        allowed = MAY_IMPORT[part] | {part}
    return {module for module in found if module.split(".")[:2] not in [["app", other] for other in allowed]}


def test_imports_go_one_way() -> None:
    wrong = {
        name: found
        for path in sources("app", "migrations")
        if (found := forbidden_imports(name := name_of(path), nodes(path)))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("place", "line", "wrong"),
    [
        ("app/calendar/plan.py", "from app.errors import Problem", {"app.errors"}),
        ("app/calendar/plan.py", "from .recurrence import Rule", set()),
        ("app/chains/engine.py", "from app import db, kaltura", {"app.kaltura"}),
        ("app/chains/engine.py", "from ..kaltura import client", {"app.kaltura"}),
        ("app/chains/engine.py", "from .. import db, recordings", {"app.recordings"}),
        ("app/db.py", "def later():\n    import app.chains.store", {"app.chains.store"}),
        ("app/docs.py", "from app.settings import Settings", set()),
        ("app/kaltura/client.py", "import app", {"app"}),
        ("app/recordings/steps.py", "from app.sandbox import state", {"app.sandbox"}),
        ("app/resources/mirror.py", "from app.recordings.models import Recording", {"app.recordings.models"}),
        ("app/resources/mirror.py", "from app.kaltura.client import Kaltura", set()),
        ("app/sandbox/state.py", "from app.calendar import recurrence", {"app.calendar"}),
        ("app/main.py", "from tests.processes import start_service", {"tests.processes"}),
        ("app/cli.py", "from app.sandbox import server", set()),
        (
            "migrations/versions/0001_first.py",
            "from app.recordings.models import R",
            {"app.recordings.models"},
        ),
    ],
)
def test_an_import_of_the_wrong_part_is_seen(place: str, line: str, wrong: set[str]) -> None:
    assert forbidden_imports(place, ast.walk(ast.parse(line))) == wrong


def test_no_file_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources("app")}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def test_only_the_request_s_session_and_the_chain_store_commit() -> None:
    """The sandbox is left out: it is another program, with a database of its own."""
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources("app")
        if name_of(path) not in MAY_COMMIT and not name_of(path).startswith("app/sandbox/")
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr == "commit"
    ]
    assert wrong == []


def test_only_the_settings_read_the_environment() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources("app", "migrations")
        if name_of(path) not in MAY_READ_ENVIRONMENT
        for node in nodes(path)
        if (isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "putenv"})
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and "env" in ast.unparse(node))
    ]
    assert wrong == []


def endpoints(file: Path) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """A router's functions, each with its method and path, parameters unnamed: ``get /resources/{}``."""
    tree = list(nodes(file))
    prefixes = [
        keyword.value.value
        for node in tree
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "APIRouter"
        for keyword in node.keywords
        if keyword.arg == "prefix" and isinstance(keyword.value, ast.Constant)
    ]
    prefix = str(prefixes[0]) if prefixes else ""
    for node in tree:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for mark in node.decorator_list:
                match mark:
                    case ast.Call(ast.Attribute(attr=method), [ast.Constant(str(path)), *_]) if method in HTTP_METHODS:
                        yield f"{method} {re.sub(r'{[^}]*}', '{}', prefix + path)}", node


def test_an_endpoint_is_known_by_its_method_and_whole_path(tmp_path: Path) -> None:
    router = tmp_path / "router.py"
    router.write_text(
        "router = APIRouter(prefix='/resources', tags=['x'])\n"
        "@router.get('/{resource_id}/upcoming', name='y')\nasync def upcoming() -> None: ...\n"
        "@router.get('')\n@cached\ndef resources() -> None: ...\n"
        "def helper() -> None: ...\n"
    )
    found = {endpoint: type(function) for endpoint, function in endpoints(router)}
    assert found == {"get /resources/{}/upcoming": ast.AsyncFunctionDef, "get /resources": ast.FunctionDef}


def test_endpoints_are_sync_but_for_those_that_wait_or_answer_from_memory() -> None:
    asynchronous = {
        endpoint
        for path in sources("app")
        for endpoint, function in endpoints(path)
        if isinstance(function, ast.AsyncFunctionDef)
    }
    assert asynchronous == WAIT_FOR_A_CHAIN | WAIT_FOR_KALTURA | ANSWER_FROM_MEMORY | ANSWER_WHATEVER_THE_THREADS_DO


def test_what_works_in_a_thread_has_a_place() -> None:
    """So nobody waits for a thread that others hold: app/threads.py."""
    wrong = [
        endpoint
        for path in sources("app")
        for endpoint, function in endpoints(path)
        if isinstance(function, ast.FunctionDef)
        and "Reading" not in [ast.unparse(each.annotation) for each in function.args.args if each.annotation]
        and "dependencies=[HEALTH]" not in ast.unparse(function.decorator_list[0])
    ]
    assert wrong == []


def test_a_request_holds_nothing_between_two_threads() -> None:
    """What a dependency opens in one thread is held while the request waits for the next."""
    named = [
        (path, ast.unparse(node.args[0]))
        for path in sources("app")
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Depends", "Security"} and node.args
    ]
    sync = set[str]()
    for path, name in named:
        module, _, function = name.rpartition(".")
        defined = path.with_name(f"{module}.py") if module else path
        sync |= {node.name for node in nodes(defined) if isinstance(node, ast.FunctionDef) and node.name == function}
    assert len(named) > 5
    assert sync == set()


def test_endpoints_parse_call_and_return() -> None:
    """No try, no query in a router: the first belongs to the error handler, the second to a function."""
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources("app")
        for _, function in endpoints(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Try)
        or (isinstance(node, ast.Attribute) and node.attr in {"exec", "execute", "scalar", "scalars"})
    ]
    assert wrong == []


def test_nothing_prints() -> None:
    wrong = [
        f"{name_of(path)}:{node.lineno}"
        for path in sources("app", "migrations")
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert wrong == []


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
