from collections.abc import Iterator

import pytest
from sqlalchemy import update

from app.resources.models import Mirror
from tests.conftest import Databases
from tests.recordings.changing.scene import Scene, begun
from tests.service import Lectern, lectern


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[Lectern]:
    folder = tmp_path_factory.mktemp("changes")
    with databases.one() as url, lectern(folder, database_url=url, refreshes_per_second=1000.0) as service:
        yield service


@pytest.fixture
def service(running: Lectern) -> Iterator[Lectern]:
    """One for all tests of a module: each has rooms of its own in it, and takes what it booked with it."""
    yield running
    with running.app.state.database.write() as session:
        session.execute(update(Mirror).values(asked_at=None, due_at=None))  # nobody looks at what is taken away here
    running.heal()
    running.sandbox.watch = None
    for one in running.sandbox.state()["events"]:
        if "parentId" not in one:
            running.kaltura("schedule_scheduleEvent", "delete", scheduleEventId=one["id"])


@pytest.fixture
def scene(service: Lectern) -> Scene:
    """A recording in its third week."""
    return begun(service)
