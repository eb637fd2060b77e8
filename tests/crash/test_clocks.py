"""Two processes whose clocks differ by a minute: who answers, and who runs a chain, makes no difference."""

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Databases
from tests.crash.rehearsal import NOTHING, Json, series
from tests.crash.stage import Stage, stages
from tests.sampling import sampled

pytestmark = pytest.mark.both_databases


@pytest.fixture(scope="module", params=[-60.0, 60.0], ids=["a minute behind", "a minute ahead"])
def two(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, databases: Databases
) -> Iterator[list[Stage]]:
    folder, clocks = tmp_path_factory.mktemp("clocks"), (0.0, request.param)
    with databases.one() as url, stages(folder, 2, off_by=clocks, database_url=url, workers=2) as services:
        yield services


def answered(answer: httpx.Response, status: int = 200) -> Json:
    assert answer.status_code == status, answer.text
    return dict(answer.json())


def active(it: Stage, recording_id: str) -> int:
    """How many sessions of it are on in Kaltura."""
    return sum(
        one["status"] == 2 and one["recurrenceType"] != 1
        for one in it.sandbox.state()["events"]
        if recording_id in one.get("referenceId", "")
    )


def references(it: Stage, recording_id: str) -> list[str]:
    """Of the events that Kaltura was asked to make for it."""
    sent = [
        request["params"]["scheduleEvent"]["referenceId"]
        for request in it.sandbox.requests()
        if (request["service"], request["action"]) == ("schedule_scheduleEvent", "add")
    ]
    return [reference for reference in sent if recording_id in reference]


def is_seen(two: list[Stage], shown: Json, operation: str) -> None:
    """Both processes show what was answered: the newest chain, and it is done."""
    assert (shown["chain"]["operation"], shown["chain"]["status"]) == (operation, "succeeded")
    for it in two:
        assert it.get(f"/recordings/{shown['id']}") == shown
        assert it.get(f"/recordings/{shown['id']}/history")["items"][0] == shown["chain"]


@pytest.mark.parametrize("turns", sampled(["0101", "1010", "0110", "1001"], 4))
def test_a_recording_s_life_at_two_processes(two: list[Stage], turns: str) -> None:
    """It is made, changed twice at one and once at the other, and cancelled; each in the order in which it came."""
    first, other, third, last = (two[int(turn)] for turn in turns)
    shown = answered(first.post(series(f"ROOM-{turns}"), prefer="wait=30"), 201)
    is_seen(two, shown, "schedule")
    path = f"/recordings/{shown['id']}"
    for number, it in enumerate((other, third, other, third), 1):
        changes = {"start": f"{shown['start'][:11]}{9 + number:02}:00:00"}
        headers = {"Prefer": "wait=30", "If-Match": it.client.get(path).headers["ETag"]}
        changed = answered(it.client.patch(path, json=changes, headers=headers))
        is_seen(two, changed, "update")
        assert changed["start"] == changes["start"]
        assert active(two[0], shown["id"]) == changed["occurrence_count"] == 36
    gone = answered(last.client.delete(path, headers={"Prefer": "wait=30"}))
    assert gone["status"] == "cancelled"
    is_seen(two, gone, "cancel")
    operations = [chain["operation"] for chain in first.get(f"{path}/history")["items"]]
    assert operations == ["cancel", *["update"] * 4, "schedule"]
    assert two[0].standing(shown["id"]) == NOTHING
    assert len(set(references(two[0], shown["id"]))) == len(references(two[0], shown["id"])) == 5
