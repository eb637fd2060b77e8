"""Under a lagging index, and without a search engine: still exactly one of everything in the end."""

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import select
from sqlmodel import col

from app.chains.models import Chain, ChainStatus, ChainStep
from app.chains.store import Store
from app.recordings.scheduling import events, sweep
from app.resources.references import reference
from tests.recordings.documents import example
from tests.service import IMPATIENT, Json, Lectern, eventually, lectern

EVENT, SERIES = "schedule_scheduleEvent", 1
SWEEP = 1.0  # seconds; shorter is not allowed


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    with lectern(tmp_path, sweep_seconds=SWEEP, workers=ROOMS, pauses=IMPATIENT) as running:
        yield running


def series(service: Lectern) -> list[Json]:
    return [event for event in service.left()["events"] if event["recurrenceType"] == SERIES]


def test_what_an_index_hides_longer_than_two_looks_is_removed_later(service: Lectern) -> None:
    """Entry and event stand twice for a while. An event of somebody else's that the search takes for ours stays."""
    lost = [{"service": name, "action": "add", "fault": "drop_after", "times": 1} for name in (EVENT, "media")]
    service.sandbox.set_faults({"faults": lost, "modes": {"index_lag": 3}})
    accepted = service.schedule(prefer="respond-async").json()
    eventually(lambda: len(series(service)) == 2 or None, 30)  # looked up in vain, twice, and sent again
    assert len(service.left()["entries"]) == 2
    reference = series(service)[0]["referenceId"]
    other = service.kaltura.add_event(referenceId=reference.upper(), summary="somebody else's")
    recording = service.until(accepted["id"], "scheduled", 40)
    eventually(lambda: (len(series(service)), len(service.left()["entries"])) == (1, 1) or None, 30)
    assert recording["kaltura"]["events"][0]["id"] == series(service)[0]["id"]
    assert recording["kaltura"]["template_entry_id"] == service.left()["entries"][0]["id"]
    assert len(service.left()["event_resources"]) == 1
    assert other["id"] in [event["id"] for event in service.left()["events"]]


ROOMS = 6
DOWN: Json = {"modes": {"engine_down": True}}


def six(number: int) -> Json:
    """A document of its own room, with a few sessions."""
    room = {"system_name": f"HALL-{number}", "name": f"Hall {number}"}
    recurrence = {"frequency": "daily", "count": 5}
    return example(reference_id=f"six-{number}", title=f"T{number}", resource=room, recurrence=recurrence, exclude=[])


def unseen_adds(service: Lectern, count: int, then: Json | None = None) -> None:
    """So many events are added at once; the search engine goes away when all are sent, and is back after the last."""
    sent = Barrier(count, lambda: service.sandbox.set_faults(DOWN))
    done = Barrier(count, lambda: service.sandbox.set_faults(then or {}))

    def watch(name: str, action: str, phase: str) -> None:
        if (name, action) == (EVENT, "add"):
            (sent if phase == "before" else done).wait(30)
            service.sandbox.watch = None if phase == "after" else watch

    service.sandbox.watch = watch


def all_unseen(service: Lectern, near: int, monkeypatch: pytest.MonkeyPatch) -> list[Json]:
    """Six recordings, each of whose events was first added unseen; as they are in the end. There is another event."""
    service.kaltura.add_event()
    monkeypatch.setattr(events, "NEAR", near)
    monkeypatch.setattr(events, "INDEX_LAG", 0.5)
    monkeypatch.setattr(events, "LOOKS", 2)
    unseen_adds(service, ROOMS)
    accepted = [service.schedule(six(number), prefer="respond-async").json() for number in range(ROOMS)]
    return [service.until(one["id"], "scheduled", 60) for one in accepted]


def swept(service: Lectern) -> bool:
    """Whether each sweep has come to its end."""
    with service.app.state.database.read() as session:
        chains = session.execute(select(col(Chain.status)).where(col(Chain.operation) == "sweep")).scalars().all()
    return bool(chains) and set(chains) == {ChainStatus.SUCCEEDED}


@pytest.mark.parametrize("near", [events.NEAR, 0])
def test_what_six_at_once_have_made_unseen_is_there_once_each_in_the_end(
    service: Lectern, monkeypatch: pytest.MonkeyPatch, near: int
) -> None:
    """Looked for by its id, it is found. Is it too far away, another one is made, and the sweep removes the first."""
    recordings = all_unseen(service, near, monkeypatch)
    eventually(lambda: swept(service), 60)
    kept = {one["id"] for recording in recordings for one in recording["kaltura"]["events"]}
    assert {one["id"] for one in series(service)} == kept
    assert len(kept) == ROOMS
    assert len(service.left()["events"]) == 1 + ROOMS * (1 + 5)
    assert len(service.left()["event_resources"]) == ROOMS
    added = [one for one in service.sandbox.requests() if (one["service"], one["action"]) == (EVENT, "add")]
    assert len(added) == 1 + 2 * ROOMS


def test_the_sweep_looks_through_many_ids_in_several_calls(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "MANY", 4)
    recordings = all_unseen(service, 0, monkeypatch)
    eventually(lambda: swept(service), 60)
    kept = {one["id"] for recording in recordings for one in recording["kaltura"]["events"]}
    assert {one["id"] for one in series(service)} == kept
    with service.app.state.database.read() as session:
        looks = session.execute(select(col(ChainStep.calls)).where(col(ChainStep.name) == "look")).scalars().all()
    asked = [call["request"] for calls in looks for call in calls or () if "from" in call["request"]]
    assert len(asked) > 2 * ROOMS
    assert all(one["until"] - one["from"] <= 4 for one in asked)


def test_what_a_document_that_was_refused_has_left_unseen_is_removed(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no other event in its place, below which to look."""
    monkeypatch.setattr(events, "NEAR", 0)
    service.made(example(reference_id="earlier", resource="PEARL-300-GHI"))
    refused = {"service": EVENT, "action": "add", "fault": "error", "code": "INVALID_PARAMETER_CHAR"}
    unseen_adds(service, 1, {"faults": [refused]})
    accepted = service.schedule(prefer="respond-async").json()
    service.until(accepted["id"], "failed", 40)
    eventually(lambda: swept(service), 60)
    assert len(series(service)) == 1


def test_a_sweep_that_an_older_version_planned_knows_numbers_alone(service: Lectern) -> None:
    recording = service.made(example(reference_id="earlier"))
    kept = {
        "template_entry": {"0": recording["kaltura"]["template_entry_id"]},
        "events": {"1": recording["kaltura"]["events"][0]["id"]},
    }
    for event in series(service):
        service.kaltura.update(event["id"], referenceId=reference(recording["id"], 1))
    second = service.kaltura.add_event(referenceId=reference(recording["id"], 1))
    given = {"subject": recording["id"], "input": {}, "results": kept, "unsure": {"events": ["1"]}}
    database = service.app.state.database
    with database.write() as session:
        Store(database, "older", 10.0).create(session, f"sweep:{recording['id']}", "sweep", ["look", "remove"], given)
    eventually(lambda: swept(service), 20)
    assert second["id"] not in [event["id"] for event in service.left()["events"]]
    assert [event["id"] for event in series(service)] == [recording["kaltura"]["events"][0]["id"]]
