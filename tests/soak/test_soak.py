"""The short soak. The long one is `make soak`."""

from pathlib import Path

from tests.conftest import Databases
from tests.soak.storm import Plan, soak

PLANS = {
    "postgresql": Plan(documents=30, processes=3, storm=6, faults_end=10, limit=90),
    "sqlite": Plan(documents=15, processes=1, storm=5, faults_end=8, limit=90),
}


def test_row_18_killed_at_random_nothing_is_lost_nor_there_twice(tmp_path: Path, databases: Databases) -> None:
    plan = PLANS[databases.kind]
    with databases.one(with_tables=False) as url:
        story, accounts = soak(tmp_path, url, plan)
    assert accounts.wrong == []
    assert sum(accounts.statuses.values()) >= plan.documents
    assert set(accounts.statuses) == {"scheduled", "failed"}
    assert story.kills > 0
