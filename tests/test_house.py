"""The house rules as tests: who imports whom, how long a file is, who commits."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"
MAX_LINES = 400

# Who may import whom, as docs/code.md draws the house: each part knows itself, the parts named here, and no other.
BASE = {"settings", "database", "http", "access"}  # what every feature stands on
MAY_IMPORT: dict[str, set[str]] = {
    "settings": set(),
    "recurrence": set(),
    "kaltura": set(),
    "sandbox": set(),
    "watch": set(),
    "database": {"settings"},
    "http": {"settings", "database"},
    "access": {"settings", "database", "http"},
    "chains": BASE,
    "notices": BASE,
    "resources": BASE | {"kaltura", "recurrence"},
    "recordings": BASE | {"kaltura", "recurrence", "chains", "resources", "notices"},
    "terms": BASE | {"kaltura", "recurrence", "chains", "resources", "recordings", "calendars", "notices"},
    "calendars": BASE | {"recurrence", "chains", "resources", "recordings", "notices"},
    "webhooks": BASE | {"notices"},
    "findings": BASE | {"kaltura", "recurrence", "chains", "resources", "recordings", "notices", "terms", "webhooks"},
    "console": BASE | {"kaltura", "recurrence", "chains", "resources", "recordings", "findings", "calendars", "terms"},
    "migrations": {"database"},  # a migration describes its own tables, and models go on without it
}
KNOWS_EVERYTHING = {"main", "api", "cli", "operations"}
# Within a part, from the ground up: a package or module knows those before it, and none after it.
FLOORS: dict[str, list[str]] = {
    "resources": ["models", "naming", "paths", "references", "conflicts", "rounds", "schemas", "lookup", "whole_list",
                  "encoders", "mirror", "feed", "router", "links_router"],
    "recordings": ["models", "upkeep", "whose", "telling", "retention", "document", "reading", "scheduling", "changing",
                   "accepting", "parameters", "router", "references_router", "occurrences_router", "calendar_router",
                   "chains_router"],
    "terms": ["models", "retention", "meetings", "reading", "comparing", "keeping", "schemas", "planning", "applying",
              "showing", "answering", "router"],
    "console": ["words", "people", "frame", "views", "templates", "moving", "new", "signing", "pages", "actions",
                "creating", "calendars", "terms", "site"],
    "findings": ["schemas", "kinds", "finding", "models", "recordings", "differences", "encoders", "service",
                 "looking", "watch", "listing", "router"],
    "calendars": ["days", "schemas", "ics", "reading", "keeping", "preview", "telling", "fan_out", "accepting",
                  "router"],
}  # fmt: skip
MAX_FILES = 12  # beside each other in a folder; `__init__.py` is none

MAY_COMMIT = {"app/database/database.py", "app/chains/store.py"}
MAY_READ_ENVIRONMENT = {"app/settings.py"}
# These must not hold a thread while they wait.
WAIT_FOR_A_CHAIN = {
    "post /recordings",
    "post /recordings/{}/resume",
    "post /chains/{}/resume",
    "post /recordings/batch",
    "put /recordings/by-reference/{}",
    "patch /recordings/by-reference/{}",
    "delete /recordings/by-reference/{}",
    "patch /recordings/{}",
    "delete /recordings/{}",
    "patch /recordings/{}/occurrences/{}",
    "delete /recordings/{}/occurrences/{}",
    "post /recordings/{}/occurrences/{}/restore",
    "put /calendars/{}",
    "post /calendars/{}/preview",  # its body may take a second to be read
    "post /console/new",
    *(f"post /console/recordings/{{}}/{action}" for action in ("cancel", "resume")),
    *(f"post /console/recordings/{{}}/sessions/{{}}/{action}" for action in ("cancel", "restore", "move")),
    *("post /console/calendars", "post /console/calendars/{}/add", "get /console/calendars/{}/add"),
    *(f"{method} /console/calendars/{{}}/days/{{}}/remove" for method in ("get", "post")),
    "post /console/calendars/{}/again",
}
WAIT_FOR_A_PLAN = {"post /terms/{}/plans"}
SIGN_IN_AND_OUT = {"get /console/sign-in", "post /console/sign-in", "post /console/sign-out"}
WAIT_FOR_A_NOTICE = {"get /notices"}
WAIT_FOR_KALTURA = {
    *("post /recordings/preview", "get /resources", "get /resources/{}", "put /resources/{}/state"),
    *("post /resources/{}/calendar-link", "delete /resources/{}/calendar-link"),
}
ANSWER_FROM_MEMORY = {"get /resources/{}/upcoming", "get /resources/{}/upcoming.ics", "get /calendar-links/{}.ics"} | {
    *("get /console/axis.css", "get /console/new", "get /console/{}"),
}
ANSWER_WHATEVER_THE_THREADS_DO = {"get /healthz", "get /readyz"}
HTTP_METHODS = {"get", "put", "post", "patch", "delete", "head", "options", "api_route"}


def name_of(path: Path) -> str:
    """A file's path from the root, as the rules write it: ``app/chains/store.py``."""
    return path.relative_to(ROOT).as_posix()


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))))


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
    part = part_of(name)
    if part in KNOWS_EVERYTHING or name == "migrations/env.py":
        return {module for module in found if module.startswith("tests")}
    assert part in MAY_IMPORT, f"{name}: give this new part its place in MAY_IMPORT"
    allowed = MAY_IMPORT[part] | {part}
    return {module for module in found if module.split(".")[:2] not in [["app", other] for other in allowed]}


def part_of(name: str) -> str:
    folder, *rest = name.removesuffix(".py").split("/")
    return rest[0] if folder == "app" else folder


def test_imports_go_one_way() -> None:
    wrong = {
        name: found
        for path in sources("app", "migrations")
        if (name := name_of(path)) != "app/__init__.py" and (found := forbidden_imports(name, nodes(path)))
    }
    assert wrong == {}


@pytest.mark.parametrize("part", FLOORS)
def test_within_a_part_imports_go_down(part: str) -> None:
    floors = FLOORS[part]
    there = {path.stem for path in (APP / part).iterdir() if path.stem not in {"__init__", "__pycache__"}}
    assert there == set(floors), "give what is new its place in FLOORS"
    wrong = []
    for path in sources(f"app/{part}"):
        floor = path.relative_to(APP / part).with_suffix("").parts[0]
        for module in imported(name_of(path), nodes(path)):
            other = module.split(".")[2:3] if module.startswith(f"app.{part}.") else []
            if floor in floors and other and floors.index(other[0]) > floors.index(floor):
                wrong.append(f"{name_of(path)} imports {module}")
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    files = {name_of(path).removesuffix(".py").replace("/", "."): path for path in sources("app")}
    graph = {}
    for module, path in files.items():
        names = imported(name_of(path), nodes(path)) | imported_one_by_one(nodes(path))
        graph[module] = names & files.keys() - {module}
    TopologicalSorter(graph).prepare()  # raises CycleError with the circle


def imported_one_by_one(tree: Iterable[ast.AST]) -> set[str]:
    """``from app.http import errors`` as ``app.http.errors``, whether that is a module or not."""
    return {
        f"{node.module}.{alias.name}"
        for node in tree
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def test_a_folder_has_no_more_files_than_one_reads_at_a_glance() -> None:
    counts = Counter(path.parent for path in sources("app") if path.name != "__init__.py")
    assert {name_of(folder): count for folder, count in counts.items() if count > MAX_FILES} == {}


def test_a_package_says_in_one_line_what_it_is_for_and_exports_nothing() -> None:
    packages = {path.parent for path in sources("app")}
    trees = {name_of(folder): ast.parse((folder / "__init__.py").read_text(encoding="utf-8")) for folder in packages}
    said = {name: ast.get_docstring(tree) or "" for name, tree in trees.items()}
    assert [name for name, tree in trees.items() if len(tree.body) != 1 or len(said[name].splitlines()) != 1] == []


@pytest.mark.parametrize(
    ("place", "line", "wrong"),
    [
        ("app/recurrence/plan.py", "from app.http.errors import Problem", {"app.http.errors"}),
        ("app/recurrence/plan.py", "from .rules import Rule", set()),
        ("app/chains/engine.py", "from app import database, kaltura", {"app.kaltura"}),
        ("app/chains/engine.py", "from ..kaltura import client", {"app.kaltura"}),
        ("app/chains/engine.py", "from .. import database, recordings", {"app.recordings"}),
        ("app/database/types.py", "def later():\n    import app.chains.store", {"app.chains.store"}),
        ("app/http/docs.py", "from app.settings import Settings", set()),
        ("app/kaltura/client.py", "import app", {"app"}),
        ("app/recordings/scheduling/steps.py", "from app.sandbox import store", {"app.sandbox"}),
        ("app/resources/lookup.py", "from app.recordings.models import Recording", {"app.recordings.models"}),
        ("app/resources/lookup.py", "from app.kaltura.client import Kaltura", set()),
        ("app/sandbox/simulator.py", "from app.recurrence import rules", {"app.recurrence"}),
        ("app/main.py", "from tests.processes import start_service", {"tests.processes"}),
        ("app/cli/main.py", "from app.sandbox import server", set()),
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
    lengths = {
        name_of(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources("app", "migrations", "tests")
    }
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
    waiting = SIGN_IN_AND_OUT | WAIT_FOR_A_CHAIN | WAIT_FOR_A_PLAN | WAIT_FOR_A_NOTICE | WAIT_FOR_KALTURA
    assert asynchronous == waiting | ANSWER_FROM_MEMORY | ANSWER_WHATEVER_THE_THREADS_DO


def test_what_works_in_a_thread_has_a_place() -> None:
    """So nobody waits for a thread that others hold: app/http/threads.py."""
    wrong = [
        endpoint
        for path in sources("app")
        for endpoint, function in endpoints(path)
        if isinstance(function, ast.FunctionDef)
        and {"Reading", "Writing", "Health"}.isdisjoint(
            ast.unparse(each.annotation) for each in function.args.args if each.annotation
        )
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
    files = {path.stem: path for path in sources("app")}
    sync = set[str]()
    for path, name in named:
        module, _, function = name.rpartition(".")
        defined = files[module] if module else path
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


def test_code_says_resource_and_occurrence() -> None:
    """Not room and session, which are people's words; `session` is SQLAlchemy's (docs/decisions/0085)."""
    wrong = [
        f"{name_of(path)}:{node.lineno} {name}"
        for path in sources("app/chains", "app/recordings", "app/recurrence", "app/resources")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.arg | ast.keyword | ast.Name)
        for name in [str(getattr(node, "name", None) or getattr(node, "arg", None) or getattr(node, "id", None))]
        if re.search(r"(^|_)rooms?(_|$)|^Rooms?|(^|_)sessions$", name) and name != "RoomView"  # the API's own name
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
