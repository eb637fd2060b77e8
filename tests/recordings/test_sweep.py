"""Under a lagging index, and without a search engine: still exactly one of everything in the end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.recordings.documents import example
from tests.service import Json, Lectern, eventually, lectern

EVENT, SERIES, LOOK = "schedule_scheduleEvent", 1, "baseEntry.listByReferenceId"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    with lectern(tmp_path, sweep_seconds=2) as running:
        yield running


def series(service: Lectern) -> list[Json]:
    return [event for event in service.left()["events"] if event["recurrenceType"] == SERIES]


def test_what_an_index_hides_for_five_seconds_stands_once_in_the_end(service: Lectern) -> None:
    lost = [{"service": name, "action": "add", "fault": "drop_after", "times": 1} for name in (EVENT, "media")]
    service.sandbox.set_faults({"faults": lost, "modes": {"index_lag": 5}})
    accepted = service.schedule(prefer="respond-async").json()
    service.until(accepted["id"], "scheduled", 40)
    service.calls()
    eventually(lambda: LOOK in service.calls() or None, 20)  # the sweep
    eventually(lambda: (len(series(service)), len(service.left()["entries"])) == (1, 1) or None, 20)


def test_what_an_index_hides_longer_than_two_looks_is_removed_later(service: Lectern) -> None:
    """Entry and event stand twice for a while. An event of somebody else's that the search takes for ours stays."""
    lost = [{"service": name, "action": "add", "fault": "drop_after", "times": 1} for name in (EVENT, "media")]
    service.sandbox.set_faults({"faults": lost, "modes": {"index_lag": 8}})
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


def test_what_the_search_engine_never_saw_is_found_by_its_id(service: Lectern) -> None:
    service.made(example(reference_id="earlier", resource="PEARL-300-GHI"))  # an event that is known from before
    service.sandbox.watch = lambda _name, action, phase: (
        service.sandbox.set_faults({"modes": {"search_down": True}}) if (action, phase) == ("add", "before") else None
    )
    accepted = service.schedule(prefer="respond-async").json()
    eventually(lambda: len(series(service)) == 2 or None, 20)
    service.sandbox.watch = None
    service.heal()
    recording = service.until(accepted["id"], "scheduled", 40)
    eventually(lambda: len(series(service)) == 2 or None, 30)
    assert recording["kaltura"]["events"][0]["id"] in [event["id"] for event in series(service)]
    assert len(service.left()["entries"]) == 2
