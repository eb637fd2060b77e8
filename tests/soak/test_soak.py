"""The short soak. The long one is `make soak`."""

from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.soak.storm import Plan, soak
from tests.soak.weather import SHORT_DAYS

pytestmark = pytest.mark.both_databases

PLANS = {
    "postgresql": Plan(families=2, clocks=(0, 60), storm=6, faults_end=9, limit=90, others=40, bad_days=SHORT_DAYS),
    "sqlite": Plan(families=1, clocks=(0,), storm=5, faults_end=7, limit=90, others=40, bad_days=SHORT_DAYS),
}


def test_row_18_killed_at_random_nothing_is_lost_nor_there_twice(tmp_path: Path, databases: Databases) -> None:
    plan = PLANS[databases.kind]
    with databases.one(with_tables=False) as url:
        story, accounts = soak(tmp_path, url, plan)
    assert accounts.wrong == []
    assert sum(accounts.statuses.values()) >= plan.documents
    assert set(accounts.statuses) <= {"scheduled", "failed", "cancelled"}
    assert accounts.statuses["scheduled"] > 0
    assert story.kills > 0
