"""The database is away, or locked by somebody else, or full: scenarios 19 and 20 of the fault table."""

import resource
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.crash.rehearsal import rehearse, series
from tests.crash.stage import PATIENCE, Stage, stage
from tests.crash.watching import Point, Watch
from tests.postgres import Server
from tests.service import eventually

pytestmark = pytest.mark.both_databases

REHEARSAL = rehearse(series)
ADDING = Point(REHEARSAL.calls.index("media.add"), "media.add", "after")
LOOK = "baseEntry.listByReferenceId"


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Stage]:
    with databases.one() as url, stage(tmp_path_factory.mktemp("database"), database_url=url) as found:
        yield found


@contextmanager
def unusable(databases: Databases, url: str) -> Iterator[None]:
    """PostgreSQL is restarted; on SQLite, another process holds the lock for longer than anybody waits."""
    if isinstance(databases.place, Server):
        with databases.place.away(url):
            yield
    else:
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


def test_row_19_what_cannot_be_kept_is_not_sent_and_it_recovers_by_itself(it: Stage, databases: Databases) -> None:
    before, watch = len(it.calls()), Watch(it.sandbox)
    recording = it.held(watch, REHEARSAL, ADDING, "INTERRUPTED")
    with unusable(databases, it.database_url):
        watch.release(dead=False)
        refused = it.post(series("REFUSED"))
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        eventually(lambda: "chain_left" in it.service.log.read_text(), PATIENCE)
        assert it.calls()[before:] == list(REHEARSAL.calls[: ADDING.number + 1])
    eventually(lambda: it.post(series("REFUSED"), prefer="wait=30").status_code == 201, PATIENCE)
    it.until(recording, "scheduled")
    assert it.standing(recording) == REHEARSAL.left
    assert Counter(it.calls()[before:]) == Counter([*REHEARSAL.calls * 2, LOOK, "category.list"])


def test_row_19_readiness_tells_of_it(it: Stage, databases: Databases) -> None:
    if databases.kind == "sqlite":
        assert it.get("/readyz")["parts"]["database"]["state"] == "ok"  # it can be read
        return
    with unusable(databases, it.database_url):
        shown = it.client.get("/readyz")
        assert (shown.status_code, shown.json()["parts"]["database"]["state"]) == (503, "down")
        assert it.client.get("/healthz").status_code == 200
    eventually(lambda: it.client.get("/readyz").status_code == 200, PATIENCE)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits the files of another process")
def test_row_20_on_a_full_disk_nothing_is_sent_and_reading_goes_on(tmp_path: Path) -> None:
    """No file of the service grows any more, as on a full disk."""
    with stage(tmp_path) as it:
        recording = it.accepted(series("BEFORE"))
        it.until(recording, "scheduled")
        before, unlimited = len(it.calls()), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(it.service.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        refused = it.post(series("FULL"))
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable")
        assert int(refused.headers["Retry-After"]) > 0
        assert it.calls()[before:] == []
        assert it.get(f"/recordings/{recording}")["status"] == "scheduled"
        resource.prlimit(it.service.pid, resource.RLIMIT_FSIZE, unlimited)
        assert it.post(series("FULL"), prefer="wait=30").status_code == 201
