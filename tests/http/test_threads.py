"""Each kind of work has threads of its own: whoever waits, for a database or for Kaltura, is in nobody else's way."""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from httpx2 import Response

import app.http.threads
from app.database import database
from app.http.threads import Places, Threads
from app.resources import lookup
from app.resources.lookup import Unknown
from tests.keys import bearer, key
from tests.recordings.documents import SINGLE
from tests.resources.polls import PATH, poll, tag
from tests.service import Lectern, eventually, found, lectern, problem

pytestmark = pytest.mark.both_databases

recordings = import_module("app.recordings.whose")
metrics = import_module("app.operations.metrics")
previews = import_module("app.recordings.document.preview")  # the package has a function of that name
LONG = 60.0  # seconds; nothing here takes as long, unless it would take for ever


@pytest.fixture
def service(tmp_path: Path, database_url: str) -> Iterator[Lectern]:
    with lectern(tmp_path, database_url=database_url) as running:
        yield running


class Gate:
    """Whoever comes to a function of `where` stays there until it is opened. `inside` grows with each who comes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, where: ModuleType, name: str) -> None:
        self._open, self.inside, real = threading.Event(), list[str](), getattr(where, name)

        def wait(*given: Any, **more: Any) -> Any:
            self.inside.append(threading.current_thread().name)
            assert self._open.wait(LONG)
            return real(*given, **more)

        monkeypatch.setattr(where, name, wait)

    def open(self) -> None:
        self._open.set()

    def until(self, count: int) -> None:
        """So many are inside, and no more."""
        eventually(lambda: len(self.inside) >= count)
        assert len(self.inside) == count


@contextmanager
def many(count: int, ask: Callable[[int], Response], gate: Gate | None = None) -> Iterator[list[Future[Response]]]:
    """So many requests at once. When the block is left, the gate is opened, and they have ended."""
    with ThreadPoolExecutor(count) as pool:
        try:
            yield [pool.submit(ask, number) for number in range(count)]
        finally:
            if gate:
                gate.open()


def goes_on(service: Lectern, etag: str) -> None:
    """Health, and a poll that is known."""
    for path in ("/healthz", "/readyz"):
        assert service.client.get(path).status_code == 200
    service.app.state.feed.versions.expire()
    assert poll(service, etag).status_code == 304


def ended(answers: Iterable[Future[Response]]) -> dict[int, int]:
    return Counter(answer.result().status_code for answer in answers)


# Those who read


@pytest.mark.parametrize("count", [120, 200])
def test_any_number_of_readers_is_answered(service: Lectern, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(app.http.threads, "PATIENCE", LONG)
    path = f"/recordings/{service.made(SINGLE)['id']}"
    with many(count, lambda _number: service.client.get(path)) as answers:
        pass
    assert ended(answers) == {200: count}


def test_readers_who_wait_for_the_database_are_in_nobody_s_way(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many hold a connection as may, two hundred stand in line, and a chain is run from its beginning to its end."""
    monkeypatch.setattr(app.http.threads, "PATIENCE", LONG)
    path, etag = f"/recordings/{service.made(SINGLE)['id']}", tag(service)
    places = service.app.state.threads.reading.count
    gate = Gate(monkeypatch, recordings, "find")
    with many(200, lambda _number: service.client.get(path), gate) as answers:
        gate.until(places)
        goes_on(service, etag)
        service.made(SINGLE | {"start": "2027-02-15T09:00:00"})
        gate.until(places)
    assert ended(answers) == {200: 200}


def test_who_stands_in_line_for_too_long_is_told_to_come_again(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/recordings/{service.made(SINGLE)['id']}"
    places = service.app.state.threads.reading.count
    gate = Gate(monkeypatch, recordings, "find")
    with many(places, lambda _number: service.client.get(path), gate) as served:
        gate.until(places)
        monkeypatch.setattr(app.http.threads, "PATIENCE", 0.05)
        answer = service.client.get(path)
        problem(answer, 503, "busy")
        assert int(answer.headers["Retry-After"]) >= 1
        problem(service.client.get("/recordings"), 503, "busy")
    assert ended(served) == {200: places}
    found(service.client.get(path))


def test_whoever_has_a_place_finds_a_thread_and_a_connection() -> None:
    threads = Threads()
    places = {name: each.count for name, each in vars(threads).items() if isinstance(each, Places)}
    assert sum(places.values()) - places["kaltura"] < 40, "AnyIO's threads; those that ask Kaltura are others"
    others = 8 + 1 + 1 + 2 + 1 + 1  # workers, their heart, who looks for ends, mirrors, keys, the feed's looks
    others += 1 + 1 + 2 + 1 + 1 + 1  # findings, who waits for notices, webhooks, calendars, terms, retention
    assert sum(places.values()) - places["writing"] + 1 + others <= database.CONNECTIONS


# Those who wait for Kaltura


def test_previews_that_wait_for_kaltura_are_in_nobody_s_way(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    recording, etag = service.made(SINGLE), tag(service)
    gate = Gate(monkeypatch, previews, "in_kaltura")
    with many(120, lambda _number: service.client.post("/recordings/preview", json=SINGLE), gate) as answers:
        gate.until(3)
        goes_on(service, etag)
        found(service.client.get(PATH.removesuffix("/upcoming")))
        found(service.client.get(f"/recordings/{recording['id']}"))
        service.made(SINGLE | {"start": "2027-02-15T09:00:00"})
    statuses = ended(answers)
    assert set(statuses) <= {200, 503}
    assert statuses[200] >= 3


def test_unknown_names_do_not_wear_out_those_who_poll(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """While Kaltura takes its time for every answer."""
    etag = tag(service)
    monkeypatch.setattr(app.http.threads, "PATIENCE", 0.5)
    service.fault("delay", seconds=1)
    with many(60, lambda number: service.client.get(f"/resources/NOWHERE-{number}/upcoming")) as answers:
        for _ in range(20):
            goes_on(service, etag)
    for answer in answers:
        if answer.result().status_code != 404:
            problem(answer.result(), 503, "busy")


def test_one_key_leaves_places_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asking(made: str) -> Callable[[int], Response]:
        return lambda _number: running.client.post("/recordings/preview", json=SINGLE, headers=bearer(made))

    with lectern(tmp_path) as running:
        one, another, third = (key(running, name, "recordings:write") for name in ("one", "another", "third"))
        gate = Gate(monkeypatch, previews, "in_kaltura")
        with many(20, asking(one), gate) as of_one:
            gate.until(3)
            with many(3, asking(another), gate) as of_another:
                gate.until(6)
                monkeypatch.setattr(app.http.threads, "PATIENCE", 0.05)
                refused = asking(third)(0)
                problem(refused, 503, "busy")
                assert int(refused.headers["Retry-After"]) >= 1
        assert ended(of_another) == {200: 3}
        assert set(ended(of_one)) <= {200, 503}


def test_a_name_that_kaltura_does_not_know_is_not_asked_for_again_at_once(service: Lectern) -> None:
    tag(service)
    service.calls()
    for _ in range(5):
        for path in ("/resources/NOWHERE", "/resources/NOWHERE/upcoming"):
            problem(service.client.get(path), 404, "not_found")
    assert len([call for call in service.calls() if call.startswith("schedule_scheduleResource")]) <= 2


def test_it_is_asked_for_again_after_some_seconds_and_few_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MOST_UNKNOWN", 10)
    now = 100.0
    unknown = Unknown(lambda: now)
    for number in range(20):
        unknown.add(str(number))
    assert [str(number) in unknown for number in range(20)] == [False] * 10 + [True] * 10
    assert len(unknown) == 10
    now += lookup.UNKNOWN_FOR
    assert "19" not in unknown


def test_who_gives_up_leaves_its_place_in_the_line() -> None:
    async def scenario() -> None:
        places = Places(2, each=1)
        async with places.one("a"):
            waiting = asyncio.create_task(places.run(int))
            async with places.one("b"):
                given_up = [asyncio.create_task(places.one(name).__aenter__()) for name in ("a", "c")]
                await asyncio.sleep(0)
                for task in given_up:
                    task.cancel()
                await asyncio.gather(*given_up, return_exceptions=True)
            assert await waiting == 0
            async with places.one("c"):
                pass
        async with places.one("a"), places.one("b"):
            pass

    asyncio.run(scenario())


def test_a_stranger_takes_no_place_in_the_line(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where there is but one, and somebody has it."""
    headers = bearer(key(service, "monitoring", "recordings:read"))
    gate = Gate(monkeypatch, metrics, "generate_latest")
    with many(1, lambda _number: service.client.get("/metrics", headers=headers), gate) as answers:
        gate.until(1)
        monkeypatch.setattr(app.http.threads, "PATIENCE", 0.05)
        problem(service.client.get("/metrics"), 401, "unauthorized")
        problem(service.client.get("/metrics", headers=headers), 503, "busy")
    assert ended(answers) == {200: 1}
