"""Killed at every moment while Kaltura makes an entry by halves, or gives up on a lock: each has one entry, whole."""

from collections.abc import Callable, Iterator

import pytest

from app.sandbox.seed.seed import CATEGORY_ID
from tests.recordings.changing.house import House, die, house
from tests.recordings.documents import example
from tests.sampling import sampled
from tests.service import Json, found

CHANNEL = "Canvas>site>channels>1234"
ASKED = example(categories=[CATEGORY_ID, CHANNEL], editors=["ta1"], publishers=["ta2"])
LOCKED: Json = {"fault": "error", "code": "LOCK_TIMED_OUT", "times": 1, "service": "categoryEntry", "action": "add"}
TROUBLE: dict[str, Json] = {
    "by halves": {"modes": {"half_entry": {"times": 1}}},
    "by halves, with success": {"modes": {"half_entry": {"answer": "success", "times": 1}}},
    "by halves, a lock later": {"modes": {"half_entry": {"times": 1}}, "faults": [LOCKED]},
    "by halves each time": {"modes": {"half_entry": {}}},
    "locked": {"modes": {"lock_timeout": 600.0}},
}
Begin = Callable[[str], None]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture(scope="module")
def begin(service: House) -> Begin:
    """Everything as it was, and the trouble begins."""
    empty = service.keep()

    def begun(trouble: str) -> None:
        service.back_to(empty)
        service.sandbox.set_faults(TROUBLE[trouble])
        if trouble == "locked":  # by somebody else
            service.kaltura("media", "add", entry={"mediaType": 1, "name": "theirs", "categoriesIds": str(CATEGORY_ID)})

    return begun


def asked_for(service: House, trouble: str, at: int | None) -> list[str]:
    """Everything that happens until the recording is scheduled, killed once on the way."""
    recording = found(service.schedule(ASKED), 202)
    moments = service.settle(at, die)
    service.sweep()
    entries = [one for one in service.left()["entries"] if one.get("referenceId")]
    shown = service.get(f"/recordings/{recording['id']}")
    where = f"{trouble}, killed at {at} of {moments}"
    assert (shown["status"], len(entries)) == ("scheduled", 1), where
    assert sorted(entries[0]["categories"].split(",")) == sorted(["Mathematics", CHANNEL]), where
    assert (entries[0]["entitledUsersEdit"], entries[0]["entitledUsersPublish"]) == ("ta1", "ta2"), where
    assert shown["kaltura"]["template_entry_id"] == entries[0]["id"], where
    return moments


@pytest.mark.parametrize("trouble", sampled(TROUBLE, 5))
def test_rows_1_and_2_killed_at_any_moment_there_is_one_entry_and_it_is_whole(
    service: House, begin: Begin, trouble: str
) -> None:
    begin(trouble)
    moments = asked_for(service, trouble, None)
    last = moments.index("scheduleEvent.add")
    for number in range(last):
        begin(trouble)
        asked_for(service, trouble, number)


@pytest.mark.parametrize("trouble", sampled(["by halves", "by halves, with success", "locked"], 3))
def test_rows_1_and_2_killed_at_any_moment_of_its_undoing_nothing_is_left(
    service: House, begin: Begin, trouble: str
) -> None:
    number = there = 0
    while number <= there:
        begin(trouble)
        refused = {"fault": "error", "service": "schedule_scheduleEvent", "action": "add", "code": "UNSAFE_HTML_TAGS"}
        service.sandbox.set_faults({**TROUBLE[trouble], "faults": [*TROUBLE[trouble].get("faults", ()), refused]})
        recording = found(service.schedule(ASKED), 202)
        moments = service.settle(number or None, die)
        service.sweep()
        there = len(moments) - 1
        assert service.get(f"/recordings/{recording['id']}")["status"] == "failed"
        left = [one for one in service.left()["entries"] if one.get("referenceId")]
        assert left == [], f"{trouble}, killed at {number} of {moments}"
        number += 1
