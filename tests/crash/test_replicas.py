"""Several processes over one database: scenarios 12 to 14 and 16 of the fault table."""

import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.chains.models import Chain
from tests.conftest import Databases
from tests.crash.rehearsal import Json, rehearse, rows, series
from tests.crash.stage import PATIENCE, Stage, stages
from tests.crash.test_at_once import at_once
from tests.crash.watching import Point, Watch
from tests.service import eventually

pytestmark = pytest.mark.both_databases

REHEARSAL = rehearse(series)
ADDING = Point(REHEARSAL.calls.index("media.add"), "media.add", "after")
LOOK = "baseEntry.listByReferenceId"
ROOMS, ROUNDS = 12, 5  # so many at once; again, until each process has run some


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory, databases: Databases) -> Iterator[list[Stage]]:
    """With two workers each, so that nobody does all the work."""
    folder = tmp_path_factory.mktemp("replicas")
    with databases.one() as url, stages(folder, 3, database_url=url, workers=2) as found:
        yield found


def test_row_12_a_chain_has_one_owner(replicas: list[Stage]) -> None:
    """Whoever runs it: each call is made once. Who asked another process is answered, too."""
    before, answers = len(replicas[0].calls()), list[httpx.Response]()
    with ThreadPoolExecutor(ROOMS) as clients:
        while not all(ended_by_each(replicas, answers)) and len(answers) < ROOMS * ROUNDS:
            names = [f"ROOM-{len(answers) + number}" for number in range(ROOMS)]
            answers += clients.map(lambda name: replicas[0].post(series(name), prefer="wait=30"), names)
            assert Counter(answer.status_code for answer in answers) == {201: len(answers)}
    for answer in answers:
        assert replicas[1].get(f"/recordings/{answer.json()['id']}") == answer.json()
        assert replicas[0].standing(answer.json()["id"]) == REHEARSAL.left
    assert Counter(replicas[0].calls()[before:]) == Counter(REHEARSAL.calls * len(answers))
    ended = ended_by_each(replicas, answers)
    assert sum(ended) >= len(answers)
    assert all(ended), "each of them has run some"


def ended_by_each(replicas: list[Stage], answers: list[httpx.Response]) -> list[int]:
    """How many of the answers' chains each process has told of in its log."""
    logs = [it.service.log.read_text() for it in replicas]
    return [sum(answer.json()["chain"]["id"] in log for answer in answers) for log in logs]


def test_row_13_who_sleeps_past_its_lease_changes_nothing_when_it_wakes(replicas: list[Stage]) -> None:
    """Another one looks up what was made, and goes on; what the sleeper then hears from Kaltura is no news."""
    before, watch = len(replicas[0].calls()), Watch(replicas[0].sandbox)
    recording = replicas[0].held(watch, REHEARSAL, ADDING, "SLEEPER")
    sleeper, other, _ = sorted(replicas, key=lambda it: it.service.pid != owner(it, recording))
    sleeper.service.process.send_signal(signal.SIGSTOP)
    other.until(recording, "scheduled")
    so_far = len(sleeper.service.log.read_text())
    sleeper.service.process.send_signal(signal.SIGCONT)
    watch.release(dead=False)
    eventually(lambda: "lease_lost" in sleeper.service.log.read_text()[so_far:], PATIENCE)
    assert other.standing(recording) == REHEARSAL.left
    expected = [*REHEARSAL.calls[: ADDING.number + 1], LOOK, "category.list", *REHEARSAL.calls[ADDING.number + 1 :]]
    assert other.calls()[before:] == expected


def owner(it: Stage, recording: str) -> int:
    """The process that runs the recording's chain."""
    ((found,),) = rows(it.database_url, select(col(Chain.owner)).where(col(Chain.subject) == recording))
    return int(found.split("-")[-2])


def test_row_14_equal_documents_at_several_processes_are_one_recording(replicas: list[Stage]) -> None:
    before = len(replicas[0].calls())
    answers = at_once(30, lambda number: replicas[number % 3].post(series("EQUAL"), prefer="wait=30"))
    (recording,) = {answer.json()["id"] for answer in answers}
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 29}
    assert {answer.json()["status"] for answer in answers} == {"scheduled"}
    assert replicas[0].standing(recording) == REHEARSAL.left
    assert tuple(replicas[0].calls()[before:]) == REHEARSAL.calls


def test_row_16_of_fifty_documents_for_one_room_and_hour_at_several_processes_one_is_scheduled(
    replicas: list[Stage],
) -> None:
    def document(number: int) -> Json:
        return series("CONTENDED") | {"reference_id": f"CONTENDED-{number}"}

    answers = at_once(50, lambda number: replicas[number % 3].post(document(number), prefer="wait=30"))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 49}
    (winner,) = (answer.json()["id"] for answer in answers if answer.status_code == 201)
    assert replicas[0].standing(winner) == REHEARSAL.left
    assert Counter(one["name"] for one in replicas[0].sandbox.state()["entries"])["CONTENDED"] == 1


def test_of_ten_changes_at_several_processes_one_is_begun(replicas: list[Stage]) -> None:
    """The others are told that a chain runs; a change is never begun on what another one is changing."""
    recording = replicas[0].post(series("CHANGED"), prefer="wait=30").json()

    def change(number: int) -> int:
        patch = {"title": f"Title {number}"}
        return replicas[number % 3].client.patch(f"/recordings/{recording['id']}", json=patch).status_code

    with ThreadPoolExecutor(10) as clients:
        answers = Counter(clients.map(change, range(10)))
    shown = replicas[1].get(f"/recordings/{recording['id']}/history")["items"]
    assert answers.keys() <= {200, 409}
    assert [chain["operation"] for chain in shown].count("update") == answers[200] >= 1
    assert {chain["status"] for chain in shown} == {"succeeded"}
