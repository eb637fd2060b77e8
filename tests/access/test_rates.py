"""How many requests a key may send, and what it is told of that."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.access import door, rates
from app.access.rates import Allowance, Rates
from tests.keys import bearer
from tests.recordings.documents import SINGLE
from tests.service import Lectern, found, lectern, problem

FIRST, SECOND = "first-key-0123456789abcdef01234567", "second-key-0123456789abcdef0123456"
LIMIT = 5


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


# The bucket


def test_a_bucket_takes_a_burst_and_then_fills_up_evenly() -> None:
    clock = Clock()
    bucket = Rates(120, clock)
    assert [bucket.take("a").left for _ in range(120)] == list(range(119, -1, -1))
    assert bucket.take("a") == Allowance(left=0, reset=1, wait=1)
    clock.now += 0.5
    assert bucket.take("a").wait == 0
    assert bucket.take("a").wait == 1
    clock.now += 3600
    assert bucket.take("a") == Allowance(left=119, reset=1, wait=0)


def test_whoever_has_used_up_a_small_allowance_is_told_how_long_to_wait() -> None:
    bucket = Rates(2, Clock())
    assert [bucket.take("a").wait for _ in range(3)] == [0, 0, 30]


def test_refusals_are_not_counted() -> None:
    clock = Clock()
    bucket = Rates(60, clock)
    for _ in range(200):
        bucket.take("a")
    clock.now += 1
    assert bucket.take("a").wait == 0


def test_each_has_a_bucket_of_its_own() -> None:
    bucket = Rates(1, Clock())
    assert [bucket.take(who).wait for who in ("a", "b", "a")] == [0, 0, 60]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_BUCKETS", 3)
    bucket = Rates(1, Clock())
    assert [bucket.take(who).wait for who in "abca"] == [0, 0, 0, 60]
    bucket.take("d")  # b is the one that was not seen for longest
    assert [bucket.take(who).wait for who in "adcb"] == [60, 60, 60, 0]


# The service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Lectern]:
    pairs = f"registrar={FIRST},registrar={SECOND}"
    with lectern(tmp_path, api_keys=pairs, requests_per_minute=LIMIT) as running:
        yield running


def test_every_answer_tells_what_is_left(service: Lectern) -> None:
    for left, path in ((4, "/recordings"), (3, "/recordings"), (2, "/recordings/rec_0")):
        answer = service.client.get(path, headers=bearer(FIRST))
        assert answer.headers["RateLimit-Policy"] == '"key";q=5;w=60'
        said = re.fullmatch(r'"key";r=(\d);t=(\d+)', answer.headers["RateLimit"])
        assert said
        assert int(said[1]) == left
        full = (LIMIT - left) * 12
        assert full - 6 < int(said[2]) <= full  # less by what the requests took


def test_one_too_many_is_a_429_before_anything_is_done(service: Lectern) -> None:
    for _ in range(LIMIT):
        found(service.client.get("/recordings", headers=bearer(FIRST)))
    service.calls()
    for headers in (bearer(FIRST), {"Authorization": f"bearer {FIRST}"}):
        answer = service.client.post("/recordings", json=SINGLE, headers=headers)
        problem(answer, 429, "too_many_requests")
        assert 0 < int(answer.headers["Retry-After"]) <= 12
        assert answer.headers["RateLimit"] == f'"key";r=0;t={answer.headers["Retry-After"]}'
        assert answer.headers["RateLimit-Policy"] == '"key";q=5;w=60'
    assert service.calls() == []
    # Another key of the same client has its own.
    assert found(service.client.get("/recordings", headers=bearer(SECOND)))["items"] == []


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_those_for_supervisors_are_never_refused(service: Lectern, path: str) -> None:
    """Nor counted, with or without a key."""
    for headers in ({}, bearer(FIRST)):
        for _ in range(2 * LIMIT):
            answer = service.client.get(path, headers=headers)
            assert answer.status_code == 200
            assert "RateLimit" not in answer.headers
    assert service.client.get("/recordings", headers=bearer(FIRST)).headers["RateLimit"].startswith('"key";r=4;')
    for _ in range(LIMIT):
        service.client.get("/recordings", headers=bearer(FIRST))
    problem(service.client.get("/recordings", headers=bearer(FIRST)), 429, "too_many_requests")
    assert service.client.get(path, headers=bearer(FIRST)).status_code == 200


def test_polls_that_are_answered_from_memory_are_not_counted(service: Lectern) -> None:
    path = "/resources/EXTRON-100-ABC/upcoming"
    tag = service.client.get(path, headers=bearer(FIRST)).headers["ETag"]
    for _ in range(10 * LIMIT):
        poll = service.client.get(path, headers={**bearer(FIRST), "If-None-Match": tag})
        assert poll.status_code in (200, 304)
        assert poll.headers.get("RateLimit") in (None, '"key";r=3;t=24')  # the mirror's first look may change it once


def test_an_address_that_sends_wrong_keys_is_refused_after_a_while(
    service: Lectern, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.app.state, "strangers", Rates(3))
    answers = [service.client.get("/recordings", headers=bearer(f"wrong-{n}")) for n in range(5)]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert "from this address" in problem(answers[-1], 429, "too_many_requests")["detail"]
    assert int(answers[-1].headers["Retry-After"]) >= 1
    # Whoever sends a right one from there is none the worse for it.
    found(service.client.get("/recordings", headers=bearer(FIRST)))
    assert door.STRANGERS_PER_MINUTE >= 60


def test_what_needs_no_key_is_limited_for_each_address_and_supervisors_are_not(service: Lectern) -> None:
    for path in ("/openapi.json", "/docs", "/static/docs.js", "/nowhere", "/recordings", "/metrics"):
        service.app.state.strangers = Rates(3)
        answers = [service.client.get(path) for _ in range(5)]
        assert [answer.status_code == 429 for answer in answers] == [False, False, False, True, True], path
        assert int(answers[-1].headers["Retry-After"]) >= 1
    assert service.client.get("/openapi.json", headers=bearer(FIRST)).status_code == 200
    for path in ("/healthz", "/readyz"):
        assert service.client.get(path).status_code == 200
    problem(service.client.post("/healthz"), 429, "too_many_requests")


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::7", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (":", ":"),
    ],
)
def test_one_machine_s_addresses_are_one(address: str, counts_as: str) -> None:
    assert door.address_of({"client": (address, 1)}) == counts_as


@pytest.mark.parametrize("values", [{}, {"api_keys": f"registrar={FIRST}", "requests_per_minute": 0}])
def test_an_open_service_and_one_without_a_limit_count_nothing(tmp_path: Path, values: dict[str, Any]) -> None:
    with lectern(tmp_path, **values) as service:
        answer = service.client.get("/recordings", headers=bearer(FIRST))
        assert found(answer)["items"] == []
        assert "RateLimit" not in answer.headers


def test_addresses_are_told_apart(service: Lectern, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether they read or change something."""
    monkeypatch.setattr(service.app.state, "strangers", Rates(3))
    sends: Any = service.client._transport
    told = list[list[int]]()
    for address in ("192.0.2.1", "192.0.2.2"):
        monkeypatch.setattr(sends._app, "client", (address, 1234))
        told += [
            [
                service.client.request(method, "/recordings", headers=bearer("wrong")).status_code
                for method in ("GET", "POST", "GET", "POST", "GET")
            ]
        ]
    assert told == [[401, 401, 401, 429, 429]] * 2
