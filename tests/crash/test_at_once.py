"""Many requests at the same moment, over real sockets: scenarios 14 to 16 of the fault table."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from tests.crash.rehearsal import Json, rehearse, series
from tests.crash.stage import PATIENCE, Stage, stage

pytestmark = pytest.mark.both_databases

REHEARSAL = rehearse(series)


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage(tmp_path_factory.mktemp("at-once")) as found:
        yield found


def at_once(count: int, post: Callable[[int], httpx.Response]) -> list[httpx.Response]:
    """What so many clients get that send their requests together."""
    start = Barrier(count)

    def one(number: int) -> httpx.Response:
        start.wait(PATIENCE)
        return post(number)

    with ThreadPoolExecutor(count) as clients:
        return list(clients.map(one, range(count)))


def test_row_14_twenty_equal_documents_are_one_recording(it: Stage) -> None:
    before = len(it.calls())
    answers = at_once(20, lambda _: it.post(series("EQUAL"), prefer="wait=30"))
    (recording,) = {answer.json()["id"] for answer in answers}
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 19}
    assert {answer.json()["status"] for answer in answers} == {"scheduled"}
    assert it.standing(recording) == REHEARSAL.left
    assert tuple(it.calls()[before:]) == REHEARSAL.calls
    assert len(it.get(f"/recordings/{recording}/history")["items"]) == 1


def test_row_14_a_hundred_equal_requests_with_one_key_are_one_recording(it: Stage) -> None:
    document = series("KEYED")
    del document["reference_id"]
    before = len(it.calls())
    answers = at_once(100, lambda _: it.post(document, prefer="wait=30", idempotency_key="once"))
    (recording,) = {answer.json()["id"] for answer in answers}
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 99}
    assert it.standing(recording) == REHEARSAL.left
    assert tuple(it.calls()[before:]) == REHEARSAL.calls


def test_a_new_room_of_ten_recordings_is_made_once(it: Stage) -> None:
    """Kaltura takes one system name twice when both come at the same moment; so nobody tries."""

    def document(number: int) -> Json:
        room = series("NEW-ROOM")["resource"]
        return series(f"NEIGHBOUR-{number}") | {"resource": room, "start": f"2027-01-13T{number + 8:02}:00:00"}

    before = len(it.calls())
    answers = at_once(10, lambda number: it.post(document(number), prefer="wait=30"))
    assert Counter(answer.status_code for answer in answers) == {201: 10}
    assert len({answer.json()["resource"]["id"] for answer in answers}) == 1
    assert it.calls()[before:].count("scheduleResource.add") == 1


def test_row_16_of_fifty_documents_for_one_room_and_hour_one_is_scheduled(it: Stage) -> None:
    def document(number: int) -> Json:
        return series("CONTENDED") | {"reference_id": f"CONTENDED-{number}"}

    answers = at_once(50, lambda number: it.post(document(number), prefer="wait=30"))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    (winner,) = (answer.json()["id"] for answer in answers if answer.status_code == 201)
    assert it.standing(winner) == REHEARSAL.left
    for refused in (answer.json() for answer in answers if answer.status_code == 409):
        assert refused["code"] == "schedule_conflict"
        assert len(refused["conflicts"]) == 36
        assert {conflict["booked"]["recording_id"] for conflict in refused["conflicts"]} == {winner}
        assert it.get(f"/recordings/{refused['recording_id']}")["status"] == "failed"
    assert Counter(one["name"] for one in it.sandbox.state()["entries"])["CONTENDED"] == 1
