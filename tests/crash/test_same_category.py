"""Many documents at once with a category and a new user in common, over two processes: each has one whole entry.

Kaltura locks both while it makes an entry, and who waits too long has an entry without its categories (LOCK_TIMED_OUT).
"""

from pathlib import Path

import pytest

from tests.conftest import Databases
from tests.crash.rehearsal import Json, rehearse, series
from tests.crash.stage import stages
from tests.crash.test_at_once import at_once

pytestmark = pytest.mark.both_databases

TOGETHER = 8


def document(number: int) -> Json:
    return series(f"SAME-{number}") | {"categories": ["Mathematics"], "owner": "new.lecturer", "editors": ["new.ta"]}


def test_eight_at_once_over_two_processes(tmp_path: Path, databases: Databases) -> None:
    left = rehearse(series).left
    with databases.one() as url, stages(tmp_path, 2, database_url=url) as replicas:
        sandbox = replicas[0].sandbox
        sandbox.set_faults({"modes": {"lock_timeout": 2}})
        answers = at_once(TOGETHER, lambda number: replicas[number % 2].post(document(number)))
        recordings = [replicas[0].until(answer.json()["id"], "scheduled") for answer in answers]
        entries = {one["id"]: one for one in sandbox.state()["entries"]}
        assert len(entries) == TOGETHER
        for recording in recordings:
            assert replicas[0].standing(recording["id"]) == left
            entry = entries[recording["kaltura"]["template_entry_id"]]
            assert entry["categories"] == "Mathematics"
            assert (entry["userId"], entry["entitledUsersEdit"]) == ("new.lecturer", "new.ta")
        assert replicas[0].calls().count("media.add") == TOGETHER
