"""What each recording asks costs no more in a sandbox that holds a term: `make run` is where everybody begins."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from app.sandbox.simulator import Sandbox
from tests.sandbox.kaltura import Clock, Kaltura, weekly

SERIES, OCCURRENCES = 50, 40


def work(sandbox: Sandbox, act: Callable[[], object]) -> int:
    """How many instructions SQLite's machine takes for it, in hundreds."""
    connection, instructions = sandbox._store.connection, count()
    connection.set_progress_handler(lambda: next(instructions) < 0, 100)
    act()
    connection.set_progress_handler(None, 0)
    return next(instructions)


def test_conflicts_and_the_newest_event_are_found_without_looking_at_every_event(
    sandbox: Sandbox, kaltura: Kaltura, clock: Clock
) -> None:
    def ask() -> None:
        assert kaltura.conflicts("562936", **weekly(OCCURRENCES, duration=3600))["totalCount"] == 0
        assert len(kaltura.events({"pageSize": 1}, orderBy="-createdAt")["objects"]) == 1

    kaltura.add_event(**weekly(OCCURRENCES))
    alone = work(sandbox, ask)
    for _ in range(SERIES):
        clock.now += 1
        kaltura.add_event(**weekly(OCCURRENCES))
    each = (work(sandbox, ask) - alone) * 100 / (SERIES * OCCURRENCES)
    assert each < 10  # its total is counted, and nothing else of it is looked at


def test_a_file_of_an_older_version_gets_the_indexes_that_it_lacks_and_keeps_what_it_holds(tmp_path: Path) -> None:
    file = str(tmp_path / "sandbox.db")
    Sandbox(file).close()
    with closing(sqlite3.connect(file)) as older:
        older.execute("DROP INDEX indexed_created")
    with closing(Sandbox(file)) as opened:
        assert opened._store.one("SELECT 1 FROM sqlite_master WHERE name = 'indexed_created'")
        assert opened.holds()["resources"] > 0
