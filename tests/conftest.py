"""What tests of several parts share: databases with Lectern's tables, of every kind that Lectern runs on.

A test that uses a database runs on SQLite, and on PostgreSQL as well where it says so: `pytest.mark.both_databases` is
for what is about databases, order or time. What takes long, `--long` runs instead: `tests/durations.py` knows it, or a
test says so, `pytest.mark.long`, or `pytest.mark.always` if it stands for others that are left out. `--quick` runs what
one waits for while working, and `--the-rest` on PostgreSQL what otherwise runs on SQLite alone.
"""

import gc
import os
import secrets
import shutil
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from structlog.processors import KeyValueRenderer, add_log_level, format_exc_info

from app.database.database import Database
from app.database.migrating import migrate
from app.operations import health
from app.resources.feed import polling
from tests import processes
from tests.durations import QUICK, USUAL, durations, name_of
from tests.forks import Fork
from tests.postgres import NoPostgres, Server, clear, server
from tests.service import hurry, tables

KINDS = ("sqlite", "postgresql")
WAITING = ("tests/recordings/scheduling/test_sweep", "tests/soak", "tests/storm", "tests/crash")  # most of their time
LONGEST = ("tests/histories", "tests/recordings/changing", "tests/security", "tests/test_processes")  # of the others

hypothesis.settings.register_profile("no clock", deadline=None)  # a busy machine is no mistake
hypothesis.settings.load_profile("no clock")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # behind a shell's & it is ignored, by all that is started here
    signal.signal(signal.SIGINT, signal.default_int_handler)

for part in ("chains", "resources", "recordings", "findings", "notices", "webhooks", "terms"):
    import_module(f"app.{part}.models")


@dataclass(frozen=True)
class Sqlite:
    """Databases that are files in `folder`."""

    folder: Path
    free: list[str] = field(default_factory=list)

    def create(self, template: str | None = None, url: str = "") -> str:
        url = url or f"sqlite:///{self.folder / secrets.token_hex(6)}.db"
        if template:
            shutil.copyfile(template.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        return url

    def drop(self, url: str) -> None:
        for path in self.folder.glob(Path(url).name + "*"):
            path.unlink()

    def copy(self, template: str) -> str:
        """The same, where one was before: tests/service.py knows its engine."""
        return self.create(template, self.free.pop() if self.free else "")

    def give_back(self, url: str) -> None:
        self.drop(url)
        self.free.append(url)


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
        template = place.create()
        Path(template.removeprefix("sqlite:///")).write_bytes(tables())
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
    with shared_database.transaction() as connection:
        clear(connection)
    return shared_database


@pytest.fixture(autouse=True)
def any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """`make run` in another window is in nobody's way."""
    monkeypatch.setenv("LECTERN_PORT", "0")


@pytest.fixture(autouse=True)
def ready_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readiness is looked at whenever a test asks for it."""
    monkeypatch.setattr(health, "LOOK_EVERY", 0.0)


def pytest_configure(config: pytest.Config) -> None:
    """What makes tests faster, or surer."""
    config.addinivalue_line("markers", "under_load: needs the machine for itself; `make storm` runs it")
    config.addinivalue_line("markers", "long: left to `make test-long`, as one case of many")
    config.addinivalue_line("markers", "always(kind): in `make test` however long it takes, on that kind of database")
    config.addinivalue_line("markers", "both_databases: about databases, order or time; runs on SQLite and PostgreSQL")
    # structlog's own way to show an exception draws every local variable: seconds for one of a request.
    structlog.configure(processors=[add_log_level, format_exc_info, KeyValueRenderer()])
    processes.launch = Fork  # a service is ready two seconds sooner
    gc.set_threshold(10_000, 20, 20)  # as in the service
    polling.FIRST_WAIT = 20.0  # there are many tests at once: a first look may take its time


def pytest_collection_finish() -> None:
    gc.freeze()  # hundreds of thousands of objects that are there to the end


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--the-rest", action="store_true", help="on PostgreSQL what otherwise runs on SQLite alone")
    parser.addoption("--long", action="store_true", help="what takes long")
    parser.addoption("--under-load", action="store_true", help="what needs the machine for itself")
    parser.addoption("--quick", action="store_true", help="on SQLite alone, without what takes long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    places = in_order(dict.fromkeys(map(file_of, items)))
    items.sort(key=lambda item: places[file_of(item)])
    options = {"--quick": is_quick, "--long": is_long, "--the-rest": is_rest, "--under-load": is_under_load}
    named = any(".py" in arg for arg in config.args)  # who names a test or a file wants all of it
    usual = is_usual_or_long if named else is_usual
    wanted = next((wanted for option, wanted in options.items() if config.getoption(option)), usual)
    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = filter(wanted, items)


def is_rest(item: pytest.Item) -> bool:
    about = item.get_closest_marker("both_databases")
    return kind_of(item) == "postgresql" and not about and not is_under_load(item)


def is_usual_or_long(item: pytest.Item) -> bool:
    return not is_rest(item) and not is_under_load(item)


def is_usual(item: pytest.Item) -> bool:
    return is_usual_or_long(item) and not takes_long(item)


def is_long(item: pytest.Item) -> bool:
    return is_usual_or_long(item) and takes_long(item)


def takes_long(item: pytest.Item) -> bool:
    """It says so itself, or took so long when the durations were noted."""
    always = item.get_closest_marker("always")
    if always is not None and (not always.args or kind_of(item) in always.args):
        return False
    return item.get_closest_marker("long") is not None or seconds_of(item) > USUAL


def seconds_of(item: pytest.Item) -> float:
    return durations().get(name_of(item.nodeid, kind_of(item)), 0.0)


def is_under_load(item: pytest.Item) -> bool:
    return item.get_closest_marker("under_load") is not None


def is_quick(item: pytest.Item) -> bool:
    return is_usual(item) and kind_of(item) in (None, "sqlite") and seconds_of(item) <= QUICK


def in_order(files: Iterable[str]) -> Mapping[str, float]:
    """Where each comes, from 0 to 1. Those that wait are spread among the others, and long ones do not come last."""
    waiting = [file for begin in WAITING for file in files if file.startswith(begin)]
    computing = sorted((file for file in files if file not in waiting), key=lambda file: not file.startswith(LONGEST))
    return {file: 0.6 * number / len(waiting) for number, file in enumerate(waiting)} | {
        file: number / len(computing) for number, file in enumerate(computing)
    }


def params_of(item: pytest.Item) -> Mapping[str, Any]:
    return item.callspec.params if hasattr(item, "callspec") else {}


def kind_of(item: pytest.Item) -> str | None:
    """The kind of database that it runs on."""
    return params_of(item).get("databases")


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


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
