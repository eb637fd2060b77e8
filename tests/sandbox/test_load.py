"""The sandbox under load: twenty clients at once lose nothing, and long series are quick.

`make test` gives the clients two seconds; `LOAD_SECONDS=10 .venv/bin/pytest tests/sandbox/test_load.py` the full ten.
"""

import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.sandbox.seed.seed import RESOURCE_ID
from app.sandbox.server import running
from app.sandbox.simulator import Sandbox
from tests.processes import start_sandbox
from tests.sandbox.kaltura import HOUR, MONDAY, Kaltura, weekly

CLIENTS = 20
SECONDS = float(os.environ.get("LOAD_SECONDS", "2"))

Event = dict[str, Any]


class Writer:
    """One client: what it has made and changed, as Kaltura answered it."""

    def __init__(self, url: str, number: int) -> None:
        self.number, self.url = number, url
        self.calls = 0
        self.events: dict[int, tuple[str, int]] = {}  # summary, status
        self.links: set[int] = set()
        self.series: dict[int, int] = {}  # how many children

    def work(self, until: float) -> "Writer":
        with httpx.Client(base_url=self.url, timeout=30) as client:
            kaltura = Kaltura(client).sign_in(f"user{self.number}")
            while time.monotonic() < until:
                self._round(kaltura)
        return self

    def _round(self, kaltura: Kaltura) -> None:
        """A single event, changed and linked; one that is cancelled; one that is deleted; a series; reads of it all."""

        def done(answer: Any) -> Any:
            self.calls += 1
            assert not isinstance(answer, dict) or answer["objectType"] != "KalturaAPIException", answer
            return answer

        start = MONDAY + self.number * HOUR
        reference = f"load-{self.number}-{self.calls}"
        single, cancelled, deleted = (
            done(kaltura.add_event(startDate=start, endDate=start + HOUR, referenceId=f"{reference}-{n}"))["id"]
            for n in range(3)
        )
        series = done(kaltura.add_event(**weekly(5, referenceId=f"{reference}-3")))["id"]
        done(kaltura.update(single, summary=reference))
        done(kaltura("schedule_scheduleEventResource", "list", filter={"eventIdEqual": single}))
        kaltura("schedule_scheduleEvent", "delete", scheduleEventId=deleted)
        done(kaltura("schedule_scheduleEvent", "cancel", scheduleEventId=cancelled))
        done(kaltura.update(series, summary=reference))
        self._link(kaltura, series)
        assert done(kaltura("schedule_scheduleEvent", "get", scheduleEventId=single))["summary"] == reference
        found = done(kaltura.events(referenceIdEqual=f"{reference}-3"))["objects"]
        assert [event["id"] for event in found] == [series]
        self.events |= {single: (reference, 2), cancelled: ("Lecture", 1), series: (reference, 2)}
        self.series[series] = 5

    def _link(self, kaltura: Kaltura, event: int) -> None:
        """A room that another client has reserved for its own link just now is free again at once."""
        answer = kaltura.link(event, RESOURCE_ID)
        while answer.get("code") == "RESOURCE_IS_RESERVED":
            answer = kaltura.link(event, RESOURCE_ID)
        assert answer["eventId"] == event
        self.links.add(event)


def at_once(work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(work, range(CLIENTS)))


def test_twenty_clients_at_once_lose_no_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with start_sandbox(tmp_path) as sandbox:
        until = time.monotonic() + SECONDS
        writers: list[Writer] = at_once(lambda number: Writer(sandbox.url, number).work(until))
        state = httpx.get(f"{sandbox.url}/_sandbox/state", timeout=60).json()
    expected: dict[int, tuple[str, int]] = {}
    for writer in writers:
        assert not expected.keys() & writer.events.keys()
        expected |= writer.events
    own = [event for event in state["events"] if "parentId" not in event]
    assert {event["id"]: (event["summary"], event["status"]) for event in own} == expected
    children = Counter(event["parentId"] for event in state["events"] if "parentId" in event)
    assert children == Counter({series: 5 for writer in writers for series in writer.series})
    assert len({event["id"] for event in state["events"]}) == len(state["events"])
    assert {link["eventId"] for link in state["event_resources"]} == set().union(*(w.links for w in writers))
    calls = sum(writer.calls for writer in writers)
    with capsys.disabled():
        print(f"\nload: {CLIENTS} clients, {SECONDS:g} s, {calls / SECONDS:.0f} calls/s, {len(state['events'])} events")


def test_twenty_at_once_wait_side_by_side(sandbox: Sandbox) -> None:
    """Sixty calls of 200 ms would take twelve seconds one after another."""
    sandbox.set_faults({"latency": 0.2})
    with running(sandbox) as url:

        def work(number: int) -> None:
            with httpx.Client(base_url=url) as client:
                caller = Kaltura(client)
                for _ in range(3):
                    assert caller("system", "ping") is True

        began = time.monotonic()
        at_once(work)
        assert time.monotonic() - began < 6


def test_a_series_of_a_thousand_is_added_in_less_than_two_seconds(sandbox: Sandbox) -> None:
    with running(sandbox) as url, httpx.Client(base_url=url) as client:
        kaltura = Kaltura(client).sign_in()
        rule = {"frequency": "hours", "count": 1000, "timeZone": "America/New_York"}
        began = time.process_time()
        made = kaltura.add_event(recurrenceType=1, endDate=MONDAY + 600, recurrence=rule)
        assert time.process_time() - began < 2
        assert kaltura.events(parentIdEqual=made["id"])["totalCount"] == 1000
