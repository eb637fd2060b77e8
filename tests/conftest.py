"""What tests of several parts share: databases with Lectern's tables, of every kind that Lectern runs on.

Tests that use a database run on one kind, the next on the other; of a test with many cases so does each case. What is
about databases runs on both, but for tests with many cases. `--the-rest` runs what that leaves out.
"""

import gc
import os
import secrets
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlmodel import SQLModel
from structlog.processors import KeyValueRenderer, add_log_level, format_exc_info

from app.database.database import Database
from app.main import migrate
from app.operations import health
from app.resources.feed import polling
from tests import processes
from tests.forks import Fork
from tests.postgres import NoPostgres, Server, server
from tests.service import hurry
from tests.sharing import share

WAITING = ("tests/recordings/scheduling/test_sweep", "tests/soak", "tests/storm", "tests/crash")  # most of their time
LONGEST = (
    "tests/histories",
    "tests/recordings/changing",
    "tests/security",
    "tests/test_processes",
    "tests/http/test_requests",
)  # of the others
KINDS = ("sqlite", "postgresql")
ABOUT_DATABASES = (
    *("tests/chains", "tests/crash", "tests/soak", "tests/resources/mirror", "tests/recordings/changing/test_clocks"),
    *(
        "tests/database/test_database",
        "tests/database/test_migrations",
        "tests/http/test_threads",
        "tests/database/test_trouble",
        "tests/database/test_many_rows",
        "tests/database/test_account",
    ),
)

for part in ("chains", "resources", "recordings"):
    import_module(f"app.{part}.models")


@dataclass(frozen=True)
class Sqlite:
    """Databases that are files in `folder`."""

    folder: Path

    def create(self, template: str | None = None) -> str:
        path = self.folder / f"{secrets.token_hex(6)}.db"
        if template:
            shutil.copyfile(template.removeprefix("sqlite:///"), path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        for path in self.folder.glob(Path(url).name + "*"):
            path.unlink()

    copy, give_back = create, drop


@dataclass(frozen=True)
class Databases:
    """New databases of one kind, as many as one likes. Those with tables are copies: migrating each takes too long."""

    kind: str  # sqlite, or postgresql
    place: Sqlite | Server
    template: str

    @contextmanager
    def one(self, *, with_tables: bool = True) -> Iterator[str]:
        """The URL of one without rows, which is gone afterwards."""
        url = self.place.copy(self.template) if with_tables else self.place.create()
        yield url
        if with_tables:
            self.place.give_back(url)
        else:
            self.place.drop(url)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The PostgreSQL server of this run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or secrets.token_hex(16)
    try:
        with server(run) as found:
            yield found
    except NoPostgres as why:
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up(f"no PostgreSQL: {why}. LECTERN_TEST_DATABASE_URL can name one.")


@pytest.fixture(scope="session", params=KINDS)
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Whatever uses this runs on both kinds."""
    if request.param == "sqlite":
        place: Sqlite | Server = Sqlite(tmp_path_factory.mktemp("databases"))
    else:
        place = request.getfixturevalue("postgres")
    template = place.create()
    database = Database(template)
    migrate(database)
    database.close()
    yield Databases(request.param, place, template)
    place.drop(template)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """Where a database of the test's own is, with tables and without rows."""
    with databases.one() as url:
        yield url


@pytest.fixture(scope="session")
def shared_database(databases: Databases) -> Iterator[Database]:
    """One for all tests: a new engine would compile every statement anew, which takes longer than most tests."""
    with databases.one() as url:
        database = Database(url)
        hurry(database)
        yield database
        database.close()


@pytest.fixture
def database(shared_database: Database) -> Database:
    with shared_database.write() as session:
        for table in reversed(SQLModel.metadata.sorted_tables):
            session.execute(table.delete())
    return shared_database


@pytest.fixture(autouse=True)
def ready_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness is looked at whenever a test asks for it."""
    monkeypatch.setattr(health, "LOOK_EVERY", 0.0)


def pytest_configure() -> None:
    """What makes tests faster, or surer."""
    # structlog's own way to show an exception draws every local variable: seconds for one of a request.
    structlog.configure(processors=[add_log_level, format_exc_info, KeyValueRenderer()])
    share()
    processes.launch = Fork  # a service is ready two seconds sooner
    gc.set_threshold(10_000, 20, 20)  # as in the service
    polling.FIRST_WAIT = 20.0  # there are many tests at once: a first look may take its time


def pytest_collection_finish() -> None:
    gc.freeze()  # hundreds of thousands of objects that are there to the end


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--the-rest", action="store_true", help="what is left out without this: the other half")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    places = in_order(dict.fromkeys(map(file_of, items)))
    items.sort(key=lambda item: places[file_of(item)])
    rest, wants_rest = left_out(items), config.getoption("--the-rest")
    config.hook.pytest_deselected(items=[item for item in items if (item in rest) != wants_rest])
    items[:] = [item for item in items if (item in rest) == wants_rest]


def in_order(files: Iterable[str]) -> Mapping[str, float]:
    """Where each comes, from 0 to 1. Those that wait are spread among the others, and long ones do not come last."""
    waiting = [file for begin in WAITING for file in files if file.startswith(begin)]
    computing = sorted((file for file in files if file not in waiting), key=lambda file: not file.startswith(LONGEST))
    return {file: 0.6 * number / len(waiting) for number, file in enumerate(waiting)} | {
        file: number / len(computing) for number, file in enumerate(computing)
    }


def left_out(items: Sequence[pytest.Item]) -> set[pytest.Item]:
    """Each case on the kind of database whose turn it is not."""
    cases: dict[str, dict[str, None]] = defaultdict(dict)
    for item in items:
        if kind_of(item):
            is_about_them = item.nodeid.startswith(ABOUT_DATABASES)
            cases[function_of(item) if is_about_them else file_of(item)][case_of(item)] = None
    turns = {case: KINDS[number % 2] for found in cases.values() if len(found) > 1 for number, case in enumerate(found)}
    return {item for item in items if turns.get(case_of(item), kind_of(item)) != kind_of(item)}


def params_of(item: pytest.Item) -> Mapping[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}


def kind_of(item: pytest.Item) -> str | None:
    """The kind of database that it runs on."""
    return params_of(item).get("databases")


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def function_of(item: pytest.Item) -> str:
    return item.nodeid.partition("[")[0]


def case_of(item: pytest.Item) -> str:
    """The same for all kinds of database."""
    return item.nodeid.replace(kind_of(item) or "", "", 1)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test had to tell (`record_property`), and what was not tested here, is said out loud."""
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties if report.when == "call" else ():
            terminalreporter.line(f"{name}: {value}")
    skipped = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    if skipped:
        terminalreporter.section("NOT TESTED", red=True, bold=True)
    for why, count in sorted(skipped.items()):
        terminalreporter.line(f"{count} test(s): {why.removeprefix('Skipped: ')}")
