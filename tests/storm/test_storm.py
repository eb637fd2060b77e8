"""A small storm. The long one, with percentiles, is `make storm`."""

from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.storm.memory import Plan as Repetition
from tests.storm.memory import repeat
from tests.storm.storm import Plan, storm

pytestmark = pytest.mark.both_databases

PROCESSES = {"sqlite": 1, "postgresql": 2}
CROWD = {"readers": 60, "pollers": 10, "previewers": 20, "posters": 5, "dawdlers": 6}


@pytest.mark.always("sqlite")
def test_whoever_waits_for_kaltura_is_in_nobody_s_way(tmp_path: Path, databases: Databases) -> None:
    """No answer is a mistake, no probe fails, no lease is lost, a stop ends, and what was accepted is scheduled."""
    plan = Plan(PROCESSES[databases.kind], seconds=5.0, late=6.0, chains=20, crowd=CROWD, settles=True)
    with databases.one(with_tables=False) as url:
        story = storm(tmp_path, url, plan)
    assert story.wrong == []
    assert story.seen.ends["read"]["200"] > 0
    assert story.seen.accepted


@pytest.mark.parametrize("chains", [40])
def test_memory_is_given_back(tmp_path: Path, databases: Databases, chains: int) -> None:
    with databases.one(with_tables=False) as url:
        story = repeat(tmp_path, url, Repetition(polls=300, chains=chains))
    assert story.wrong == []
